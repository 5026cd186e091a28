//! The pages for support, one for each code that needs somebody, and the cashier's page. The steps
//! of a page are written by hand; its facts come from the table of codes.

use super::{ACTIONS, between, rows, update};
use crate::run::Result;
use engage_point_shop::code::{Row, TABLE};
use engage_point_shop::{Code, Outcome, texts_in_english};
use std::fmt::Write;

/// The classes of codes whose codes have a page each.
const CLASSES: &[(i32, &str)] = &[(-2, "Configuration and credentials"), (-5, "Pending"), (-6, "The journal")];

/// Writes the facts of each page, the list of the pages, and the cashier's table.
pub fn pages(check: bool) -> Result {
    let marks = ("<!-- code: written by `cargo xtask header` -->\n", "<!-- end of code -->");
    let listed = ("<!-- codes: written by `cargo xtask header` -->\n", "<!-- end of codes -->");
    for (class, _) in CLASSES {
        for row in rows(*class) {
            update(&path(row), check, |found| between(found, marks, &facts(row)))?;
        }
    }
    update("docs/support/README.md", check, |found| between(found, listed, &list()))?;
    let texts = ("<!-- texts: written by `cargo xtask header` -->\n", "<!-- end of texts -->");
    update("docs/cashier.md", check, |found| between(found, texts, &cashier()))
}

fn path(row: &Row) -> String {
    format!("docs/support/{}.md", row.name)
}

fn points(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "deducted",
        Outcome::Declined => "not deducted",
        Outcome::Pending => "not known yet",
        Outcome::NotSent => "not deducted: nothing was sent",
    }
}

fn facts(row: &Row) -> String {
    let (cashier, member) = texts_in_english(row.code);
    let acts = ACTIONS.iter().find(|(action, _)| *action == row.action()).map_or("", |(_, meaning)| meaning);
    format!(
        "\n{}\n\n| | |\n|---|---|\n| Number | {} |\n| Points | {} |\n| Who acts | {acts} |\n| The cashier reads | {cashier} |\n\
         | The member is shown | {member} |\n\n",
        row.meaning,
        row.code.number(),
        points(row.outcome),
    )
}

fn list() -> String {
    let mut list = String::new();
    for (class, title) in CLASSES {
        let _ = write!(list, "\n## {title}\n\n| Code | Page | Who acts |\n|---:|---|---|\n");
        for row in rows(*class) {
            let (name, number, action) = (row.name, row.code.number(), row.action().name());
            let _ = writeln!(list, "| {number} | [{name}]({name}.md) | {action} |");
        }
    }
    list.push('\n');
    list
}

/// Returns each text of the cashier once, with the codes' outcomes.
fn cashier() -> String {
    let mut table = "\n| The screen | To the member | The points |\n|---|---|---|\n".to_owned();
    let mut seen = Vec::new();
    // A mistake of the program says nothing about a sale.
    let is_shown = |row: &&Row| row.code.number() / 100 != -1 || row.code == Code::RewardInUse;
    for row in TABLE.iter().filter(is_shown) {
        let (cashier, member) = texts_in_english(row.code);
        if seen.contains(&(cashier, row.outcome)) {
            continue;
        }
        seen.push((cashier, row.outcome));
        let _ = writeln!(table, "| {cashier} | {member} | {} |", points(row.outcome));
    }
    table.push('\n');
    table
}
