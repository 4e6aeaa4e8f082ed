//! Forests alone: fitting them, scoring a row, explaining one.
//!
//! `cargo bench --bench forest` fits a boosted and a bagged forest to made-up rows and prints what each
//! takes. `make compare` does the same beside other runtimes: `boost DIR` and `bag DIR` write `forest.json`
//! and `rows.npy`; `run DIR` reads both, writes `scores.npy` and `shap.npy` (the base comes after the columns)
//! and prints the times as JSON.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use crisol::judge::forest::{BagParams, BoostParams, Draws, Forest, Matrix, bag, boost};
use crisol::judge::train::measure::auc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows that are written beside a forest.
const ROWS: usize = 1_024;
/// Columns of the made-up rows.
const COLUMNS: usize = 220;

fn main() -> Outcome<()> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("forest");
    // Cargo adds a flag of its own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [kind @ ("boost" | "bag"), dir] => fit(kind, Path::new(dir)),
        ["run", dir] => run(Path::new(dir)),
        [] => ["boost", "bag"].into_iter().try_for_each(|kind| {
            let dir = scratch.join(kind);
            fit(kind, &dir)?;
            run(&dir)
        }),
        _ => Err("usage: [boost DIR | bag DIR | run DIR]".into()),
    }
}

fn fit(kind: &str, dir: &Path) -> Outcome<()> {
    if kind == "boost" {
        make(dir, 60_000, |rows, labels| {
            Ok(boost(
                rows,
                labels,
                None,
                &BoostParams::default(),
                &mut |_| {},
            )?)
        })
    } else {
        make(dir, 11_000, |rows, labels| {
            Ok(bag(rows, labels, &BagParams::default(), &mut |_| {})?)
        })
    }
}

fn make(
    dir: &Path,
    count: usize,
    train: impl FnOnce(&Matrix, &[bool]) -> Outcome<Forest>,
) -> Outcome<()> {
    let (rows, labels) = made_up(count, 1)?;
    let (unseen, truth) = made_up(20_000, 2)?;
    let began = Instant::now();
    let forest = train(&rows, &labels)?;
    let took = began.elapsed();
    let mut scores = Vec::new();
    forest.score_batch(&unseen, &mut scores);
    println!(
        "{count} rows x {COLUMNS} columns: {:.2} s, {} trees, {} nodes, deepest {}, AUC on unseen rows {:.4}",
        took.as_secs_f64(),
        forest.trees(),
        forest.nodes(),
        forest.parts().validate()?.into_iter().max().unwrap_or(0),
        auc(&scores.into_iter().zip(truth).collect::<Vec<_>>()),
    );
    fs::create_dir_all(dir)?;
    fs::write(dir.join("forest.json"), serde_json::to_vec(&forest)?)?;
    let values: Vec<u8> = (0..ROWS)
        .flat_map(|at| unseen.row(at))
        .flat_map(|value| value.to_le_bytes())
        .collect();
    write_npy(&dir.join("rows.npy"), "<f4", &[ROWS, COLUMNS], &values)
}

/// Returns rows of counts, flags and measures; 80 % of the labels are true, and some twenty columns
/// have to do with them.
fn made_up(count: usize, seed: u64) -> Outcome<(Matrix, Vec<bool>)> {
    let mut draws = Draws::new(seed, 0);
    let mut rows = Matrix::empty(COLUMNS)?;
    let mut labels = Vec::with_capacity(count);
    let mut row = vec![0.0_f32; COLUMNS];
    for _ in 0..count {
        let mut odds = 1.2;
        for (column, value) in row.iter_mut().enumerate() {
            let unit = draws.unit();
            *value = match column % 4 {
                0 => unit as f32,
                1 => f32::from(u8::from(unit < 0.2)),
                2 => (-unit.ln() * 6.0).floor() as f32,
                _ if unit < 0.7 => 0.0,
                _ => (unit * 20.0).exp() as f32,
            };
            if column < 20 {
                let effect = if column % 3 == 0 { 0.9 } else { -0.6 };
                odds += effect * (if unit < 0.3 { 1.0 } else { -0.3 });
            }
        }
        labels.push(draws.unit() < 1.0 / (1.0 + f64::exp(-odds)));
        rows.push_row(&row)?;
    }
    Ok((rows, labels))
}

fn run(dir: &Path) -> Outcome<()> {
    let forest: Forest = serde_json::from_slice(&fs::read(dir.join("forest.json"))?)?;
    let rows = read_npy(&dir.join("rows.npy"))?;
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let bytes: Vec<u8> = scores
        .iter()
        .flat_map(|score| score.to_le_bytes())
        .collect();
    write_npy(&dir.join("scores.npy"), "<f8", &[rows.rows()], &bytes)?;
    let explained = rows.rows().min(256);
    let mut bytes = Vec::new();
    for at in 0..explained {
        let explanation = forest.explain(rows.row(at));
        for added in explanation.contributions.iter().chain([&explanation.base]) {
            bytes.extend_from_slice(&added.to_le_bytes());
        }
    }
    let shape = [explained, forest.columns() + 1];
    write_npy(&dir.join("shap.npy"), "<f8", &shape, &bytes)?;

    let one = |at: usize| {
        black_box(forest.score(black_box(rows.row(at % rows.rows()))));
    };
    let plain = |at: usize| {
        black_box(forest.score_plainly(black_box(rows.row(at % rows.rows()))));
    };
    let explain = |at: usize| {
        black_box(forest.explain(black_box(rows.row(at % rows.rows()))));
    };
    let few: Vec<f32> = rows
        .values()
        .iter()
        .copied()
        .take(512 * rows.columns())
        .collect();
    let few = Matrix::try_new(few.len() / rows.columns(), rows.columns(), few)?;
    let mut out = Vec::new();
    let mut batch = |_: usize| forest.score_batch(black_box(&few), &mut out);
    println!(
        "{{\"batch_1_ns\":{},\"plain_1_ns\":{},\"batch_512_ns\":{},\"explain_ns\":{}}}",
        median_ns(200_000, one),
        median_ns(20_000, plain),
        median_ns(1_000, &mut batch),
        median_ns(1_000, explain),
    );
    Ok(())
}

/// Returns the median time of one call, in ns.
fn median_ns(calls: usize, mut call: impl FnMut(usize)) -> u128 {
    (0..calls / 10).for_each(&mut call);
    let mut times: Vec<u128> = (0..calls)
        .map(|at| {
            let began = Instant::now();
            call(at);
            began.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

fn write_npy(path: &Path, kind: &str, shape: &[usize], values: &[u8]) -> Outcome<()> {
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Values begin at a multiple of 64; the header ends with a line feed.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&u16::try_from(length)?.to_le_bytes());
    bytes.extend_from_slice(format!("{header:<width$}\n", width = length - 1).as_bytes());
    bytes.extend_from_slice(values);
    Ok(fs::write(path, bytes)?)
}

/// Reads rows of `<f4`, version 1.
fn read_npy(path: &Path) -> Outcome<Matrix> {
    let bytes = fs::read(path)?;
    let (Some(b"\x93NUMPY\x01\x00"), Some(&[low, high])) = (
        bytes.first_chunk::<8>(),
        bytes.get(8..).and_then(|rest| rest.first_chunk::<2>()),
    ) else {
        return Err("not a version 1 .npy file".into());
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let header = std::str::from_utf8(bytes.get(10..10 + length).ok_or("a short header")?)?;
    if !header.contains("'<f4'") || header.contains("True") {
        return Err("rows are <f4 in C order".into());
    }
    let shape = header
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let sizes: Vec<usize> = shape
        .ok_or("no shape")?
        .0
        .split(',')
        .filter_map(|size| size.trim().parse().ok())
        .collect();
    let [rows, columns] = sizes.as_slice() else {
        return Err("rows have two dimensions".into());
    };
    let values = bytes
        .get(10 + length..)
        .unwrap_or_default()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&value| f32::from_le_bytes(value))
        .collect();
    Ok(Matrix::try_new(*rows, *columns, values)?)
}
