//! The texts in German.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Fertig. Das Mitglied hat die Prämie.", "Fertig. Die Prämie gehört Ihnen."),
    redeemed: text("Fertig. Die Prämie ist auf diesem Bon eingelöst.", "Fertig. Ihre Prämie ist eingelöst."),
    declined: text("Nicht möglich. Ohne die Prämie weitermachen.", "Das ist leider nicht möglich."),
    not_possible: text(
        "Nicht möglich: zu wenig Punkte oder kein Angebot für das Mitglied.",
        "Sie haben zu wenig Punkte, oder das Angebot gilt nicht für Sie.",
    ),
    offer_ended: text("Das Angebot ist beendet.", "Das Angebot ist beendet und nicht mehr erhältlich."),
    member_not_found: text(
        "Kein solches Mitglied. Nummer oder E-Mail-Adresse prüfen.",
        "Wir finden Ihre Mitgliedschaft nicht. Bitte prüfen Sie Ihre Angaben.",
    ),
    check_entry: text("Die Eingabe prüfen und noch einmal suchen.", "Bitte prüfen Sie Ihre Angaben."),
    several_members: text(
        "Mehrere Mitglieder passen. Mit der Mitgliedsnummer suchen.",
        "Bitte nennen Sie uns Ihre Mitgliedsnummer.",
    ),
    reward_used: text("Die Prämie ist schon eingelöst.", "Ihre Prämie ist schon eingelöst."),
    reward_not_valid: text("Die Prämie gilt hier nicht.", "Ihre Prämie gilt hier nicht."),
    not_available: text(
        "Zurzeit nicht möglich. Den Support anrufen.",
        "Punkte und Prämien sind zurzeit nicht verfügbar.",
    ),
    try_again: text("Zurzeit kein Kontakt. Noch einmal versuchen.", "Wir erreichen Ihre Punkte zurzeit nicht."),
    interrupted: text(
        "Das wurde unterbrochen. Noch einmal versuchen.",
        "Das wurde unterbrochen. Wir versuchen es noch einmal.",
    ),
    reward_in_use: text(
        "Die Prämie ist auf einem anderen Bon in Arbeit. Später noch einmal versuchen.",
        "Ihre Prämie ist auf einem anderen Bon in Arbeit.",
    ),
    pending: text(
        "Noch unklar. Verkauf abschließen; das Ergebnis kommt von selbst.",
        "Wir bearbeiten Ihren Kauf. Sie sehen ihn bei Ihren Punkten.",
    ),
    pending_call: text(
        "Noch unklar. Verkauf abschließen und den Support anrufen.",
        "Ihr Kauf dauert etwas länger. Sie sehen ihn bei Ihren Punkten.",
    ),
    review: text(
        "Jemand muss das prüfen. Verkauf abschließen, Leitung fragen.",
        "Wir prüfen das für Sie. Sie müssen nichts tun.",
    ),
};
