use proptest::prelude::*;

use super::*;
use crate::event::reason::Reason;
use crate::event::record::Handled;

fn outcome(offset: i64) -> Handled {
    Handled {
        ab_sampled: false,
        memo: None,
        agreement: None,
        offset,
        timestamp_ms: 0,
        disposition: Reason::NoExploit.disposition(),
        reason: Reason::NoExploit,
        outputs: vec![],
    }
}

#[derive(Debug, Clone)]
enum Step {
    Admit { gap: i64, records: usize },
    Finish(prop::sample::Index),
    Seal,
    Rewind,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_i64, 1..5_usize).prop_map(|(gap, records)| Step::Admit { gap, records }),
        4 => any::<prop::sample::Index>().prop_map(Step::Finish),
        3 => Just(Step::Seal),
        1 => Just(Step::Rewind),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// Whatever the order of completions, what is sealed is each admitted record once, in order.
    #[test]
    fn sealed_records_are_the_admitted_prefix(steps in steps()) {
        let mut ledger = PartitionLedger::starting_at(0);
        let mut open: Vec<(BatchId, Vec<i64>)> = Vec::new();
        let mut admitted: Vec<i64> = Vec::new();
        let mut sealed: Vec<i64> = Vec::new();
        for step in steps {
            match step {
                Step::Admit { gap, records } => {
                    let first = ledger.admitted_through() + gap;
                    let offsets: Vec<i64> = (0..records as i64).map(|n| first + n).collect();
                    let next = first + records as i64;
                    let id = ledger.admit(first, next, records, records * 10).unwrap();
                    admitted.extend(&offsets);
                    open.push((id, offsets));
                }
                Step::Finish(at) if !open.is_empty() => {
                    let (id, offsets) = open.swap_remove(at.index(open.len()));
                    let outcomes = offsets.iter().copied().map(outcome).collect::<Vec<_>>();
                    prop_assert_eq!(ledger.finish(id, outcomes.clone()), Ok(()));
                    prop_assert_eq!(ledger.finish(id, outcomes), Err(Violation::NotOpen));
                }
                Step::Finish(_) => {}
                Step::Seal => {
                    if let Some(run) = ledger.seal_next() {
                        sealed.extend(run.handled.iter().map(|h| h.offset));
                        prop_assert_eq!(run.next, sealed.last().unwrap() + 1);
                    }
                }
                Step::Rewind => {
                    let committed = ledger.sealed_through();
                    ledger.rewind(committed);
                    open.clear();
                    admitted.truncate(sealed.len());
                }
            }
            prop_assert_eq!(check(&ledger), Ok(()));
            prop_assert!(admitted.starts_with(&sealed));
        }
    }
}

#[test]
fn a_batch_fetched_before_a_rewind_is_refused() {
    let mut ledger = PartitionLedger::starting_at(10);
    assert!(ledger.admit(10, 20, 10, 1).is_some());
    assert!(ledger.admit(15, 25, 10, 1).is_none());
    ledger.rewind(10);
    assert!(ledger.admit(10, 20, 10, 1).is_some());
}

#[test]
fn a_later_batch_waits_for_an_earlier_one() {
    let mut ledger = PartitionLedger::starting_at(0);
    let first = ledger.admit(0, 1, 1, 1).unwrap();
    let second = ledger.admit(1, 2, 1, 1).unwrap();
    ledger.finish(second, vec![outcome(1)]).unwrap();
    assert!(ledger.seal_next().is_none());
    ledger.finish(first, vec![outcome(0)]).unwrap();
    assert_eq!(ledger.seal_next().unwrap().next, 1);
    assert_eq!(ledger.seal_next().unwrap().next, 2);
    assert!(ledger.is_idle());
}

/// The negative control: a batch that loses a record, doubles one or swaps two is found.
#[test]
fn a_batch_that_does_not_account_for_each_record_is_a_violation() {
    for outcomes in [vec![0], vec![0, 0], vec![1, 0], vec![0, 1, 2], vec![0, 2]] {
        let mut ledger = PartitionLedger::starting_at(0);
        let id = ledger.admit(0, 2, 2, 1).unwrap();
        let handled = outcomes.iter().copied().map(outcome).collect();
        let found = ledger.finish(id, handled);
        assert!(
            matches!(found, Err(Violation::Unaccounted { .. })),
            "{outcomes:?}: {found:?}"
        );
    }
}

#[test]
fn counts_balance() {
    let mut counts = Counts::default();
    for reason in Reason::ALL {
        counts.add(reason.disposition());
    }
    assert!(counts.balances());
    let unbalanced = Counts {
        taken: counts.taken + 1,
        ..counts
    };
    assert!(!unbalanced.balances());
}
