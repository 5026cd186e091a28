//! The seal: a small file beside the journal that knows how far the journal had been written.
//!
//! SQLite takes the first damaged part of its write-ahead log for the log's end, and a missing log
//! for an empty one. The seal distinguishes such a loss from an ordinary crash. It is written after
//! each commit and synced at a checkpoint only, so after a power cut it may be older than the
//! journal, but never newer.

use super::state::{State, hash};
use super::time_text;
use crate::core::domain::Millis;
use crate::os::{read_at, write_at};
use std::fs::File;
use std::io;

const MAGIC: [u8; 8] = *b"EPSseal1";
/// The seal has two slots, written in turn, so that a torn write leaves the one before. Each lies
/// in a sector of its own.
const SLOT: u64 = 4_096;
const LENGTH: usize = 96;

/// How far the journal had been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    pub journal: [u8; 16],
    /// The last write that is durable, and its generation.
    pub durable: u64,
    pub generation: u64,
    /// The last write. A power cut may undo those behind `durable`.
    pub written: u64,
    /// The sum of all records after the last write.
    pub sum: u64,
    pub records: u64,
    pub at: Millis,
}

impl Seal {
    /// Returns the seal of a journal whose last write is durable or not. `before`: the seal so far.
    pub fn of(state: &State, before: Option<Seal>, durable: bool) -> Self {
        let same = before.filter(|seal| seal.journal == state.journal);
        Self {
            journal: state.journal,
            durable: if durable { state.writes } else { same.map_or(0, |seal| seal.durable) },
            generation: if durable { state.generation() } else { same.map_or(0, |seal| seal.generation) },
            written: state.writes,
            sum: state.sum,
            records: state.records,
            at: state.written_at,
        }
    }

    /// Reads the newest whole slot. None: the seal is empty, or no slot is whole.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        let mut newest: Option<Self> = None;
        for slot in [0, SLOT] {
            let mut bytes = [0; LENGTH];
            match read_at(file, &mut bytes, slot) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(error) => return Err(error),
            }
            if let Some(seal) = Self::parse(&bytes)
                && newest.is_none_or(|other| (other.written, other.durable) < (seal.written, seal.durable))
            {
                newest = Some(seal);
            }
        }
        Ok(newest)
    }

    /// Whether a file is surely another program's: it has content, and no slot begins as a seal's.
    pub fn is_foreign(file: &File) -> io::Result<bool> {
        let begins_otherwise = |slot| {
            let mut begin = [0; MAGIC.len()];
            match read_at(file, &mut begin, slot) {
                // A slot that was not written yet has zeros.
                Ok(()) => Ok(begin != MAGIC && begin != [0; MAGIC.len()]),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
                Err(error) => Err(error),
            }
        };
        Ok(file.metadata()?.len() > 0 && begins_otherwise(0)? && begins_otherwise(SLOT)?)
    }

    /// Writes the slot whose turn it is. A sync is the caller's decision.
    pub fn write(&self, file: &File) -> io::Result<()> {
        write_at(file, &self.bytes(), SLOT * (self.written % 2))
    }

    /// Writes both slots and syncs them: nothing of an earlier journal is left.
    pub fn begin(&self, file: &File) -> io::Result<()> {
        write_at(file, &self.bytes(), 0)?;
        write_at(file, &self.bytes(), SLOT)?;
        file.sync_all()
    }

    fn bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.journal);
        let numbers = [self.durable, self.generation, self.written, self.sum, self.records, self.at];
        for (place, number) in bytes[24..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let check = hash(0, &bytes[..LENGTH - 8]);
        bytes[LENGTH - 8..].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8; LENGTH]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        if !bytes.starts_with(&MAGIC) || number(LENGTH - 8)? != hash(0, &bytes[..LENGTH - 8]) {
            return None;
        }
        Some(Self {
            journal: bytes[8..24].try_into().ok()?,
            durable: number(24)?,
            generation: number(32)?,
            written: number(40)?,
            sum: number(48)?,
            records: number(56)?,
            at: number(64)?,
        })
    }
}

/// The state of a journal's files as an open finds them.
pub(super) struct Finding<'a> {
    /// The state that the journal states of itself; None if that is damaged.
    pub state: Option<&'a State>,
    /// The records that are there, and their sum.
    pub records: u64,
    pub sum: u64,
    /// The records that do not have the content that was written.
    pub damaged: u64,
    /// The last write that the database file has without its write-ahead log, if that could be
    /// read.
    pub in_file: Option<u64>,
    /// Whether there is a write-ahead log.
    pub has_wal: bool,
    pub seal: Option<Seal>,
}

/// What is wrong with a journal: a sentence, and the time since when records may be missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub damaged: bool,
    pub says: String,
}

/// Judges whether a journal is whole. An ordinary crash or power cut leaves a whole one.
pub(super) fn judge(found: &Finding<'_>) -> Result<(), Loss> {
    let missing = |says: String| Err(Loss { damaged: false, says });
    let damaged = |says: String| Err(Loss { damaged: true, says });
    let Some(state) = found.state else {
        return damaged("its own count of records is damaged".to_owned());
    };
    let last = time_text::long(state.written_at);
    if let Some(in_file) = found.in_file.filter(|in_file| *in_file > state.writes) {
        return missing(format!(
            "its write-ahead log (-wal) is older than the journal: {} writes after {last} are hidden",
            in_file - state.writes
        ));
    }
    match found.seal {
        // Before the first write nothing can be missing.
        None if state.writes == 0 => {}
        None => return missing(format!("its seal is missing or damaged, so writes after {last} may be missing")),
        Some(seal) if seal.journal != state.journal => {
            return missing("its seal belongs to another journal".to_owned());
        }
        Some(seal) if seal.durable > state.writes => {
            return missing(format!(
                "{} writes between {last} and {} are missing",
                seal.durable - state.writes,
                time_text::long(seal.at)
            ));
        }
        Some(seal) if !state.knows(seal.generation, seal.durable) => {
            return missing(format!(
                "the journal and its seal went different ways before {}: one of them is a copy",
                time_text::long(seal.at)
            ));
        }
        Some(seal) if seal.written == state.writes && seal.sum != state.sum => {
            return missing(format!("the journal and its seal differ since {}", time_text::long(seal.at)));
        }
        // A log is deleted only by a clean close, which marks the journal, or by another program
        // that has moved all of it into the file.
        Some(seal) if !found.has_wal && !state.closed && state.writes > seal.written + 1 => {
            return missing(format!("its write-ahead log (-wal) is missing, so writes after {last} may be missing"));
        }
        Some(_) => {}
    }
    if found.damaged > 0 {
        return damaged(format!("{} records are damaged", found.damaged));
    }
    if found.records != state.records {
        return missing(format!("{} records were written, and {} are there", state.records, found.records));
    }
    if found.sum != state.sum {
        return missing(format!("some records are older than the last write of {last}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(writes: u64) -> State {
        State { journal: [1; 16], writes, records: 3, sum: 30, generations: vec![(7, 1), (8, 5)], ..State::fresh() }
    }

    fn whole(state: &State) -> Finding<'_> {
        Finding {
            records: state.records,
            sum: state.sum,
            damaged: 0,
            in_file: Some(0),
            has_wal: true,
            seal: Some(Seal::of(state, None, true)),
            state: Some(state),
        }
    }

    #[test]
    fn crash_leaves_whole_journal_with_older_seal() {
        let now = state(9);
        assert_eq!(judge(&whole(&now)), Ok(()));
        // The process was killed between the commit and the seal, or the power cut took newer
        // seals.
        for before in [state(8), state(6)] {
            let seal = Some(Seal::of(&before, None, true));
            assert_eq!(judge(&Finding { seal, ..whole(&now) }), Ok(()));
        }
        // Another program has then moved all of the log into the file.
        let seal = Some(Seal::of(&state(8), None, true));
        assert_eq!(judge(&Finding { has_wal: false, seal, ..whole(&now) }), Ok(()));
        // Writes that were not synced are lost in a power cut.
        let later = State { generations: vec![(7, 1), (8, 5), (9, 10)], ..state(11) };
        let unsynced = Seal::of(&later, Some(Seal::of(&now, None, true)), false);
        assert_eq!(judge(&Finding { seal: Some(unsynced), ..whole(&now) }), Ok(()));
        // The seal is made after the journal.
        let fresh = State { records: 0, sum: 0, generations: vec![], ..state(0) };
        assert_eq!(judge(&Finding { seal: None, ..whole(&fresh) }), Ok(()));
    }

    #[test]
    fn every_other_loss_is_reported_with_its_kind() {
        let now = state(9);
        let seal = |of: State| Some(Seal::of(&of, None, true));
        let other = State { journal: [9; 16], ..state(9) };
        let elsewhere = State { generations: vec![(7, 1), (99, 5)], ..state(7) };
        let cases: Vec<(&str, bool, Finding<'_>)> = vec![
            ("writes between", false, Finding { seal: seal(state(10)), ..whole(&now) }),
            ("seal is missing", false, Finding { seal: None, ..whole(&now) }),
            ("another journal", false, Finding { seal: seal(other), ..whole(&now) }),
            ("went different ways", false, Finding { seal: seal(elsewhere), ..whole(&now) }),
            ("differ", false, Finding { seal: seal(State { sum: 31, ..state(9) }), ..whole(&now) }),
            ("(-wal) is older", false, Finding { in_file: Some(10), ..whole(&now) }),
            ("(-wal) is missing", false, Finding { has_wal: false, seal: seal(state(7)), ..whole(&now) }),
            ("3 records were written", false, Finding { records: 2, ..whole(&now) }),
            ("older than the last write", false, Finding { sum: 29, ..whole(&now) }),
            ("1 records are damaged", true, Finding { damaged: 1, ..whole(&now) }),
            ("own count", true, Finding { state: None, ..whole(&now) }),
        ];
        for (says, damaged, finding) in cases {
            let loss = judge(&finding).unwrap_err();
            assert!(loss.says.contains(says), "{loss:?}, without {says:?}");
            assert_eq!(loss.damaged, damaged, "{loss:?}");
        }
    }

    #[test]
    fn seal_that_is_durable_wins_over_the_same_write_before() {
        for writes in [8, 9] {
            let file = tempfile::tempfile().unwrap();
            // As an open after a crash leaves both slots; a checkpoint then seals the same write.
            Seal::of(&state(writes), None, false).begin(&file).unwrap();
            let durable = Seal::of(&state(writes), None, true);
            durable.write(&file).unwrap();
            assert_eq!(Seal::read(&file).unwrap(), Some(durable));
        }
    }

    #[test]
    fn write_that_a_power_cut_may_undo_leaves_the_durable_one() {
        let now = State { generations: vec![(7, 1), (8, 5), (9, 10)], ..state(11) };
        let other = State { journal: [9; 16], ..state(6) };
        for (before, durable) in [(None, (0, 0)), (Some(&state(6)), (6, 8)), (Some(&other), (0, 0))] {
            let before = before.map(|state| Seal::of(state, None, true));
            let seal = Seal::of(&now, before, false);
            assert_eq!((seal.durable, seal.generation), durable, "after {before:?}");
            assert_eq!((seal.written, seal.sum, seal.records, seal.at), (11, 30, 3, now.written_at));
        }
        let synced = Seal::of(&now, None, true);
        assert_eq!((synced.durable, synced.generation), (11, 9));
    }

    /// Another form would make the seals that exist damaged ones, and their journals not whole.
    #[test]
    fn bytes_are_those_of_the_seals_that_exist() {
        let seal = Seal { journal: [7; 16], durable: 1, generation: 2, written: 3, sum: 4, records: 5, at: 6 };
        let numbers = [1_u64, 2, 3, 4, 5, 6, 0, 0, 0x136B_6917_9309_E9F3].map(u64::to_be_bytes);
        assert_eq!(seal.bytes().as_slice(), [b"EPSseal1", &[7; 16][..], numbers.as_flattened()].concat());
        let file = tempfile::tempfile().unwrap();
        write_at(&file, &seal.bytes(), 4_096).unwrap();
        assert_eq!(Seal::read(&file).unwrap(), Some(seal));
    }

    #[test]
    fn seal_that_begins_leaves_nothing_of_an_earlier_journal() {
        let file = tempfile::tempfile().unwrap();
        for writes in [8, 9] {
            Seal::of(&state(writes), None, true).write(&file).unwrap();
        }
        let begun = Seal::of(&state(3), None, true);
        for torn in [0, SLOT] {
            begun.begin(&file).unwrap();
            assert_eq!(Seal::read(&file).unwrap(), Some(begun));
            write_at(&file, b"?", torn).unwrap();
            assert_eq!(Seal::read(&file).unwrap(), Some(begun), "without the slot at {torn}");
        }
    }

    #[test]
    fn seal_that_cannot_be_read_is_not_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("points.db-seal")).unwrap();
        Seal::of(&state(3), None, true).begin(&file).unwrap();
        // It is open for writing only.
        assert!(Seal::read(&file).is_err() && Seal::is_foreign(&file).is_err());
    }

    #[test]
    fn torn_slot_leaves_the_one_before() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Seal::read(&file).unwrap(), None);
        Seal::of(&state(0), None, true).begin(&file).unwrap();
        for writes in 1..5 {
            let before = Seal::read(&file).unwrap();
            let seal = Seal::of(&state(writes), before, true);
            seal.write(&file).unwrap();
            assert_eq!(Seal::read(&file).unwrap(), Some(seal));
            write_at(&file, b"?", SLOT * (writes % 2) + 30).unwrap();
            assert_eq!(Seal::read(&file).unwrap(), before);
            seal.write(&file).unwrap();
        }
    }

    #[test]
    fn file_of_another_program_is_no_seal() {
        let file = tempfile::tempfile().unwrap();
        let is_foreign = |bytes: &[u8]| {
            file.set_len(0).unwrap();
            write_at(&file, bytes, 0).unwrap();
            Seal::is_foreign(&file).unwrap()
        };
        let seal = Seal::of(&State::fresh(), None, true).bytes();
        let torn = [&[0; 4_096][..], &seal].concat();
        assert!(!is_foreign(b"") && !is_foreign(&seal) && !is_foreign(&torn) && !is_foreign(&seal[..50]));
        assert!(!is_foreign(&[&b"x"[..], &torn[1..]].concat()), "one whole slot is enough");
        assert!(!is_foreign(&[0; 9_000]), "the power went before its first bytes were written");
        assert!(is_foreign(b"x") && is_foreign(b"SQLite format 3") && is_foreign(&[b'x'; 9_000]) && is_foreign(b"{}"));
    }
}
