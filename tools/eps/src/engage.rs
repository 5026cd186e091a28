//! `history` and `rewards`: Engage's view of a member beside the journal's.

use crate::Result;
use crate::compare::{self, Line, Mark};
use crate::failure::{Exit, Failure};
use crate::fields::parse;
use crate::operations::all;
use crate::output::{Colour, Output, Report};
use crate::progress::Progress;
use crate::table::Table;
use crate::till::Till;
use engage_point_shop::{Code, ContactId, Error};
use serde_json::{Value, json};

pub fn contact_id(text: &str) -> Result<ContactId> {
    Ok(ContactId::parse(text, "CONTACT").map_err(Error::from)?)
}

/// Reads a list of a member. A member who was merged or erased has none.
fn list_of(call: impl FnOnce() -> std::result::Result<Vec<u8>, Error>) -> Result<Value> {
    let progress = Progress::start("asking Engage");
    let list = call();
    drop(progress);
    match list {
        Ok(list) => parse(&list),
        Err(error) if matches!(error.code(), Code::InvalidContact | Code::ContactNotFound) => {
            let mut failure = Failure::from(error);
            failure.message.push_str(
                " If the member was merged, find the present contact id in Engage, and ask with it: \
                 docs/support/EPS_PENDING has the steps.",
            );
            Err(failure)
        }
        Err(error) => Err(error.into()),
    }
}

pub fn history(till: &Till, contact: &str, output: Output) -> Result<Report> {
    let contact = contact_id(contact)?;
    let client = till.reader_of_engage()?;
    let operations = all(&client, &json!({}))?;
    let rows = list_of(|| client.list_purchases(contact, None))?;
    let found = rows.as_array().map_or(&[][..], Vec::as_slice);
    let lines = compare::purchases(&contact.to_string(), found, &operations, &till.api_mapping()?);
    Ok(report(&lines, "PURCHASE", &rows, output))
}

pub fn rewards(till: &Till, contact: &str, output: Output) -> Result<Report> {
    let contact = contact_id(contact)?;
    let client = till.reader_of_engage()?;
    let mut operations = all(&client, &json!({}))?;
    operations.retain(|operation| compare::is_of_member(operation, &contact.to_string()));
    let rows = list_of(|| client.list_rewards(contact, None))?;
    let lines = compare::rewards(rows.as_array().map_or(&[], Vec::as_slice), &operations, &till.api_mapping()?);
    Ok(report(&lines, "REWARD", &rows, output))
}

fn report(lines: &[Line], head: &str, rows: &Value, output: Output) -> Report {
    let mut table = Table::new(1, &[head, "ENGAGE", "JOURNAL", ""]);
    for line in lines {
        let colour = match line.mark {
            Mark::Same | Mark::OtherTill => None,
            Mark::Resolvable | Mark::Open | Mark::Merged => Some(Colour::Yellow),
            Mark::Differs => Some(Colour::Red),
        };
        table.push([line.id.clone(), line.engage.clone(), line.journal.clone(), line.mark.name().into()], colour);
    }
    let found = lines.iter().any(|line| !matches!(line.mark, Mark::Same | Mark::OtherTill));
    let text = if lines.is_empty() { "Nothing, neither at Engage nor here.\n".into() } else { table.render(output) };
    let json = json!({ "lines": lines.iter().map(Line::to_json).collect::<Vec<_>>(), "engage": rows });
    Report::new(if found { Exit::Found } else { Exit::Fine }, json, text)
}
