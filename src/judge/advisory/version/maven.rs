//! Maven's order of versions, written from its published rules.
//!
//! Source: "Version Order Specification" of the POM reference (maven.apache.org/pom.html) and the
//! documented behaviour of `org.apache.maven.artifact.versioning.ComparableVersion` in Maven 3.9.
//! Numbers and words are split at dots, hyphens and transitions between digits and letters; a hyphen,
//! a transition or a word at the end opens a sublist; nulls at the end of a list are trimmed, also
//! before a sublist; known qualifiers precede unknown ones. No kept crate implements it.

use std::cmp::Ordering;

/// A parsed Maven version.
#[derive(Debug, Clone)]
pub(in super::super) struct MavenVersion {
    items: Vec<Item>,
}

/// One token of a version.
#[derive(Debug, Clone)]
enum Item {
    /// A number; its decimal digits without leading zeros, so that no length overflows.
    Number(Box<str>),
    /// A qualifier.
    Word(Qualifier),
    /// What follows a hyphen or a transition.
    List(Vec<Item>),
}

/// A qualifier in Maven's order: the known ones by rank, then unknown ones by their text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Qualifier {
    Alpha,
    Beta,
    Milestone,
    Candidate,
    Snapshot,
    Release,
    ServicePack,
    Unknown(Box<str>),
}

/// Deeper nesting than any release has; a hostile version may not exhaust the stack.
const MAX_LISTS: usize = 64;

impl MavenVersion {
    /// Returns the version, or `None` if the text is empty, does not start with a letter or digit,
    /// or holds anything but ASCII letters, digits, `.`, `-`, `_` and `+`.
    ///
    /// Maven itself takes any text; what is outside this set is no version that a release has.
    pub fn parse(text: &str) -> Option<Self> {
        let sane =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
        if !text.bytes().all(sane) || !text.bytes().next()?.is_ascii_alphanumeric() {
            return None;
        }
        Parser::new(&text.to_ascii_lowercase()).run()
    }

    /// Returns a version before every pre-release of this one, if it is made of numbers alone; itself
    /// otherwise.
    pub fn first_pre_release(&self) -> Self {
        let mut items = self.items.clone();
        if items.iter().all(|item| matches!(item, Item::Number(_))) {
            // A word comes before a list, and no known one before `alpha`.
            items.extend(std::iter::repeat_n(Item::Word(Qualifier::Alpha), 3));
        }
        Self { items }
    }

    /// Returns the first two numbers; absent and overlong ones are 0 and [`u64::MAX`].
    pub fn leading_numbers(&self) -> (u64, u64) {
        let mut numbers = self.items.iter().map_while(|item| match item {
            Item::Number(digits) if digits.is_empty() => Some(0),
            Item::Number(digits) => Some(digits.parse().unwrap_or(u64::MAX)),
            _ => None,
        });
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

impl Ord for MavenVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.items, &other.items)
    }
}

impl PartialOrd for MavenVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for MavenVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for MavenVersion {}

// === parsing ===

struct Parser<'a> {
    text: &'a str,
    /// The open lists, the outermost first; never empty while parsing.
    open: Vec<Vec<Item>>,
    start: usize,
    in_digits: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            open: vec![Vec::new()],
            start: 0,
            in_digits: false,
        }
    }

    fn run(mut self) -> Option<MavenVersion> {
        for (index, byte) in self.text.bytes().enumerate() {
            match byte {
                b'.' | b'-' => {
                    self.close_token(index, false);
                    self.start = index + 1;
                    if byte == b'-' {
                        self.open.push(Vec::new());
                    }
                }
                b'0'..=b'9' => {
                    if !self.in_digits && index > self.start {
                        self.open_unless_empty();
                        self.close_token(index, true);
                        self.start = index;
                        self.open.push(Vec::new());
                    }
                    self.in_digits = true;
                }
                _ => {
                    if self.in_digits && index > self.start {
                        self.close_token(index, false);
                        self.start = index;
                        self.open.push(Vec::new());
                    }
                    self.in_digits = false;
                }
            }
            if self.open.len() > MAX_LISTS {
                return None;
            }
        }
        if self.start < self.text.len() {
            // A word at the end is a qualifier of what is before: `1.x` is `1-x`.
            if !self.in_digits {
                self.open_unless_empty();
            }
            self.close_token(self.text.len(), false);
        }
        self.fold()
    }

    fn close_token(&mut self, end: usize, before_number: bool) {
        let token = self.text.get(self.start..end).unwrap_or_default();
        let item = if token.is_empty() {
            Item::Number(Box::default())
        } else if self.in_digits {
            Item::Number(token.trim_start_matches('0').into())
        } else {
            Item::Word(Qualifier::named(token, before_number))
        };
        if let Some(list) = self.open.last_mut() {
            list.push(item);
        }
    }

    fn open_unless_empty(&mut self) {
        if self.open.last().is_some_and(|list| !list.is_empty()) {
            self.open.push(Vec::new());
        }
    }

    /// Closes the lists from the innermost outwards, each trimmed.
    fn fold(mut self) -> Option<MavenVersion> {
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = self.open.pop() {
            list.extend(inner.take().map(Item::List));
            trim(&mut list);
            inner = Some(list);
        }
        inner.map(|items| MavenVersion { items })
    }
}

/// Removes nulls from the end on, looking past sublists: `1.0.0-rc1` is `1-rc1`.
fn trim(list: &mut Vec<Item>) {
    for index in (0..list.len()).rev() {
        match list.get(index) {
            Some(item) if item.is_null() => {
                list.remove(index);
            }
            Some(Item::List(_)) => {}
            _ => return,
        }
    }
}

impl Qualifier {
    fn named(word: &str, before_number: bool) -> Self {
        match word {
            "a" if before_number => Self::Alpha,
            "b" if before_number => Self::Beta,
            "m" if before_number => Self::Milestone,
            "alpha" => Self::Alpha,
            "beta" => Self::Beta,
            "milestone" => Self::Milestone,
            "rc" | "cr" => Self::Candidate,
            "snapshot" => Self::Snapshot,
            "ga" | "final" | "release" => Self::Release,
            "sp" => Self::ServicePack,
            other => Self::Unknown(other.into()),
        }
    }
}

// === comparing ===

impl Item {
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Word(qualifier) => *qualifier == Qualifier::Release,
        }
    }

    /// The order against nothing at all, that is against the release itself.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) if digits.is_empty() => Ordering::Equal,
            Self::Number(_) => Ordering::Greater,
            Self::Word(qualifier) => qualifier.cmp(&Qualifier::Release),
            Self::List(items) => items
                .iter()
                .map(Self::against_nothing)
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => {
                left.len().cmp(&right.len()).then_with(|| left.cmp(right))
            }
            (Self::Word(left), Self::Word(right)) => left.cmp(right),
            (Self::List(left), Self::List(right)) => compare_lists(left, right),
            _ => self.kind_rank().cmp(&other.kind_rank()),
        }
    }

    /// Between kinds: a word comes before a list (`1-sp < 1-1`), a list before a number (`1-1 < 1.1`).
    fn kind_rank(&self) -> u8 {
        match self {
            Self::Word(_) => 0,
            Self::List(_) => 1,
            Self::Number(_) => 2,
        }
    }
}

fn compare_lists(left: &[Item], right: &[Item]) -> Ordering {
    let (mut lefts, mut rights) = (left.iter(), right.iter());
    loop {
        let order = match (lefts.next(), rights.next()) {
            (None, None) => return Ordering::Equal,
            (Some(item), None) => item.against_nothing(),
            (None, Some(item)) => item.against_nothing().reverse(),
            (Some(one), Some(two)) => one.compare(two),
        };
        if order.is_ne() {
            return order;
        }
    }
}
