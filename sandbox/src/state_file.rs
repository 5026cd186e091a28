//! The state file, in SQLite: for every store a snapshot of its start, and every event since.
//! One thread writes and commits several events together. No response is sent before its events are
//! on the disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Clock, Time};
use crate::ledger::{Channel, Item, Member};
use crate::seed::{Seed, from_json};
use crate::store::{Settings, Snapshot};
use crate::world::MemberDeparture;

/// "epsS", the mark of a state file.
const APPLICATION_ID: i32 = 0x6570_7353;
/// The version of the format. Increase it when an older file cannot be read any more.
const VERSION: i32 = 2;

const TABLES: &str = "
    CREATE TABLE store (key TEXT PRIMARY KEY, seed TEXT NOT NULL, snapshot TEXT NOT NULL) STRICT;
    CREATE TABLE event (seq INTEGER PRIMARY KEY, key TEXT NOT NULL, event TEXT NOT NULL) STRICT;
    CREATE INDEX event_by_key ON event (key, seq);
";

/// A change of a store. A snapshot and its events, applied in order, give the store's present
/// state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Event {
    Purchase { at: Time, contact_id: Uuid, purchase_id: Uuid, item_id: Uuid },
    Redeem { at: Time, assignment_id: Uuid, channel: Channel },
    RedeemElsewhere { at: Time, assignment_id: Uuid },
    Member(Member),
    Departure { at: Time, departure: MemberDeparture },
    Item(Item),
    Clock { at: Time, clock: Clock },
    Settings(Settings),
}

/// A write to the file.
#[derive(Debug)]
pub(crate) enum Write {
    /// Replaces the store's snapshot and removes its events.
    Store {
        key: String,
        seed: Seed,
        snapshot: Snapshot,
    },
    Event {
        key: String,
        event: Event,
    },
    Removed {
        key: String,
    },
}

/// A store in the file.
#[derive(Debug)]
pub(crate) struct StoredState {
    pub key: String,
    pub seed: Seed,
    pub snapshot: Snapshot,
    pub events: Vec<Event>,
}

/// Writes the state file. Dropping it writes the queue to its end.
#[derive(Debug)]
pub(crate) struct StateFile {
    queue: Mutex<Queue>,
    progress: watch::Receiver<Progress>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Queue {
    sender: Option<Sender<Write>>,
    sent: u64,
}

/// The number of completed writes, or the reason why no more follow.
#[derive(Clone, Debug, Default)]
struct Progress {
    written: u64,
    failed: Option<String>,
}

impl StateFile {
    /// Opens or creates the file, and reads its stores, the oldest first.
    pub fn open(path: &Path) -> Result<(StateFile, Vec<StoredState>), String> {
        let connection = connect(path).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                "is in use by another sandbox. Stop that sandbox, or use another file".to_owned()
            }
            Some(rusqlite::ErrorCode::NotADatabase) => "is not a state file. Use another file".to_owned(),
            _ => error.to_string(),
        })?;
        let mark = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        match (mark("application_id"), mark("user_version")) {
            (Ok(APPLICATION_ID), Ok(VERSION)) => {}
            (Ok(APPLICATION_ID), Ok(other)) => {
                return Err(format!("has format {other}, and this sandbox reads format {VERSION}"));
            }
            (Ok(0), Ok(0))
                if connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)) == Ok(0) =>
            {
                let make = format!(
                    "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
                );
                connection.execute_batch(&make).map_err(|error| error.to_string())?;
            }
            _ => return Err("is not a state file. Use another file".to_owned()),
        }
        let stored = read(&connection)?;

        let (sender, receiver) = channel();
        let (report, progress) = watch::channel(Progress::default());
        let writer = thread::Builder::new()
            .name("engage-sandbox-state_file".to_owned())
            .spawn(move || write_all(connection, &receiver, &report))
            .map_err(|error| error.to_string())?;
        let queue = Mutex::new(Queue { sender: Some(sender), sent: 0 });
        Ok((StateFile { queue, progress, writer: Some(writer) }, stored))
    }

    /// Queues a write and returns at once.
    pub fn write(&self, write: Write) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.sent += 1;
        if let Some(sender) = &queue.sender {
            // After a failure the writer's thread has ended, and `Progress` has the reason.
            let _ = sender.send(write);
        }
    }

    /// Waits until every queued write is on the disk. Returns the reason if a write failed.
    pub async fn written(&self) -> Result<(), String> {
        let sent = self.queue.lock().unwrap_or_else(PoisonError::into_inner).sent;
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| progress.failed.is_some() || progress.written >= sent).await;
        match reached.map(|progress| progress.failed.clone()) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(why),
            Err(_) => Err("the thread that writes the state file has ended".to_owned()),
        }
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        self.queue.get_mut().unwrap_or_else(PoisonError::into_inner).sender = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // This statement takes the lock at once, not at the first write.
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT;")?;
    Ok(connection)
}

fn read(connection: &Connection) -> Result<Vec<StoredState>, String> {
    let sql = |error: rusqlite::Error| error.to_string();
    let mut stores = connection.prepare("SELECT key, seed, snapshot FROM store ORDER BY rowid").map_err(sql)?;
    let mut events = connection.prepare("SELECT event FROM event WHERE key = ?1 ORDER BY seq").map_err(sql)?;
    let rows = stores
        .query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .map_err(sql)?;
    let mut states = Vec::new();
    for row in rows {
        let (key, seed, snapshot) = row.map_err(sql)?;
        let bad = |what: &str, error| format!("has an invalid {what}: {error}");
        let rows = events.query_map([&key], |row| row.get::<_, String>(0)).map_err(sql)?;
        let events = rows.map(|event| from_json(event.map_err(sql)?.as_bytes()).map_err(|error| bad("record", error)));
        states.push(StoredState {
            seed: from_json(seed.as_bytes()).map_err(|error| bad("seed", error))?,
            snapshot: from_json(snapshot.as_bytes()).map_err(|error| bad("snapshot", error))?,
            events: events.collect::<Result<_, _>>()?,
            key,
        });
    }
    Ok(states)
}

/// Commits the queued writes, up to 1000 in one transaction, until every sender is dropped.
fn write_all(mut connection: Connection, queue: &Receiver<Write>, report: &watch::Sender<Progress>) {
    while let Ok(first) = queue.recv() {
        let batch: Vec<Write> = std::iter::once(first).chain(queue.try_iter().take(1000)).collect();
        match commit(&mut connection, &batch) {
            Ok(()) => report.send_modify(|progress| progress.written += batch.len() as u64),
            Err(error) => {
                report.send_modify(|progress| progress.failed = Some(error.to_string()));
                return;
            }
        }
    }
}

fn commit(connection: &mut Connection, batch: &[Write]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for write in batch {
        match write {
            Write::Event { key, event } => {
                let mut insert = transaction.prepare_cached("INSERT INTO event (key, event) VALUES (?1, ?2)")?;
                insert.execute(params![key, json(event)?])?;
            }
            Write::Store { key, seed, snapshot } => {
                transaction.execute("DELETE FROM event WHERE key = ?1", [key])?;
                transaction.execute(
                    "INSERT INTO store (key, seed, snapshot) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET seed = excluded.seed, snapshot = excluded.snapshot",
                    params![key, json(seed)?, json(snapshot)?],
                )?;
            }
            Write::Removed { key } => {
                transaction.execute("DELETE FROM event WHERE key = ?1", [key])?;
                transaction.execute("DELETE FROM store WHERE key = ?1", [key])?;
            }
        }
    }
    transaction.commit()
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
