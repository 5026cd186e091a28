//! Holds Engage's view of a member against the journal's. No I/O.

use crate::fields::{first, guids, shown, text};
use serde_json::{Value, json};
use uuid::Uuid;

/// How the two views of one purchase or reward stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Both agree.
    Same,
    /// Another till has made it, or this journal has lost it.
    OtherTill,
    /// Pending here, and Engage knows the outcome: `eps resolve` brings it.
    Resolvable,
    /// Pending here, and Engage does not show an outcome.
    Open,
    /// Pending here for another contact id, and Engage knows the outcome: the member was merged.
    Merged,
    /// The two contradict each other.
    Differs,
}

impl Mark {
    pub fn name(self) -> &'static str {
        match self {
            Mark::Same => "same",
            Mark::OtherTill => "other till",
            Mark::Resolvable => "resolvable",
            Mark::Open => "open",
            Mark::Merged => "merged",
            Mark::Differs => "DIFFERS",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub id: String,
    pub engage: String,
    pub journal: String,
    pub mark: Mark,
}

impl Line {
    pub fn to_json(&self) -> Value {
        json!({ "id": self.id, "engage": self.engage, "journal": self.journal, "mark": self.mark.name() })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Completed,
    Processing,
    Failed,
    Unknown,
}

fn status(row: &Value, mapping: &Value) -> Status {
    let word = first(row, &mapping["statusField"]).map(shown).unwrap_or_default();
    let is = |key: &str| {
        mapping[key].as_array().into_iter().flatten().filter_map(Value::as_str).any(|it| it.eq_ignore_ascii_case(&word))
    };
    match () {
        () if is("statusCompleted") => Status::Completed,
        () if is("statusFailed") => Status::Failed,
        () if is("statusProcessing") => Status::Processing,
        () => Status::Unknown,
    }
}

fn mark_purchase(outcome: &str, status: Option<Status>) -> Mark {
    match (outcome, status) {
        ("completed", Some(Status::Completed))
        | ("pending", Some(Status::Processing))
        | ("declined" | "notSent", Some(Status::Failed) | None) => Mark::Same,
        ("pending", Some(Status::Completed | Status::Failed)) => Mark::Resolvable,
        ("pending", Some(Status::Unknown) | None) => Mark::Open,
        _ => Mark::Differs,
    }
}

fn id_of(operation: &Value, key: &str) -> Option<Uuid> {
    Uuid::try_parse(operation[key].as_str()?).ok()
}

/// Whether an operation is of a member, or names none, as a redeem may.
pub fn is_of_member(operation: &Value, contact: &str) -> bool {
    operation["contactId"].is_null() || operation["contactId"] == contact
}

/// Holds a member's history against the purchases of the journal. A purchase for another contact
/// id is the member's too where the history has it: the member was merged.
pub fn purchases(contact: &str, rows: &[Value], operations: &[Value], mapping: &Value) -> Vec<Line> {
    let names = &mapping["purchaseIdFields"];
    let mut lines = Vec::new();
    for operation in operations.iter().filter(|operation| operation["kind"] == "purchase") {
        let Some(id) = id_of(operation, "purchaseId") else { continue };
        let row = rows.iter().find(|row| guids(row, names).contains(&id));
        let is_of_member = is_of_member(operation, contact);
        if row.is_none() && !is_of_member {
            continue;
        }
        let outcome = text(operation, "outcome");
        lines.push(Line {
            id: id.to_string(),
            engage: row.map_or_else(|| "-".into(), |row| word_of(row, mapping)),
            journal: outcome.to_owned(),
            mark: match mark_purchase(outcome, row.map(|row| status(row, mapping))) {
                Mark::Resolvable if !is_of_member => Mark::Merged,
                mark => mark,
            },
        });
    }
    let known: Vec<Uuid> = operations.iter().filter_map(|operation| id_of(operation, "purchaseId")).collect();
    for row in rows {
        let ids = guids(row, names);
        if !ids.iter().any(|id| known.contains(id)) {
            let id = ids.first().map_or_else(|| "-".to_owned(), Uuid::to_string);
            lines.push(Line { id, engage: word_of(row, mapping), journal: "-".into(), mark: Mark::OtherTill });
        }
    }
    lines
}

fn word_of(row: &Value, mapping: &Value) -> String {
    first(row, &mapping["statusField"]).map_or_else(|| "(no status)".into(), shown)
}

/// Holds a member's rewards against the redeems of the journal.
pub fn rewards(rows: &[Value], operations: &[Value], mapping: &Value) -> Vec<Line> {
    let names = &mapping["rewardIdFields"];
    let redeem_of = |id: Uuid| {
        let redeems = operations.iter().filter(|it| it["kind"] == "redeem" && id_of(it, "assignmentId") == Some(id));
        // The one that used it, else the last one.
        redeems.max_by_key(|it| (it["outcome"] == "completed", it["recordedAtMs"].as_u64()))
    };
    let mut lines = Vec::new();
    for row in rows {
        let Some(id) = guids(row, names).first().copied() else { continue };
        let is_redeemed = first(row, &mapping["redeemedFields"]).is_some_and(|value| *value == true)
            || first(row, &mapping["redeemedOnFields"]).is_some_and(Value::is_string);
        let redeem = redeem_of(id);
        let outcome = redeem.map(|redeem| text(redeem, "outcome"));
        let mark = match (outcome, is_redeemed) {
            (Some("completed"), false) => Mark::Differs,
            (Some("completed"), true) | (None | Some("declined" | "notSent"), false) => Mark::Same,
            (Some("pending"), true) => Mark::Resolvable,
            (Some("pending"), false) => Mark::Open,
            _ => Mark::OtherTill,
        };
        lines.push(Line {
            id: id.to_string(),
            engage: if is_redeemed { "redeemed" } else { "usable" }.into(),
            journal: outcome.map_or_else(|| "-".into(), |outcome| format!("redeem {outcome}")),
            mark,
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Value {
        json!({
            "purchaseIdFields": ["pointShopItemPurchaseId", "id"], "statusField": "status",
            "statusCompleted": ["Completed"], "statusProcessing": ["Processing"], "statusFailed": ["Failed"],
            "rewardIdFields": ["id"], "redeemedFields": ["redeemed"], "redeemedOnFields": ["redeemedOn"],
        })
    }

    const ID: &str = "d0000000-0000-4000-8000-000000000001";

    #[test]
    fn each_pair_of_outcome_and_status_has_its_mark() {
        let cases = [
            ("completed", Some("Completed"), Mark::Same),
            ("completed", Some("failed"), Mark::Differs),
            ("completed", Some("Processing"), Mark::Differs),
            ("completed", None, Mark::Differs),
            ("pending", Some("Completed"), Mark::Resolvable),
            ("pending", Some("Failed"), Mark::Resolvable),
            ("pending", Some("Processing"), Mark::Same),
            ("pending", Some("Odd"), Mark::Open),
            ("pending", None, Mark::Open),
            ("declined", None, Mark::Same),
            ("declined", Some("Failed"), Mark::Same),
            ("declined", Some("Completed"), Mark::Differs),
            ("notSent", Some("Completed"), Mark::Differs),
        ];
        for (outcome, status, mark) in cases {
            let operation = json!({ "kind": "purchase", "purchaseId": ID, "outcome": outcome });
            let rows: Vec<Value> =
                status.map(|status| json!({ "id": ID.to_uppercase(), "Status": status })).into_iter().collect();
            let lines = purchases("c", &rows, &[operation], &mapping());
            assert_eq!((lines.len(), lines[0].mark), (1, mark), "{outcome} {status:?}");
        }
    }

    #[test]
    fn purchase_of_a_merged_member_is_found_by_its_id() {
        let rows = [json!({ "id": ID, "status": "Completed" })];
        let of = |contact: &str, outcome: &str| json!({ "kind": "purchase", "purchaseId": ID, "outcome": outcome, "contactId": contact });
        let marks = |rows: &[Value], operation: Value| -> Vec<Mark> {
            purchases("new", rows, &[operation], &mapping()).iter().map(|line| line.mark).collect()
        };
        assert_eq!(marks(&rows, of("old", "pending")), [Mark::Merged]);
        assert_eq!(marks(&rows, of("new", "pending")), [Mark::Resolvable]);
        assert_eq!(marks(&rows, of("old", "completed")), [Mark::Same]);
        assert_eq!(marks(&[], of("old", "pending")), [], "another member's purchase is not shown");
    }

    #[test]
    fn purchase_of_another_till_is_marked() {
        let lines = purchases("c", &[json!({ "id": ID, "status": 2 })], &[], &mapping());
        assert_eq!((lines[0].mark, lines[0].engage.as_str()), (Mark::OtherTill, "2"));
    }

    #[test]
    fn reward_is_held_against_its_redeem() {
        let redeem = |outcome| json!({ "kind": "redeem", "assignmentId": ID, "outcome": outcome });
        let cases = [
            (vec![redeem("completed")], true, Mark::Same),
            (vec![redeem("completed")], false, Mark::Differs),
            (vec![redeem("completed"), redeem("declined")], true, Mark::Same),
            (vec![redeem("pending")], true, Mark::Resolvable),
            (vec![redeem("pending")], false, Mark::Open),
            (vec![redeem("declined")], true, Mark::OtherTill),
            (vec![], true, Mark::OtherTill),
            (vec![], false, Mark::Same),
        ];
        for (operations, redeemed, mark) in cases {
            let lines = rewards(&[json!({ "id": ID, "redeemed": redeemed })], &operations, &mapping());
            assert_eq!(lines[0].mark, mark, "{operations:?} {redeemed}");
        }
    }
}
