//! What trusted clients of services are given to read answers with: `client/answers.py`.

/// A module of Python that asks a service and reads its answer whole, or not at all.
pub(super) const ANSWERS: &str = include_str!("client/answers.py");
/// Where a client finds it.
pub(super) const ANSWERS_PATH: &str = "/case-lib/answers.py";
/// The status with which a client ends that waited in vain for an answer; `LATE` in the module.
pub(super) const LATE: i32 = 124;
/// The directory of that.
pub(super) const LIBRARY: &str = "/case-lib";

#[cfg(test)]
mod tests {
    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/arena/client");
        let run = std::process::Command::new("python3")
            .args(["-B", "answers_test.py"])
            .current_dir(directory)
            .output()
            .expect("python3 is needed, as for the arena");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{said}");
        // What was not tried proves nothing.
        assert!(said.contains("Ran 6 tests"), "{said}");
    }
}
