use super::*;

/// Returns rows whose label hangs on columns 0 and 1 together, with some noise; column 3 is the
/// same in every row.
fn cases(rows: usize, seed: u64) -> (Matrix, Vec<bool>) {
    let mut draws = Draws::new(seed, 0);
    let mut matrix = Matrix::empty(5).unwrap();
    let mut labels = Vec::new();
    for _ in 0..rows {
        let [a, b, c, d] = [0; 4].map(|_| draws.unit() as f32);
        matrix.push_row(&[a, b, c, 7.0, d.round()]).unwrap();
        labels.push(((a > 0.6) ^ (b > 0.3)) ^ (draws.unit() < 0.1));
    }
    (matrix, labels)
}

fn params() -> BoostParams {
    BoostParams {
        trees: 60,
        leaves: 6,
        learning_rate: 0.2,
        min_rows_in_leaf: 20,
        column_sample: 0.8,
        l2: 1.0,
        ..BoostParams::default()
    }
}

fn trained(rows: &Matrix, labels: &[bool], params: &BoostParams) -> Forest {
    boost(rows, labels, None, params, &mut |_| {}).unwrap()
}

/// Returns the mean logistic loss, in nats.
fn loss(forest: &Forest, rows: &Matrix, labels: &[bool]) -> f64 {
    let sum: f64 = labels
        .iter()
        .enumerate()
        .map(|(at, &label)| {
            let p = forest.probability(rows.row(at));
            -(if label { p } else { 1.0 - p }).ln()
        })
        .sum();
    sum / labels.len() as f64
}

#[test]
fn it_learns_what_only_two_columns_together_tell() {
    let (rows, labels) = cases(4_000, 1);
    let (unseen, truth) = cases(4_000, 2);
    let forest = trained(&rows, &labels, &params());
    // Knowing all but the noise leaves 0.325 nats; knowing nothing about 0.69.
    assert!(
        loss(&forest, &unseen, &truth) < 0.37,
        "{}",
        loss(&forest, &unseen, &truth)
    );
    assert!(forest.parts().feature.iter().all(|&column| column != 3));
}

#[test]
fn labels_without_a_cause_teach_next_to_nothing() {
    let (rows, _) = cases(4_000, 1);
    let mut draws = Draws::new(9, 0);
    let labels: Vec<bool> = (0..4_000).map(|_| draws.unit() < 0.3).collect();
    let truth: Vec<bool> = (0..4_000).map(|_| draws.unit() < 0.3).collect();
    let forest = trained(
        &rows,
        &labels,
        &BoostParams {
            l2: 20.0,
            learning_rate: 0.04,
            ..params()
        },
    );
    // The entropy of 0.3 is 0.611 nats.
    assert!((loss(&forest, &rows, &truth) - 0.611).abs() < 0.03);
}

#[test]
fn the_forest_is_the_same_for_every_number_of_threads_and_hangs_on_the_seed() {
    let (rows, labels) = cases(30_000, 1);
    let params = BoostParams {
        trees: 12,
        threads: 1,
        ..params()
    };
    let forest = trained(&rows, &labels, &params);
    for threads in [0, 2, 3] {
        assert_eq!(
            trained(&rows, &labels, &BoostParams { threads, ..params }),
            forest
        );
    }
    assert_ne!(
        trained(&rows, &labels, &BoostParams { seed: 1, ..params }),
        forest
    );
}

#[test]
fn covers_count_the_rows_that_come_through() {
    let (rows, labels) = cases(3_000, 1);
    let forest = trained(&rows, &labels, &params());
    let parts = forest.parts();
    for &root in &parts.roots {
        let mut counts = vec![0.0; parts.cover.len()];
        for row in 0..rows.rows() {
            let mut at = root as usize;
            counts[at] += 1.0;
            while parts.left[at] != 0 {
                let left = rows.row(row)[parts.feature[at] as usize] <= parts.threshold[at];
                at = if left {
                    parts.left[at]
                } else {
                    parts.right[at]
                } as usize;
                counts[at] += 1.0;
            }
        }
        let seen = (0..counts.len()).filter(|&at| counts[at] > 0.0);
        assert!(seen.clone().count() > 1);
        seen.for_each(|at| assert_eq!(counts[at], parts.cover[at]));
    }
}

#[test]
fn a_weight_counts_as_so_many_rows() {
    let (rows, labels) = cases(500, 1);
    let weights: Vec<f32> = (0..500)
        .map(|at| if at % 3 == 0 { 2.0 } else { 1.0 })
        .collect();
    let mut doubled = Matrix::empty(5).unwrap();
    let mut labels_of_doubled = Vec::new();
    for (at, &weight) in weights.iter().enumerate() {
        for _ in 0..weight as usize {
            doubled.push_row(rows.row(at)).unwrap();
            labels_of_doubled.push(labels[at]);
        }
    }
    // All rows and columns, and bins for all values: samples would differ.
    let params = BoostParams {
        trees: 5,
        leaves: 4,
        row_sample: 1.0,
        column_sample: 1.0,
        min_rows_in_leaf: 1,
        l2: 5.0,
        ..params()
    };
    let coarse = |rows: &Matrix| {
        let values = rows
            .values()
            .iter()
            .map(|value| (value * 16.0).round())
            .collect();
        Matrix::try_new(rows.rows(), 5, values).unwrap()
    };
    let weighted = boost(
        &coarse(&rows),
        &labels,
        Some(&weights),
        &params,
        &mut |_| {},
    )
    .unwrap();
    let repeated = trained(&coarse(&doubled), &labels_of_doubled, &params);
    assert_eq!(weighted.parts().feature, repeated.parts().feature);
    assert_eq!(weighted.parts().cover, repeated.parts().cover);
    for at in 0..500 {
        let row = coarse(&rows);
        let [a, b] = [&weighted, &repeated].map(|forest| forest.score(row.row(at)));
        assert!((a - b).abs() < 1e-5);
    }
    let plain = trained(&coarse(&rows), &labels, &params);
    assert_ne!(plain, weighted);
}

#[test]
fn progress_hears_of_every_tree() {
    let (rows, labels) = cases(300, 1);
    let mut heard = Vec::new();
    let params = BoostParams {
        trees: 4,
        ..params()
    };
    boost(&rows, &labels, None, &params, &mut |trees| {
        heard.push(trees)
    })
    .unwrap();
    assert_eq!(heard, [1, 2, 3, 4]);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let (rows, labels) = cases(50, 1);
    let refused =
        |rows: &Matrix, labels: &[bool], weights: Option<&[f32]>, params: &BoostParams| {
            boost(rows, labels, weights, params, &mut |_| {}).unwrap_err()
        };
    let p = params();
    assert_eq!(
        refused(&rows, &labels[1..], None, &p),
        TrainError::Labels {
            rows: 50,
            labels: 49
        }
    );
    assert_eq!(
        refused(&rows, &[true; 50], None, &p),
        TrainError::OneOutcome
    );
    assert_eq!(
        refused(&Matrix::empty(1).unwrap(), &[], None, &p),
        TrainError::OneOutcome
    );
    assert_eq!(
        refused(&rows, &labels, Some(&[1.0]), &p),
        TrainError::Weights {
            rows: 50,
            weights: 1
        }
    );
    let mut weights = [1.0; 50];
    weights[7] = -1.0;
    assert_eq!(
        refused(&rows, &labels, Some(&weights), &p),
        TrainError::Weight(7)
    );
    assert_eq!(
        refused(&rows, &labels, Some(&[0.0; 50]), &p),
        TrainError::OneOutcome
    );
    for (name, params) in [
        ("trees", BoostParams { trees: 0, ..p }),
        ("leaves", BoostParams { leaves: 257, ..p }),
        (
            "learning_rate",
            BoostParams {
                learning_rate: f64::NAN,
                ..p
            },
        ),
        (
            "min_rows_in_leaf",
            BoostParams {
                min_rows_in_leaf: 0,
                ..p
            },
        ),
        (
            "min_hessian",
            BoostParams {
                min_hessian: -1.0,
                ..p
            },
        ),
        (
            "row_sample",
            BoostParams {
                row_sample: 1.1,
                ..p
            },
        ),
        (
            "column_sample",
            BoostParams {
                column_sample: 0.0,
                ..p
            },
        ),
        (
            "l2",
            BoostParams {
                l2: f64::INFINITY,
                ..p
            },
        ),
    ] {
        assert_eq!(
            refused(&rows, &labels, None, &params),
            TrainError::Param(name)
        );
    }
    assert!(matches!(
        refused(&rows, &labels, None, &BoostParams { max_bins: 1, ..p }),
        TrainError::Bins(_)
    ));
}

#[test]
fn rows_that_are_all_alike_give_the_base_rate() {
    let rows = Matrix::try_new(40, 2, vec![1.0; 80]).unwrap();
    let labels: Vec<bool> = (0..40).map(|at| at % 4 == 0).collect();
    let forest = trained(
        &rows,
        &labels,
        &BoostParams {
            row_sample: 1.0,
            trees: 3,
            ..params()
        },
    );
    assert!((forest.probability(&[1.0, 1.0]) - 0.25).abs() < 1e-6);
}
