//! The connections that callers read over, one each, with nobody between them and the server.
//!
//! A caller drives its connection itself: handing the question to another thread and the answer back cost
//! two waits for a core, and questions stood in line behind what was being written. An answer that comes
//! after its caller gave up is thrown away by the connection, so it can never be taken for the answer to
//! another question.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Client, Pipeline, RedisResult};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tracing::debug;

use super::{RECONNECT, connection_config, described, sorted};
use crate::guard::retry::Retry;
use crate::memory::store::StoreError;

/// Connections for callers, at most as many as were asked for.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    missing: Sender<()>,
    // Dropped with the rest, which ends the thread that connects.
    _alive: Sender<()>,
}

/// A connection and what drives it, only ever by whoever holds it.
struct Reader {
    runtime: Runtime,
    connection: MultiplexedConnection,
}

impl Readers {
    /// Begins to connect `count` of them in the background, and goes on for as long as it takes.
    pub(super) fn start(client: Client, connect: Duration, count: usize) -> std::io::Result<Self> {
        let idle = Arc::new(Mutex::new(Vec::with_capacity(count)));
        let (missing, orders) = unbounded();
        let (alive, ended) = bounded(0);
        for _ in 0..count {
            // Its receiver is two lines away.
            let _ = missing.send(());
        }
        let connected = Arc::clone(&idle);
        // Not joined: it may be in the midst of connecting, and holds nothing that anybody waits for.
        std::thread::Builder::new()
            .name("memory-connect".to_owned())
            .spawn(move || {
                for () in orders {
                    let Some(reader) = connected_to(&client, connect, &ended) else {
                        return;
                    };
                    connected.lock().push(reader);
                }
            })?;
        Ok(Self {
            idle,
            missing,
            _alive: alive,
        })
    }

    /// Puts a question and waits for the answer, no longer than `wait`.
    ///
    /// # Errors
    /// [`StoreError::Away`] while no connection is free; another one is on its way then.
    pub(super) fn ask(
        &self,
        question: &Pipeline,
        wait: Duration,
    ) -> Result<Vec<RedisResult<Vec<u8>>>, StoreError> {
        let Some(mut reader) = self.idle.lock().pop() else {
            return Err(StoreError::Away("not connected".to_owned()));
        };
        let connection = &mut reader.connection;
        let answer = reader
            .runtime
            .block_on(async move { timeout(wait, question.query_async(connection)).await });
        let answer = sorted(answer, wait);
        if matches!(answer, Err(StoreError::Away(_))) {
            // Nobody receives any more only while all of it is being dropped.
            let _ = self.missing.send(());
        } else {
            self.idle.lock().push(reader);
        }
        answer
    }
}

/// Tries until it is connected; `None` once nobody needs it any more.
fn connected_to(client: &Client, connect: Duration, ended: &Receiver<()>) -> Option<Reader> {
    let config = connection_config(connect);
    let mut retry = Retry::new(RECONNECT);
    loop {
        match connected(client, &config) {
            Ok(reader) => return Some(reader),
            // The writing side tells of an outage.
            Err(error) => debug!(%error, "memory: cannot connect to read"),
        }
        match ended.recv_timeout(retry.next_wait()) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return None,
        }
    }
}

fn connected(client: &Client, config: &redis::AsyncConnectionConfig) -> Result<Reader, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::Away(error.to_string()))?;
    let connection = runtime
        .block_on(client.get_multiplexed_async_connection_with_config(config))
        .map_err(|error| StoreError::Away(described(&error)))?;
    Ok(Reader {
        runtime,
        connection,
    })
}
