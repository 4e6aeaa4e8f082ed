//! Manifests of the five ecosystems, and diffs that move versions in them and nothing else.
//!
//! A hunk shows its file from the first line, so section and entry of each version are to be seen. The context
//! names no vulnerable package. A requirement may admit more than one version (`^`, `~=`, cargo's bare version),
//! but never one of an affected range above the version that it begins with: lines end below the next major.

use super::facts::{Ecosystem, Version};
use super::random::Random;
use super::unified::{DiffLine, diff};

/// Names of dependencies that no APV names.
const BYSTANDERS: [&str; 24] = [
    "amberlog",
    "birchmap",
    "cedarbox",
    "dunestat",
    "elmroute",
    "fernpool",
    "glimdate",
    "hazelfmt",
    "irisqueue",
    "juniperfs",
    "kelpcache",
    "larchcolor",
    "mossarg",
    "nettlemath",
    "oakstream",
    "pinetext",
    "quillmark",
    "rowanset",
    "sagewire",
    "tansyhex",
    "umbertime",
    "violetenv",
    "willowpath",
    "yarrowid",
];

/// Directories of a monorepo; the first is its root.
const DIRECTORIES: [&str; 5] = ["", "web/", "services/billing/", "backend/", "apps/console/"];

/// One version that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bump {
    /// Where the package lives.
    pub ecosystem: Ecosystem,
    /// The name, as the manifest spells it.
    pub name: String,
    /// The version before.
    pub from: Version,
    /// The version after.
    pub to: Version,
}

/// A manifest in the making.
struct Manifest<'r> {
    lines: Vec<DiffLine>,
    random: &'r mut Random,
    /// Where in [`BYSTANDERS`] the next name stands, so that none comes twice.
    next: usize,
}

/// Returns a diff of one manifest with exactly this bump, padded with context to about `bytes`.
///
/// `project` stands in the context and makes the diff unlike any other.
pub fn bump_diff(bump: &Bump, project: &str, bytes: usize, random: &mut Random) -> String {
    let directory = random.pick(&DIRECTORIES);
    let file = match bump.ecosystem {
        Ecosystem::Npm => "package.json",
        Ecosystem::PyPi => "requirements.txt",
        Ecosystem::CratesIo => "Cargo.toml",
        Ecosystem::Go => "go.mod",
        Ecosystem::Maven => "pom.xml",
    };
    let next = random.below(24) as usize;
    let mut manifest = Manifest {
        lines: Vec::new(),
        random,
        next,
    };
    match bump.ecosystem {
        Ecosystem::Npm => manifest.package_json(bump, project, bytes),
        Ecosystem::PyPi => manifest.requirements(bump, project, bytes),
        Ecosystem::CratesIo => manifest.cargo_toml(bump, project, bytes),
        Ecosystem::Go => manifest.go_mod(bump, project, bytes),
        Ecosystem::Maven => manifest.pom(bump, project, bytes),
    }
    diff(&format!("{directory}{file}"), 1, &manifest.lines)
}

// === impl Manifest ===

impl Manifest<'_> {
    fn package_json(&mut self, bump: &Bump, project: &str, bytes: usize) {
        let sign = self.random.pick(&["", "^", "~"]);
        self.same("{");
        self.same(&format!("  \"name\": \"{project}\","));
        self.same("  \"version\": \"1.0.0\",");
        self.same("  \"private\": true,");
        self.same("  \"dependencies\": {");
        self.around(
            bytes,
            |m| m.bystander(|name, v| format!("    \"{name}\": \"^{v}\",")),
            |m| {
                let line = |version| format!("    \"{}\": \"{sign}{version}\",", bump.name);
                m.moved(line(bump.from), line(bump.to));
            },
        );
        self.same("    \"zephyrbase\": \"^2.1.0\"");
        self.same("  }");
        self.same("}");
    }

    fn requirements(&mut self, bump: &Bump, project: &str, bytes: usize) {
        let sign = self.random.pick(&["==", "==", "~="]);
        self.same(&format!(
            "# {project}: pinned, see the wiki before you change anything"
        ));
        self.same("zephyrbase==2.1.0");
        self.around(
            bytes,
            |m| m.bystander(|name, v| format!("{name}=={v}")),
            |m| {
                let line = |version| format!("{}{sign}{version}", bump.name);
                m.moved(line(bump.from), line(bump.to));
            },
        );
    }

    fn cargo_toml(&mut self, bump: &Bump, project: &str, bytes: usize) {
        let exact = self.random.chance(30);
        let table = self.random.chance(30);
        self.same("[package]");
        self.same(&format!("name = \"{project}\""));
        self.same("version = \"0.1.0\"");
        self.same("edition = \"2021\"");
        self.same("");
        self.same("[dependencies]");
        self.around(
            bytes,
            |m| m.bystander(|name, v| format!("{name} = \"{v}\"")),
            |m| {
                let line = |version: Version| {
                    let sign = if exact { "=" } else { "" };
                    match table {
                        true => format!(
                            "{} = {{ version = \"{sign}{version}\", default-features = false }}",
                            bump.name
                        ),
                        false => format!("{} = \"{sign}{version}\"", bump.name),
                    }
                };
                m.moved(line(bump.from), line(bump.to));
            },
        );
        self.same("zephyrbase = \"2.1.0\"");
    }

    fn go_mod(&mut self, bump: &Bump, project: &str, bytes: usize) {
        self.same(&format!("module example.org/{project}"));
        self.same("");
        self.same("go 1.22");
        self.same("");
        self.same("require (");
        self.around(
            bytes,
            |m| m.bystander(|name, v| format!("\texample.net/{name} v1.{}.{}", v.1, v.2)),
            |m| {
                let line = |version| format!("\t{} v{version}", bump.name);
                m.moved(line(bump.from), line(bump.to));
            },
        );
        self.same("\texample.net/zephyrbase v1.1.0 // indirect");
        self.same(")");
    }

    fn pom(&mut self, bump: &Bump, project: &str, bytes: usize) {
        let (group, artifact) = bump.name.split_once(':').expect("group:artifact");
        self.same("<project>");
        self.same("  <modelVersion>4.0.0</modelVersion>");
        self.same("  <groupId>org.example</groupId>");
        self.same(&format!("  <artifactId>{project}</artifactId>"));
        self.same("  <dependencies>");
        let bystander = |name: &str, version: Version| {
            let coordinates =
                format!("<groupId>org.{name}</groupId><artifactId>{name}</artifactId>");
            format!("    <dependency>{coordinates}<version>{version}</version></dependency>")
        };
        self.around(
            bytes,
            |m| m.bystander(bystander),
            |m| {
                m.same("    <dependency>");
                m.same(&format!("      <groupId>{group}</groupId>"));
                m.same(&format!("      <artifactId>{artifact}</artifactId>"));
                let line = |version| format!("      <version>{version}</version>");
                m.moved(line(bump.from), line(bump.to));
                m.same("    </dependency>");
            },
        );
        self.same("  </dependencies>");
        self.same("</project>");
    }

    /// Writes context up to about half of `bytes`, the middle, and context up to `bytes`.
    fn around(
        &mut self,
        bytes: usize,
        context: impl Fn(&mut Self),
        middle: impl FnOnce(&mut Self),
    ) {
        // No more than half the names on either side, so that none comes twice.
        let pad = |manifest: &mut Self, until: usize| {
            let mut left = BYSTANDERS.len() / 2;
            while left > 0 && manifest.size() < until {
                context(manifest);
                left -= 1;
            }
        };
        let share = self.random.between(20, 80) as usize;
        pad(self, bytes * share / 100);
        middle(self);
        pad(self, bytes);
    }

    fn bystander(&mut self, line: impl Fn(&str, Version) -> String) {
        let name = BYSTANDERS[self.next % BYSTANDERS.len()];
        self.next += 1;
        let version = Version(
            self.random.between(1, 9),
            self.random.below(20),
            self.random.below(10),
        );
        self.same(&line(name, version));
    }

    fn same(&mut self, line: &str) {
        self.lines.push(DiffLine::Same(line.to_owned()));
    }

    fn moved(&mut self, old: String, new: String) {
        self.lines.push(DiffLine::Old(old));
        self.lines.push(DiffLine::New(new));
    }

    fn size(&self) -> usize {
        let length = |line: &DiffLine| match line {
            DiffLine::Same(text) | DiffLine::Old(text) | DiffLine::New(text) => text.len() + 2,
        };
        self.lines.iter().map(length).sum()
    }
}
