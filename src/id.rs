//! The identifiers of Engage and of the till, each a type of its own so that one cannot be passed for another.
//! All are GUIDs; they are read in any case and written in lower case.

use crate::code::Code;
use crate::error::{Error, Result};
use serde::{Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Reads a GUID of the form `8-4-4-4-12`; `argument` is named in the error.
            pub fn parse(text: &str, argument: &str) -> Result<Self> {
                parse(text, argument).map(Self)
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

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
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

ids! {
    /// A member.
    ContactId;
    /// A point shop item: the offer. Not the `promotionId` of it, which is a template.
    ItemId;
    /// A member's own instance of a reward, which can be redeemed.
    AssignmentId;
    /// An operation of the journal. For a purchase it is the purchase id that Engage gets.
    OperationId;
}

impl OperationId {
    /// A fresh random id.
    pub fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

fn parse(text: &str, argument: &str) -> Result<Uuid> {
    if text.is_empty() {
        return Err(Error::new(Code::EmptyArgument, format!("{argument} is empty; a GUID is expected")));
    }
    // The hyphenated form only: Engage documents no other, and a stray brace or prefix is a caller's mistake.
    if text.len() == 36
        && let Ok(uuid) = Uuid::try_parse(text)
    {
        if uuid.is_nil() {
            return Err(Error::new(Code::NotAGuid, format!("{argument} is the all-zero GUID, which names nothing")));
        }
        return Ok(uuid);
    }
    Err(Error::new(
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
    fn only_the_hyphenated_form_is_an_identifier() {
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
            assert_eq!(error.code(), code, "{text:?}");
            assert!(error.message().contains("contact_id"));
        }
    }
}
