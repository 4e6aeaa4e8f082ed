//! Completions, as a shell uses them.

use std::process::Command;
use std::time::Duration;

use crate::fixture::run;

/// What bash offers for the words, of which the last is unfinished.
fn offered(words: &[&str]) -> Vec<String> {
    let script = "source <(\"$0\" completions bash) || exit 1
        COMP_WORDS=(crisol \"$@\"); COMP_CWORD=$#
        _crisol crisol \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new("bash");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_crisol")])
        .args(words);
    let output = run(command, b"", Duration::from_secs(10));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_commands_and_their_options() {
    assert_eq!(offered(&["dl"]), ["dlq"]);
    assert_eq!(offered(&["dlq", "red"]), ["redrive"]);
    assert_eq!(offered(&["ab", "enable", "--ra"]), ["--rate"]);
    assert!(offered(&["no-such-command-"]).concat().is_empty());
}
