//! Asks a tool what it installs of the files after a bump.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::registry::Registry;
use super::{Tool, version_of};
use crate::judge::advisory::tree::tests::differ::project::{Bump, Format, Version};
use crate::judge::advisory::tree::tests::differ::write;

/// Makes wheels without content: reads names and versions, prints the digest of each.
const WHEELS: &str = r#"
import hashlib, json, sys, zipfile
into, digests = sys.argv[1], []
for name, version in json.load(sys.stdin):
    plain = name.replace("-", "_")
    path = f"{into}/{plain}-{version}-py3-none-any.whl"
    info = f"{plain}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        extra = "Provides-Extra: x\n"
        wheel.writestr(zipfile.ZipInfo(f"{info}/METADATA"), f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extra}")
        wheel.writestr(zipfile.ZipInfo(f"{info}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "")
    digests.append(hashlib.sha256(open(path, "rb").read()).hexdigest())
json.dump(digests, sys.stdout)
"#;

/// Returns the versions of the package that a tool installs.
///
/// # Errors
/// The last words of a tool that refuses the files.
pub(super) fn installed(
    tool: Tool,
    bump: &Bump,
    registry: &Registry,
) -> Result<Vec<Version>, String> {
    let home = tempfile::tempdir().unwrap();
    let project = home.path().join("project");
    fs::create_dir(&project).unwrap();
    for (path, _, after) in bump.files() {
        fs::write(project.join(path), after).unwrap();
    }
    match tool {
        Tool::Npm => npm(bump, home.path(), &project, registry),
        Tool::Cargo => cargo(bump, home.path(), &project, registry),
        Tool::Go => go(home.path(), &project, registry),
        Tool::Pip => pip(bump, home.path(), &project),
        Tool::Maven => maven(bump, home.path(), &project),
    }
}

/// Returns a program in a directory, with a home of its own and nothing of this environment but its path.
fn program(name: &str, home: &Path, directory: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(directory).env_clear().env("HOME", home);
    for kept in ["PATH", "RUSTUP_HOME", "PYENV_VERSION"] {
        if let Ok(value) = std::env::var(kept) {
            command.env(kept, value);
        }
    }
    command
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let is_error = |line: &&str| line.to_ascii_lowercase().contains("error");
    let telling = said.lines().find(is_error).or_else(|| said.lines().next());
    Err(telling.unwrap_or("no word").chars().take(120).collect())
}

fn npm(
    bump: &Bump,
    home: &Path,
    project: &Path,
    registry: &Registry,
) -> Result<Vec<Version>, String> {
    let lock = project.join("package-lock.json");
    if bump.format == Format::NpmTree {
        // A lock without its manifest: one that asks for all that stands in it.
        let read: Value = serde_json::from_str(&fs::read_to_string(&lock).unwrap()).unwrap();
        let needs = read["dependencies"].as_object().unwrap().iter();
        let needs: serde_json::Map<String, Value> = needs
            .map(|(name, entry)| {
                let version = entry["version"].as_str().unwrap();
                let alias = version.starts_with("npm:");
                let any = if alias { "npm:mm-target@*" } else { "*" };
                (name.clone(), json!(any))
            })
            .collect();
        let manifest = json!({ "name": "project", "version": "0.1.0", "dependencies": needs });
        fs::write(project.join("package.json"), manifest.to_string()).unwrap();
    }
    let mut command = program("npm", home, project);
    command
        .args(["install", "--package-lock-only", "--ignore-scripts"])
        .args(["--no-audit", "--no-fund", "--fetch-retries=0"])
        .arg(format!("--registry={}", registry.url("npm/")))
        .env("npm_config_cache", home.join("cache"));
    output(&mut command)?;
    let read: Value = serde_json::from_str(&fs::read_to_string(&lock).unwrap()).unwrap();
    let entries = read["packages"].as_object().unwrap().iter();
    let versions = entries.filter_map(|(path, entry)| {
        let (_, key) = path.rsplit_once("node_modules/")?;
        let name = entry["name"].as_str().unwrap_or(key);
        (name == "mm-target").then(|| version_of(entry["version"].as_str().unwrap()).unwrap())
    });
    Ok(versions.collect())
}

fn cargo(
    bump: &Bump,
    home: &Path,
    project: &Path,
    registry: &Registry,
) -> Result<Vec<Version>, String> {
    fs::create_dir(project.join("src")).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    fs::write(project.join("build.rs"), "fn main() {}").unwrap();
    let source = format!(
        "[source.crates-io]\nreplace-with = \"made\"\n[source.made]\nregistry = \"sparse+{}\"\n",
        registry.url("index/")
    );
    fs::write(home.join("config.toml"), source).unwrap();
    let lock = project.join("Cargo.lock");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = program(&cargo, home, project);
    command.env("CARGO_HOME", home);
    if bump.format == Format::CargoLock {
        // A lock without its manifest: one that asks for what the project has there.
        let deep = match fs::read_to_string(&lock).unwrap().contains("zz-deep") {
            true => "zz-deep = \"1\"\n",
            false => "",
        };
        let manifest = format!(
            "[package]\nname = \"project\"\nversion = \"0.1.0\"\n[dependencies]\nmm-target = \"*\"\n{deep}"
        );
        fs::write(project.join("Cargo.toml"), manifest).unwrap();
        command.args(["update", "--workspace"]);
    } else {
        command.arg("generate-lockfile");
    }
    output(&mut command)?;
    let read: toml::Table = fs::read_to_string(&lock).unwrap().parse().unwrap();
    let entries = read["package"].as_array().unwrap().iter();
    let own = entries.filter(|entry| entry["name"].as_str() == Some("mm-target"));
    Ok(own
        .map(|entry| version_of(entry["version"].as_str().unwrap()).unwrap())
        .collect())
}

fn go(home: &Path, project: &Path, registry: &Registry) -> Result<Vec<Version>, String> {
    // What is made has digests of names, not of content, and majors that Go wants in the path.
    fs::remove_file(project.join("go.sum")).unwrap();
    let manifest = project.join("go.mod");
    let text = fs::read_to_string(&manifest).unwrap();
    let plain = |line: &str| match line.split_once(" v") {
        Some((name, version)) if name.contains("/aa-") || name.contains("/zz-") => {
            let rest = version.split_once('.').unwrap().1;
            format!("{name} v1.{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    fs::write(&manifest, text.lines().map(plain).collect::<String>()).unwrap();
    let mut command = program("go", home, project);
    command
        .args(["list", "-m", "-f", "{{.Path}} {{.Version}}", "all"])
        .env("GOPROXY", registry.url("go"))
        .envs([("GOSUMDB", "off"), ("GOFLAGS", "-mod=mod -modcacherw")])
        .env("GOTOOLCHAIN", "local");
    let listed = output(&mut command)?;
    let own = listed
        .lines()
        .filter_map(|line| line.strip_prefix("example.org/mm/target "));
    Ok(own.map(|version| version_of(version).unwrap()).collect())
}

/// Returns what may be chosen for a project, affected and not: names and versions.
fn stubs(bump: &Bump) -> Vec<(String, Version)> {
    let side = &bump.after;
    let mut all: Vec<(String, Version)> = (0..side.others.len())
        .map(|nth| (write::other(nth), side.others[nth]))
        .collect();
    all.extend(["zz-extra", "cc", "dd", "ee"].map(|name| (name.to_owned(), (1, 0, 0))));
    let own = [
        bump.before.main,
        side.main,
        (1, 9, 9),
        (1, 9, 12),
        (2, 4, 6),
        (2, 0, 1),
        (1, 0, 1),
    ];
    let more = [side.second, side.pin, side.decoy].into_iter().flatten();
    let own = own.into_iter().chain(more);
    all.extend(own.map(|version| ("mm-target".to_owned(), version)));
    all.sort();
    all.dedup();
    all
}

fn pip(bump: &Bump, home: &Path, project: &Path) -> Result<Vec<Version>, String> {
    let wheels = home.join("wheels");
    fs::create_dir(&wheels).unwrap();
    let all = stubs(bump);
    let asked: Vec<(String, String)> = all
        .iter()
        .map(|(name, version)| (name.clone(), write::v(*version)))
        .collect();
    let list = home.join("list.json");
    fs::write(&list, serde_json::to_string(&asked).unwrap()).unwrap();
    let mut command = program("python3", home, home);
    command.args(["-c", WHEELS]).arg(&wheels);
    command.stdin(fs::File::open(&list).unwrap());
    let digests: Vec<String> = serde_json::from_str(&output(&mut command).unwrap()).unwrap();

    let mut command = program("python3", home, project);
    command
        .args(["-m", "pip", "install", "--dry-run", "--ignore-installed"])
        .args(["--no-index", "--quiet", "--report", "-", "--find-links"])
        .arg(&wheels)
        .envs([
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_CONFIG_FILE", "/dev/null"),
            ("PIP_ROOT_USER_ACTION", "ignore"),
        ]);
    if bump.format == Format::Requirements {
        let path = project.join("requirements.txt");
        let mut text = fs::read_to_string(&path).unwrap();
        // The digests of what was made stand for those of the wheels.
        for ((name, version), digest) in all.iter().zip(&digests) {
            text = text.replace(&write::hex(name, *version), digest);
        }
        fs::write(&path, text).unwrap();
        command.args(["-r", "requirements.txt"]);
    } else {
        // A script is no entry point that setuptools would take.
        let path = project.join("pyproject.toml");
        let text = fs::read_to_string(&path).unwrap();
        let script = format!("\n[project.scripts]\ntest = \"{}\"\n", bump.after.script);
        assert!(text.contains(&script));
        fs::write(&path, text.replace(&script, "")).unwrap();
        command.args(["--no-build-isolation", "."]);
    }
    let report: Value = serde_json::from_str(&output(&mut command)?).unwrap();
    let entries = report["install"].as_array().unwrap().iter();
    let own = entries.filter(|entry| entry["metadata"]["name"] == "mm-target");
    Ok(own
        .map(|entry| version_of(entry["metadata"]["version"].as_str().unwrap()).unwrap())
        .collect())
}

fn maven(bump: &Bump, home: &Path, project: &Path) -> Result<Vec<Version>, String> {
    const TREE: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:tree";
    let own = std::env::var("HOME").unwrap();
    let repository = home.join("repository");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(Path::new(&own).join(".m2/repository"))
        .arg(&repository)
        .status();
    assert!(copied.unwrap().success(), "no ~/.m2/repository");
    for (name, version) in stubs(bump) {
        let (group, name) = match name.as_str() {
            "mm-target" => ("org.mm".to_owned(), "target"),
            other => (format!("org.{other}"), other),
        };
        let version = write::v(version);
        let directory = repository
            .join(group.replace('.', "/"))
            .join(name)
            .join(&version);
        fs::create_dir_all(&directory).unwrap();
        let text = format!(
            "<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></project>"
        );
        fs::write(directory.join(format!("{name}-{version}.pom")), text).unwrap();
    }
    // Maven wants the version of its own format, which the judge does not need.
    let manifest = project.join("pom.xml");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.replacen(
        "  <groupId>x",
        "  <modelVersion>4.0.0</modelVersion>\n  <groupId>x",
        1,
    );
    fs::write(&manifest, text).unwrap();
    let mut command = program("mvn", home, project);
    command
        .args(["-o", "-B", "-q", TREE, "-DoutputFile=tree.txt"])
        .arg(format!("-Dmaven.repo.local={}", repository.display()));
    output(&mut command)?;
    let tree = fs::read_to_string(project.join("tree.txt")).unwrap();
    let own = tree
        .lines()
        .filter_map(|line| line.split_once("org.mm:target:jar:"));
    Ok(own
        .map(|(_, rest)| version_of(rest.split(':').next().unwrap()).unwrap())
        .collect())
}
