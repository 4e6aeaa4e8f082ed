//! Exit codes, after sysexits where one fits.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well; for `check`: approved.
    Done = 0,
    /// The command worked and found something: drift, or a patch that a person must see.
    Found = 1,
    /// For `check` and `validate`: the input cannot be taken as a patch.
    Dead = 2,
    /// The command line is wrong.
    Usage = 64,
    /// A server cannot be reached or is not as it must be.
    Unavailable = 69,
    /// A defect, or something that should not happen.
    Internal = 70,
    /// Another process runs under this instance id.
    InstanceTaken = 73,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
