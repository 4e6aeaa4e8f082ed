//! The payload of a `GIT binary patch`: skipped, yet checked, so that nothing can hide inside it.

use super::{DiffError, lines::Lines};

/// Steps over a forward payload and, where there is one, the reverse payload after it.
///
/// The line in view must be the one after `GIT binary patch`.
///
/// # Errors
///
/// [`DiffError::BinaryPayload`] at the first line that is not git's base 85, or if a payload does not end in an
/// empty line; [`DiffError::LineTooLong`].
pub(super) fn skip_payload(lines: &mut Lines<'_>) -> Result<(), DiffError> {
    if !skip_one(lines)? {
        return Err(corrupt(lines));
    }
    skip_one(lines)?;
    Ok(())
}

/// Steps over one payload; returns `false` if none begins here.
fn skip_one(lines: &mut Lines<'_>) -> Result<bool, DiffError> {
    let Some(size) = lines.current().and_then(|line| {
        line.strip_prefix("literal ")
            .or_else(|| line.strip_prefix("delta "))
    }) else {
        return Ok(false);
    };
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(corrupt(lines));
    }
    loop {
        lines.advance()?;
        match lines.current() {
            Some("") => break,
            Some(line) if is_payload_line(line) => {}
            _ => return Err(corrupt(lines)),
        }
    }
    lines.advance()?;
    Ok(true)
}

/// Tells whether a line is a length letter and as many groups of five digits as that length needs.
fn is_payload_line(line: &str) -> bool {
    let Some((&letter, digits)) = line.as_bytes().split_first() else {
        return false;
    };
    let decoded_bytes = match letter {
        b'A'..=b'Z' => usize::from(letter - b'A') + 1,
        b'a'..=b'z' => usize::from(letter - b'a') + 27,
        _ => return false,
    };
    digits.len() == decoded_bytes.div_ceil(4) * 5 && digits.iter().all(|&digit| is_base85(digit))
}

fn is_base85(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&()*+-;<=>?@^_`{|}~".contains(&byte)
}

fn corrupt(lines: &Lines<'_>) -> DiffError {
    DiffError::BinaryPayload {
        line: lines.number(),
    }
}
