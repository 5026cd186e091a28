//! The texts in Norwegian.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Ferdig. Medlemmet har fått fordelen.", "Ferdig. Fordelen er din."),
    redeemed: text("Ferdig. Fordelen er brukt på denne kvitteringen.", "Ferdig. Fordelen din er brukt."),
    declined: text("Det går ikke. Fortsett uten fordelen.", "Det går dessverre ikke."),
    not_possible: text(
        "Ikke mulig: for få poeng, eller ikke et tilbud for medlemmet.",
        "Du har for få poeng, eller så gjelder ikke tilbudet deg.",
    ),
    offer_ended: text("Tilbudet er avsluttet.", "Tilbudet er avsluttet og kan ikke kjøpes lenger."),
    member_not_found: text(
        "Medlemmet finnes ikke. Sjekk nummeret eller e-postadressen.",
        "Vi finner ikke medlemskapet ditt. Sjekk opplysningene dine.",
    ),
    check_entry: text("Sjekk det som er skrevet inn, og søk igjen.", "Sjekk opplysningene dine."),
    several_members: text("Flere medlemmer passer. Søk på medlemsnummeret.", "Si gjerne medlemsnummeret ditt."),
    reward_used: text("Fordelen er allerede brukt.", "Fordelen din er allerede brukt."),
    reward_not_valid: text("Fordelen kan ikke brukes her.", "Fordelen din kan ikke brukes her."),
    not_available: text(
        "Ikke tilgjengelig nå. Ring brukerstøtte.",
        "Poeng og fordeler er ikke tilgjengelige akkurat nå.",
    ),
    try_again: text("Ingen kontakt akkurat nå. Prøv igjen.", "Vi får ikke kontakt med poengene akkurat nå."),
    interrupted: text("Det ble avbrutt. Prøv igjen.", "Det ble avbrutt. Vi prøver igjen."),
    reward_in_use: text(
        "Fordelen brukes på en annen kvittering. Prøv igjen senere.",
        "Fordelen din brukes på en annen kvittering.",
    ),
    pending: text(
        "Ikke klart ennå. Fullfør salget; svaret kommer av seg selv.",
        "Vi behandler kjøpet ditt. Du ser det blant poengene dine.",
    ),
    pending_call: text(
        "Ikke klart ennå. Fullfør salget og ring brukerstøtte.",
        "Kjøpet ditt tar litt lengre tid. Du ser det blant poengene dine.",
    ),
    review: text(
        "Noen må sjekke dette. Fullfør salget og spør lederen din.",
        "Vi sjekker dette for deg. Du trenger ikke å gjøre noe.",
    ),
};
