//! Control groups: bounds on memory and processes that hold for all of a run together.
//!
//! Version 2 and version 1 are looked for; where neither may be written, limits of single processes must do, and the
//! report of a run says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

/// What bounds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// Control groups of version 2.
    CgroupV2,
    /// Control groups of version 1.
    CgroupV1,
    /// Limits of each process.
    Rlimits,
}

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// Ours, below that.
const OURS: &str = "crisol";

/// Makes groups for runs.
#[derive(Debug, Clone)]
pub(super) struct Cgroups {
    bounds: Bounds,
    /// Whether runs side by side can be given equal shares of the processors.
    shares_cpu: bool,
    /// What names of its groups begin with: the arena's claim, so that who comes next can tell the dead's.
    owner: String,
}

/// The groups of one run; removed when dropped.
#[derive(Debug)]
pub(super) struct Group {
    directories: Vec<PathBuf>,
    bounds: Bounds,
}

impl Cgroups {
    /// Returns what this machine has and lets us write, for groups whose names begin with `owner`.
    pub(super) fn probe(owner: &str) -> Self {
        let v2 = Path::new(ROOT).join("cgroup.controllers").exists();
        // Of its own: two arenas that open at once must not take each other's for a refusal.
        let own = Uuid::new_v4().simple().to_string();
        let may_make = |parents: &[&str]| {
            parents.iter().all(|parent| {
                let probe = Path::new(ROOT).join(parent).join(OURS);
                fs::create_dir_all(&probe).is_ok()
                    && fs::create_dir(probe.join(&own)).is_ok()
                    && fs::remove_dir(probe.join(&own)).is_ok()
            })
        };
        let bounds = if v2 {
            let controls = Path::new(ROOT).join("cgroup.subtree_control");
            let lends = fs::write(&controls, "+memory +pids").is_ok()
                && may_make(&[""])
                && fs::write(
                    Path::new(ROOT).join(OURS).join("cgroup.subtree_control"),
                    "+memory +pids",
                )
                .is_ok();
            if lends {
                Bounds::CgroupV2
            } else {
                Bounds::Rlimits
            }
        } else if may_make(&["memory", "pids"]) {
            Bounds::CgroupV1
        } else {
            Bounds::Rlimits
        };
        let shares_cpu = match bounds {
            Bounds::CgroupV2 => [Path::new(ROOT).to_owned(), Path::new(ROOT).join(OURS)]
                .iter()
                .all(|at| fs::write(at.join("cgroup.subtree_control"), "+cpu").is_ok()),
            Bounds::CgroupV1 => may_make(&["cpu"]),
            Bounds::Rlimits => false,
        };
        if shares_cpu {
            // All runs together are one of the machine's groups: with the share of a single process, a busy machine would
            // leave them next to nothing. Older kernels have only this much to say of it.
            let weight = match bounds {
                Bounds::CgroupV1 => Path::new(ROOT).join("cpu").join(OURS).join("cpu.shares"),
                _ => Path::new(ROOT).join(OURS).join("cpu.weight"),
            };
            let share = if bounds == Bounds::CgroupV1 {
                "16384"
            } else {
                "1600"
            };
            let _ = fs::write(weight, share);
        }
        Self {
            bounds,
            shares_cpu,
            owner: owner.to_owned(),
        }
    }

    /// Returns what bounds runs here.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Returns the directories in which groups are made.
    fn parents(&self) -> Vec<PathBuf> {
        let names: &[&str] = match self.bounds {
            Bounds::CgroupV2 => &[""],
            Bounds::CgroupV1 if self.shares_cpu => &["memory", "pids", "cpu"],
            Bounds::CgroupV1 => &["memory", "pids"],
            Bounds::Rlimits => &[],
        };
        let below = |name: &&str| Path::new(ROOT).join(name).join(OURS);
        names.iter().map(below).collect()
    }

    /// Kills what runs of dead owners left behind, and removes their groups.
    pub(super) fn end_runs_of(&self, owners: &[String]) {
        let groups = self
            .parents()
            .into_iter()
            .filter_map(|parent| fs::read_dir(parent).ok());
        for entry in groups.flatten().filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if owners.iter().any(|owner| name.starts_with(owner.as_str())) {
                kill_all(&entry.path());
                remove(&entry.path());
            }
        }
    }

    /// Removes the directories in which groups were made, where nobody else has one there.
    pub(super) fn remove_parents(&self) {
        for parent in self.parents() {
            // Refused while it holds another's.
            let _ = fs::remove_dir(parent);
        }
    }

    /// Makes the groups of a run.
    ///
    /// # Errors
    /// If a bound cannot be set.
    pub(super) fn group(&self, name: &str, memory_bytes: u64, pids: u64) -> io::Result<Group> {
        let name = [&self.owner, "-", name].concat();
        let parents: &[(&str, &[(&str, u64)])] = match self.bounds {
            Bounds::CgroupV2 => &[(
                "",
                &[
                    ("memory.max", memory_bytes),
                    ("memory.swap.max", 0),
                    ("pids.max", pids),
                ],
            )],
            Bounds::CgroupV1 => &[
                ("memory", &[("memory.limit_in_bytes", memory_bytes)]),
                ("pids", &[("pids.max", pids)]),
            ],
            Bounds::Rlimits => &[],
        };
        let mut group = Group {
            directories: Vec::new(),
            bounds: self.bounds,
        };
        for (parent, bounds) in parents {
            let directory = Path::new(ROOT).join(parent).join(OURS).join(&name);
            make(&directory)?;
            group.directories.push(directory.clone());
            for (file, value) in *bounds {
                let set = fs::write(directory.join(file), value.to_string());
                // Kernels without swap accounting have no file for it.
                if *file != "memory.swap.max" {
                    set?;
                }
            }
        }
        if self.shares_cpu && self.bounds == Bounds::CgroupV1 {
            // Every group has the same weight from the start; it only has to be one of its own.
            let directory = Path::new(ROOT).join("cpu").join(OURS).join(&name);
            make(&directory)?;
            group.directories.push(directory);
        }
        Ok(group)
    }
}

impl Group {
    /// Puts a process in; what it starts from then on is in it too.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn admit(&self, pid: u32) -> io::Result<()> {
        for directory in &self.directories {
            fs::write(directory.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Returns the numbers of all processes in it; none where there are no groups.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.directories
            .first()
            .map_or_else(Vec::new, |directory| processes(directory))
    }

    /// Returns which bounds the run met.
    pub(super) fn met(&self) -> Vec<&'static str> {
        let counts = |file: &str, line: &str| {
            self.directories.iter().any(|directory| {
                let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
                text.lines().any(|each| {
                    let count = each.strip_prefix(line).map(str::trim);
                    count.and_then(|count| count.parse::<u64>().ok()) > Some(0)
                })
            })
        };
        let memory = match self.bounds {
            Bounds::CgroupV2 => counts("memory.events", "oom_kill "),
            Bounds::CgroupV1 => counts("memory.oom_control", "oom_kill "),
            Bounds::Rlimits => false,
        };
        let processes = counts("pids.events", "max ");
        [(memory, "memory"), (processes, "processes")]
            .into_iter()
            .filter_map(|(met, name)| met.then_some(name))
            .collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            remove(directory);
        }
    }
}

/// Makes a group. Another process that ends takes the parent with it where it is empty, so that is made again.
fn make(directory: &Path) -> io::Result<()> {
    let mut made = fs::create_dir_all(directory);
    for _ in 0..8 {
        match made {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                made = fs::create_dir_all(directory)
            }
            other => return other,
        }
    }
    made
}

/// Removes a group. Processes that were killed with the first one of their namespace end a moment after it; what is still
/// there then is killed.
fn remove(directory: &Path) {
    let mut waited_ms = 0;
    for wait_ms in [
        0, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 16, 32, 64, 128, 256,
    ] {
        thread::sleep(Duration::from_millis(wait_ms));
        waited_ms += wait_ms;
        if fs::remove_dir(directory).is_ok() || !directory.exists() {
            return;
        }
        if waited_ms >= 20 {
            kill_all(directory);
        }
    }
    tracing::warn!(group = %directory.display(), "a control group cannot be removed; it goes when the next arena opens");
}

fn processes(directory: &Path) -> Vec<u32> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Kills every process of a group: at once where the kernel can (version 2), else one by one.
fn kill_all(directory: &Path) {
    if fs::write(directory.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let numbers = processes(directory).into_iter();
    for pid in numbers.filter_map(|pid| Pid::from_raw(pid.try_into().ok()?)) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
