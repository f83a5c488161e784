//! The first table of every definition as Markdown.

use std::fmt::Write as _;

use super::columns::{Column, SCORES};
use super::page::circumstances;
use super::read::Table;

/// A heading, what the rows were measured on, and the table.
pub fn write(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "### {}\n", escaped(&table.title));
        let _ = writeln!(text, "{}\n", escaped(&circumstances(table)));
        if !table.rows.is_empty() {
            rows(&mut text, table);
        }
    }
    text
}

fn rows(text: &mut String, table: &Table) {
    let columns: Vec<(&Column, Vec<_>)> = SCORES
        .columns
        .iter()
        .map(|column| (column, column.cells(&table.rows)))
        .filter(|(_, cells)| cells.iter().any(Option::is_some))
        .collect();
    let names = columns.iter().map(|(column, _)| match column.group {
        "cost" => column.name.to_owned(),
        group => format!("{group}: {}", column.name),
    });
    let names: Vec<String> = names.collect();
    let _ = writeln!(text, "| method | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(columns.len()));
    for (at, row) in table.rows.iter().enumerate() {
        let cells = columns.iter().map(|(_, cells)| match &cells[at] {
            None => String::new(),
            Some((cell, true)) => format!("**{}**", cell.text),
            Some((cell, false)) => cell.text.clone(),
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(
            text,
            "| {} | {} |",
            escaped(&row.result.label),
            cells.join(" | ")
        );
    }
}

/// A text as one line that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '\\' | '*' | '_' | '<' | '[' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_the_table() {
        assert_eq!(escaped("a|b\n*c* <d>"), "a\\|b \\*c\\* \\<d>");
    }
}
