//! The service on a thread of this process, asked for its health as a probe would ask.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::{Exit, Failure, run};
use crate::engine::Failpoints;
use crate::ledger::Counts;
use crate::log::topics::TopicPlan;
use crate::role::Settings;
use crate::role::error::RunError;
use crate::role::process::{self, Role};

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// What a ready service answers with.
const READY: &[u8] = b"HTTP/1.1 200";

/// All roles, running.
pub(super) struct Service {
    thread: JoinHandle<Result<Vec<(Role, Counts)>, RunError>>,
    listen: SocketAddr,
}

impl Service {
    /// Starts the roles on topics that nobody checks: the embedded broker knows no settings of them.
    pub(super) fn start(
        settings: &Settings,
        plan: &TopicPlan,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let listen = settings
            .http
            .address()
            .map_err(|e| Failure::new(Exit::Config, e))?;
        let (settings, plan, stop) = (settings.clone(), plan.clone(), Arc::clone(stop));
        let thread = std::thread::Builder::new()
            .name("validate".to_owned())
            .spawn(move || {
                let roles = Role::ALL;
                process::run_unchecked(&settings, &plan, &roles, Failpoints::default(), &stop)
            })
            .map_err(|error| {
                Failure::new(Exit::Internal, format!("cannot start the service: {error}"))
            })?;
        Ok(Self { thread, listen })
    }

    /// Returns where the sidecar listens.
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Asks the sidecar whether the service is ready; no answer is no.
    pub(super) fn is_ready(&self) -> bool {
        self.probe().unwrap_or(false)
    }

    fn probe(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&self.listen, PROBE_TIMEOUT)?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: crisol\r\nconnection: close\r\n\r\n")?;
        let mut status = [0; READY.len()];
        stream.read_exact(&mut status)?;
        Ok(status == READY)
    }

    /// Returns whether the service has ended, by itself or because it was told to.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops the service in good order and returns what became of the patches.
    pub(super) fn stop(self, stop: &AtomicBool) -> Result<Counts, Failure> {
        stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(Ok(counts)) => {
                let mut of_roles = counts.into_iter();
                let of_patches = of_roles.find(|(role, _)| *role == Role::Validate);
                Ok(of_patches.map_or_else(Counts::default, |(_, counts)| counts))
            }
            Ok(Err(error)) => Err(run::failure(&error)),
            Err(_) => Err(Failure::new(
                Exit::Internal,
                "the service panicked; please report this",
            )),
        }
    }
}
