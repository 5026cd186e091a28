//! Opens the journal's files, brings them to this version, and checks that they are whole. A file
//! of another program or of a newer version is not changed.

use super::checksums;
use super::connection::{connect, into_wal, keep_wal, open_immutable, plan_once};
use super::failure::{failed, unsealed};
use super::files::{Files, LOCK_WAIT, Shared};
use super::migrate::{migrate, newer};
use super::paths::{self, Held, beside};
use super::read_only;
use super::recover;
use super::schema;
use super::seal::{self, Finding, Loss, Seal};
use super::state::State;
use crate::config::JournalRole;
use crate::core::code::Code;
use crate::core::error::{Error, Result, chain};
use crate::core::intent::Durability;
use crate::os::read_at;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What an open needs to know of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub path: PathBuf,
    pub seal_path: PathBuf,
    pub tenant: String,
    pub role: JournalRole,
    pub accepts_loss: bool,
}

/// What an open did beside opening, for the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Records of an older version that got this configuration's tenant.
    pub adopted: u64,
    /// A loss was accepted.
    pub accepted: bool,
    /// A copy became live.
    pub taken_over: bool,
}

/// An open journal.
pub(super) struct Opened {
    /// None: a copy that is only read.
    pub writer: Option<Writer>,
    pub reader: Connection,
    pub files: Option<Shared>,
    pub incomplete_before: Option<u64>,
    pub report: Report,
}

/// The one connection that writes: of two, each would read again from the file what the other has
/// changed.
pub(super) struct Writer {
    pub connection: Connection,
    durability: Durability,
    /// Whether this client has begun its generation.
    pub has_generation: bool,
}

impl Writer {
    pub fn in_memory(tenant: &str) -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(|error| failed(&error))?;
        plan_once(&connection)?;
        migrate(&mut connection, tenant)?;
        Ok(Self::new(connection))
    }

    fn new(connection: Connection) -> Self {
        Self { connection, durability: Durability::Synced, has_generation: false }
    }

    /// Takes a fresh connection to the same journal.
    pub fn reconnect(&mut self, path: &Path) -> Result<()> {
        self.connection = into_wal(connect(path)?, path)?;
        self.durability = Durability::Synced;
        Ok(())
    }

    /// Whether its transaction stays open because the index of the log is cut.
    pub fn is_unusable(&self, files: &Files) -> bool {
        !self.connection.is_autocommit() && files.is_index_cut()
    }

    /// From now on a commit promises this.
    pub fn promise(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            // Never prepared in advance: preparing it already changes the setting.
            let pragma = match durability {
                Durability::Synced => "PRAGMA synchronous = FULL",
                Durability::Buffered => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute_batch(pragma).map_err(|error| failed(&error))?;
            self.durability = durability;
        }
        Ok(())
    }
}

/// Opens the journal. A file that another program holds without sharing it is waited for. SQLite
/// would report it as missing permission, or read only.
pub(super) fn open(settings: &Settings) -> Result<Opened> {
    // Before anything opens them.
    for file in [&settings.path, &settings.seal_path] {
        paths::check_name(file)?;
    }
    let until = Instant::now() + LOCK_WAIT;
    let mut was_free = false;
    loop {
        let held = || Held::first(&settings.path, &settings.seal_path);
        let held = match held() {
            Some(held) => held,
            None => match open_free(settings) {
                Err(error) if cfg!(windows) && is_sign_of_held(error.code()) => match held() {
                    Some(held) => held,
                    // It may have been given back between the failure and this question.
                    None if !was_free && Instant::now() < until => {
                        was_free = true;
                        continue;
                    }
                    None => return Err(error),
                },
                opened => return opened,
            },
        };
        if Instant::now() >= until {
            return Err(held.into_error());
        }
        std::thread::park_timeout(HELD_PAUSE);
    }
}

/// How often a file that another program holds is tried.
const HELD_PAUSE: Duration = Duration::from_millis(20);

/// Whether a failure to open may come from a file that another program holds.
fn is_sign_of_held(code: Code) -> bool {
    matches!(code, Code::JournalCannotOpen | Code::JournalReadOnly | Code::JournalLocked | Code::Journal)
}

/// Opens the journal, and moves one aside that SQLite cannot read if the configuration accepts the
/// loss.
fn open_free(settings: &Settings) -> Result<Opened> {
    match settings.role {
        JournalRole::Copy => return open_copy(settings),
        JournalRole::Inspect => return open_to_read(settings),
        JournalRole::Live | JournalRole::TakeOver => {}
    }
    // An earlier open may have built a new journal and ended before it was in its place.
    let is_restored = recover::finish(&settings.path, &settings.seal_path)?;
    match open_files(settings, is_restored) {
        Err(error) if settings.accepts_loss && error.code() == Code::JournalDamaged => {
            recover::rebuild(&settings.path, &settings.seal_path, &settings.tenant)?;
            let is_restored = recover::finish(&settings.path, &settings.seal_path)?;
            open_files(settings, is_restored)
        }
        opened => opened,
    }
}

/// `is_restored`: the journal was built from one that SQLite could not read.
fn open_files(settings: &Settings, is_restored: bool) -> Result<Opened> {
    let path = &settings.path;
    if settings.role == JournalRole::TakeOver && !paths::exists(path)? {
        return Err(nothing_to_take_over(path));
    }
    let files = Shared::open(path, &settings.seal_path)?;
    let mut opening = files.opening()?;
    let is_first = *opening.users == 0;
    let mut report = Report { accepted: is_restored, ..Report::default() };
    let connection = match is_first {
        true => open_first(settings, &files, is_restored, &mut report)?,
        false => into_wal(connect(path)?, path)?,
    };
    let reader = connect(path)?;
    keep_wal(&reader, true)?;
    let mut incomplete_before = None;
    // Both have opened the write-ahead log now.
    for connection in [&connection, &reader] {
        if let Some(state) = read_state(connection)? {
            incomplete_before = state.incomplete_before;
        }
    }
    files.hold()?;
    if is_first {
        let _turn = files.writing()?;
        // Only for the speed of the first purchase.
        let _ = super::begin_wal(&connection, &files);
    }
    files.join(&mut opening);
    drop(opening);
    Ok(Opened { writer: Some(Writer::new(connection)), reader, files: Some(files), incomplete_before, report })
}

/// Opens the journal as the first of this process: brings it to this version, and proves that it is
/// whole or repairs it.
fn open_first(settings: &Settings, files: &Shared, is_restored: bool, report: &mut Report) -> Result<Connection> {
    let path = &settings.path;
    // Other processes may have it open: nothing is written while the files are compared.
    let _turn = files.writing()?;
    let is_new = check_header(files)?;
    if is_new && settings.role == JournalRole::TakeOver {
        return Err(nothing_to_take_over(path));
    }
    // Read by itself before any connection has locks that its close would drop.
    let in_file = if is_new { None } else { state_in_file(path) };
    let sealed = files.existing_seal()?;
    let has_wal = std::fs::metadata(beside(path, "-wal")).is_ok_and(|about| about.len() != 0);
    report.taken_over = in_file.as_ref().is_some_and(|state| state.is_copy || is_unsealed(state, has_wal, sealed));
    if report.taken_over && settings.role != JournalRole::TakeOver {
        return Err(is_copy(path));
    }
    if is_new && let Some(seal) = sealed.filter(|seal| seal.written > 0) {
        if !settings.accepts_loss {
            return Err(lost(path, &missing(&seal), 0));
        }
        report.accepted = true;
    }
    let mut connection = connect(path)?;
    report.adopted = migrate(&mut connection, &settings.tenant)?;
    let connection = into_wal(connection, path)?;
    let seal_file = files.seal()?;
    // A new journal has no history that the old seal could know.
    let sealed = if is_new || report.adopted > 0 { None } else { sealed };
    let mut state = read_state(&connection)?;
    if report.taken_over {
        // The copy has no seal. Its original may have recorded more, so that records may be
        // missing.
        state = Some(recover::take_over(&connection)?);
    } else {
        let finding = find(&connection, state.as_ref(), in_file.as_ref(), has_wal, sealed)?;
        let loss = judge(&connection, &finding)?.err();
        let readable = finding.records - finding.damaged;
        match loss {
            Some(loss) if !settings.accepts_loss => return Err(lost(path, &loss, readable)),
            None if !report.accepted || is_restored => {}
            _ => {
                state = Some(recover::repair(&connection, sealed)?);
                report.accepted = true;
            }
        }
    }
    let state = state.ok_or_else(|| Error::of(Code::JournalDamaged))?;
    let begins = sealed.is_none() || *report != Report::default();
    if begins || sealed.map(|seal| seal.written) != Some(state.writes) {
        // After a power cut the seal may name writes that were lost. Another write takes their
        // numbers. What a crash has left need not be durable yet.
        let seal = Seal::of(&state, sealed, begins);
        seal.begin(seal_file).map_err(|error| unsealed(&settings.seal_path, &error))?;
    }
    Ok(connection)
}

/// Returns the loss of a journal that its seal knows and that is not there.
fn missing(seal: &Seal) -> Loss {
    Loss {
        damaged: false,
        says: format!(
            "the journal is missing or empty, and {} records had been written to it until {}",
            seal.records,
            super::time_text::long(seal.at)
        ),
    }
}

pub(super) fn read_state(connection: &Connection) -> Result<Option<State>> {
    State::read(connection).map_err(|error| failed(&error))
}

/// Opens a copy for reading only. Nothing is written beside it.
fn open_copy(settings: &Settings) -> Result<Opened> {
    let path = &settings.path;
    paths::check(path, &settings.seal_path)?;
    let has_seal = std::fs::symlink_metadata(&settings.seal_path).is_ok();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = match std::fs::symlink_metadata(beside(path, "-wal")) {
        Ok(_) => Connection::open_with_flags(path, flags),
        // SQLite would make a write-ahead log.
        Err(_) => open_immutable(path),
    };
    let reader = reader.map_err(|error| failed(&error))?;
    match State::read(&reader) {
        Ok(Some(state)) if state.is_copy || !has_seal && state.closed => Ok(Opened {
            writer: None,
            reader,
            files: None,
            incomplete_before: state.incomplete_before,
            report: Report::default(),
        }),
        Ok(Some(_)) => Err(Error::new(
            Code::BadConfig,
            "config_json: journalRole is \"copy\", and the journal is live; leave journalRole out",
        )),
        Ok(None) => Err(Error::of(Code::JournalDamaged)),
        Err(error) => Err(failed(&error)),
    }
}

/// Opens any journal for reading only, also beside its owner.
fn open_to_read(settings: &Settings) -> Result<Opened> {
    let (reader, state) = read_only::connect(&settings.path, &settings.seal_path)?;
    let incomplete_before = state.and_then(|state| state.incomplete_before);
    Ok(Opened { writer: None, reader, files: None, incomplete_before, report: Report::default() })
}

/// Whether a journal was closed, and only its database file was copied or moved. Nothing shows
/// which.
fn is_unsealed(state: &State, has_wal: bool, seal: Option<Seal>) -> bool {
    state.closed && !has_wal && seal.is_none()
}

/// Returns the error of a backup that has no content: an empty journal would know no sale.
fn nothing_to_take_over(path: &Path) -> Error {
    Error::new(
        Code::JournalCannotOpen,
        format!(
            "the journal {} is missing or empty, so that there is nothing to take over: a backup that was interrupted looks like this. Use another backup. To begin a new journal, leave journalRole out",
            path.display()
        ),
    )
}

fn is_copy(path: &Path) -> Error {
    Error::new(
        Code::JournalCopy,
        format!(
            "the journal {} is a copy, or was moved without its seal (-seal). Move the seal too if there is one. To read it, set \"journalRole\" to \"copy\". To go on selling with it in place \
             of a lost journal, set \"journalRole\" to \"takeOver\"; the original must never be used again",
            path.display()
        ),
    )
}

/// Returns the error of a journal that is not whole.
fn lost(path: &Path, loss: &Loss, readable: u64) -> Error {
    let code = if loss.damaged { Code::JournalDamaged } else { Code::JournalIncomplete };
    Error::new(
        code,
        format!(
            "the journal {} is not whole: {}. {readable} records can be read. Nothing was changed. Keep its files \
             (also -wal and -seal), and put the missing or newer file back if there is one. Else set \
             \"journalRecovery\" to \"accept\": the client opens with the records that can be read, and looks for \
             each earlier sale in Engage's history before it buys again",
            path.display(),
            loss.says
        ),
    )
}

pub(super) fn find<'a>(
    connection: &Connection,
    state: Option<&'a State>,
    in_file: Option<&State>,
    has_wal: bool,
    seal: Option<Seal>,
) -> Result<Finding<'a>> {
    let records = checksums::verify(connection).map_err(|error| failed(&error))?;
    Ok(Finding {
        state,
        records: records.count,
        sum: records.sum,
        damaged: records.damaged.len() as u64,
        in_file: in_file.map(|state| state.writes),
        has_wal,
        seal,
    })
}

/// Judges the records, and the indexes by which they are found.
pub(super) fn judge(connection: &Connection, finding: &Finding<'_>) -> Result<std::result::Result<(), Loss>> {
    if let Err(loss) = seal::judge(finding) {
        return Ok(Err(loss));
    }
    // A trigger could change a record as it is written.
    let foreign: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')", (), |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if foreign > 0 {
        return Ok(Err(Loss { damaged: true, says: "another program has added triggers or views to it".to_owned() }));
    }
    let check: String =
        connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0)).map_err(|error| failed(&error))?;
    Ok(match check.as_str() {
        "ok" => Ok(()),
        _ => Err(Loss { damaged: true, says: "its indexes are damaged".to_owned() }),
    })
}

/// Checks the content again after somebody else has changed the database file. Returns whether it
/// is whole.
pub(super) fn is_whole(path: &Path, seal_file: &std::fs::File) -> Result<bool> {
    let connection = connect(path)?;
    keep_wal(&connection, true)?;
    let state = read_state(&connection)?;
    let seal = Seal::read(seal_file).map_err(|error| unsealed(path, &error))?;
    let finding = find(&connection, state.as_ref(), None, true, seal)?;
    Ok(judge(&connection, &finding)?.is_ok())
}

/// Returns the state that the database file has without its write-ahead log. None if that cannot be
/// read: the file may be in the middle of a checkpoint, or of an older version.
fn state_in_file(path: &Path) -> Option<State> {
    State::read(&open_immutable(path).ok()?).ok().flatten()
}

/// Checks the first bytes without SQLite, so that a foreign file is not even locked. Returns
/// whether the journal is new.
fn check_header(files: &Shared) -> Result<bool> {
    let path = &files.path;
    let unreadable = |error: &std::io::Error| {
        Error::new(Code::JournalCannotOpen, format!("the journal {} cannot be read", path.display()))
            .with_cause(chain(error))
    };
    let length = files.db.metadata().map_err(|error| unreadable(&error))?.len();
    let mut head = vec![0; usize::try_from(length.min(100)).unwrap_or(100)];
    read_at(&files.db, &mut head, 0).map_err(|error| unreadable(&error))?;
    // Made, and the power went before its first transaction was whole: as good as new, or SQLite
    // rolls it back to that.
    if head.is_empty() || head.iter().all(|byte| *byte == 0) && beside(path, "-journal").exists() {
        return Ok(true);
    }
    let number = |at: usize| head.get(at..)?.first_chunk().map(|four| i32::from_be_bytes(*four));
    let (Some(version), Some(application)) = (number(60), number(68)) else {
        return Err(foreign(files));
    };
    // A journal whose first bytes were overwritten looks like any program's file.
    if !head.starts_with(b"SQLite format 3\0") || application != schema::APPLICATION_ID {
        return Err(foreign(files));
    }
    if version > schema::VERSION {
        return Err(newer(version));
    }
    Ok(false)
}

/// A file that has a seal beside it was a journal.
fn foreign(files: &Shared) -> Error {
    let path = files.path.display();
    match files.existing_seal() {
        Ok(Some(seal)) if seal.written > 0 => Error::new(
            Code::JournalDamaged,
            format!(
                "the first bytes of the journal {path} are not a journal's any more; it was left untouched. Restore \
                 it, or set \"journalRecovery\" to \"accept\": the file is moved aside and a new journal is made"
            ),
        ),
        _ => Error::new(
            Code::JournalForeign,
            format!(
                "{path} is not a journal of this library and was left untouched; name another file as journalPath, or restore the journal"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::config::DbConfig;

    #[test]
    fn journal_in_memory_plans_its_queries_once() {
        let writer = Writer::in_memory("a").unwrap();
        assert!(writer.connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
    }

    /// Windows cuts no file that is mapped into memory.
    #[cfg(unix)]
    #[test]
    fn only_a_transaction_on_a_cut_index_is_given_up() {
        let place = crate::journal::tests::Place::new();
        let journal = place.open();
        let files = journal.content.files.as_ref().unwrap();
        let writer = Writer::in_memory("a").unwrap();
        let is_unusable = |sql: &str| {
            writer.connection.execute_batch(sql).unwrap();
            writer.is_unusable(files)
        };
        assert!(!is_unusable("") && !is_unusable("BEGIN"));
        place.set_index(0);
        assert!(is_unusable("") && !is_unusable("COMMIT"));
    }
}
