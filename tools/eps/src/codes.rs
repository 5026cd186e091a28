//! `codes`: the table of the library's codes.

use crate::Result;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Report};
use crate::table::{Table, wrapped};
use engage_point_shop::code::{Row, TABLE};
use serde_json::{Value, json};

/// Returns who acts, as a sentence.
pub fn who(action: &str) -> &'static str {
    match action {
        "continue" => "the POS goes on",
        "tellMember" => "the cashier informs the member",
        "retry" => "the cashier may try again",
        "administrator" => "the administrator mends the till, the network or the key",
        "fixProgram" => "the POS's vendor mends the program",
        "wait" => "nobody: the library resolves it",
        "review" => "a person decides: eps review",
        _ => "-",
    }
}

fn object(row: &Row) -> Value {
    json!({
        "code": row.code.number(), "name": row.name, "outcome": row.outcome.name(), "action": row.action().name(),
        "meaning": row.meaning,
    })
}

pub fn run(code: Option<&str>, output: Output) -> Result<Report> {
    let Some(code) = code else {
        let mut table = Table::new(3, &["CODE", "NAME", "OUTCOME", "ACTION"]);
        for row in TABLE {
            let cells = [row.code.number().to_string(), row.name.into(), row.outcome.name().into()];
            let [number, name, outcome] = cells;
            table.push([number, name, outcome, row.action().name().into()], None);
        }
        let rows: Vec<Value> = TABLE.iter().map(object).collect();
        return Ok(Report::new(Exit::Fine, json!({ "codes": rows }), table.render(output)));
    };
    let upper = code.to_ascii_uppercase();
    let named = |row: &&Row| {
        let number = row.code.number();
        row.name == upper
            || row.name.strip_prefix("EPS_") == Some(&upper)
            || number.to_string() == code
            || (-number).to_string() == code
    };
    let row = TABLE.iter().find(named).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{code} is no code of this library; `eps codes` lists them"))
    })?;
    let text = format!(
        "{} {}\nOutcome   {}\nWho acts  {}\nMeaning   {}\n",
        row.code.number(),
        row.name,
        row.outcome.name(),
        who(row.action().name()),
        wrapped(row.meaning, 10)
    );
    Ok(Report::new(Exit::Fine, object(row), text))
}
