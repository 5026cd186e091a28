//! The commands of the binary. Each prints text for people and writes files for
//! programs.

use std::io::Write as _;

pub mod certificate;
pub mod certify;
pub mod control;
pub mod judge;

/// The reason why a command failed: the exit code and the message.
pub type Failed = (u8, String);

/// The exit code for an invalid argument or file.
pub const BAD_ARGUMENT: u8 = 2;

/// Prints a line. The reader, such as a pager, may have ended.
pub fn say(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a file. The error names the file.
pub fn write(path: &std::path::Path, text: &str) -> Result<(), Failed> {
    std::fs::write(path, text).map_err(|error| (1, format!("cannot write {}: {error}", path.display())))
}
