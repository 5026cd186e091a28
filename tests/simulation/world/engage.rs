//! The simulated Engage: its ledger, and every way in which the real one may differ from the
//! documentation.

use super::plan::Fate;
use super::scheduler;
use super::state::{self, MS, note};
use crate::transport::{Extent, Response};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fmt::Write as _;

/// Where a code stands in an error's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum CodePlace {
    #[default]
    ErrorCode,
    Message,
    Title,
    Nested,
    /// A JSON string alone.
    Bare,
    OtherCase,
    /// In a list of errors.
    List,
}

/// The form of a member's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum HistoryForm {
    #[default]
    Array,
    /// `{"items": …, "totalCount": …}`.
    Envelope,
    /// `{"Items": …}`.
    CapitalEnvelope,
    /// An envelope with the first elements only, oldest first.
    Page,
    /// A null and an unknown element before the others.
    OddRows,
    /// A status as a number.
    Numbers,
    /// A status in capital letters.
    Capitals,
    /// Every purchase has an earlier row that failed.
    FailedRowFirst,
}

/// What Engage responds about a contact that has no purchase, or has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Nothing {
    /// 404 with a JSON body.
    #[default]
    NotFound,
    /// 404 without a body.
    Empty404,
    EmptyList,
    /// 400 `InvalidContact`.
    InvalidContact,
}

/// A redeem's 200.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum RedeemForm {
    #[default]
    Reward,
    Empty,
    /// A 200 with an error for a redeem that did not happen.
    ErrorIn200,
}

/// How this Engage works. The default is the documentation's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools)] // Each is one difference.
pub(crate) struct Rules {
    /// A purchase is shown in the history so late at most.
    pub lag_ms: u64,
    /// A redeem is shown in the list of rewards so late at most.
    pub reward_lag_ms: u64,
    /// Contact, points and promotion are checked before the purchase id is looked up.
    pub checks_first: bool,
    pub code_place: CodePlace,
    pub history: HistoryForm,
    pub nothing: Nothing,
    /// A refusal carries no code where the documentation names none.
    pub no_codes: bool,
    pub points: i64,
    /// Purchases of other channels, in each history.
    pub earlier_purchases: u8,
    pub redeem: RedeemForm,
    /// A1 off: an id is forgotten after this time.
    pub forgets_ids_after_ms: Option<u64>,
    /// What a merged member's POST gives: a code, or a 404 without one.
    pub merged_without_code: bool,
    /// A purchase that is being processed is not in the history, where a response says so.
    pub hides_processing: bool,
    /// A7 off: another channel uses a reward while an attempt of a till may be processed.
    pub rewards_shared: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Processing,
    Completed,
    Failed,
}

/// A purchase in the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub id: String,
    pub contact: String,
    pub item: String,
    pub status: Status,
    /// When the request that made it was sent.
    pub sent_at: u64,
    pub made_at: u64,
    pub shown_at: u64,
    /// The reward it gave.
    pub reward: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Reward {
    pub id: String,
    pub contact: String,
    /// The operation that has redeemed it, or "another channel", when that was sent, and when it
    /// was done: before the run, if it is negative.
    pub used: Option<(String, u64, i64)>,
}

#[derive(Default)]
pub(crate) struct Engage {
    pub rules: Rules,
    pub ledger: Vec<Row>,
    pub rewards: Vec<Reward>,
    pub spent: i64,
    pub expired: bool,
    pub merged: bool,
    pub requests: u64,
    /// Changes that are still to come.
    pub to_come: u64,
}

thread_local! {
    static ENGAGE: RefCell<Engage> = RefCell::default();
}

pub(crate) fn engage<T>(work: impl FnOnce(&mut Engage) -> T) -> T {
    ENGAGE.with_borrow_mut(work)
}

pub(crate) fn replace(new: Engage) -> Engage {
    ENGAGE.replace(new)
}

pub(crate) const COST: i64 = 100;
/// Who has used a reward that no till has used.
pub(crate) const ANOTHER_CHANNEL: &str = "another channel";
pub(crate) const CONTACTS: [&str; 3] = [
    "a0000000-0000-4000-8000-000000000001",
    "a0000000-0000-4000-8000-000000000002",
    // The id of the first member after the merge.
    "a0000000-0000-4000-8000-000000000003",
];
pub(crate) const ITEMS: [&str; 2] = ["b0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000002"];
const PROMOTION: &str = "c0000000-0000-4000-8000-000000000001";

pub(crate) fn gift_id(gift: usize) -> String {
    format!("d0000000-0000-4000-8000-{gift:012}")
}

/// A request as it arrives.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub path: String,
    pub body: Option<Vec<u8>>,
    /// The operation of the till, which Engage does not know.
    pub operation: String,
    pub sent_at: u64,
    pub fate: Option<Fate>,
}

/// Returns the response of something on the way that is not Engage.
pub(crate) fn gateway(status: u16, page: bool) -> Response {
    let (content_type, body) = match page {
        true => (Some("text/html".to_owned()), "<html><body>Not here</body></html>"),
        false => (None, ""),
    };
    Response {
        status,
        content_type,
        retry_after: None,
        date: None,
        request_ids: Vec::new(),
        extent: Extent::default(),
        body: body.into(),
    }
}

fn respond(status: u16, body: String) -> Response {
    Response {
        status,
        content_type: Some("application/json".into()),
        retry_after: None,
        request_ids: Vec::new(),
        extent: Extent::default(),
        date: Some(http_date(state::true_ms())),
        body: body.into_bytes(),
    }
}

/// Returns the civil date of a time: year, month, day, weekday, and seconds of the day.
fn civil(ms: u64) -> (u64, u64, u64, u64, u64) {
    let (days, seconds) = (ms / 86_400_000, ms / 1_000 % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day, (days + 4) % 7, seconds)
}

fn http_date(ms: u64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, weekday, seconds) = civil(ms);
    let name = |names: &[&'static str], place: u64| names[usize::try_from(place).unwrap_or(0)];
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let (weekday, month) = (name(&DAYS, weekday), name(&MONTHS, month - 1));
    format!("{weekday}, {day:02} {month} {year:04} {hours:02}:{minutes:02}:{:02} GMT", seconds % 60)
}

fn rfc3339(ms: u64) -> String {
    let (year, month, day, _, seconds) = civil(ms);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{:02}.{:03}Z", seconds % 60, ms % 1_000)
}

impl Engage {
    fn error(&self, status: u16, code: &str) -> Response {
        let status = if self.rules.code_place == CodePlace::ErrorCode { status } else { status.min(404) };
        respond(
            status,
            match self.rules.code_place {
                CodePlace::ErrorCode => format!("{{\"errorCode\":\"{code}\",\"message\":\"x\"}}"),
                CodePlace::Message => format!("{{\"message\":\"{code}\"}}"),
                CodePlace::Title => format!("{{\"status\":{status},\"title\":\"Conflict\",\"detail\":\"{code}\"}}"),
                CodePlace::Nested => format!("{{\"error\":{{\"details\":{{\"reason\":\"Voyado.{code}\"}}}}}}"),
                CodePlace::Bare => format!("\"{code}\""),
                CodePlace::OtherCase => format!("{{\"errorcode\":\"{}\"}}", code.to_ascii_lowercase()),
                CodePlace::List => format!("{{\"errors\":{{\"purchase\":[\"{code}\"]}}}}"),
            },
        )
    }

    fn shown(&self, row: &Row) -> String {
        let status = match (row.status, self.rules.history) {
            (Status::Processing, HistoryForm::Capitals) => "\"PROCESSING\"",
            (Status::Completed, HistoryForm::Capitals) => "\"COMPLETED\"",
            (Status::Failed, HistoryForm::Capitals) => "\"FAILED\"",
            (Status::Processing, HistoryForm::Numbers) => "0",
            (Status::Completed, HistoryForm::Numbers) => "1",
            (Status::Failed, HistoryForm::Numbers) => "2",
            (Status::Processing, _) => "\"Processing\"",
            (Status::Completed, _) => "\"Completed\"",
            (Status::Failed, _) => "\"Failed\"",
        };
        format!(
            "{{\"id\":\"{0}\",\"pointShopItemPurchaseId\":\"{0}\",\"contactId\":\"{1}\",\"pointShopItemId\":\"{2}\",\
             \"promotionId\":\"{PROMOTION}\",\"status\":{status},\"createdOn\":\"{3}\"}}",
            row.id,
            row.contact,
            row.item,
            rfc3339(state::START_MS + row.made_at / MS),
        )
    }

    /// The status of a purchase's own response is always the documented one.
    fn purchased(&self, row: &Row) -> Response {
        let plain = Engage { rules: Rules::default(), ..Engage::default() };
        respond(200, plain.shown(row))
    }

    fn nothing(&self) -> Response {
        match self.rules.nothing {
            Nothing::NotFound => respond(404, "{\"message\":\"No purchases found\"}".into()),
            Nothing::Empty404 => respond(404, String::new()),
            Nothing::EmptyList => respond(200, "[]".into()),
            Nothing::InvalidContact => self.error(400, "InvalidContact"),
        }
    }

    fn is_shown(&self, row: &Row, now: u64) -> bool {
        row.shown_at <= now && !(self.rules.hides_processing && row.status == Status::Processing)
    }

    fn history(&self, contact: &str, now: u64) -> Response {
        if self.merged && contact == CONTACTS[0] {
            return self.nothing();
        }
        let mut rows: Vec<String> = Vec::new();
        for number in 0..self.rules.earlier_purchases {
            rows.push(format!(
                "{{\"id\":\"e0000000-0000-4000-8000-{number:012}\",\"contactId\":\"{contact}\",\
                 \"pointShopItemId\":\"{}\",\"status\":\"Completed\",\"createdOn\":\"2020-01-01T00:00:00Z\"}}",
                ITEMS[0]
            ));
        }
        for row in self.ledger.iter().filter(|row| row.contact == contact && self.is_shown(row, now)) {
            if self.rules.history == HistoryForm::FailedRowFirst && row.status == Status::Completed {
                rows.push(self.shown(&Row { status: Status::Failed, ..row.clone() }));
            }
            rows.push(self.shown(row));
        }
        if rows.is_empty() {
            // An unknown contact and an empty history look the same.
            return match self.rules.nothing {
                Nothing::InvalidContact => respond(404, "{\"message\":\"No purchases found\"}".into()),
                _ => self.nothing(),
            };
        }
        let total = rows.len();
        let envelope = |key: &str, rows: &[String]| {
            let (count, items) = (rows.len(), rows.join(","));
            format!("{{\"count\":{count},\"offset\":0,\"{key}\":[{items}],\"totalCount\":{total}}}")
        };
        respond(
            200,
            match self.rules.history {
                HistoryForm::Envelope => envelope("items", &rows),
                HistoryForm::CapitalEnvelope => envelope("Items", &rows),
                HistoryForm::Page => envelope("items", &rows[..total.min(2)]),
                HistoryForm::OddRows => format!("[null,{{\"status\":7}},{}]", rows.join(",")),
                _ => format!("[{}]", rows.join(",")),
            },
        )
    }

    fn refusal(&self) -> Option<Response> {
        if self.expired {
            return Some(self.error(400, "PromotionAssignmentPromotionExpired"));
        }
        if self.rules.points - self.spent < COST {
            return Some(match self.rules.no_codes {
                true => respond(422, "{\"message\":\"Validation\"}".into()),
                false => respond(422, "{\"errorCode\":\"ValidationError\"}".into()),
            });
        }
        None
    }

    fn contact_ended(&self) -> Response {
        match self.rules.merged_without_code {
            true => respond(404, "{\"message\":\"Not found\"}".into()),
            false => self.error(400, "PromotionAssignmentContactNotFound"),
        }
    }

    /// A5 off: an attempt that seemed to be over is processed up to an hour later.
    fn goes_on(&mut self, arriving: &Arriving, goes_on: bool) {
        if goes_on {
            self.to_come += 1;
            let later = Arriving { fate: None, ..arriving.clone() };
            scheduler::after(scheduler::below(3_600_000) * MS, move || {
                engage(|engage| {
                    engage.to_come -= 1;
                    // Its checks passed when it came.
                    engage.expired = false;
                    engage.rules.points += COST;
                });
                handle(&later);
            });
        }
    }

    fn purchase(&mut self, arriving: &Arriving, body: &serde_json::Value, now: u64) -> Response {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (id, contact, item) = (text("pointShopItemPurchaseId"), text("contactId"), text("pointShopItemId"));
        let ended = self.merged && contact == CONTACTS[0];
        if self.rules.checks_first {
            if ended {
                return self.contact_ended();
            }
            if let Some(refusal) = self.refusal() {
                return refusal;
            }
        }
        let forgotten =
            |row: &Row| self.rules.forgets_ids_after_ms.is_some_and(|after| row.made_at + after * MS <= now);
        let known = self.ledger.iter().find(|row| row.id == id && !forgotten(row)).cloned();
        if let Some(row) = known {
            if row.contact != contact {
                return respond(400, "{}".into());
            }
            return match row.status {
                Status::Completed => self.purchased(&row),
                Status::Processing => self.error(409, "PointShopItemPurchaseProcessingTimedOut"),
                Status::Failed => self.error(409, "PointShopItemPurchaseFailed"),
            };
        }
        if ended {
            return self.contact_ended();
        }
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        match arriving.fate {
            Some(Fate::AssignmentError { goes_on }) => {
                self.goes_on(arriving, goes_on);
                return self.error(500, "PromotionAssignmentError");
            }
            Some(Fate::RateLimited { goes_on }) => {
                self.goes_on(arriving, goes_on);
                return respond(429, String::new());
            }
            _ => {}
        }
        self.spent += COST;
        let shown_at = now + scheduler::below(self.rules.lag_ms * MS + 1);
        let reward = self.rewards.len();
        let mut row = Row {
            id: id.clone(),
            contact: contact.clone(),
            item,
            status: Status::Completed,
            sent_at: arriving.sent_at,
            made_at: now,
            shown_at,
            reward,
        };
        let later = |after_ms: u64, to: Status| {
            let id = id.clone();
            scheduler::after(after_ms * MS, move || {
                note(20, || format!("Engage ends the processing of {id}: {to:?}"));
                engage(|engage| {
                    engage.to_come -= 1;
                    let Some(row) = engage.ledger.iter_mut().rev().find(|row| row.id == id) else { return };
                    if (row.status == Status::Failed) != (to == Status::Failed) {
                        engage.spent += if to == Status::Failed { -COST } else { COST };
                    }
                    row.status = to;
                });
            });
        };
        let mut response = None;
        match arriving.fate {
            Some(Fate::Processing { ms, fails }) => {
                row.status = Status::Processing;
                self.to_come += 1;
                later(ms, if fails { Status::Failed } else { Status::Completed });
                response = Some(self.error(409, "PointShopItemPurchaseProcessingTimedOut"));
            }
            Some(Fate::ProcessingForEver) => {
                row.status = Status::Processing;
                response = Some(self.error(409, "PointShopItemPurchaseProcessingTimedOut"));
            }
            Some(Fate::Fails { completes_ms }) => {
                row.status = Status::Failed;
                self.spent -= COST;
                if let Some(ms) = completes_ms {
                    self.to_come += 1;
                    later(ms, Status::Completed);
                }
                response = Some(self.error(409, "PointShopItemPurchaseFailed"));
            }
            _ => {}
        }
        let response = response.unwrap_or_else(|| self.purchased(&row));
        self.rewards.push(Reward { id: format!("d1000000-0000-4000-8000-{reward:012}"), contact, used: None });
        self.ledger.push(row);
        response
    }

    fn reward_object(&self, reward: &Reward, now: u64) -> String {
        let visible = |done: &i64| done.saturating_add_unsigned(self.rules.reward_lag_ms * MS) <= signed(now);
        let mut object = format!("{{\"id\":\"{}\",\"promotionId\":\"{PROMOTION}\",\"name\":\"Coffee\"", reward.id);
        match &reward.used {
            Some((_, _, done)) if visible(done) => {
                let _ = write!(
                    object,
                    ",\"redeemed\":true,\"redeemedOn\":\"{}\"}}",
                    rfc3339(state::START_MS.saturating_add_signed(done / signed(MS)))
                );
            }
            _ => object.push_str(",\"redeemed\":false}"),
        }
        object
    }

    fn rewards(&self, contact: &str, now: u64) -> Response {
        let rewards: Vec<String> = self
            .rewards
            .iter()
            .filter(|reward| reward.contact == contact)
            .filter(|reward| {
                !self.ledger.iter().any(|row| {
                    row.status != Status::Completed && self.rewards.get(row.reward).is_some_and(|it| it.id == reward.id)
                })
            })
            .map(|reward| self.reward_object(reward, now))
            .collect();
        respond(200, format!("[{}]", rewards.join(",")))
    }

    fn redeem(&mut self, arriving: &Arriving, id: &str, now: u64) -> Response {
        let Some(place) = self.rewards.iter().position(|reward| reward.id == id) else {
            return self.error(404, "PromotionNotFound");
        };
        match arriving.fate {
            Some(Fate::RateLimited { goes_on: false }) => return respond(429, String::new()),
            _ if self.rewards[place].used.is_some() => return self.error(409, "PromotionAlreadyRedeemed"),
            _ => {}
        }
        if self.rules.redeem == RedeemForm::ErrorIn200 && self.expired {
            return respond(200, "{\"errorCode\":\"PromotionNotValidForRedemptionChannel\"}".into());
        }
        self.rewards[place].used = Some((arriving.operation.clone(), arriving.sent_at, signed(now)));
        match arriving.fate {
            Some(Fate::RateLimited { goes_on: true }) => respond(429, String::new()),
            _ if self.rules.redeem == RedeemForm::Empty => respond(200, String::new()),
            _ => {
                let reward = self.rewards[place].clone();
                let plain = Engage { rules: Rules::default(), ..Engage::default() };
                respond(200, plain.reward_object(&reward, now))
            }
        }
    }
}

/// Carries out a request that has arrived.
pub(crate) fn handle(arriving: &Arriving) -> Response {
    let now = scheduler::now();
    let response = engage(|engage| {
        engage.requests += 1;
        let after_processing = match arriving.fate {
            Some(Fate::ServerError { status, processed: false }) => return respond(status, String::new()),
            Some(Fate::ServerError { status, processed: true }) => Some(respond(status, String::new())),
            Some(Fate::Gateway { status, page, .. }) => Some(gateway(status, page)),
            _ => None,
        };
        let contact = || arriving.path.split("contactId=").nth(1).and_then(|rest| rest.split('&').next());
        let response = match &arriving.body {
            None if arriving.path.contains("promotion-assignments") => {
                engage.rewards(contact().unwrap_or_default(), now)
            }
            None if matches!(arriving.fate, Some(Fate::RateLimited { .. })) => respond(429, String::new()),
            None => engage.history(contact().unwrap_or_default(), now),
            Some(body) => match arriving.path.strip_suffix("/redeem") {
                Some(path) => {
                    let id = path.rsplit('/').next().unwrap_or_default().to_owned();
                    engage.redeem(arriving, &id, now)
                }
                None => match serde_json::from_slice(body) {
                    Ok(body) => engage.purchase(arriving, &body, now),
                    Err(_) => respond(400, "{}".into()),
                },
            },
        };
        after_processing.unwrap_or(response)
    });
    note(21, || {
        let method = if arriving.body.is_some() { "POST" } else { "GET" };
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let about = if arriving.operation.is_empty() { String::new() } else { format!(" of {}", arriving.operation) };
        format!("Engage responds to the {method}{about}: {} {body}", response.status)
    });
    response
}

/// Returns the times at which purchases of an id that are completed or being processed were sent.
pub(crate) fn deductions(id: &str) -> Vec<(u64, Status)> {
    engage(|engage| {
        let purchases = engage
            .ledger
            .iter()
            .filter(|row| row.id == id && row.status != Status::Failed)
            .map(|row| (row.sent_at, row.status));
        let uses = engage.rewards.iter().filter_map(|reward| reward.used.as_ref());
        let uses = uses.filter(|(operation, ..)| operation == id).map(|(_, sent_at, _)| (*sent_at, Status::Completed));
        purchases.chain(uses).collect()
    })
}

pub(crate) fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// Returns when another channel has used a reward.
pub(crate) fn used_elsewhere(reward: &str) -> Option<i64> {
    engage(|engage| {
        let reward = engage.rewards.iter().find(|it| it.id == reward)?;
        let (by, _, done) = reward.used.as_ref()?;
        (by == ANOTHER_CHANNEL).then_some(*done)
    })
}

pub(crate) fn is_completed(id: &str) -> bool {
    deductions(id).iter().any(|(_, status)| *status == Status::Completed)
}
