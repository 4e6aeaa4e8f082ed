//! What operators may do with a replica.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::arena::Ring;
use crate::engine::Health;
use crate::event::codec::printable;
use crate::event::control::{ControlKey, ControlValue};
use crate::event::id::check_cve_id;
use crate::guard::breaker::Breaker;
use crate::http::{BreakerState, Dependency, HaltedPartition, OperationError, Operations};
use crate::judge::models::Models;
use crate::log::client::KafkaConfig;
use crate::log::pulse::Pulse;
use crate::log::write::{SettingError, write_setting};
use crate::memory::{ExactMemory, Recall, StoreError};
use crate::policy::AbConfig;
use crate::role::process::{Role, wall_clock_ms};
use crate::table::{Tables, results_json, since_ms};

pub(super) struct ProcessOperations {
    pub engines: Vec<(Role, Arc<Health>)>,
    pub pulse: Arc<Pulse>,
    pub tables: Arc<Tables>,
    pub memory: Arc<ExactMemory>,
    pub models: Arc<Models>,
    pub ring: Arc<Ring>,
    pub client: KafkaConfig,
    /// The full name of `control`.
    pub control: String,
    /// The sample where `control` says nothing.
    pub ab: AbConfig,
}

impl ProcessOperations {
    fn write(&self, key: &ControlKey, value: &ControlValue) -> Result<(), OperationError> {
        write_setting(&self.client, &self.control, key, Some(value)).map_err(|error| match error {
            SettingError::Value(error) => OperationError::Invalid(error.to_string()),
            SettingError::Write { .. } => {
                unavailable("control cannot be written; are the brokers up?")
            }
        })
    }

    fn all_breakers(&self) -> [&Breaker; 3] {
        [
            self.memory.breaker(),
            self.models.breaker(),
            self.ring.breaker(),
        ]
    }

    /// The brokers, and what the engines wait for of them.
    fn kafka(&self) -> Dependency {
        let mut waiting_for = self.pulse.not_ready();
        for (_, health) in &self.engines {
            waiting_for.extend(health.not_ready());
        }
        Dependency {
            name: "kafka",
            status: match (self.pulse.is_up(), waiting_for.is_empty()) {
                (false, _) => "down",
                (true, false) => "waiting",
                (true, true) => "up",
            },
            latency_ms: self
                .pulse
                .latency()
                .map(|took| took.as_secs_f64() * 1_000.0),
            waiting_for,
            breaker: None,
        }
    }

    /// Where wargames are held, if this replica holds any.
    fn arena(&self) -> Option<Dependency> {
        let mut roles = self.engines.iter().map(|(role, _)| *role);
        roles.any(|role| role == Role::Wargame).then(|| Dependency {
            name: "arena",
            status: if self.ring.is_open() { "up" } else { "down" },
            latency_ms: None,
            waiting_for: Vec::new(),
            breaker: Some(self.ring.breaker().name()),
        })
    }
}

impl Operations for ProcessOperations {
    fn dependencies(&self) -> Vec<Dependency> {
        let waits = |name, waiting_for: Vec<&'static str>| Dependency {
            name,
            status: if waiting_for.is_empty() {
                "up"
            } else {
                "waiting"
            },
            latency_ms: None,
            waiting_for,
            breaker: None,
        };
        let answer = self.memory.ping();
        let mut dependencies = vec![
            self.kafka(),
            waits("tables", self.tables.not_ready()),
            Dependency {
                name: self.memory.store_name(),
                status: if answer.is_ok() { "up" } else { "down" },
                latency_ms: answer.ok().map(|took| took.as_secs_f64() * 1_000.0),
                waiting_for: Vec::new(),
                breaker: Some(self.memory.breaker().name()),
            },
            Dependency {
                name: "model",
                status: if self.models.in_force().is_missing {
                    "down"
                } else {
                    "up"
                },
                latency_ms: None,
                waiting_for: Vec::new(),
                breaker: Some(self.models.breaker().name()),
            },
        ];
        dependencies.extend(self.arena());
        dependencies
    }

    fn halted(&self) -> Vec<HaltedPartition> {
        let control = self.tables.control_snapshot();
        let places = control.halts.keys();
        places
            .map(|(topic, partition)| HaltedPartition {
                topic: topic.as_str(),
                partition: *partition,
            })
            .collect()
    }

    fn breakers(&self) -> Vec<BreakerState> {
        self.all_breakers().into_iter().map(state).collect()
    }

    fn reset_breaker(&self, name: &str) -> Result<BreakerState, OperationError> {
        let all = self.all_breakers();
        let Some(breaker) = all.iter().find(|breaker| breaker.name() == name) else {
            let names: Vec<&str> = all.iter().map(|breaker| breaker.name()).collect();
            return Err(OperationError::Unknown(format!(
                "no breaker {}; there are {}",
                printable(name),
                names.join(", ")
            )));
        };
        breaker.reset();
        Ok(state(breaker))
    }

    fn memory(&self) -> Value {
        let of = |result| self.memory.count(result);
        let hits = of(Recall::Hit);
        let asked = hits + of(Recall::Miss) + of(Recall::Forged);
        let recalls: serde_json::Map<String, Value> = Recall::ALL
            .into_iter()
            .map(|result| (result.as_str().to_owned(), json!(of(result))))
            .collect();
        json!({
            "store": self.memory.store_name(),
            "breaker": state(self.memory.breaker()),
            "recalls": recalls,
            // Of questions that were answered; null while there are none.
            "hit_rate": (asked > 0).then(|| hits as f64 / asked as f64),
        })
    }

    fn forget(&self, cve_id: Option<&str>) -> Result<u64, OperationError> {
        if let Some(cve_id) = cve_id {
            check_cve_id(cve_id)
                .map_err(|error| OperationError::Invalid(format!("apv_id: {error}")))?;
        }
        self.memory.forget(cve_id).map_err(|error| match error {
            // What the store said in words stays in the log.
            StoreError::Away(_) => unavailable("memory cannot be reached"),
            StoreError::TimedOut(_) => unavailable("memory did not answer in time"),
            StoreError::Refused(_) => unavailable("memory refused"),
        })
    }

    fn ab_results(&self, days: Option<f64>) -> Result<Value, OperationError> {
        let since = match days {
            None => i64::MIN,
            Some(days) => since_ms(wall_clock_ms(), days)
                .ok_or_else(|| OperationError::Invalid("days must be above 0".to_owned()))?,
        };
        Ok(results_json(&self.tables.comparisons.results(since)))
    }

    fn set_kill_switch(&self, on: bool) -> Result<(), OperationError> {
        self.write(&ControlKey::KillSwitch, &ControlValue::Switch(on))
    }

    fn kill_switch(&self) -> bool {
        self.tables.control_snapshot().kill_switch
    }

    fn set_ab(&self, enabled: bool, rate: Option<f64>) -> Result<(), OperationError> {
        if let Some(rate) = rate {
            // The rate first: nothing is sampled at a rate that nobody meant.
            self.write(&ControlKey::AbRate, &ControlValue::Share(rate))?;
        }
        self.write(&ControlKey::AbEnabled, &ControlValue::Switch(enabled))
    }

    fn ab(&self) -> (bool, f64) {
        let ab = self.ab.in_force(&self.tables.control_snapshot());
        (ab.enabled, ab.rate)
    }
}

fn state(breaker: &Breaker) -> BreakerState {
    BreakerState {
        name: breaker.name(),
        state: breaker.standing().as_str(),
        opened: breaker.opened(),
    }
}

fn unavailable(message: &str) -> OperationError {
    OperationError::Unavailable(message.to_owned())
}
