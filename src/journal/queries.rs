//! Lists of the journal for people and programs, and small facts about the journal itself.

use super::Journal;
use super::failure::failed;
use super::rows::{ROWID, find, integer, readable, record, select, unsigned, write};
use crate::core::code::Outcome;
use crate::core::domain::Millis;
use crate::core::error::Result;
use crate::core::id::OperationId;
use crate::core::intent::{Durability, Intent};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

/// What `eps_list_operations` lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Recorded at this time or later.
    pub since: Option<Millis>,
    /// Recorded before this time.
    pub until: Option<Millis>,
    pub outcome: Option<Outcome>,
    pub acknowledged: Option<bool>,
    pub reference: Option<String>,
    pub limit: usize,
    /// The end of the page before.
    pub after: Option<Place>,
}

/// The place of a record in the order of recording: its row, and its id. The id finds the place
/// after a compaction too, and the row finds it once the record is deleted.
pub(crate) type Place = (u64, OperationId);

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub intents: Vec<Intent>,
    /// The end of the page. None: nothing is behind it.
    pub next: Option<Place>,
}

impl Journal {
    /// Lists the operations that a filter lets through, in the order in which they were recorded:
    /// that of the rows, which SQLite numbers upwards and keeps in order when it copies them.
    pub fn list(&self, filter: &Filter) -> Result<Page> {
        let mut sql = select!("WHERE 1").to_owned();
        let mut values: Vec<Value> = Vec::new();
        let mut push = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(" AND ");
            sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
        };
        let time = |time: Millis| Value::Integer(integer(time));
        if let Some(since) = filter.since {
            push("recorded_at >= ?", time(since));
        }
        if let Some(until) = filter.until {
            push("recorded_at < ?", time(until));
        }
        if let Some(reference) = &filter.reference {
            push("reference = ?", Value::Text(reference.clone()));
        }
        if let Some((row, id)) = filter.after {
            // A new record may have got the row of a deleted one.
            let deleted = integer(row.saturating_sub(1));
            push(
                &format!("rowid > coalesce((SELECT rowid FROM operation WHERE id = ?), {deleted})"),
                Value::Blob(id.uuid().into_bytes().into()),
            );
        }
        sql.push_str(match filter.acknowledged {
            None => "",
            Some(true) => " AND acknowledged_at IS NOT NULL",
            Some(false) => " AND acknowledged_at IS NULL",
        });
        sql.push_str(match filter.outcome {
            None => "",
            Some(Outcome::Completed) => " AND state = 'completed'",
            Some(Outcome::Declined) => " AND state = 'declined'",
            Some(Outcome::NotSent) => " AND state = 'notSent'",
            Some(Outcome::Pending) => " AND state IN ('recorded', 'inDoubt')",
        });
        sql.push_str(" ORDER BY rowid LIMIT ");
        sql.push_str(&filter.limit.to_string());
        let limit = filter.limit;
        self.read(move |connection| {
            page(connection, &sql, rusqlite::params_from_iter(values.iter()), limit).map_err(|error| failed(&error))
        })
    }

    /// Replaces all operations of a reference in one transaction. `change` gives each operation as
    /// it is to be stored, or None where it stays; its error stops everything.
    pub fn change_reference(
        &self,
        reference: &str,
        change: impl Fn(&Intent) -> Result<Option<Intent>>,
    ) -> Result<Vec<Intent>> {
        let sql = select!("WHERE reference = ?1 ORDER BY rowid");
        loop {
            let name = reference.to_owned();
            let mut intents = self.read(move |connection| readable(connection, sql, (name,)))?;
            let mut changed = Vec::new();
            for intent in &mut intents {
                if let Some(next) = change(intent)? {
                    changed.push(next.clone());
                    *intent = next;
                }
            }
            let stored = self.write_within_wait(Durability::Synced, move |connection, state| {
                for intent in &changed {
                    // Another writer was first: all is read again, and nothing is written here.
                    if find(connection, intent.id())?.is_none_or(|stored| stored.revision + 1 != intent.revision) {
                        return Ok(false);
                    }
                }
                for intent in &changed {
                    write(connection, intent, state)?;
                }
                Ok(true)
            })?;
            if stored {
                return Ok(intents);
            }
        }
    }

    /// Returns a fact about the journal itself.
    pub fn fact(&self, name: &'static str) -> Result<Option<String>> {
        self.read_within(self.own_wait(), move |connection| {
            connection
                .query_row("SELECT value FROM fact WHERE name = ?1", (name,), |row| row.get(0))
                .optional()
                .map_err(|error| failed(&error))
        })
    }

    /// Stores a fact about the journal itself.
    pub fn set_fact(&self, name: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO fact (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.content.write_with(Durability::Buffered, |connection, _| {
            connection.execute(sql, (name, value)).map(drop).map_err(|error| failed(&error))
        })
    }
}

/// Reads a page. A damaged record is left out, and does not end the list.
fn page(connection: &Connection, sql: &str, values: impl rusqlite::Params, limit: usize) -> rusqlite::Result<Page> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(values)?;
    let (mut intents, mut count, mut end) = (Vec::new(), 0, None);
    while let Some(row) = found.next()? {
        count += 1;
        end = Some((unsigned(row, ROWID)?, OperationId::from_uuid(row.get(0).unwrap_or_default())));
        intents.extend(record(row)?.ok());
    }
    Ok(Page { intents, next: end.filter(|_| count == limit) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::code::Code;
    use crate::core::domain::{Operation, Purchase};
    use crate::core::error::Error;
    use crate::core::id::{ContactId, ItemId};
    use crate::core::intent::IntentState;
    use crate::journal::tests::{open_at, purchase};
    use std::cell::Cell;

    fn open(folder: &tempfile::TempDir) -> Journal {
        open_at(&folder.path().join("points.db"), "").unwrap()
    }

    /// Records an operation of a sale number, with a clock that goes backwards.
    fn record(journal: &Journal, number: u64, acknowledged_at: Option<Millis>) -> OperationId {
        let contact = ContactId::from_uuid(uuid::Uuid::new_v4());
        let item = ItemId::from_uuid(uuid::Uuid::new_v4());
        let operation = Operation::Purchase(Purchase { id: OperationId::fresh(), contact, item });
        let intent =
            Intent { acknowledged_at, ..Intent::new(operation, Some(number.to_string()), 1_000 - number, 2_000) };
        assert!(journal.save(&intent, Durability::Synced).unwrap());
        intent.id()
    }

    /// Returns the sale numbers of a page of two, and its end.
    fn page_after(journal: &Journal, after: Option<Place>) -> (Vec<String>, Option<Place>) {
        let page = journal.list(&Filter { limit: 2, after, ..Filter::default() }).unwrap();
        (page.intents.into_iter().filter_map(|intent| intent.reference).collect(), page.next)
    }

    /// Writes what the journal itself never writes.
    fn change(journal: &Journal, sql: &'static str) {
        let changed = journal.content.write_with(Durability::Synced, |connection, _| {
            connection.execute(sql, ()).map_err(|error| failed(&error))
        });
        assert_ne!(changed.unwrap(), 0);
    }

    #[test]
    fn page_begins_behind_a_record_that_was_moved_or_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        for number in 0..6 {
            record(&journal, number, Some(10 + number));
        }
        let (first, end) = page_after(&journal, None);
        assert_eq!(first, ["0", "1"]);
        // SQLite may number the rows anew as it compacts the file.
        change(&journal, "UPDATE operation SET rowid = rowid + 100");
        let (second, end) = page_after(&journal, end);
        assert_eq!(second, ["2", "3"]);
        assert_eq!(journal.prune(14, 0, 20).unwrap(), 4);
        let (third, end) = page_after(&journal, end);
        assert_eq!(third, ["4", "5"]);
        // A new record may get the row of the last one, which is deleted.
        assert_eq!(journal.prune(16, 0, 20).unwrap(), 2);
        record(&journal, 6, None);
        change(&journal, "UPDATE operation SET rowid = 106");
        assert_eq!(page_after(&journal, end), (vec!["6".to_owned()], None));
    }

    #[test]
    fn damaged_record_does_not_end_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        for number in 0..4 {
            record(&journal, number, None);
        }
        change(&journal, "UPDATE operation SET attempts = 9 WHERE reference IN ('0', '1')");
        let (first, end) = page_after(&journal, None);
        assert_eq!((first.len(), page_after(&journal, end).0), (0, vec!["2".to_owned(), "3".to_owned()]));
        // As the list that has no pages.
        assert_eq!(journal.unacknowledged().unwrap().len(), 2);
    }

    #[test]
    fn page_behind_a_deleted_record_repeats_none_of_the_page_before() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        record(&journal, 1, None);
        record(&journal, 2, Some(10));
        let (first, end) = page_after(&journal, None);
        assert_eq!((first, journal.prune(20, 0, 30).unwrap()), (vec!["1".to_owned(), "2".to_owned()], 1));
        // It gets the row of the deleted one.
        record(&journal, 3, None);
        assert_eq!(page_after(&journal, end).0, ["3"]);
    }

    #[test]
    fn filter_lets_through_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        let states = [
            IntentState::Recorded,
            IntentState::InDoubt,
            IntentState::Completed,
            IntentState::Declined,
            IntentState::NotSent,
        ];
        for (at, state) in (0_u64..).zip(states) {
            let reference = Some(format!("R-{}", at / 2));
            let acknowledged_at = (at >= 3).then_some(10);
            let intent = Intent { state, reference, acknowledged_at, recorded_at: 100 * at, ..purchase() };
            assert!(journal.save(&intent, Durability::Synced).unwrap());
        }
        let all = || Filter { limit: 9, ..Filter::default() };
        for (filter, times) in [
            (all(), vec![0, 100, 200, 300, 400]),
            (Filter { outcome: Some(Outcome::Pending), ..all() }, vec![0, 100]),
            (Filter { outcome: Some(Outcome::Completed), ..all() }, vec![200]),
            (Filter { outcome: Some(Outcome::Declined), ..all() }, vec![300]),
            (Filter { outcome: Some(Outcome::NotSent), ..all() }, vec![400]),
            (Filter { acknowledged: Some(true), ..all() }, vec![300, 400]),
            (Filter { acknowledged: Some(false), ..all() }, vec![0, 100, 200]),
            (Filter { since: Some(100), until: Some(300), ..all() }, vec![100, 200]),
            (Filter { reference: Some("R-1".to_owned()), ..all() }, vec![200, 300]),
            (Filter { reference: Some("R-1".to_owned()), acknowledged: Some(true), ..all() }, vec![300]),
            (Filter { reference: Some("R'1".to_owned()), ..all() }, vec![]),
        ] {
            let page = journal.list(&filter).unwrap();
            let found: Vec<_> = page.intents.iter().map(|intent| intent.recorded_at).collect();
            assert_eq!((found, page.next), (times, None), "{filter:?}");
        }
    }

    fn acknowledged(intent: &Intent) -> Intent {
        Intent { acknowledged_at: Some(77), revision: intent.revision + 1, ..intent.clone() }
    }

    #[test]
    fn reference_is_changed_as_one_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        for number in [1, 1, 2, 1] {
            record(&journal, number, None);
        }
        let stamps = || {
            let page = journal.list(&Filter { limit: 9, ..Filter::default() }).unwrap();
            page.intents.iter().map(|intent| intent.acknowledged_at).collect::<Vec<_>>()
        };
        let calls = Cell::new(0);
        let fails_at_the_third = |intent: &Intent| {
            calls.set(calls.get() + 1);
            if calls.get() == 3 { Err(Error::of(Code::Offline)) } else { Ok(Some(acknowledged(intent))) }
        };
        assert_eq!(journal.change_reference("1", fails_at_the_third).unwrap_err().code(), Code::Offline);
        assert_eq!(stamps(), [None; 4]);
        let calls = Cell::new(0);
        let all_but_the_second = |intent: &Intent| {
            calls.set(calls.get() + 1);
            Ok((calls.get() != 2).then(|| acknowledged(intent)))
        };
        let changed = journal.change_reference("1", all_but_the_second).unwrap();
        let returned: Vec<_> = changed.iter().map(|intent| (intent.acknowledged_at, intent.revision)).collect();
        assert_eq!(returned, [(Some(77), 2), (None, 1), (Some(77), 2)]);
        assert_eq!(stamps(), [Some(77), None, None, Some(77)]);
        assert_eq!(journal.change_reference("3", |_| unreachable!()).unwrap(), []);
    }

    #[test]
    fn change_is_made_again_where_another_writer_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        let (changed, kept) = (record(&journal, 1, None), record(&journal, 1, Some(5)));
        let is_first = Cell::new(true);
        let change = |intent: &Intent| {
            if is_first.replace(false) {
                let other = Intent { query_count: 4, revision: intent.revision + 1, ..intent.clone() };
                assert!(journal.save(&other, Durability::Synced).unwrap());
            }
            Ok(Some(acknowledged(intent)))
        };
        let both = journal.change_reference("1", change).unwrap();
        assert_eq!((both[0].query_count, both[0].revision, both[1].revision), (4, 3, 2));
        assert_eq!(journal.get(changed).unwrap().as_ref(), Some(&both[0]));
        // The other writer has deleted one of them.
        let before_deletion = Cell::new(true);
        let change = |intent: &Intent| {
            if before_deletion.replace(false) {
                let other = Intent { acknowledged_at: Some(6), revision: intent.revision + 1, ..intent.clone() };
                assert!(journal.save(&other, Durability::Synced).unwrap());
                assert_eq!(journal.prune(7, 0, 8).unwrap(), 1);
            }
            Ok(Some(acknowledged(intent)))
        };
        let left = journal.change_reference("1", change).unwrap();
        assert_eq!(left.iter().map(Intent::id).collect::<Vec<_>>(), [kept]);
        assert_eq!(journal.get(changed).unwrap(), None);
    }

    #[test]
    fn fact_is_kept_until_it_is_set_anew() {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder);
        assert_eq!(journal.fact("origin").unwrap(), None);
        for value in ["https://a.voyado.com", "https://b.voyado.com"] {
            journal.set_fact("origin", value).unwrap();
            journal.set_fact("other", "1").unwrap();
            assert_eq!(journal.fact("origin").unwrap().as_deref(), Some(value));
        }
        journal.close();
        assert_eq!(open(&folder).fact("origin").unwrap().as_deref(), Some("https://b.voyado.com"));
    }
}
