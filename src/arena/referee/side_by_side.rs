//! Runs of one phase side by side: each has a sandbox of its own, so nothing of one can be seen by another.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::{Ending, Step};

/// Does work on each thing, on so many threads, in order of their beginning; returns the results in the order of the
/// things. `step` hears the name of each that begins.
///
/// # Errors
/// The first error of the work, in the order of the things, or that of `step`; what has not begun by then never does.
pub(super) fn side_by_side<T: Sync, R: Send>(
    threads: usize,
    things: &[T],
    name: impl Fn(&T) -> &str,
    step: &mut Step<'_>,
    work: impl Fn(&T) -> Result<R, Ending> + Sync,
) -> Result<Vec<R>, Ending> {
    let stop = AtomicBool::new(false);
    let next = AtomicUsize::new(0);
    let (tell, told) = channel();
    let mut results: Vec<Option<R>> = Vec::new();
    results.resize_with(things.len(), || None);
    let mut first: Option<(usize, Ending)> = None;
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, things.len().max(1)) {
            let (tell, stop, next, work) = (tell.clone(), &stop, &next, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(thing) = things.get(nth) else { break };
                    // The receiver lives until every thread has ended.
                    let _ = tell.send((nth, None));
                    let result = work(thing);
                    if result.is_err() {
                        stop.store(true, Ordering::Release);
                    }
                    let _ = tell.send((nth, Some(result)));
                }
            });
        }
        drop(tell);
        let mut failed = |nth: usize, error: Ending| {
            stop.store(true, Ordering::Release);
            if first.as_ref().is_none_or(|(before, _)| nth < *before) {
                first = Some((nth, error));
            }
        };
        for (nth, result) in told {
            match (result, results.get_mut(nth), things.get(nth)) {
                (None, _, Some(thing)) => {
                    if let Err(error) = step(name(thing)) {
                        failed(nth, error);
                    }
                }
                (Some(Ok(result)), Some(place), _) => *place = Some(result),
                (Some(Err(error)), _, _) => failed(nth, error),
                _ => {}
            }
        }
    });
    match first {
        Some((_, error)) => Err(error),
        None => Ok(results.into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(_: &str) -> Result<(), Ending> {
        Ok(())
    }

    #[test]
    fn results_come_in_the_order_of_the_things_whatever_ends_first() {
        let things: Vec<u64> = (0..12).collect();
        let late = |thing: &u64| {
            thread::sleep(std::time::Duration::from_millis((12 - thing) % 5));
            Ok(thing * 2)
        };
        for threads in [0, 1, 3, 40] {
            let all = side_by_side(threads, &things, |_| "x", &mut silent, late).unwrap();
            let wanted: Vec<u64> = things.iter().map(|thing| thing * 2).collect();
            assert_eq!(all, wanted, "{threads} threads");
        }
        let none: Vec<u64> = Vec::new();
        assert!(
            side_by_side(2, &none, |_| "x", &mut silent, late)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn two_at_a_time_are_two_at_a_time() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let things = [(); 8];
        side_by_side(
            2,
            &things,
            |()| "x",
            &mut silent,
            |()| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(std::time::Duration::from_millis(20));
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn an_end_in_the_middle_begins_nothing_more() {
        let begun = AtomicUsize::new(0);
        let things: Vec<usize> = (0..100).collect();
        let ended = side_by_side(
            2,
            &things,
            |_| "x",
            &mut |_| Err(Ending::Stopped),
            |_| {
                begun.fetch_add(1, Ordering::SeqCst);
                thread::sleep(std::time::Duration::from_millis(30));
                Ok(())
            },
        );
        assert!(matches!(ended, Err(Ending::Stopped)));
        assert!(begun.into_inner() < 20);
        let ended = side_by_side(
            2,
            &things,
            |_| "x",
            &mut silent,
            |thing| match thing {
                3 => Err(Ending::Stopped),
                _ => Ok(()),
            },
        );
        assert!(matches!(ended, Err(Ending::Stopped)));
    }
}
