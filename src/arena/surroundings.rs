//! The surroundings of a run as its programs can see them: names and identity of an ordinary machine, drawn anew for
//! each run, so that a patch finds nothing in them by which it could tell a wargame from its place of work.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Where a run without a service works.
pub(super) const ARENA: &str = "/arena";

/// First parts of host names.
const HOSTS: [&str; 8] = ["web", "app", "node", "srv", "api", "host", "vm", "box"];
/// Names of users.
const USERS: [&str; 8] = ["app", "web", "www", "deploy", "site", "svc", "run", "user"];
/// What every system has under `/etc`, as far as programs look for it.
const SYSTEM: [(&str, &str); 4] = [
    (
        "/etc/os-release",
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
    ),
    ("/etc/debian_version", "12.11\n"),
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
    ),
    (
        "/etc/resolv.conf",
        "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n",
    ),
];

/// What a sandbox looks like from inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The host's name.
    pub(super) host: String,
    /// The user's name.
    pub(super) user: String,
    /// The user's number, and the group's.
    pub(super) id: u32,
    /// The work directory: where programs start, and their home.
    pub(super) work: String,
}

impl Surroundings {
    /// Returns surroundings that nobody has seen before, with this work directory.
    pub(super) fn drawn(work: &str) -> Self {
        let random = Uuid::new_v4();
        let [a, b, c, d, e, ..] = *random.as_bytes();
        let of = |list: &[&'static str; 8], byte: u8| {
            list.get(usize::from(byte) % list.len())
                .copied()
                .unwrap_or("app")
        };
        let text = random.simple().to_string();
        Self {
            host: format!("{}-{}", of(&HOSTS, a), text.get(27..).unwrap_or("0")),
            user: of(&USERS, b).to_owned(),
            id: 1_000 + u32::from(c % 8) * 1_000 + u32::from(d % 100) + u32::from(e % 2),
            work: work.to_owned(),
        }
    }

    /// Returns the files of the system that name them, by absolute path.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let Self {
            host,
            user,
            id,
            work,
        } = self;
        let mut files: BTreeMap<String, String> = SYSTEM
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let mut add = |path: &str, text: String| files.insert(path.to_owned(), text);
        add(
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n{user}:x:{id}:{id}::{work}:/bin/sh\n"
            ),
        );
        add(
            "/etc/group",
            format!("root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n{user}:x:{id}:\n"),
        );
        add("/etc/hostname", format!("{host}\n"));
        add(
            "/etc/hosts",
            format!("127.0.0.1 localhost\n127.0.1.1 {host}\n::1 localhost\n"),
        );
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_runs_look_alike_and_none_names_the_harness() {
        let (one, other) = (Surroundings::drawn("/srv/a"), Surroundings::drawn("/srv/a"));
        assert_ne!(one.host, other.host);
        for surroundings in [&one, &other] {
            let told = format!("{surroundings:?}{:?}", surroundings.files());
            for word in ["crisol", "arena", "wargame", "65533"] {
                assert!(
                    !told.to_lowercase().contains(&format!("\"{word}")),
                    "{told}"
                );
            }
            assert!((1_000..10_000).contains(&surroundings.id));
        }
    }
}
