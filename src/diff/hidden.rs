//! Characters that make a patch read otherwise than it runs.
//!
//! A reviewer sees glyphs, a compiler sees code points. Bidirectional controls reorder what is shown ("Trojan
//! Source", CVE-2021-42574; Unicode TR36 §2.10 and TR39 §5.4), invisible characters make two names look like one or
//! carry code in plain sight (tags, variation selectors), and control characters move the cursor of a terminal.
//! Most are `Default_Ignorable_Code_Point` in the Unicode database; none is needed in source code, and where an
//! honest text has one (a joiner in a Persian string, say), a person should still look.

use std::fmt;

use super::{Diff, FileDiff, Side};

/// A character that does not show, found in an added line or in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenCharacter {
    /// The Unicode code point.
    pub code_point: u32,
    /// What kind of character it is, in lower case.
    pub name: &'static str,
    /// The file's path after the change (before, if it is deleted), as the diff has it: not escaped.
    pub file: String,
    /// The line in the changed file, counted from 1; 0 if the character is in the path.
    pub line: u32,
}

/// Returns the first hidden character in a path or an added line, in the order of the diff.
///
/// Removed and context lines are not searched: what stands there is in the tree already. A `\t` is no hidden
/// character, nor is a `\r` at the end of a line, nor a variation selector 15 or 16 that picks the text or emoji form
/// of the character before it.
pub fn find_hidden(diff: &Diff<'_>) -> Option<HiddenCharacter> {
    diff.files.iter().find_map(in_file)
}

fn in_file(file: &FileDiff<'_>) -> Option<HiddenCharacter> {
    let found = |(code_point, name), line| HiddenCharacter {
        code_point,
        name,
        file: file.path().to_owned(),
        line,
    };
    let paths = [file.new_path.as_deref(), file.old_path.as_deref()];
    if let Some(hit) = paths.into_iter().flatten().find_map(in_path) {
        return Some(found(hit, 0));
    }
    for hunk in &file.hunks {
        let mut number = hunk.new_start;
        for line in &hunk.lines {
            match line.side {
                Side::Removed => continue,
                Side::Context => {}
                Side::Added => {
                    if let Some(hit) = in_line(line.text) {
                        return Some(found(hit, number));
                    }
                }
            }
            number = number.saturating_add(1);
        }
    }
    None
}

/// A path has no reason to hold a tab or a carriage return.
fn in_path(path: &str) -> Option<(u32, &'static str)> {
    let control = path.chars().find(|character| character.is_ascii_control());
    match control {
        Some(character) => Some((u32::from(character), "control character")),
        None => in_line(path),
    }
}

fn in_line(text: &str) -> Option<(u32, &'static str)> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    // No early exit: the loop then runs on whole vectors, and nearly all lines are clean.
    let plain = text.bytes().fold(true, |plain, byte| {
        plain & (matches!(byte, b' '..=b'~') | (byte == b'\t'))
    });
    if plain {
        return None;
    }
    let mut after_selector = false;
    for character in text.chars() {
        let code_point = u32::from(character);
        let is_selector = matches!(code_point, 0xFE00..=0xFE0F);
        // One selector 15 or 16 chooses a glyph; a run of selectors carries data.
        let chooses_glyph = matches!(code_point, 0xFE0E | 0xFE0F) && !after_selector;
        after_selector = is_selector;
        if !chooses_glyph && let Some(name) = hidden_name(code_point) {
            return Some((code_point, name));
        }
    }
    None
}

/// Returns what a hidden code point is; `None` for any other.
fn hidden_name(code_point: u32) -> Option<&'static str> {
    let name = match code_point {
        0x09 => return None,
        0x00..=0x1F | 0x7F..=0x9F => "control character",
        0x00AD => "soft hyphen",
        0x034F => "combining grapheme joiner",
        0x061C | 0x200E | 0x200F => "bidirectional mark",
        0x115F | 0x1160 | 0x3164 | 0xFFA0 => "hangul filler",
        0x17B4 | 0x17B5 => "khmer inherent vowel",
        0x180B..=0x180F => "mongolian separator or selector",
        0x200B..=0x200D | 0x2060 => "zero-width character",
        0x2028 | 0x2029 => "line or paragraph separator",
        0x202A..=0x202E => "bidirectional embedding or override",
        0x2061..=0x2064 => "invisible operator",
        0x2066..=0x2069 => "bidirectional isolate",
        0x2065 | 0x206A..=0x206F => "deprecated format character",
        0x2800 => "blank braille pattern",
        0xFE00..=0xFE0F | 0xE0100..=0xE01EF => "variation selector",
        0xFEFF => "byte order mark",
        0xFFF0..=0xFFF8 => "unassigned ignorable character",
        0xFFF9..=0xFFFB => "interlinear annotation",
        0x1BCA0..=0x1BCA3 => "shorthand format control",
        0x1D173..=0x1D17A => "musical format control",
        0xE0000..=0xE007F => "tag character",
        0xE0080..=0xE00FF | 0xE01F0..=0xE0FFF => "unassigned ignorable character",
        _ => return None,
    };
    Some(name)
}

// === impl HiddenCharacter ===

impl fmt::Display for HiddenCharacter {
    /// Writes one line that is safe to show: the path is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.escape_default();
        write!(f, "U+{:04X} {} in {file}", self.code_point, self.name)?;
        match self.line {
            0 => write!(f, " (path)"),
            line => write!(f, " line {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{DiffLimits, parse};

    fn in_added(text: &str) -> Option<HiddenCharacter> {
        let diff = format!("--- a/f\n+++ b/f\n@@ -4 +4,2 @@\n-was\n+one\n+{text}\n");
        find_hidden(&parse(&diff, &DiffLimits::default()).unwrap())
    }

    #[test]
    fn every_family_is_found() {
        let hidden = [
            0x00, 0x08, 0x0C, 0x1B, 0x7F, 0x85, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x180E, 0x200B,
            0x200D, 0x200F, 0x2028, 0x202A, 0x202E, 0x2060, 0x2062, 0x2066, 0x2069, 0x206A, 0x3164,
            0xFE00, 0xFEFF, 0xFFA0, 0xFFF9, 0xE0001, 0xE007F, 0xE0100, 0xE01EF,
        ];
        for code_point in hidden {
            let character = char::from_u32(code_point).unwrap();
            let found = in_added(&format!("a{character}b"));
            assert_eq!(
                found.map(|h| h.code_point),
                Some(code_point),
                "U+{code_point:04X}"
            );
        }
    }

    #[test]
    fn honest_text_is_clean() {
        for text in [
            "\tx = 1;",
            "naïve Größe 漢字 Ελληνικά עברית",
            "ok \u{2714}\u{FE0F}",
            "crlf\r",
            "~",
            "",
        ] {
            assert_eq!(in_added(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_inside_a_line_is_hidden() {
        assert_eq!(in_added("a\rb").map(|h| h.code_point), Some(0x0D));
        assert_eq!(in_added("a\r\r").map(|h| h.code_point), Some(0x0D));
    }

    #[test]
    fn a_run_of_variation_selectors_is_hidden() {
        assert!(in_added("x\u{FE0F}\u{FE0E}").is_some());
    }

    #[test]
    fn the_line_is_the_one_in_the_changed_file() {
        let found = in_added("if (admin\u{202E}) {").unwrap();
        assert_eq!(found.line, 5);
        assert_eq!(
            found.to_string(),
            "U+202E bidirectional embedding or override in f line 5"
        );
    }

    #[test]
    fn removed_and_context_lines_are_not_searched() {
        let text = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n c\u{202E}\n-r\u{202E}\n+a\n";
        assert_eq!(
            find_hidden(&parse(text, &DiffLimits::default()).unwrap()),
            None
        );
    }

    #[test]
    fn a_hidden_character_in_a_path_is_found_and_shown_escaped() {
        let text = "--- a/f\u{200B}.rs\n+++ b/f\u{200B}.rs\n@@ -1 +1 @@\n-r\n+a\n";
        let found = find_hidden(&parse(text, &DiffLimits::default()).unwrap()).unwrap();
        assert_eq!(found.line, 0);
        assert_eq!(
            found.to_string(),
            "U+200B zero-width character in f\\u{200b}.rs (path)"
        );
    }

    #[test]
    fn a_quoted_tab_in_a_path_is_found() {
        let text = "--- \"a/f\\t.rs\"\n+++ \"b/f\\t.rs\"\n@@ -1 +1 @@\n-r\n+a\n";
        let found = find_hidden(&parse(text, &DiffLimits::default()).unwrap()).unwrap();
        assert_eq!(found.code_point, 0x09);
    }
}
