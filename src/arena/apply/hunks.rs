//! Puts the hunks of one file where git would put them.
//!
//! diffy reads the hunks; it would also apply them, but looks backwards first where git looks forwards, and does not
//! hold a hunk without context to the file's beginning or end. A gate must try the tree that the patch's user gets.

use diffy::{Hunk, Line, Patch};

/// A line of the file, and whether a hunk has put it there.
type Placed<'a> = (&'a [u8], bool);

/// Returns the text with all hunks applied; the number of the first that fits nowhere, from 1.
pub(super) fn apply(before: &[u8], patch: &Patch<'_, [u8]>) -> Result<Vec<u8>, usize> {
    let mut image: Vec<Placed<'_>> = before
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| (line, false))
        .collect();
    for (nth, hunk) in patch.hunks().iter().enumerate() {
        let (old, new) = sides(hunk);
        let at = place(&image, &old, hunk).ok_or(nth + 1)?;
        let placed = new.into_iter().map(|line| (line, true));
        image.splice(at..at + old.len(), placed);
    }
    Ok(image
        .into_iter()
        .flat_map(|(line, _)| line)
        .copied()
        .collect())
}

/// Returns the lines that a hunk finds, and those that it leaves.
fn sides<'h>(hunk: &'h Hunk<'_, [u8]>) -> (Vec<&'h [u8]>, Vec<&'h [u8]>) {
    let (mut old, mut new): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    for line in hunk.lines() {
        match line {
            Line::Context(text) => {
                old.push(text);
                new.push(text);
            }
            Line::Delete(text) => old.push(text),
            Line::Insert(text) => new.push(text),
        }
    }
    (old, new)
}

/// Returns where a hunk fits, nearest to where it says; of two places as near, the later one. One that begins with the
/// file must stand at its beginning, and one that ends without context at its end.
fn place(image: &[Placed<'_>], old: &[&[u8]], hunk: &Hunk<'_, [u8]>) -> Option<usize> {
    let last = image.len().checked_sub(old.len())?;
    let at_beginning = hunk.old_range().start() <= 1;
    let at_end = !matches!(hunk.lines().last(), Some(Line::Context(_)));
    let fits = |at: usize| {
        let found = image.get(at..at + old.len());
        (!at_beginning || at == 0)
            && (!at_end || at == last)
            && found.is_some_and(|found| {
                let same = |((line, placed), old): (&Placed<'_>, &&[u8])| !placed && line == old;
                found.iter().zip(old).all(same)
            })
    };
    let told = match (at_beginning, at_end) {
        (true, _) => 0,
        (false, true) => last,
        (false, false) => hunk.new_range().start().saturating_sub(1),
    };
    let told = told.min(image.len());
    if fits(told) {
        return Some(told);
    }
    (1..=image.len()).find_map(|away| {
        let later = told.checked_add(away).filter(|at| *at <= last);
        let earlier = told.checked_sub(away);
        [later, earlier].into_iter().flatten().find(|at| fits(*at))
    })
}
