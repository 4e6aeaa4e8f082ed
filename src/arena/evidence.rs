//! The places where evidence of an attack would stand, watched from outside while the attack runs.
//!
//! That there is no evidence says something only if there could have been some. So a place must be one where a file can
//! come to be, all the time; and a file that came and went was there.

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, FileType, fstatvfs, statat};

use super::sandbox::Work;

/// How often it is looked how much room there is.
const EVERY: Duration = Duration::from_millis(2);
/// The least room in which evidence can come to be: blocks, and files.
const LEAST_BLOCKS: u64 = 16;
const LEAST_FILES: u64 = 4;
/// What a process may open and start at least, for an attack through it to leave evidence.
const LEAST_LIMITS: [(&str, u64); 4] = [
    ("Max file size", u64::MAX),
    ("Max address space", u64::MAX),
    ("Max open files", 64),
    ("Max processes", 8),
];

/// What was seen of the places while they were watched.
#[derive(Debug, Default)]
struct Seen {
    /// Names of files that were made, written or taken away.
    touched: BTreeSet<String>,
    /// Whether room ran out at any time.
    is_full: bool,
    /// Whether more happened than could be told.
    overflowed: bool,
}

/// The places of a run under watch; watching ends with this value.
#[derive(Debug)]
pub(super) struct Watch {
    places: Vec<String>,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch these places, by their paths in the work directory. Where the system has no more watches, what
    /// can be seen afterwards must do.
    pub(super) fn begin(work: &Work, places: Vec<String>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let watcher = match (places.is_empty(), work.directory()) {
            (false, Some(directory)) => directory.try_clone().ok().map(|directory| {
                let events = watches(&directory, &places);
                let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut is_last = false;
                    loop {
                        look(&directory, events.as_ref(), &mut seen.lock());
                        if is_last {
                            return;
                        }
                        // What happened up to the stop is still read.
                        is_last = stop.load(Ordering::Acquire);
                        if !is_last {
                            thread::sleep(EVERY);
                        }
                    }
                })
            }),
            _ => None,
        };
        Self {
            places,
            seen,
            stop,
            watcher,
        }
    }

    /// Ends watching and returns why evidence could not have come to be, or where it came and went; none if its absence
    /// says something.
    pub(super) fn tampering(mut self, work: &Work) -> Option<String> {
        self.end();
        let seen = self.seen.lock();
        self.places
            .iter()
            .find_map(|place| {
                let name = place.rsplit('/').next().unwrap_or(place);
                if seen.touched.contains(name) {
                    return Some(
                        "the place of the evidence was written to, and the evidence is not there"
                            .to_owned(),
                    );
                }
                is_blocked(work, place)
                    .map(|why| format!("no evidence could have come to its place: {why}"))
            })
            .or_else(|| {
                let full = seen.is_full.then_some("there was no room for evidence");
                let flood = seen
                    .overflowed
                    .then_some("more happened at the place of the evidence than can be watched");
                full.or(flood).map(str::to_owned)
            })
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Watches the directories of places, as far as they exist.
fn watches(directory: &fs::File, places: &[String]) -> Option<OwnedFd> {
    let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
    let root = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    let mut directories: BTreeSet<PathBuf> = BTreeSet::from([root.clone()]);
    directories.extend(places.iter().filter_map(|place| {
        let parent = Path::new(place).parent()?;
        Some(root.join(parent))
    }));
    let what = WatchFlags::CREATE
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::ONLYDIR;
    for directory in directories {
        // One that does not exist yet is made below one that does.
        let _ = inotify::add_watch(&events, &directory, what);
    }
    Some(events)
}

fn look(directory: &fs::File, events: Option<&OwnedFd>, seen: &mut Seen) {
    if let Ok(room) = fstatvfs(directory) {
        seen.is_full |= room.f_bavail < LEAST_BLOCKS || room.f_favail < LEAST_FILES;
    }
    let Some(events) = events else { return };
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    while let Ok(event) = reader.next() {
        seen.overflowed |= event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        if let Some(name) = event.file_name() {
            seen.touched.insert(name.to_string_lossy().into_owned());
        }
        if seen.touched.len() > 65_536 {
            seen.touched.clear();
            seen.overflowed = true;
        }
    }
}

/// Returns why no plain file could come to be at a place, if none could.
fn is_blocked(work: &Work, place: &str) -> Option<&'static str> {
    let root = work.directory()?;
    let mut at = PathBuf::new();
    let parts: Vec<_> = Path::new(place).components().collect();
    for (nth, part) in parts.iter().enumerate() {
        let above = if at.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &at
        };
        match statat(root, above, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) != FileType::Directory => {
                return Some("a directory above it is none");
            }
            // Whoever runs in there owns it.
            Ok(found) if found.st_mode & 0o300 != 0o300 => {
                return Some("its directory cannot be written to");
            }
            Ok(_) => {}
            // What is above it may be made by the attack itself.
            Err(_) => return None,
        }
        let Component::Normal(name) = part else {
            return None;
        };
        at.push(name);
        if nth + 1 == parts.len()
            && let Ok(found) = statat(root, &at, AtFlags::SYMLINK_NOFOLLOW)
            && FileType::from_raw_mode(found.st_mode) != FileType::RegularFile
        {
            return Some("something stands there that is no plain file");
        }
    }
    None
}

/// Returns which limit a process of a run was given, or has given itself, that would keep evidence from coming to be.
pub(super) fn limited(processes: &[u32]) -> Option<String> {
    processes.iter().find_map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        LEAST_LIMITS.iter().find_map(|(name, least)| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            let soft = rest.split_whitespace().next()?;
            let soft = soft.parse().unwrap_or(u64::MAX);
            (soft < *least).then(|| format!("a process was given the limit \"{name}\" of {soft}"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn watched(act: impl FnOnce(&Path)) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let work = Work::at(directory.path());
        let watch = Watch::begin(&work, vec!["mark".to_owned(), "sub/other".to_owned()]);
        act(directory.path());
        let told = watch.tampering(&work);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        told
    }

    #[test]
    fn a_place_that_nothing_happens_to_says_something() {
        assert_eq!(watched(|_| ()), None);
        assert_eq!(
            watched(|at| {
                fs::write(at.join("else"), "x").unwrap();
                fs::create_dir(at.join("sub")).unwrap();
            }),
            None
        );
    }

    #[test]
    fn a_place_that_is_taken_closed_or_swept_is_told() {
        let acts: [fn(&Path); 6] = [
            |at| fs::create_dir(at.join("mark")).unwrap(),
            |at| std::os::unix::fs::symlink("/dev/null", at.join("mark")).unwrap(),
            |at| {
                fs::write(at.join("mark"), "x").unwrap();
                fs::remove_file(at.join("mark")).unwrap();
            },
            |at| {
                fs::write(at.join("mark"), "x").unwrap();
                fs::rename(at.join("mark"), at.join("else")).unwrap();
            },
            |at| fs::set_permissions(at, fs::Permissions::from_mode(0o555)).unwrap(),
            |at| fs::write(at.join("sub"), "no directory").unwrap(),
        ];
        for (nth, act) in acts.into_iter().enumerate() {
            assert!(watched(act).is_some(), "{nth}");
        }
    }

    #[test]
    fn a_process_that_may_write_no_file_is_told() {
        let own = std::process::id();
        assert_eq!(limited(&[own]), None);
        let mut child = std::process::Command::new("prlimit")
            .args(["--fsize=0", "sleep", "5"])
            .spawn()
            .unwrap();
        let told = (0..200).find_map(|_| {
            thread::sleep(Duration::from_millis(10));
            limited(&[child.id()])
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(told.unwrap().contains("file size"));
    }
}
