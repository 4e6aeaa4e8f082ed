//! A model: the two looks, what they were made for, and what they were made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::id::{hex, sha256_hex};
use crate::judge::calibrate::Calibration;
use crate::judge::drift::Spread;
use crate::judge::features::{self, Column, schema_digest};
use crate::judge::forest::Forest;
use crate::judge::precedent;
use crate::judge::priors::{self, Priors};
use crate::judge::train::Protocol;

/// The form of the file; another one is another program's.
pub const FORM: &str = "crisol.model/2";

/// One look: trees, their calibration, and from where a patch is decided alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The trees.
    pub forest: Forest,
    /// From their score to P(patch is right).
    pub calibration: Calibration,
    /// P from which a patch is accepted; above 1 it never is.
    pub accept: f64,
    /// P up to which a patch is refused; below 0 it never is.
    pub refuse: f64,
}

impl Look {
    /// Returns P(patch is right) of a row, 0 to 1.
    pub fn probability(&self, row: &[f32]) -> f64 {
        self.calibration.probability(self.forest.probability(row))
    }
}

/// Returns what p decides without a wargame: whether the patch is right; `None` between the thresholds.
pub fn decided(p: f64, accept: f64, refuse: f64) -> Option<bool> {
    if p >= accept {
        Some(true)
    } else {
        (p <= refuse).then_some(false)
    }
}

/// A model as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// [`FORM`].
    pub form: String,
    /// The digest of the columns it was made for, 64 hexadecimal digits.
    pub schema: String,
    /// What it was made from, and how.
    pub training: Training,
    /// What was measured of it on the training patches, out of fold.
    pub measured: Measures,
    /// What is known of generators and languages before memory knows anything.
    pub priors: Priors,
    /// The first look, before a wargame.
    pub first: Look,
    /// How features were spread over the training rows: what drift is measured against.
    pub reference: Vec<Spread>,
    /// The second, at what passed one; without it, what passed goes to people.
    pub second: Option<Look>,
}

/// How trees are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Trees that each correct the ones before, added up in log-odds.
    Boosted,
    /// Trees grown apart on parts of the rows, their shares averaged.
    Bagged,
}

/// What a model was made from, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// How trees are fitted.
    pub family: Family,
    /// Trees of each look.
    pub trees: usize,
    /// Patches.
    pub patches: usize,
    /// Their projects.
    pub projects: usize,
    /// How many are of which collection.
    pub sources: BTreeMap<String, usize>,
    /// The SHA-256 over the lines they were read from, in order, 64 hexadecimal digits.
    pub digest: String,
    /// How folds, streams and thresholds came about.
    pub protocol: Protocol,
}

/// What was measured out of fold, in the simulated stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// The chance that a right one has a higher p than a wrong one.
    pub auc: f64,
    /// Expected calibration error.
    pub ece: f64,
    /// Mean squared error of p.
    pub brier: f64,
    /// The share that is decided without a wargame.
    pub decided_share: f64,
    /// The share of that which is right.
    pub decided_right: f64,
}

/// Why a file is no model for this build.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is no model at all, or a broken one: an unknown field, a curve that falls, a node that leads nowhere.
    #[error("not a model: {0}")]
    Broken(#[from] serde_json::Error),
    /// It is of another form.
    #[error("its form is {0}, not {FORM}")]
    Form(String),
    /// It was made for other columns.
    #[error(
        "it was made for other features (schema {theirs}, this build has {ours}): train it again"
    )]
    Schema {
        /// The digest in the file.
        theirs: String,
        /// The digest of this build.
        ours: String,
    },
    /// Its trees have more or fewer columns than its schema.
    #[error("its {look} look has {theirs} columns, not {ours}")]
    Columns {
        /// Which look.
        look: &'static str,
        /// Columns of its trees.
        theirs: usize,
        /// Columns of the schema.
        ours: usize,
    },
    /// What drift is measured against does not fit together.
    #[error("its reference number {0} does not fit together")]
    Reference(usize),
    /// What it knew before counts more right ones than there were.
    #[error("its priors count more patches that were right than there were")]
    Priors,
    /// A threshold is no number.
    #[error("a threshold of its {0} look is no number")]
    Threshold(&'static str),
}

/// Returns the columns of a row: features of the diff, those of memory, and what was known before.
pub fn columns() -> Vec<Column> {
    features::columns()
        .iter()
        .cloned()
        .chain(precedent::columns())
        .chain(priors::columns())
        .collect()
}

/// Returns the digest of this build's columns, 64 hexadecimal digits.
pub fn schema() -> String {
    hex(&schema_digest(&columns()))
}

impl Model {
    /// Reads a model and checks that it is one for this build.
    ///
    /// # Errors
    /// [`ModelError`] says why not.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let model: Self = serde_json::from_slice(file)?;
        if model.form != FORM {
            return Err(ModelError::Form(model.form));
        }
        let ours = schema();
        if model.schema != ours {
            return Err(ModelError::Schema {
                theirs: model.schema,
                ours,
            });
        }
        let columns = columns().len();
        let second = model.second.as_ref().map(|look| ("second", look));
        for (name, look) in [("first", &model.first)].into_iter().chain(second) {
            let theirs = look.forest.columns();
            if theirs != columns {
                return Err(ModelError::Columns {
                    look: name,
                    theirs,
                    ours: columns,
                });
            }
            if look.accept.is_nan() || look.refuse.is_nan() {
                return Err(ModelError::Threshold(name));
            }
        }
        if !model.priors.hold() {
            return Err(ModelError::Priors);
        }
        let broken = model
            .reference
            .iter()
            .position(|spread| !spread.holds(columns));
        broken.map_or(Ok(model), |at| Err(ModelError::Reference(at)))
    }

    /// Returns the file, the same bytes for the same model.
    ///
    /// # Errors
    /// What serialising says; a model that was fitted has nothing that cannot be.
    pub fn to_file(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut file = serde_json::to_vec(self)?;
        file.push(b'\n');
        Ok(file)
    }
}

/// Returns the digest by which decisions name a model: the SHA-256 of its file, 64 hexadecimal digits.
pub fn digest_of(file: &[u8]) -> String {
    sha256_hex(file)
}

/// What people and machines are told of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary<'a> {
    /// The digest by which decisions name it.
    pub digest: String,
    /// The digest of its columns.
    pub schema: &'a str,
    /// Bytes of its file.
    pub bytes: usize,
    /// What it was made from.
    pub training: &'a Training,
    /// Generators, and languages with patches that passed, whose shares of right ones it was made with.
    pub known_before: (usize, usize),
    /// What was measured of it.
    pub measured: &'a Measures,
    /// Nodes of the first look, and of the second if there is one.
    pub nodes: (usize, Option<usize>),
    /// P up to which the first look refuses, and from which it accepts.
    pub first: [f64; 2],
    /// P from which the second look accepts; above 1 it never does.
    pub second_accept: Option<f64>,
}

/// Returns what is told of a model and its file.
pub fn summary<'a>(model: &'a Model, file: &[u8]) -> Summary<'a> {
    Summary {
        digest: digest_of(file),
        schema: &model.schema,
        bytes: file.len(),
        training: &model.training,
        known_before: (model.priors.generators.len(), model.priors.passed.len()),
        measured: &model.measured,
        nodes: (
            model.first.forest.nodes(),
            model.second.as_ref().map(|look| look.forest.nodes()),
        ),
        first: [model.first.refuse, model.first.accept],
        second_accept: model.second.as_ref().map(|look| look.accept),
    }
}

impl Summary<'_> {
    /// Returns the lines of a table: name and value.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Training {
            family,
            trees,
            patches,
            projects,
            sources,
            protocol,
            ..
        } = self.training;
        let sources: Vec<String> = sources
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        let (first, second) = self.nodes;
        let second = second.map_or("no".to_owned(), |nodes| nodes.to_string());
        let [refuse, accept] = self.first;
        let measured = self.measured;
        [
            ("digest", self.digest.clone()),
            (
                "family",
                format!("{family:?}, {trees} trees, {first} and {second} nodes"),
            ),
            (
                "made from",
                format!(
                    "{patches} patches of {projects} projects: {}",
                    sources.join(", ")
                ),
            ),
            (
                "known before",
                format!(
                    "{} generators, {} languages with wargames",
                    self.known_before.0, self.known_before.1
                ),
            ),
            ("seed", protocol.seed.to_string()),
            (
                "first look",
                format!("refuses up to {refuse}, accepts from {accept}"),
            ),
            (
                "second look",
                self.second_accept
                    .map_or("none".to_owned(), |p| format!("accepts from {p:.3}")),
            ),
            ("area out of fold", format!("{:.3}", measured.auc)),
            ("calibration error", format!("{:.3}", measured.ece)),
            ("decided alone", format!("{:.3}", measured.decided_share)),
            ("of it right", format!("{:.3}", measured.decided_right)),
        ]
        .into_iter()
    }
}
