//! What a run may ask of the kernel: system calls, sockets, mounts, namespaces, and what is mounted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;

use super::{CAPABLE, Edit, LIMITS, NO_FILTER, SHARED_PROCESSES, Stage, Table, answers};

/// How many rows each table has.
pub(super) const ROWS: [usize; 2] = [58, 15];

/// System calls by their numbers on x86-64, with arguments that do no harm where they are let through.
const CALLS: &[(&str, &str)] = &[
    ("ptrace", "101, 16, -1, 0, 0"),
    ("process_vm_readv", "310, $$, 0, 0, 0, 0, 0"),
    ("process_vm_writev", "311, $$, 0, 0, 0, 0, 0"),
    ("pidfd_getfd", "438, -1, 0, 0"),
    ("kcmp", "312, $$, $$, 0, 0, 0"),
    ("mount", "165, 0, 0, 0, 0, 0"),
    ("umount2", "166, 0, 0"),
    ("chroot", "161, 0"),
    ("open_tree", "428, -1, 0, 0"),
    ("fsconfig", "431, -1, 0, 0, 0, 0"),
    ("mount_setattr", "442, -1, 0, 0, 0, 0"),
    ("unshare", "272, 0"),
    ("setns", "308, -1, 0"),
    ("add_key", "248, 0, 0, 0, 0, 0"),
    ("request_key", "249, 0, 0, 0, 0"),
    ("keyctl", "250, 0, -3, 0"),
    ("bpf", "321, 99, 0, 0"),
    ("perf_event_open", "298, 0, 0, -1, -1, 0"),
    ("userfaultfd", "323, 1"),
    ("io_uring_setup", "425, 0, 0"),
    ("io_uring_enter", "426, -1, 0, 0, 0, 0, 0"),
    ("io_uring_register", "427, -1, 0, 0, 0"),
    ("clock_settime", "227, 0, 0"),
    ("adjtimex", "159, 1"),
    ("name_to_handle_at", "303, -1, 0, 0, 0, 0"),
    ("fanotify_mark", "301, -1, 0, 0, -1, 0"),
    ("move_pages", "279, $$, 0, 0, 0, 0, 0"),
    ("process_madvise", "440, -1, 0, 0, 0, 0"),
    ("process_mrelease", "448, -1, 0"),
    ("seccomp", "317, 99, 0, 0"),
    ("landlock_create_ruleset", "444, 0, 0, 1"),
    ("landlock_restrict_self", "446, -1, 0"),
    ("memfd_secret", "447, 0"),
    ("modify_ldt", "154, 0, 0, 0"),
    ("ptrace of the x32 ABI", "0x40000065, 16, -1, 0, 0"),
    ("prctl to seccomp", "157, 22, 9, 0"),
    ("ioctl that types", "16, 0, 0x5412, 0"),
    ("ioctl that selects", "16, 0, 0x541c, 0"),
    ("AF_VSOCK", "41, 40, 1, 0"),
    ("AF_ALG", "41, 38, 5, 0"),
    ("pair of AF_ALG", "53, 38, 5, 0, 0"),
    ("AF_BLUETOOTH", "41, 31, 3, 1"),
    ("AF_TIPC", "41, 30, 1, 0"),
    ("AF_RDS", "41, 21, 5, 0"),
    ("AF_CAN", "41, 29, 3, 1"),
    ("netlink of audit", "41, 16, 3, 9"),
    ("netlink of the packet filter", "41, 16, 3, 12"),
    ("netlink of events", "41, 16, 3, 15"),
    ("netlink of everything", "41, 16, 3, 16"),
];
/// The same of what a kernel refuses without capabilities, too.
const CALLS_OF_ROOT: &[(&str, &str)] = &[
    ("pivot_root", "155, 0, 0"),
    ("move_mount", "429, -1, 0, -1, 0, 0"),
    ("fsopen", "430, 0, 0"),
    ("fsmount", "432, -1, 0, 0"),
    ("sethostname", "170, 0, 1"),
    ("setdomainname", "171, 0, 1"),
    ("AF_PACKET", "41, 17, 3, 0"),
];
/// What the lack of capabilities refuses; sockets of these families are needed otherwise.
const RAW_SOCKETS: &[(&str, &str)] =
    &[("raw ICMP", "41, 2, 3, 1"), ("raw ICMPv6", "41, 10, 3, 58")];
/// Calls that programs need.
const GOOD_CALLS: &[(&str, &str)] = &[
    ("getpid", "39"),
    ("AF_UNIX", "41, 1, 1, 0"),
    ("AF_INET", "41, 2, 1, 0"),
    ("AF_INET6", "41, 10, 1, 0"),
    ("netlink of routes", "41, 16, 3, 0"),
    ("prctl that reads a name", "157, 3, 0"),
];

const EPERM: &str = "1";

/// Returns what each call answered: `ok`, or the number of its error.
fn called(stage: &Stage, calls: &[&[(&str, &str)]]) -> BTreeMap<String, String> {
    let mut script = "my ($r, $e);\n".to_owned();
    for (name, numbers) in calls.iter().flat_map(|calls| calls.iter()) {
        let _ = writeln!(
            script,
            "$r = syscall({numbers}); $e = $! + 0; print '{} ', $r == -1 ? $e : 'ok', \"\\n\";",
            name.replace(' ', "_")
        );
    }
    answers(&stage.run(&format!("perl <<'EOF'\n{script}EOF\n"), LIMITS))
}

#[cfg(target_arch = "x86_64")]
#[test]
fn no_call_that_no_program_needs_reaches_the_kernel() {
    let whole = called(
        &Stage::whole(),
        &[CALLS, CALLS_OF_ROOT, RAW_SOCKETS, GOOD_CALLS],
    );
    let unfiltered = called(&Stage::without(&[NO_FILTER], ""), &[CALLS]);
    let capable = [&[NO_FILTER][..], &CAPABLE].concat();
    let capable = called(&Stage::without(&capable, ""), &[CALLS_OF_ROOT]);
    // With capabilities and the filter: it is the filter that refuses.
    let filtered = called(&Stage::without(&CAPABLE, ""), &[CALLS_OF_ROOT, RAW_SOCKETS]);
    let of = |answers: &BTreeMap<String, String>, name: &str| {
        let name = name.replace(' ', "_");
        answers.get(&name).cloned().unwrap_or_default()
    };
    let mut table = Table::default();
    let reached = |answer: &str| !answer.is_empty() && answer != EPERM;
    for (name, _) in CALLS {
        let (held, control) = (of(&whole, name), of(&unfiltered, name));
        table.row(name, held == EPERM, reached(&control), (&held, &control));
    }
    for (name, _) in CALLS_OF_ROOT {
        let (held, alone) = (of(&whole, name), of(&filtered, name));
        let control = of(&capable, name);
        let is_stopped = held == EPERM && alone == EPERM;
        table.row(name, is_stopped, reached(&control), (held, alone, &control));
    }
    for (name, _) in RAW_SOCKETS {
        let (held, control) = (of(&whole, name), of(&filtered, name));
        table.row(name, held == EPERM, control == "ok", (&held, &control));
    }
    for (name, _) in GOOD_CALLS {
        let answer = of(&whole, name);
        table.twin(name, reached(&answer), &answer);
    }
    table.ends(ROWS[0]);
}

/// A name, a line, and what takes its wall down: edits, and mounts.
type Line = (&'static str, &'static str, &'static [Edit], &'static str);

/// Lines that succeed where their wall is down.
const LINES: &[Line] = &[
    (
        "a file system of its own",
        "mount -t tmpfs none /tmp",
        &[NO_FILTER, CAPABLE[0], CAPABLE[1], CAPABLE[2], CAPABLE[3]],
        "",
    ),
    (
        "another root",
        "perl -e 'chroot(\"/\") or exit 1'",
        &[NO_FILTER, CAPABLE[0], CAPABLE[1], CAPABLE[2], CAPABLE[3]],
        "",
    ),
    (
        "a namespace of users",
        "unshare --user true",
        &[NO_FILTER, ("--disable-userns", 0, "")],
        "",
    ),
    (
        "namespaces by clone",
        "perl -e 'my $p = syscall(56, 0x10000011, 0, 0, 0, 0); exit 1 if $p == -1; exit 0'",
        &[("--disable-userns", 0, "")],
        "",
    ),
    (
        "the root written to",
        "touch /x",
        &[("--remount-ro", 1, "")],
        "",
    ),
    (
        "/etc written to",
        "echo x >> /etc/hosts",
        &[("--remount-ro", 1, "")],
        "",
    ),
    (
        "/dev written to",
        "touch /dev/x",
        &[("--remount-ro", 1, "")],
        "",
    ),
    ("/sys read", "ls /sys/class/net", &[], "--ro-bind /sys /sys"),
    (
        "a disk of the machine by its path",
        "cat @outside/of-the-machine",
        &[],
        "--ro-bind @outside @outside",
    ),
    (
        "a device of the machine",
        "ls /dev/mem /dev/kmsg /dev/vda /dev/sda 2>/dev/null | grep .",
        &[],
        "--dev-bind /dev /dev",
    ),
    (
        "processes of the machine",
        "[ -d /proc/@process ]",
        &[SHARED_PROCESSES],
        "",
    ),
    (
        "a port of the machine",
        "bash -c '< /dev/tcp/127.0.0.1/@port'",
        &[("--unshare-all", 0, "--unshare-all --share-net")],
        "",
    ),
    (
        "an abstract socket of the machine",
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack(\"S a*\", AF_UNIX, \"\\0crisol-@process\")) or exit 1'",
        &[("--unshare-all", 0, "--unshare-all --share-net")],
        "",
    ),
    (
        "the environment of Crisol",
        "env | grep -q ^OUTSIDE=",
        &[("--clearenv", 0, "--setenv OUTSIDE 1")],
        "",
    ),
    (
        "privileges by capabilities",
        "grep -q 'CapEff:.*[1-9a-f]' /proc/self/status",
        &CAPABLE,
        "",
    ),
];

#[test]
fn mounts_namespaces_and_what_is_mounted_give_nothing_away() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let whole = Stage::whole();
    let outside = whole.outside().display().to_string();
    std::fs::write(whole.outside().join("of-the-machine"), "x").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let process = std::process::id().to_string();
    let name = SocketAddr::from_abstract_name(format!("crisol-{process}")).unwrap();
    let abstract_listener = UnixListener::bind_addr(&name).unwrap();
    let fill = |text: &str| {
        text.replace("@outside", &outside)
            .replace("@process", &process)
            .replace("@port", &port)
    };
    let tries = |stage: &Stage, rows: &[&Line]| {
        let lines = rows.iter().map(|(name, line, _, _)| {
            let (name, line) = (name.replace(' ', "_"), fill(line));
            format!("if ( {line} ) >/dev/null 2>&1; then echo {name} through; else echo {name} refused; fi\n")
        });
        answers(&stage.run(&lines.collect::<String>(), LIMITS))
    };
    let all: Vec<_> = LINES.iter().collect();
    let held = tries(&whole, &all);
    // Rows whose walls are taken down alike need one run.
    let mut controls: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for row in LINES {
        let how = format!("{:?}{}", row.2, row.3);
        controls.entry(how).or_default().push(row);
    }
    let mut through = BTreeMap::new();
    for rows in controls.values() {
        let (_, _, edits, mounts) = rows[0];
        through.extend(tries(&Stage::without(edits, &fill(mounts)), rows));
    }
    let mut table = Table::default();
    for (name, ..) in LINES {
        let key = name.replace(' ', "_");
        let answers = (held.get(&key), through.get(&key));
        let said = |answer: Option<&String>, wanted: &str| answer.is_some_and(|one| one == wanted);
        table.row(
            name,
            said(answers.0, "refused"),
            said(answers.1, "through"),
            answers,
        );
    }
    let good = whole.run(
        "touch /arena/x /tmp/x /dev/shm/x && ls /usr/bin/env",
        LIMITS,
    );
    table.twin("work", good.stdout.contains("env"), &good);
    table.ends(ROWS[1]);
    drop((listener, abstract_listener));
}
