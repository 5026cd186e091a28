//! The field's own things as types: operations, channels, time.

use super::error::Error;
use super::id::{AssignmentId, ContactId, ItemId, OperationId};
use std::time::Duration;

/// Milliseconds since 1970-01-01 UTC, or a number of milliseconds.
pub(crate) type Millis = u64;

/// Returns a duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    duration.as_millis().try_into().unwrap_or(Millis::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_has_one_name_for_both_ways() {
        let names = Channel::ALL.map(|channel| Channel::from_name(channel.name()));
        assert_eq!(names, Channel::ALL.map(Some));
        assert_eq!(Channel::from_name("pos"), None);
    }
}
