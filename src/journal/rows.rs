//! Records as rows of the table `operation`: how one is found, written and read.

use super::failure::failed;
use super::state::{State, hash_value};
use crate::core::code::Code;
use crate::core::domain::{Channel, Operation, Purchase, Redeem};
use crate::core::error::{Detail, Error, Result, chain};
use crate::core::id::{AssignmentId, ContactId, ItemId, OperationId};
use crate::core::intent::{Intent, IntentState, Progress};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use uuid::Uuid;

/// Selects records: their columns in the order of the checksum, the number of the write that wrote
/// them, the checksum and the row's number. What follows is the rest of the statement.
macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code, \
             attempts, recorded_at, in_flight_until, next_query_at, query_count, processing_from, processing_until, \
             earlier_in_doubt, rewards_before, resolved_at, acknowledged_at, response, revision, progress, tenant, \
             written_by, checksum, rowid FROM operation ",
            $rest
        )
    };
}
pub(super) use select;

/// The columns that the checksum covers: all before it.
const CHECKED: usize = 27;
/// The place of the checksum, and that of the row's number.
const CHECKSUM: usize = 27;
pub(super) const ROWID: usize = 28;

/// Returns the checksum of a record as it was read.
pub(super) fn checksum_of(row: &Row<'_>) -> rusqlite::Result<u64> {
    (0..CHECKED).try_fold(0, |sum, at| Ok(hash_value(sum, row.get_ref(at)?)))
}

/// Returns the checksum that a record states. None: it is no number.
pub(super) fn stated_checksum(row: &Row<'_>) -> Option<u64> {
    row.get::<_, i64>(CHECKSUM).ok().map(i64::cast_unsigned)
}

/// Returns a record. A damaged one is an error.
pub(super) fn find(connection: &Connection, id: OperationId) -> Result<Option<Intent>> {
    records(connection, select!("WHERE id = ?1"), (id.uuid(),))?.pop().transpose()
}

/// Returns records that are all needed: a damaged one is an error.
pub(super) fn all(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Intent>> {
    records(connection, sql, values)?.into_iter().collect()
}

/// Returns the records that can be read.
pub(super) fn readable(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Intent>> {
    Ok(records(connection, sql, values)?.into_iter().filter_map(Result::ok).collect())
}

fn records(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Result<Intent>>> {
    let read = || {
        let mut statement = connection.prepare_cached(sql)?;
        let mut found = statement.query(values)?;
        let mut records = Vec::new();
        while let Some(row) = found.next()? {
            records.push(record(row)?);
        }
        Ok(records)
    };
    read().map_err(|error| failed(&error))
}

/// Reads one record. The inner error is of this record alone.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Result<Intent>> {
    if stated_checksum(row) != Some(checksum_of(row)?) {
        return Ok(Err(damaged()));
    }
    Ok(intent(row).map_err(|error| damaged().with_cause(chain(&error))))
}

fn damaged() -> Error {
    Error::new(
        Code::JournalDamaged,
        "a record of the journal is damaged; close the client and open it again, which reports what can be read",
    )
}

const INSERT: &str = "INSERT INTO operation
    (id, kind, contact, item, assignment, channel, reference, state, code, http_status, engage_code,
     attempts, recorded_at, in_flight_until, next_query_at, query_count, processing_from, processing_until, earlier_in_doubt,
     rewards_before, resolved_at, acknowledged_at, response, revision, progress, tenant, written_by, checksum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
            ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
            ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)";

/// What an intent is about never changes. This is for a record that is also found by the same as
/// before: each column that is set, changed or not, is a page more to be written where an index has
/// it.
const UPDATE: &str = "UPDATE operation SET state = ?8, code = ?9, http_status = ?10, engage_code = ?11,
    attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17, processing_until = ?18, earlier_in_doubt = ?19,
    rewards_before = ?20, resolved_at = ?21, response = ?23, revision = ?24, progress = ?25, tenant = ?26, written_by = ?27, checksum = ?28
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1
          AND assignment IS ?5 AND reference IS ?7 AND acknowledged_at IS ?22";

/// For any other: a reward was found, it is acknowledged, or it is started again under another
/// reference.
const UPDATE_ALL: &str = "UPDATE operation SET assignment = ?5, reference = ?7, state = ?8, code = ?9, http_status = ?10,
    engage_code = ?11, attempts = ?12, recorded_at = ?13, in_flight_until = ?14, next_query_at = ?15, query_count = ?16, processing_from = ?17,
    processing_until = ?18, earlier_in_doubt = ?19, rewards_before = ?20, resolved_at = ?21, acknowledged_at = ?22, response = ?23, revision = ?24, progress = ?25, tenant = ?26, written_by = ?27, checksum = ?28
    WHERE id = ?1 AND kind = ?2 AND contact IS ?3 AND item IS ?4 AND channel IS ?6 AND revision = ?24 - 1";

/// Inserts revision 1, or updates the revision before. False when that is not what the journal
/// holds.
pub(super) fn write(connection: &Connection, intent: &Intent, state: &mut State) -> Result<bool> {
    if intent.revision == 1 {
        return insert(connection, intent, state);
    }
    let before = stored_checksum(connection, intent.id())?;
    let (checksum, written) = write_by(&[UPDATE, UPDATE_ALL], connection, intent, state)?;
    if written {
        state.remove(before.unwrap_or_default());
        state.add(checksum);
    }
    Ok(written)
}

/// Inserts a record at any revision. False when it exists.
pub(super) fn insert(connection: &Connection, intent: &Intent, state: &mut State) -> Result<bool> {
    let (checksum, written) = write_by(&[INSERT], connection, intent, state)?;
    if written {
        state.add(checksum);
    }
    Ok(written)
}

/// Whether a row has the form of a record, whatever its checksum says.
pub(super) fn is_readable(connection: &Connection, row: i64) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(select!("WHERE rowid = ?1"))?;
    let mut found = statement.query((row,))?;
    Ok(match found.next()? {
        Some(row) => intent(row).is_ok(),
        None => false,
    })
}

/// Computes the checksums of all records. Returns the state with their number and their sum.
pub(super) fn count_anew(connection: &Connection, state: State) -> rusqlite::Result<State> {
    let mut state = State { records: 0, sum: 0, ..state };
    let mut statement = connection.prepare(select!("NOT INDEXED"))?;
    let mut update = connection.prepare("UPDATE operation SET checksum = ?1 WHERE rowid = ?2")?;
    let mut found = statement.query(())?;
    let mut stated = Vec::new();
    while let Some(row) = found.next()? {
        stated.push((row.get::<_, i64>(ROWID)?, checksum_of(row)?));
    }
    for (row, checksum) in stated {
        update.execute((checksum.cast_signed(), row))?;
        state.add(checksum);
    }
    Ok(state)
}

/// Deletes records, and returns how many.
pub(super) fn delete(connection: &Connection, before: u64, state: &mut State) -> Result<usize> {
    let sql = "DELETE FROM operation WHERE acknowledged_at IS NOT NULL AND acknowledged_at < ?1 RETURNING checksum";
    let run = || -> rusqlite::Result<Vec<i64>> {
        connection.prepare_cached(sql)?.query_map((integer(before),), |row| row.get(0))?.collect()
    };
    let deleted = run().map_err(|error| failed(&error))?;
    for checksum in &deleted {
        state.remove(checksum.cast_unsigned());
    }
    Ok(deleted.len())
}

fn stored_checksum(connection: &Connection, id: OperationId) -> Result<Option<u64>> {
    connection
        .prepare_cached("SELECT checksum FROM operation WHERE id = ?1")
        .and_then(|mut statement| statement.query_row((id.uuid(),), |row| row.get::<_, i64>(0)).optional())
        .map(|checksum| checksum.map(i64::cast_unsigned))
        .map_err(|error| failed(&error))
}

/// Tries statements until one writes a row. Returns the record's checksum, and whether a row was
/// written.
fn write_by(statements: &[&str], connection: &Connection, intent: &Intent, state: &State) -> Result<(u64, bool)> {
    let (item, assignment, channel) = match intent.operation {
        Operation::Purchase(operation) => (Some(operation.item), intent.reward, None),
        Operation::Redeem(operation) => (None, Some(operation.assignment), Some(operation.channel.name())),
    };
    let (id, contact) = (intent.id().uuid(), intent.operation.contact().map(ContactId::uuid));
    let (item, assignment) = (item.map(ItemId::uuid), assignment.map(AssignmentId::uuid));
    let window = intent.processing_window;
    let (from, until) = (window.map(|(from, _)| integer(from)), window.map(|(_, until)| integer(until)));
    let rewards_before = intent.rewards_before.as_deref().map(pack);
    let response = intent.response.as_deref();
    let progress = progress_json(intent);
    let (kind, name, code) = (intent.operation.kind(), intent.state.name(), intent.code.number());
    let (recorded, in_flight, next) =
        (integer(intent.recorded_at), integer(intent.in_flight_until), integer(intent.next_query_at));
    let (resolved, acknowledged) = (intent.resolved_at.map(integer), intent.acknowledged_at.map(integer));
    let (revision, written_by) = (integer(intent.revision), integer(state.writes + 1));
    let values: [&dyn ToSql; CHECKED] = [
        &id,
        &kind,
        &contact,
        &item,
        &assignment,
        &channel,
        &intent.reference,
        &name,
        &code,
        &intent.detail.http_status,
        &intent.detail.engage_code,
        &intent.detail.attempts,
        &recorded,
        &in_flight,
        &next,
        &intent.query_count,
        &from,
        &until,
        &intent.earlier_in_doubt,
        &rewards_before,
        &resolved,
        &acknowledged,
        &response,
        &revision,
        &progress,
        &intent.tenant,
        &written_by,
    ];
    let checksum = values.iter().try_fold(0, |sum, value| Ok(hash_output(sum, &value.to_sql()?)));
    let checksum = checksum.map_err(|error: rusqlite::Error| failed(&error))?;
    let stated = checksum.cast_signed();
    let bound: Vec<&dyn ToSql> = values.into_iter().chain([&stated as &dyn ToSql]).collect();
    for sql in statements {
        let written = connection.prepare_cached(sql).and_then(|mut statement| statement.execute(&*bound));
        if written.map_err(|error| failed(&error))? == 1 {
            return Ok((checksum, true));
        }
    }
    Ok((checksum, false))
}

fn hash_output(sum: u64, value: &ToSqlOutput<'_>) -> u64 {
    match value {
        ToSqlOutput::Borrowed(value) => hash_value(sum, *value),
        ToSqlOutput::Owned(value) => hash_value(sum, value.into()),
        // No column uses the other kinds.
        _ => sum,
    }
}

/// Returns the progress as JSON, with the version that writes it.
fn progress_json(intent: &Intent) -> String {
    let progress = Progress { writer_version: crate::version::VERSION.to_owned(), ..intent.progress.clone() };
    serde_json::to_string(&progress).unwrap_or_default()
}

/// Ids one after the other, 16 bytes each.
fn pack(ids: &[AssignmentId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.uuid().into_bytes()).collect()
}

fn unpack(bytes: &[u8]) -> Vec<AssignmentId> {
    let (ids, _) = bytes.as_chunks::<16>();
    ids.iter().map(|id| AssignmentId::from_uuid(Uuid::from_bytes(*id))).collect()
}

fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let word: String = row.get("state")?;
    let number: i32 = row.get("code")?;
    // A state or a code of a newer version is as unknown to us as the outcome: it is pending
    // (invariant 4).
    let state = IntentState::from_name(&word).unwrap_or(IntentState::InDoubt);
    let code = Code::from_number(number).unwrap_or(Code::Pending);
    let optional = |name: &str| row.get::<_, Option<i64>>(name).map(|time| time.map(natural));
    let assignment = row.get::<_, Option<Uuid>>("assignment")?.map(AssignmentId::from_uuid);
    let id = OperationId::from_uuid(row.get::<_, Uuid>("id")?);
    let (operation, reward) = match (assignment, row.get::<_, Option<String>>("channel")?) {
        (Some(assignment), Some(channel)) => {
            let contact = row.get::<_, Option<Uuid>>("contact")?.map(ContactId::from_uuid);
            let channel = Channel::from_name(&channel).unwrap_or(Channel::Other);
            (Operation::Redeem(Redeem { id, contact, assignment, channel }), None)
        }
        (reward, _) => {
            let contact = ContactId::from_uuid(row.get::<_, Uuid>("contact")?);
            let item = ItemId::from_uuid(row.get::<_, Uuid>("item")?);
            (Operation::Purchase(Purchase { id, contact, item }), reward)
        }
    };
    Ok(Intent {
        operation,
        reference: row.get("reference")?,
        state,
        code,
        detail: Detail {
            http_status: row.get("http_status")?,
            engage_code: row.get("engage_code")?,
            attempts: row.get("attempts")?,
            retry_after_ms: None,
        },
        recorded_at: unsigned(row, "recorded_at")?,
        in_flight_until: unsigned(row, "in_flight_until")?,
        next_query_at: unsigned(row, "next_query_at")?,
        query_count: row.get("query_count")?,
        processing_window: optional("processing_from")?.zip(optional("processing_until")?),
        earlier_in_doubt: row.get("earlier_in_doubt")?,
        rewards_before: row.get::<_, Option<Vec<u8>>>("rewards_before")?.as_deref().map(unpack),
        reward,
        resolved_at: optional("resolved_at")?,
        acknowledged_at: optional("acknowledged_at")?,
        response: row.get("response")?,
        // Written by a newer version in another form, it counts as empty: the outcome is then
        // pending.
        progress: serde_json::from_str(&row.get::<_, String>("progress")?).unwrap_or_default(),
        tenant: row.get("tenant")?,
        revision: unsigned(row, "revision")?,
    })
}

pub(super) fn unsigned(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(natural)
}

/// SQLite's integers are signed; ours are times and counts.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::intent::Rejection;
    use crate::journal::checksums::verify;
    use crate::journal::migrate::migrate;
    use crate::journal::tests::purchase;

    fn journal() -> (Connection, State) {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, "https://a.voyado.com").unwrap();
        let state = State::read(&connection).unwrap().unwrap();
        (connection, state)
    }

    fn execute(connection: &Connection, sql: &str) {
        assert_ne!(connection.execute(sql, ()).unwrap(), 0, "{sql}");
    }

    fn assert_counted(connection: &Connection, state: &State) {
        let records = verify(connection).unwrap();
        assert_eq!((records.count, records.sum, records.damaged), (state.records, state.sum, vec![]));
    }

    fn reward(number: u128) -> AssignmentId {
        AssignmentId::from_uuid(Uuid::from_u128(number))
    }

    /// Returns a purchase and a redeem of which everything is known.
    fn full() -> [Intent; 2] {
        let progress = Progress {
            in_flight_window_ms: 33_000,
            rejection: Some(Rejection { code: 7, http_status: Some(409), engage_code: Some("E".to_owned()) }),
            processing_seen: true,
            cause: vec!["a".to_owned(), "b".to_owned()],
            writer_version: "an earlier one".to_owned(),
            ..Progress::default()
        };
        let sale = Intent {
            reference: Some("R-1".to_owned()),
            state: IntentState::Completed,
            code: Code::Ok,
            detail: Detail {
                http_status: Some(200),
                engage_code: Some("Done".to_owned()),
                attempts: 3,
                retry_after_ms: None,
            },
            recorded_at: 10,
            in_flight_until: 11,
            next_query_at: 12,
            query_count: 13,
            resolved_at: Some(14),
            acknowledged_at: Some(15),
            processing_window: Some((16, 17)),
            earlier_in_doubt: true,
            response: Some("{\"a\":1}".to_owned()),
            progress,
            ..purchase()
        };
        let (id, contact) = (OperationId::fresh(), Some(ContactId::from_uuid(Uuid::from_u128(3))));
        let redeem = Operation::Redeem(Redeem { id, contact, assignment: reward(4), channel: Channel::Ecom });
        [
            Intent { rewards_before: Some(vec![reward(8), reward(9)]), reward: Some(reward(7)), ..sale.clone() },
            Intent { operation: redeem, ..sale },
        ]
    }

    #[test]
    fn record_is_read_as_written_and_names_the_writing_version() {
        let (connection, mut state) = journal();
        let [sale, redeem] = full();
        let unknown = Operation::Redeem(Redeem {
            id: OperationId::fresh(),
            contact: None,
            assignment: reward(4),
            channel: Channel::Pos,
        });
        let listed_none = Intent { rewards_before: Some(vec![]), ..purchase() };
        for intent in [sale, redeem, purchase(), listed_none, Intent::new(unknown, None, 1, 2)] {
            assert!(write(&connection, &intent, &mut state).unwrap());
            let progress = Progress { writer_version: crate::version::VERSION.to_owned(), ..intent.progress.clone() };
            assert_eq!(find(&connection, intent.id()).unwrap(), Some(Intent { progress, ..intent }));
        }
    }

    #[test]
    fn state_counts_the_records_as_each_write_leaves_them() {
        let (connection, mut state) = journal();
        let others = [purchase(), purchase()];
        let first = purchase();
        for intent in others.iter().chain([&first]) {
            assert!(write(&connection, intent, &mut state).unwrap());
            assert_counted(&connection, &state);
        }
        let again = Intent { revision: 2, query_count: 1, ..first.clone() };
        let acknowledged = Intent { revision: 3, acknowledged_at: Some(20), ..again.clone() };
        for (writes, intent) in [(6, &again), (9, &acknowledged)] {
            state.writes = writes;
            assert!(write(&connection, intent, &mut state).unwrap());
            assert_counted(&connection, &state);
            let sql = "SELECT written_by FROM operation WHERE id = ?1";
            let by = connection.query_row(sql, (first.id().uuid(),), |row| row.get::<_, u32>(0)).unwrap();
            assert_eq!(u64::from(by), writes + 1, "the number of the write under way");
        }
        // A writer that has read an older revision, one of a record that is missing, and a second
        // insert.
        let before = state.clone();
        let missing = Intent { revision: 2, ..purchase() };
        for intent in [&again, &acknowledged, &missing] {
            assert!(!write(&connection, intent, &mut state).unwrap());
            assert_eq!(state, before);
        }
        assert!(write(&connection, &first, &mut state).is_err());
        assert_eq!(
            (delete(&connection, 20, &mut state).unwrap(), delete(&connection, 21, &mut state).unwrap()),
            (0, 1)
        );
        assert_counted(&connection, &state);
        assert_eq!(state.records, 2);
    }

    #[test]
    fn damaged_record_is_left_out_of_a_list_or_stops_a_decision() {
        let (connection, mut state) = journal();
        let intents = [purchase(), purchase(), purchase()];
        for intent in &intents {
            write(&connection, intent, &mut state).unwrap();
        }
        let ids = |found: Vec<Intent>| found.iter().map(Intent::id).collect::<Vec<_>>();
        let sql = select!("WHERE 1 ORDER BY rowid");
        assert_eq!(ids(all(&connection, sql, ()).unwrap()), intents.each_ref().map(Intent::id));
        execute(&connection, "UPDATE operation SET attempts = 9 WHERE rowid = 2");
        assert_eq!(ids(readable(&connection, sql, ()).unwrap()), [intents[0].id(), intents[2].id()]);
        assert_eq!(all(&connection, sql, ()).unwrap_err().code(), Code::JournalDamaged);
        assert_eq!(find(&connection, intents[1].id()).unwrap_err().code(), Code::JournalDamaged);
        assert!(find(&connection, intents[2].id()).unwrap().is_some());
        assert_eq!(find(&connection, OperationId::fresh()).unwrap(), None);
    }

    #[test]
    fn record_is_readable_by_its_form_and_not_by_its_checksum() {
        let (connection, mut state) = journal();
        write(&connection, &purchase(), &mut state).unwrap();
        for (change, is_form) in [
            ("attempts = 9", true),
            ("checksum = 1", true),
            ("contact = x'0102'", false),
            ("contact = NULL", false),
            ("attempts = -1", false),
        ] {
            execute(&connection, &format!("UPDATE operation SET {change}"));
            assert_eq!(is_readable(&connection, 1).unwrap(), is_form, "{change}");
        }
        assert!(!is_readable(&connection, 2).unwrap(), "there is none");
    }

    #[test]
    fn records_are_whole_once_they_are_counted_anew() {
        let (connection, mut state) = journal();
        for _ in 0..3 {
            write(&connection, &purchase(), &mut state).unwrap();
        }
        execute(&connection, "UPDATE operation SET attempts = 9 WHERE rowid > 1");
        execute(&connection, "DELETE FROM operation WHERE rowid = 3");
        assert_eq!(verify(&connection).unwrap().damaged, [2]);
        let anew = count_anew(&connection, state.clone()).unwrap();
        assert_counted(&connection, &anew);
        assert_eq!(anew.records, 2);
        assert_eq!(State { records: state.records, sum: state.sum, ..anew }, state);
    }

    #[test]
    fn words_and_numbers_of_a_newer_version_read_as_pending() {
        let (connection, state) = journal();
        let mut counted = state.clone();
        let intent = Intent { code: Code::Ok, state: IntentState::Completed, ..purchase() };
        write(&connection, &intent, &mut counted).unwrap();
        execute(
            &connection,
            "UPDATE operation SET state = 'halfway', code = 99999, progress = '7', recorded_at = -1, resolved_at = -1",
        );
        count_anew(&connection, state).unwrap();
        let found = find(&connection, intent.id()).unwrap().unwrap();
        assert_eq!(
            (found.state, found.code, found.progress),
            (IntentState::InDoubt, Code::Pending, Progress::default())
        );
        assert_eq!((found.recorded_at, found.resolved_at), (0, Some(0)));
    }

    /// Another order or form of the columns would make every record that exists a damaged one.
    #[test]
    fn checksum_is_that_of_the_records_that_exist() {
        let (connection, _) = journal();
        let sql = "INSERT INTO operation (id, kind, contact, item, assignment, channel, reference, state, code,
            http_status, engage_code, attempts, recorded_at, in_flight_until, next_query_at, query_count,
            processing_from, processing_until, earlier_in_doubt, rewards_before, resolved_at, acknowledged_at,
            response, revision, progress, tenant, written_by, checksum) VALUES (x'01', 'purchase', x'02', x'03',
            x'04', 'POS', 'R-1', 'completed', 5, 200, 'E', 6, 7, 8, 9, 10, 11, 12, 1, x'0d', 14, NULL, '{}', 15,
            '{\"ageMs\":16}', 'https://a.voyado.com', 17, 18)";
        execute(&connection, sql);
        let checksums = |row: &Row<'_>| Ok((checksum_of(row)?, stated_checksum(row)));
        let found = connection.query_row(select!("WHERE 1"), (), checksums).unwrap();
        assert_eq!(found, (0x92F9_228B_D925_7981, Some(18)));
    }
}
