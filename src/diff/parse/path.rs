//! File names in header lines: quoting, timestamps, the `a/` prefix, and what makes a path unsafe.

use std::borrow::Cow;

use super::{DiffError, error::excerpt};
use crate::diff::cut::cut;

/// A name on a `---` or `+++` line.
pub(super) enum SideName<'a> {
    /// `/dev/null`: the file does not exist on this side.
    DevNull,
    /// The path with its first component (`a/`, `b/`) taken off.
    Path(Cow<'a, str>),
}

/// Reads the name on a `---` or `+++` line, given what follows the marker and its space.
///
/// # Errors
///
/// [`DiffError::PathUnreadable`], [`DiffError::UnsafePath`].
pub(super) fn side_name(field: &str, line: u32) -> Result<SideName<'_>, DiffError> {
    let field = field.strip_suffix('\r').unwrap_or(field);
    if let Some(rest) = field.strip_prefix("/dev/null")
        && (rest.is_empty() || rest.starts_with([' ', '\t']))
    {
        return Ok(SideName::DevNull);
    }
    if field.starts_with('"') {
        let (name, rest) = unquote(field).ok_or_else(|| unreadable(field, line))?;
        if !rest.is_empty() && !rest.starts_with('\t') {
            return Err(unreadable(field, line));
        }
        return strip_prefix_component(Cow::Owned(name), line).map(SideName::Path);
    }
    let (name, stamp) = cut(field, b'\t').unwrap_or((field, ""));
    let has_stamp = name.len() < field.len();
    // Without `diff --git`, git looks for a date at the end of the line and takes what precedes it as the name,
    // tabs and all. A line where that search and the first tab disagree could name another file than we see.
    let one_reading = if has_stamp {
        !stamp.as_bytes().contains(&b'\t') && (!ends_in_date(stamp) || is_plain_timestamp(stamp))
    } else {
        !ends_in_date(name)
    };
    if !one_reading {
        return Err(unreadable(field, line));
    }
    strip_prefix_component(Cow::Borrowed(name), line).map(SideName::Path)
}

/// Reads the name on a `rename from`, `rename to`, `copy from` or `copy to` line; it has no prefix to take off.
///
/// # Errors
///
/// [`DiffError::PathUnreadable`], [`DiffError::UnsafePath`].
pub(super) fn bare_name(field: &str, line: u32) -> Result<Cow<'_, str>, DiffError> {
    let field = field.strip_suffix('\r').unwrap_or(field);
    let name = if field.starts_with('"') {
        match unquote(field) {
            Some((name, "")) => Cow::Owned(name),
            _ => return Err(unreadable(field, line)),
        }
    } else {
        Cow::Borrowed(field)
    };
    checked(name, line)
}

/// Reads the name that stands twice, unquoted or quoted, in what follows `diff --git `.
///
/// `None` if the two differ (a rename: the names stand elsewhere) or cannot be told apart.
///
/// # Errors
///
/// [`DiffError::UnsafePath`].
pub(super) fn doubled_name(names: &str, line: u32) -> Result<Option<Cow<'_, str>>, DiffError> {
    if let Some((old, new)) = quoted_pair(names) {
        return match (old.split_once('/'), new.split_once('/')) {
            (Some((_, old)), Some((_, new))) if old == new => {
                checked(Cow::Owned(new.to_owned()), line).map(Some)
            }
            _ => Ok(None),
        };
    }
    // git writes a name that holds a quote in quotes, so this one is broken; and it takes a `\r` for part of the
    // second name here, though not on other lines.
    if names.as_bytes().contains(&b'"') || names.ends_with('\r') {
        return Ok(None);
    }
    let Some((prefix, body)) = cut(names, b'/') else {
        return Ok(None);
    };
    // `body` is name, space, prefix, slash, name: with prefixes of one length the middle is known.
    let name_bytes = body.len().saturating_sub(prefix.len() + 2) / 2;
    match (body.get(..name_bytes), body.get(name_bytes..)) {
        (Some(name), Some(_)) if names_agree(names, name, name) => {
            checked(Cow::Borrowed(name), line).map(Some)
        }
        _ => Ok(None),
    }
}

/// Tells whether both names that follow `diff --git ` are the same from their first letter on.
///
/// Prefixes differ (`a/` and `b/`, `i/` and `w/`), so then there are none, and `-p1` would take off a directory.
pub(super) fn are_without_prefix(names: &str) -> bool {
    if let Some((first, second)) = quoted_pair(names) {
        return first == second;
    }
    let names = names.strip_suffix('\r').unwrap_or(names);
    let half = names.len() / 2;
    names.len() % 2 == 1
        && names.as_bytes().get(half) == Some(&b' ')
        && names.get(..half) == names.get(half + 1..)
}

/// Returns the error of a name without a prefix.
pub(super) fn without_prefix(path: &str, line: u32) -> DiffError {
    DiffError::PrefixMissing {
        line,
        path: excerpt(path),
    }
}

/// Returns the name on a `---` or `+++` line as it stands there, without a time stamp.
pub(super) fn whole_name(field: &str) -> &str {
    let field = field.strip_suffix('\r').unwrap_or(field);
    cut(field, b'\t').map_or(field, |(name, _)| name)
}

/// Tells whether `names`, which follows `diff --git `, says `old` and `new`, each behind one prefix component.
pub(super) fn names_agree(names: &str, old: &str, new: &str) -> bool {
    if let Some((first, second)) = quoted_pair(names) {
        return first.split_once('/').is_some_and(|(_, name)| name == old)
            && second.split_once('/').is_some_and(|(_, name)| name == new);
    }
    names
        .strip_suffix('\r')
        .unwrap_or(names)
        .strip_suffix(new)
        .and_then(|rest| rest.strip_suffix('/'))
        .and_then(|rest| cut(rest, b'/'))
        .and_then(|(_, rest)| rest.strip_prefix(old))
        .and_then(|rest| rest.strip_prefix(' '))
        .is_some_and(|second_prefix| !second_prefix.as_bytes().contains(&b'/'))
}

/// Tells whether a `---` or `+++` field ends in the timestamp that GNU diff gives to a missing file: the epoch.
pub(super) fn is_epoch(field: &str) -> bool {
    epoch_offset_minutes(field) == Some(0)
}

/// Returns how far the timestamp is from the epoch, `None` if it is not of its shape or day.
fn epoch_offset_minutes(field: &str) -> Option<i32> {
    let (_, stamp) = field.rsplit_once('\t')?;
    let (day, rest) = stamp.split_once(' ')?;
    let epoch_hour = match day {
        "1969-12-31" => 24,
        "1970-01-01" => 0,
        _ => return None,
    };
    let (time, zone) = rest.split_once(' ')?;
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let fraction = second.strip_prefix("00")?;
    let no_fraction = fraction.is_empty()
        || (fraction.len() > 1
            && fraction.starts_with('.')
            && fraction.get(1..)?.bytes().all(|b| b == b'0'));
    let (zone_sign, zone_digits) = match zone.as_bytes().first()? {
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    let zone_hour = two_digits(zone_digits.get(..2)?)?;
    let zone_minute = zone_digits.get(2..)?;
    let zone_minute = two_digits(zone_minute.strip_prefix(':').unwrap_or(zone_minute))?;
    let zone_minutes = zone_sign * (zone_hour * 60 + zone_minute);
    no_fraction
        .then_some(two_digits(hour)? * 60 + two_digits(minute)? - zone_minutes - epoch_hour * 60)
}

fn two_digits(text: &str) -> Option<i32> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
        }
        _ => None,
    }
}

/// Tells whether git's search for a date at the end of a line could succeed.
fn ends_in_date(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit();
    text.bytes().next_back().is_some_and(digit)
        && text.as_bytes().windows(8).any(|window| {
            matches!(window, &[a, b, b'-', c, d, b'-', e, f] if [a, b, c, d, e, f].into_iter().all(digit))
        })
}

/// Tells whether the text is one date, perhaps with time and zone, and nothing before it.
fn is_plain_timestamp(stamp: &str) -> bool {
    let Some((year, _)) = stamp.split_once('-') else {
        return false;
    };
    let dashes = stamp.bytes().filter(|&byte| byte == b'-').count();
    // Two dates would need four dashes.
    matches!(year.len(), 2 | 4)
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && dashes <= 3
        && stamp
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-:.+ ".contains(&byte))
}

/// Takes off the first component, as `git apply -p1` does whatever its name, and checks the rest.
fn strip_prefix_component(name: Cow<'_, str>, line: u32) -> Result<Cow<'_, str>, DiffError> {
    let Some(slash) = memchr::memchr(b'/', name.as_bytes()) else {
        return Err(without_prefix(&name, line));
    };
    if slash == 0 || holds_bare_control(&name) {
        return Err(DiffError::UnsafePath {
            line,
            path: excerpt(&name),
        });
    }
    let stripped = match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.get(slash + 1..).unwrap_or_default()),
        Cow::Owned(mut name) => {
            name.drain(..=slash);
            Cow::Owned(name)
        }
    };
    checked(stripped, line)
}

fn checked(path: Cow<'_, str>, line: u32) -> Result<Cow<'_, str>, DiffError> {
    if holds_bare_control(&path) || is_unsafe(&path) {
        return Err(DiffError::UnsafePath {
            line,
            path: excerpt(&path),
        });
    }
    Ok(path)
}

/// Tells whether a name that was not quoted (so still borrowed) holds a control character.
///
/// git quotes such names; a bare `\r` ends a name early for git and does not for others.
#[expect(
    clippy::ptr_arg,
    reason = "whether it is borrowed is what tells a bare name from a quoted one"
)]
fn holds_bare_control(path: &Cow<'_, str>) -> bool {
    match path {
        Cow::Borrowed(path) => path.bytes().any(|byte| byte.is_ascii_control()),
        Cow::Owned(_) => false,
    }
}

/// Tells whether a path could reach outside the tree or into git's own files.
///
/// A backslash counts as a separator, because it is one where the tree may be checked out.
fn is_unsafe(path: &str) -> bool {
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    path.as_bytes().contains(&0)
        || path
            .as_bytes()
            .split(is_separator)
            .any(|component| matches!(component, b"" | b"." | b"..") || is_dot_git(component))
}

/// Tells whether a file system may take the component for `.git`: case, trailing dots and blanks, streams and the
/// short name are all ignored by some.
fn is_dot_git(component: &[u8]) -> bool {
    // Nearly every component differs from both in its first letter.
    if !matches!(component, [b'.' | b'g' | b'G', ..]) {
        return false;
    }
    let stem = component
        .split(|byte| *byte == b':')
        .next()
        .unwrap_or_default();
    let ignored = stem
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b' '))
        .count();
    let stem = stem.get(..stem.len() - ignored).unwrap_or_default();
    stem.eq_ignore_ascii_case(b".git") || stem.eq_ignore_ascii_case(b"git~1")
}

/// Splits what follows `diff --git ` into its two names where at least one is quoted.
fn quoted_pair(names: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let names = names.strip_suffix('\r').unwrap_or(names);
    if names.starts_with('"') {
        let (first, rest) = unquote(names)?;
        let rest = rest.strip_prefix(' ')?;
        if rest.starts_with('"') {
            let (second, rest) = unquote(rest)?;
            return rest
                .is_empty()
                .then_some((Cow::Owned(first), Cow::Owned(second)));
        }
        return Some((Cow::Owned(first), Cow::Borrowed(rest)));
    }
    let quote = memchr::memchr(b'"', names.as_bytes())?;
    let first = names.get(..quote)?.strip_suffix(' ')?;
    let (second, rest) = unquote(names.get(quote..)?)?;
    rest.is_empty()
        .then_some((Cow::Borrowed(first), Cow::Owned(second)))
}

/// Decodes a C-quoted name at the start of `text`; returns it and what follows the closing quote.
///
/// `None` for an unknown escape, a missing quote, or bytes that are not UTF-8.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = Vec::with_capacity(rest.len());
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
        name.extend_from_slice(rest.get(..at)?.as_bytes());
        let escape = rest.get(at + 1..)?;
        if rest.as_bytes().get(at) == Some(&b'"') {
            return Some((String::from_utf8(name).ok()?, escape));
        }
        let (byte, used) = match escape.as_bytes() {
            [b'a', ..] => (0x07, 1),
            [b'b', ..] => (0x08, 1),
            [b't', ..] => (b'\t', 1),
            [b'n', ..] => (b'\n', 1),
            [b'v', ..] => (0x0b, 1),
            [b'f', ..] => (0x0c, 1),
            [b'r', ..] => (b'\r', 1),
            [b'"', ..] => (b'"', 1),
            [b'\\', ..] => (b'\\', 1),
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 3)
            }
            _ => return None,
        };
        name.push(byte);
        rest = escape.get(used..)?;
    }
}

fn unreadable(path: &str, line: u32) -> DiffError {
    DiffError::PathUnreadable {
        line,
        path: excerpt(path),
    }
}
