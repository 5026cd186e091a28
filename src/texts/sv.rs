//! The texts in Swedish.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Klart. Medlemmen har fått förmånen.", "Klart. Förmånen är din."),
    redeemed: text("Klart. Förmånen är använd på kvittot.", "Klart. Din förmån är använd."),
    declined: text("Det går inte. Fortsätt utan förmånen.", "Det går tyvärr inte."),
    not_possible: text(
        "Går inte: för få poäng, eller inget erbjudande för medlemmen.",
        "Du har för få poäng, eller så gäller erbjudandet inte dig.",
    ),
    offer_ended: text("Erbjudandet har upphört.", "Erbjudandet har upphört och går inte längre att köpa."),
    member_not_found: text(
        "Medlemmen finns inte. Kontrollera nummer eller e-postadress.",
        "Vi hittar inte ditt medlemskap. Kontrollera dina uppgifter.",
    ),
    check_entry: text("Kontrollera det som är inmatat och sök igen.", "Kontrollera dina uppgifter."),
    several_members: text("Flera medlemmar passar. Sök på medlemsnumret.", "Säg gärna ditt medlemsnummer."),
    reward_used: text("Förmånen är redan använd.", "Din förmån är redan använd."),
    reward_not_valid: text("Förmånen kan inte användas här.", "Din förmån kan inte användas här."),
    not_available: text("Går inte just nu. Ring supporten.", "Poäng och förmåner är inte tillgängliga just nu."),
    try_again: text("Ingen kontakt just nu. Försök igen.", "Vi når inte poängen just nu."),
    interrupted: text("Det avbröts. Försök igen.", "Det avbröts. Vi försöker igen."),
    reward_in_use: text(
        "Förmånen används på ett annat kvitto. Försök igen senare.",
        "Din förmån används på ett annat kvitto.",
    ),
    pending: text(
        "Inte klart än. Slutför köpet; beskedet kommer av sig självt.",
        "Vi behandlar ditt köp. Du ser det bland dina poäng.",
    ),
    pending_call: text(
        "Inte klart än. Slutför köpet och ring supporten.",
        "Ditt köp tar lite längre tid. Du ser det bland dina poäng.",
    ),
    review: text(
        "Någon måste kontrollera detta. Slutför köpet och fråga din chef.",
        "Vi kontrollerar detta åt dig. Du behöver inte göra något.",
    ),
};
