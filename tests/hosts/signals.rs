//! Signals of the POS: the library's threads take none of them.

use crate::tools::{Link, library, program, root, stdout};
use std::process::Command;

#[test]
fn sigterm_by_signalfd_is_read_by_the_pos_and_kills_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let library = library("libengage_point_shop.so");
    let source = root().join("tests/hosts/signals.c");
    let signals = program(&source, Link::Shared(&library), folder.path());
    let output = stdout(Command::new(signals).arg(folder.path().join("journal.db")));
    assert_eq!(output, "alive\n");
}
