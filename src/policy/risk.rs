//! Patch risk: how much damage a wrong patch of this shape could do.
//!
//! It looks at what a patch touches, not at whether it is right: size, what builds and deploys, code
//! that runs other code or reaches out, and characters that hide.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use crate::diff::{Change, Diff, FileDiff, Side, find_hidden};
use crate::event::codec::printable;
use crate::event::decision::{RiskLevel, RiskRecord};

/// The most factors that are told.
const MAX_FACTORS: usize = 16;

/// Bounds between the levels of size.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskConfig {
    /// Above this many changed lines of code, risk is medium.
    pub medium_changed_lines: usize,
    /// Above this many, high.
    pub high_changed_lines: usize,
    /// Above this many files, risk is medium.
    pub medium_files: usize,
    /// Above this many, high.
    pub high_files: usize,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            medium_changed_lines: 100,
            high_changed_lines: 500,
            medium_files: 5,
            high_files: 20,
        }
    }
}

/// Code that runs other code or reaches out, in the languages Crisol meets. Plain substrings: they
/// find too much rather than too little, and cost one pass for all.
const SINKS: &[&str] = &[
    "eval(",
    "exec(",
    "execfile(",
    "new Function(",
    "child_process",
    "subprocess",
    "os.system",
    "popen(",
    "spawn(",
    "Runtime.getRuntime",
    "ProcessBuilder",
    "ScriptEngine",
    "std::process::Command",
    "system(",
    "shell_exec",
    "passthru(",
    "`#{",
    "importlib",
    "__import__",
    "pickle.loads",
    "yaml.load(",
    "Marshal.load",
    "ObjectInputStream",
    "unserialize(",
    "dlopen(",
    "LD_PRELOAD",
    "http://",
    "https://",
    "ftp://",
    "urlopen(",
    "requests.",
    "fetch(",
    "XMLHttpRequest",
    "net.connect",
    "socket(",
    "net.Dial",
    "http.Get",
    "TcpStream::connect",
    "WebSocket(",
    "curl ",
    "wget ",
    "base64",
    "fromCharCode",
    "atob(",
];

static SINK_FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(SINKS).ok());

/// Code that asks for its surroundings: by what it finds there it could mend only where it is tried. Plain substrings,
/// as above.
const SURROUNDINGS: &[&str] = &[
    "gethostname",
    "os.hostname",
    "uname(",
    "platform.node(",
    "getuid(",
    "geteuid(",
    "getppid(",
    "getlogin(",
    "getpass.getuser",
    "userInfo(",
    "process.ppid",
    "/proc/",
    "'/proc'",
    "\"/proc\"",
    "/sys/class/",
    "/.dockerenv",
    "/etc/hostname",
    "/etc/machine-id",
    "os.environ.items",
    "dict(os.environ",
    "str(os.environ",
    "in os.environ:",
    "Object.keys(process.env",
    "Object.entries(process.env",
    "JSON.stringify(process.env",
    "System.getenv()",
    "printenv",
    "if_nameindex",
    "networkInterfaces(",
    "_getframe(",
    "inspect.stack(",
];

static SURROUNDINGS_FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(SURROUNDINGS).ok());

/// Directories whose files build, test or deploy.
const BUILD_DIRECTORIES: &[&str] = &[
    ".github/",
    ".gitlab/",
    ".circleci/",
    ".buildkite/",
    ".husky/",
    ".cargo/",
    ".mvn/",
    "ci/",
    "deploy/",
    "helm/",
    "charts/",
    "terraform/",
    "ansible/",
    "k8s/",
];
/// Files that build, test or deploy.
const BUILD_FILES: &[&str] = &[
    ".gitlab-ci.yml",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "Dockerfile",
    "docker-compose.yml",
    "docker-compose.yaml",
    "Makefile",
    "makefile",
    "GNUmakefile",
    "CMakeLists.txt",
    "configure",
    "configure.ac",
    "meson.build",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "gradlew",
    "mvnw",
    "build.rs",
    "setup.py",
    "setup.cfg",
    "tox.ini",
    "noxfile.py",
    "conftest.py",
    "Rakefile",
    "Gruntfile.js",
    "gulpfile.js",
    "webpack.config.js",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "pip.conf",
    ".gitmodules",
    ".gitattributes",
    "CODEOWNERS",
    "Vagrantfile",
    "Procfile",
];
/// Files that name dependencies; a pure bump of them is the advisory judge's business.
const MANIFESTS: &[&str] = &[
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "requirements.txt",
    "constraints.txt",
    "pyproject.toml",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "pom.xml",
    "gradle.lockfile",
    "Gemfile",
    "Gemfile.lock",
    "composer.json",
    "composer.lock",
];

/// Returns the risk of a patch and the factors that make it.
///
/// `pure_bump` says that the advisory judge understood every line as a version change of a package
/// the APV names; then manifests and the length of lock files are no risk of their own.
pub fn assess_risk(diff: &Diff<'_>, pure_bump: bool, config: &RiskConfig) -> RiskRecord {
    let mut factors: Vec<(RiskLevel, String)> = Vec::new();
    if let Some(hidden) = find_hidden(diff) {
        factors.push((
            RiskLevel::Critical,
            format!(
                "hidden character {} in {}",
                hidden.name,
                printable(&hidden.file)
            ),
        ));
    }
    if !pure_bump {
        size_factors(diff, config, &mut factors);
    }
    for file in &diff.files {
        file_factors(file, pure_bump, &mut factors);
    }
    // The sort is stable, so factors of one level stay in the order of the diff.
    factors.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    RiskRecord {
        level: factors.first().map_or(RiskLevel::Low, |(level, _)| *level),
        factors: factors
            .into_iter()
            .take(MAX_FACTORS)
            .map(|(_, text)| text)
            .collect(),
    }
}

fn size_factors(diff: &Diff<'_>, config: &RiskConfig, factors: &mut Vec<(RiskLevel, String)>) {
    let changed = diff.added_lines + diff.removed_lines;
    for (what, value, medium, high) in [
        (
            "changed lines",
            changed,
            config.medium_changed_lines,
            config.high_changed_lines,
        ),
        (
            "files",
            diff.files.len(),
            config.medium_files,
            config.high_files,
        ),
    ] {
        if value > high {
            factors.push((RiskLevel::High, format!("{value} {what}")));
        } else if value > medium {
            factors.push((RiskLevel::Medium, format!("{value} {what}")));
        }
    }
}

fn file_factors(file: &FileDiff<'_>, pure_bump: bool, factors: &mut Vec<(RiskLevel, String)>) {
    let path = file.path();
    let name = memchr::memrchr(b'/', path.as_bytes())
        .and_then(|slash| path.get(slash + 1..))
        .unwrap_or(path);
    let mut found =
        |level, what: &str| factors.push((level, format!("{what} {}", printable(path))));
    if file.change == Change::Binary {
        found(RiskLevel::High, "binary file");
    }
    if file.change == Change::Deleted {
        found(RiskLevel::Medium, "deletes");
    }
    if file.new_mode.is_some_and(|mode| mode != 0o100_644) {
        found(RiskLevel::High, "changes the mode of");
    }
    let builds = BUILD_FILES.contains(&name)
        || path
            .as_bytes()
            .split_inclusive(|byte| *byte == b'/')
            .any(|directory| {
                BUILD_DIRECTORIES
                    .iter()
                    .any(|known| known.as_bytes() == directory)
            })
        || name.starts_with("Dockerfile")
        || name.ends_with(".sh");
    if builds {
        found(RiskLevel::High, "builds or deploys:");
    }
    if !pure_bump && (MANIFESTS.contains(&name) || name.starts_with("requirements")) {
        found(RiskLevel::High, "changes dependencies in");
    }
    if pure_bump {
        return;
    }
    if let Some(asked) = added(file, SURROUNDINGS_FINDER.as_ref(), SURROUNDINGS) {
        let asked = asked.trim_end_matches('(');
        found(
            RiskLevel::High,
            &format!("asks for its surroundings by {asked} in"),
        );
    }
    if let Some(sink) = added(file, SINK_FINDER.as_ref(), SINKS) {
        found(
            RiskLevel::High,
            &format!("adds {} to", sink.trim_end_matches('(').trim_end()),
        );
    }
}

/// Returns the first of these words that an added line of the file holds.
fn added(
    file: &FileDiff<'_>,
    finder: Option<&AhoCorasick>,
    words: &[&'static str],
) -> Option<&'static str> {
    let finder = finder?;
    file.hunks
        .iter()
        .flat_map(|hunk| &hunk.lines)
        .filter(|line| line.side == Side::Added)
        .find_map(|line| finder.find(line.text))
        .and_then(|found| words.get(found.pattern().as_usize()).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{DiffLimits, parse};

    fn risk(path: &str, added: &str) -> RiskRecord {
        let text = format!(
            "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-old\n+{added}\n"
        );
        let diff = parse(&text, &DiffLimits::default()).unwrap();
        assess_risk(&diff, false, &RiskConfig::default())
    }

    #[test]
    fn a_small_plain_change_is_low() {
        assert_eq!(
            risk("src/a.py", "if x is None: return"),
            RiskRecord {
                level: RiskLevel::Low,
                factors: vec![]
            }
        );
    }

    #[test]
    fn what_builds_runs_or_reaches_out_is_high() {
        for (path, added) in [
            (".github/workflows/ci.yml", "on: push"),
            ("sub/Dockerfile", "FROM x"),
            ("package.json", "\"x\": \"1\""),
            ("src/a.js", "eval(x)"),
            ("src/a.py", "subprocess.run(x)"),
            ("src/a.py", "urlopen('http://x')"),
            ("src/a.py", "if os.uname().nodename == 'web-1':"),
            ("src/a.js", "if (os.hostname() !== name) return;"),
            ("src/a.py", "open('/proc/1/comm')"),
            ("src/a.py", "os.listdir('/proc')"),
        ] {
            assert_eq!(risk(path, added).level, RiskLevel::High, "{path} {added}");
        }
    }

    #[test]
    fn hidden_characters_are_critical_and_told_first() {
        let found = risk("src/a.js", "eval(x) // \u{202e}");
        assert_eq!(found.level, RiskLevel::Critical);
        assert!(
            found.factors[0].starts_with("hidden character"),
            "{:?}",
            found.factors
        );
        assert_eq!(found.factors.len(), 2);
    }

    #[test]
    fn size_counts_in_steps() {
        let lines = |n: usize| "+x\n".repeat(n);
        let of = |n: usize| {
            let text = format!("--- a/f.c\n+++ b/f.c\n@@ -0,0 +1,{n} @@\n{}", lines(n));
            let diff = parse(&text, &DiffLimits::default()).unwrap();
            assess_risk(&diff, false, &RiskConfig::default()).level
        };
        assert_eq!(of(100), RiskLevel::Low);
        assert_eq!(of(101), RiskLevel::Medium);
        assert_eq!(of(501), RiskLevel::High);
    }
}
