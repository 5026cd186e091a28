//! What the journal knows of itself: one row with the number of writes, the number of records and
//! the sum of their checksums. It proves that no record is missing, older or changed.

use crate::core::domain::Millis;
use crate::rt;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// The generations that the journal remembers. Each client begins one with its first write.
const GENERATIONS: usize = 64;

/// The one row of the table `state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The journal's own id.
    pub journal: [u8; 16],
    /// Whether this is a copy for reading.
    pub is_copy: bool,
    /// The number of writes.
    pub writes: u64,
    /// The number of records.
    pub records: u64,
    /// The sum of the records' checksums, modulo 2^64.
    pub sum: u64,
    /// Random numbers, and the first write of each, oldest first.
    pub generations: Vec<(u64, u64)>,
    pub written_at: Millis,
    /// When the journal was opened although records were missing.
    pub incomplete_before: Option<Millis>,
    /// Whether the last client that wrote has closed the journal.
    pub closed: bool,
}

impl State {
    /// Returns the state of a new journal.
    pub fn fresh() -> Self {
        Self {
            journal: Uuid::new_v4().into_bytes(),
            is_copy: false,
            writes: 0,
            records: 0,
            sum: 0,
            generations: Vec::new(),
            written_at: rt::wall_now(),
            incomplete_before: None,
            closed: false,
        }
    }

    /// Returns the number of the newest generation.
    pub fn generation(&self) -> u64 {
        self.generations.last().map_or(0, |(number, _)| *number)
    }

    /// Whether a write belongs to the history of this journal. `generation`: that of the write.
    pub fn knows(&self, generation: u64, write: u64) -> bool {
        if write == 0 {
            return true;
        }
        let Some(at) = self.generations.iter().position(|(number, _)| *number == generation) else { return false };
        let next = self.generations.get(at + 1).map_or(u64::MAX, |(_, first)| *first);
        (self.generations[at].1..next).contains(&write)
    }

    /// Adds a generation that begins with the next write.
    pub fn begin_generation(&mut self, number: u64) {
        self.generations.push((number, self.writes + 1));
        let surplus = self.generations.len().saturating_sub(GENERATIONS);
        self.generations.drain(..surplus);
    }

    pub fn add(&mut self, checksum: u64) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(checksum);
    }

    pub fn remove(&mut self, checksum: u64) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(checksum);
    }

    /// Reads the row. None: it is missing or damaged.
    pub fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT journal, is_copy, writes, records, sum, generations, written_at, incomplete_before, closed,
                   checksum FROM state WHERE id = 1";
        let read = |row: &rusqlite::Row<'_>| {
            let state = Self {
                journal: row.get(0)?,
                is_copy: row.get(1)?,
                writes: unsigned(row.get(2)?),
                records: unsigned(row.get(3)?),
                sum: unsigned(row.get(4)?),
                generations: unpack(row.get_ref(5)?.as_blob()?),
                written_at: unsigned(row.get(6)?),
                incomplete_before: row.get::<_, Option<i64>>(7)?.map(unsigned),
                closed: row.get(8)?,
            };
            Ok((unsigned(row.get(9)?) == state.checksum()).then_some(state))
        };
        let found = connection.prepare_cached(sql)?.query_row((), read).optional();
        match found {
            Ok(state) => Ok(state.flatten()),
            // A value of another type than was written.
            Err(
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO state (id, journal, is_copy, writes, records, sum, generations, written_at,
                   incomplete_before, closed, checksum) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        connection
            .prepare_cached(sql)?
            .execute(params![
                self.journal,
                self.is_copy,
                self.writes.cast_signed(),
                self.records.cast_signed(),
                self.sum.cast_signed(),
                pack(&self.generations),
                self.written_at.cast_signed(),
                self.incomplete_before.map(u64::cast_signed),
                self.closed,
                self.checksum().cast_signed(),
            ])
            .map(drop)
    }

    fn checksum(&self) -> u64 {
        let mut sum = hash(0, &self.journal);
        for number in [
            self.is_copy.into(),
            self.writes,
            self.records,
            self.sum,
            self.written_at,
            self.incomplete_before.map_or(0, |at| at + 1),
            self.closed.into(),
        ] {
            sum = hash(sum, &number.to_be_bytes());
        }
        hash(sum, &pack(&self.generations))
    }
}

fn pack(generations: &[(u64, u64)]) -> Vec<u8> {
    generations.iter().flat_map(|(number, first)| [number.to_be_bytes(), first.to_be_bytes()]).flatten().collect()
}

fn unpack(bytes: &[u8]) -> Vec<(u64, u64)> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.chunks_exact(2).map(|pair| (u64::from_be_bytes(pair[0]), u64::from_be_bytes(pair[1]))).collect()
}

fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}

/// Returns a checksum of bytes that continues another. It finds accidents, not an attacker.
pub(super) fn hash(start: u64, bytes: &[u8]) -> u64 {
    const FIRST: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    let mut hash = start ^ FIRST ^ (bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(23);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

/// Returns a checksum that continues another with one value of a record.
pub(super) fn hash_value(start: u64, value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Null => hash(start, b"n"),
        ValueRef::Integer(number) => hash(hash(start, b"i"), &number.to_le_bytes()),
        ValueRef::Real(number) => hash(hash(start, b"r"), &number.to_le_bytes()),
        ValueRef::Text(text) => hash(hash(start, b"t"), text),
        ValueRef::Blob(blob) => hash(hash(start, b"b"), blob),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::schema::NEWEST;

    fn known() -> State {
        State {
            journal: [7; 16],
            is_copy: false,
            writes: 3,
            records: 2,
            sum: u64::MAX - 1,
            generations: vec![(5, 1), (9, 3)],
            written_at: 1_700_000_000_000,
            incomplete_before: Some(1_600_000_000_000),
            closed: true,
        }
    }

    /// Another value would make every journal that exists a damaged one.
    #[test]
    fn checksums_are_those_of_the_journals_that_exist() {
        assert_eq!(hash(0, b""), 0xF52A_15E9_A9B5_E89B);
        assert_eq!(hash(0, b"rest"), 0x53DD_EFDC_2604_1DE9);
        assert_eq!(hash(5, b"one word, two words and a rest"), 0xC423_792B_1D43_D2CB);
        for (value, checksum) in [
            (ValueRef::Null, 0x096C_55E3_F38D_CB38),
            (ValueRef::Integer(-2), 0x1C4F_B0FF_18FD_69A9),
            (ValueRef::Real(0.5), 0x4F9B_2D04_047E_B8B8),
            (ValueRef::Text(b"text"), 0xB3E4_F4C1_3C3B_0A76),
            (ValueRef::Blob(b"text"), 0xA5D9_9490_08C2_AA91),
        ] {
            assert_eq!(hash_value(11, value), checksum, "{value:?}");
        }
        assert_eq!(known().checksum(), 0x98BE_D723_92C8_D696);
        assert_eq!(State { incomplete_before: None, ..known() }.checksum(), 0x997D_FCA8_C733_6B0E);
    }

    #[test]
    fn state_is_read_as_written_unless_a_value_was_changed() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(NEWEST).unwrap();
        assert_eq!(State::read(&connection).unwrap(), None);
        for state in [known(), State { is_copy: true, incomplete_before: None, closed: false, ..known() }] {
            state.write(&connection).unwrap();
            assert_eq!(State::read(&connection).unwrap(), Some(state));
        }
        for change in [
            "journal = randomblob(16)",
            "journal = x'00'",
            "is_copy = 0",
            "writes = writes + 1",
            "records = records - 1",
            "sum = sum + 1",
            "generations = x''",
            "written_at = written_at + 1",
            "incomplete_before = 0",
            "closed = 1",
            "checksum = checksum + 1",
        ] {
            let state = State { is_copy: true, incomplete_before: None, closed: false, ..known() };
            state.write(&connection).unwrap();
            assert_eq!(connection.execute(&format!("UPDATE state SET {change}"), ()).unwrap(), 1);
            assert_eq!(State::read(&connection).unwrap(), None, "{change}");
        }
    }

    #[test]
    fn write_belongs_to_the_generation_in_which_it_was_made() {
        let mut state = State::fresh();
        assert_eq!(state.generation(), 0);
        for (number, writes) in [(7, 0), (8, 4), (9, 6)] {
            state.writes = writes;
            state.begin_generation(number);
        }
        assert_eq!((state.generation(), &*state.generations), (9, &[(7, 1), (8, 5), (9, 7)][..]));
        for (generation, write, is_known) in [
            (7, 1, true),
            (7, 4, true),
            (7, 5, false),
            (8, 4, false),
            (8, 5, true),
            (8, 6, true),
            (8, 7, false),
            (9, 7, true),
            (9, u64::MAX - 1, true),
            (1, 5, false),
            (1, 1, false),
            // Before the first write all journals are alike.
            (1, 0, true),
        ] {
            assert_eq!(state.knows(generation, write), is_known, "write {write} of {generation}");
        }
    }

    #[test]
    fn newest_64_generations_are_remembered() {
        let mut state = State::fresh();
        for write in 0..70 {
            state.writes = write;
            state.begin_generation(100 + write);
        }
        assert_eq!(state.generations.len(), 64);
        assert_eq!((state.generations[0], state.generations[63]), ((106, 7), (169, 70)));
    }

    #[test]
    fn count_and_sum_are_those_of_the_records_that_are_there() {
        let mut state = State::fresh();
        for checksum in [u64::MAX, 5, 6] {
            state.add(checksum);
        }
        state.remove(5);
        assert_eq!((state.records, state.sum), (2, 5));
    }
}
