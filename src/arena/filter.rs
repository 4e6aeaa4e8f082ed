//! The system calls that nothing in the arena may make.
//!
//! What a program under attack needs is too much to list, so this is a list of what it never needs: calls that reach
//! into other processes, change mounts, namespaces and keys, load code into the kernel, or are known for holes in it; and
//! every call that is newer than this list. Sockets are of the families that programs need. The other walls hold without
//! it.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

/// Refused calls by their numbers on x86-64 and aarch64, with `EPERM`.
const REFUSED: &[(&str, i64, i64)] = &[
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("pidfd_getfd", 438, 438),
    ("kcmp", 312, 272),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("move_mount", 429, 429),
    ("open_tree", 428, 428),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("delete_module", 176, 106),
    ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294),
    ("reboot", 169, 142),
    ("swapon", 167, 224),
    ("swapoff", 168, 225),
    ("acct", 163, 89),
    ("quotactl", 179, 60),
    ("syslog", 103, 116),
    ("settimeofday", 164, 170),
    ("clock_settime", 227, 112),
    ("clock_adjtime", 305, 266),
    ("adjtimex", 159, 171),
    ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265),
    ("lookup_dcookie", 212, 18),
    ("fanotify_init", 300, 262),
    ("fanotify_mark", 301, 263),
    ("sethostname", 170, 161),
    ("setdomainname", 171, 162),
    ("vhangup", 153, 58),
    ("move_pages", 279, 239),
    ("migrate_pages", 256, 238),
    ("process_madvise", 440, 440),
    ("process_mrelease", 448, 448),
    ("nfsservctl", 180, 42),
    // A program that puts itself into a jail would keep evidence from arriving.
    ("seccomp", 317, 277),
    ("landlock_create_ruleset", 444, 444),
    ("landlock_add_rule", 445, 445),
    ("landlock_restrict_self", 446, 446),
    ("memfd_secret", 447, 447),
    ("lsm_get_self_attr", 459, 459),
    ("lsm_set_self_attr", 460, 460),
    ("lsm_list_modules", 461, 461),
];

/// Calls that only x86-64 has.
const REFUSED_X86_64: &[(&str, i64)] = &[
    ("uselib", 134),
    ("ustat", 136),
    ("sysfs", 139),
    ("_sysctl", 156),
    ("modify_ldt", 154),
    ("iopl", 172),
    ("ioperm", 173),
    ("create_module", 174),
    ("get_kernel_syms", 177),
    ("query_module", 178),
    ("getpmsg", 181),
    ("putpmsg", 182),
    ("afs_syscall", 183),
    ("tuxcall", 184),
    ("security", 185),
    ("vserver", 236),
];

/// The last call that this list was made with (`lsm_list_modules`); newer ones are answered as by a kernel that does not
/// have them, so that programs fall back on what they did before.
const LAST_KNOWN: u32 = 461;

/// Families of sockets that programs need: `AF_UNIX`, `AF_INET`, `AF_INET6`; of `AF_NETLINK` only routes, which name
/// interfaces.
const FAMILIES: [u64; 3] = [1, 2, 10];
const AF_NETLINK: u64 = 16;
const NETLINK_ROUTE: u64 = 0;
/// `socket` and `socketpair` on x86-64 and aarch64.
const SOCKET: (i64, i64) = (41, 198);
const SOCKET_PAIR: (i64, i64) = (53, 199);
/// `ioctl`, and those of its requests that type on a terminal.
const IOCTL: (i64, i64) = (16, 29);
const TYPING: [u64; 2] = [0x5412, 0x541c];
/// `prctl`, and that of its requests that puts a filter on the program itself.
const PRCTL: (i64, i64) = (157, 167);
const PR_SET_SECCOMP: u64 = 22;

/// `ENOSYS`, the same on every architecture of Linux.
const ENOSYS: u32 = 38;

/// `EPERM`, the same on every architecture of Linux.
const EPERM: u32 = 1;
/// From here on a call is one of the x32 ABI, which has numbers of its own for everything above.
const X32_BIT: u32 = 0x4000_0000;

/// The filter cannot be made for this machine.
#[derive(Debug, thiserror::Error)]
#[error("system call filter: {0}")]
pub struct FilterError(String);

/// Returns the filter as the kernel reads it: 8 bytes an instruction.
///
/// # Errors
/// [`FilterError`] on an architecture that is not listed.
pub fn filter() -> Result<Vec<u8>, FilterError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|error| FilterError(error.to_string()))?;
    let failed = |error: seccompiler::BackendError| FilterError(error.to_string());
    let is_x86_64 = matches!(arch, TargetArch::x86_64);
    let of_arch = |(x86_64, aarch64): (i64, i64)| if is_x86_64 { x86_64 } else { aarch64 };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED
        .iter()
        .map(|(_, x86_64, aarch64)| (of_arch((*x86_64, *aarch64)), vec![]))
        .collect();
    if is_x86_64 {
        rules.extend(REFUSED_X86_64.iter().map(|(_, number)| (*number, vec![])));
    }
    for call in [SOCKET, SOCKET_PAIR] {
        rules.insert(of_arch(call), foreign_families().map_err(failed)?);
    }
    let requests = |argument, values: &[u64]| -> Result<Vec<SeccompRule>, _> {
        values
            .iter()
            .map(|value| SeccompRule::new(vec![is(argument, SeccompCmpOp::Eq, *value)?]))
            .collect()
    };
    rules.insert(of_arch(IOCTL), requests(1, &TYPING).map_err(failed)?);
    rules.insert(
        of_arch(PRCTL),
        requests(0, &[PR_SET_SECCOMP]).map_err(failed)?,
    );
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(EPERM),
        arch,
    )
    .map_err(|error| FilterError(error.to_string()))?;
    let program: BpfProgram = filter
        .try_into()
        .map_err(|error: seccompiler::BackendError| FilterError(error.to_string()))?;
    let mut all = without_the_unknown(arch);
    all.extend(program);
    Ok(all.iter().flat_map(encoded).collect())
}

fn is(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// Returns the rules that hold of a socket of any other family, and of netlink for anything but routes.
fn foreign_families() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let others = FAMILIES
        .into_iter()
        .chain([AF_NETLINK])
        .map(|family| is(0, SeccompCmpOp::Ne, family))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(vec![
        SeccompRule::new(others)?,
        SeccompRule::new(vec![
            is(0, SeccompCmpOp::Eq, AF_NETLINK)?,
            is(2, SeccompCmpOp::Ne, NETLINK_ROUTE)?,
        ])?,
    ])
}

/// Returns the instructions that refuse every call of the x32 ABI and every call that is newer than the list:
/// `nr = data.nr; if nr >= X32_BIT return EPERM; if nr > LAST_KNOWN return ENOSYS`.
fn without_the_unknown(arch: TargetArch) -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const JUMP_IF_GREATER: u16 = 0x25;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut all = vec![instruction(LOAD_WORD, 0, 0, 0)];
    if matches!(arch, TargetArch::x86_64) {
        all.push(instruction(JUMP_IF_AT_LEAST, 0, 1, X32_BIT));
        all.push(instruction(RETURN, 0, 0, ERRNO | EPERM));
    }
    all.push(instruction(JUMP_IF_GREATER, 0, 1, LAST_KNOWN));
    all.push(instruction(RETURN, 0, 0, ERRNO | ENOSYS));
    all
}

fn encoded(instruction: &sock_filter) -> [u8; 8] {
    let [code_0, code_1] = instruction.code.to_ne_bytes();
    let [k_0, k_1, k_2, k_3] = instruction.k.to_ne_bytes();
    [
        code_0,
        code_1,
        instruction.jt,
        instruction.jf,
        k_0,
        k_1,
        k_2,
        k_3,
    ]
}
