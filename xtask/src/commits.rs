//! Checks the messages of commits by the rules of `.gitmessage`.

use crate::run::{Result, output, root};
use std::process::Command;

/// The longest subject, in characters.
const SUBJECT: usize = 72;

/// Checks every commit after `base`, merges excepted.
pub fn check(base: &str) -> Result {
    let mut log = Command::new("git");
    log.args(["log", "--no-merges", "--format=%h%x1f%s%x1f%b%x1e"]).arg(format!("{base}..HEAD"));
    let log = output(log.current_dir(root()))?;
    let (mut commits, mut faults) = (0, Vec::new());
    for commit in log.split('\u{1e}').map(str::trim).filter(|commit| !commit.is_empty()) {
        let mut parts = commit.splitn(3, '\u{1f}');
        let mut next = || parts.next().unwrap_or_default();
        let (id, subject, body) = (next(), next(), next());
        commits += 1;
        faults.extend(faults_of(subject, body).map(|fault| format!("{id} {subject}\n    {fault}")));
    }
    if faults.is_empty() {
        println!("commits: {commits} messages since {base} follow .gitmessage");
        return Ok(());
    }
    Err(format!("commit messages break the rules of .gitmessage:\n{}", faults.join("\n")))
}

/// Returns the broken rules of a message. The first word is only checked by its ending.
fn faults_of(subject: &str, body: &str) -> impl Iterator<Item = String> {
    let length = subject.chars().count();
    let verb = subject.split(' ').next().unwrap_or_default();
    let is_imperative =
        verb.starts_with(char::is_uppercase) && !["ed", "ing", ":"].iter().any(|end| verb.ends_with(end));
    let faults = [
        (length > SUBJECT).then(|| format!("The subject has {length} characters; the limit is {SUBJECT}.")),
        (!is_imperative).then(|| "The subject must begin with a verb in the imperative: \"Add\", \"Fix\".".to_owned()),
        subject.ends_with('.').then(|| "The subject must not end with a full stop.".to_owned()),
        body.trim().is_empty().then(|| "The body is missing. It says why the change is made.".to_owned()),
    ];
    faults.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_good_message_are_none() {
        assert_eq!(faults_of("Add the audit command", "Nothing checked the licences.\n").count(), 0);
        assert_eq!(faults_of(&format!("Add {}", "x".repeat(68)), "Why.").count(), 0);
    }

    #[test]
    fn faults_of_bad_message_are_all_named() {
        assert_eq!(faults_of(&format!("Added {}.", "x".repeat(70)), "").count(), 4);
        assert_eq!(faults_of("fix: a thing", "Why.").count(), 1);
    }
}
