//! Tables that fit 80 columns.

use crate::output::{Colour, Output};

/// The width of a table, in characters.
pub const WIDTH: usize = 80;
const GAP: usize = 2;

/// A table. Its last column is shortened where a row is too wide, unless it must be whole.
#[derive(Debug)]
pub struct Table {
    rows: Vec<(Vec<String>, Option<Colour>)>,
    /// The column that gives way.
    flexible: usize,
}

impl Table {
    pub fn new(flexible: usize, heads: &[&str]) -> Self {
        Self { rows: vec![(heads.iter().map(|head| (*head).to_owned()).collect(), Some(Colour::Dim))], flexible }
    }

    pub fn push(&mut self, cells: impl IntoIterator<Item = String>, colour: Option<Colour>) {
        self.rows.push((cells.into_iter().collect(), colour));
    }

    pub fn render(&self, output: Output) -> String {
        let columns = self.rows[0].0.len();
        let width = |at: usize| self.rows.iter().map(|(row, _)| row[at].chars().count()).max().unwrap_or_default();
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        let others: usize = widths.iter().sum::<usize>() - widths[self.flexible] + GAP * (columns - 1);
        widths[self.flexible] = widths[self.flexible].min(WIDTH.saturating_sub(others).max(6));
        let line = |(cells, colour): &(Vec<String>, Option<Colour>)| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| {
                let cell = shortened(cell, *width);
                let pad = " ".repeat(width - cell.chars().count() + GAP);
                cell + &pad
            });
            let line: String = cells.collect();
            output.paint(line.trim_end(), *colour) + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}

/// Returns a text with at most `width` characters; a longer one ends with an ellipsis.
pub fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Breaks a text into lines of the table's width, each after `indent` spaces.
pub fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("one line exists");
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_table_shortens_one_column_only() {
        let mut table = Table::new(1, &["ID", "TEXT"]);
        table.push(["a".repeat(36), "ö".repeat(90)], None);
        let text = table.render(Output::new(true));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains(&"a".repeat(36)) && text.trim_end().ends_with("ö…"), "{text}");
    }

    #[test]
    fn wrapped_text_keeps_every_word() {
        let text = wrapped(&"some words ".repeat(30), 10);
        assert_eq!(text.split_whitespace().count(), 60);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
