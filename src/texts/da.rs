//! The texts in Danish.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Færdig. Medlemmet har fået fordelen.", "Færdig. Fordelen er din nu."),
    redeemed: text("Færdig. Fordelen er brugt på denne kvittering.", "Færdig. Din fordel er brugt."),
    declined: text("Det kan ikke lade sig gøre. Fortsæt uden fordelen.", "Det kan desværre ikke lade sig gøre."),
    not_possible: text(
        "Ikke muligt: for få point, eller ikke et tilbud til medlemmet.",
        "Du har for få point, eller tilbuddet gælder ikke dig.",
    ),
    offer_ended: text("Tilbuddet er udløbet.", "Tilbuddet er udløbet og kan ikke længere købes."),
    member_not_found: text(
        "Medlemmet findes ikke. Tjek nummeret eller e-mailadressen.",
        "Vi kan ikke finde dit medlemskab. Tjek dine oplysninger.",
    ),
    check_entry: text("Tjek det indtastede, og søg igen.", "Tjek dine oplysninger."),
    several_members: text("Flere medlemmer passer. Søg på medlemsnummeret.", "Sig gerne dit medlemsnummer."),
    reward_used: text("Fordelen er allerede brugt.", "Din fordel er allerede brugt."),
    reward_not_valid: text("Fordelen kan ikke bruges her.", "Din fordel kan ikke bruges her."),
    not_available: text("Ikke muligt lige nu. Ring til support.", "Point og fordele er ikke tilgængelige lige nu."),
    try_again: text("Ingen kontakt lige nu. Prøv igen.", "Vi kan ikke få fat i dine point lige nu."),
    interrupted: text("Det blev afbrudt. Prøv igen.", "Det blev afbrudt. Vi prøver igen."),
    reward_in_use: text(
        "Fordelen bruges på en anden kvittering. Prøv igen senere.",
        "Din fordel bruges på en anden kvittering.",
    ),
    pending: text(
        "Ikke klart endnu. Afslut salget; svaret kommer af sig selv.",
        "Vi behandler dit køb. Du kan se det blandt dine point.",
    ),
    pending_call: text(
        "Ikke klart endnu. Afslut salget, og ring til support.",
        "Dit køb tager lidt længere tid. Du kan se det blandt dine point.",
    ),
    review: text(
        "Nogen skal tjekke dette. Afslut salget, og spørg din leder.",
        "Vi tjekker dette for dig. Du behøver ikke gøre noget.",
    ),
};
