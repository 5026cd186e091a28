//! The texts in Finnish.

use super::{Texts, text};

pub(super) const TEXTS: Texts = Texts {
    bought: text("Valmis. Jäsen on saanut edun.", "Valmis. Etu on sinun."),
    redeemed: text("Valmis. Etu on käytetty tällä kuitilla.", "Valmis. Etusi on käytetty."),
    declined: text("Tämä ei onnistu. Jatka ilman etua.", "Tämä ei valitettavasti onnistu."),
    not_possible: text(
        "Ei onnistu: liian vähän pisteitä, tai tarjous ei koske jäsentä.",
        "Pisteesi eivät riitä, tai tarjous ei koske sinua.",
    ),
    offer_ended: text("Tarjous on päättynyt.", "Tarjous on päättynyt, eikä sitä voi enää ostaa."),
    member_not_found: text(
        "Jäsentä ei löydy. Tarkista numero tai sähköpostiosoite.",
        "Emme löydä jäsenyyttäsi. Tarkista tietosi.",
    ),
    check_entry: text("Tarkista syöttämäsi tiedot ja hae uudelleen.", "Tarkista tietosi."),
    several_members: text("Useita jäseniä löytyi. Hae jäsennumerolla.", "Kerro meille jäsennumerosi."),
    reward_used: text("Etu on jo käytetty.", "Etusi on jo käytetty."),
    reward_not_valid: text("Etua ei voi käyttää täällä.", "Etuasi ei voi käyttää täällä."),
    not_available: text(
        "Ei käytettävissä juuri nyt. Soita tukeen.",
        "Pisteet ja edut eivät ole juuri nyt käytettävissä.",
    ),
    try_again: text("Ei yhteyttä juuri nyt. Yritä uudelleen.", "Emme saa juuri nyt yhteyttä pisteisiisi."),
    interrupted: text("Tämä keskeytyi. Yritä uudelleen.", "Tämä keskeytyi. Yritämme uudelleen."),
    reward_in_use: text(
        "Etu on käytössä toisella kuitilla. Yritä myöhemmin uudelleen.",
        "Etusi on käytössä toisella kuitilla.",
    ),
    pending: text(
        "Ei vielä selvillä. Vie myynti loppuun; tulos tulee itsestään.",
        "Käsittelemme ostoasi. Näet sen pisteissäsi.",
    ),
    pending_call: text(
        "Ei vielä selvillä. Vie myynti loppuun ja soita tukeen.",
        "Ostosi kestää hieman kauemmin. Näet sen pisteissäsi.",
    ),
    review: text(
        "Jonkun on tarkistettava tämä. Vie myynti loppuun ja kysy esihenkilöltä.",
        "Tarkistamme tämän puolestasi. Sinun ei tarvitse tehdä mitään.",
    ),
};
