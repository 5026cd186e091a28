//! What the binary does beside serving: judge and certify. Each prints for people and writes files for programs.

pub mod certify;
pub mod judge;

/// Why a command ended without an answer: the exit code and what to say.
pub type Failed = (u8, String);

/// A bad argument, or a file that does not say what it should.
pub const BAD_ARGUMENT: u8 = 2;

/// Writes a file, and says which one could not be written.
pub fn write(path: &std::path::Path, text: &str) -> Result<(), Failed> {
    std::fs::write(path, text).map_err(|error| (1, format!("cannot write {}: {error}", path.display())))
}
