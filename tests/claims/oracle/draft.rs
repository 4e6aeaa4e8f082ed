//! Patches of every kind, before they are written as events.

use serde_json::Value;

use super::apv::{LAST_MINUTE, json_of};
use super::code::{code_diff, rewrite};
use super::expect::{Change, Claim};
use super::facts::{ApvRecord, Ecosystem, End, Package, ReleaseLine, Severity, Version};
use super::kind::Kind;
use super::manifest::bump_diff;
use super::random::Random;
use super::reach::{Reach, bump_of, respelled};
use super::world::{Cve, Role, World};

/// Drafts patches for the CVEs of a world.
#[derive(Debug)]
pub struct Drafts {
    world: World,
    /// The numbers of the whole stream.
    pub random: Random,
}

/// A patch before it is written as an event.
pub struct Draft {
    /// The CVE.
    pub cve_id: String,
    /// What it changes.
    pub change: Change,
    /// The diff.
    pub diff: String,
    /// The package that it says it is for.
    pub claim: Option<Claim>,
    /// The shape in which it travels.
    pub form: Form,
    /// An APV that comes along.
    pub apv: Option<Value>,
}

/// The shape in which a patch travels.
pub enum Form {
    /// Eureka's patch event.
    Patch,
    /// A validation request that carries the diff.
    DiffRequest,
    /// A validation request that carries the code before and after.
    CodeRequest {
        /// The text before.
        before: String,
        /// The text after.
        after: String,
    },
}

// === impl Drafts ===

impl Drafts {
    /// Returns the drafts of one stream.
    pub fn new(world: World, random: Random) -> Self {
        Self { world, random }
    }

    /// Drafts a patch of a kind; a dead kind begins as a good bump or a change of code.
    pub fn draft(&mut self, kind: Kind, nonce: &str) -> Draft {
        let role = match kind {
            Kind::GoodBump => Role::Clean,
            Kind::SplitBump | Kind::SplitMajor => Role::Split,
            Kind::LowBump if self.random.chance(60) => Role::Clean,
            Kind::CriticalBump => Role::Critical,
            Kind::UnstatedSeverityBump => Role::UnstatedSeverity,
            Kind::ExploitedBump => Role::Exploited,
            Kind::UnfixedBump => Role::Unfixed,
            Kind::InvalidApv => Role::Invalid,
            Kind::UnknownCve => Role::Deleted,
            _ => Role::Contested,
        };
        let cve = self.world.pick(role, &mut self.random).clone();
        let mut draft = match kind {
            Kind::SplitBump => {
                let package = self.random.below(2) as usize;
                self.bump(&cve, &[package], Reach::Good, nonce)
            }
            Kind::SplitMajor => self.bump(&cve, &[0], Reach::Major, nonce),
            // Two packages at a time, where each has a manifest of its own.
            Kind::GoodBump if cve.packages.len() > 1 && self.random.chance(30) => {
                let different = cve.packages[0].ecosystem != cve.packages[1].ecosystem;
                let places: &[usize] = if different { &[0, 1] } else { &[1] };
                self.bump(&cve, places, Reach::Good, nonce)
            }
            Kind::LowBump => self.any_bump(&cve, Reach::Low, nonce),
            Kind::MajorBump => self.any_bump(&cve, Reach::Major, nonce),
            Kind::WrongPackage => self.wrong_package(&cve, nonce),
            Kind::Code => self.code(&cve, nonce),
            Kind::CodeRequest => self.code_request(&cve, nonce),
            Kind::UnknownCve if self.random.chance(60) => self.stranger(2032, nonce),
            Kind::EmbeddedApv => self.stranger(2033, nonce),
            Kind::LyingHunk | Kind::NoFile | Kind::EscapingPath => self.code(&cve, nonce),
            _ => self.any_bump(&cve, Reach::Good, nonce),
        };
        let table_is_strict = matches!(
            kind,
            Kind::LowBump | Kind::CriticalBump | Kind::UnstatedSeverityBump | Kind::ExploitedBump
        );
        if table_is_strict && self.random.chance(15) {
            draft.apv = Some(self.lax_apv(&cve));
        }
        draft
    }

    /// Bumps one of the CVE's packages.
    fn any_bump(&mut self, cve: &Cve, reach: Reach, nonce: &str) -> Draft {
        let packages = u32::try_from(cve.packages.len()).expect("few packages");
        let package = self.random.below(packages) as usize;
        self.bump(cve, &[package], reach, nonce)
    }

    /// Bumps the packages at these places, each in a manifest of its own.
    fn bump(&mut self, cve: &Cve, places: &[usize], reach: Reach, nonce: &str) -> Draft {
        let bytes = self.random.between(550, 950) as usize / places.len();
        let mut diff = String::new();
        let mut bumps = Vec::new();
        for at in places {
            let bump = bump_of(&cve.packages[*at], reach, &mut self.random);
            diff += &bump_diff(&bump, nonce, bytes, &mut self.random);
            bumps.push(bump);
        }
        let claim = match places {
            [at] => self.claim(&cve.packages[*at], bumps[0].from),
            _ => None,
        };
        Draft {
            cve_id: cve.id.clone(),
            change: Change::Bumps(bumps),
            diff,
            claim,
            form: if self.random.chance(10) {
                Form::DiffRequest
            } else {
                Form::Patch
            },
            apv: None,
        }
    }

    /// Says which package a patch is for, or does not.
    fn claim(&mut self, package: &Package, version: Version) -> Option<Claim> {
        let name = respelled(package, &mut self.random);
        let ecosystem = match self.random.below(10) {
            0..=3 => return None,
            4..=7 => None,
            _ => Some(package.ecosystem),
        };
        Some(Claim {
            ecosystem,
            name,
            version,
        })
    }

    fn wrong_package(&mut self, cve: &Cve, nonce: &str) -> Draft {
        let ecosystem = self.random.pick(&Ecosystem::ALL);
        let name = match ecosystem {
            Ecosystem::Go => "github.com/strange/unrelated",
            Ecosystem::Maven => "org.strange:unrelated",
            _ => "strange-unrelated",
        };
        let lines = cve.packages[0].lines.clone();
        let stranger = Package {
            ecosystem,
            name: name.to_owned(),
            lines,
        };
        let of_stranger = Cve {
            packages: vec![stranger],
            ..cve.clone()
        };
        self.bump(&of_stranger, &[0], Reach::Good, nonce)
    }

    fn code(&mut self, cve: &Cve, nonce: &str) -> Draft {
        let bytes = self.random.between(500, 900) as usize;
        let package = self.random.pick(&cve.packages);
        Draft {
            cve_id: cve.id.clone(),
            change: Change::Code,
            diff: code_diff(nonce, bytes, &mut self.random),
            claim: self.claim(&package, package.lines[0].first),
            form: Form::Patch,
            apv: None,
        }
    }

    fn code_request(&mut self, cve: &Cve, nonce: &str) -> Draft {
        let rewrite = rewrite(nonce, &mut self.random);
        Draft {
            cve_id: cve.id.clone(),
            change: Change::Code,
            diff: rewrite.diff,
            claim: None,
            form: Form::CodeRequest {
                before: rewrite.before,
                after: rewrite.after,
            },
            apv: None,
        }
    }

    /// Drafts a good bump or code for a CVE that the table never held; those of 2033 bring their APV
    /// along.
    fn stranger(&mut self, year: u32, nonce: &str) -> Draft {
        let donor = self.world.pick(Role::Clean, &mut self.random).clone();
        let cve = Cve {
            id: format!("CVE-{year}-{}", 10_000 + self.random.below(500)),
            ..donor
        };
        let mut draft = match self.random.chance(70) {
            true => self.any_bump(&cve, Reach::Good, nonce),
            false => self.code(&cve, nonce),
        };
        if year == 2033 {
            let record = ApvRecord {
                cve_id: cve.id.clone(),
                modified: 1,
                severity: Severity::Low,
                kev: false,
                packages: cve.packages,
            };
            draft.apv = Some(json_of(&record, &mut self.random));
        }
        draft
    }

    /// Returns an APV by which nearly every version is fixed and nothing is urgent.
    ///
    /// Facts that come along may only restrict, so it must change nothing.
    fn lax_apv(&mut self, cve: &Cve) -> Value {
        let early = |line: &ReleaseLine| ReleaseLine {
            end: End::FixedIn(Version(line.first.0, 0, 1)),
            ..*line
        };
        let lax = |package: &Package| Package {
            lines: package.lines.iter().map(early).collect(),
            ..package.clone()
        };
        let record = ApvRecord {
            cve_id: cve.id.clone(),
            modified: LAST_MINUTE,
            severity: Severity::Low,
            kev: false,
            packages: cve.packages.iter().map(lax).collect(),
        };
        json_of(&record, &mut self.random)
    }
}
