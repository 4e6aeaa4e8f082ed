//! The flat form of a forest: one array a field, one entry a node.
//!
//! Whatever reaches a [`Forest`], from training or from a file, has passed [`ForestParts::validate`].

use serde::{Deserialize, Serialize, Serializer};

use super::matrix::MAX_COLUMNS;
use super::shap::Expectations;
use super::walk::Hot;

/// The largest number of trees.
pub const MAX_TREES: usize = 4_096;
/// The largest number of nodes of one tree: the walk steps in 16 bits.
pub const MAX_TREE_NODES: usize = u16::MAX as usize;
/// The largest number of nodes of all trees together.
pub const MAX_NODES: usize = 4_000_000;
/// The largest number of splits between a root and a leaf.
pub const MAX_DEPTH: usize = 256;
/// The format that is written and read.
const FORMAT: u32 = 1;
/// How far a cover may lie from the sum of its children's, as a share of itself.
const COVER_TOLERANCE: f64 = 1e-6;

/// What the leaves of a forest add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The leaves' sum and the base are log-odds; the probability is their logistic function.
    Logistic,
    /// Leaves are probabilities; the forest's is their mean. The base is 0.
    Mean,
}

/// A forest as it stands in a file, checked or not.
///
/// Nodes stand tree after tree, each tree's root first. A node with `left` and `right` 0 is a leaf;
/// any other sends a row left when its value in column `feature` is at most `threshold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForestParts {
    /// The version of this form: 1.
    pub format: u32,
    /// What the leaves add up to.
    pub link: Link,
    /// Added to the sum of the leaves: log-odds; 0 for [`Link::Mean`].
    pub base: f64,
    /// The number of columns of the rows it reads, 1 to 65,535.
    pub columns: u32,
    /// The node at which each tree begins, ascending; the first is 0.
    pub roots: Vec<u32>,
    /// Column of each split, from 0; 0 at leaves.
    pub feature: Vec<u16>,
    /// Largest value that goes left; 0 at leaves.
    pub threshold: Vec<f32>,
    /// Node of the left child; 0 at leaves.
    pub left: Vec<u32>,
    /// Node of the right child; 0 at leaves.
    pub right: Vec<u32>,
    /// Value of each leaf: log-odds to add, or a probability; 0 at splits.
    pub value: Vec<f32>,
    /// Weight of the training rows that came through the node; 1 a row when rows had no weights.
    pub cover: Vec<f64>,
}

/// Why parts do not make a [`Forest`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ForestError {
    /// Written in a form this code does not know.
    #[error("format {0} is not {FORMAT}")]
    Format(u32),
    /// The number of columns is out of bounds.
    #[error("{0} columns; a forest reads 1 to {MAX_COLUMNS}")]
    Columns(u32),
    /// The number of trees is out of bounds.
    #[error("{0} trees; a forest has 1 to {MAX_TREES}")]
    Trees(usize),
    /// The number of nodes is out of bounds.
    #[error("{0} nodes; a forest has 1 to {MAX_NODES}")]
    Nodes(usize),
    /// The arrays of the nodes differ in length.
    #[error("array `{0}` is not as long as the others")]
    Length(&'static str),
    /// The roots do not start at 0 and ascend.
    #[error("tree {0} does not begin after the tree before it")]
    Root(usize),
    /// A tree has too many nodes.
    #[error("tree {0} has more than {MAX_TREE_NODES} nodes")]
    TreeNodes(usize),
    /// The base is not finite, or not 0 where leaves are averaged.
    #[error("base {0} is not finite, or not 0 for a mean")]
    Base(f64),
    /// A child lies before its parent, outside its tree, or only one is named.
    #[error("node {0} links to a node that is not further on in its tree")]
    Link(usize),
    /// A node has two parents, or none and is no root.
    #[error("node {0} is not reached exactly once")]
    Reached(usize),
    /// A node lies too deep.
    #[error("node {0} lies deeper than {MAX_DEPTH}")]
    Depth(usize),
    /// A split reads a column that there is not.
    #[error("node {0} reads a column that does not exist")]
    Feature(usize),
    /// A threshold is not finite.
    #[error("node {0} has a threshold that is not finite")]
    Threshold(usize),
    /// A leaf's value is not finite, or no probability where leaves are averaged.
    #[error("node {0} has a value that is not finite, or no probability for a mean")]
    Value(usize),
    /// A field that a leaf or a split does not use is not 0.
    #[error("node {0} sets a field that it does not use")]
    Unused(usize),
    /// A cover is negative, not finite, or not the sum of its children's.
    #[error("node {0} has a cover that is negative, not finite, or not its children's sum")]
    Cover(usize),
}

/// One node of a tree in training; links count from the tree's root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    pub(super) feature: u16,
    pub(super) threshold: f32,
    /// 0 in both links makes a leaf.
    pub(super) left: u32,
    pub(super) right: u32,
    pub(super) value: f32,
    pub(super) cover: f64,
}

impl Node {
    /// Returns a leaf.
    pub(super) fn leaf(value: f32) -> Self {
        Self {
            feature: 0,
            threshold: 0.0,
            left: 0,
            right: 0,
            value,
            cover: 0.0,
        }
    }
}

/// Fills the covers of splits from those of the leaves.
pub(super) fn add_up_covers(tree: &mut [Node]) {
    let cover = |tree: &[Node], at: u32| tree.get(at as usize).map_or(0.0, |node| node.cover);
    for at in (0..tree.len()).rev() {
        let Some(&Node { left, right, .. }) = tree.get(at) else {
            continue;
        };
        let sum = cover(tree, left) + cover(tree, right);
        if let Some(node) = tree.get_mut(at)
            && left != 0
        {
            node.cover = sum;
        }
    }
}

impl ForestParts {
    /// Returns the parts of a forest without a tree, which is not yet a forest.
    pub fn new(link: Link, base: f64, columns: u32) -> Self {
        Self {
            format: FORMAT,
            link,
            base,
            columns,
            roots: Vec::new(),
            feature: Vec::new(),
            threshold: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            value: Vec::new(),
            cover: Vec::new(),
        }
    }

    /// Adds a tree at the end.
    pub(super) fn push_tree(&mut self, tree: &[Node]) {
        let root = self.feature.len() as u32;
        let link = |to: u32| if to == 0 { 0 } else { root + to };
        self.roots.push(root);
        self.feature.extend(tree.iter().map(|node| node.feature));
        self.threshold
            .extend(tree.iter().map(|node| node.threshold));
        self.left.extend(tree.iter().map(|node| link(node.left)));
        self.right.extend(tree.iter().map(|node| link(node.right)));
        self.value.extend(tree.iter().map(|node| node.value));
        self.cover.extend(tree.iter().map(|node| node.cover));
    }

    /// Checks that the parts are a forest that can be walked and explained, and returns the depth of
    /// each tree: the splits on its longest path.
    ///
    /// # Errors
    /// [`ForestError`] names the first finding.
    pub fn validate(&self) -> Result<Vec<u16>, ForestError> {
        let nodes = self.feature.len();
        if self.format != FORMAT {
            return Err(ForestError::Format(self.format));
        }
        if self.columns == 0 || self.columns as usize > MAX_COLUMNS {
            return Err(ForestError::Columns(self.columns));
        }
        if self.roots.is_empty() || self.roots.len() > MAX_TREES {
            return Err(ForestError::Trees(self.roots.len()));
        }
        if nodes == 0 || nodes > MAX_NODES {
            return Err(ForestError::Nodes(nodes));
        }
        if !self.base.is_finite() || (self.link == Link::Mean && self.base != 0.0) {
            return Err(ForestError::Base(self.base));
        }
        self.lengths(nodes)?;
        // Nodes before the first root would belong to no tree.
        if self.roots.first() != Some(&0) {
            return Err(ForestError::Root(0));
        }
        let mut depths = Vec::with_capacity(self.roots.len());
        for tree in 0..self.roots.len() {
            let (from, to) = self.span(tree);
            if from >= to || to > nodes {
                return Err(ForestError::Root(tree));
            }
            if to - from > MAX_TREE_NODES {
                return Err(ForestError::TreeNodes(tree));
            }
            depths.push(self.validate_tree(from, to)?);
        }
        Ok(depths)
    }

    /// Returns the first node of a tree and the one after its last.
    pub(super) fn span(&self, tree: usize) -> (usize, usize) {
        let root = |tree| self.roots.get(tree).map(|&root| root as usize);
        let end = self.feature.len();
        (root(tree).unwrap_or(end), root(tree + 1).unwrap_or(end))
    }

    fn lengths(&self, nodes: usize) -> Result<(), ForestError> {
        [
            ("threshold", self.threshold.len()),
            ("left", self.left.len()),
            ("right", self.right.len()),
            ("value", self.value.len()),
            ("cover", self.cover.len()),
        ]
        .into_iter()
        .find(|&(_, length)| length != nodes)
        .map_or(Ok(()), |(name, _)| Err(ForestError::Length(name)))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the arrays are as long as `nodes`, and each link is compared with `to` before it is followed"
    )]
    fn validate_tree(&self, from: usize, to: usize) -> Result<u16, ForestError> {
        // Forward links and one parent each leave no room for a cycle or an island.
        let mut depth_of: Vec<Option<u16>> = vec![None; to - from];
        depth_of[0] = Some(0);
        let mut deepest = 0;
        for at in from..to {
            let depth = depth_of[at - from].ok_or(ForestError::Reached(at))?;
            deepest = deepest.max(depth);
            let cover = self.cover[at];
            if !cover.is_finite() || cover < 0.0 {
                return Err(ForestError::Cover(at));
            }
            let (left, right) = (self.left[at] as usize, self.right[at] as usize);
            if left == 0 && right == 0 {
                self.validate_leaf(at)?;
                continue;
            }
            self.validate_split(at)?;
            if depth as usize >= MAX_DEPTH {
                return Err(ForestError::Depth(at));
            }
            for child in [left, right] {
                if child <= at || child >= to {
                    return Err(ForestError::Link(at));
                }
                if depth_of[child - from].replace(depth + 1).is_some() {
                    return Err(ForestError::Reached(child));
                }
            }
            let sum = self.cover[left] + self.cover[right];
            if (sum - cover).abs() > COVER_TOLERANCE * cover.max(1.0) {
                return Err(ForestError::Cover(at));
            }
        }
        Ok(deepest)
    }

    #[expect(clippy::indexing_slicing, reason = "the caller counts over the arrays")]
    fn validate_leaf(&self, at: usize) -> Result<(), ForestError> {
        let value = self.value[at];
        if !value.is_finite() || (self.link == Link::Mean && !(0.0..=1.0).contains(&value)) {
            return Err(ForestError::Value(at));
        }
        if self.feature[at] != 0 || self.threshold[at] != 0.0 {
            return Err(ForestError::Unused(at));
        }
        Ok(())
    }

    #[expect(clippy::indexing_slicing, reason = "the caller counts over the arrays")]
    fn validate_split(&self, at: usize) -> Result<(), ForestError> {
        if u32::from(self.feature[at]) >= self.columns {
            return Err(ForestError::Feature(at));
        }
        if !self.threshold[at].is_finite() {
            return Err(ForestError::Threshold(at));
        }
        if self.value[at] != 0.0 {
            return Err(ForestError::Unused(at));
        }
        Ok(())
    }
}

/// A valid forest, ready to score and explain.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "ForestParts")]
pub struct Forest {
    pub(super) parts: ForestParts,
    pub(super) hot: Hot,
    pub(super) expectations: Expectations,
}

impl TryFrom<ForestParts> for Forest {
    type Error = ForestError;

    fn try_from(parts: ForestParts) -> Result<Self, ForestError> {
        let depths = parts.validate()?;
        Ok(Self {
            hot: Hot::of(&parts, &depths),
            expectations: Expectations::of(&parts, &depths),
            parts,
        })
    }
}

impl Serialize for Forest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts.serialize(serializer)
    }
}

impl PartialEq for Forest {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Forest {
    /// Returns the forest as it stands in a file.
    pub fn parts(&self) -> &ForestParts {
        &self.parts
    }

    /// Returns the number of columns of the rows it reads.
    pub fn columns(&self) -> usize {
        self.parts.columns as usize
    }

    /// Returns the number of trees, at least 1.
    pub fn trees(&self) -> usize {
        self.parts.roots.len()
    }

    /// Returns the number of nodes of all trees.
    pub fn nodes(&self) -> usize {
        self.parts.feature.len()
    }

    /// Returns what its leaves add up to.
    pub fn link(&self) -> Link {
        self.parts.link
    }
}

#[cfg(test)]
pub(super) mod tests;
