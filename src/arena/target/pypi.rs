//! Trees of Python packages. pip resolves and installs wheels in the arena. A package that has none for this Python is
//! fetched as source without looking into it, because looking runs its code; its wheel is built in the arena without
//! any network, and what it says that it needs is read before pip believes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::inside::{Site, Step, script};
use super::{BuildError, Recipe};
use crate::arena::identity::as_nobody;
use crate::arena::registry::{Findings, RegistryError, WheelError, direct_references, is_wheel_of};
use crate::arena::trees::Most;
use crate::event::codec::printable;
use crate::exploit::Limits;

/// What builds wheels of packages that were made before builds were isolated: project and file.
const BUILD_TOOLS: [(&str, &str); 2] = [
    ("setuptools", "setuptools-65.5.1-py3-none-any.whl"),
    ("wheel", "wheel-0.38.4-py3-none-any.whl"),
];
/// What building and installing may use.
const LIMITS: Limits = Limits {
    time_s: 120,
    memory_mb: 1_024,
    pids: 64,
    output_kb: 1_024,
    work_mb: 256,
    repeats: 1,
};
/// What a tree may hold.
const MOST: Most = Most {
    bytes: 192 << 20,
    files: 8_000,
};
/// What a build may leave behind: one wheel.
const MOST_BUILT: Most = Most {
    bytes: 64 << 20,
    files: 1,
};
const PIP: &str = "/usr/bin/python3 -I -m pip --quiet --disable-pip-version-check --no-cache-dir";

/// Returns a directory below the site's own that holds the packages.
pub(super) fn install(site: &Site<'_>, recipe: &Recipe<'_>) -> Result<PathBuf, BuildError> {
    let listed = fetched(recipe, || {
        site.registry.version(recipe.package, recipe.version)
    })?;
    if listed.has_wheel {
        let failed = match install_from(site, recipe, None) {
            Ok(tree) => return Ok(tree),
            Err(failed) => failed,
        };
        let (error, found) = failed;
        let is_of_version = |file: &String| is_wheel_of(file, recipe.package, recipe.version);
        let needs_building = matches!(error, BuildError::Refused { .. })
            && found.refused.is_none()
            && !found.files.iter().any(is_of_version);
        if !needs_building || listed.source.is_none() {
            return Err(error);
        }
    }
    let source = listed.source.ok_or_else(|| BuildError::Refused {
        doing: doing(recipe),
        said: "the index has neither a wheel nor the source of this version".to_owned(),
    })?;
    let wheel = build(site, recipe, &source)?;
    install_from(site, recipe, Some(&wheel)).map_err(|(error, _)| error)
}

/// Has pip install the package, from a wheel if it is given, with what it needs.
fn install_from(
    site: &Site<'_>,
    recipe: &Recipe<'_>,
    wheel: Option<&Path>,
) -> Result<PathBuf, (BuildError, Findings)> {
    let doing = doing(recipe);
    let tree = site.scratch.join("tree");
    let mut step = Step {
        doing: &doing,
        script: "",
        reads: Vec::new(),
        texts: Vec::new(),
        limits: LIMITS,
        takes: ("tree", &tree),
        most: MOST,
    };
    let mut wanted = Vec::new();
    let at;
    match wheel {
        None => wanted.push(recipe.name()),
        Some(wheel) => {
            let name = wheel.file_name().unwrap_or_default().to_string_lossy();
            at = ["/built/", &name].concat();
            wanted.push(at.clone());
            step.reads = vec![(wheel.to_owned(), &at)];
        }
    }
    wanted.extend(recipe.extra.iter().map(|extra| (*extra).to_owned()));
    if let Some(strange) = wanted.iter().find(|one| !is_plain(one)) {
        let said = format!("{}: not a requirement of an index", printable(strange));
        return Err((step.refused(said), Findings::default()));
    }
    let wanted: Vec<String> = wanted.iter().map(|one| format!("'{one}'")).collect();
    let script = script(&format!(
        "{PIP} install --index-url=http://127.0.0.1:4873/simple/ --only-binary=:all: --retries=0 --timeout=100 \
         --no-compile --no-warn-script-location --target=/arena/tree {}\nchmod -R u+rwX,go+rX /arena/tree\n",
        wanted.join(" ")
    ));
    step.script = &script;
    step.beside_registry(site)?;
    Ok(tree)
}

/// Whether a requirement can be nothing but a name with versions, or a file below `/built`.
fn is_plain(requirement: &str) -> bool {
    let rest = requirement.strip_prefix("/built/").unwrap_or(requirement);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-[],=<>!~+* ".contains(c);
    rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && rest.chars().all(plain)
}

/// Builds the wheel of a package that has none; returns where it is.
fn build(site: &Site<'_>, recipe: &Recipe<'_>, source: &str) -> Result<PathBuf, BuildError> {
    let doing = format!("build {}", recipe.name());
    let [sources, tools, built] = ["source", "tools", "built"].map(|name| site.scratch.join(name));
    fetched(recipe, || {
        for directory in [&sources, &tools] {
            fs::create_dir(directory)?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        }
        site.registry
            .keep(recipe.package, source, &sources.join(source))?;
        for (project, file) in BUILD_TOOLS {
            site.registry.keep(project, file, &tools.join(file))?;
        }
        Ok(())
    })?;
    let script = script(&format!(
        "{PIP} install --no-index --no-deps --no-compile --target=/arena/tmp/tools /tools/*.whl\n\
         export PYTHONPATH=/arena/tmp/tools\n\
         /usr/bin/python3 -m pip --quiet --disable-pip-version-check --no-cache-dir wheel --no-index --no-deps \
         --no-build-isolation --wheel-dir=/arena/built '/source/{source}'\n\
         chmod -R u+rwX,go+rX /arena/built\n"
    ));
    let step = Step {
        doing: &doing,
        script: &script,
        reads: vec![(sources, "/source"), (tools, "/tools")],
        texts: Vec::new(),
        limits: LIMITS,
        takes: ("built", &built),
        most: MOST_BUILT,
    };
    step.alone(site)?;
    let looked = as_nobody(|| look(&built, recipe)).map_err(|error| io_error(&doing, error))?;
    match looked.map_err(|error| io_error(&doing, error))? {
        Ok(wheel) => Ok(wheel),
        Err(said) => Err(step.refused(said)),
    }
}

/// Returns the wheel that a build has left behind, or what is wrong with it.
fn look(built: &Path, recipe: &Recipe<'_>) -> io::Result<Result<PathBuf, String>> {
    let Some(entry) = fs::read_dir(built)?.next().transpose()? else {
        return Ok(Err("it left no wheel behind".to_owned()));
    };
    let name = entry.file_name().to_string_lossy().into_owned();
    if !is_wheel_of(&name, recipe.package, recipe.version) || !is_plain(&name) {
        return Ok(Err(format!(
            "it made {} and no wheel of that version",
            printable(&name)
        )));
    }
    match direct_references(&mut File::open(entry.path())?) {
        Err(WheelError::Io(error)) => Err(error),
        Err(error) => Ok(Err(error.to_string())),
        Ok(direct) => Ok(match direct.first() {
            None => Ok(entry.path()),
            Some(first) => Err(format!(
                "{} requires \"{}\", which is of no index",
                recipe.name(),
                printable(first)
            )),
        }),
    }
}

/// Does something with a registry as who works on foreign bytes.
fn fetched<T: Send>(
    recipe: &Recipe<'_>,
    fetch: impl FnOnce() -> Result<T, RegistryError> + Send,
) -> Result<T, BuildError> {
    let doing = doing(recipe);
    let failed = match as_nobody(fetch) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(failed)) => failed,
        Err(error) => return Err(io_error(&doing, error)),
    };
    Err(match failed {
        RegistryError::Refused(said) => BuildError::Refused {
            doing,
            said: printable(&said),
        },
        RegistryError::Away(said) => BuildError::Download {
            doing,
            said: printable(&said),
        },
        RegistryError::Io(error) => io_error(&doing, error),
    })
}

fn io_error(doing: &str, error: io::Error) -> BuildError {
    BuildError::Io {
        doing: doing.to_owned(),
        error,
    }
}

fn doing(recipe: &Recipe<'_>) -> String {
    format!("pip install {}", recipe.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_names_with_versions() {
        for plain in [
            "a==1.0",
            "Flask[async]>=2,<3",
            "setuptools<70",
            "/built/a-1.0-py3-none-any.whl",
            "a==1+local",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for strange in [
            "-r x",
            "--index-url=x",
            "a @ http://h",
            "./a",
            "/etc/x",
            "a'; id; '",
            "git+https://h",
            "/built/../x",
            "",
        ] {
            assert!(!is_plain(strange), "{strange}");
        }
    }
}
