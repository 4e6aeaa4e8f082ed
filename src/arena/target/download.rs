//! Package managers: their own code runs outside of the arena, never a package's.

use std::process::{Command, Stdio};

use super::BuildError;
use crate::arena::excerpt::end_of;

/// The longest that a download may take, in seconds.
const DOWNLOAD_S: &str = "120";
/// The most that is told of what a package manager printed, in bytes.
pub(super) const SAID_BYTES: usize = 600;

/// Runs a package manager's own code, never a package's, for so long and no longer; returns what it printed.
pub(super) fn download(doing: &str, wanted: &Command) -> Result<String, BuildError> {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", DOWNLOAD_S])
        .arg(wanted.get_program())
        .args(wanted.get_args());
    if let Some(directory) = wanted.get_current_dir() {
        command.current_dir(directory);
    }
    for (name, value) in wanted.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for secret in std::env::vars_os().map(|(name, _)| name) {
        let name = secret.to_string_lossy();
        let is_ours = ["CRISOL_", "POSTGRES_", "REDIS_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if is_ours {
            command.env_remove(&secret);
        }
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| BuildError::Io {
            doing: doing.to_owned(),
            error,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(BuildError::Download {
        doing: doing.to_owned(),
        said: end_of(String::from_utf8_lossy(&output.stderr).trim(), SAID_BYTES),
    })
}

/// Whether a package manager says that there is no such version, and not that nobody answered.
pub(super) fn is_absence(said: &str) -> bool {
    let npm = ["ETARGET", "E404"].iter().any(|code| said.contains(code));
    // Where pip reaches no index at all, it knows no version either.
    let pip = said.contains("No matching distribution found")
        && said.contains("(from versions: ")
        && !said.contains("(from versions: none)");
    npm || pip
}
