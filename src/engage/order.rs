//! What spends: points for an item, or a reward on a receipt. One order is one intent of the journal; a [`Verdict`] is what
//! a request for it, or a look at what became of it, has proven.

use crate::code::Code;
use crate::error::{Detail, Error};
use crate::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::time::Millis;

/// The points to be spent: Engage's idempotency key is `purchase` + `contact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PurchaseOrder {
    pub purchase: OperationId,
    pub contact: ContactId,
    pub item: ItemId,
}

/// The reward to be used. Engage knows no idempotency key for it: a reward is redeemed once, and then no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedeemOrder {
    /// The till's own name for it; Engage never sees it.
    pub operation: OperationId,
    /// Whose reward it is, where that is known. Without it nobody can look at the reward afterwards.
    pub contact: Option<ContactId>,
    pub assignment: AssignmentId,
    pub channel: Channel,
}

/// Where a reward is used. Documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Pos,
    Ecom,
    Other,
}

impl Channel {
    pub const ALL: [Channel; 3] = [Channel::Pos, Channel::Ecom, Channel::Other];

    pub const fn word(self) -> &'static str {
        match self {
            Channel::Pos => "POS",
            Channel::Ecom => "ECOM",
            Channel::Other => "OTHER",
        }
    }

    pub fn from_word(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.word() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Purchase(PurchaseOrder),
    Redeem(RedeemOrder),
}

impl Order {
    pub fn id(&self) -> OperationId {
        match self {
            Order::Purchase(order) => order.purchase,
            Order::Redeem(order) => order.operation,
        }
    }

    pub fn contact(&self) -> Option<ContactId> {
        match self {
            Order::Purchase(order) => Some(order.contact),
            Order::Redeem(order) => order.contact,
        }
    }

    /// The operation's kind, in the journal and in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Order::Purchase(_) => "purchase",
            Order::Redeem(_) => "redeem",
        }
    }

    /// Makes an error say which operation it is about.
    pub fn named_in(&self, error: Error) -> Error {
        match self {
            Order::Purchase(order) => error.with_operation(order.purchase).with_purchase(order.purchase),
            Order::Redeem(order) => error.with_operation(order.operation),
        }
    }
}

impl From<PurchaseOrder> for Order {
    fn from(order: PurchaseOrder) -> Self {
        Order::Purchase(order)
    }
}

impl From<RedeemOrder> for Order {
    fn from(order: RedeemOrder) -> Self {
        Order::Redeem(order)
    }
}

/// What a request that spends, or a look at what became of it, has proven.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// Engage has done it. The answer is Engage's own: the purchase, or the reward; empty if Engage said no more than yes.
    Completed { answer: String },
    /// Engage said no, definitely.
    Declined(Facts),
    /// Anything else after bytes may have left.
    Unknown(Facts),
    /// Nothing has left the till.
    NotSent(Facts),
    /// A look: nothing has come of it so far. The history does not hold the purchase; the reward is not redeemed.
    Absent,
    /// A look: there is nothing to look at, so nothing is proven. Only for a redeem.
    Unseen,
    /// The reward is redeemed, by whomever. Only for a redeem.
    Redeemed(Redeemed),
}

/// A reward that is redeemed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redeemed {
    /// The reward as Engage sent it, if it was looked at.
    pub reward: Option<String>,
    /// When, by Engage's clock.
    pub on: Option<Millis>,
    pub detail: Detail,
}

/// What is known of a verdict other than done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub code: Code,
    pub detail: Detail,
    pub cause: Vec<String>,
}

impl Verdict {
    /// The code a log line shows.
    pub fn code(&self) -> Code {
        match self {
            Verdict::Completed { .. } => Code::Ok,
            Verdict::Declined(facts) | Verdict::Unknown(facts) | Verdict::NotSent(facts) => facts.code,
            Verdict::Absent | Verdict::Unseen => Code::Pending,
            Verdict::Redeemed(_) => Code::AlreadyRedeemed,
        }
    }
}

impl Facts {
    pub fn of(code: Code) -> Self {
        Self { code, detail: Detail::default(), cause: Vec::new() }
    }
}
