//! Memory in Redis: callers read over connections of their own, a thread writes, forgets and pings.

mod readers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use tokio::sync::mpsc;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use self::readers::Readers;

use crate::config::Secret;
use crate::event::codec::printable;
use crate::event::record::Memo;
use crate::guard::retry::{Retry, RetryPolicy};
use crate::memory::store::{Store, StoreError};

/// Orders that may wait for the thread.
const QUEUE: usize = 64;
/// Memos in one round trip.
const PUT_CHUNK: usize = 256;
/// How long a round trip that writes may take.
const PUT_WAIT: Duration = Duration::from_secs(1);
/// How long forgetting may take, all rounds of it.
const FORGET_WAIT: Duration = Duration::from_secs(30);
/// Keys that a round of SCAN looks at.
const SCAN_COUNT: usize = 1_000;
/// The largest value that is read: ours have some hundred bytes, and who can write to Redis must not
/// decide how much memory is read into.
const MAX_VALUE_BYTES: isize = 64 * 1_024;
/// Waits between tries to connect.
const RECONNECT: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(3),
};

/// Where Redis is and how long things may take.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/db]`.
    pub url: Secret,
    /// How long a connection may take.
    pub connect: Duration,
    /// How long what is put is kept.
    pub ttl: Duration,
    /// Callers that may read at once.
    pub readers: usize,
}

/// Memory in Redis. Dropping it ends its threads.
pub struct RedisStore {
    readers: Readers,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Put(Vec<Memo>),
    Forget {
        prefix: String,
        reply: Sender<Result<u64, StoreError>>,
    },
    Ping {
        reply: Sender<Result<(), StoreError>>,
    },
}

impl RedisStore {
    /// Starts to connect, and goes on in the background for as long as it takes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the URL is none, [`StoreError::Away`] if no thread can start.
    pub fn start(options: RedisOptions) -> Result<Self, StoreError> {
        let client = Client::open(options.url.expose())
            .map_err(|error| StoreError::Refused(described(&error)))?;
        let away = |error: std::io::Error| StoreError::Away(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(away)?;
        let readers =
            Readers::start(client.clone(), options.connect, options.readers).map_err(away)?;
        let (orders, incoming) = mpsc::channel(QUEUE);
        let link = Arc::new(Link {
            client,
            options,
            connection: Mutex::new(None),
            connecting: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new()
            .name("memory".to_owned())
            .spawn(move || runtime.block_on(serve(link, incoming)))
            .map_err(away)?;
        Ok(Self {
            readers,
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    fn order(&self, order: Order) -> Result<(), StoreError> {
        let busy = || StoreError::Away("too much is waiting for it".to_owned());
        self.orders
            .as_ref()
            .ok_or_else(busy)?
            .try_send(order)
            .map_err(|_| busy())
    }
}

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn get(&self, keys: &[&str], wait: Duration) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.getrange(key, 0, MAX_VALUE_BYTES - 1);
        }
        // A key of another type answers with an error of its own.
        pipe.ignore_errors();
        let values = self.readers.ask(&pipe, wait)?;
        Ok(values
            .into_iter()
            .map(|value| value.ok().filter(|bytes| !bytes.is_empty()))
            .collect())
    }

    fn put(&self, memos: Vec<Memo>) -> usize {
        let count = memos.len();
        self.order(Order::Put(memos)).map_or(0, |()| count)
    }

    fn forget(&self, prefix: &str) -> Result<u64, StoreError> {
        let (reply, answer) = bounded(1);
        self.order(Order::Forget {
            prefix: prefix.to_owned(),
            reply,
        })?;
        await_for(&answer, FORGET_WAIT)
    }

    fn ping(&self, wait: Duration) -> Result<Duration, StoreError> {
        let (reply, answer) = bounded(1);
        let asked = Instant::now();
        self.order(Order::Ping { reply })?;
        await_for(&answer, wait)?;
        Ok(asked.elapsed())
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        // Without a sender the thread comes to its end.
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

fn await_for<T>(answer: &Receiver<Result<T, StoreError>>, wait: Duration) -> Result<T, StoreError> {
    match answer.recv_timeout(wait) {
        Ok(answered) => answered,
        Err(RecvTimeoutError::Timeout) => Err(StoreError::TimedOut(wait)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(StoreError::Away("its thread has ended".to_owned()))
        }
    }
}

/// The way to Redis: a connection, or the endeavour to get one.
struct Link {
    client: Client,
    options: RedisOptions,
    connection: Mutex<Option<MultiplexedConnection>>,
    connecting: AtomicBool,
}

async fn serve(link: Arc<Link>, mut orders: mpsc::Receiver<Order>) {
    connect(&link);
    // Writes go out one chunk after the other: a Redis that hangs must not gather them.
    let (writes, waiting) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(Arc::clone(&link), waiting));
    while let Some(order) = orders.recv().await {
        match order {
            Order::Put(memos) => {
                if writes.try_send(memos).is_err() {
                    warn!("memory: redis does not keep up; what was to be remembered is dropped");
                }
            }
            Order::Forget { prefix, reply } => {
                let link = Arc::clone(&link);
                tokio::spawn(async move {
                    let _ = reply.send(link.forget(&prefix).await);
                });
            }
            Order::Ping { reply } => {
                let link = Arc::clone(&link);
                tokio::spawn(async move {
                    let answer = link.ask(PUT_WAIT, |mut connection| async move {
                        redis::cmd("PING").query_async::<()>(&mut connection).await
                    });
                    let _ = reply.send(answer.await);
                });
            }
        }
    }
    writer.abort();
}

async fn write(link: Arc<Link>, mut waiting: mpsc::Receiver<Vec<Memo>>) {
    while let Some(memos) = waiting.recv().await {
        for chunk in memos.chunks(PUT_CHUNK) {
            // Best effort: what is not kept is judged again.
            if let Err(error) = link.put(chunk).await {
                warn!(error = %printable(&error.to_string()), "memory: not remembered");
                break;
            }
        }
    }
}

/// Connects in the background, unless somebody does already.
fn connect(link: &Arc<Link>) {
    if link.connecting.swap(true, Ordering::AcqRel) {
        return;
    }
    let link = Arc::clone(link);
    tokio::spawn(async move {
        let config = connection_config(link.options.connect);
        let mut retry = Retry::new(RECONNECT);
        let mut told = false;
        loop {
            match link
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await
            {
                Ok(connection) => {
                    *link.connection.lock() = Some(connection);
                    link.connecting.store(false, Ordering::Release);
                    info!("memory: connected to redis");
                    return;
                }
                Err(error) => {
                    // Once an outage, not once a try.
                    if !told {
                        warn!(error = %described(&error), "memory: cannot reach redis; going on without");
                        told = true;
                    }
                    sleep(retry.next_wait()).await;
                }
            }
        }
    });
}

impl Link {
    async fn put(self: &Arc<Self>, memos: &[Memo]) -> Result<(), StoreError> {
        let seconds = self.options.ttl.as_secs().max(1);
        let mut pipe = redis::pipe();
        for memo in memos {
            pipe.set_ex(&memo.key, &memo.value, seconds).ignore();
        }
        self.ask(PUT_WAIT, |mut connection| async move {
            pipe.query_async(&mut connection).await
        })
        .await
    }

    async fn forget(self: &Arc<Self>, prefix: &str) -> Result<u64, StoreError> {
        let deadline = Instant::now() + FORGET_WAIT;
        let pattern = [&escaped(prefix), "*"].concat();
        let mut forgotten = 0;
        let mut cursor = 0_u64;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCAN_COUNT);
            let (next, keys): (u64, Vec<Vec<u8>>) = self
                .ask(left, |mut connection| async move {
                    scan.query_async(&mut connection).await
                })
                .await?;
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(keys);
                forgotten += self
                    .ask(left, |mut connection| async move {
                        unlink.query_async::<u64>(&mut connection).await
                    })
                    .await?;
            }
            if next == 0 {
                return Ok(forgotten);
            }
            cursor = next;
        }
    }

    /// Puts a question to Redis and forgets a connection that turns out to be none.
    async fn ask<T, F>(
        self: &Arc<Self>,
        wait: Duration,
        question: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let connection = self.connection.lock().clone();
        let Some(connection) = connection else {
            connect(self);
            return Err(StoreError::Away("not connected".to_owned()));
        };
        let answer = sorted(timeout(wait, question(connection)).await, wait);
        if matches!(answer, Err(StoreError::Away(_))) {
            *self.connection.lock() = None;
            connect(self);
        }
        answer
    }
}

/// Returns how to connect. Each question brings its own limit of time.
fn connection_config(connect: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect))
        .set_response_timeout(None)
}

/// Sorts what became of a question. After [`StoreError::Away`] the connection is none any more.
fn sorted<T>(answer: Result<RedisResult<T>, Elapsed>, wait: Duration) -> Result<T, StoreError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error.is_unrecoverable_error() || error.is_io_error() => {
            Err(StoreError::Away(described(&error)))
        }
        Ok(Err(error)) => Err(StoreError::Refused(described(&error))),
        Err(_) => Err(StoreError::TimedOut(wait)),
    }
}

/// Returns the text so that Redis's patterns take each of its characters for itself.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// What the server says is foreign text; the URL, with its password, is not in it.
fn described(error: &RedisError) -> String {
    printable(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_each_character_for_itself() {
        assert_eq!(escaped("a:CVE-1"), "a:CVE\\-1");
        assert_eq!(escaped("*?[a]^\\"), "\\*\\?\\[a\\]\\^\\\\");
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_its_password() {
        let options = RedisOptions {
            url: Secret::new("http://user:hunter2@host"),
            connect: Duration::from_secs(1),
            ttl: Duration::from_secs(1),
            readers: 1,
        };
        let error = RedisStore::start(options).err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
