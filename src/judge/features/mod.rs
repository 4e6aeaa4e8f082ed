//! Features of a diff: numbers that say what an edit does, from one pass over its lines.
//!
//! Nothing that tells who made it rather than how good it is: no line numbers, no paths, no hunk headers, no
//! count of files, and nothing of the context, because tools show more or less of it: with seven features of the
//! context a judge decided 23 % of a stream alone, without them 28 %. The order of files does not matter.

mod bits;
mod language;
mod lexer;
mod reader;
mod schema;
mod tally;
#[cfg(test)]
mod tests;
mod words;

pub use language::{Language, is_test};
pub use reader::{Extractor, Read};
pub use schema::{COLUMNS, Column, columns, schema_digest};

/// No feature is larger than this, nor lower than its negative.
pub const BOUND: f32 = 1_000_000.0;

/// Returns a part of a whole, 0 to 1; 0 of nothing.
fn share(part: u32, whole: u32) -> f32 {
    part as f32 / whole.max(1) as f32
}
