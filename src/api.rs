//! Every JSON object that crosses the C ABI.

use crate::config::Config;
use crate::core::check::{self, Check};
use crate::core::code::Code;
use crate::core::domain::{Millis, Operation};
use crate::core::error::Error;
use crate::core::granted_reward::Certainty;
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::intent::{Intent, ReviewDecision};
use crate::engage::Receipt;
use crate::stats::Stats;
use crate::texts::{self, Language};
use serde::Serialize;
use serde_json::value::RawValue;

/// Writes an object as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The problem object. Every key is always there; an unknown value is null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    code: i32,
    name: &'static str,
    outcome: &'static str,
    message: &'a str,
    http_status: Option<u16>,
    engage_code: Option<&'a str>,
    operation_id: Option<OperationId>,
    purchase_id: Option<OperationId>,
    attempts: u32,
    retry_after_ms: Option<u64>,
    cause: &'a [String],
    for_cashier: &'static str,
    for_member: &'static str,
    /// Only of a purchase or a redeem that was submitted: its operation object.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a RawValue>,
}

impl Error {
    /// Returns the problem object, with texts in English.
    pub fn to_json(&self) -> Vec<u8> {
        problem(self, Language::English)
    }
}

/// Returns the problem object.
pub(crate) fn problem(error: &Error, language: Language) -> Vec<u8> {
    let row = error.code().row();
    let detail = error.detail();
    let text = texts::of(language, error.code(), false);
    to_json(&Problem {
        code: error.code().number(),
        name: row.name,
        outcome: row.outcome.name(),
        message: error.message(),
        http_status: detail.http_status,
        engage_code: detail.engage_code.as_deref(),
        operation_id: error.operation(),
        purchase_id: error.purchase(),
        attempts: detail.attempts,
        retry_after_ms: detail.retry_after_ms,
        cause: error.cause(),
        for_cashier: text.cashier,
        for_member: text.member,
        operation: error.object().and_then(|object| serde_json::from_str(object).ok()),
    })
}

/// The operation object.
#[allow(clippy::struct_field_names)]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationObject<'a> {
    operation_id: OperationId,
    kind: &'static str,
    outcome: &'static str,
    state: &'static str,
    code: i32,
    name: &'static str,
    purchase_id: Option<OperationId>,
    contact_id: Option<ContactId>,
    item_id: Option<ItemId>,
    /// The reward that is redeemed, or that the purchase gave.
    assignment_id: Option<AssignmentId>,
    channel: Option<&'static str>,
    reference: Option<&'a str>,
    attempts: u32,
    http_status: Option<u16>,
    engage_code: Option<&'a str>,
    needs_review: bool,
    recorded_at_ms: Millis,
    resolved_at_ms: Option<Millis>,
    acknowledged_at_ms: Option<Millis>,
    /// Only in the result of a purchase or a redeem: whether the operation existed before the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing: Option<bool>,
    tenant: Option<&'a str>,
    /// It belongs to another tenant: this client neither queries nor sends it.
    foreign: bool,
    /// When an outcome can be expected at the latest; null where that is not known.
    expected_by_ms: Option<Millis>,
    last_query_at_ms: Option<Millis>,
    next_query_at_ms: Option<Millis>,
    last_code: Option<i32>,
    first_pending_code: Option<i32>,
    cause: &'a [String],
    /// Status queries since the first attempt that no caller waited for.
    retry_count: u32,
    review: Option<&'a ReviewDecision>,
    request_ids: &'a [String],
    writer_version: &'a str,
    /// Who acts: see `eps_code_action`.
    action: &'static str,
    for_cashier: &'static str,
    for_member: &'static str,
    purchase: Option<&'a RawValue>,
    reward: Option<&'a RawValue>,
}

impl<'a> OperationObject<'a> {
    fn of(intent: &'a Intent, existing: Option<bool>, config: &Config) -> Self {
        let foreign = intent.tenant.as_deref().is_some_and(|theirs| theirs != config.tenant);
        let pending = !intent.state.is_final();
        let progress = &intent.progress;
        let row = intent.code.row();
        let response = intent.response.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let needs_review = intent.needs_review() || (foreign && pending);
        let (purchase, redeem) = match intent.operation {
            Operation::Purchase(purchase) => (Some(purchase), None),
            Operation::Redeem(redeem) => (None, Some(redeem)),
        };
        // Only a person can resolve what belongs to another tenant.
        let shown = if needs_review { Code::PendingNeedsReview } else { intent.code };
        let text = texts::of(config.language, shown, redeem.is_some());
        Self {
            operation_id: intent.id(),
            kind: intent.operation.kind(),
            outcome: row.outcome.name(),
            state: intent.state.name(),
            code: intent.code.number(),
            name: row.name,
            purchase_id: purchase.map(|purchase| purchase.id),
            contact_id: intent.operation.contact(),
            item_id: purchase.map(|purchase| purchase.item),
            assignment_id: redeem.map(|redeem| redeem.assignment).or(intent.reward),
            channel: redeem.map(|redeem| redeem.channel.name()),
            reference: intent.reference.as_deref(),
            attempts: intent.detail.attempts,
            http_status: intent.detail.http_status,
            engage_code: intent.detail.engage_code.as_deref(),
            needs_review,
            recorded_at_ms: intent.recorded_at,
            // The clock may have been corrected between.
            resolved_at_ms: intent.resolved_at.map(|at| at.max(intent.recorded_at)),
            acknowledged_at_ms: intent.acknowledged_at,
            existing,
            tenant: intent.tenant.as_deref(),
            foreign,
            expected_by_ms: intent.expected_by().filter(|_| pending && !foreign),
            last_query_at_ms: progress.last_query_at_ms,
            next_query_at_ms: Some(intent.next_query_at).filter(|_| pending && !foreign),
            last_code: progress.last_code,
            first_pending_code: progress.first_pending_code,
            cause: &progress.cause,
            retry_count: intent.query_count,
            review: progress.review.as_ref(),
            request_ids: &progress.request_ids,
            writer_version: &progress.writer_version,
            action: row.action().name(),
            for_cashier: text.cashier,
            for_member: text.member,
            purchase: response.filter(|_| purchase.is_some()),
            reward: response.filter(|_| redeem.is_some()),
        }
    }
}

/// Returns the operation object of an intent.
pub(crate) fn operation(intent: &Intent, config: &Config) -> Vec<u8> {
    to_json(&OperationObject::of(intent, None, config))
}

/// Returns the operation object of a purchase or a redeem, with `existing`.
pub(crate) fn operation_result(intent: &Intent, existing: bool, config: &Config) -> Vec<u8> {
    to_json(&OperationObject::of(intent, Some(existing), config))
}

/// Returns `{"operations": […]}`.
pub(crate) fn operations(intents: &[Intent], config: &Config) -> Vec<u8> {
    #[derive(Serialize)]
    struct Operations<'a> {
        operations: Vec<OperationObject<'a>>,
    }
    to_json(&Operations { operations: objects(intents, config) })
}

/// Returns `{"operations": […], "next": cursor or null}`.
pub(crate) fn operation_page(intents: &[Intent], next: Option<&str>, config: &Config) -> Vec<u8> {
    #[derive(Serialize)]
    struct Page<'a> {
        operations: Vec<OperationObject<'a>>,
        next: Option<&'a str>,
    }
    to_json(&Page { operations: objects(intents, config), next })
}

fn objects<'a>(intents: &'a [Intent], config: &Config) -> Vec<OperationObject<'a>> {
    intents.iter().map(|intent| OperationObject::of(intent, None, config)).collect()
}

/// The result of `eps_resolve_pending`.
#[derive(Serialize)]
pub(crate) struct Resolution {
    /// Operations whose outcome became known.
    pub resolved: usize,
    /// Operations that are still pending.
    pub pending: usize,
}

/// The result of `eps_backup_journal`.
#[derive(Serialize)]
pub(crate) struct JournalCopy<'a> {
    /// As the caller named it.
    pub path: &'a str,
    /// The size of the copy.
    pub bytes: u64,
    /// The records in it.
    pub operations: u64,
}

/// What the files of a journal say about it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JournalState {
    pub whole: bool,
    /// What is wrong with it.
    pub fault: Option<String>,
    pub records: u64,
    pub damaged: u64,
    pub is_copy: bool,
    /// The last program that had it open has closed it.
    pub is_closed: bool,
    pub written_at_ms: Millis,
    /// When a loss of records was accepted last.
    pub incomplete_before_ms: Option<Millis>,
    pub bytes: u64,
    pub wal_bytes: u64,
}

/// Returns `{"bytesBefore", "bytesAfter"}`: the size of a journal around a compaction.
pub(crate) fn compaction(before: u64, after: u64) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Compaction {
        bytes_before: u64,
        bytes_after: u64,
    }
    to_json(&Compaction { bytes_before: before, bytes_after: after })
}

/// The result of `eps_find_reward`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundReward<'a> {
    pub certainty: Certainty,
    pub assignment_id: Option<AssignmentId>,
    /// As Engage sent it.
    pub reward: Option<&'a RawValue>,
    pub receipt: Option<ReceiptObject>,
    /// All rewards that may be the one.
    pub candidates: Vec<&'a RawValue>,
}

/// A reward's texts for a receipt and a screen: [`Receipt`] in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReceiptObject {
    title: Option<String>,
    description: Option<String>,
    barcode: Option<String>,
    expires_on: Option<String>,
    instruction: Option<String>,
    value_type: Option<String>,
    value: Option<Box<RawValue>>,
}

impl From<Receipt> for ReceiptObject {
    fn from(receipt: Receipt) -> Self {
        let Receipt { title, description, barcode, expires_on, instruction, value_type, value } = receipt;
        Self { title, description, barcode, expires_on, instruction, value_type, value }
    }
}

/// Returns the result of `eps_check`. `pending_points`: None where the journal could not be read.
pub(crate) fn checks(checks: &[Check], pending_points: Option<u64>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct CheckObject<'a> {
        name: &'static str,
        status: &'static str,
        message: &'a str,
        action: Option<&'static str>,
        since_ms: Option<Millis>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct HealthReport<'a> {
        status: &'static str,
        checks: Vec<CheckObject<'a>>,
        pending_points: Option<u64>,
    }
    let objects = checks.iter().map(|check| CheckObject {
        name: check.name,
        status: check.status.name(),
        message: &check.message,
        action: check.action,
        since_ms: check.since_ms,
    });
    to_json(&HealthReport { status: check::overall(checks).name(), checks: objects.collect(), pending_points })
}

/// Returns the result of any call on a client for the tests of a binding: what the call was given.
pub(crate) fn echo(function: &str, arguments: &[Option<&str>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Echo<'a> {
        function: &'a str,
        arguments: &'a [Option<&'a str>],
    }
    to_json(&Echo { function, arguments })
}

/// Returns the result of `eps_read_stats`. `journal`: the pending and the unacknowledged
/// operations.
pub(crate) fn stats(stats: &Stats, journal: Option<(u64, u64)>) -> Vec<u8> {
    /// The counters start at zero with the client.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct StatsObject {
        version: &'static str,
        /// Requests that read, made for a caller.
        reads: u64,
        /// Requests that spend points.
        purchases_sent: u64,
        /// Requests that use a reward.
        redeems_sent: u64,
        status_queries: u64,
        completed: u64,
        declined: u64,
        not_sent: u64,
        /// In the journal now: the outcome is not known.
        pending: Option<u64>,
        /// In the journal now: the outcome is known and not acknowledged.
        unacknowledged: Option<u64>,
    }
    to_json(&StatsObject {
        version: crate::version::VERSION,
        reads: stats.reads.get(),
        purchases_sent: stats.purchases.get(),
        redeems_sent: stats.redeems.get(),
        status_queries: stats.status_queries.get(),
        completed: stats.completed.get(),
        declined: stats.declined.get(),
        not_sent: stats.not_sent.get(),
        pending: journal.map(|(pending, _)| pending),
        unacknowledged: journal.map(|(_, unacknowledged)| unacknowledged),
    })
}
