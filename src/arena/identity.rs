//! Who works on foreign bytes: never root. A service that was started as root fetches, unpacks, copies and applies on
//! threads that became nobody first; for an ordinary user nothing changes.
//!
//! Linux keeps identities by thread, so the rest of the process stays what it was: it still has to build walls.

use std::io;
use std::path::Path;
use std::sync::Once;
use std::thread;

use rustix::process::geteuid;
use rustix::thread::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tracing::warn;

/// Nobody, on Debian and elsewhere.
const NOBODY: u32 = 65_534;
static WARNED: Once = Once::new();

/// Runs something that touches foreign bytes, as nobody where this thread is root; returns what it returns.
///
/// # Errors
/// If no thread can be had, or root cannot be given up; then nothing was run.
pub(super) fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if !geteuid().is_root() {
        return Ok(work());
    }
    thread::scope(|scope| {
        let begun = thread::Builder::new()
            .name("foreign".to_owned())
            .spawn_scoped(scope, || {
                become_nobody()?;
                Ok(work())
            })?;
        match begun.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Starts a thread of its own for something that touches foreign bytes; as nobody where this thread is root, and so are
/// all threads that it starts.
///
/// # Errors
/// If no thread can be had. Where root cannot be given up nothing is run, and `work` is dropped.
pub(super) fn spawn_as_nobody(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let begun = thread::Builder::new().name(name.to_owned()).spawn(|| {
        if geteuid().is_root()
            && let Err(error) = become_nobody()
        {
            warn!(%error, "root cannot be given up");
            return;
        }
        work();
    })?;
    drop(begun);
    Ok(())
}

/// Gives a directory to the identity that works on foreign bytes, if it is another than this thread's.
///
/// # Errors
/// If it cannot be given away.
pub(super) fn give_to_nobody(path: &Path) -> io::Result<()> {
    if geteuid().is_root() {
        let nobody = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        rustix::fs::chown(path, Some(nobody.0), Some(nobody.1))?;
    }
    Ok(())
}

/// Returns whether a user may own what foreign bytes are kept in: whoever works on them, and nobody else.
pub(super) fn works_on_foreign_bytes(user: u32) -> bool {
    let own = geteuid();
    user == own.as_raw() || (own.is_root() && user == NOBODY)
}

/// Says once in the log that this process was started as root, if it was.
pub(super) fn warn_of_root() {
    if geteuid().is_root() {
        WARNED.call_once(|| {
            warn!("started as root: foreign bytes are worked on as nobody, but an ordinary user is safer");
        });
    }
}

fn become_nobody() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn foreign_bytes_are_worked_on_as_nobody_and_the_rest_stays_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, "for its owner").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let own = directory.path().join("own");
        fs::create_dir(&own).unwrap();
        give_to_nobody(&own).unwrap();
        let (read, written) = as_nobody(|| {
            let written = fs::write(own.join("file"), "x");
            (fs::read(&secret).is_ok(), written)
        })
        .unwrap();
        written.unwrap();
        let owner = fs::metadata(own.join("file")).unwrap().uid();
        if geteuid().is_root() {
            assert!(!read, "nobody read what is root's alone");
            assert_eq!(owner, NOBODY);
        } else {
            assert!(read, "an ordinary user stays who he is");
        }
        assert!(works_on_foreign_bytes(owner));
        // The negative control: this thread still may.
        assert!(fs::read(&secret).is_ok());
        assert!(!works_on_foreign_bytes(NOBODY - 7));
    }

    #[test]
    fn threads_that_such_a_thread_starts_are_nobody_too() {
        let (tell, told) = std::sync::mpsc::channel();
        spawn_as_nobody("test", move || {
            let inner = thread::spawn(|| geteuid().is_root());
            tell.send(inner.join().unwrap()).unwrap();
        })
        .unwrap();
        assert!(!told.recv().unwrap());
    }
}
