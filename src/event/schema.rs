//! JSON Schemas of what flows, derived from the types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::event::apv::Apv;
use crate::event::comparison::ComparisonEvent;
use crate::event::control::ControlValue;
use crate::event::decision::DecisionEvent;
use crate::event::hitl::{HitlEvent, OpenItem};
use crate::event::patch::PatchWire;
use crate::event::topic::Topic;
use crate::event::verdict::VerdictEvent;
use crate::event::wargame::WargameRequest;

/// Returns the JSON Schema 2020-12 of a topic's values; `None` for `dlq`, whose values are foreign
/// bytes.
pub fn of(topic: Topic) -> Option<Value> {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = match topic {
        Topic::Apv => generator.into_root_schema_for::<Apv<'_>>(),
        Topic::Patches => generator.into_root_schema_for::<PatchWire<'_>>(),
        Topic::Decisions => generator.into_root_schema_for::<DecisionEvent<'_>>(),
        Topic::Hitl => generator.into_root_schema_for::<HitlEvent<'_>>(),
        Topic::HitlOpen => generator.into_root_schema_for::<OpenItem<'_>>(),
        Topic::Verdicts => generator.into_root_schema_for::<VerdictEvent<'_>>(),
        Topic::Control => generator.into_root_schema_for::<ControlValue>(),
        Topic::Wargames => generator.into_root_schema_for::<WargameRequest<'_>>(),
        Topic::Comparisons => generator.into_root_schema_for::<ComparisonEvent<'_>>(),
        Topic::Dlq => return None,
    };
    serde_json::to_value(schema).ok()
}
