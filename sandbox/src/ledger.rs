//! The ledger of a store: members, items, purchases, rewards, and the entries that prove each
//! deduction.
//! The ledger uses neither HTTP nor a clock. Every method takes the time as an argument and is one
//! atomic step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Time;
use crate::fault::{Effect, Operation, PermanentFaults, check_permanent, permanent_effect};
use crate::world::{Departure, MemberDeparture};

/// A loyalty member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// The member's id in Engage.
    pub contact_id: Uuid,
    /// The name, for people.
    #[serde(default)]
    pub name: String,
    /// The e-mail address; a search ignores its case.
    #[serde(default)]
    pub email: Option<String>,
    /// The phone number in international form, `+46701234567`.
    #[serde(default)]
    pub mobile_phone: Option<String>,
    /// The social security number, ten or twelve digits.
    #[serde(default)]
    pub social_security_number: Option<String>,
    /// The member number or external id.
    #[serde(default)]
    pub custom_key: Option<String>,
    /// The points at the start.
    #[serde(default)]
    pub points: u32,
    /// The permanent effects on requests about the member.
    #[serde(default, skip_serializing_if = "PermanentFaults::is_empty")]
    pub faults: PermanentFaults,
    /// How the member has left, if so. Engage knows no such member any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<Departure>,
}

impl Member {
    /// Returns a member with a new id and no search keys.
    pub fn new(name: &str, points: u32) -> Member {
        Member { contact_id: Uuid::new_v4(), name: name.to_owned(), points, ..Member::default() }
    }

    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_permanent(&self.faults, &[])
    }
}

/// An item that a member can buy for points, and its reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// The point shop item's id.
    pub id: Uuid,
    /// The internal name.
    pub name: String,
    /// The price in points.
    pub cost: u32,
    /// The kind of points of the price.
    #[serde(default = "one")]
    pub point_definition_id: u32,
    /// The reward's template.
    pub promotion_id: Uuid,
    /// The first moment of the sale.
    #[serde(default)]
    pub valid_from: Time,
    /// The end of the sale. `None`: no end.
    #[serde(default)]
    pub valid_to: Option<Time>,
    /// The members that may buy the item. `None`: all.
    #[serde(default)]
    pub eligible: Option<Vec<Uuid>>,
    /// The members that see the item. `None`: all. Other members can still buy it.
    #[serde(default)]
    pub shown_to: Option<Vec<Uuid>>,
    /// The number of items left. `None`: unlimited.
    #[serde(default)]
    pub stock: Option<u32>,
    /// The state of the linked promotion.
    #[serde(default)]
    pub promotion: PromotionState,
    /// The behaviour of a purchase of the item.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// The texts that the member sees.
    #[serde(default)]
    pub presentation: Presentation,
    /// The reward that the member receives.
    #[serde(default)]
    pub reward: Reward,
    /// The permanent effects on purchases of the item and redeems of its reward.
    #[serde(default, skip_serializing_if = "PermanentFaults::is_empty")]
    pub faults: PermanentFaults,
}

fn one() -> u32 {
    1
}

impl Item {
    /// Returns an item with a new id that every member may always buy. The till redeems its reward
    /// by hand.
    pub fn new(name: &str, cost: u32) -> Item {
        Item {
            id: Uuid::new_v4(),
            name: name.to_owned(),
            cost,
            point_definition_id: 1,
            promotion_id: Uuid::new_v4(),
            valid_from: Time::default(),
            valid_to: None,
            eligible: None,
            shown_to: None,
            stock: None,
            promotion: PromotionState::Active,
            behaviour: Behaviour::Normal,
            presentation: Presentation { title: Some(name.to_owned()), ..Presentation::default() },
            reward: Reward { heading: Some(name.to_owned()), ..Reward::default() },
            faults: PermanentFaults::new(),
        }
    }

    /// Returns the first invalid field.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_permanent(&self.faults, &[Operation::Purchase, Operation::Redeem, Operation::Any])?;
        if self.valid_to.is_some_and(|end| end < self.valid_from) {
            return Err(Invalid::new("validTo", "is earlier than validFrom"));
        }
        for (index, channel) in self.reward.redemption_channels.iter().enumerate() {
            if !channel.value_type.allows(&channel.value) {
                let field = format!("reward.redemptionChannels[{index}].value");
                return Err(Invalid::new(&field, channel.value_type.expects()));
            }
        }
        Ok(())
    }

    fn is_on_sale(&self, now: Time) -> bool {
        self.valid_from <= now && self.valid_to.is_none_or(|end| now < end)
    }

    fn is_shown_to(&self, contact: Uuid) -> bool {
        self.shown_to.as_ref().is_none_or(|members| members.contains(&contact))
    }

    fn is_for(&self, contact: Uuid) -> bool {
        self.eligible.as_ref().is_none_or(|members| members.contains(&contact))
    }
}

/// The state of the promotion linked to an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PromotionState {
    /// It can be assigned.
    #[default]
    Active,
    /// It was removed.
    Removed,
    /// It has ended.
    Expired,
}

/// The behaviour of a purchase of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Behaviour {
    /// The purchase completes at once.
    #[default]
    Normal,
    /// The purchase completes or fails later, by the store's clock.
    Processing {
        /// The processing time.
        for_ms: u32,
        /// The response to the purchase request while the purchase is processed.
        #[serde(default)]
        response: ProcessingResponse,
        /// The end of the processing.
        #[serde(default)]
        ends: Ending,
    },
    /// The purchase fails at once.
    Fails,
}

/// The response to a purchase request while the purchase is processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProcessingResponse {
    /// 200 and the purchase with status `Processing`.
    #[default]
    Processing,
    /// 409 `PointShopItemPurchaseProcessingTimedOut`.
    TimedOut,
}

/// The end of a processed purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The points are deducted and the reward assigned.
    #[default]
    Completed,
    /// The points are returned.
    Failed,
}

/// The texts of an item that the member sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names are Engage's")]
pub struct Presentation {
    pub title: Option<String>,
    pub description: Option<String>,
    pub image_url: Option<String>,
    pub link: Option<String>,
}

/// The promotion behind an item: the fields of an assigned reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reward {
    /// The promotion's id in an external system.
    pub external_id: Option<String>,
    /// The title that the member sees.
    pub heading: Option<String>,
    /// The text that the member sees.
    pub description: Option<String>,
    /// The barcode that a till prints.
    pub barcode: Option<String>,
    /// The time from which an assigned reward is not listed and cannot be redeemed.
    pub expires_on: Option<Time>,
    /// The channels in which the reward can be redeemed.
    pub redemption_channels: Vec<RedemptionChannel>,
}

/// Returns a reward without expiry that the till redeems by hand.
impl Default for Reward {
    fn default() -> Reward {
        Reward {
            external_id: None,
            heading: None,
            description: None,
            barcode: None,
            expires_on: None,
            redemption_channels: vec![RedemptionChannel {
                channel: Channel::Pos,
                value_type: ValueType::Manual,
                value: Value::String("Give the reward to the member".to_owned()),
                instruction: None,
            }],
        }
    }
}

/// A channel in which a reward can be redeemed, and the reward's value there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedemptionChannel {
    /// The channel.
    #[serde(rename = "type")]
    pub channel: Channel,
    /// The type of `value`.
    pub value_type: ValueType,
    /// See [`ValueType`].
    #[serde(default)]
    pub value: Value,
    /// The instruction for the cashier.
    #[serde(default)]
    pub instruction: Option<String>,
}

/// A channel in which a reward can be redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are Engage's")]
pub enum Channel {
    Pos,
    Ecom,
    Other,
}

impl Channel {
    /// Parses Engage's name of a channel, in any case.
    pub fn parse(name: &str) -> Option<Channel> {
        [("POS", Channel::Pos), ("ECOM", Channel::Ecom), ("OTHER", Channel::Other)]
            .into_iter()
            .find_map(|(known, channel)| known.eq_ignore_ascii_case(name).then_some(channel))
    }
}

/// The type of a redemption channel's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ValueType {
    /// An integer.
    Percent,
    /// An object `{amount, currency}`.
    Money,
    /// A string.
    ExternalOffer,
    /// A string.
    Manual,
    /// No value.
    Swipe,
}

impl ValueType {
    fn allows(self, value: &Value) -> bool {
        match self {
            ValueType::Percent => value.is_u64(),
            ValueType::Money => {
                value.as_object().is_some_and(|money| money.len() == 2)
                    && value["amount"].is_number()
                    && value["currency"].is_string()
            }
            ValueType::ExternalOffer | ValueType::Manual => value.is_string(),
            ValueType::Swipe => value.is_null(),
        }
    }

    fn expects(self) -> &'static str {
        match self {
            ValueType::Percent => "PERCENT needs an integer",
            ValueType::Money => "MONEY needs an object {amount, currency}",
            ValueType::ExternalOffer => "EXTERNALOFFER needs a string",
            ValueType::Manual => "MANUAL needs a string",
            ValueType::Swipe => "SWIPE has no value",
        }
    }
}

/// A purchase, in any status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Purchase {
    /// Engage's own id of the purchase.
    pub id: Uuid,
    /// The till's purchase id.
    pub purchase_id: Uuid,
    /// The member.
    pub contact_id: Uuid,
    /// The item.
    pub item_id: Uuid,
    /// The reward's template.
    pub promotion_id: Uuid,
    /// The assigned reward of a completed purchase.
    pub assignment_id: Option<Uuid>,
    /// The price in points.
    pub cost: u32,
    /// The status.
    pub status: Status,
    /// The time of the request.
    pub created_on: Time,
}

/// The status of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The points are held, not yet deducted.
    Processing,
    /// The points are deducted and the reward is assigned.
    Completed,
    /// Nothing was deducted.
    Failed,
}

/// A reward that was assigned to a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assignment {
    /// The id for a redeem.
    pub id: Uuid,
    /// The member.
    pub contact_id: Uuid,
    /// The item that was bought.
    pub item_id: Uuid,
    /// The purchase.
    pub purchase_id: Uuid,
    /// The time of the assignment.
    pub assigned_on: Time,
    /// The time of the redeem.
    pub redeemed_on: Option<Time>,
}

/// An entry of the ledger. Entries are only added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The number of the entry: 1, 2, 3 …
    pub seq: u64,
    /// The time.
    pub time: Time,
    /// The kind.
    pub kind: LedgerKind,
    /// The member.
    pub contact_id: Uuid,
    /// The purchase.
    pub purchase_id: Uuid,
    /// The item.
    pub item_id: Uuid,
    /// The assigned or redeemed reward. `None` if `kind` is `deduct`.
    #[serde(default)]
    pub assignment_id: Option<Uuid>,
    /// The deducted points; 0 unless `kind` is `deduct`.
    pub points: u32,
    /// The member's points after the entry, held points included.
    pub balance_after: u32,
}

/// The kind of a ledger entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LedgerKind {
    /// Points were deducted.
    Deduct,
    /// A reward was assigned.
    Assign,
    /// A reward was redeemed.
    Redeem,
    /// A reward was redeemed by another party.
    RedeemElsewhere,
}

/// A member with the present points.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The member, with the points at the start.
    #[serde(flatten)]
    pub member: Member,
    /// The points that can be spent now.
    pub balance: u32,
    /// The points held for purchases in progress; not part of the balance.
    pub held: u32,
    #[serde(skip)]
    purchases: Vec<usize>,
    #[serde(skip)]
    assignments: Vec<usize>,
}

/// The result of a purchase request that was accepted.
#[derive(Debug, PartialEq)]
pub enum PurchaseResult<'a> {
    /// The member used this purchase id before. The ledger does not change.
    Existing(&'a Purchase),
    /// A new purchase, completed or still processing.
    New(&'a Purchase),
    /// A new purchase, still processing. The response reports a timeout.
    TimedOut,
    /// A new purchase that failed.
    Failed,
}

/// The reason why a purchase request was declined. The ledger does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PurchaseDecline {
    ContactNotFound,
    PurchaseIdOfAnotherContact,
    PurchaseIdOfAnotherItem,
    ItemNotFound,
    PromotionRemoved,
    PromotionExpired,
    NotOnSale,
    NotEligible,
    OutOfStock,
    NotEnoughPoints,
}

/// The reason why a redeem was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RedeemDecline {
    NotFound,
    AlreadyRedeemed,
    OtherChannel,
}

/// The key of a member search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Engage's")]
pub enum SearchKey {
    Email,
    MobilePhone,
    SocialSecurityNumber,
    CustomKey,
    Any,
}

impl SearchKey {
    /// Returns whether `value` has the format of this key.
    pub fn accepts(self, value: &str) -> bool {
        match self {
            SearchKey::Email => {
                value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
            }
            SearchKey::MobilePhone => {
                let digits = plain_phone(value);
                let digits = digits.strip_prefix('+').unwrap_or(&digits);
                (6..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
            }
            SearchKey::SocialSecurityNumber => {
                let digits = plain_ssn(value);
                matches!(digits.len(), 10 | 12) && digits.bytes().all(|b| b.is_ascii_digit())
            }
            SearchKey::CustomKey | SearchKey::Any => !value.trim().is_empty(),
        }
    }

    fn finds(self, member: &Member, value: &str) -> bool {
        let is = |field: &Option<String>, same: &dyn Fn(&str) -> bool| field.as_deref().is_some_and(same);
        match self {
            SearchKey::Email => is(&member.email, &|email| email.eq_ignore_ascii_case(value)),
            SearchKey::MobilePhone => is(&member.mobile_phone, &|phone| plain_phone(phone) == plain_phone(value)),
            SearchKey::SocialSecurityNumber => {
                is(&member.social_security_number, &|ssn| last_ten(&plain_ssn(ssn)) == last_ten(&plain_ssn(value)))
            }
            SearchKey::CustomKey => is(&member.custom_key, &|key| key == value),
            SearchKey::Any => {
                [SearchKey::Email, SearchKey::MobilePhone, SearchKey::SocialSecurityNumber, SearchKey::CustomKey]
                    .into_iter()
                    .any(|key| key.accepts(value) && key.finds(member, value))
            }
        }
    }
}

fn plain_phone(value: &str) -> String {
    let digits: String = value.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    digits.strip_prefix("00").map_or_else(|| digits.clone(), |international| format!("+{international}"))
}

fn plain_ssn(value: &str) -> String {
    value.trim().chars().filter(|c| !matches!(c, '-' | '+')).collect()
}

fn last_ten(digits: &str) -> &str {
    digits.len().checked_sub(10).and_then(|start| digits.get(start..)).unwrap_or(digits)
}

/// An invalid value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The JSON field.
    pub field: String,
    /// The reason.
    pub why: String,
}

impl Invalid {
    pub(crate) fn new(field: &str, why: &str) -> Invalid {
        Invalid { field: field.to_owned(), why: why.to_owned() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

impl std::error::Error for Invalid {}

/// The ledger of a store. See the module.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<Uuid, Account>,
    items: Vec<Item>,
    purchases: Vec<Purchase>,
    by_purchase_id: HashMap<Uuid, usize>,
    processing: BTreeSet<(Time, usize)>,
    assignments: Vec<Assignment>,
    by_assignment_id: HashMap<Uuid, usize>,
    entries: Vec<LedgerEntry>,
    /// The balance changes since the last read. `None`: no webhook needs them.
    balance_changes: Option<Vec<BalanceChange>>,
}

/// A change of a member's spendable points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BalanceChange {
    pub contact_id: Uuid,
    pub balance: u32,
    pub at: Time,
}

/// The contents of a ledger: [`Ledger::contents`] writes them and [`Ledger::of`] reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contents {
    /// The members, with the points at the start.
    pub members: Vec<Member>,
    /// The items, with the present stock.
    pub items: Vec<Item>,
    /// The purchases, the oldest first.
    pub purchases: Vec<Purchase>,
    /// The rewards, the oldest first.
    pub assignments: Vec<Assignment>,
    /// The entries, the oldest first.
    pub ledger: Vec<LedgerEntry>,
}

impl Ledger {
    /// Returns a ledger with these contents. Returns an error if they contradict each other.
    pub fn of(contents: Contents) -> Result<Ledger, Invalid> {
        let mut ledger = Ledger::default();
        let of = |list: &str, index: usize, invalid: Invalid| Invalid {
            field: format!("{list}[{index}].{}", invalid.field),
            why: invalid.why,
        };
        for (index, member) in contents.members.into_iter().enumerate() {
            ledger.add_member(member).map_err(|invalid| of("members", index, invalid))?;
        }
        for (index, item) in contents.items.into_iter().enumerate() {
            ledger.add_item(item).map_err(|invalid| of("items", index, invalid))?;
        }
        for (index, purchase) in contents.purchases.into_iter().enumerate() {
            ledger.add_purchase(purchase).map_err(|invalid| of("purchases", index, invalid))?;
        }
        for (index, assignment) in contents.assignments.into_iter().enumerate() {
            ledger.add_assignment(assignment).map_err(|invalid| of("assignments", index, invalid))?;
        }
        ledger.entries = contents.ledger;
        let departed = ledger.accounts.values().filter_map(|account| match account.member.departure? {
            Departure::MergedInto(into) => Some((account.member.contact_id, into)),
            Departure::Erased => None,
        });
        for (from, into) in departed.collect::<Vec<_>>() {
            ledger.hand_over(from, into)?;
        }
        Ok(ledger)
    }

    /// Returns the contents of the ledger.
    pub fn contents(&self) -> Contents {
        Contents {
            members: self.accounts.values().map(|account| account.member.clone()).collect(),
            items: self.items.clone(),
            purchases: self.purchases.clone(),
            assignments: self.assignments.clone(),
            ledger: self.entries.clone(),
        }
    }

    /// Adds a purchase of a snapshot: deducts or holds its points, and schedules its end if it is
    /// in progress.
    fn add_purchase(&mut self, purchase: Purchase) -> Result<(), Invalid> {
        let item = self.item(purchase.item_id).ok_or_else(|| Invalid::new("itemId", "names no item"))?;
        let due = match item.behaviour {
            Behaviour::Processing { for_ms, .. } => purchase.created_on.plus_millis(for_ms.into()),
            Behaviour::Normal | Behaviour::Fails => purchase.created_on,
        };
        let index = self.purchases.len();
        let account =
            self.accounts.get_mut(&purchase.contact_id).ok_or_else(|| Invalid::new("contactId", "names no member"))?;
        if purchase.status != Status::Failed {
            let left = account.balance.checked_sub(purchase.cost);
            account.balance = left.ok_or_else(|| Invalid::new("cost", "is more than the member's points"))?;
        }
        if purchase.status == Status::Processing {
            account.held += purchase.cost;
            self.processing.insert((due, index));
        }
        account.purchases.push(index);
        if self.by_purchase_id.insert(purchase.purchase_id, index).is_some() {
            return Err(Invalid::new("purchaseId", "is in use by another purchase"));
        }
        self.purchases.push(purchase);
        Ok(())
    }

    /// Adds a reward of a snapshot.
    fn add_assignment(&mut self, assignment: Assignment) -> Result<(), Invalid> {
        if self.item(assignment.item_id).is_none() {
            return Err(Invalid::new("itemId", "names no item"));
        }
        if !self.by_purchase_id.contains_key(&assignment.purchase_id) {
            return Err(Invalid::new("purchaseId", "names no purchase"));
        }
        let index = self.assignments.len();
        let account = self.accounts.get_mut(&assignment.contact_id);
        account.ok_or_else(|| Invalid::new("contactId", "names no member"))?.assignments.push(index);
        if self.by_assignment_id.insert(assignment.id, index).is_some() {
            return Err(Invalid::new("id", "is in use by another reward"));
        }
        self.assignments.push(assignment);
        Ok(())
    }

    /// Adds a member. Returns an error if the id is in use.
    pub fn add_member(&mut self, member: Member) -> Result<(), Invalid> {
        member.check()?;
        if self.accounts.contains_key(&member.contact_id) {
            return Err(Invalid::new("contactId", "is in use by another member"));
        }
        let (contact, balance) = (member.contact_id, member.points);
        let account = Account { member, balance, held: 0, purchases: Vec::new(), assignments: Vec::new() };
        self.accounts.insert(contact, account);
        Ok(())
    }

    /// Adds an item. Returns an error if the id is in use.
    pub fn add_item(&mut self, item: Item) -> Result<(), Invalid> {
        item.check()?;
        if self.item(item.id).is_some() {
            return Err(Invalid::new("id", "is in use by another item"));
        }
        self.items.push(item);
        Ok(())
    }

    /// Buys an item, or returns the existing purchase with this id.
    pub fn purchase(
        &mut self,
        now: Time,
        contact: Uuid,
        purchase_id: Uuid,
        item: Uuid,
    ) -> Result<PurchaseResult<'_>, PurchaseDecline> {
        self.process_due(now);
        self.present(contact).ok_or(PurchaseDecline::ContactNotFound)?;
        if let Some(&index) = self.by_purchase_id.get(&purchase_id) {
            let existing = &self.purchases[index];
            return if existing.contact_id == contact {
                Ok(PurchaseResult::Existing(existing))
            } else {
                Err(PurchaseDecline::PurchaseIdOfAnotherContact)
            };
        }
        self.check_purchase(now, contact, item)?;
        let account = self.accounts.get_mut(&contact).ok_or(PurchaseDecline::ContactNotFound)?;
        let item = self.items.iter_mut().find(|known| known.id == item).ok_or(PurchaseDecline::ItemNotFound)?;

        account.balance -= item.cost;
        account.held += item.cost;
        if let Some(changes) = &mut self.balance_changes {
            changes.push(BalanceChange { contact_id: contact, balance: account.balance, at: now });
        }
        item.stock = item.stock.map(|left| left - 1);
        let behaviour = item.behaviour;
        let index = self.purchases.len();
        account.purchases.push(index);
        self.by_purchase_id.insert(purchase_id, index);
        self.purchases.push(Purchase {
            id: derived(purchase_id, "purchase"),
            purchase_id,
            contact_id: contact,
            item_id: item.id,
            promotion_id: item.promotion_id,
            assignment_id: None,
            cost: item.cost,
            status: Status::Processing,
            created_on: now,
        });

        match behaviour {
            Behaviour::Normal => {
                self.finish(index, now, Ending::Completed);
                Ok(PurchaseResult::New(&self.purchases[index]))
            }
            Behaviour::Fails => {
                self.finish(index, now, Ending::Failed);
                Ok(PurchaseResult::Failed)
            }
            Behaviour::Processing { for_ms, response, .. } => {
                self.processing.insert((now.plus_millis(for_ms.into()), index));
                Ok(match response {
                    ProcessingResponse::Processing => PurchaseResult::New(&self.purchases[index]),
                    ProcessingResponse::TimedOut => PurchaseResult::TimedOut,
                })
            }
        }
    }

    /// Returns why a new purchase would be declined, if so.
    pub fn check_purchase(&self, now: Time, contact: Uuid, item: Uuid) -> Result<(), PurchaseDecline> {
        let account = self.present(contact).ok_or(PurchaseDecline::ContactNotFound)?;
        let item = self.item(item).ok_or(PurchaseDecline::ItemNotFound)?;
        match item.promotion {
            PromotionState::Active => {}
            PromotionState::Removed => return Err(PurchaseDecline::PromotionRemoved),
            PromotionState::Expired => return Err(PurchaseDecline::PromotionExpired),
        }
        if !item.is_on_sale(now) {
            Err(PurchaseDecline::NotOnSale)
        } else if !item.is_for(contact) {
            Err(PurchaseDecline::NotEligible)
        } else if item.stock == Some(0) {
            Err(PurchaseDecline::OutOfStock)
        } else if account.balance < item.cost {
            Err(PurchaseDecline::NotEnoughPoints)
        } else {
            Ok(())
        }
    }

    /// Lets a member leave: merged into another one, or erased.
    pub fn depart(&mut self, now: Time, departure: MemberDeparture) -> Result<(), Invalid> {
        self.process_due(now);
        let MemberDeparture { contact_id, into } = departure;
        if self.present(contact_id).is_none() {
            return Err(Invalid::new("contactId", "names no member"));
        }
        if let Some(into) = into {
            if into == contact_id || self.present(into).is_none() {
                return Err(Invalid::new("into", "names no other member"));
            }
            self.hand_over(contact_id, into)?;
        }
        let account = self.accounts.get_mut(&contact_id).ok_or_else(|| Invalid::new("contactId", "names no member"))?;
        account.member.departure = Some(into.map_or(Departure::Erased, Departure::MergedInto));
        // A snapshot counts the balance from the points at the start.
        let points = account.balance;
        account.balance = 0;
        account.member.points -= points;
        if let Some(account) = into.and_then(|into| self.accounts.get_mut(&into)) {
            account.balance += points;
            account.member.points += points;
        }
        Ok(())
    }

    /// Shows a member's purchases and rewards to the member into which it was merged.
    fn hand_over(&mut self, from: Uuid, into: Uuid) -> Result<(), Invalid> {
        let unknown = || Invalid::new("departure.mergedInto", "names no member");
        let account = self.accounts.get(&from).ok_or_else(unknown)?;
        let (purchases, assignments) = (account.purchases.clone(), account.assignments.clone());
        let account = self.accounts.get_mut(&into).ok_or_else(unknown)?;
        account.purchases.extend(purchases);
        account.purchases.sort_unstable();
        account.assignments.extend(assignments);
        account.assignments.sort_unstable();
        Ok(())
    }

    /// Returns a member that has not left.
    fn present(&self, contact: Uuid) -> Option<&Account> {
        self.accounts.get(&contact).filter(|account| account.member.departure.is_none())
    }

    /// Redeems a reward.
    pub fn redeem(&mut self, now: Time, assignment: Uuid, channel: Channel) -> Result<&Assignment, RedeemDecline> {
        self.process_due(now);
        let &index = self.by_assignment_id.get(&assignment).ok_or(RedeemDecline::NotFound)?;
        let reward = &self.item_of(&self.assignments[index]).reward;
        if reward.expires_on.is_some_and(|end| end <= now) {
            return Err(RedeemDecline::NotFound);
        }
        if self.assignments[index].redeemed_on.is_some() {
            return Err(RedeemDecline::AlreadyRedeemed);
        }
        if !reward.redemption_channels.iter().any(|allowed| allowed.channel == channel) {
            return Err(RedeemDecline::OtherChannel);
        }
        self.assignments[index].redeemed_on = Some(now);
        let purchase = self.by_purchase_id[&self.assignments[index].purchase_id];
        self.append(now, LedgerKind::Redeem, purchase);
        Ok(&self.assignments[index])
    }

    /// Redeems a reward as another party, if it is not redeemed yet. Returns whether it did.
    pub fn redeem_elsewhere(&mut self, now: Time, assignment: Uuid) -> bool {
        self.process_due(now);
        let Some(&index) = self.by_assignment_id.get(&assignment) else { return false };
        let assignment = &mut self.assignments[index];
        if assignment.redeemed_on.is_some() {
            return false;
        }
        assignment.redeemed_on = Some(now);
        let purchase = self.by_purchase_id[&assignment.purchase_id];
        self.append(now, LedgerKind::RedeemElsewhere, purchase);
        true
    }

    /// Returns the permanent effect for a request. The item's effect comes before the member's.
    pub fn permanent_fault(&self, operation: Operation, contact: Option<Uuid>, item: Option<Uuid>) -> Option<&Effect> {
        let item = item.and_then(|id| self.item(id));
        let member = contact.and_then(|id| self.accounts.get(&id));
        let faults = [item.map(|item| &item.faults), member.map(|account| &account.member.faults)];
        faults.into_iter().flatten().find_map(|faults| permanent_effect(faults, operation))
    }

    /// Ends every purchase in progress whose time has passed. Every method that takes `now` calls
    /// this first.
    pub fn process_due(&mut self, now: Time) {
        while let Some(&(due, index)) = self.processing.first()
            && due <= now
        {
            self.processing.pop_first();
            let item = self.purchases[index].item_id;
            let ends = match self.item(item).map(|item| item.behaviour) {
                Some(Behaviour::Processing { ends, .. }) => ends,
                _ => Ending::Completed,
            };
            self.finish(index, due, ends);
        }
    }

    /// Ends a purchase: deducts the held points and assigns the reward, or returns the points.
    fn finish(&mut self, index: usize, at: Time, ending: Ending) {
        let purchase = &mut self.purchases[index];
        let (contact, purchase_id, item, cost) =
            (purchase.contact_id, purchase.purchase_id, purchase.item_id, purchase.cost);
        let Some(account) = self.accounts.get_mut(&contact) else { return };
        account.held -= cost;
        match ending {
            Ending::Failed => {
                purchase.status = Status::Failed;
                account.balance += cost;
                if let Some(changes) = &mut self.balance_changes {
                    changes.push(BalanceChange { contact_id: contact, balance: account.balance, at });
                }
                if let Some(item) = self.items.iter_mut().find(|known| known.id == item) {
                    item.stock = item.stock.map(|left| left + 1);
                }
            }
            Ending::Completed => {
                let assignment = derived(purchase_id, "assignment");
                purchase.status = Status::Completed;
                purchase.assignment_id = Some(assignment);
                self.by_assignment_id.insert(assignment, self.assignments.len());
                account.assignments.push(self.assignments.len());
                self.assignments.push(Assignment {
                    id: assignment,
                    contact_id: contact,
                    item_id: item,
                    purchase_id,
                    assigned_on: at,
                    redeemed_on: None,
                });
                self.append(at, LedgerKind::Deduct, index);
                self.append(at, LedgerKind::Assign, index);
            }
        }
    }

    fn append(&mut self, time: Time, kind: LedgerKind, purchase: usize) {
        let Purchase { contact_id, purchase_id, item_id, assignment_id, cost, .. } = self.purchases[purchase];
        let deducts = kind == LedgerKind::Deduct;
        self.entries.push(LedgerEntry {
            seq: self.entries.len() as u64 + 1,
            time,
            kind,
            contact_id,
            purchase_id,
            item_id,
            assignment_id: assignment_id.filter(|_| !deducts),
            points: if deducts { cost } else { 0 },
            balance_after: self.accounts.get(&contact_id).map_or(0, |account| account.balance + account.held),
        });
    }

    /// Starts or stops the collection of balance changes.
    pub(crate) fn note_balance_changes(&mut self, wanted: bool) {
        self.balance_changes = wanted.then(Vec::new);
    }

    /// Returns the balance changes since the last call.
    pub(crate) fn take_balance_changes(&mut self, now: Time) -> Vec<BalanceChange> {
        self.process_due(now);
        self.balance_changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns a member with the present points.
    pub fn account(&mut self, now: Time, contact: Uuid) -> Option<&Account> {
        self.process_due(now);
        self.present(contact)
    }

    /// Returns every member with the present points.
    pub fn accounts(&mut self, now: Time) -> impl Iterator<Item = &Account> {
        self.process_due(now);
        self.accounts.values()
    }

    /// Returns the items that this member sees and may buy now, whether or not the points suffice.
    pub fn items_for(&mut self, now: Time, contact: Uuid) -> Option<impl Iterator<Item = &Item>> {
        self.process_due(now);
        self.present(contact)?;
        Some(self.items.iter().filter(move |item| {
            item.is_on_sale(now) && item.is_for(contact) && item.is_shown_to(contact) && item.stock != Some(0)
        }))
    }

    /// Returns every item.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Returns the purchases of this member, the newest first. `None`: no such member.
    pub fn purchases_of(&mut self, now: Time, contact: Uuid) -> Option<impl Iterator<Item = &Purchase>> {
        self.process_due(now);
        let account = self.present(contact)?;
        Some(account.purchases.iter().rev().map(|&index| &self.purchases[index]))
    }

    /// Returns every purchase, the oldest first.
    pub fn purchases(&mut self, now: Time) -> &[Purchase] {
        self.process_due(now);
        &self.purchases
    }

    /// Returns the rewards of this member that have not expired, each with its item. `None`: no
    /// such member.
    pub fn rewards_of(&mut self, now: Time, contact: Uuid) -> Option<impl Iterator<Item = (&Assignment, &Item)>> {
        self.process_due(now);
        let ledger = &*self;
        let account = ledger.present(contact)?;
        Some(account.assignments.iter().filter_map(move |&index| {
            let assignment = &ledger.assignments[index];
            let item = ledger.item_of(assignment);
            item.reward.expires_on.is_none_or(|end| now < end).then_some((assignment, item))
        }))
    }

    /// Returns every reward, the oldest first.
    pub fn assignments(&mut self, now: Time) -> &[Assignment] {
        self.process_due(now);
        &self.assignments
    }

    /// Returns the reward with this id.
    pub fn assignment(&self, id: Uuid) -> Option<&Assignment> {
        self.by_assignment_id.get(&id).map(|&index| &self.assignments[index])
    }

    /// Returns the item of a reward. Items are never removed.
    pub fn item_of(&self, assignment: &Assignment) -> &Item {
        self.item(assignment.item_id).expect("items are never removed")
    }

    /// Returns the members with such a key.
    pub fn find(&self, key: SearchKey, value: &str) -> Vec<Uuid> {
        self.accounts
            .values()
            .filter(|account| account.member.departure.is_none() && key.finds(&account.member, value.trim_end()))
            .map(|account| account.member.contact_id)
            .collect()
    }

    /// Returns the entries, the oldest first.
    pub fn entries(&mut self, now: Time) -> &[LedgerEntry] {
        self.process_due(now);
        &self.entries
    }

    fn item(&self, id: Uuid) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }
}

/// Returns an id in place of one that Engage makes. It differs from the purchase id and is always
/// the same for a purchase.
fn derived(purchase_id: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&purchase_id, what.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    /// Returns a ledger with one member of 1000 points and one item of 300.
    fn ledger(item: Item) -> (Ledger, Uuid, Uuid) {
        let member = Member::new("Test", 1000);
        let (contact, item_id) = (member.contact_id, item.id);
        let mut ledger = Ledger::default();
        ledger.add_member(member).unwrap();
        ledger.add_item(item).unwrap();
        (ledger, contact, item_id)
    }

    fn slow(ends: Ending) -> Item {
        let behaviour = Behaviour::Processing { for_ms: 500, response: ProcessingResponse::Processing, ends };
        Item { behaviour, stock: Some(1), ..Item::new("Slow", 300) }
    }

    fn balance(ledger: &mut Ledger, now: Time, contact: Uuid) -> (u32, u32) {
        let account = ledger.account(now, contact).unwrap();
        (account.balance, account.held)
    }

    #[test]
    fn a_purchase_id_buys_once() {
        let (mut ledger, contact, item) = ledger(Item::new("Coffee", 300));
        let id = Uuid::new_v4();
        assert!(matches!(ledger.purchase(NOW, contact, id, item), Ok(PurchaseResult::New(_))));
        assert!(matches!(ledger.purchase(NOW, contact, id, item), Ok(PurchaseResult::Existing(_))));
        assert!(matches!(ledger.purchase(NOW, contact, id, Uuid::new_v4()), Ok(PurchaseResult::Existing(_))));
        assert_eq!(balance(&mut ledger, NOW, contact), (700, 0));
        let kinds: Vec<LedgerKind> = ledger.entries(NOW).iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [LedgerKind::Deduct, LedgerKind::Assign]);
    }

    #[test]
    fn a_declined_purchase_leaves_its_id_free() {
        let (mut ledger, contact, item) = ledger(Item::new("Coffee", 300));
        let id = Uuid::new_v4();
        assert_eq!(ledger.purchase(NOW, contact, id, Uuid::new_v4()), Err(PurchaseDecline::ItemNotFound));
        assert!(matches!(ledger.purchase(NOW, contact, id, item), Ok(PurchaseResult::New(_))));
    }

    #[test]
    fn points_in_progress_are_held_and_then_deducted() {
        let (mut ledger, contact, item) = ledger(slow(Ending::Completed));
        ledger.purchase(NOW, contact, Uuid::new_v4(), item).unwrap();
        assert_eq!(balance(&mut ledger, NOW.plus_millis(499), contact), (700, 300));
        assert!(ledger.entries(NOW.plus_millis(499)).is_empty());
        assert_eq!(balance(&mut ledger, NOW.plus_millis(500), contact), (700, 0));
        assert_eq!(ledger.entries(NOW.plus_millis(9000))[0].time, NOW.plus_millis(500));
        assert_eq!(ledger.purchase(NOW, contact, Uuid::new_v4(), item), Err(PurchaseDecline::OutOfStock));
    }

    #[test]
    fn a_purchase_that_fails_gives_back_points_and_stock() {
        let (mut ledger, contact, item) = ledger(slow(Ending::Failed));
        let id = Uuid::new_v4();
        ledger.purchase(NOW, contact, id, item).unwrap();
        let later = NOW.plus_millis(500);
        assert_eq!(balance(&mut ledger, later, contact), (1000, 0));
        assert_eq!(ledger.purchases(later)[0].status, Status::Failed);
        assert_eq!(ledger.items()[0].stock, Some(1));
        assert!(ledger.entries(later).is_empty());
        assert!(matches!(ledger.purchase(later, contact, id, item), Ok(PurchaseResult::Existing(_))));
    }

    #[test]
    fn a_sale_includes_its_first_moment_and_not_its_last() {
        let window = Item { valid_from: NOW, valid_to: Some(NOW.plus_millis(10)), ..Item::new("Now", 1) };
        let (mut ledger, contact, item) = ledger(window);
        for (offset, on_sale) in [(-1, false), (0, true), (9, true), (10, false)] {
            let now = NOW.plus_millis(offset);
            assert_eq!(ledger.items_for(now, contact).unwrap().count(), usize::from(on_sale));
            assert_eq!(ledger.purchase(now, contact, Uuid::new_v4(), item).is_ok(), on_sale);
        }
    }

    #[test]
    fn an_expired_reward_is_neither_listed_nor_redeemed() {
        let reward = Reward { expires_on: Some(NOW.plus_millis(10)), ..Reward::default() };
        let (mut ledger, contact, item) = ledger(Item { reward, ..Item::new("Today", 1) });
        ledger.purchase(NOW, contact, Uuid::new_v4(), item).unwrap();
        let assignment = ledger.assignments(NOW)[0].id;
        assert_eq!(ledger.rewards_of(NOW, contact).unwrap().count(), 1);
        assert_eq!(ledger.rewards_of(NOW.plus_millis(10), contact).unwrap().count(), 0);
        assert_eq!(ledger.redeem(NOW.plus_millis(10), assignment, Channel::Pos), Err(RedeemDecline::NotFound));
        assert!(ledger.redeem(NOW, assignment, Channel::Pos).is_ok());
    }

    #[test]
    fn the_ledger_after_random_purchases_accounts_for_every_point() {
        let members = [Member::new("a", 5000), Member::new("b", 700)];
        let items = [Item::new("normal", 30), slow(Ending::Completed), slow(Ending::Failed)];
        let items = items.map(|item| Item { stock: None, ..item });
        let mut ledger = Ledger::default();
        for member in &members {
            ledger.add_member(member.clone()).unwrap();
        }
        for item in &items {
            ledger.add_item(item.clone()).unwrap();
        }
        let ids: Vec<Uuid> = (0..40).map(Uuid::from_u128).collect();
        let mut drawn = 0;
        let mut pick = |count: u64| {
            drawn += 1;
            usize::try_from(random::nth(1, drawn) % count).unwrap()
        };
        for step in 0..2000 {
            let now = NOW.plus_millis(step * 100);
            let _ = ledger.purchase(now, members[pick(2)].contact_id, ids[pick(40)], items[pick(3)].id);
        }
        let end = NOW.plus_millis(1_000_000);
        for member in &members {
            let mut left = member.points;
            for entry in ledger.entries(end).iter().filter(|entry| entry.contact_id == member.contact_id) {
                left -= entry.points;
                assert_eq!(entry.balance_after, left);
            }
            assert_eq!(balance(&mut ledger, end, member.contact_id), (left, 0));
        }
        let deducted = ledger.entries(end).iter().filter(|entry| entry.kind == LedgerKind::Deduct);
        let mut deducted: Vec<Uuid> = deducted.map(|entry| entry.purchase_id).collect();
        let count = deducted.len();
        deducted.sort_unstable();
        deducted.dedup();
        assert_eq!(deducted.len(), count);
        assert_eq!(ledger.assignments(end).len(), count);
    }

    #[test]
    fn a_member_is_found_by_every_key_it_has() {
        let mut ledger = Ledger::default();
        let member = Member {
            email: Some("a@example.com".to_owned()),
            mobile_phone: Some("+46701234567".to_owned()),
            social_security_number: Some("19900101-1234".to_owned()),
            custom_key: Some("1001".to_owned()),
            ..Member::new("a", 0)
        };
        let found = vec![member.contact_id];
        ledger.add_member(member).unwrap();
        for (key, value) in [
            (SearchKey::Email, "A@Example.com"),
            (SearchKey::MobilePhone, "0046 70-123 45 67"),
            (SearchKey::SocialSecurityNumber, "900101-1234"),
            (SearchKey::CustomKey, "1001"),
            (SearchKey::Any, "1001"),
            (SearchKey::Any, "+46701234567"),
        ] {
            assert_eq!(ledger.find(key, value), found, "{key:?} {value}");
        }
        assert!(ledger.find(SearchKey::CustomKey, "100").is_empty());
        // A `+` that is not escaped in a query arrives as a space. The value is then another
        // number.
        assert!(ledger.find(SearchKey::MobilePhone, " 46701234567").is_empty());
    }
}
