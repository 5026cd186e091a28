//! Magic values: members and items of the demo store that always fail in the same way, without
//! configuration.
//! One table makes the store, the README's list and `GET /_sandbox/magic`.

use serde::Serialize;
use uuid::{Uuid, uuid};

use crate::fault::{Effect, FaultResponse, Operation};
use crate::ledger::{Behaviour, Channel, Ending, Item, Member, ProcessingResponse};

/// Magda Magic, 100,000 points. She sees every magic item. Every member can buy them.
pub const MAGDA: Uuid = uuid!("a0000000-0000-4000-8000-00000000000f");

/// A magic value and its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Magic {
    /// Whether the id is a member's or an item's.
    pub kind: Kind,
    /// The `contactId` or the `pointShopItemId`.
    pub id: Uuid,
    /// The name in the store.
    pub name: &'static str,
    /// The effect.
    pub happens: &'static str,
}

/// The kind of a magic value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Member,
    Item,
}

/// Returns every magic value.
pub fn all() -> Vec<Magic> {
    let members = MEMBERS.iter().map(|row| Magic { kind: Kind::Member, id: row.member_id(), ..row.description() });
    let items = ITEMS.iter().map(|row| Magic { kind: Kind::Item, id: row.item_id(), ..row.description() });
    members.chain(items).collect()
}

struct Row<T> {
    /// The last byte of the id.
    number: u8,
    name: &'static str,
    happens: &'static str,
    apply: fn(&mut T),
}

impl<T> Row<T> {
    fn description(&self) -> Magic {
        Magic { kind: Kind::Item, id: Uuid::nil(), name: self.name, happens: self.happens }
    }
}

impl Row<Member> {
    fn member_id(&self) -> Uuid {
        Uuid::from_u128(MAGDA.as_u128() & !0xff | u128::from(self.number))
    }
}

impl Row<Item> {
    fn item_id(&self) -> Uuid {
        Uuid::from_u128(0xb000_0000_0000_4000_8000_0000_0000_0000 | u128::from(self.number))
    }
}

const fn row<T>(number: u8, name: &'static str, happens: &'static str, apply: fn(&mut T)) -> Row<T> {
    Row { number, name, happens, apply }
}

#[rustfmt::skip]
const MEMBERS: [Row<Member>; 9] = [
    row(0x10, "No response", "no request about the member is processed, and no response arrives", |m| always(m, Effect::StallBeforeCommit)),
    row(0x11, "Responses are lost", "every request is processed, and every response is lost", |m| always(m, Effect::CloseAfterCommit)),
    row(0x12, "Eight seconds late", "every response is 8 s late", |m| always(m, Effect::Delay { ms: 8_000 })),
    row(0x13, "Engage is down", "503 for every request", |m| always(m, Effect::Status(FaultResponse::status(503)))),
    row(0x14, "Web filter", "200 and a web filter's page for every request", |m| always(m, Effect::Html)),
    row(0x15, "Too many requests", "429 for every request", |m| always(m, Effect::Status(FaultResponse::status(429)))),
    row(0x16, "Search is broken", "500 `InvalidSystemConfiguration` for a search by customKey 2016", |m| {
        m.faults.insert(Operation::Contacts, error_response(500, "InvalidSystemConfiguration"));
    }),
    row(0x17, "First twin", "409 `MultipleMatches` for a search by customKey 2017", |_| {}),
    row(0x18, "Second twin", "409 `MultipleMatches` for a search by customKey 2017", |m| m.custom_key = Some("2017".to_owned())),
];

#[rustfmt::skip]
const ITEMS: [Row<Item>; 33] = [
    // Purchases with a fault.
    row(0x20, "No response", "not purchased, and no response arrives", |i| on_purchase(i, Effect::StallBeforeCommit)),
    row(0x21, "Purchased, no response", "purchased, and no response arrives", |i| on_purchase(i, Effect::StallAfterCommit)),
    row(0x22, "Purchased, response lost", "purchased, and the connection is closed without a response", |i| on_purchase(i, Effect::CloseAfterCommit)),
    row(0x23, "Connection reset", "not purchased, and the connection is reset", |i| on_purchase(i, Effect::ResetBeforeCommit)),
    row(0x24, "Purchased, connection reset", "purchased, and the connection is reset", |i| on_purchase(i, Effect::ResetAfterCommit)),
    row(0x25, "Purchased, response truncated", "purchased, and the response ends after 100 bytes", |i| on_purchase(i, Effect::Truncate { bytes: 100 })),
    row(0x26, "Purchased, gateway error", "purchased, and the status is 502", |i| on_purchase(i, Effect::StatusAfterCommit(FaultResponse::status(502)))),
    row(0x27, "Completes after 30 s", "200 `Processing`, completes after 30 s", |i| processing(i, 30_000, ProcessingResponse::Processing, Ending::Completed)),
    row(0x28, "Fails after 30 s", "200 `Processing`, fails after 30 s", |i| processing(i, 30_000, ProcessingResponse::Processing, Ending::Failed)),
    row(0x29, "Timed out for 30 s", "409 `PointShopItemPurchaseProcessingTimedOut`, completes after 30 s", |i| processing(i, 30_000, ProcessingResponse::TimedOut, Ending::Completed)),
    row(0x2a, "Expires during the purchase", "409 `PointShopItemPurchaseProcessingTimedOut`, fails after 1 s", |i| processing(i, 1_000, ProcessingResponse::TimedOut, Ending::Failed)),
    // Declined purchases. The demo store also has an item for each documented cause.
    row(0x30, "Contact not found", "400 `PromotionAssignmentContactNotFound`", |i| on_purchase(i, error_response(400, "PromotionAssignmentContactNotFound"))),
    row(0x31, "Promotion not found", "400 `PromotionAssignmentPromotionNotFound`", |i| on_purchase(i, error_response(400, "PromotionAssignmentPromotionNotFound"))),
    row(0x32, "Promotion expired", "400 `PromotionAssignmentPromotionExpired`", |i| on_purchase(i, error_response(400, "PromotionAssignmentPromotionExpired"))),
    row(0x33, "Assignment error", "500 `PromotionAssignmentError`", |i| on_purchase(i, error_response(500, "PromotionAssignmentError"))),
    row(0x34, "Assignment error, old", "400 `PromotionAssignmentError`", |i| on_purchase(i, error_response(400, "PromotionAssignmentError"))),
    row(0x35, "Purchase failed", "409 `PointShopItemPurchaseFailed`", |i| on_purchase(i, error_response(409, "PointShopItemPurchaseFailed"))),
    row(0x36, "Invalid request", "400 without a code", |i| on_purchase(i, Effect::Status(FaultResponse::status(400)))),
    row(0x37, "Not found", "404 without a code", |i| on_purchase(i, Effect::Status(FaultResponse::status(404)))),
    row(0x38, "Unprocessable", "422 without a code", |i| on_purchase(i, Effect::Status(FaultResponse::status(422)))),
    row(0x39, "Unauthorized", "401", |i| on_purchase(i, error_response(401, "Unauthorized"))),
    row(0x3a, "Unknown error", "500 without a code", |i| on_purchase(i, Effect::Status(FaultResponse::status(500)))),
    row(0x3b, "Gateway timeout", "504 `RequestTimeOut`, not purchased", |i| on_purchase(i, error_response(504, "RequestTimeOut"))),
    // Redeems with a fault.
    row(0x40, "Redeemed elsewhere", "another party redeems the reward just before: 409 `PromotionAlreadyRedeemed` for a redeem", |i| on_redeem(i, Effect::RedeemedElsewhere)),
    row(0x41, "Redeemed, response lost", "the reward is redeemed, and the connection is closed without a response", |i| on_redeem(i, Effect::CloseAfterCommit)),
    row(0x42, "Redeem timeout", "504 `RequestTimeOut` after 4.5 s, and the reward is not redeemed", |i| on_redeem(i, Effect::Slow { ms: 6_000, point_of_no_return_ms: None })),
    row(0x43, "Redeem takes 6 s", "the reward is redeemed after 4 s, and the response arrives after 6 s", |i| on_redeem(i, Effect::Slow { ms: 6_000, point_of_no_return_ms: Some(4_000) })),
    row(0x44, "Redeem without response", "the reward is not redeemed, and no response arrives", |i| on_redeem(i, Effect::StallBeforeCommit)),
    row(0x45, "Reward not found", "404 `PromotionNotFound` for a redeem", |i| on_redeem(i, error_response(404, "PromotionNotFound"))),
    row(0x46, "Another member's reward", "404 `PromotionNotAssociatedWithContact` for a redeem", |i| on_redeem(i, error_response(404, "PromotionNotAssociatedWithContact"))),
    row(0x47, "Not at the till", "the reward is for ECOM only: 409 `PromotionNotValidForRedemptionChannel` for a redeem", |i| {
        for channel in &mut i.reward.redemption_channels {
            channel.channel = Channel::Ecom;
        }
    }),
    row(0x48, "No data", "400 `InvalidPromotionIdNoData` for a redeem", |i| on_redeem(i, error_response(400, "InvalidPromotionIdNoData"))),
    row(0x49, "No such channel", "400 `NotAValidRedemptionChannel` for a redeem", |i| on_redeem(i, error_response(400, "NotAValidRedemptionChannel"))),
];

/// Returns the magic members, and Magda. `member` makes a normal one.
pub(crate) fn members(member: impl Fn(Uuid, &str, &str, u32) -> Member) -> Vec<Member> {
    let magda = member(MAGDA, "Magda Magic", "magda", 2000);
    let magic = MEMBERS.iter().map(|row| {
        let number = 2000 + 10 * u32::from(row.number >> 4) + u32::from(row.number & 0xf);
        let mut made = member(row.member_id(), row.name, &format!("magic{number}"), number);
        (row.apply)(&mut made);
        made
    });
    std::iter::once(magda).chain(magic).collect()
}

/// Returns the magic items. `item` makes a normal one.
pub(crate) fn items(item: impl Fn(Uuid, &str) -> Item) -> Vec<Item> {
    let magic = ITEMS.iter().map(|row| {
        let mut made = Item { shown_to: Some(vec![MAGDA]), ..item(row.item_id(), row.name) };
        (row.apply)(&mut made);
        made
    });
    magic.collect()
}

fn always(member: &mut Member, effect: Effect) {
    member.faults.insert(Operation::Any, effect);
}

fn on_purchase(item: &mut Item, effect: Effect) {
    item.faults.insert(Operation::Purchase, effect);
}

fn on_redeem(item: &mut Item, effect: Effect) {
    item.faults.insert(Operation::Redeem, effect);
}

fn processing(item: &mut Item, for_ms: u32, response: ProcessingResponse, ends: Ending) {
    item.behaviour = Behaviour::Processing { for_ms, response, ends };
}

fn error_response(status: u16, code: &str) -> Effect {
    Effect::Status(FaultResponse::error(status, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_every_magic_value() {
        let readme = include_str!("../README.md");
        let list = |wanted: Kind| -> String {
            let rows = all().into_iter().filter(|magic| magic.kind == wanted);
            let rows = rows.map(|Magic { id, name, happens, .. }| format!("| {name} | `{id}` | {happens} |"));
            rows.collect::<Vec<_>>().join("\n")
        };
        for kind in [Kind::Member, Kind::Item] {
            let rows = list(kind);
            assert!(readme.contains(&rows), "put this into the README:\n{rows}");
        }
    }
}
