//! `history` and `rewards`: Engage's view of a member beside the journal's.

use crate::Result;
use crate::compare::{self, Line, Mark};
use crate::failure::Exit;
use crate::fields::parse;
use crate::operations::all;
use crate::output::{Colour, Output, Report};
use crate::progress::Progress;
use crate::table::Table;
use crate::till::Till;
use engage_point_shop::{Client, ContactId, Error};
use serde_json::{Value, json};

pub fn contact_id(text: &str) -> Result<ContactId> {
    Ok(ContactId::parse(text, "CONTACT").map_err(Error::from)?)
}

/// Returns the operations of a member, and of no member: a redeem may lack one.
fn operations_of(client: &Client, contact: ContactId) -> Result<Vec<Value>> {
    let contact = contact.to_string();
    let mut operations = all(client, &json!({}))?;
    operations.retain(|it| it["contactId"].is_null() || it["contactId"] == contact.as_str());
    Ok(operations)
}

pub fn history(till: &Till, contact: &str, output: Output) -> Result<Report> {
    let contact = contact_id(contact)?;
    let client = till.reader_of_engage()?;
    let operations = operations_of(&client, contact)?;
    let progress = Progress::start("asking Engage");
    let rows = parse(&client.list_purchases(contact, None)?)?;
    drop(progress);
    let lines = compare::purchases(rows.as_array().map_or(&[], Vec::as_slice), &operations, &till.api_mapping()?);
    Ok(report(&lines, "PURCHASE", &rows, output))
}

pub fn rewards(till: &Till, contact: &str, output: Output) -> Result<Report> {
    let contact = contact_id(contact)?;
    let client = till.reader_of_engage()?;
    let operations = operations_of(&client, contact)?;
    let progress = Progress::start("asking Engage");
    let rows = parse(&client.list_rewards(contact, None)?)?;
    drop(progress);
    let lines = compare::rewards(rows.as_array().map_or(&[], Vec::as_slice), &operations, &till.api_mapping()?);
    Ok(report(&lines, "REWARD", &rows, output))
}

fn report(lines: &[Line], head: &str, rows: &Value, output: Output) -> Report {
    let mut table = Table::new(1, &[head, "ENGAGE", "JOURNAL", ""]);
    for line in lines {
        let colour = match line.mark {
            Mark::Same | Mark::OtherTill => None,
            Mark::Resolvable | Mark::Open => Some(Colour::Yellow),
            Mark::Differs => Some(Colour::Red),
        };
        table.push([line.id.clone(), line.engage.clone(), line.journal.clone(), line.mark.name().into()], colour);
    }
    let found = lines.iter().any(|line| !matches!(line.mark, Mark::Same | Mark::OtherTill));
    let text = if lines.is_empty() { "Nothing, neither at Engage nor here.\n".into() } else { table.render(output) };
    let json = json!({ "lines": lines.iter().map(Line::to_json).collect::<Vec<_>>(), "engage": rows });
    Report::new(if found { Exit::Found } else { Exit::Fine }, json, text)
}
