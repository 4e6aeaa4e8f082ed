//! The stream of events: patches of every kind, and what must become of each.

use serde_json::Value;

use super::dead::{Broken, broken};
use super::draft::{Draft, Drafts, Form};
use super::event::{About, Disposition, Event, Expected, Header};
use super::expect::{Case, Oracle};
use super::identity::sha256;
use super::kind::Kind;
use super::random::Random;
use super::wire::body;
use super::world::World;

/// Makes events without end; the same world, run and seed give the same ones.
#[derive(Debug)]
pub struct Generator {
    drafts: Drafts,
    run: String,
    oracle: Oracle,
    next: u64,
}

// === impl Generator ===

impl Generator {
    /// Returns the generator of one run. `run` begins every patch id, so that runs on one topic stay apart; it is of
    /// ASCII letters, digits and `-`.
    pub fn new(world: &World, run: &str, seed: u64) -> Self {
        Self {
            oracle: Oracle::new(world.table.clone(), world.evidence.clone()),
            drafts: Drafts::new(world.clone(), Random::new(seed)),
            run: run.to_owned(),
            next: 0,
        }
    }

    /// Returns the next event.
    pub fn next_event(&mut self) -> Event {
        let number = self.next;
        self.next += 1;
        let kind = Kind::draw(&mut self.drafts.random);
        let nonce = format!("{}-{number}", self.run);
        let draft = self.drafts.draft(kind, &nonce);
        let body = body(&draft, &nonce, &mut self.drafts.random);
        match kind.fatal() {
            Some(reason) => {
                let random = &mut self.drafts.random;
                let record = broken(kind, &draft.cve_id, body, &nonce, random);
                dead_event(number, kind, reason, nonce, record)
            }
            None => self.patch_event(number, kind, nonce, draft, Value::Object(body)),
        }
    }

    fn patch_event(
        &mut self,
        number: u64,
        kind: Kind,
        nonce: String,
        draft: Draft,
        body: Value,
    ) -> Event {
        let digest = sha256(draft.diff.as_bytes());
        let patch_id = match draft.form {
            Form::Patch => nonce.clone(),
            Form::DiffRequest | Form::CodeRequest { .. } => format!("req:{digest}"),
        };
        let case = Case {
            patch_id: patch_id.clone(),
            cve_id: draft.cve_id.clone(),
            change: draft.change,
            claim: draft.claim,
            embedded: draft.apv.is_some(),
        };
        let outcome = self.oracle.outcome(&case);
        Event {
            key: Some(draft.cve_id.clone().into_bytes()),
            value: Some(body.to_string().into_bytes()),
            headers: vec![nonce_header(&nonce)],
            expected: Expected {
                number,
                kind,
                disposition: Disposition::of(outcome.reason),
                reason: outcome.reason,
                digest,
                nonce,
                about: About::Patch {
                    patch_id,
                    cve_id: draft.cve_id,
                    package: outcome.package,
                },
            },
        }
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        Some(self.next_event())
    }
}

fn dead_event(
    number: u64,
    kind: Kind,
    reason: &'static str,
    nonce: String,
    record: Broken,
) -> Event {
    let mut headers = record.headers;
    headers.push(nonce_header(&nonce));
    Event {
        expected: Expected {
            number,
            kind,
            disposition: Disposition::of(reason),
            reason,
            digest: sha256(record.value.as_deref().unwrap_or_default()),
            nonce,
            about: About::Letter {
                key: record.key.clone(),
                tombstone: record.value.is_none(),
                headers: headers.clone(),
                large: kind == Kind::TooLarge,
            },
        },
        key: record.key,
        value: record.value,
        headers,
    }
}

fn nonce_header(nonce: &str) -> Header {
    ("x-nonce".to_owned(), Some(nonce.as_bytes().to_vec()))
}
