//! Control groups: bounds on memory and processes that hold for all of a run together.
//!
//! Version 2 and version 1 are looked for; where neither may be written, limits of single processes must do, and the
//! report of a run says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Cgroups {
    bounds: Bounds,
}

/// The groups of one run; removed when dropped.
#[derive(Debug)]
pub(super) struct Group {
    directories: Vec<PathBuf>,
    bounds: Bounds,
}

impl Cgroups {
    /// Returns what this machine has and lets us write.
    pub(super) fn probe() -> Self {
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
            let lends = fs::write(controls, "+memory +pids").is_ok()
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
        Self { bounds }
    }

    /// Returns what bounds runs here.
    pub(super) fn bounds(self) -> Bounds {
        self.bounds
    }

    /// Makes the groups of a run.
    ///
    /// # Errors
    /// If a bound cannot be set.
    pub(super) fn group(self, name: &str, memory_bytes: u64, pids: u64) -> io::Result<Group> {
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
            let directory = Path::new(ROOT).join(parent).join(OURS).join(name);
            fs::create_dir(&directory)?;
            group.directories.push(directory.clone());
            for (file, value) in *bounds {
                let set = fs::write(directory.join(file), value.to_string());
                // Kernels without swap accounting have no file for it.
                if *file != "memory.swap.max" {
                    set?;
                }
            }
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
            // Processes that were killed with the first one of their namespace end a moment after it. A group that is
            // left behind empty bounds nothing and harms nobody.
            for wait_ms in [0, 1, 2, 4, 8, 16, 32] {
                thread::sleep(Duration::from_millis(wait_ms));
                if fs::remove_dir(directory).is_ok() {
                    break;
                }
            }
        }
    }
}
