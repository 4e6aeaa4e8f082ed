use super::super::draw::Draws;
use super::*;
use proptest::prelude::*;

/// Returns a random forest: depths and covers vary, columns repeat on paths.
pub(crate) fn random_parts(
    seed: u64,
    trees: usize,
    splits: usize,
    columns: u32,
    link: Link,
) -> ForestParts {
    let mut draws = Draws::new(seed, 0);
    let base = if link == Link::Mean {
        0.0
    } else {
        draws.unit() - 0.5
    };
    let mut parts = ForestParts::new(link, base, columns);
    for _ in 0..trees {
        let mut tree = vec![Node::leaf(0.0)];
        let mut leaves = vec![0_usize];
        for _ in 0..draws.below(splits + 1) {
            let at = leaves.swap_remove(draws.below(leaves.len()));
            let next = tree.len() as u32;
            tree[at] = Node {
                feature: draws.below(columns as usize) as u16,
                threshold: (draws.below(17) as f32 - 8.0) / 4.0,
                left: next,
                right: next + 1,
                ..Node::leaf(0.0)
            };
            tree.extend([Node::leaf(0.0), Node::leaf(0.0)]);
            leaves.extend([next as usize, next as usize + 1]);
        }
        for &leaf in &leaves {
            tree[leaf].value = draws.unit() as f32;
            // Some leaves saw no row.
            tree[leaf].cover = draws.below(9) as f64;
        }
        add_up_covers(&mut tree);
        parts.push_tree(&tree);
    }
    parts
}

/// Returns rows whose values are often thresholds exactly.
pub(crate) fn random_row(seed: u64, columns: usize) -> Vec<f32> {
    let mut draws = Draws::new(seed, 1);
    (0..columns)
        .map(|_| (draws.below(21) as f32 - 10.0) / 4.0)
        .collect()
}

fn stump() -> ForestParts {
    let mut parts = ForestParts::new(Link::Logistic, -0.25, 2);
    let split = Node {
        feature: 1,
        threshold: 0.5,
        left: 1,
        right: 2,
        cover: 3.0,
        ..Node::leaf(0.0)
    };
    let left = Node {
        cover: 2.0,
        ..Node::leaf(-1.0)
    };
    let right = Node {
        cover: 1.0,
        ..Node::leaf(1.0)
    };
    parts.push_tree(&[split, left, right]);
    parts.push_tree(&[split, left, right]);
    parts
}

fn broken(mend: impl FnOnce(&mut ForestParts)) -> ForestError {
    let mut parts = stump();
    mend(&mut parts);
    let error = Forest::try_from(parts.clone()).unwrap_err();
    // The file is no way round the check. JSON has no word for what is not finite.
    if let Ok(json) = serde_json::to_string(&parts) {
        assert!(serde_json::from_str::<Forest>(&json).is_err(), "{json}");
    }
    error
}

#[test]
fn a_valid_forest_is_one() {
    let forest = Forest::try_from(stump()).unwrap();
    assert_eq!(
        (forest.trees(), forest.nodes(), forest.columns()),
        (2, 6, 2)
    );
    assert_eq!(stump().validate(), Ok(vec![1, 1]));
}

#[test]
fn numbers_out_of_bounds_are_refused() {
    assert_eq!(broken(|p| p.format = 2), ForestError::Format(2));
    assert_eq!(broken(|p| p.columns = 0), ForestError::Columns(0));
    assert_eq!(broken(|p| p.columns = 70_000), ForestError::Columns(70_000));
    assert_eq!(broken(|p| p.roots.clear()), ForestError::Trees(0));
    assert_eq!(
        broken(|p| p.roots = vec![0; MAX_TREES + 1]),
        ForestError::Trees(MAX_TREES + 1)
    );
    assert_eq!(
        broken(|p| *p = ForestParts {
            roots: vec![0],
            ..ForestParts::new(p.link, 0.0, 1)
        }),
        ForestError::Nodes(0)
    );
    let mut big = ForestParts::new(Link::Logistic, 0.0, 1);
    big.push_tree(&vec![Node::leaf(0.0); MAX_NODES + 1]);
    assert_eq!(big.validate(), Err(ForestError::Nodes(MAX_NODES + 1)));
    let mut big = ForestParts::new(Link::Logistic, 0.0, 1);
    big.push_tree(&vec![Node::leaf(0.0); MAX_TREE_NODES + 1]);
    assert_eq!(big.validate(), Err(ForestError::TreeNodes(0)));
}

#[test]
fn arrays_of_different_lengths_are_refused() {
    assert_eq!(
        broken(|p| p.threshold.truncate(5)),
        ForestError::Length("threshold")
    );
    assert_eq!(broken(|p| p.left.push(0)), ForestError::Length("left"));
    assert_eq!(
        broken(|p| p.right.truncate(1)),
        ForestError::Length("right")
    );
    assert_eq!(broken(|p| p.value.clear()), ForestError::Length("value"));
    assert_eq!(
        broken(|p| p.cover.truncate(5)),
        ForestError::Length("cover")
    );
}

#[test]
fn roots_that_do_not_ascend_from_0_are_refused() {
    assert_eq!(broken(|p| p.roots = vec![3]), ForestError::Root(0));
    assert_eq!(broken(|p| p.roots = vec![0, 0]), ForestError::Root(0));
    assert_eq!(broken(|p| p.roots = vec![0, 6]), ForestError::Reached(3));
    assert_eq!(broken(|p| p.roots = vec![0, 9]), ForestError::Root(0));
}

#[test]
fn links_that_are_not_a_tree_are_refused() {
    // A cycle, a loop on itself, an only child, a child of another tree.
    assert_eq!(
        broken(|p| (p.left[4], p.right[4], p.value[4]) = (3, 5, 0.0)),
        ForestError::Link(4)
    );
    assert_eq!(broken(|p| p.left[3] = 3), ForestError::Link(3));
    assert_eq!(broken(|p| p.right[0] = 0), ForestError::Link(0));
    assert_eq!(broken(|p| p.right[0] = 4), ForestError::Link(0));
    assert_eq!(broken(|p| p.right[3] = u32::MAX), ForestError::Link(3));
    // Two links to one node, and a node without a parent.
    assert_eq!(broken(|p| p.right[0] = 1), ForestError::Reached(1));
    assert_eq!(broken(|p| p.roots = vec![0]), ForestError::Reached(3));
}

#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let chain = |splits: u32| {
        let mut tree = Vec::new();
        for at in 0..splits {
            tree.push(Node {
                left: 2 * at + 1,
                right: 2 * at + 2,
                ..Node::leaf(0.0)
            });
            tree.push(Node::leaf(1.0));
        }
        tree.push(Node::leaf(2.0));
        let mut parts = ForestParts::new(Link::Logistic, 0.0, 1);
        parts.push_tree(&tree);
        parts.validate()
    };
    assert_eq!(chain(MAX_DEPTH as u32), Ok(vec![MAX_DEPTH as u16]));
    assert_eq!(
        chain(MAX_DEPTH as u32 + 1),
        Err(ForestError::Depth(2 * MAX_DEPTH))
    );
}

#[test]
fn fields_of_nodes_that_make_no_sense_are_refused() {
    assert_eq!(broken(|p| p.feature[3] = 2), ForestError::Feature(3));
    assert_eq!(
        broken(|p| p.threshold[0] = f32::NAN),
        ForestError::Threshold(0)
    );
    assert_eq!(
        broken(|p| p.threshold[0] = f32::INFINITY),
        ForestError::Threshold(0)
    );
    assert_eq!(
        broken(|p| p.value[5] = f32::NEG_INFINITY),
        ForestError::Value(5)
    );
    assert_eq!(broken(|p| p.value[0] = 1.0), ForestError::Unused(0));
    assert_eq!(broken(|p| p.feature[1] = 1), ForestError::Unused(1));
    assert_eq!(broken(|p| p.threshold[1] = 1.0), ForestError::Unused(1));
    assert!(matches!(
        broken(|p| p.base = f64::NAN),
        ForestError::Base(_)
    ));
}

#[test]
fn covers_that_do_not_add_up_are_refused() {
    assert_eq!(broken(|p| p.cover[1] = -2.0), ForestError::Cover(0));
    assert_eq!(broken(|p| p.cover[3] = 3.1), ForestError::Cover(3));
    assert_eq!(
        broken(|p| p.cover[3] = f64::INFINITY),
        ForestError::Cover(3)
    );
    assert_eq!(
        broken(|p| (p.cover[0], p.cover[1]) = (-1.0, -2.0)),
        ForestError::Cover(0)
    );
}

#[test]
fn the_mean_of_what_is_no_probability_is_refused() {
    assert_eq!(broken(|p| p.link = Link::Mean), ForestError::Base(-0.25));
    assert_eq!(
        broken(|p| (p.link, p.base) = (Link::Mean, 0.0)),
        ForestError::Value(1)
    );
}

#[test]
fn an_unknown_or_missing_field_is_refused() {
    let json = serde_json::to_string(&stump()).unwrap();
    assert!(serde_json::from_str::<Forest>(&json).is_ok());
    assert!(serde_json::from_str::<Forest>(&json.replace("\"base\"", "\"bias\"")).is_err());
    assert!(serde_json::from_str::<Forest>(&json.replacen('{', "{\"extra\":1,", 1)).is_err());
    assert!(serde_json::from_str::<Forest>(&json.replace("0.5", "1e39")).is_err());
    assert!(serde_json::from_str::<Forest>(&json.replace("0.5", "null")).is_err());
}

proptest! {
    #[test]
    fn numbers_come_back_from_json_to_the_bit(bits in any::<u32>(), wide in any::<u64>(), cover in 0_u64..1 << 62) {
        let (threshold, base, cover) = (f32::from_bits(bits), f64::from_bits(wide), f64::from_bits(cover));
        prop_assume!(threshold.is_finite() && base.is_finite() && cover.is_finite());
        let mut parts = stump();
        (parts.base, parts.threshold[0], parts.value[1]) = (base, threshold, threshold);
        (parts.cover[0], parts.cover[1], parts.cover[2]) = (cover, cover, 0.0);
        let forest = Forest::try_from(parts.clone()).unwrap();
        let json = serde_json::to_string(&forest).unwrap();
        let back: Forest = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back.parts.base.to_bits(), base.to_bits());
        prop_assert_eq!(back.parts.threshold[0].to_bits(), bits);
        prop_assert_eq!(back.parts.value[1].to_bits(), bits);
        prop_assert_eq!(back.parts.cover[0].to_bits(), cover.to_bits());
        prop_assert_eq!(back, forest);
    }

    #[test]
    fn random_forests_are_valid(seed in any::<u64>(), trees in 1_usize..20, splits in 0_usize..40) {
        let parts = random_parts(seed, trees, splits, 6, Link::Mean);
        prop_assert!(parts.validate().is_ok());
    }
}
