//! Any bytes as a record of `patches`, through the whole pipeline: one outcome with one event, and no
//! approval below the threshold or of a CVE that nothing is known of.

#![no_main]

use std::cell::OnceCell;
use std::sync::Arc;

use crisol::event::limits::EventLimits;
use crisol::event::reason::{Disposition, Reason};
use crisol::event::record::{Batch, Record};
use crisol::event::topic::Topic;
use crisol::log::source::Coordinates;
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::judge::models::Models;
use crisol::judge::shipped::ModelConfig;
use crisol::table::{TableBounds, Tables};
use libfuzzer_sys::fuzz_target;

const APV: &str = r#"{"cve_id":"CVE-2020-8203","summary":"","modified":"2020-07-15T00:00:00Z","priority":"high","affected_packages":[{"ecosystem":"npm","name":"lodash","affected_versions":["<4.17.21"],"fixed_versions":["4.17.21"],"has_fix":true}]}"#;

fn pipeline() -> Pipeline {
    let limits = EventLimits::default();
    let tables = Tables::detached(&TableBounds::default(), &limits);
    tables
        .apv
        .apply(Some(b"CVE-2020-8203"), Some(APV.as_bytes()))
        .expect("an APV");
    let at = |offset| Coordinates {
        partition: 0,
        offset,
    };
    for (offset, (key, value)) in [
        ("auto_approve", "true"),
        ("evidence.advisory.patch.w0", r#"{"agreed":80,"n":80}"#),
    ]
    .into_iter()
    .enumerate()
    {
        tables
            .control
            .apply(at(offset as i64), Some(key.as_bytes()), Some(value.as_bytes()))
            .expect("a setting");
    }
    let model = ModelConfig::default().load().expect("the shipped model");
    let models = Models::of(model).expect("metrics");
    Pipeline::new(
        Arc::new(tables),
        PipelineConfig::default(),
        limits,
        Default::default(),
        Default::default(),
        || 1,
    )
    .with_models(Arc::new(models))
}

thread_local! {
    static PIPELINE: OnceCell<Pipeline> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let batch = Batch {
        topic: Arc::from("patches"),
        partition: 0,
        records: vec![Record {
            offset: 7,
            value: Some(data.to_vec()),
            ..Record::default()
        }],
    };
    let handled = PIPELINE.with(|made| {
        let pipeline = made.get_or_init(pipeline);
        let handled = pipeline.handle(&batch);
        pipeline.tables().open_items.forget_proposed(0, 0);
        handled
    });
    let [outcome] = &handled[..] else {
        panic!("{} outcomes", handled.len());
    };
    assert_ne!(outcome.reason, Reason::Panicked);
    assert_eq!(outcome.reason.disposition(), outcome.disposition);
    let told = |topic| outcome.outputs.iter().filter(|output| output.topic == topic).count();
    let [decisions, hitl, dlq] = [Topic::Decisions, Topic::Hitl, Topic::Dlq].map(told);
    assert_eq!(decisions + hitl + dlq, 1);
    match outcome.disposition {
        Disposition::Decided => {
            assert_eq!(decisions, 1);
            let event: serde_json::Value =
                serde_json::from_slice(outcome.outputs[0].value.as_deref().unwrap_or_default())
                    .expect("an event");
            assert_eq!(event["cve_id"], "CVE-2020-8203");
            assert!(event["facts"]["judgement"]["p"].as_f64() >= Some(0.95), "{event}");
        }
        Disposition::Queued => assert_eq!(hitl, 1),
        Disposition::Dead => assert_eq!(dlq, 1),
        Disposition::Wargame | Disposition::Compared => panic!("no exploit is at hand"),
    }
});
