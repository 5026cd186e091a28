//! The field's own things as types: identifiers, operations, channels, time.
//! Each identifier is a type of its own, so that one cannot be passed for another. All are GUIDs:
//! read in any case, written in lower case.

use super::code::Code;
use super::error::{Error, Result};
use serde::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Milliseconds since 1970-01-01 UTC, or a number of milliseconds.
pub(crate) type Millis = u64;

/// Returns a duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    duration.as_millis().try_into().unwrap_or(Millis::MAX)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Reads a GUID of the form `8-4-4-4-12`. An error names `argument`.
            pub fn parse(text: &str, argument: &str) -> Result<Self> {
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
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
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

/// Points to be spent on an item. Engage's idempotency key is `purchase` + `contact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purchase {
    /// The purchase id, which is the operation id too.
    pub id: OperationId,
    /// The member.
    pub contact: ContactId,
    /// The item.
    pub item: ItemId,
}

/// A reward to be used. Engage has no idempotency key for it: a reward is redeemed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redeem {
    /// The till's own id; Engage never gets it.
    pub id: OperationId,
    /// The member, if the POS named one. Without it no status query is possible.
    pub contact: Option<ContactId>,
    /// The member's own instance of the reward.
    pub assignment: AssignmentId,
    /// Where the reward is used.
    pub channel: Channel,
}

/// Where a reward is used. Documented by Engage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A till.
    Pos,
    /// A web shop.
    Ecom,
    /// Anything else.
    Other,
}

impl Channel {
    /// All channels.
    pub const ALL: [Channel; 3] = [Channel::Pos, Channel::Ecom, Channel::Other];

    /// Returns the name that Engage, the journal and the options use.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Pos => "POS",
            Channel::Ecom => "ECOM",
            Channel::Other => "OTHER",
        }
    }

    /// Returns the channel of a name.
    pub fn from_name(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// A purchase or a redeem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Spends points.
    Purchase(Purchase),
    /// Uses a reward.
    Redeem(Redeem),
}

impl Operation {
    /// Returns the operation's id.
    pub fn id(&self) -> OperationId {
        match self {
            Operation::Purchase(purchase) => purchase.id,
            Operation::Redeem(redeem) => redeem.id,
        }
    }

    /// Returns the member, if known.
    pub fn contact(&self) -> Option<ContactId> {
        match self {
            Operation::Purchase(purchase) => Some(purchase.contact),
            Operation::Redeem(redeem) => redeem.contact,
        }
    }

    /// Returns the kind's name in the journal and in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Operation::Purchase(_) => "purchase",
            Operation::Redeem(_) => "redeem",
        }
    }

    /// Adds the operation's ids to an error.
    pub fn named_in(&self, error: Error) -> Error {
        match self {
            Operation::Purchase(purchase) => error.with_operation(purchase.id).with_purchase(purchase.id),
            Operation::Redeem(redeem) => error.with_operation(redeem.id),
        }
    }
}

impl From<Purchase> for Operation {
    fn from(purchase: Purchase) -> Self {
        Operation::Purchase(purchase)
    }
}

impl From<Redeem> for Operation {
    fn from(redeem: Redeem) -> Self {
        Operation::Redeem(redeem)
    }
}

fn parse(text: &str, argument: &str) -> Result<Uuid> {
    if text.is_empty() {
        return Err(Error::new(Code::EmptyArgument, format!("{argument} is empty; a GUID is expected")));
    }
    // Engage documents the hyphenated form only. A brace or a prefix is a mistake of the caller.
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
            assert_eq!(error.code(), code, "{text:?}");
            assert!(error.message().contains("contact_id"));
        }
    }
}
