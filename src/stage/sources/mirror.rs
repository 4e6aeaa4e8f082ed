//! Files of a commit, out of a bare mirror on this machine.
//!
//! git is asked for one blob by a name that was checked. It is told to use no network, to fetch nothing that
//! is missing, to run no hook and to read no settings but the mirror's own, which is the operator's.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::MAX_FILE_BYTES;

/// A directory of mirrors.
#[derive(Debug)]
pub(super) struct Mirrors {
    root: PathBuf,
}

/// One mirror.
#[derive(Debug)]
pub(super) struct Mirror {
    directory: PathBuf,
}

impl Mirrors {
    /// Returns the mirrors in a directory.
    pub(super) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Returns the mirror of a repository, whose name was checked when it came in; `None` if there is none.
    pub(super) fn of(&self, repository: &str) -> Option<Mirror> {
        let directory = self.root.join(format!("{repository}.git"));
        directory.is_dir().then_some(Mirror { directory })
    }
}

impl Mirror {
    /// Returns the text of a file of a commit; `None` if it is not there, no text, too large, or not read
    /// in time.
    pub(super) fn read(&self, commit: &str, path: &str, until: Instant) -> Option<String> {
        let name = blob(commit, path)?;
        let mut git = git(&self.directory, &name).spawn().ok()?;
        let text = output(&mut git, until);
        if text.is_none() {
            // It may have ended by itself.
            let _ = git.kill();
        }
        let ended = git.wait().ok()?;
        text.filter(|_| ended.success())
    }
}

/// Returns the name of a blob as git reads it; `None` for a path that could be read otherwise.
fn blob(commit: &str, path: &str) -> Option<String> {
    let plain = path.split('/').all(|part| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b':'))
    });
    let hexadecimal = commit
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let whole = matches!(commit.len(), 40 | 64);
    (plain && hexadecimal && whole).then(|| [commit, ":", path].concat())
}

fn git(directory: &Path, name: &str) -> Command {
    let mut git = Command::new("git");
    git.env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .args([
            "-c",
            "protocol.allow=never",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        // Who keeps the mirrors need not be who reads them.
        .arg("-c")
        .arg(format!("safe.directory={}", directory.display()))
        .arg("--git-dir")
        .arg(directory)
        .args(["cat-file", "blob", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    git
}

/// Returns what a program prints; `None` if that is too much, no text, or not whole in time.
fn output(program: &mut Child, until: Instant) -> Option<String> {
    let mut out = program.stdout.take()?.take(MAX_FILE_BYTES + 1);
    let (done, wait) = mpsc::channel();
    // The thread ends with the program, which is killed if it takes too long.
    thread::spawn(move || {
        let mut text = String::new();
        let read = out.read_to_string(&mut text);
        // Nobody listens any more after the time is over.
        let _ = done.send(read.ok().map(|_| text));
    });
    let left = until.saturating_duration_since(Instant::now());
    let text = wait.recv_timeout(left).ok()??;
    (text.len() as u64 <= MAX_FILE_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(directory: &Path, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .current_dir(directory)
            .args(["-c", "user.name=t", "-c", "user.email=t@t.invalid"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_file_is_read_as_it_was_at_a_commit() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("work");
        std::fs::create_dir_all(work.join("web")).unwrap();
        run(&work, &["init", "-q"]);
        std::fs::write(work.join("web/package.json"), "{\"a\":1}\n").unwrap();
        run(&work, &["add", "."]);
        run(&work, &["commit", "-qm", "one"]);
        let one = run(&work, &["rev-parse", "HEAD"]);
        std::fs::write(work.join("web/package.json"), "{\"a\":2}\n").unwrap();
        run(&work, &["commit", "-qam", "two"]);
        std::fs::create_dir(root.path().join("o")).unwrap();
        run(root.path(), &["clone", "-q", "--bare", "work", "o/n.git"]);

        let mirrors = Mirrors::at(root.path().to_owned());
        let until = Instant::now() + Duration::from_secs(30);
        let mirror = mirrors.of("o/n").unwrap();
        let text = mirror.read(&one, "web/package.json", until);
        assert_eq!(text.as_deref(), Some("{\"a\":1}\n"));
        for path in ["web/none.json", "web", "../x", "./web/package.json", ""] {
            assert_eq!(mirror.read(&one, path, until), None, "{path}");
        }
        for commit in [
            "HEAD",
            "main",
            "--help",
            &one.to_uppercase(),
            &"0".repeat(40),
        ] {
            assert_eq!(
                mirror.read(commit, "web/package.json", until),
                None,
                "{commit}"
            );
        }
        let past = Instant::now() - Duration::from_secs(1);
        assert_eq!(mirror.read(&one, "web/package.json", past), None);
        assert!(mirrors.of("o/other").is_none());
    }
}
