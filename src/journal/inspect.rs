//! Proves that a journal is whole, also beside its owner. Nothing is changed.

use super::failure::{failed, unsealed};
use super::open;
use super::paths::beside;
use super::read_only::connect;
use super::seal::Seal;
use super::state::State;
use crate::core::domain::Millis;
use crate::core::error::Result;
use std::fs;
use std::path::Path;

/// What a journal's files say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// What is wrong with it. None: it is whole.
    pub fault: Option<String>,
    /// The records that are there, and those of them that are damaged.
    pub records: u64,
    pub damaged: u64,
    pub is_copy: bool,
    /// No program has it open, and the last one that had it open has closed it.
    pub is_closed: bool,
    pub written_at: Millis,
    /// When a loss of records was accepted last.
    pub incomplete_before: Option<Millis>,
    /// The sizes of its files.
    pub bytes: u64,
    pub wal_bytes: u64,
}

/// Proves that a journal is whole, or says what is wrong with it.
pub(crate) fn inspect(path: &Path, seal_path: Option<&Path>) -> Result<Inspection> {
    let seal_path = seal_path.map_or_else(|| beside(path, "-seal"), Path::to_owned);
    // Before the journal: the seal is written after it, so that it may be older and never newer.
    let seal = match fs::File::open(&seal_path) {
        Ok(file) => Seal::read(&file).map_err(|error| unsealed(&seal_path, &error))?,
        Err(_) => None,
    };
    // The last close deletes the log. A program that has written nothing yet has one too.
    let has_log = fs::symlink_metadata(beside(path, "-wal")).is_ok();
    let (connection, _) = connect(path, &seal_path)?;
    // One snapshot, while its owner goes on writing.
    let snapshot = connection.unchecked_transaction().map_err(|error| failed(&error))?;
    let state = State::read(&snapshot).map_err(|error| failed(&error))?;
    // A copy has no seal.
    let is_copy = state.as_ref().is_some_and(|state| state.is_copy);
    let seal = match &state {
        Some(state) if is_copy => Some(Seal::of(state, None, true)),
        _ => seal,
    };
    let finding = open::find(&snapshot, state.as_ref(), None, true, seal)?;
    let fault = open::judge(&snapshot, &finding)?.err().map(|loss| loss.says);
    let size = |path: &Path| fs::metadata(path).map(|about| about.len()).unwrap_or_default();
    Ok(Inspection {
        fault,
        records: finding.records,
        damaged: finding.damaged,
        is_copy,
        is_closed: !has_log && state.as_ref().is_none_or(|state| state.closed),
        written_at: state.as_ref().map_or(0, |state| state.written_at),
        incomplete_before: state.as_ref().and_then(|state| state.incomplete_before),
        bytes: size(path),
        wal_bytes: size(&beside(path, "-wal")),
    })
}
