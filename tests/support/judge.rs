//! Judges a campaign: what Engage deducted, what the journals hold and what the callers were told must be one story.
//! A violation is a sentence that names the purchase; the rules are the design's invariants 1 to 7.
//! What can be told from journals and ledger alone, the sandbox's own judge tells (`engage-sandbox judge`).

use crate::till::Told;
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
    /// An operation object of the C API.
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

    /// Every purchase a journal holds, acknowledged or not, read from the file itself. Nothing if there is none, or an empty one.
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

    fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "declined" | "notSent")
    }
}

/// What there is to judge.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub ledger: &'a [LedgerEntry],
    pub requests: &'a [RequestEntry],
    /// Of each till or group of tills on one journal: its records, and what all of them told, in order.
    pub journals: &'a [Journal],
    /// The tills' quiet time: a tenth more than `requestTimeoutMs`. Unless it was answered, a request is not followed by the next one
    /// of the same purchase within it, counted from its record; of that the journal keeps the first's only.
    pub apart: Duration,
    /// Whether the faults have ended and the journals have been settled since.
    pub settled: bool,
}

/// A journal and the tills that used it.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub records: Vec<Record>,
    pub told: Vec<Told>,
}

impl Journal {
    /// As the POS would export it.
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
            recorded_at_ms: Some(record.recorded_at),
            acknowledged_at_ms: record.acknowledged.then_some(0),
        };
        sandbox::Journal { name: String::new(), operations: self.records.iter().map(operation).collect() }
    }
}

/// What was found when all was well, for the summary.
#[derive(Debug, Default, Clone, Copy)]
pub struct Found {
    pub intents: usize,
    pub deductions: usize,
    pub posts: usize,
}

/// Holds the case against every rule; the first violation, if any.
pub fn judge(case: &Case<'_>) -> Result<Found, String> {
    let deducted = journals_and_ledger_are_one_story(case)?;
    for journal in case.journals {
        callers_were_told_the_truth(journal, &deducted)?;
        every_deduction_was_asked_for(journal, &deducted)?;
    }
    let records = || case.journals.iter().flat_map(|journal| &journal.records);
    let done = records().filter(|record| record.state == "completed").count();
    if case.settled && done != deducted.len() {
        return Err(format!("{} deductions, but {done} intents that are done", deducted.len()));
    }
    let posts = case.requests.iter().filter(|request| request.purchase_id.is_some()).count();
    Ok(Found { intents: records().count(), deductions: deducted.len(), posts })
}

type Deducted<'a> = BTreeMap<Uuid, &'a LedgerEntry>;

/// Asks the sandbox's judge about the journals, the ledger and the requests.
fn journals_and_ledger_are_one_story<'a>(case: &Case<'a>) -> Result<Deducted<'a>, String> {
    let deductions: Vec<LedgerEntry> =
        case.ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct).cloned().collect();
    let exports: Vec<sandbox::Journal> = case.journals.iter().map(Journal::export).collect();
    let verdict = sandbox::judge(&sandbox::Case {
        ledger: &deductions,
        journals: &exports,
        resolved: case.settled,
        partial: false,
        attempts: Some(sandbox::Attempts { requests: case.requests, in_flight_window: case.apart }),
    });
    match verdict.reasons().map(|(rule, why)| format!("{rule}: {why}")).collect::<Vec<_>>() {
        reasons if reasons.is_empty() => {}
        reasons => return Err(format!("{}\n{:#?}", reasons.join("\n"), case.journals)),
    }
    let deducted = case.ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
    Ok(deducted.map(|entry| (entry.purchase_id, entry)).collect())
}

/// Invariants 4, 6 and 7: done is deducted, refused never is, pending is not forgotten; one reference is one purchase.
fn callers_were_told_the_truth(journal: &Journal, deducted: &Deducted<'_>) -> Result<(), String> {
    let records: BTreeMap<Uuid, &Record> = journal.records.iter().map(|record| (record.id, record)).collect();
    let mut named: BTreeMap<String, Uuid> = BTreeMap::new();
    for told in &journal.told {
        let Some(code) = told.code() else { continue };
        if code <= -900 {
            return Err(format!("a fault of the library itself: {told:?}"));
        }
        if told.verb() == "open" && code != 0 {
            return Err(format!("a journal could not be opened: {told:?}"));
        }
        if told.verb() == "ack" && code == 0 {
            let id = told.argument(1).parse::<Uuid>().map_err(|error| error.to_string())?;
            if !records.get(&id).is_some_and(|record| record.acknowledged) {
                return Err(format!("{id} was acknowledged, and that is forgotten"));
            }
        }
        if told.verb() == "unsettled" && code == 0 {
            for operation in told.json("operations").as_array().into_iter().flatten() {
                let shown = Record::of_operation(operation);
                let held = records.get(&shown.id);
                if !held.is_some_and(|record| {
                    !shown.is_settled() || shown.state == record.state || shown.state == "notSent"
                }) {
                    return Err(format!("shown as {shown:?} and now it is {held:?}"));
                }
            }
        }
        let Some(press) = Press::of(told) else { continue };
        let Some(id) = guid(told.json("operationId")) else {
            if outcome(code) == Outcome::Completed {
                return Err(format!("done without an operationId: {told:?}"));
            }
            continue;
        };
        let is_there = deducted.contains_key(&id);
        let Some(record) = records.get(&id) else {
            return Err(format!("the journal has forgotten {id}, of which a caller was told {code}"));
        };
        if (record.contact, record.item) != (press.contact, press.item) && code > -100 {
            return Err(format!("told of {id}, which is somebody else's purchase: {told:?}, {record:?}"));
        }
        match outcome(code) {
            Outcome::Completed if !is_there => return Err(format!("told done and not deducted: {id}")),
            Outcome::Declined if is_there => return Err(format!("told refused ({code}) and deducted: {id}")),
            _ => {}
        }
        let contradicts = (-199..=-100).contains(&code);
        if let Some(name) = press.name()
            && !contradicts
            && *named.entry(name).or_insert(id) != id
        {
            return Err(format!("one reference and two purchases, the second is {id}: {told:?}"));
        }
    }
    Ok(())
}

/// What a press asked for.
struct Press<'a> {
    contact: Uuid,
    item: Uuid,
    reference: Option<&'a str>,
    id: Option<Uuid>,
}

impl<'a> Press<'a> {
    fn of(told: &'a Told) -> Option<Press<'a>> {
        let third = told.argument(3);
        let (reference, id) = match told.verb() {
            "purchase" => ((!third.is_empty()).then_some(third), None),
            "named" => (None, third.parse().ok()),
            _ => return None,
        };
        Some(Press { contact: told.argument(1).parse().ok()?, item: told.argument(2).parse().ok()?, reference, id })
    }

    fn name(&self) -> Option<String> {
        self.reference.map(|reference| format!("{} {} {reference}", self.contact, self.item))
    }

    /// Whether it may have meant this intent.
    fn means(&self, record: &Record) -> bool {
        (self.contact, self.item) == (record.contact, record.item)
            && self.reference == record.reference.as_deref()
            && self.id.is_none_or(|id| id == record.id)
    }
}

/// Invariant 4 from the other side: what was deducted has a press that was told done or pending, or that was not answered.
/// So a press that was told "not sent" was not bought after all, unless it was pressed again. Presses without a name count:
/// there are at least as many of them as deductions.
fn every_deduction_was_asked_for(journal: &Journal, deducted: &Deducted<'_>) -> Result<(), String> {
    let mut nameless: BTreeMap<(Uuid, Uuid), (usize, Vec<Uuid>)> = BTreeMap::new();
    let mut told_of: BTreeSet<Uuid> = BTreeSet::new();
    let presses: Vec<(Press<'_>, &Told)> =
        journal.told.iter().filter_map(|told| Press::of(told).map(|press| (press, told))).collect();
    for (press, told) in &presses {
        match (told.code(), guid(told.json("operationId"))) {
            (Some(code), Some(id)) if matches!(outcome(code), Outcome::Completed | Outcome::Pending) => {
                told_of.insert(id);
            }
            (None, _) if press.reference.is_none() && press.id.is_none() => {
                nameless.entry((press.contact, press.item)).or_default().0 += 1;
            }
            // Pending before the journal answered: like not answered.
            (Some(code), None) if outcome(code) == Outcome::Pending => {
                nameless.entry((press.contact, press.item)).or_default().0 += 1;
            }
            _ => {}
        }
    }
    for record in journal.records.iter().filter(|record| deducted.contains_key(&record.id)) {
        if told_of.contains(&record.id) {
            continue;
        }
        let unanswered = |told: &Told| {
            told.code().is_none_or(|code| told.json("operationId").is_null() && outcome(code) == Outcome::Pending)
        };
        let candidates: Vec<&Press<'_>> = presses
            .iter()
            .filter(|(press, told)| press.means(record) && unanswered(told))
            .map(|(press, _)| press)
            .collect();
        if candidates.is_empty() {
            let answers: Vec<_> =
                presses.iter().filter(|(press, _)| press.means(record)).map(|(_, told)| told.code()).collect();
            return Err(format!("deducted, and every press for it was told otherwise ({answers:?}): {record:?}"));
        }
        // One that named it, by reference or id, made it; else one of the nameless did, and each of those makes one at most.
        if candidates.iter().all(|press| press.reference.is_none() && press.id.is_none()) {
            let (count, ids) = nameless.entry((record.contact, record.item)).or_default();
            ids.push(record.id);
            if ids.len() > *count {
                let answers: Vec<_> = presses
                    .iter()
                    .filter(|(press, _)| press.means(record))
                    .map(|(_, told)| (told.code(), told.json("operationId").as_str(), told.json("message").as_str()))
                    .collect();
                return Err(format!(
                    "{count} presses were not answered and {} are deducted: {ids:?}; of {answers:#?}",
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
