//! Schemas: what the types give, what the repository holds and what the pipeline writes agree.
//!
//! `CRISOL_BLESS=1` writes the schemas anew, and records examples that are not there yet. It never
//! rewrites an example: those are what readers out there have stored.

mod recording;

use std::fs;
use std::path::{Path, PathBuf};

use crisol::event::schema;
use crisol::event::topic::Topic;
use jsonschema::Validator;
use serde_json::{Value, json};

/// Topics whose values others write; what they say beyond the schema is tolerated.
const INPUTS: [Topic; 2] = [Topic::Apv, Topic::Patches];

#[test]
fn the_committed_schemas_are_what_the_types_give() {
    for (topic, schema) in with_schema() {
        let wanted = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = folder().join(format!("{topic}.json"));
        if is_blessing() {
            fs::write(&path, &wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{} is not what the types give; CRISOL_BLESS=1 rewrites it",
            path.display()
        );
    }
}

#[test]
fn every_schema_is_json_schema_2020_12() {
    for (topic, schema) in with_schema() {
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{topic}"
        );
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{topic}");
    }
}

#[test]
fn what_crisol_writes_is_closed_and_what_it_reads_is_open() {
    for (topic, schema) in with_schema() {
        let objects = objects_of(&schema);
        assert!(!objects.is_empty(), "{topic}");
        for object in objects {
            let closed = object.get("additionalProperties") == Some(&json!(false));
            assert_eq!(closed, !INPUTS.contains(&topic), "{topic}: {object}");
        }
    }
}

#[test]
fn every_recorded_event_validates() {
    for (topic, schema) in with_schema() {
        let refused = refused_examples(topic, &schema);
        assert!(
            refused.is_empty(),
            "an event on record is no longer valid\n{}",
            refused.join("\n")
        );
    }
}

#[test]
fn a_schema_that_asks_for_more_than_was_recorded_is_found() {
    for (topic, mut schema) in with_schema() {
        match schema.get_mut("required") {
            Some(Value::Array(required)) => required.push(json!("field_of_the_future")),
            _ => schema["required"] = json!(["field_of_the_future"]),
        }
        schema["type"] = json!("object");
        let refused = refused_examples(topic, &schema);
        assert_eq!(refused.len(), examples(topic).len(), "{topic}");
    }
}

#[test]
fn a_changed_event_does_not_validate() {
    for (topic, schema) in with_schema() {
        let validator = validator(&schema);
        for (path, example) in examples(topic) {
            let Value::Object(fields) = &example else {
                continue;
            };
            let mut more = fields.clone();
            more.insert("field_of_the_future".to_owned(), json!(1));
            let tolerated = validator.is_valid(&Value::Object(more));
            assert_eq!(tolerated, INPUTS.contains(&topic), "{}", path.display());
            for name in required(&schema) {
                let mut fewer = fields.clone();
                fewer.remove(name);
                assert!(
                    !validator.is_valid(&Value::Object(fewer)),
                    "{} without {name}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn what_the_pipeline_writes_validates() {
    let events = recording::events();
    for (topic, schema) in with_schema().filter(|(topic, _)| !INPUTS.contains(topic)) {
        let validator = validator(&schema);
        let written: Vec<_> = events.iter().filter(|event| event.topic == topic).collect();
        assert_eq!(written.is_empty(), topic == Topic::Control, "{topic}");
        for event in written {
            let problems: Vec<String> = validator
                .iter_errors(&event.value)
                .map(|e| e.to_string())
                .collect();
            assert!(
                problems.is_empty(),
                "{topic}: {problems:?}\n{}",
                event.value
            );
            let path = examples_folder(topic).join(format!("{}.json", event.name));
            if is_blessing() && !path.exists() {
                fs::create_dir_all(examples_folder(topic)).unwrap();
                fs::write(
                    &path,
                    serde_json::to_string_pretty(&event.value).unwrap() + "\n",
                )
                .unwrap();
            }
        }
    }
}

fn with_schema() -> impl Iterator<Item = (Topic, Value)> {
    Topic::ALL
        .into_iter()
        .filter_map(|topic| Some((topic, schema::of(topic)?)))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// Returns every schema of an object within a schema.
fn objects_of(schema: &Value) -> Vec<&Value> {
    let inner = match schema {
        Value::Object(fields) => fields.values().flat_map(objects_of).collect(),
        Value::Array(items) => items.iter().flat_map(objects_of).collect(),
        _ => Vec::new(),
    };
    let own = schema
        .get("properties")
        .is_some_and(Value::is_object)
        .then_some(schema);
    own.into_iter().chain(inner).collect()
}

fn required(schema: &Value) -> Vec<&str> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

fn refused_examples(topic: Topic, schema: &Value) -> Vec<String> {
    let validator = validator(schema);
    let all = examples(topic);
    assert!(!all.is_empty(), "{topic} has no example");
    all.iter()
        .filter_map(|(path, example)| {
            let error = validator.validate(example).err()?;
            Some(format!("{}: {error}", path.display()))
        })
        .collect()
}

/// Returns the recorded events of a topic, by file.
fn examples(topic: Topic) -> Vec<(PathBuf, Value)> {
    // Without a folder there is none, which is for the caller to say.
    let mut files: Vec<PathBuf> = fs::read_dir(examples_folder(topic))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn examples_folder(topic: Topic) -> PathBuf {
    folder().join("examples").join(topic.as_str())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn is_blessing() -> bool {
    std::env::var_os("CRISOL_BLESS").is_some()
}
