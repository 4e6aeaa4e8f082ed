//! The command that builds the walls around a run.
//!
//! ```text
//! [setpriv: an identity of its own] → prlimit → unshare: users, mounts, [network] → bash
//!     → bounded tmpfs → [bwrap: the service under test] → bwrap: the line
//! ```
//!
//! - Started as root, bubblewrap would keep what root may read, so identity is dropped before anything else.
//! - bubblewrap cannot bound the number of files of a tmpfs; so work directories are mounted one step before it, where
//!   they can also be read from outside after everything inside has ended.
//! - The shell closes whatever files Crisol itself was started with: a run would inherit them. (Bash, because other
//!   shells cannot name files above 9.)
//! - A service under test and the trusted client that attacks it share a loopback and nothing else: each has a sandbox,
//!   process ids, files and (where Crisol is root) an identity of its own. The service is the first process of its
//!   sandbox, so nothing of the harness is in there with it.
//! - Each step asks to be killed when its parent ends, so a run ends with its Crisol, however that ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::surroundings::Surroundings;
use crate::exploit::Limits;

/// Files and directories that a run may make at least, and for each MiB of its work directory.
const WORK_INODES: u32 = 8_192;
const WORK_INODES_A_MIB: u32 = 64;
/// What a run finds programs by.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What the trusted client may leave behind, where it has a sandbox beside the service's, in MiB.
const CLIENT_MB: u64 = 8;

/// Waits until the outside has put it into control groups and has mapped its identities, and becomes the script: only
/// what is started after the mapping holds the capabilities of the namespace. Gaining them clears the wish to end with a
/// parent, so it is made again.
const WAIT: &str = r#"read -r _ || exit 1; exec setpriv --pdeathsig KILL bash -c "$0" "$@""#;

/// Makes the work directories, waits until the outside watches them, and starts the run in them.
const SCRIPT: &str = r#"
for fd in /proc/$$/fd/*; do
  fd=${fd##*/}
  ((fd > 2 && fd != 255)) && eval "exec $fd>&-"
done
slot=$1 filter=$2 size=$3 inodes=$4 client_size=$5 owners=$6 nproc=$7 data=$8 port=$9 within=${10} tree=${11}
shift 11
for bound in instances:64 watches:16384; do
  echo "${bound#*:}" 2>/dev/null > "/proc/sys/user/max_inotify_${bound%:*}"
done
directory() {
  mount -t tmpfs -o "size=$2,nr_inodes=$3,mode=0755" none "$1" &&
    mkdir -m 0777 "$1/work" "$1/tmp" "$1/shm" "$1/root" && cp -r "$slot/stage/$4/." "$1/" || exit 1
  ((owners)) && chown -R "$5:$5" "$1/work" "$1/root"
  :
}
walled() {
  local id=$1 status=$2 bwrap=$3
  shift 3
  local as=(setpriv --pdeathsig KILL)
  ((owners)) && as+=(--reuid "$id" --regid "$id" --clear-groups)
  exec "${as[@]}" prlimit "--nproc=$nproc" $data "$bwrap" --seccomp 9 --json-status-fd 8 "$@" \
    9<"$filter" 8>"$slot/told/$status" </dev/null
}
words=$1
shift
if ((words)); then
  directory "$slot/service" "$size" "$inodes" service 1
  directory "$slot/client" "$client_size" "$inodes" client 2
  if [ -n "$tree" ]; then
    mount -t tmpfs -o mode=0755 none "$slot/app" && cp -r "$tree/." "$slot/app/" || exit 1
  fi
  perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0) && ioctl($s, 0x8914, my $up = pack("Z16 s x22", "lo", 0x41)) or exit 1' 2>/dev/null ||
    ip link set lo up || exit 1
else
  directory "$slot/client" "$size" "$inodes" client 2
fi
: > "$slot/told/ready"
read -r _ || exit 1
if ((words)); then
  walled 1 service "${@:1:words}" >"$slot/service/log" 2>&1 &
  service=$!
  shift "$words"
  for ((n = 0; n < within * 50; n++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$service" 2>/dev/null || break
    sleep 0.02
  done
fi
(walled 2 client "$@")
exec >/dev/null 2>&1
read -r _
if ((words)); then
  kill -KILL "$service"
  wait "$service"
fi
: > "$slot/told/ended"
read -r _
"#;

/// Something of the outside that a sandbox sees, read-only.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub(super) from: PathBuf,
    pub(super) to: String,
}

/// One sandbox of a run.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    /// What it sees of the outside.
    pub(super) binds: Vec<Bind>,
    pub(super) environment: &'a [(String, String)],
    pub(super) surroundings: &'a Surroundings,
    pub(super) line: &'a str,
}

/// The service under test, in a sandbox of its own.
#[derive(Debug)]
pub(super) struct Beside<'a> {
    pub(super) inside: Inside<'a>,
    /// A tree that is copied, so that no mount names where it came from, and where the service sees it.
    pub(super) tree: Option<(&'a Path, &'a str)>,
    /// The client starts once this port takes connections, or after so many seconds.
    pub(super) port: u16,
    pub(super) within_s: u64,
}

/// What is started.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// The directory of the run outside ([`super::sandbox`] makes its parts).
    pub(super) slot: &'a Path,
    /// The filter of system calls.
    pub(super) filter: &'a Path,
    pub(super) bwrap: &'a Path,
    pub(super) limits: Limits,
    /// Whether single processes must be bounded in memory, because nothing bounds all of them.
    pub(super) by_process: bool,
    /// The first of three identities: the shell's, the service's, the line's; none where Crisol is an ordinary user.
    pub(super) first_id: Option<u32>,
    pub(super) service: Option<Beside<'a>>,
    pub(super) inside: Inside<'a>,
}

/// The name of the work directory's mount in a slot.
pub(super) const CLIENT: &str = "client";
/// The same of the service's.
pub(super) const SERVICE: &str = "service";

/// Returns how many files and directories a run may make whose work directory has so many MiB.
pub(super) fn inodes(work_mb: u64) -> u32 {
    let work_mb = u32::try_from(work_mb).unwrap_or(u32::MAX);
    work_mb.saturating_mul(WORK_INODES_A_MIB).max(WORK_INODES)
}

impl Launch<'_> {
    /// Returns the command; its standard streams are pipes.
    pub(super) fn command(&self) -> Command {
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[&str]| words.extend(text.iter().map(|word| (*word).to_owned()));
        say(&["setpriv"]);
        if let Some(id) = self.first_id {
            let id = id.to_string();
            say(&["--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        // Set with the identity, because a change of it clears the wish.
        say(&["--pdeathsig", "KILL"]);
        let Limits {
            time_s,
            memory_mb,
            pids,
            work_mb,
            ..
        } = self.limits;
        say(&["prlimit", "--core=0", "--nofile=1024"]);
        // No process alone may use more than all cores could together.
        say(&[&format!("--cpu={}", time_s * 2)]);
        say(&["unshare", "--user", "--mount"]);
        if self.first_id.is_none() {
            say(&["--map-root-user"]);
        }
        if self.service.is_some() {
            say(&["--net"]);
        }
        say(&["bash", "-c", WAIT, SCRIPT, "bash"]);
        let data = match self.by_process {
            true => format!("--data={}", memory_mb << 20),
            false => String::new(),
        };
        let (port, within_s, tree) = match &self.service {
            Some(service) => (service.port, service.within_s, service.tree),
            None => (0, 0, None),
        };
        say(&[
            &self.slot.display().to_string(),
            &self.filter.display().to_string(),
            &format!("{work_mb}m"),
            &inodes(work_mb).to_string(),
            &format!("{CLIENT_MB}m"),
            if self.first_id.is_some() { "1" } else { "0" },
            // Counted in the namespace of the run alone, by kernels since 5.14.
            &(pids + 8).to_string(),
            &data,
            &port.to_string(),
            &within_s.to_string(),
            &tree.map_or_else(String::new, |(from, _)| from.display().to_string()),
        ]);
        let shares = self.service.is_some();
        match &self.service {
            Some(service) => {
                let mut of_service = self.walls(&service.inside, SERVICE, shares);
                if let Some((_, to)) = service.tree {
                    let app = self.slot.join("app").display().to_string();
                    of_service.extend(["--ro-bind".to_owned(), app, to.to_owned()]);
                }
                of_service.extend(self.ends(&service.inside, true));
                words.push((of_service.len() + 1).to_string());
                words.push(self.bwrap.display().to_string());
                words.extend(of_service);
            }
            None => words.push("0".to_owned()),
        }
        words.push(self.bwrap.display().to_string());
        words.extend(self.walls(&self.inside, CLIENT, shares));
        words.extend(self.ends(&self.inside, false));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns bubblewrap's arguments up to the last mount.
    fn walls(&self, inside: &Inside<'_>, part: &str, shares_loopback: bool) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[&str]| words.extend(text.iter().map(|word| (*word).to_owned()));
        let Surroundings { host, id, work, .. } = inside.surroundings;
        let id = id.to_string();
        say(&["--unshare-all", "--unshare-user", "--disable-userns"]);
        if shares_loopback {
            say(&["--share-net"]);
        }
        say(&["--uid", &id, "--gid", &id, "--cap-drop", "ALL"]);
        say(&[
            "--die-with-parent",
            "--new-session",
            "--hostname",
            host,
            "--clearenv",
        ]);
        let slot = self.slot.join(part);
        let at = |name: &str| slot.join(name).display().to_string();
        say(&["--bind", &at("root"), "/", "--ro-bind", "/usr", "/usr"]);
        for top in ["/bin", "/sbin", "/lib", "/lib32", "/lib64"] {
            match std::fs::read_link(top) {
                Ok(link) => say(&["--symlink", &link.display().to_string(), top]),
                Err(_) => say(&["--ro-bind-try", top, top]),
            }
        }
        for shared in ["/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime"] {
            say(&["--ro-bind-try", shared, shared]);
        }
        say(&["--proc", "/proc", "--dev", "/dev"]);
        for (name, to) in [
            ("work", work.as_str()),
            ("tmp", "/tmp"),
            ("shm", "/dev/shm"),
        ] {
            say(&["--bind", &at(name), to]);
        }
        for bind in &inside.binds {
            say(&["--ro-bind", &bind.from.display().to_string(), &bind.to]);
        }
        words
    }

    /// Returns the rest of bubblewrap's arguments, and what it starts.
    fn ends(&self, inside: &Inside<'_>, is_first: bool) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[&str]| words.extend(text.iter().map(|word| (*word).to_owned()));
        // What bubblewrap itself mounts is without bounds or belongs to nobody, so nothing may be written there.
        say(&["--remount-ro", "/dev", "--remount-ro", "/"]);
        let Surroundings { work, user, .. } = inside.surroundings;
        say(&["--chdir", work]);
        if is_first {
            say(&["--as-pid-1"]);
        }
        for (name, value) in [
            ("PATH", PATH),
            ("HOME", work.as_str()),
            ("USER", user.as_str()),
            ("LANG", "C.UTF-8"),
            ("TMPDIR", "/tmp"),
        ] {
            say(&["--setenv", name, value]);
        }
        for (name, value) in inside.environment {
            say(&["--setenv", name, value]);
        }
        say(&["--", "/bin/sh", "-c", inside.line]);
        words
    }
}
