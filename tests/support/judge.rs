//! Judges a campaign: the ledger, the journals and the returned outcomes must agree. A violation is
//! a sentence that names the purchase. The rules are the design's invariants 1 to 7. The sandbox's
//! own judge (`engage-sandbox judge`) checks the rules that need only journals and ledger.

use crate::till::TillCall;
use engage_point_shop::Outcome;
use engage_point_shop::code::outcome;
use engage_sandbox::{LedgerEntry, LedgerKind, RequestEntry, judge as sandbox};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// One purchase of a journal.
#[derive(Debug, Clone)]
pub struct Record {
    pub id: Uuid,
    pub contact: Uuid,
    pub item: Uuid,
    pub reference: Option<String>,
    pub state: String,
    pub needs_review: bool,
    /// In ms since 1970.
    pub recorded_at: i64,
    pub acknowledged: bool,
}

impl Record {
    /// Reads an operation object of the C API.
    pub fn of_operation(operation: &Value) -> Record {
        let guid = |key: &str| guid(&operation[key]).unwrap_or_else(|| panic!("no {key} in {operation}"));
        Record {
            id: guid("operationId"),
            contact: guid("contactId"),
            item: guid("itemId"),
            reference: operation["reference"].as_str().map(str::to_owned),
            state: operation["state"].as_str().unwrap_or_default().to_owned(),
            needs_review: operation["needsReview"] == true,
            recorded_at: operation["recordedAtMs"].as_i64().unwrap_or_default(),
            acknowledged: operation["acknowledgedAtMs"].is_number(),
        }
    }

    /// Reads every purchase of a journal from the file itself, acknowledged or not. Returns none
    /// for a missing or empty file.
    pub fn read_journal(path: &Path) -> Vec<Record> {
        if !path.exists() {
            return Vec::new();
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        let check: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "the journal {} is damaged", path.display());
        if !connection.table_exists(None, "operation").unwrap() {
            return Vec::new();
        }
        let mut statement = connection
            .prepare(
                "SELECT id, contact, item, reference, state, code, acknowledged_at, recorded_at FROM operation
                      WHERE kind = 'purchase' ORDER BY recorded_at, id",
            )
            .unwrap();
        let records = statement.query_map((), |row| {
            Ok(Record {
                id: row.get(0)?,
                contact: row.get(1)?,
                item: row.get(2)?,
                reference: row.get(3)?,
                state: row.get(4)?,
                needs_review: row.get::<_, i32>(5)? == engage_point_shop::Code::PendingNeedsReview.number(),
                acknowledged: row.get::<_, Option<i64>>(6)?.is_some(),
                recorded_at: row.get(7)?,
            })
        });
        records.unwrap().map(Result::unwrap).collect()
    }

    fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "declined" | "notSent")
    }
}

/// The evidence to judge.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub ledger: &'a [LedgerEntry],
    pub requests: &'a [RequestEntry],
    /// Each till or group of tills on one journal: its records, and all calls in order.
    pub journals: &'a [Journal],
    /// The tills' in-flight window: a tenth more than `requestTimeoutMs`. A request without a
    /// response is not followed by the next one of the same purchase within the window. The window
    /// counts from the record. The journal keeps only the first record's time.
    pub in_flight_window: Duration,
    /// Whether the faults have ended and the journals have been resolved since.
    pub resolved: bool,
}

/// A journal and the tills that used it.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub records: Vec<Record>,
    pub calls: Vec<TillCall>,
}

impl Journal {
    /// Returns the journal as the POS would export it.
    fn export(&self) -> sandbox::Journal {
        let operation = |record: &Record| sandbox::Operation {
            operation_id: record.id,
            kind: sandbox::Kind::Purchase,
            outcome: match record.state.as_str() {
                "completed" => sandbox::Outcome::Completed,
                "declined" => sandbox::Outcome::Declined,
                "notSent" => sandbox::Outcome::NotSent,
                _ => sandbox::Outcome::Pending,
            },
            purchase_id: Some(record.id),
            contact_id: Some(record.contact),
            item_id: Some(record.item),
            assignment_id: None,
            reference: record.reference.clone(),
            needs_review: record.needs_review,
            acknowledged_at_ms: record.acknowledged.then_some(0),
            recorded_at_ms: Some(record.recorded_at),
        };
        sandbox::Journal { name: String::new(), operations: self.records.iter().map(operation).collect() }
    }
}

/// The counts of a campaign without violations.
#[derive(Debug, Default, Clone, Copy)]
pub struct Found {
    pub intents: usize,
    pub deductions: usize,
    pub posts: usize,
}

/// Checks the case against every rule, and returns the first violation.
pub fn judge(case: &Case<'_>) -> Result<Found, String> {
    let deducted = journals_match_the_ledger(case)?;
    for journal in case.journals {
        returned_outcomes_match_the_ledger(journal, &deducted)?;
        every_deduction_has_a_press(journal, &deducted)?;
    }
    let records = || case.journals.iter().flat_map(|journal| &journal.records);
    let completed = records().filter(|record| record.state == "completed").count();
    if case.resolved && completed != deducted.len() {
        return Err(format!("{} deductions, but {completed} completed intents", deducted.len()));
    }
    let posts = case.requests.iter().filter(|request| request.purchase_id.is_some()).count();
    Ok(Found { intents: records().count(), deductions: deducted.len(), posts })
}

type Deducted<'a> = BTreeMap<Uuid, &'a LedgerEntry>;

/// Asks the sandbox's judge about the journals and the ledger: the same judge as in a vendor's CI.
fn journals_match_the_ledger<'a>(case: &Case<'a>) -> Result<Deducted<'a>, String> {
    let deductions: Vec<LedgerEntry> =
        case.ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct).cloned().collect();
    let exports: Vec<sandbox::Journal> = case.journals.iter().map(Journal::export).collect();
    let verdict = sandbox::judge(&sandbox::Case {
        ledger: &deductions,
        journals: &exports,
        resolved: case.resolved,
        partial: false,
        attempts: Some(sandbox::Attempts { requests: case.requests, in_flight_window: case.in_flight_window }),
    });
    match verdict.reasons().map(|(rule, why)| format!("{rule}: {why}")).collect::<Vec<_>>() {
        reasons if reasons.is_empty() => {}
        // The reasons are last: a log that is cut off keeps its end.
        reasons => return Err(format!("{:#?}\n{}", case.journals, reasons.join("\n"))),
    }
    let deducted = case.ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
    Ok(deducted.map(|entry| (entry.purchase_id, entry)).collect())
}

/// Invariants 4, 6 and 7: a completed purchase is deducted, a declined one never is, a pending one
/// is kept. One reference is one purchase.
fn returned_outcomes_match_the_ledger(journal: &Journal, deducted: &Deducted<'_>) -> Result<(), String> {
    let records: BTreeMap<Uuid, &Record> = journal.records.iter().map(|record| (record.id, record)).collect();
    let mut named: BTreeMap<String, Uuid> = BTreeMap::new();
    for call in &journal.calls {
        let Some(code) = call.code() else { continue };
        if code <= -900 {
            return Err(format!("a fault of the library itself: {call:?}"));
        }
        if call.verb() == "open" && code != 0 {
            return Err(format!("the journal could not be opened: {call:?}"));
        }
        if call.verb() == "ack" && code == 0 {
            let id = call.argument(1).parse::<Uuid>().map_err(|error| error.to_string())?;
            if !records.get(&id).is_some_and(|record| record.acknowledged) {
                return Err(format!("{id} was acknowledged"));
            }
        }
        if call.verb() == "list" && code == 0 {
            for operation in call.json("operations").as_array().into_iter().flatten() {
                let shown = Record::of_operation(operation);
                let held = records.get(&shown.id);
                if !held
                    .is_some_and(|record| !shown.is_final() || shown.state == record.state || shown.state == "notSent")
                {
                    return Err(format!("shown as {shown:?} and now it is {held:?}"));
                }
            }
        }
        let Some(press) = Press::of(call) else { continue };
        let Some(id) = guid(call.json("operationId")) else {
            if outcome(code) == Outcome::Completed {
                return Err(format!("completed without an operationId: {call:?}"));
            }
            continue;
        };
        let is_there = deducted.contains_key(&id);
        let Some(record) = records.get(&id) else {
            return Err(format!("the journal has forgotten {id}, for which a call returned {code}"));
        };
        if (record.contact, record.item) != (press.contact, press.item) && code > -100 {
            return Err(format!("the call returned {id}, which is another purchase: {call:?}, {record:?}"));
        }
        match outcome(code) {
            Outcome::Completed if !is_there => return Err(format!("reported as completed and not deducted: {id}")),
            Outcome::Declined if is_there => return Err(format!("reported as declined ({code}) and deducted: {id}")),
            _ => {}
        }
        // A declined purchase is no purchase: its reference may be pressed again with a fresh id.
        let is_no_purchase = (-199..=-100).contains(&code) || outcome(code) == Outcome::Declined;
        if let Some(name) = press.name()
            && !is_no_purchase
            && record.state != "declined"
            && *named.entry(name).or_insert(id) != id
        {
            return Err(format!("one reference and two purchases, the second is {id}: {call:?}"));
        }
    }
    Ok(())
}

/// The arguments of a press.
struct Press<'a> {
    contact: Uuid,
    item: Uuid,
    reference: Option<&'a str>,
    id: Option<Uuid>,
}

impl<'a> Press<'a> {
    fn of(call: &'a TillCall) -> Option<Press<'a>> {
        let third = call.argument(3);
        let (reference, id) = match call.verb() {
            "purchase" => ((!third.is_empty()).then_some(third), None),
            "named" => (None, third.parse().ok()),
            _ => return None,
        };
        Some(Press { contact: call.argument(1).parse().ok()?, item: call.argument(2).parse().ok()?, reference, id })
    }

    fn name(&self) -> Option<String> {
        self.reference.map(|reference| format!("{} {} {reference}", self.contact, self.item))
    }

    /// Returns whether the press may have meant this intent.
    fn means(&self, record: &Record) -> bool {
        (self.contact, self.item) == (record.contact, record.item)
            && self.reference == record.reference.as_deref()
            && self.id.is_none_or(|id| id == record.id)
    }
}

/// Invariant 4 from the other side. A deduction has a press that returned completed or pending, or
/// that did not return. So a press that returned "not sent" was not bought later, unless it was
/// pressed again. Presses without a name are counted: there are at least as many as deductions.
fn every_deduction_has_a_press(journal: &Journal, deducted: &Deducted<'_>) -> Result<(), String> {
    let mut nameless: BTreeMap<(Uuid, Uuid), (usize, Vec<Uuid>)> = BTreeMap::new();
    let mut reported: BTreeSet<Uuid> = BTreeSet::new();
    let presses: Vec<(Press<'_>, &TillCall)> =
        journal.calls.iter().filter_map(|call| Press::of(call).map(|press| (press, call))).collect();
    for (press, call) in &presses {
        match (call.code(), guid(call.json("operationId"))) {
            (Some(code), Some(id)) if matches!(outcome(code), Outcome::Completed | Outcome::Pending) => {
                reported.insert(id);
            }
            (None, _) if press.reference.is_none() && press.id.is_none() => {
                nameless.entry((press.contact, press.item)).or_default().0 += 1;
            }
            // Pending before the journal was ready: the same as a call that did not return.
            (Some(code), None) if outcome(code) == Outcome::Pending => {
                nameless.entry((press.contact, press.item)).or_default().0 += 1;
            }
            _ => {}
        }
    }
    for record in journal.records.iter().filter(|record| deducted.contains_key(&record.id)) {
        if reported.contains(&record.id) {
            continue;
        }
        let without_outcome = |call: &TillCall| {
            call.code().is_none_or(|code| call.json("operationId").is_null() && outcome(code) == Outcome::Pending)
        };
        let candidates: Vec<&Press<'_>> = presses
            .iter()
            .filter(|(press, call)| press.means(record) && without_outcome(call))
            .map(|(press, _)| press)
            .collect();
        if candidates.is_empty() {
            let responses: Vec<_> =
                presses.iter().filter(|(press, _)| press.means(record)).map(|(_, call)| call.code()).collect();
            return Err(format!(
                "deducted, and every press for it returned another outcome ({responses:?}): {record:?}"
            ));
        }
        // A press that named the intent, by reference or id, made it. Otherwise a nameless press
        // did, and each of those makes one at most.
        if candidates.iter().all(|press| press.reference.is_none() && press.id.is_none()) {
            let (count, ids) = nameless.entry((record.contact, record.item)).or_default();
            ids.push(record.id);
            if ids.len() > *count {
                let responses: Vec<_> = presses
                    .iter()
                    .filter(|(press, _)| press.means(record))
                    .map(|(_, call)| (call.code(), call.json("operationId").as_str(), call.json("message").as_str()))
                    .collect();
                return Err(format!(
                    "{count} presses did not return and {} are deducted: {ids:?}; of {responses:#?}",
                    ids.len()
                ));
            }
        }
    }
    Ok(())
}

fn guid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
