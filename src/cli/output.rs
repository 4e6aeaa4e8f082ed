//! Tables for people, JSON for machines.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::cli::{Exit, Failure};

/// Prints a table to standard output.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    println!("{}", rendered(header, rows));
}

/// Returns a table, as wide as the terminal at most.
pub(super) fn rendered(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table
}

/// Prints a value as JSON to standard output.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(Exit::Internal, e))?;
    println!("{text}");
    Ok(())
}

/// Returns the name that a value has in JSON, with spaces.
pub(super) fn word(value: &impl Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    let name = name.as_ref().and_then(serde_json::Value::as_str);
    name.unwrap_or_default().replace('_', " ")
}
