//! Lists of the journal for people and programs, and small facts about the journal itself.

use super::Journal;
use super::failure::failed;
use super::rows::{find, integer, readable, select, write};
use crate::core::code::Outcome;
use crate::core::domain::Millis;
use crate::core::error::Result;
use crate::core::id::OperationId;
use crate::core::intent::{Durability, Intent};
use rusqlite::OptionalExtension;
use rusqlite::types::Value;

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
    /// The last operation of the list before: when it was recorded, and its id.
    pub after: Option<(Millis, OperationId)>,
}

impl Journal {
    /// Lists the operations that a filter lets through, oldest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Intent>> {
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
        if let Some((recorded_at, id)) = filter.after {
            push("recorded_at >= ?", time(recorded_at));
            // SQLite compares blobs byte by byte, as `ORDER BY id` does.
            push(
                &format!("(recorded_at > {} OR id > ?)", integer(recorded_at)),
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
        sql.push_str(" ORDER BY recorded_at, id LIMIT ");
        sql.push_str(&filter.limit.to_string());
        self.read(move |connection| readable(connection, &sql, rusqlite::params_from_iter(values.iter())))
    }

    /// Replaces all operations of a reference in one transaction. `change` gives each operation as
    /// it is to be stored, or None where it stays; its error stops everything.
    pub fn change_reference(
        &self,
        reference: &str,
        change: impl Fn(&Intent) -> Result<Option<Intent>>,
    ) -> Result<Vec<Intent>> {
        let sql = select!("WHERE reference = ?1 ORDER BY recorded_at, id");
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
