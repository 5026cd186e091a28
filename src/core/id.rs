//! The identifiers. Each is a type of its own, so that one cannot be passed for another. All are
//! GUIDs: read in any case, written in lower case.

use super::code::Code;
use serde::{Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

/// Says why a text is no identifier. It becomes an `Error` of the same code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId {
    /// `EPS_EMPTY_ARGUMENT` or `EPS_NOT_A_GUID`.
    pub code: Code,
    /// What is wrong, with the argument's name.
    pub message: String,
}

impl InvalidId {
    fn new(code: Code, message: String) -> Self {
        Self { code, message }
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Reads a GUID of the form `8-4-4-4-12`. An error names `argument`.
            pub fn parse(text: &str, argument: &str) -> Result<Self, InvalidId> {
                parse(text, argument).map(Self)
            }

            /// Makes the identifier of a UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

ids! {
    /// A member.
    ContactId;
    /// A point shop item: the offer. The item's `promotionId` is a template and no item id.
    ItemId;
    /// A member's own instance of a reward, which can be redeemed.
    AssignmentId;
    /// An operation of the journal. For a purchase it is the purchase id that Engage gets.
    OperationId;
}

/// The id of a request: the library's own, or one that a server has chosen. Only a short name of
/// plain characters is one: a server's text is repeated nowhere (invariant 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// Reads a server's id. None if it is not such a name.
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<OperationId> for RequestId {
    fn from(id: OperationId) -> Self {
        Self(id.to_string())
    }
}

/// The namespace of derived purchase ids.
const PURCHASES: Uuid = Uuid::from_u128(0x6f1f_0f5e_5d0b_4c53_9a4e_0c6a_3a2f_7d11);

impl OperationId {
    /// Derives the purchase id of a reference (`idScope`): UUIDv5 of tenant, reference, contact and
    /// item.
    pub fn derived(tenant: &str, reference: &str, contact: ContactId, item: ItemId) -> Self {
        let name = format!("{tenant}\n{reference}\n{contact}\n{item}");
        Self(Uuid::new_v5(&PURCHASES, name.as_bytes()))
    }
}

fn parse(text: &str, argument: &str) -> Result<Uuid, InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::new(Code::EmptyArgument, format!("{argument} is empty; a GUID is expected")));
    }
    // Engage documents the hyphenated form only. A brace or a prefix is a mistake of the caller.
    if text.len() == 36
        && let Ok(uuid) = Uuid::try_parse(text)
    {
        if uuid.is_nil() {
            return Err(InvalidId::new(
                Code::NotAGuid,
                format!("{argument} is the all-zero GUID, which names nothing"),
            ));
        }
        return Ok(uuid);
    }
    Err(InvalidId::new(
        Code::NotAGuid,
        format!(
            "{argument} is not a GUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx ({} bytes were given)",
            text.len()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_not_hyphenated_is_an_error() {
        let good = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
        assert_eq!(ContactId::parse(good, "contact_id").unwrap().to_string(), good.to_lowercase());
        for (text, code) in [
            ("", Code::EmptyArgument),
            ("6F9619FF8B86D011B42D00C04FC964FF", Code::NotAGuid),
            ("{6F9619FF-8B86-D011-B42D-00C04FC964FF}", Code::NotAGuid),
            ("urn:uuid:6F9619FF-8B86-D011-B42D-00C04FC964FF", Code::NotAGuid),
            ("6F9619FF-8B86-D011-B42D-00C04FC964FG", Code::NotAGuid),
            ("00000000-0000-0000-0000-000000000000", Code::NotAGuid),
            (" 6F9619FF-8B86-D011-B42D-00C04FC964F", Code::NotAGuid),
        ] {
            let error = ContactId::parse(text, "contact_id").unwrap_err();
            assert_eq!(error.code, code, "{text:?}");
            assert!(error.message.contains("contact_id"));
        }
    }
}
