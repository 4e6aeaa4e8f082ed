//! What one side of a diff is made of, counted token by token.

use super::bits::Bits;
use super::lexer::{Kind, Place, Token};
use super::words::{Class, classes_in};

/// Groups of operators, in the order of the features.
pub(super) const OPERATORS: [&str; 20] = [
    "and",
    "or",
    "not",
    "equal",
    "unequal",
    "less",
    "less_equal",
    "assign",
    "update",
    "arithmetic",
    "bitwise",
    "optional",
    "arrow",
    "scope",
    "dot",
    "comma",
    "semicolon",
    "paren",
    "bracket",
    "brace",
];
const PAREN: usize = 17;
const BRACE: usize = 19;

/// Classes of words.
pub(super) const CLASSES: usize = Class::ALL.len();

/// Counts of the added or the removed lines.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) classes: [u32; CLASSES],
    pub(super) operators: [u32; OPERATORS.len()],
    pub(super) tokens: u32,
    pub(super) names: u32,
    pub(super) numbers: u32,
    pub(super) texts: u32,
    pub(super) calls: u32,
    pub(super) lines: u32,
    pub(super) blank: u32,
    pub(super) comment_lines: u32,
    pub(super) bytes: u32,
    pub(super) longest: u32,
    /// Opened less closed.
    pub(super) braces: i32,
    /// Opened less closed.
    pub(super) parens: i32,
    /// Names and numbers in code.
    pub(super) names_in_code: Bits,
    /// All tokens.
    pub(super) all: Bits,
    /// Lines, by their tokens.
    pub(super) all_lines: Bits,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            classes: [0; CLASSES],
            operators: [0; OPERATORS.len()],
            tokens: 0,
            names: 0,
            numbers: 0,
            texts: 0,
            calls: 0,
            lines: 0,
            blank: 0,
            comment_lines: 0,
            bytes: 0,
            longest: 0,
            braces: 0,
            parens: 0,
            names_in_code: Bits::default(),
            all: Bits::default(),
            all_lines: Bits::default(),
        }
    }
}

/// What a line has that the lines around it are judged by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineFacts {
    pub(super) tokens: u32,
    pub(super) code: bool,
    pub(super) condition: bool,
    pub(super) leaves: bool,
    pub(super) connects: bool,
}

impl Tally {
    /// Counts a token, and notes in `line` what is said of its line. `hash` is that of its bytes.
    pub(super) fn token(
        &mut self,
        token: Token<'_>,
        hash: u64,
        after_name: bool,
        line: &mut LineFacts,
    ) {
        self.tokens += 1;
        self.all.insert(hash);
        line.tokens += 1;
        if token.place != Place::Code {
            return;
        }
        line.code = true;
        match token.kind {
            Kind::Word => {
                self.names += 1;
                self.names_in_code.insert(hash);
                classes_in(token.bytes, hash, |class| {
                    if let Some(count) = self.classes.get_mut(class as usize) {
                        *count += 1;
                    }
                    match class {
                        Class::If => line.condition = true,
                        Class::Return | Class::Throw | Class::Jump => line.leaves = true,
                        Class::Logic => line.connects = true,
                        _ => {}
                    }
                });
            }
            Kind::Number => {
                self.numbers += 1;
                self.names_in_code.insert(hash);
            }
            Kind::Quote => self.texts += 1,
            Kind::Operator => self.operator(token.bytes, after_name, line),
        }
    }

    fn operator(&mut self, bytes: &[u8], after_name: bool, line: &mut LineFacts) {
        let group = match bytes {
            b"&&" => 0,
            b"||" => 1,
            b"!" => 2,
            b"==" => 3,
            b"!=" => 4,
            b"<" | b">" => 5,
            b"<=" | b">=" => 6,
            b"=" => 7,
            b"++" | b"--" | b"+=" | b"-=" | b"*=" | b"/=" | b"%=" | b"&=" | b"|=" | b"^=" => 8,
            b"+" | b"-" | b"*" | b"/" | b"%" => 9,
            b"&" | b"|" | b"^" | b"~" | b"<<" | b">>" => 10,
            b"?" | b"??" => 11,
            b"->" | b"=>" => 12,
            b"::" => 13,
            b"." => 14,
            b"," => 15,
            b";" => 16,
            b"(" | b")" => PAREN,
            b"[" | b"]" => 18,
            b"{" | b"}" => BRACE,
            _ => return,
        };
        if let Some(count) = self.operators.get_mut(group) {
            *count += 1;
        }
        match bytes {
            b"(" => {
                self.parens += 1;
                self.calls += u32::from(after_name);
            }
            b")" => self.parens -= 1,
            b"{" => self.braces += 1,
            b"}" => self.braces -= 1,
            b"&&" | b"||" => line.connects = true,
            _ => {}
        }
    }

    /// Counts a line once its tokens are counted.
    pub(super) fn line(&mut self, bytes: usize, hash: u64, facts: LineFacts) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.longest = self.longest.max(bytes);
        if facts.tokens == 0 {
            self.blank += 1;
            return;
        }
        self.comment_lines += u32::from(!facts.code);
        self.all_lines.insert(hash);
    }
}
