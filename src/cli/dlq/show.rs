//! `crisol dlq show`: one letter, whole.

use std::io::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::dlq::{read, row_of};
use crate::cli::{Exit, Failure, output};
use crate::event::codec::escaped;
use crate::log::letters::{Entry, Letter};
use crate::log::source::Coordinates;
use crate::log::topics::TopicNames;
use crate::role::Settings;

/// What `show` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The letter, as `crisol dlq list` prints it.
    #[arg(value_name = "PARTITION:OFFSET")]
    letter: Coordinates,
    /// Print the value alone, byte for byte.
    #[arg(long)]
    raw: bool,
}

pub(super) fn show(
    args: &ShowArgs,
    settings: &Settings,
    names: &TopicNames,
    as_json: bool,
) -> Result<Exit, Failure> {
    let mut found: Option<Letter> = None;
    let mut redriven = false;
    read(settings, names, |entry| match entry {
        Entry::Letter(letter) if letter.at == args.letter => found = Some(letter),
        Entry::Receipt(address) if address == args.letter => redriven = true,
        Entry::Letter(_) | Entry::Receipt(_) => {}
    })?;
    let Some(letter) = found else {
        return Err(Failure::new(
            Exit::Found,
            format!(
                "no letter stands at {}; `crisol dlq list` prints those there are",
                args.letter
            ),
        ));
    };
    let value = letter.record.value.as_deref().unwrap_or_default();
    if args.raw {
        std::io::stdout()
            .write_all(value)
            .map_err(|error| Failure::new(Exit::Unavailable, error))?;
    } else if as_json {
        output::json(&told(&letter, redriven))?;
    } else {
        print(&letter, redriven);
    }
    Ok(Exit::Done)
}

fn told(letter: &Letter, redriven: bool) -> Value {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let headers: Vec<Value> = letter
        .record
        .headers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value.as_deref().map(text)}))
        .collect();
    let mut row = row_of(letter);
    row.redriven = redriven;
    json!({
        "letter": row,
        "left_out": letter.left_out,
        "headers": headers,
        "value": letter.record.value.as_deref().map(text),
    })
}

fn print(letter: &Letter, redriven: bool) {
    let row = row_of(letter);
    println!(
        "letter     {}{}",
        row.letter,
        if redriven {
            ", sent in again since"
        } else {
            ""
        }
    );
    println!("written    {}", row.written);
    println!("reason     {}, failed {} times", row.reason, row.attempt);
    println!("message    {}", row.message);
    println!(
        "from       {} partition {} offset {}",
        row.topic, row.partition, row.offset
    );
    println!("key        {}", row.key);
    for (name, value) in &letter.record.headers {
        let value = value.as_deref().map(String::from_utf8_lossy);
        println!(
            "header     {} = {}",
            escaped(name),
            value.map_or_else(String::new, |value| escaped(&value))
        );
    }
    match letter.record.value.as_deref() {
        None if letter.left_out => {
            println!(
                "value      did not fit; it stands at the coordinates above while its topic keeps it"
            );
        }
        None => println!("value      none"),
        Some(value) => {
            println!("value      {} bytes", value.len());
            for line in String::from_utf8_lossy(value).split('\n') {
                println!("{}", escaped(line));
            }
        }
    }
}
