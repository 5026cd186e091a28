//! What a cashier and a member are shown, in each language. A text says what happened and what to
//! do, without a technical word. It claims nothing about the points that its code does not prove
//! for every call: `outcome` says that.
//!
//! A file has one language. A text that is missing there does not compile.

mod da;
mod de;
mod en;
mod fi;
mod nb;
mod sv;

use crate::core::code::{Action, Code};

/// A language of the texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Swedish,
    Norwegian,
    Danish,
    Finnish,
    German,
}

impl Language {
    /// The languages by the names that the configuration uses. The first one is the default.
    pub const ALL: [(&'static str, Language); 6] = [
        ("en", Language::English),
        ("sv", Language::Swedish),
        ("nb", Language::Norwegian),
        ("da", Language::Danish),
        ("fi", Language::Finnish),
        ("de", Language::German),
    ];

    const fn texts(self) -> &'static Texts {
        match self {
            Language::English => &en::TEXTS,
            Language::Swedish => &sv::TEXTS,
            Language::Norwegian => &nb::TEXTS,
            Language::Danish => &da::TEXTS,
            Language::Finnish => &fi::TEXTS,
            Language::German => &de::TEXTS,
        }
    }
}

/// One text for each of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    pub cashier: &'static str,
    pub member: &'static str,
}

/// Makes a text.
const fn text(cashier: &'static str, member: &'static str) -> Text {
    Text { cashier, member }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident,)*) => {
        /// All texts of a language.
        struct Texts { $($(#[$doc])* $key: Text,)* }

        #[cfg(test)]
        impl Texts {
            fn all(&self) -> Vec<(&'static str, Text)> {
                vec![$((stringify!($key), self.$key),)*]
            }
        }
    };
}

keys! {
    /// A purchase is completed.
    bought,
    /// A redeem is completed.
    redeemed,
    /// Declined for another reason than the ones below.
    declined,
    /// Too few points, or the item is not for this member.
    not_possible,
    /// The item or its promotion has ended.
    offer_ended,
    /// There is no such member.
    member_not_found,
    /// The search for a member is not valid.
    check_entry,
    /// Several members match.
    several_members,
    /// The reward was used before.
    reward_used,
    /// The reward cannot be used here.
    reward_not_valid,
    /// The till cannot do it until somebody mends something.
    not_available,
    /// It may work in a moment.
    try_again,
    /// The till itself has ended it.
    interrupted,
    /// Another redeem of the reward is not resolved yet.
    reward_in_use,
    /// The outcome is not known yet.
    pending,
    /// The outcome is not known yet, and somebody must mend something.
    pending_call,
    /// A person must decide.
    review,
}

/// Returns the English texts of a code, for documents: the cashier's and the member's.
pub fn texts_in_english(code: Code) -> (&'static str, &'static str) {
    let text = of(Language::English, code, false);
    (text.cashier, text.member)
}

/// Returns the texts of a code in each language, for the bindings: the language, the cashier's and
/// the member's.
pub fn texts_in_languages(code: Code) -> impl Iterator<Item = [&'static str; 3]> {
    Language::ALL.into_iter().map(move |(name, language)| {
        let text = of(language, code, false);
        [name, text.cashier, text.member]
    })
}

/// Returns the text of a code. `is_redeem`: the code is that of a redeem.
pub(crate) fn of(language: Language, code: Code, is_redeem: bool) -> Text {
    let texts = language.texts();
    match code {
        Code::Ok if is_redeem => texts.redeemed,
        Code::Ok => texts.bought,
        Code::PurchaseNotAllowed => texts.not_possible,
        Code::PromotionNotFound | Code::PromotionExpired | Code::ItemNotFound => texts.offer_ended,
        Code::ContactNotFound | Code::InvalidContact => texts.member_not_found,
        Code::InvalidEmail
        | Code::InvalidPhone
        | Code::InvalidSocialSecurityNumber
        | Code::InvalidContactType
        | Code::InvalidSearch => texts.check_entry,
        Code::MultipleMatches => texts.several_members,
        Code::AlreadyRedeemed => texts.reward_used,
        Code::InvalidChannel
        | Code::InvalidReward
        | Code::RewardNotFound
        | Code::RewardNotOfContact
        | Code::RewardNotForChannel => texts.reward_not_valid,
        Code::Closed | Code::Cancelled | Code::OutOfMemory => texts.interrupted,
        Code::RewardInUse => texts.reward_in_use,
        // The call fails, and the operation goes on.
        Code::StillPending => texts.pending,
        Code::PendingCredentials | Code::PendingNotPersisted | Code::Internal => texts.pending_call,
        code => match code.row().action() {
            Action::Continue | Action::TellMember => texts.declined,
            Action::Retry => texts.try_again,
            Action::Wait => texts.pending,
            Action::Review => texts.review,
            Action::Administrator | Action::FixProgram => texts.not_available,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::code::{Outcome, TABLE};

    /// No cashier and no member knows these, in any language.
    const TECHNICAL: &[&str] = &[
        "http",
        "tls",
        "ssl",
        "api",
        "json",
        "server",
        "palvelin",
        "proxy",
        "dns",
        "timeout",
        "voyado",
        "journal",
        "code",
        "kod",
        "koodi",
        "status",
        "error",
        "fehler",
        "fejl",
        "feil",
        "virhe",
        "certif",
        "sertif",
        "zertif",
        "network",
        "nätverk",
        "nettverk",
        "netværk",
        "verkko",
        "netzwerk",
        "database",
        "databas",
        "contact id",
        "null",
        "system",
        "config",
        "konfig",
        "operation",
        "pending",
        "eps",
    ];

    #[test]
    fn texts_of_each_language_are_short_and_plain() {
        for (name, language) in Language::ALL {
            for (key, text) in language.texts().all() {
                for text in [text.cashier, text.member] {
                    assert!((8..=80).contains(&text.chars().count()), "{name}.{key}: {text}");
                    assert!(text.ends_with(['.', '!']), "{name}.{key}: {text}");
                    let lower = text.to_lowercase();
                    let mut words = lower.split(|letter: char| !letter.is_alphanumeric());
                    let technical = words.find(|word| TECHNICAL.iter().any(|technical| word.starts_with(technical)));
                    assert_eq!(technical, None, "{name}.{key}: {text}");
                }
            }
        }
    }

    #[test]
    fn languages_share_no_text() {
        let mut seen = std::collections::BTreeMap::new();
        for (name, language) in Language::ALL {
            for (key, text) in language.texts().all() {
                for text in [text.cashier, text.member] {
                    let first = *seen.entry(text).or_insert((name, key));
                    assert_eq!(first.0, name, "{key}: {text}");
                }
            }
        }
    }

    #[test]
    fn code_of_credentials_is_not_available_and_not_declined() {
        for (_, language) in Language::ALL {
            for code in [Code::Unauthorized, Code::Forbidden, Code::SystemConfiguration] {
                assert_eq!(code.row().outcome, Outcome::Declined);
                assert_eq!(of(language, code, false), language.texts().not_available);
                assert_ne!(of(language, code, false), of(language, Code::Declined, false));
            }
        }
    }

    #[test]
    fn code_without_a_request_does_not_blame_the_contact() {
        for (_, language) in Language::ALL {
            for code in [Code::Closed, Code::Cancelled, Code::OutOfMemory, Code::RewardInUse] {
                assert_eq!(code.row().outcome, Outcome::NotSent);
                assert_ne!(of(language, code, false), language.texts().try_again, "{code:?}");
                assert_ne!(of(language, code, false), language.texts().not_available, "{code:?}");
            }
            assert_eq!(of(language, Code::Offline, false), language.texts().try_again);
        }
    }

    #[test]
    fn code_of_a_pending_outcome_never_has_a_final_text() {
        let texts = Language::English.texts();
        let pending = [texts.pending, texts.pending_call, texts.review];
        for row in TABLE.iter().filter(|row| row.outcome == Outcome::Pending) {
            assert!(pending.contains(&of(Language::English, row.code, false)), "{}", row.name);
        }
        for row in TABLE.iter().filter(|row| row.outcome != Outcome::Completed) {
            let text = of(Language::English, row.code, true);
            assert!(![texts.bought, texts.redeemed].contains(&text), "{}", row.name);
        }
    }
}
