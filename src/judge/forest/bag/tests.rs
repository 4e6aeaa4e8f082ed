use super::*;

/// Returns rows most of whose labels are true: 0.95 of them where the first two columns say so,
/// else 0.6.
fn cases(rows: usize, seed: u64) -> (Matrix, Vec<bool>) {
    let mut draws = Draws::new(seed, 0);
    let mut matrix = Matrix::empty(6).unwrap();
    let mut labels = Vec::new();
    for _ in 0..rows {
        let [a, b, c, d, e] = [0; 5].map(|_| draws.unit() as f32);
        matrix
            .push_row(&[a, b * 1e-6, c, d.round(), 7.0, (e * 5.0).floor()])
            .unwrap();
        labels.push(draws.unit() < if (a > 0.6) ^ (b > 0.3) { 0.95 } else { 0.6 });
    }
    (matrix, labels)
}

fn params() -> BagParams {
    BagParams {
        trees: 20,
        max_depth: 6,
        column_sample: 0.5,
        ..BagParams::default()
    }
}

fn trained(rows: &Matrix, labels: &[bool], params: &BagParams) -> Forest {
    bag(rows, labels, params, &mut |_| {}).unwrap()
}

#[test]
fn it_learns_shares_that_lie_on_the_same_side_of_a_half() {
    let (rows, labels) = cases(4_000, 1);
    let forest = trained(&rows, &labels, &params());
    let (unseen, _) = cases(400, 2);
    let mut off = 0.0;
    for at in 0..400 {
        let row = unseen.row(at);
        let truth = if (row[0] > 0.6) ^ (row[1] > 0.3e-6) {
            0.95
        } else {
            0.6
        };
        off += (forest.probability(row) - truth).abs() / 400.0;
    }
    // The base rate alone is off by 0.175.
    assert!(off < 0.07, "{off}");
    assert!(forest.parts().feature.iter().all(|&column| column != 4));
}

#[test]
fn the_forest_is_the_same_for_every_run_and_number_of_threads() {
    // Each hash map of the fit has its own order, in one process too.
    let (rows, labels) = cases(1_500, 1);
    let params = BagParams {
        threads: 1,
        trees: 8,
        ..params()
    };
    let forest = trained(&rows, &labels, &params);
    for threads in [1, 1, 2, 3] {
        assert_eq!(
            trained(&rows, &labels, &BagParams { threads, ..params }),
            forest
        );
    }
    assert_ne!(
        trained(&rows, &labels, &BagParams { seed: 1, ..params }),
        forest
    );
}

#[test]
fn leaves_are_the_shares_of_all_rows_that_end_there() {
    let (rows, labels) = cases(1_000, 1);
    let forest = trained(
        &rows,
        &labels,
        &BagParams {
            trees: 3,
            prior_rows: 4.0,
            ..params()
        },
    );
    let parts = forest.parts();
    let prior = labels.iter().filter(|&&label| label).count() as f64 / 1_000.0;
    let mut seen = vec![(0.0, 0.0); parts.feature.len()];
    for &root in &parts.roots {
        for (row, &label) in labels.iter().enumerate() {
            let mut at = root as usize;
            while parts.left[at] != 0 {
                let left = rows.row(row)[parts.feature[at] as usize] <= parts.threshold[at];
                at = if left {
                    parts.left[at]
                } else {
                    parts.right[at]
                } as usize;
            }
            seen[at].0 += 1.0;
            seen[at].1 += f64::from(u8::from(label));
        }
    }
    for (at, &(rows, good)) in seen
        .iter()
        .enumerate()
        .filter(|(at, _)| parts.left[*at] == 0)
    {
        assert_eq!(parts.cover[at], rows);
        assert_eq!(
            parts.value[at],
            ((good + 4.0 * prior) / (rows + 4.0)) as f32
        );
        assert!(rows >= 20.0);
    }
    assert!(
        parts
            .roots
            .iter()
            .all(|&root| parts.cover[root as usize] == 1_000.0)
    );
}

#[test]
fn trees_keep_to_their_depth() {
    let (rows, labels) = cases(2_000, 1);
    for max_depth in [1, 3] {
        let forest = trained(
            &rows,
            &labels,
            &BagParams {
                max_depth,
                ..params()
            },
        );
        let depths = forest.parts().validate().unwrap();
        assert_eq!(depths.iter().max(), Some(&(max_depth as u16)));
    }
}

#[test]
fn progress_hears_of_the_last_tree() {
    let (rows, labels) = cases(200, 1);
    let mut heard = Vec::new();
    bag(
        &rows,
        &labels,
        &BagParams {
            trees: 5,
            ..params()
        },
        &mut |trees| heard.push(trees),
    )
    .unwrap();
    assert_eq!(heard, [1, 2, 3, 4, 5]);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let (rows, labels) = cases(50, 1);
    let refused = |rows: &Matrix, labels: &[bool], params: &BagParams| {
        bag(rows, labels, params, &mut |_| {}).unwrap_err()
    };
    let p = params();
    assert_eq!(
        refused(&rows, &labels[1..], &p),
        TrainError::Labels {
            rows: 50,
            labels: 49
        }
    );
    assert_eq!(refused(&rows, &[false; 50], &p), TrainError::OneOutcome);
    assert_eq!(
        refused(&Matrix::empty(1).unwrap(), &[], &p),
        TrainError::OneOutcome
    );
    for (name, params) in [
        (
            "trees",
            BagParams {
                trees: MAX_TREES + 1,
                ..p
            },
        ),
        ("max_depth", BagParams { max_depth: 0, ..p }),
        (
            "min_rows_in_leaf",
            BagParams {
                min_rows_in_leaf: 0,
                ..p
            },
        ),
        (
            "row_sample",
            BagParams {
                row_sample: 0.0,
                ..p
            },
        ),
        (
            "column_sample",
            BagParams {
                column_sample: 1.5,
                ..p
            },
        ),
        (
            "prior_rows",
            BagParams {
                prior_rows: f64::NAN,
                ..p
            },
        ),
    ] {
        assert_eq!(refused(&rows, &labels, &params), TrainError::Param(name));
    }
    assert!(matches!(
        refused(&rows, &labels, &BagParams { max_bins: 0, ..p }),
        TrainError::Bins(_)
    ));
}
