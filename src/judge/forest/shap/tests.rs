use super::super::flat::tests::{random_parts, random_row};
use super::super::flat::{Node, add_up_covers};
use super::*;
use proptest::prelude::*;

/// Returns the expected score when the columns in `known` are, by the definition.
fn expected(parts: &ForestParts, row: &[f32], known: u32) -> f64 {
    fn of(parts: &ForestParts, row: &[f32], known: u32, at: usize) -> f64 {
        let (left, right) = (parts.left[at] as usize, parts.right[at] as usize);
        if left == 0 {
            return f64::from(parts.value[at]);
        }
        let column = parts.feature[at] as usize;
        if known >> column & 1 == 1 {
            let next = if row[column] <= parts.threshold[at] {
                left
            } else {
                right
            };
            return of(parts, row, known, next);
        }
        let [a, b] = [left, right].map(|child| of(parts, row, known, child));
        let both = parts.cover[left] + parts.cover[right];
        let share = if both > 0.0 {
            parts.cover[left] / both
        } else {
            0.5
        };
        share * a + (1.0 - share) * b
    }
    let sum: f64 = parts
        .roots
        .iter()
        .map(|&root| of(parts, row, known, root as usize))
        .sum();
    match parts.link {
        Link::Logistic => parts.base + sum,
        Link::Mean => sum / parts.roots.len() as f64,
    }
}

/// Returns the Shapley values by the definition: over all sets of columns.
fn shapley(parts: &ForestParts, row: &[f32]) -> Vec<f64> {
    let columns = parts.columns;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    (0..columns)
        .map(|column| {
            (0..1_u32 << columns)
                .filter(|set| set >> column & 1 == 0)
                .map(|set| {
                    let size = set.count_ones();
                    let weight =
                        factorial(size) * factorial(columns - size - 1) / factorial(columns);
                    weight * (expected(parts, row, set | 1 << column) - expected(parts, row, set))
                })
                .sum()
        })
        .collect()
}

#[test]
fn a_column_that_decides_alone_adds_all() {
    let mut parts = ForestParts::new(Link::Logistic, 0.5, 3);
    let split = Node {
        feature: 1,
        threshold: 0.0,
        left: 1,
        right: 2,
        cover: 4.0,
        ..Node::leaf(0.0)
    };
    parts.push_tree(&[
        split,
        Node {
            cover: 3.0,
            ..Node::leaf(-1.0)
        },
        Node {
            cover: 1.0,
            ..Node::leaf(3.0)
        },
    ]);
    let forest = Forest::try_from(parts).unwrap();
    let explained = forest.explain(&[0.0, 1.0, 0.0]);
    // 0.5 + (3 * -1 + 1 * 3) / 4 is expected.
    assert_eq!(
        explained,
        Explanation {
            base: 0.5,
            contributions: vec![0.0, 3.0, 0.0]
        }
    );
}

/// Returns a chain of splits on a column each; all leaves but the last are reached by a column
/// above 0.5, and `share` of a split's rows go on.
fn chain(depth: u32, share: f64, leaf: impl Fn(u32) -> f32) -> Forest {
    let mut tree = Vec::new();
    for at in 0..depth {
        let rows_here = share.powi(at as i32 - depth as i32);
        tree.push(Node {
            feature: at as u16,
            threshold: 0.5,
            left: 2 * at + 2,
            right: 2 * at + 1,
            ..Node::leaf(0.0)
        });
        tree.push(Node {
            cover: rows_here * (1.0 - share),
            ..Node::leaf(leaf(at))
        });
    }
    tree.push(Node {
        cover: 1.0,
        ..Node::leaf(leaf(depth))
    });
    add_up_covers(&mut tree);
    let mut parts = ForestParts::new(Link::Logistic, 0.0, depth);
    parts.push_tree(&tree);
    Forest::try_from(parts).unwrap()
}

#[test]
fn the_longest_path_is_explained_as_well_as_a_short_one() {
    for share in [0.1, 0.5, 0.9, 0.99] {
        for depth in [8, 32, 64, MAX_DEPTH as u32] {
            // Columns that do the same contribute the same.
            let forest = chain(depth, share, |at| if at == depth { 3.0 } else { 0.0 });
            let explained = forest.explain(&vec![0.0; depth as usize]);
            for added in explained.contributions {
                let equal = (3.0 - explained.base) / f64::from(depth);
                assert!((added - equal).abs() < 1e-12, "{share} {depth}: {added}");
            }
            let forest = chain(depth, share, |at| (at % 7) as f32);
            for leave in [0, depth / 2, depth - 1, depth] {
                let row: Vec<f32> = (0..depth)
                    .map(|at| f32::from(u8::from(at == leave)))
                    .collect();
                let explained = forest.explain(&row);
                let sum = explained.base + explained.contributions.iter().sum::<f64>();
                assert!(
                    (sum - forest.score(&row)).abs() < 1e-10,
                    "{share} {depth} {leave}: {sum}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn contributions_are_the_shapley_values(
        seed in any::<u64>(),
        trees in 1_usize..6,
        splits in 0_usize..30,
        columns in 1_u32..=6,
        mean in any::<bool>(),
    ) {
        let link = if mean { Link::Mean } else { Link::Logistic };
        let parts = random_parts(seed, trees, splits, columns, link);
        let row = random_row(seed, columns as usize);
        let explained = Forest::try_from(parts.clone()).unwrap().explain(&row);
        prop_assert!((explained.base - expected(&parts, &row, 0)).abs() < 1e-12);
        for (ours, truth) in explained.contributions.iter().zip(shapley(&parts, &row)) {
            prop_assert!((ours - truth).abs() < 1e-10, "{ours} is not {truth}");
        }
    }

    #[test]
    fn base_and_contributions_add_up_to_the_score(
        seed in any::<u64>(),
        trees in 1_usize..60,
        splits in 0_usize..200,
        columns in 1_u32..60,
        mean in any::<bool>(),
    ) {
        let link = if mean { Link::Mean } else { Link::Logistic };
        let forest = Forest::try_from(random_parts(seed, trees, splits, columns, link)).unwrap();
        let row = random_row(seed, columns as usize);
        let explained = forest.explain(&row);
        let sum = explained.base + explained.contributions.iter().sum::<f64>();
        prop_assert!((sum - forest.score(&row)).abs() < 1e-9);
        let read = &forest.parts().feature;
        for (column, &added) in explained.contributions.iter().enumerate() {
            prop_assert!(added == 0.0 || read.contains(&(column as u16)));
        }
    }
}
