//! Writes a made project in each format, as its tool would; over 400 lines, because it is one short writer for each
//! of 17 formats, and what they share is what makes them comparable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use super::project::{Format, Origin, Side, Version};

/// What a format can say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Features {
    pub second: bool,
    pub alias: bool,
    pub pin: bool,
    pub decoy: bool,
    pub digest: bool,
    pub url: bool,
    pub host: bool,
    pub git: bool,
    pub script: bool,
    pub replaced: bool,
}

pub(super) fn features(format: Format) -> Features {
    let none = Features::default();
    match format {
        Format::PackageJson => Features {
            second: true,
            alias: true,
            pin: true,
            decoy: true,
            git: true,
            script: true,
            ..none
        },
        Format::NpmPair => Features {
            second: true,
            alias: true,
            digest: true,
            url: true,
            host: true,
            git: true,
            script: true,
            ..none
        },
        Format::NpmTree | Format::YarnClassic => Features {
            second: true,
            alias: true,
            digest: true,
            url: true,
            host: true,
            git: true,
            ..none
        },
        Format::YarnBerry => Features {
            second: true,
            digest: true,
            url: true,
            git: true,
            ..none
        },
        Format::Pnpm => Features {
            second: true,
            pin: true,
            digest: true,
            git: true,
            ..none
        },
        Format::Requirements => Features {
            second: true,
            digest: true,
            git: true,
            ..none
        },
        Format::Pipfile => Features {
            second: true,
            git: true,
            script: true,
            ..none
        },
        Format::PipfileLock => Features {
            second: true,
            digest: true,
            git: true,
            ..none
        },
        Format::Pep621 => Features {
            second: true,
            pin: true,
            decoy: true,
            git: true,
            script: true,
            replaced: true,
            ..none
        },
        Format::PoetryToml => Features {
            second: true,
            decoy: true,
            git: true,
            script: true,
            ..none
        },
        Format::PoetryLock => Features {
            second: true,
            digest: true,
            url: true,
            git: true,
            ..none
        },
        Format::UvLock => Features {
            second: true,
            pin: true,
            digest: true,
            url: true,
            host: true,
            git: true,
            ..none
        },
        Format::CargoToml => Features {
            second: true,
            alias: true,
            decoy: true,
            git: true,
            replaced: true,
            ..none
        },
        Format::CargoLock => Features {
            second: true,
            digest: true,
            host: true,
            git: true,
            ..none
        },
        Format::Go => Features {
            decoy: true,
            digest: true,
            replaced: true,
            ..none
        },
        Format::Pom => Features {
            second: true,
            pin: true,
            decoy: true,
            script: true,
            ..none
        },
    }
}

const NAME: &str = "mm-target";

pub(super) fn v((a, b, c): Version) -> String {
    format!("{a}.{b}.{c}")
}

pub(super) fn other(at: usize) -> String {
    // Some stand before the package, some behind it.
    format!("{}-{at}", if at.is_multiple_of(2) { "aa" } else { "zz" })
}

pub(super) fn sri(name: &str, version: Version) -> String {
    let digest = Sha512::digest(format!("{name}@{}", v(version)));
    format!("sha512-{}", STANDARD.encode(digest))
}

pub(super) fn hex(name: &str, version: Version) -> String {
    let digest = Sha256::digest(format!("{name}@{}", v(version)));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn npm_range(version: Version, caret: bool) -> String {
    format!("{}{}", if caret { "^" } else { "" }, v(version))
}

fn pip_range(version: Version, caret: bool) -> String {
    match caret {
        true => format!(">={},<{}", v(version), version.0 + 1),
        false => format!("=={}", v(version)),
    }
}

/// The files of a project: path and text.
pub(super) fn files(format: Format, side: &Side, caret: bool) -> Vec<(String, String)> {
    let one = |path: &str, text: String| vec![(path.to_owned(), text)];
    match format {
        Format::PackageJson => one("package.json", package_json(side, caret)),
        Format::NpmPair => vec![
            ("package.json".to_owned(), package_json(side, caret)),
            ("package-lock.json".to_owned(), npm_lock(side, caret)),
        ],
        Format::NpmTree => one("package-lock.json", npm_tree(side)),
        Format::YarnClassic => one("yarn.lock", yarn(side, caret)),
        Format::YarnBerry => one("yarn.lock", berry(side, caret)),
        Format::Pnpm => one("pnpm-lock.yaml", pnpm(side, caret)),
        Format::Requirements => one("requirements.txt", requirements(side)),
        Format::Pipfile => one("Pipfile", pipfile(side, caret)),
        Format::PipfileLock => one("Pipfile.lock", pipfile_lock(side)),
        Format::Pep621 => one("pyproject.toml", pep621(side, caret)),
        Format::PoetryToml => one("pyproject.toml", poetry_toml(side, caret)),
        Format::PoetryLock => one("poetry.lock", poetry_lock(side)),
        Format::UvLock => one("uv.lock", uv_lock(side)),
        Format::CargoToml => one("Cargo.toml", cargo_toml(side, caret)),
        Format::CargoLock => one("Cargo.lock", cargo_lock(side)),
        Format::Go => go(side),
        Format::Pom => one("pom.xml", pom(side)),
    }
}

/// Names of the others, in order, with what each line is.
fn others(side: &Side, line: impl Fn(String, Version) -> String) -> Vec<String> {
    let extra = side.extra.then(|| ("zz-extra".to_owned(), (1, 0, 0)));
    side.others
        .iter()
        .enumerate()
        .map(|(at, version)| (other(at), *version))
        .chain(extra)
        .map(|(name, version)| line(name, version))
        .collect()
}

/// The package among the others, sorted as tools sort.
fn among(own: impl IntoIterator<Item = String>, others: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = own.into_iter().chain(others).collect();
    all.sort();
    all
}

fn package_json(side: &Side, caret: bool) -> String {
    let git = side.from == Origin::Git;
    let own = match git {
        true => format!(
            "    \"{NAME}\": \"git+https://git.example/x.git#{}\"",
            v(side.main)
        ),
        false => format!("    \"{NAME}\": \"{}\"", npm_range(side.asked, caret)),
    };
    let others = others(side, |name, version| {
        format!("    \"{name}\": \"^{}\"", v(version))
    });
    let alias = side.alias.map(|version| {
        format!(
            "    \"bb-old\": \"npm:{NAME}@{}\"",
            npm_range(version, caret)
        )
    });
    let dependencies = among([own].into_iter().chain(alias), others).join(",\n");
    let mut sections = vec![format!(
        "  \"scripts\": {{\n    \"test\": \"{}\"\n  }}",
        side.script
    )];
    if let Some(decoy) = side.decoy {
        let decoy = npm_range(decoy, caret);
        sections.push(format!(
            "  \"config\": {{\n    \"{NAME}\": \"{decoy}\"\n  }}"
        ));
    }
    sections.push(format!("  \"dependencies\": {{\n{dependencies}\n  }}"));
    if let Some(second) = side.second {
        let second = npm_range(second, caret);
        sections.push(format!(
            "  \"devDependencies\": {{\n    \"cc\": \"1\",\n    \"dd\": \"1\",\n    \"ee\": \"1\",\n    \"ff\": \"1\",\n    \"{NAME}\": \"{second}\"\n  }}"
        ));
    }
    if let Some(pin) = side.pin {
        let pin = v(pin);
        sections.push(format!(
            "  \"overrides\": {{\n    \"cc\": \"1\",\n    \"dd\": {{\n      \"{NAME}\": \"{pin}\"\n    }}\n  }}"
        ));
    }
    format!(
        "{{\n  \"name\": \"project\",\n  \"version\": \"0.1.0\",\n{}\n}}\n",
        sections.join(",\n")
    )
}

fn tarball(side: &Side, name: &str, version: Version) -> String {
    match side.from {
        Origin::Git => format!(
            "git+ssh://git@git.example/{name}.git#{}",
            hex(name, version)
        ),
        Origin::OtherRegistry => format!(
            "https://npm.evil.example/{name}/-/{name}-{}.tgz",
            v(version)
        ),
        Origin::Registry => format!(
            "https://registry.npmjs.org/{name}/-/{name}-{}.tgz",
            v(version)
        ),
    }
}

pub(super) fn plain_tarball(name: &str, version: Version) -> String {
    format!(
        "https://registry.npmjs.org/{name}/-/{name}-{}.tgz",
        v(version)
    )
}

fn npm_entry(
    indent: &str,
    key: &str,
    real: Option<&str>,
    name: &str,
    version: Version,
    url: &str,
    digest: Version,
) -> String {
    let told = real.map_or(String::new(), |real| {
        format!("{indent}  \"name\": \"{real}\",\n")
    });
    format!(
        "{indent}\"{key}\": {{\n{told}{indent}  \"version\": \"{}\",\n{indent}  \"resolved\": \"{url}\",\n{indent}  \"integrity\": \"{}\",\n{indent}  \"license\": \"MIT\"\n{indent}}}",
        v(version),
        sri(name, digest)
    )
}

fn npm_lock(side: &Side, caret: bool) -> String {
    let entry = |key: &str, real, version, url: &str, digest| {
        npm_entry("    ", key, real, NAME, version, url, digest)
    };
    let key = format!("node_modules/{NAME}");
    let mut own = vec![entry(
        &key,
        None,
        side.main,
        &tarball(side, NAME, side.url),
        side.digest,
    )];
    if let Some(alias) = side.alias {
        own.push(entry(
            "node_modules/bb-old",
            Some(NAME),
            alias,
            &plain_tarball(NAME, alias),
            alias,
        ));
    }
    if let Some(second) = side.second {
        let key = format!("node_modules/zz-deep/node_modules/{NAME}");
        own.push(entry(
            &key,
            None,
            second,
            &plain_tarball(NAME, second),
            second,
        ));
    }
    let others = others(side, |name, version| {
        let (key, url) = (
            format!("node_modules/{name}"),
            plain_tarball(&name, version),
        );
        npm_entry("    ", &key, None, &name, version, &url, version)
    });
    let entries = among(own, others).join(",\n");
    let asked = npm_range(side.asked, caret);
    format!(
        "{{\n  \"name\": \"project\",\n  \"version\": \"0.1.0\",\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n  \"packages\": {{\n    \"\": {{\n      \"name\": \"project\",\n      \"dependencies\": {{\n        \"{NAME}\": \"{asked}\"\n      }}\n    }},\n{entries}\n  }}\n}}\n"
    )
}

fn npm_tree(side: &Side) -> String {
    let entry = |key: &str, version: String, url: &str, digest: Version| {
        format!(
            "    \"{key}\": {{\n      \"version\": \"{version}\",\n      \"resolved\": \"{url}\",\n      \"integrity\": \"{}\"\n    }}",
            sri(NAME, digest)
        )
    };
    let mut own = vec![entry(
        NAME,
        v(side.main),
        &tarball(side, NAME, side.url),
        side.digest,
    )];
    if let Some(alias) = side.alias {
        let version = format!("npm:{NAME}@{}", v(alias));
        own.push(entry("bb-old", version, &plain_tarball(NAME, alias), alias));
    }
    if let Some(second) = side.second {
        let (url, digest) = (plain_tarball(NAME, second), sri(NAME, second));
        own.push(format!(
            "    \"zz-deep\": {{\n      \"version\": \"1.0.0\",\n      \"resolved\": \"{}\",\n      \"integrity\": \"{}\",\n      \"requires\": {{\n        \"{NAME}\": \"*\"\n      }},\n      \"dependencies\": {{\n        \"{NAME}\": {{\n          \"version\": \"{}\",\n          \"resolved\": \"{url}\",\n          \"integrity\": \"{digest}\"\n        }}\n      }}\n    }}",
            plain_tarball("zz-deep", (1, 0, 0)),
            sri("zz-deep", (1, 0, 0)),
            v(second)
        ));
    }
    let others = others(side, |name, version| {
        format!(
            "    \"{name}\": {{\n      \"version\": \"{}\",\n      \"resolved\": \"{}\",\n      \"integrity\": \"{}\"\n    }}",
            v(version),
            plain_tarball(&name, version),
            sri(&name, version)
        )
    });
    let entries = among(own, others).join(",\n");
    format!(
        "{{\n  \"name\": \"project\",\n  \"lockfileVersion\": 1,\n  \"requires\": true,\n  \"dependencies\": {{\n{entries}\n  }}\n}}\n"
    )
}

fn yarn(side: &Side, caret: bool) -> String {
    let entry = |head: String, version: Version, url: String, digest: String| {
        format!(
            "{head}:\n  version \"{}\"\n  resolved \"{url}\"\n  integrity {digest}\n",
            v(version)
        )
    };
    let mut own = vec![entry(
        format!("{NAME}@{}", npm_range(side.main, caret)),
        side.main,
        tarball(side, NAME, side.url),
        sri(NAME, side.digest),
    )];
    if let Some(alias) = side.alias {
        let head = format!("\"bb-old@npm:{NAME}@{}\"", v(alias));
        own.push(entry(
            head,
            alias,
            plain_tarball(NAME, alias),
            sri(NAME, alias),
        ));
    }
    if let Some(second) = side.second {
        let head = format!("{NAME}@{}", npm_range(second, true));
        own.push(entry(
            head,
            second,
            plain_tarball(NAME, second),
            sri(NAME, second),
        ));
    }
    let others = others(side, |name, version| {
        let (head, url) = (
            format!("{name}@^{}", v(version)),
            plain_tarball(&name, version),
        );
        entry(head, version, url, sri(&name, version))
    });
    format!("# yarn lockfile v1\n\n\n{}", among(own, others).join("\n"))
}

fn berry(side: &Side, caret: bool) -> String {
    let checksum = |name: &str, version| {
        let digest = Sha512::digest(format!("{name}@{}", v(version)));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("10c0/{hex}")
    };
    let entry = |name: &str,
                 range: String,
                 version: Version,
                 resolution: String,
                 digest: String| {
        format!(
            "\"{name}@npm:{range}\":\n  version: {}\n  resolution: \"{resolution}\"\n  checksum: {digest}\n  languageName: node\n  linkType: hard\n",
            v(version)
        )
    };
    let resolution = match side.from {
        Origin::Git => format!(
            "{NAME}@https://git.example/x.git#commit={}",
            hex(NAME, side.url)
        ),
        _ => format!("{NAME}@npm:{}", v(side.url)),
    };
    let mut own = vec![entry(
        NAME,
        npm_range(side.main, caret),
        side.main,
        resolution,
        checksum(NAME, side.digest),
    )];
    if let Some(second) = side.second {
        let resolution = format!("{NAME}@npm:{}", v(second));
        own.push(entry(
            NAME,
            npm_range(second, true),
            second,
            resolution,
            checksum(NAME, second),
        ));
    }
    let others = others(side, |name, version| {
        let resolution = format!("{name}@npm:{}", v(version));
        entry(
            &name,
            format!("^{}", v(version)),
            version,
            resolution,
            checksum(&name, version),
        )
    });
    format!(
        "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n{}",
        among(own, others).join("\n")
    )
}

fn pnpm(side: &Side, caret: bool) -> String {
    let importer = |name: &str, asked: String, version: Version| {
        format!(
            "      {name}:\n        specifier: {asked}\n        version: {}\n",
            v(version)
        )
    };
    let own = importer(NAME, npm_range(side.main, caret), side.main);
    let asked = others(side, |name, version| {
        importer(&name, format!("^{}", v(version)), version)
    });
    let importers = among([own], asked).concat();
    let resolution = match side.from {
        Origin::Git => format!(
            "{{commit: {}, repo: https://git.example/x.git, type: git}}",
            hex(NAME, side.main)
        ),
        _ => format!("{{integrity: {}}}", sri(NAME, side.digest)),
    };
    let entry = |name: &str, version: Version, resolution: String| {
        format!(
            "  {name}@{}:\n    resolution: {resolution}\n    engines: {{node: '>=4'}}\n\n",
            v(version)
        )
    };
    let mut packages = vec![entry(NAME, side.main, resolution)];
    let mut snapshots = vec![format!("  {NAME}@{}: {{}}\n\n", v(side.main))];
    if let Some(second) = side.second {
        packages.push(entry(
            NAME,
            second,
            format!("{{integrity: {}}}", sri(NAME, second)),
        ));
        snapshots.push(format!("  {NAME}@{}: {{}}\n\n", v(second)));
        snapshots.push(format!(
            "  zz-deep@1.0.0:\n    dependencies:\n      {NAME}: {}\n\n",
            v(second)
        ));
        packages.push(entry(
            "zz-deep",
            (1, 0, 0),
            format!("{{integrity: {}}}", sri("zz-deep", (1, 0, 0))),
        ));
    }
    let other_packages = others(side, |name, version| {
        entry(
            &name,
            version,
            format!("{{integrity: {}}}", sri(&name, version)),
        )
    });
    let other_snapshots = others(side, |name, version| {
        format!("  {name}@{}: {{}}\n\n", v(version))
    });
    let pin = side.pin.map_or(String::new(), |pin| {
        format!("overrides:\n  zz-pinned>{NAME}: {}\n\n", v(pin))
    });
    format!(
        "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n\n{pin}importers:\n\n  .:\n    dependencies:\n{importers}\npackages:\n\n{}snapshots:\n\n{}",
        among(packages, other_packages).concat(),
        among(snapshots, other_snapshots).concat()
    )
}

fn requirements(side: &Side) -> String {
    let line = |name: &str, version: Version, digest: Version, marker: &str| {
        format!(
            "{name}=={}{marker} \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}\n",
            v(version),
            hex(name, digest),
            hex(&format!("{name}-wheel"), digest)
        )
    };
    let own = match side.from {
        Origin::Git => format!(
            "{NAME} @ git+https://git.example/x.git@{}\n",
            hex(NAME, side.main)
        ),
        _ => line(NAME, side.main, side.digest, " ; python_version >= '3'"),
    };
    let second = side
        .second
        .map(|second| line(NAME, second, second, " ; python_version < '3'"));
    let others = others(side, |name, version| line(&name, version, version, ""));
    among([own].into_iter().chain(second), others).concat()
}

fn pipfile(side: &Side, caret: bool) -> String {
    let own = match side.from {
        Origin::Git => format!(
            "{NAME} = {{git = \"https://git.example/x.git\", ref = \"{}\"}}\n",
            v(side.main)
        ),
        _ => format!("{NAME} = \"{}\"\n", pip_range(side.main, caret)),
    };
    let others = others(side, |name, version| {
        format!("{name} = \"=={}\"\n", v(version))
    });
    let second = side.second.map_or(String::new(), |second| {
        format!(
            "\n[docs]\ncc = \"*\"\ndd = \"*\"\nee = \"*\"\n{NAME} = {{version = \"=={}\"}}\n",
            v(second)
        )
    });
    format!(
        "[[source]]\nurl = \"https://pypi.org/simple\"\nverify_ssl = true\nname = \"pypi\"\n\n[packages]\n{}{second}\n[scripts]\ntest = \"{}\"\n",
        among([own], others).concat(),
        side.script
    )
}

fn pipfile_lock(side: &Side) -> String {
    let entry = |name: &str, version: Version, digest: Version| {
        format!(
            "        \"{name}\": {{\n            \"hashes\": [\n                \"sha256:{}\"\n            ],\n            \"index\": \"pypi\",\n            \"version\": \"=={}\"\n        }}",
            hex(name, digest),
            v(version)
        )
    };
    let own = match side.from {
        Origin::Git => format!(
            "        \"{NAME}\": {{\n            \"git\": \"https://git.example/x.git\",\n            \"ref\": \"{}\"\n        }}",
            hex(NAME, side.main)
        ),
        _ => entry(NAME, side.main, side.digest),
    };
    let others = others(side, |name, version| entry(&name, version, version));
    let second = side.second.map_or(String::new(), |second| {
        format!("\n{}\n    ", entry(NAME, second, second))
    });
    format!(
        "{{\n    \"_meta\": {{\n        \"hash\": {{\n            \"sha256\": \"{}\"\n        }}\n    }},\n    \"default\": {{\n{}\n    }},\n    \"develop\": {{{second}}}\n}}\n",
        hex("manifest", side.main),
        among([own], others).join(",\n")
    )
}

fn pep621(side: &Side, caret: bool) -> String {
    let own = match side.from {
        Origin::Git => format!("    \"{NAME} @ git+https://git.example/x.git\",\n"),
        _ => format!("    \"{NAME}{}\",\n", pip_range(side.main, caret)),
    };
    let others = others(side, |name, version| {
        format!("    \"{name}=={}\",\n", v(version))
    });
    let mut text = format!(
        "[project]\nname = \"project\"\nversion = \"0.1.0\"\ndependencies = [\n{}]\n\n[project.scripts]\ntest = \"{}\"\n",
        among([own], others).concat(),
        side.script
    );
    if let Some(second) = side.second {
        text += &format!(
            "\n[dependency-groups]\ndev = [\n    \"cc\",\n    \"dd\",\n    \"ee\",\n    \"{NAME}[x]=={}\",\n]\n",
            v(second)
        );
    }
    if let Some(decoy) = side.decoy {
        text += &format!(
            "\n[tool.something]\nlist = [\n    \"cc\",\n    \"dd\",\n    \"ee\",\n    \"{NAME}{}\",\n]\n",
            pip_range(decoy, caret)
        );
    }
    if let Some(pin) = side.pin {
        text += &format!(
            "\n[tool.uv]\noverride-dependencies = [\n    \"cc\",\n    \"dd\",\n    \"ee\",\n    \"{NAME}=={}\",\n]\n",
            v(pin)
        );
    }
    if side.replaced {
        text +=
            &format!("\n[tool.uv.sources]\n{NAME} = {{ git = \"https://git.example/x.git\" }}\n");
    }
    text
}

fn poetry_toml(side: &Side, caret: bool) -> String {
    let range = |version| format!("{}{}", if caret { "^" } else { "" }, v(version));
    let own = match side.from {
        Origin::Git => format!("{NAME} = {{git = \"https://git.example/x.git\"}}\n"),
        _ => format!("{NAME} = \"{}\"\n", range(side.main)),
    };
    let others = others(side, |name, version| {
        format!("{name} = \"^{}\"\n", v(version))
    });
    let mut text = format!(
        "[tool.poetry]\nname = \"project\"\n\n[tool.poetry.scripts]\ntest = \"{}\"\n\n[tool.poetry.dependencies]\npython = \"^3.9\"\n{}",
        side.script,
        among([own], others).concat()
    );
    if let Some(second) = side.second {
        text += &format!(
            "\n[tool.poetry.group.docs.dependencies]\ncc = \"*\"\ndd = \"*\"\nee = \"*\"\n{NAME} = {{version = \"{}\", extras = [\"x\"]}}\n",
            range(second)
        );
    }
    if let Some(decoy) = side.decoy {
        text += &format!(
            "\n[tool.something]\ncc = \"*\"\ndd = \"*\"\nee = \"*\"\n{NAME} = \"{}\"\n",
            range(decoy)
        );
    }
    text
}

fn poetry_lock(side: &Side) -> String {
    let entry = |name: &str, version: Version, url: Version, digest: Version, more: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{}\"\ndescription = \"x\"\noptional = false\npython-versions = \">=3\"\n{more}files = [\n    {{file = \"{name}-{}-py3-none-any.whl\", hash = \"sha256:{}\"}},\n    {{file = \"{name}-{}.tar.gz\", hash = \"sha256:{}\"}},\n]\n",
            v(version),
            v(url),
            hex(name, digest),
            v(url),
            hex(&format!("{name}-source"), digest)
        )
    };
    let own = entry(NAME, side.main, side.url, side.digest, "");
    let own = match side.from {
        Origin::Git => format!(
            "{own}\n[package.source]\ntype = \"git\"\nurl = \"https://git.example/x.git\"\n"
        ),
        _ => own,
    };
    let second = side.second.map(|second| {
        entry(
            NAME,
            second,
            second,
            second,
            "markers = \"python_version < '3'\"\n",
        )
    });
    let others = others(side, |name, version| {
        entry(&name, version, version, version, "")
    });
    format!(
        "{}\n[metadata]\nlock-version = \"2.1\"\npython-versions = \"^3.9\"\ncontent-hash = \"{}\"\n",
        among([own].into_iter().chain(second), others).join("\n"),
        hex("manifest", side.main)
    )
}

fn uv_lock(side: &Side) -> String {
    let entry = |name: &str,
                 version: Version,
                 url: Version,
                 digest: Version,
                 source: &str,
                 host: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{}\"\nsource = {{ {source} }}\nsdist = {{ url = \"https://{host}/packages/x/{name}-{}.tar.gz\", hash = \"sha256:{}\", size = 1 }}\nwheels = [\n    {{ url = \"https://{host}/packages/x/{name}-{}-py3-none-any.whl\", hash = \"sha256:{}\", size = 1 }},\n]\n",
            v(version),
            v(url),
            hex(name, digest),
            v(url),
            hex(&format!("{name}-wheel"), digest)
        )
    };
    let (registry, files) = (
        "registry = \"https://pypi.org/simple\"",
        "files.pythonhosted.org",
    );
    let (source, host) = match side.from {
        Origin::Git => ("git = \"https://git.example/x.git#0\"", files),
        Origin::OtherRegistry => ("registry = \"https://evil.example/simple\"", "evil.example"),
        Origin::Registry => (registry, files),
    };
    let own = entry(NAME, side.main, side.url, side.digest, source, host);
    let second = side
        .second
        .map(|second| entry(NAME, second, second, second, registry, files));
    let others = others(side, |name, version| {
        entry(&name, version, version, version, registry, files)
    });
    let pin = side.pin.map_or(String::new(), |pin| {
        format!(
            "[manifest]\noverrides = [{{ name = \"{NAME}\", specifier = \"=={}\" }}]\n\n",
            v(pin)
        )
    });
    let needs = match side.second {
        Some(second) => format!(
            "    {{ name = \"{NAME}\", version = \"{}\", {} }},\n    {{ name = \"{NAME}\", version = \"{}\", source = {{ {registry} }}, marker = \"python_version < '3'\" }},\n",
            v(side.main),
            format_args!("source = {{ {source} }}"),
            v(second)
        ),
        None => format!("    {{ name = \"{NAME}\" }},\n"),
    };
    let project = format!(
        "[[package]]\nname = \"project\"\nversion = \"0.1.0\"\nsource = {{ virtual = \".\" }}\ndependencies = [\n{needs}]\n\n[package.metadata]\nrequires-dist = [{{ name = \"{NAME}\", specifier = \">={}\" }}]\n",
        v(side.main)
    );
    let mut own: Vec<String> = [own].into_iter().chain(second).collect();
    own.push(project);
    format!(
        "version = 1\nrequires-python = \">=3.9\"\n\n{pin}{}",
        among(own, others).join("\n")
    )
}

fn cargo_toml(side: &Side, caret: bool) -> String {
    let range = |version| format!("{}{}", if caret { "" } else { "=" }, v(version));
    let own = match side.from {
        Origin::Git => format!(
            "{NAME} = {{ git = \"https://git.example/x.git\", version = \"{}\" }}\n",
            range(side.main)
        ),
        _ => format!("{NAME} = \"{}\"\n", range(side.main)),
    };
    let others = others(side, |name, version| {
        format!("{name} = \"{}\"\n", v(version))
    });
    let alias = side.alias.map(|alias| {
        format!(
            "bb-old = {{ package = \"{NAME}\", version = \"{}\" }}\n",
            range(alias)
        )
    });
    let mut text = format!(
        "[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{}",
        among([own].into_iter().chain(alias), others).concat()
    );
    if let Some(second) = side.second {
        text += &format!(
            "\n[target.'cfg(windows)'.build-dependencies]\ncc = \"1\"\ndd = \"1\"\nee = \"1\"\n{NAME} = {{ version = \"{}\", features = [\"x\"] }}\n",
            range(second)
        );
    }
    if let Some(decoy) = side.decoy {
        text += &format!(
            "\n[package.metadata.something]\ncc = \"1\"\ndd = \"1\"\nee = \"1\"\n{NAME} = \"{}\"\n",
            range(decoy)
        );
    }
    if side.replaced {
        text += &format!("\n[patch.crates-io]\n{NAME} = {{ path = \"vendored\" }}\n");
    }
    text
}

fn cargo_lock(side: &Side) -> String {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    let entry = |name: &str, version: Version, digest: Version, source: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{}\"\nsource = \"{source}\"\nchecksum = \"{}\"\n",
            v(version),
            hex(name, digest)
        )
    };
    let source = match side.from {
        Origin::Git => "git+https://git.example/x.git#0123456789abcdef",
        Origin::OtherRegistry => "registry+https://evil.example/index",
        Origin::Registry => registry,
    };
    let mut own = vec![entry(NAME, side.main, side.digest, source)];
    let needs = match side.second {
        Some(second) => {
            own.push(entry(NAME, second, second, registry));
            own.push(format!(
                "{}dependencies = [\n \"{NAME} {}\",\n]\n",
                entry("zz-deep", (1, 0, 0), (1, 0, 0), registry),
                v(second)
            ));
            format!(" \"{NAME} {}\",\n \"zz-deep\",\n", v(side.main))
        }
        None => format!(" \"{NAME}\",\n"),
    };
    own.push(format!(
        "[[package]]\nname = \"project\"\nversion = \"0.1.0\"\ndependencies = [\n{needs}]\n"
    ));
    let others = others(side, |name, version| {
        entry(&name, version, version, registry)
    });
    format!(
        "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 3\n\n{}",
        among(own, others).join("\n")
    )
}

fn go(side: &Side) -> Vec<(String, String)> {
    let module = "example.org/mm/target";
    let sum = |name: &str, version: Version, digest: Version| {
        let digest =
            |what: &str| STANDARD.encode(Sha256::digest(format!("{what} {name} {}", v(digest))));
        let version = v(version);
        format!(
            "{name} v{version} h1:{}\n{name} v{version}/go.mod h1:{}\n",
            digest("zip"),
            digest("mod")
        )
    };
    let own = format!("\t{module} v{}\n", v(side.main));
    let names = others(side, |name, version| {
        format!("\texample.org/{name} v{}\n", v(version))
    });
    let mut text = "module example.org/project\n\ngo 1.21\n".to_owned();
    if let Some(decoy) = side.decoy {
        text += &format!(
            "\nexclude (\n\texample.org/cc v1.0.0\n\texample.org/dd v1.0.0\n\texample.org/ee v1.0.0\n\texample.org/ff v1.0.0\n\t{module} v{}\n)\n",
            v((decoy.0, 0, decoy.2 + 100))
        );
    }
    text += &format!("\nrequire (\n{})\n", among([own], names).concat());
    if side.replaced {
        text += &format!("\nreplace {module} => ../target\n");
    }
    let own = sum(module, side.main, side.digest);
    let sums = others(side, |name, version| {
        sum(&format!("example.org/{name}"), version, version)
    });
    vec![
        ("go.mod".to_owned(), text),
        ("go.sum".to_owned(), among([own], sums).concat()),
    ]
}

fn pom(side: &Side) -> String {
    let dependency = |group: &str, name: &str, version: &str| {
        format!(
            "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{name}</artifactId>\n      <version>{version}</version>\n    </dependency>\n"
        )
    };
    let own = dependency("org.mm", "target", &v(side.main));
    let others = others(side, |name, version| {
        dependency(&format!("org.{name}"), &name, &v(version))
    });
    let pin = side.pin.map_or(String::new(), |pin| {
        format!("    <target.version>{}</target.version>\n", v(pin))
    });
    let managed = side.pin.map_or(String::new(), |_| {
        format!(
            "  <dependencyManagement><dependencies>\n{}  </dependencies></dependencyManagement>\n",
            dependency("org.mm", "target", "${target.version}")
        )
    });
    let second = side.second.map_or(String::new(), |second| {
        format!("  <profiles><profile>\n  <id>old</id>\n  <dependencies>\n{}  </dependencies>\n  </profile></profiles>\n", dependency("org.mm", "target", &v(second)))
    });
    let decoy = side.decoy.map_or(String::new(), |decoy| {
        format!("    <unused.version>{}</unused.version>\n", v(decoy))
    });
    format!(
        "<?xml version=\"1.0\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <groupId>x</groupId>\n  <artifactId>project</artifactId>\n  <version>0.1.0</version>\n  <properties>\n    <test>{}</test>\n    <a>1</a>\n    <b>1</b>\n    <c>1</c>\n{pin}{decoy}    <d>1</d>\n  </properties>\n{managed}  <dependencies>\n{}  </dependencies>\n{second}</project>\n",
        side.script,
        among([own], others).concat()
    )
}
