//! The judge: checks the operations that tills report against the ledger, rule by rule, and names
//! each violation.
//! The judge does no I/O. A till's export is the JSON of `eps_list_unacknowledged` and
//! `eps_get_operation`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Deserializer, Value};
use uuid::Uuid;

use crate::ledger::{LedgerEntry, LedgerKind};
use crate::log::RequestEntry;
use crate::seed::{BadJson, from_json};

/// The input of the judge.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The ledger of all members.
    pub ledger: &'a [LedgerEntry],
    /// The tills' exports, one journal a till.
    pub journals: &'a [Journal],
    /// Whether the faults have ended and every till has resolved its operations. Then no operation
    /// may be pending.
    pub resolved: bool,
    /// Whether the journals leave operations out, such as acknowledged ones. Then the ledger may
    /// hold more than the journals.
    pub partial: bool,
    /// The purchase requests, if they are to be judged too.
    pub attempts: Option<Attempts<'a>>,
}

/// The purchase requests of the tills.
#[derive(Clone, Copy, Debug)]
pub struct Attempts<'a> {
    /// The request log of the store, the oldest first.
    pub requests: &'a [RequestEntry],
    /// The in-flight window of the tills: their request timeout and a tenth of it as a margin.
    pub in_flight_window: Duration,
}

/// The operations of one till.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Journal {
    /// The till's name, for people.
    #[serde(default)]
    pub name: String,
    /// The operations in the order of their export. An operation may occur several times; the last
    /// one is its present state.
    pub operations: Vec<Operation>,
}

/// An operation object of the C API. Other members are ignored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the C API's")]
pub struct Operation {
    pub operation_id: Uuid,
    #[serde(default)]
    pub kind: Kind,
    pub outcome: Outcome,
    #[serde(default)]
    pub purchase_id: Option<Uuid>,
    #[serde(default)]
    pub contact_id: Option<Uuid>,
    #[serde(default)]
    pub item_id: Option<Uuid>,
    #[serde(default)]
    pub assignment_id: Option<Uuid>,
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub needs_review: bool,
    #[serde(default)]
    pub recorded_at_ms: Option<i64>,
    #[serde(default)]
    pub acknowledged_at_ms: Option<u64>,
}

/// The kind of operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Spends points.
    #[default]
    Purchase,
    /// Uses a reward.
    Redeem,
}

/// The outcome that a till reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the C API's")]
pub enum Outcome {
    Completed,
    Declined,
    Pending,
    NotSent,
}

impl Journal {
    /// Parses an export: `{"operations": […]}`, a list of operation objects, a single one, or a
    /// sequence of these.
    pub fn from_json(name: &str, json: &[u8]) -> Result<Journal, BadJson> {
        let mut journal = Journal { name: name.to_owned(), operations: Vec::new() };
        let mut values = Deserializer::from_slice(json).into_iter::<Value>();
        let mut begin = 0;
        while let Some(value) = values.next() {
            let end = values.byte_offset();
            // The second parse names the field and the line of an error.
            let line = json[..begin].split(|&byte| byte == b'\n').count() - 1;
            let here = |bad: BadJson| BadJson { line: bad.line + line, ..bad };
            let this = &json[begin..end];
            match value {
                Err(_) => drop(from_json::<Value>(&json[begin..]).map_err(here)?),
                Ok(Value::Array(_)) => journal.operations.extend(from_json::<Vec<_>>(this).map_err(here)?),
                Ok(value) if value.get("operations").is_some() => {
                    journal.operations.extend(from_json::<Journal>(this).map_err(here)?.operations);
                }
                Ok(_) => journal.operations.push(from_json(this).map_err(here)?),
            }
            begin = end;
        }
        Ok(journal)
    }
}

/// Parses the JSON of `GET /_sandbox/ledger`.
pub fn ledger_from_json(json: &[u8]) -> Result<Vec<LedgerEntry>, BadJson> {
    from_json(json)
}

/// The verdict of the judge.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether every rule holds.
    pub pass: bool,
    /// The counts of the judged operations and ledger entries.
    pub found: Found,
    /// The rules, each with its violations.
    pub rules: Vec<RuleResult>,
}

/// The result of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleResult {
    /// The rule's name, such as `completed-is-deducted`.
    pub name: &'static str,
    /// The rule in one sentence.
    pub promise: &'static str,
    /// The violations; empty: the rule holds.
    pub violations: Vec<String>,
}

/// The counts of the judged operations and ledger entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Operations in the journals.
    pub operations: usize,
    /// Pending operations in the journals.
    pub pending: usize,
    /// Deductions in the ledger.
    pub deductions: usize,
    /// Redeemed rewards in the ledger.
    pub redeemed: usize,
}

impl Verdict {
    /// Returns every violation with the name of its rule.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.rules.iter().flat_map(|rule| rule.violations.iter().map(|why| (rule.name, why.as_str())))
    }
}

type Check = fn(&Evidence<'_>) -> Vec<String>;

/// The rules: name, sentence and check.
const RULES: [(&str, &str, Check); 10] = [
    ("one-deduction", "A purchase id is deducted at most once", deducted_once),
    ("one-purchase-a-sale", "A reference, member and item are one purchase on a till", one_purchase_a_sale),
    ("own-purchase", "A purchase id always means the same member and item", own_purchase),
    ("deduction-is-known", "Every deduction is in a till's journal", deduction_is_known),
    ("completed-is-deducted", "Completed means that the points were deducted", completed_is_deducted),
    ("declined-is-not-deducted", "Declined or not sent means that nothing was deducted", declined_is_not_deducted),
    ("outcome-stays", "Completed and declined are final", outcome_stays),
    ("redeemed-once", "A reward is redeemed once, by the till that reports it", redeemed_once),
    ("acknowledged-is-known", "Only final operations are acknowledged", acknowledged_is_known),
    ("nothing-open", "Once the faults have ended, every operation is resolved", nothing_open),
];

/// The rules of the purchase requests: name, sentence and check.
const ATTEMPT_RULES: [(&str, &str, Check); 2] = [
    ("attempt-is-recorded", "Every purchase request has an operation for its member", attempt_is_recorded),
    (
        "in-flight-window",
        "A purchase without a response is repeated at most once within an in-flight window",
        in_flight_window,
    ),
];

/// Checks the case against every rule.
pub fn judge(case: &Case<'_>) -> Verdict {
    let evidence = Evidence::of(case);
    let attempt_rules = ATTEMPT_RULES.iter().filter(|_| case.attempts.is_some());
    let rules: Vec<RuleResult> = RULES
        .iter()
        .chain(attempt_rules)
        .map(|&(name, promise, check)| RuleResult { name, promise, violations: check(&evidence) })
        .collect();
    let found = Found {
        operations: evidence.last.len(),
        pending: evidence.last.iter().filter(|(_, operation)| operation.outcome == Outcome::Pending).count(),
        deductions: evidence.deductions.values().map(Vec::len).sum(),
        redeemed: evidence.redeemed.values().sum(),
    };
    Verdict { pass: rules.iter().all(|rule| rule.violations.is_empty()), found, rules }
}

/// The case, indexed for the rules.
struct Evidence<'a> {
    case: &'a Case<'a>,
    /// The present state of each operation of each journal, with the journal's name.
    last: Vec<(&'a str, &'a Operation)>,
    /// By purchase id.
    deductions: BTreeMap<Uuid, Vec<&'a LedgerEntry>>,
    /// The number of redeems of each reward.
    redeemed: BTreeMap<Uuid, usize>,
}

impl<'a> Evidence<'a> {
    fn of(case: &'a Case<'a>) -> Evidence<'a> {
        let mut evidence = Evidence { case, last: Vec::new(), deductions: BTreeMap::new(), redeemed: BTreeMap::new() };
        for journal in case.journals {
            let last: BTreeMap<Uuid, &Operation> =
                journal.operations.iter().map(|operation| (operation.operation_id, operation)).collect();
            evidence.last.extend(last.into_values().map(|operation| (journal.name.as_str(), operation)));
        }
        for entry in case.ledger {
            match (entry.kind, entry.assignment_id) {
                (LedgerKind::Deduct, _) => evidence.deductions.entry(entry.purchase_id).or_default().push(entry),
                (LedgerKind::Redeem, Some(assignment)) => *evidence.redeemed.entry(assignment).or_default() += 1,
                _ => {}
            }
        }
        evidence
    }

    fn purchases(&self) -> impl Iterator<Item = (&'a str, &'a Operation)> {
        self.last.iter().copied().filter(|(_, operation)| operation.kind == Kind::Purchase)
    }

    fn redeems(&self) -> impl Iterator<Item = (&'a str, &'a Operation, Uuid)> {
        self.last.iter().filter_map(|&(till, operation)| {
            (operation.kind == Kind::Redeem).then_some(())?;
            Some((till, operation, operation.assignment_id?))
        })
    }

    fn by_purchase(&self) -> BTreeMap<Uuid, (&'a str, &'a Operation)> {
        self.purchases().map(|(till, operation)| (operation.purchase(), (till, operation))).collect()
    }

    /// Returns the purchase requests with their purchase ids.
    fn attempts(&self) -> impl Iterator<Item = (Uuid, &'a RequestEntry)> {
        let requests = self.case.attempts.map_or(&[][..], |attempts| attempts.requests);
        requests.iter().filter_map(|request| Some((request.purchase_id?, request)))
    }

    fn is_deducted(&self, operation: &Operation) -> bool {
        self.deductions.contains_key(&operation.purchase())
    }
}

impl Operation {
    fn purchase(&self) -> Uuid {
        self.purchase_id.unwrap_or(self.operation_id)
    }

    /// Returns the operation's id, with its reference if it has one.
    fn named(&self) -> String {
        match &self.reference {
            Some(reference) => format!("{} ({reference})", self.operation_id),
            None => self.operation_id.to_string(),
        }
    }
}

/// Prefixes a violation with the till's name, if the till has one.
fn on(till: &str, why: &str) -> String {
    if till.is_empty() { why.to_owned() } else { format!("{till}: {why}") }
}

fn deducted_once(evidence: &Evidence<'_>) -> Vec<String> {
    let twice = evidence.deductions.iter().filter(|(_, entries)| entries.len() > 1);
    twice.map(|(id, entries)| format!("purchase {id} was deducted {} times", entries.len())).collect()
}

fn one_purchase_a_sale(evidence: &Evidence<'_>) -> Vec<String> {
    let mut sales: BTreeMap<_, BTreeSet<Uuid>> = BTreeMap::new();
    for (till, operation) in evidence.purchases() {
        // A declined purchase is no purchase: the sale may be tried again with a fresh id.
        if operation.outcome != Outcome::Declined
            && let Some(reference) = &operation.reference
        {
            let sale = (till, reference, operation.contact_id, operation.item_id);
            sales.entry(sale).or_default().insert(operation.purchase());
        }
    }
    let split = sales.into_iter().filter(|(_, ids)| ids.len() > 1);
    split
        .map(|((till, reference, ..), ids)| {
            let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
            on(till, &format!("the sale {reference} became {} purchases: {}", ids.len(), ids.join(", ")))
        })
        .collect()
}

fn own_purchase(evidence: &Evidence<'_>) -> Vec<String> {
    let mut meant: BTreeMap<Uuid, (Option<Uuid>, Option<Uuid>)> = BTreeMap::new();
    let mut violations = Vec::new();
    for (till, operation) in evidence.purchases() {
        let id = operation.purchase();
        let sale = (operation.contact_id, operation.item_id);
        if *meant.entry(id).or_insert(sale) != sale {
            violations.push(on(till, &format!("purchase {id} is also used for another member or item")));
        }
        for entry in evidence.deductions.get(&id).into_iter().flatten() {
            if operation.contact_id.is_some_and(|contact| contact != entry.contact_id) {
                violations
                    .push(on(till, &format!("purchase {id} was deducted from another member, {}", entry.contact_id)));
            }
            if operation.item_id.is_some_and(|item| item != entry.item_id) {
                violations.push(on(till, &format!("purchase {id} was deducted for another item, {}", entry.item_id)));
            }
        }
    }
    violations
}

fn deduction_is_known(evidence: &Evidence<'_>) -> Vec<String> {
    let known: BTreeSet<Uuid> = evidence.purchases().map(|(_, operation)| operation.purchase()).collect();
    let unknown = evidence.deductions.iter().filter(|(id, _)| !evidence.case.partial && !known.contains(*id));
    unknown
        .filter_map(|(id, entries)| {
            let entry = entries.first()?;
            Some(format!(
                "purchase {id} deducted {} points from member {}, and no journal holds it",
                entry.points, entry.contact_id
            ))
        })
        .collect()
}

fn completed_is_deducted(evidence: &Evidence<'_>) -> Vec<String> {
    let completed = evidence.purchases().filter(|(_, operation)| operation.outcome == Outcome::Completed);
    completed
        .filter(|(_, operation)| !evidence.is_deducted(operation))
        .map(|(till, operation)| on(till, &format!("{} is completed, and nothing was deducted", operation.named())))
        .collect()
}

fn declined_is_not_deducted(evidence: &Evidence<'_>) -> Vec<String> {
    evidence
        .purchases()
        .filter(|(_, operation)| evidence.is_deducted(operation))
        .filter_map(|(till, operation)| {
            let outcome = match operation.outcome {
                Outcome::Declined => "declined",
                Outcome::NotSent => "not sent",
                Outcome::Completed | Outcome::Pending => return None,
            };
            Some(on(till, &format!("{} is {outcome}, and the points were deducted", operation.named())))
        })
        .collect()
}

/// An operation that was not sent may be sent by a later press. Completed and declined are final.
fn outcome_stays(evidence: &Evidence<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for journal in evidence.case.journals {
        let mut last: BTreeMap<Uuid, Outcome> = BTreeMap::new();
        for operation in &journal.operations {
            let before = last.insert(operation.operation_id, operation.outcome);
            if let Some(before @ (Outcome::Completed | Outcome::Declined)) = before
                && before != operation.outcome
            {
                let why = format!("{} was {before:?} and became {:?}", operation.named(), operation.outcome);
                violations.push(on(&journal.name, &why.to_lowercase()));
            }
        }
    }
    violations
}

fn redeemed_once(evidence: &Evidence<'_>) -> Vec<String> {
    let mut violations: Vec<String> = Vec::new();
    let mut claimed: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut open: BTreeSet<Uuid> = BTreeSet::new();
    for (till, operation, reward) in evidence.redeems() {
        match operation.outcome {
            Outcome::Completed if evidence.redeemed.contains_key(&reward) => *claimed.entry(reward).or_default() += 1,
            Outcome::Completed => {
                violations.push(on(
                    till,
                    &format!("{} is completed, and reward {reward} was not redeemed", operation.named()),
                ));
            }
            Outcome::Pending => {
                open.insert(reward);
            }
            Outcome::Declined | Outcome::NotSent => {}
        }
    }
    for (reward, times) in evidence.redeemed.iter().filter(|(_, times)| **times > 1) {
        violations.push(format!("reward {reward} was redeemed {times} times"));
    }
    for (reward, tills) in claimed.iter().filter(|(_, tills)| **tills > 1) {
        violations.push(format!("{tills} operations report that they redeemed reward {reward}"));
    }
    for reward in evidence.redeemed.keys() {
        if !evidence.case.partial && !claimed.contains_key(reward) && !open.contains(reward) {
            violations.push(format!("reward {reward} was redeemed, and no till reports it"));
        }
    }
    violations
}

fn acknowledged_is_known(evidence: &Evidence<'_>) -> Vec<String> {
    let early = evidence.last.iter().filter(|(_, operation)| {
        operation.acknowledged_at_ms.is_some() && operation.outcome == Outcome::Pending && !operation.needs_review
    });
    early
        .map(|(till, operation)| on(till, &format!("{} is pending and already acknowledged", operation.named())))
        .collect()
}

/// An operation that needs manual review may stay pending.
fn nothing_open(evidence: &Evidence<'_>) -> Vec<String> {
    let open = evidence.last.iter().filter(|(_, operation)| {
        evidence.case.resolved && operation.outcome == Outcome::Pending && !operation.needs_review
    });
    open.map(|(till, operation)| on(till, &format!("{} is still pending", operation.named()))).collect()
}

fn attempt_is_recorded(evidence: &Evidence<'_>) -> Vec<String> {
    let known = evidence.by_purchase();
    let mut violations = BTreeSet::new();
    for (id, request) in evidence.attempts() {
        match known.get(&id) {
            None if evidence.case.partial => {}
            None => {
                violations.insert(format!("purchase {id} was sent, and no journal holds it"));
            }
            Some((till, operation)) if operation.contact_id != request.contact_id => {
                violations.insert(on(till, &format!("purchase {id} was sent for another member")));
            }
            Some(_) => {}
        }
    }
    violations.into_iter().collect()
}

/// A till may repeat a purchase once at once after a connection that was reset, and again after a
/// response or after the in-flight window of the last request. So there are at most two requests
/// without a response for the record, for each window since then, and for each response. A request
/// arrives after it was sent, however late, so that a slow machine breaks no rule.
fn in_flight_window(evidence: &Evidence<'_>) -> Vec<String> {
    let Some(Attempts { in_flight_window, .. }) = evidence.case.attempts else { return Vec::new() };
    let window = i64::try_from(in_flight_window.as_millis()).unwrap_or(i64::MAX).max(1);
    let known = evidence.by_purchase();
    let mut sent: BTreeMap<Uuid, SentRequests> = BTreeMap::new();
    let mut violations = Vec::new();
    for (id, request) in evidence.attempts() {
        let time = request.time.millis();
        let recorded_at = known.get(&id).and_then(|(_, operation)| operation.recorded_at_ms);
        let counts =
            sent.entry(id).or_insert(SentRequests { since: recorded_at.unwrap_or(time), ..Default::default() });
        if request.status.is_some() {
            counts.with_response += 1;
            continue;
        }
        counts.without_response += 1;
        let elapsed = time - counts.since;
        let allowed = 2 * (1 + counts.with_response + elapsed / window);
        if counts.without_response > allowed {
            violations.push(format!(
                "purchase {id} was sent {} times without a response within {elapsed} ms, and {allowed} times are \
                 allowed, in request {}",
                counts.without_response, request.seq
            ));
        }
    }
    violations
}

/// The requests of a purchase so far.
#[derive(Default)]
struct SentRequests {
    /// The time of the record, else of the first request.
    since: i64,
    with_response: i64,
    without_response: i64,
}
