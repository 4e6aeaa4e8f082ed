//! The gateway: answers what package managers in the arena ask, over a socket that stands among their files.
//!
//! It works as nobody. Whatever it answers it has fetched itself, from where the settings say, and checked; an artifact
//! can be had only under a name that it has given out before.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use url::Url;
use uuid::Uuid;

use super::client::{FetchError, MAX_ARTIFACT_BYTES};
use super::digest::Stated;
use super::findings::Findings;
use super::http::{Answer, answer, question};
use super::npm::is_name;
use super::simple::{self, is_project};
use super::sources::Base;
use super::wheel::direct_references;
use super::{INSIDE, Registry};
use crate::arena::identity::{as_nobody, spawn_as_nobody};
use crate::event::id::sha256_hex;

/// The most questions that one build may ask, and at once.
const MAX_QUESTIONS: u64 = 8_192;
const MAX_AT_ONCE: usize = 32;
/// The most that all artifacts of one build may have, in bytes.
const MAX_BYTES: u64 = 384 << 20;
/// The longest that whoever asks may be silent.
const SILENT: Duration = Duration::from_secs(20);

/// What may be asked for under a name that was given out.
#[derive(Debug, Clone)]
struct Artifact {
    /// What it is, for people.
    what: String,
    base: Base,
    url: Option<Url>,
    stated: Option<Stated>,
    /// Why it may not be had.
    foreign: Option<String>,
    /// The package of npm that it is of.
    package: Option<String>,
}

/// Answers for one build; ends with its value.
#[derive(Debug)]
pub(in crate::arena) struct Gateway {
    socket: PathBuf,
    short: PathBuf,
    _directory: File,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Arc<Registry>,
    /// Where artifacts lie while they are checked and answered, without a name.
    spool: PathBuf,
    given: Mutex<HashMap<String, Artifact>>,
    findings: Mutex<Findings>,
    is_over: AtomicBool,
    questions: AtomicU64,
    at_once: AtomicUsize,
    bytes: AtomicU64,
}

impl Gateway {
    /// Returns one whose socket stands in a directory that nobody's identity may write.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(in crate::arena) fn open(registry: &Arc<Registry>, directory: &Path) -> io::Result<Self> {
        let name = ["registry-", &Uuid::new_v4().simple().to_string()].concat();
        let opened = File::open(directory)?;
        // The whole path may be longer than an address of a socket can be.
        let short = PathBuf::from(format!("/proc/self/fd/{}/{name}", opened.as_raw_fd()));
        let socket = directory.join(name);
        let listener = as_nobody(|| {
            let listener = UnixListener::bind(&short)?;
            // Whoever may reach it gets what any registry gives to anybody.
            fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
            Ok::<_, io::Error>(listener)
        })??;
        let shared = Arc::new(Shared {
            registry: Arc::clone(registry),
            spool: directory.to_owned(),
            given: Mutex::default(),
            findings: Mutex::default(),
            is_over: AtomicBool::new(false),
            questions: AtomicU64::new(0),
            at_once: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        spawn_as_nobody("gateway", move || serve(&listener, &serving))?;
        Ok(Self {
            socket,
            short,
            _directory: opened,
            shared,
        })
    }

    /// Returns where its socket stands.
    pub(in crate::arena) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns what was found so far.
    pub(in crate::arena) fn findings(&self) -> Findings {
        self.shared.findings.lock().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Whoever waits for a question wakes up. What is still being fetched ends at its own deadline.
        let _ = UnixStream::connect(&self.short);
        let _ = fs::remove_file(&self.socket);
    }
}

fn serve(listener: &UnixListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            continue;
        };
        if shared.at_once.fetch_add(1, Ordering::AcqRel) >= MAX_AT_ONCE {
            shared.at_once.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let inner = Arc::clone(shared);
        let begun = thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || {
                let _ = inner.converse(stream);
                inner.at_once.fetch_sub(1, Ordering::AcqRel);
            });
        if begun.is_err() {
            shared.at_once.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Shared {
    fn converse(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENT))?;
        stream.set_write_timeout(Some(SILENT))?;
        let asked = question(&mut stream)?;
        let given = match asked {
            Ok(_) if self.questions.fetch_add(1, Ordering::Relaxed) >= MAX_QUESTIONS => {
                let error = FetchError::Refused("the build asks for too much".to_owned());
                self.not("registry", &error)
            }
            Ok(path) => self.answered(&path),
            Err(not) => not,
        };
        answer(&mut stream, given)
    }

    fn answered(&self, path: &str) -> Answer {
        if let Some(name) = path.strip_prefix("/npm/") {
            return match name.split_once("/-/") {
                None => self.packument(name),
                Some((name, _)) => self.tarball(name, path),
            };
        }
        if let Some(name) = path.strip_prefix("/simple/") {
            return self.project(name.trim_end_matches('/'));
        }
        if path.starts_with("/files/") {
            let given = self.given.lock().get(path).cloned();
            return given.map_or(Answer::Not(404, "not given out"), |it| self.artifact(&it));
        }
        Answer::Not(404, "no such question")
    }

    fn packument(&self, name: &str) -> Answer {
        match self.learn(name) {
            Ok(text) => Answer::Text("application/json", text),
            Err(error) => self.not(name, &error),
        }
    }

    /// Fetches a packument, gives names out for its tarballs, and returns what npm is told.
    fn learn(&self, name: &str) -> Result<Vec<u8>, FetchError> {
        if !is_name(name) {
            return Err(FetchError::Refused("not the name of a package".to_owned()));
        }
        let packument = self.registry.packument(name)?;
        let path = |version: &str| {
            let base = name.rsplit('/').next().unwrap_or(name);
            format!("/npm/{name}/-/{base}-{version}.tgz")
        };
        let mut given = self.given.lock();
        for (version, of) in &packument.versions {
            let artifact = Artifact {
                what: [name, "@", version].concat(),
                base: self.registry.sources.npm.clone(),
                url: of.tarball.clone(),
                stated: of.stated.clone(),
                foreign: of.foreign.clone(),
                package: Some(name.to_owned()),
            };
            given.insert(path(version), artifact);
        }
        drop(given);
        let told = packument.told(|version| [INSIDE, &path(version)].concat());
        Ok(told.to_string().into_bytes())
    }

    fn tarball(&self, name: &str, path: &str) -> Answer {
        let known = || self.given.lock().get(path).cloned();
        let artifact = match known() {
            Some(artifact) => artifact,
            // A shrinkwrap names tarballs that nobody has asked about before.
            None => {
                if let Err(error) = self.learn(name) {
                    return self.not(name, &error);
                }
                match known() {
                    Some(artifact) => artifact,
                    None => return Answer::Not(404, "not given out"),
                }
            }
        };
        self.artifact(&artifact)
    }

    /// Answers with the wheels of a project, and with nothing that would have to be built.
    fn project(&self, name: &str) -> Answer {
        if !is_project(name) {
            let error = FetchError::Refused("not the name of a project".to_owned());
            return self.not(name, &error);
        }
        let mut files = match self.registry.project(name) {
            Ok(files) => files,
            Err(error) => return self.not(name, &error),
        };
        files.retain(|(file, _)| file.name.ends_with(".whl"));
        let path = |file: &simple::ListedFile| {
            let digest = sha256_hex(file.url.as_str().as_bytes());
            let id = digest.get(..16).unwrap_or_default();
            ["/files/", id, "/", &file.name].concat()
        };
        let mut given = self.given.lock();
        for (file, base) in &files {
            let artifact = Artifact {
                what: file.name.clone(),
                base: (*base).clone(),
                url: Some(file.url.clone()),
                stated: file.stated.clone(),
                foreign: None,
                package: None,
            };
            given.insert(path(file), artifact);
        }
        drop(given);
        let files: Vec<_> = files.into_iter().map(|(file, _)| file).collect();
        let page = simple::page(&files, |file| [INSIDE, &path(file)].concat());
        Answer::Text("text/html; charset=utf-8", page.into_bytes())
    }

    fn artifact(&self, artifact: &Artifact) -> Answer {
        if artifact.package.is_none() {
            let mut findings = self.findings.lock();
            findings.files.insert(artifact.what.clone());
        }
        match self.fetched(artifact) {
            Ok((file, size)) => {
                if let Some(package) = &artifact.package {
                    let mut findings = self.findings.lock();
                    findings.packages.insert(package.clone());
                }
                Answer::File(file, size)
            }
            Err(error) => self.not(&artifact.what, &error),
        }
    }

    fn fetched(&self, artifact: &Artifact) -> Result<(File, u64), FetchError> {
        if let Some(foreign) = &artifact.foreign {
            let said = format!("it depends on \"{foreign}\", which is of no registry");
            return Err(FetchError::Refused(said));
        }
        let nowhere = || FetchError::Refused("the registry does not say where it lies".to_owned());
        let url = artifact.url.as_ref().ok_or_else(nowhere)?;
        let left = MAX_BYTES.saturating_sub(self.bytes.load(Ordering::Acquire));
        if left == 0 {
            return Err(FetchError::Refused(
                "the build asks for too much".to_owned(),
            ));
        }
        let kept = |error: io::Error| FetchError::Away(format!("keep it: {error}"));
        let mut file = self.unnamed().map_err(kept)?;
        let most = left.min(MAX_ARTIFACT_BYTES);
        let stated = artifact.stated.as_ref();
        let size = self
            .registry
            .artifact(&artifact.base, url, stated, most, &mut file)?;
        self.bytes.fetch_add(size, Ordering::AcqRel);
        if artifact.package.is_none() {
            let direct = direct_references(&mut file);
            let direct = direct.map_err(|error| FetchError::Refused(error.to_string()))?;
            if let Some(first) = direct.first() {
                let said = format!("it requires \"{first}\", which is of no index");
                return Err(FetchError::Refused(said));
            }
        }
        Ok((file, size))
    }

    /// Returns a file that goes with its value.
    fn unnamed(&self) -> io::Result<File> {
        let path = self.spool.join(Uuid::new_v4().simple().to_string());
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    fn not(&self, what: &str, error: &FetchError) -> Answer {
        self.findings.lock().note(what, error);
        match error {
            FetchError::Absent => Answer::Not(404, "the registry has none"),
            FetchError::Refused(_) => Answer::Not(403, "refused"),
            FetchError::Away(_) => Answer::Not(502, "the registry does not answer"),
        }
    }
}
