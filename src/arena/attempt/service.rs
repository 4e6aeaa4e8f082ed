//! What a run and the service beside it see: of the harness, and of each other.

use std::collections::BTreeMap;

use super::{Place, port_of};
use crate::arena::client::LIBRARY;
use crate::arena::guard::PYTHON_DIRECTORY;
use crate::arena::sandbox::ServiceRun;
use crate::arena::surroundings::{ARENA, Surroundings};
use crate::exploit::{Drawn, Kind, Origin, Service, Variant};

impl Place<'_> {
    /// Returns what a line sees of the harness.
    pub(super) fn environment(&self, variant: &Variant, drawn: &Drawn) -> Vec<(String, String)> {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = vec![
            named("CRISOL_CANARY", drawn.canary()),
            named("CRISOL_VARIANT", &variant.name),
            named("CRISOL_DRAWN", &drawn.json()),
            named("PYTHONDONTWRITEBYTECODE", "1"),
            named("PYTHONNOUSERSITE", "1"),
        ];
        let target = &self.exploit.target;
        if self.exploit.service.is_some() {
            all.push(named("PYTHONPATH", LIBRARY));
        } else if target.kind == Kind::Library || matches!(target.origin, Origin::Package(_)) {
            all.push(named("NODE_PATH", "/target/node_modules"));
            all.push(named("PYTHONPATH", &format!("{PYTHON_DIRECTORY}:/target")));
        }
        all
    }

    /// Returns the service of a run; one that is apart sees nothing of the harness.
    pub(super) fn service<'r>(
        &'r self,
        service: &Service,
        start: &'r str,
        variant: &Variant,
        waits: bool,
        drawn: &'r Drawn,
        fixtures: &'r BTreeMap<String, String>,
    ) -> ServiceRun<'r> {
        let port = port_of(service, drawn);
        // The relay waits by itself, so that its start and the service's overlap.
        let within_s = if waits { 0 } else { service.ready.within_s };
        let directory = self.tree.directory.as_path();
        if !self.exploit.is_apart() {
            return ServiceRun {
                line: start,
                environment: self.environment(variant, drawn),
                reads: vec![
                    (self.case.to_owned(), "/case"),
                    (directory.to_owned(), "/target"),
                ],
                tree: None,
                fixtures,
                files: BTreeMap::new(),
                directories: Vec::new(),
                surroundings: Surroundings::drawn(ARENA),
                port,
                within_s,
            };
        }
        let target = drawn.get("target").unwrap_or("/srv/app");
        let is_source = matches!(self.exploit.target.origin, Origin::Source(_));
        let variables = service.env.iter();
        let mut environment: Vec<(String, String)> = variables
            .map(|(name, value)| (name.clone(), drawn.fill(value)))
            .collect();
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        set("PYTHONDONTWRITEBYTECODE", "1".to_owned());
        if !is_source {
            set("NODE_PATH", format!("{target}/node_modules"));
            set("PYTHONPATH", target.to_owned());
        }
        ServiceRun {
            line: start,
            environment,
            // A tree of packages is too large to be copied for each run.
            reads: match is_source {
                true => Vec::new(),
                false => vec![(directory.to_owned(), target)],
            },
            tree: is_source.then_some((directory, target)),
            fixtures,
            files: service
                .files
                .iter()
                .map(|(path, text)| (drawn.fill(path), drawn.fill(text)))
                .collect(),
            directories: service
                .directories
                .iter()
                .map(|path| drawn.fill(path))
                .collect(),
            surroundings: Surroundings::drawn(drawn.get("work").unwrap_or("/srv/data")),
            port,
            within_s,
        }
    }
}
