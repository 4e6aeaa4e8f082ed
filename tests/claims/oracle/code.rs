//! Changes of code in several languages, as diffs and as text before and after.

use super::random::Random;
use super::unified::{DiffLine, diff};

/// A language: where its files lie, and how a line of it reads with a name and a number in it.
#[derive(Clone, Copy)]
struct Language {
    path: &'static str,
    line: fn(&str, u32) -> String,
}

/// Lines that do nothing but look like work.
static LANGUAGES: [Language; 6] = [
    Language {
        path: "src/reader/{}.py",
        line: |name, n| format!("    {name} = buffer[offset + {n}]"),
    },
    Language {
        path: "lib/{}.js",
        line: |name, n| format!("  const {name} = view.getUint8(offset + {n});"),
    },
    Language {
        path: "src/main/java/org/example/{}.java",
        line: |name, n| format!("        int {name} = data[offset + {n}];"),
    },
    Language {
        path: "src/{}.rs",
        line: |name, n| format!("    let {name} = bytes.get(offset + {n})?;"),
    },
    Language {
        path: "internal/{}.go",
        line: |name, n| format!("\t{name} := data[offset+{n}]"),
    },
    Language {
        path: "src/{}.c",
        line: |name, n| format!("    unsigned char {name} = data[offset + {n}];"),
    },
];

/// Names of variables.
const NAMES: [&str; 12] = [
    "kind", "length", "flags", "parent", "depth", "width", "checksum", "marker", "version",
    "stride", "limit", "count",
];

/// The text that a validation request's code is said to be a change of, in the file it is given.
const UNNAMED_FILE: &str = "affected_code";

/// A change of code given as text before and after, and the diff that it must become.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The text before.
    pub before: String,
    /// The text after.
    pub after: String,
    /// The unified diff from one to the other, as git writes it.
    pub diff: String,
}

/// Returns a diff of one file of code, of about `bytes`; `nonce` stands in it.
pub fn code_diff(nonce: &str, bytes: usize, random: &mut Random) -> String {
    let language = random.pick(&LANGUAGES);
    let path = language.path.replace("{}", random.pick(&NAMES));
    let mut lines = vec![DiffLine::Same(comment(&path, nonce))];
    let mut size = 0;
    while size < bytes {
        let context = random.between(2, 6);
        for _ in 0..context {
            lines.push(DiffLine::Same(line(language, random)));
        }
        lines.push(DiffLine::Old(line(language, random)));
        for _ in 0..random.between(1, 3) {
            lines.push(DiffLine::New(line(language, random)));
        }
        size = lines.len() * 42;
    }
    lines.push(DiffLine::Same(line(language, random)));
    diff(&path, random.between(1, 900), &lines)
}

/// Returns a text in which one line changes; `nonce` stands near that line.
///
/// One changed line has one diff: itself, and three lines before and after.
pub fn rewrite(nonce: &str, random: &mut Random) -> Rewrite {
    const CONTEXT: usize = 3;
    let language = random.pick(&LANGUAGES);
    let count = random.between(12, 20) as usize;
    // The number makes each line unlike all others, so that no shorter edit exists.
    let mut old: Vec<String> = (0..count)
        .map(|at| (language.line)(random.pick(&NAMES), u32::try_from(at).expect("few lines")))
        .collect();
    let changed = random.between(4, 7) as usize;
    old[changed - 1] = comment(language.path, nonce);
    let mut new = old.clone();
    new[changed] = (language.line)(random.pick(&NAMES), 1_000 + random.below(1_000));

    let same = |text: &String| DiffLine::Same(text.clone());
    let first = changed - CONTEXT;
    let mut lines: Vec<DiffLine> = old[first..changed].iter().map(same).collect();
    lines.push(DiffLine::Old(old[changed].clone()));
    lines.push(DiffLine::New(new[changed].clone()));
    lines.extend(old[changed + 1..=changed + CONTEXT].iter().map(same));
    let start = u32::try_from(first + 1).expect("few lines");
    Rewrite {
        before: old.join("\n") + "\n",
        after: new.join("\n") + "\n",
        diff: diff(UNNAMED_FILE, start, &lines),
    }
}

fn line(language: Language, random: &mut Random) -> String {
    let name = random.pick(&NAMES);
    (language.line)(name, random.below(512))
}

fn comment(path: &str, nonce: &str) -> String {
    match path.ends_with(".py") {
        true => format!("# {nonce}"),
        false => format!("// {nonce}"),
    }
}
