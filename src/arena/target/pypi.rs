//! Trees of Python packages. Wheels are downloaded as they are. A package that has none for this Python is downloaded
//! as source, without asking pip to look into it, because looking runs its code; its wheel is built in the arena.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::download::download;
use super::files::{READABLE, WRITABLE, make};
use super::inside::in_arena;
use super::{BuildError, Recipe};
use crate::arena::sandbox::{Run, Sandbox};
use crate::event::facts::Ecosystem;
use crate::exploit::Limits;
use crate::judge::advisory::{pypi_name, same_package};

/// The Python that is also in the arena.
const PYTHON: &str = "/usr/bin/python3";
/// What builds wheels of packages that were made before builds were isolated.
const BUILD_TOOLS: [&str; 2] = ["setuptools==65.5.1", "wheel==0.38.4"];
/// Where packages are looked for, if pip is not told otherwise.
const INDEX: &str = "https://pypi.org/simple";
/// What building and installing may use.
const LIMITS: Limits = Limits {
    time_s: 120,
    memory_mb: 1_024,
    pids: 64,
    output_kb: 1_024,
    work_mb: 256,
};

/// Returns a directory below `scratch` that holds the packages.
pub(super) fn install(
    scratch: &Path,
    recipe: &Recipe<'_>,
    sandbox: &Sandbox,
) -> Result<PathBuf, BuildError> {
    let [wheels, tree] = ["wheels", "tree"].map(|name| scratch.join(name));
    make(&wheels, READABLE)?;
    make(&tree, WRITABLE)?;
    let name = recipe.name();
    let mut wanted = vec![name.clone()];
    if pip_download(&wheels, &["--no-deps"], &[&name]).is_err() {
        wanted = vec![build(scratch, &wheels, recipe, sandbox)?];
    }
    wanted.extend(recipe.extra.iter().map(|extra| (*extra).to_owned()));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    pip_download(
        &wheels,
        &["--find-links", &wheels.display().to_string()],
        &wanted,
    )?;
    let line = format!(
        "{PYTHON} -m pip install --quiet --no-index --no-deps --no-compile --no-warn-script-location \
         --find-links /wheels --target /tree /wheels/*.whl"
    );
    let run = Run {
        line: &line,
        environment: pip_quiet(),
        reads: vec![(wheels, "/wheels")],
        writes: vec![(tree.clone(), "/tree")],
        fixtures: &BTreeMap::new(),
        limits: LIMITS,
    };
    in_arena(&format!("pip install {name}"), sandbox, &run)?;
    Ok(tree)
}

/// Builds the wheel of a package that has none; returns its path.
fn build(
    scratch: &Path,
    wheels: &Path,
    recipe: &Recipe<'_>,
    sandbox: &Sandbox,
) -> Result<String, BuildError> {
    let [source, tools, built] = ["source", "tools", "built"].map(|name| scratch.join(name));
    make(&source, READABLE)?;
    make(&tools, READABLE)?;
    make(&built, WRITABLE)?;
    let file = download_source(&source, recipe)?;
    pip_download(&tools, &["--no-deps"], &BUILD_TOOLS)?;
    let line = format!(
        "{PYTHON} -m pip install --quiet --no-index --no-deps --target /tmp/tools /tools/*.whl && \
         PYTHONPATH=/tmp/tools {PYTHON} -m pip wheel --quiet --no-index --no-deps --no-build-isolation \
         --wheel-dir /built '/source/{file}'"
    );
    let run = Run {
        line: &line,
        environment: pip_quiet(),
        reads: vec![(source, "/source"), (tools, "/tools")],
        writes: vec![(built.clone(), "/built")],
        fixtures: &BTreeMap::new(),
        limits: LIMITS,
    };
    in_arena(&format!("build {}", recipe.name()), sandbox, &run)?;
    let failed = |error| BuildError::Io {
        doing: format!("read {}", built.display()),
        error,
    };
    let wheel = fs::read_dir(&built)
        .map_err(failed)?
        .filter_map(Result::ok)
        .find(|entry| {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            is_file && entry.path().extension().is_some_and(|end| end == "whl")
        })
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let kept = wheels.join(wheel.file_name());
    fs::copy(wheel.path(), &kept).map_err(failed)?;
    Ok(kept.display().to_string())
}

fn pip_quiet() -> Vec<(String, String)> {
    [
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_CACHE_DIR", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Downloads wheels and no source, so that no code of a package runs.
fn pip_download(to: &Path, options: &[&str], wanted: &[&str]) -> Result<(), BuildError> {
    let mut pip = Command::new(PYTHON);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary=:all:",
        "--dest",
    ])
    .arg(to)
    .args(options)
    .args(wanted);
    download(&format!("pip download {}", wanted.join(" ")), &pip).map(drop)
}

#[derive(Deserialize)]
struct Project {
    files: Vec<IndexFile>,
}

#[derive(Deserialize)]
struct IndexFile {
    filename: String,
    url: String,
    hashes: BTreeMap<String, String>,
}

/// Downloads a package's source; returns the name of its file.
fn download_source(to: &Path, recipe: &Recipe<'_>) -> Result<String, BuildError> {
    let doing = format!("download the source of {}", recipe.name());
    let refused = |said: String| BuildError::Refused {
        doing: doing.clone(),
        said,
    };
    let mut pip = Command::new(PYTHON);
    pip.args(["-m", "pip", "config", "get", "global.index-url"]);
    let told = std::env::var("PIP_INDEX_URL").ok();
    let index = told
        .or_else(|| download("pip config", &pip).ok())
        .map(|text| text.trim().trim_end_matches('/').to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| INDEX.to_owned());
    let page = format!("{index}/{}/", pypi_name(recipe.package));
    let listed = download(
        &doing,
        Command::new("curl").args([
            "-fsSL",
            "-H",
            "Accept: application/vnd.pypi.simple.v1+json",
            &page,
        ]),
    )?;
    let project: Project =
        serde_json::from_str(&listed).map_err(|error| refused(error.to_string()))?;
    let is_source = |file: &&IndexFile| {
        let stem = [".tar.gz", ".zip"]
            .iter()
            .find_map(|end| file.filename.strip_suffix(end));
        let parts = stem.and_then(|stem| stem.rsplit_once('-'));
        parts.is_some_and(|(name, version)| {
            same_package(Ecosystem::PyPi, name, recipe.package) && version == recipe.version
        })
    };
    let file = project
        .files
        .iter()
        .find(is_source)
        .ok_or_else(|| refused("the index has no source of this version".to_owned()))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if !file.filename.chars().all(plain) {
        return Err(refused("the index names a strange file".to_owned()));
    }
    let at = to.join(&file.filename);
    let url = match file.url.starts_with("http") {
        true => file.url.clone(),
        false => format!("{page}{}", file.url),
    };
    download(
        &doing,
        Command::new("curl").args(["-fsSL", "-o"]).arg(&at).arg(url),
    )?;
    let bytes = fs::read(&at).map_err(|error| BuildError::Io {
        doing: format!("read {}", at.display()),
        error,
    })?;
    let digest = crate::event::id::sha256_hex(&bytes);
    if file
        .hashes
        .get("sha256")
        .is_some_and(|told| *told != digest)
    {
        return Err(refused(
            "the file is not the one the index names".to_owned(),
        ));
    }
    Ok(file.filename.clone())
}
