//! The system calls that nothing in the arena may make.
//!
//! What a program under attack needs is too much to list, so this is a list of what it never needs: calls that reach
//! into other processes, change mounts, namespaces and keys, load code into the kernel, or are known for holes in it.
//! The other walls hold without it.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, sock_filter};

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
];

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
    let refused = |(_, x86_64, aarch64): &(&str, i64, i64)| match arch {
        TargetArch::x86_64 => *x86_64,
        _ => *aarch64,
    };
    let rules: BTreeMap<i64, Vec<_>> = REFUSED.iter().map(|call| (refused(call), vec![])).collect();
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
    let mut all = without_x32(arch);
    all.extend(program);
    Ok(all.iter().flat_map(encoded).collect())
}

/// Returns the instructions that refuse every call of the x32 ABI: `nr = data.nr; if nr >= X32_BIT return EPERM`.
fn without_x32(arch: TargetArch) -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    if !matches!(arch, TargetArch::x86_64) {
        return Vec::new();
    }
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        instruction(LOAD_WORD, 0, 0, 0),
        instruction(JUMP_IF_AT_LEAST, 0, 1, X32_BIT),
        instruction(RETURN, 0, 0, ERRNO | EPERM),
    ]
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
