//! A reader that has seen enough: `crisol … | head`.

use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

/// The status of a process that SIGPIPE ends (128 + 13), which is what a shell expects of one whose reader is gone.
const NOBODY_READS: u8 = 141;
/// What `print!` panics with before the reason.
const SAID: &str = "failed printing to stdout: Broken pipe";

/// Runs a command; a closed standard output ends it without a word. Rust ignores SIGPIPE, so it would be a panic.
pub(super) fn end_where_nobody_reads(command: impl FnOnce() -> ExitCode) -> ExitCode {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |told| {
        if !told
            .payload_as_str()
            .is_some_and(|said| said.starts_with(SAID))
        {
            tell(told);
        }
    }));
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|payload| {
        match payload.downcast_ref::<String>() {
            Some(said) if said.starts_with(SAID) => ExitCode::from(NOBODY_READS),
            _ => resume_unwind(payload),
        }
    })
}
