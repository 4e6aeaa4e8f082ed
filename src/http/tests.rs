//! A hostile network before a real listener. What hangs is closed on time and holds up no probe; each bound is shown to be
//! the one that does it.

use std::io::{Error, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use prometheus::{IntGaugeVec, Opts, Registry};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::config::Secret;
use crate::http::accept;
use crate::http::config::HttpConfig;
use crate::http::connections::Connections;
use crate::http::server::routes;
use crate::http::{
    BreakerState, Dependency, HaltedPartition, OperationError, Operations, OpsConfig, Probe,
    Probes, Serving, Sidecar,
};

const TOKEN: &str = "0123456789abcdef";
/// A bound that no test reaches.
const NEVER: u64 = 3_600_000;
/// A short one.
const SHORT: u64 = 400;
/// Well past a short one, and far from one that is never reached.
const SOON: Duration = Duration::from_secs(4);
const HALF: &[u8] = b"POST /kill-switch HTTP/1.1\r\nX: ";

/// A process that is well.
struct Well;

impl Probes for Well {
    fn is_live(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<Probe> {
        Vec::new()
    }

    fn uptime_seconds(&self) -> u64 {
        1
    }

    fn refresh_metrics(&self) {}
}

/// Operations of which looking at dependencies takes this long.
struct Slow(Duration);

impl Operations for Slow {
    fn dependencies(&self) -> Vec<Dependency> {
        std::thread::sleep(self.0);
        Vec::new()
    }

    fn halted(&self) -> Vec<HaltedPartition> {
        Vec::new()
    }

    fn breakers(&self) -> Vec<BreakerState> {
        Vec::new()
    }

    fn reset_breaker(&self, name: &str) -> Result<BreakerState, OperationError> {
        Err(OperationError::Unknown(name.to_owned()))
    }

    fn memory(&self) -> Value {
        Value::Null
    }

    fn forget(&self, _: Option<&str>) -> Result<u64, OperationError> {
        Ok(0)
    }

    fn ab_results(&self, _: Option<f64>) -> Result<Value, OperationError> {
        Ok(Value::Null)
    }

    fn set_kill_switch(&self, _: bool) -> Result<(), OperationError> {
        Ok(())
    }

    fn kill_switch(&self) -> bool {
        false
    }

    fn set_ab(&self, _: bool, _: Option<f64>) -> Result<(), OperationError> {
        Ok(())
    }

    fn ab(&self) -> (bool, f64) {
        (true, 0.1)
    }
}

fn serving(operation: Duration) -> Serving {
    let token = OpsConfig {
        token: Some(Secret::new(TOKEN)),
        token_file: None,
    };
    Serving {
        probes: Arc::new(Well),
        operations: Arc::new(Slow(operation)),
        token: token.load().unwrap(),
        registry: Registry::new(),
    }
}

/// Bounds that nothing reaches.
fn unbounded() -> HttpConfig {
    HttpConfig {
        listen: "127.0.0.1:0".to_owned(),
        max_connections: 100_000,
        max_connections_per_peer: 100_000,
        header_ms: NEVER,
        body_ms: NEVER,
        answer_ms: NEVER,
        idle_ms: NEVER,
    }
}

fn start(config: &HttpConfig) -> Sidecar {
    Sidecar::start(config, serving(Duration::ZERO)).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Connects from another address of this host.
fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let from: IpAddr = from.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    stream
}

/// Returns everything up to the end of the connection, or up to the error that ended it.
fn read_all(mut stream: &TcpStream) -> (String, Option<Error>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err();
    (String::from_utf8_lossy(&bytes).into_owned(), error)
}

/// Returns what one request is answered, all of it.
fn ask(address: SocketAddr, path: &str) -> (String, Option<Error>) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    read_all(&send(address, head.as_bytes()))
}

fn is_well(address: SocketAddr) -> bool {
    ask(address, "/livez").0.starts_with("HTTP/1.1 200")
}

/// Returns after how long the connection ended; `None` if it is still open when that is long overdue.
fn ended_after(stream: &TcpStream) -> Option<Duration> {
    let began = Instant::now();
    let (_, error) = read_all(stream);
    let timed_out = error.is_some_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        )
    });
    (!timed_out).then(|| began.elapsed())
}

fn figure(address: SocketAddr, line: &str) -> f64 {
    let text = ask(address, "/metrics").0;
    let found = text.lines().find_map(|one| one.strip_prefix(line));
    let found = found.unwrap_or_else(|| panic!("no {line} in {text}"));
    found.trim().parse().unwrap()
}

#[test]
fn three_hundred_half_requests_hold_up_no_probe() {
    let config = HttpConfig {
        listen: "127.0.0.1:0".to_owned(),
        header_ms: SHORT,
        ..HttpConfig::default()
    };
    let sidecar = start(&config);
    let address = sidecar.address();
    let held: Vec<TcpStream> = (0..300).map(|_| send(address, HALF)).collect();
    for path in ["/livez", "/metrics", "/readyz", "/health"] {
        let began = Instant::now();
        let (answer, _) = ask(address, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(began.elapsed() < Duration::from_secs(1), "{path}");
    }
    // No more are open than may be, and in the end none.
    let open = figure(address, "crisol_http_connections ");
    assert!(open <= 32.0, "{open}");
    assert!(held.iter().all(|stream| ended_after(stream).is_some()));
    assert_eq!(figure(address, "crisol_http_connections "), 1.0);
    let evicted = figure(address, "crisol_http_closed_total{why=\"evicted\"} ");
    let overdue = figure(address, "crisol_http_closed_total{why=\"deadline\"} ");
    // Each ended in one of two ways, and none of them was a probe.
    assert!(evicted > 0.0);
    assert_eq!(evicted + overdue, 300.0);
}

/// Twenty files: how many connections the system lets a process have.
const FILES: usize = 20;

fn out_of_files() -> Error {
    Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())
}

/// Runs `work` against a listener whose process has few files; `bounded` is the sidecar, otherwise what it was before.
fn with_few_files(bounded: bool, work: impl FnOnce(SocketAddr, &AtomicUsize) + Send) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::new();
    let connections = Arc::new(Connections::new(unbounded().bounds(), &registry).unwrap());
    let routes = routes(serving(Duration::ZERO));
    let tries = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (done, over) = tokio::sync::oneshot::channel::<()>();
        let tries = &tries;
        scope.spawn(move || {
            work(address, tries);
            drop(done);
        });
        let accept_of_few = async || {
            tries.fetch_add(1, Ordering::Relaxed);
            if connections.len() >= FILES {
                return Err(out_of_files());
            }
            listener.accept().await
        };
        runtime.block_on(async {
            tokio::select! {
                _ = over => {}
                () = accept::serve(accept_of_few, &connections, &routes), if bounded => {}
                () = as_it_was(&listener, &routes), if !bounded => {}
            }
        });
    });
}

/// A listener without bounds: a connection that is not closed keeps its file.
async fn as_it_was(listener: &tokio::net::TcpListener, routes: &axum::Router) {
    let mut open = JoinSet::new();
    loop {
        while open.len() >= FILES {
            open.join_next().await;
        }
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(routes.clone());
        open.spawn(async move {
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[test]
fn where_files_run_out_half_requests_make_room_for_a_probe() {
    with_few_files(true, |address, _| {
        let _held: Vec<TcpStream> = (0..60).map(|_| send(address, HALF)).collect();
        assert!(is_well(address));
    });
    // Without bounds the same probe hangs.
    with_few_files(false, |address, _| {
        assert!(is_well(address));
        let _held: Vec<TcpStream> = (0..60).map(|_| send(address, HALF)).collect();
        assert!(!is_well(address));
    });
}

#[test]
fn a_system_without_files_is_asked_again_and_not_in_a_spin() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let registry = Registry::new();
    let connections = Arc::new(Connections::new(unbounded().bounds(), &registry).unwrap());
    let routes = routes(serving(Duration::ZERO));
    let mut tries = 0;
    let never = async || {
        tries += 1;
        Err(out_of_files())
    };
    runtime.block_on(async {
        let served = accept::serve(never, &connections, &routes);
        let _ = tokio::time::timeout(Duration::from_millis(500), served).await;
    });
    assert!((2..=11).contains(&tries), "{tries}");
}

#[test]
fn a_header_that_drips_in_ends_at_its_deadline() {
    let drip = |header_ms| {
        let config = HttpConfig {
            header_ms,
            ..unbounded()
        };
        let sidecar = start(&config);
        let mut stream = send(sidecar.address(), b"GET /livez HTTP/1.1\r\n");
        stream
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(3 * SHORT) {
            std::thread::sleep(Duration::from_millis(20));
            let gone = matches!(stream.read(&mut [0; 64]), Ok(0))
                || stream.write_all(b"X: y\r\n").is_err();
            if gone {
                return Some(began.elapsed());
            }
        }
        None
    };
    let ended = drip(SHORT).expect("closed");
    assert!(ended >= Duration::from_millis(SHORT), "{ended:?}");
    assert_eq!(drip(NEVER), None);
}

#[test]
fn a_silent_connection_ends_as_a_half_request_does() {
    let config = HttpConfig {
        header_ms: SHORT,
        ..unbounded()
    };
    let sidecar = start(&config);
    assert!(ended_after(&connect(sidecar.address())).is_some());
    let sidecar = start(&unbounded());
    assert_eq!(ended_after(&connect(sidecar.address())), None);
}

/// A request with a body that does not come.
fn bodiless(token: &str) -> Vec<u8> {
    format!("POST /kill-switch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"on").into_bytes()
}

#[test]
fn a_body_that_does_not_come_ends_at_its_deadline() {
    let config = HttpConfig {
        body_ms: SHORT,
        ..unbounded()
    };
    let sidecar = start(&config);
    let stream = send(sidecar.address(), &bodiless(TOKEN));
    assert!(ended_after(&stream).is_some());
    let unbounded = start(&unbounded());
    let stream = send(unbounded.address(), &bodiless(TOKEN));
    assert_eq!(ended_after(&stream), None);
    // Who has no token is refused before the body is waited for, and the connection ends.
    let stream = send(unbounded.address(), &bodiless("another-token-of-16"));
    let (answer, _) = read_all(&stream);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn who_does_not_take_an_answer_is_let_go() {
    let unread = |answer_ms| {
        let serving = serving(Duration::ZERO);
        let options = Opts::new("last", "An answer that no socket takes at once");
        let big = IntGaugeVec::new(options, &["n"]).unwrap();
        serving.registry.register(Box::new(big.clone())).unwrap();
        for n in 0..60_000 {
            big.with_label_values(&[format!("{n:0100}").as_str()])
                .set(n);
        }
        let config = HttpConfig {
            answer_ms,
            ..unbounded()
        };
        let sidecar = Sidecar::start(&config, serving).unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let slow = send(sidecar.address(), request);
        // Its part of the answer lies with the system; nobody takes it.
        std::thread::sleep(Duration::from_secs(3));
        let (answer, error) = read_all(&slow);
        let is_whole = error.is_none() && answer.trim_end().ends_with("59999");
        assert!(is_well(sidecar.address()));
        is_whole
    };
    assert!(!unread(SHORT));
    // With time it comes, all of it.
    assert!(unread(NEVER));
}

#[test]
fn an_idle_connection_may_ask_again_for_a_while_only() {
    let again = |idle_ms| {
        let config = HttpConfig {
            idle_ms,
            ..unbounded()
        };
        let sidecar = start(&config);
        let request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
        let mut stream = send(sidecar.address(), request);
        std::thread::sleep(Duration::from_millis(SHORT / 4));
        stream.write_all(request).unwrap();
        let mut bytes = [0; 1_024];
        let mut text = String::new();
        while text.matches("HTTP/1.1 200").count() < 2 {
            let n = stream.read(&mut bytes).unwrap();
            assert!(n > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
        ended_after(&stream)
    };
    assert!(again(SHORT).is_some());
    assert_eq!(again(NEVER), None);
}

#[test]
fn a_crowd_from_one_address_makes_room_itself() {
    let crowded = |per_peer| {
        let config = HttpConfig {
            max_connections: 8,
            max_connections_per_peer: per_peer,
            ..unbounded()
        };
        let sidecar = start(&config);
        // It came first and has waited for longest, but from elsewhere.
        let quiet = connect_from("127.0.0.2", sidecar.address());
        let _crowd: Vec<TcpStream> = (0..20).map(|_| send(sidecar.address(), HALF)).collect();
        assert!(is_well(sidecar.address()));
        ended_after(&quiet)
    };
    assert_eq!(crowded(4), None);
    // Where one address may have them all, whoever waits for longest goes.
    assert!(crowded(8).is_some());
}

#[test]
fn where_every_connection_is_being_answered_another_is_told_so() {
    let config = HttpConfig {
        max_connections: 4,
        max_connections_per_peer: 4,
        ..unbounded()
    };
    let sidecar = Sidecar::start(&config, serving(Duration::from_secs(2))).unwrap();
    let address = sidecar.address();
    let request = b"GET /health/detailed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let busy: Vec<TcpStream> = (0..4).map(|_| send(address, request)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let (answer, _) = read_all(&connect(address));
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // Nobody who was being answered made room.
    for stream in &busy {
        assert!(read_all(stream).0.starts_with("HTTP/1.1 200"));
    }
    assert!(is_well(address));
}

#[test]
fn operations_that_block_leave_connections_to_probes() {
    let config = HttpConfig {
        max_connections: 32,
        max_connections_per_peer: 32,
        ..unbounded()
    };
    let sidecar = Sidecar::start(&config, serving(Duration::from_secs(2))).unwrap();
    let address = sidecar.address();
    let request = b"GET /health/detailed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let crowd: Vec<TcpStream> = (0..100).map(|_| send(address, request)).collect();
    let began = Instant::now();
    assert!(is_well(address));
    assert!(began.elapsed() < Duration::from_secs(1));
    let answers: Vec<String> = crowd.iter().map(|one| read_all(one).0).collect();
    let with = |code: &str| answers.iter().filter(|one| one.starts_with(code)).count();
    assert_eq!(with("HTTP/1.1 200"), 16, "{answers:?}");
}

#[test]
fn pipelined_requests_are_answered_in_order_and_beside_others() {
    let sidecar = start(&unbounded());
    let address = sidecar.address();
    let n = 2_000;
    let mut flood = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".repeat(n);
    flood.extend_from_slice(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let stream = connect(address);
    let mut writer = stream.try_clone().unwrap();
    let written = std::thread::spawn(move || {
        let _ = writer.write_all(&flood);
    });
    let began = Instant::now();
    assert!(is_well(address));
    assert!(began.elapsed() < Duration::from_secs(1));
    let (answers, _) = read_all(&stream);
    written.join().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), n);
    assert!(answers.find("HTTP/1.1 404") > answers.rfind("HTTP/1.1 200"));
}

#[test]
fn a_huge_header_is_refused_and_what_fits_is_not() {
    let sidecar = start(&unbounded());
    let with = |headers: &str| {
        let head = format!("GET /livez HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = connect(sidecar.address());
        // What is refused is not read to its end.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        read_all(&stream).0
    };
    let long = format!("X: {}\r\n", "y".repeat(1_000_000));
    let many = "X: y\r\n".repeat(100);
    for headers in [long, many] {
        let answer = with(&headers);
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    for headers in [
        format!("X: {}\r\n", "y".repeat(10_000)),
        "X: y\r\n".repeat(50),
    ] {
        assert!(with(&headers).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_request_whose_end_can_be_read_two_ways_is_refused_with_all_behind_it() {
    let sidecar = start(&unbounded());
    let hidden = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let turned = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    let post = |framing: &str, body: &str| {
        let head = format!(
            "POST /kill-switch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n{framing}\r\n{body}"
        );
        read_all(&send(sidecar.address(), head.as_bytes())).0
    };
    for framing in [
        both,
        turned,
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
    ] {
        let answer = post(framing, &["0\r\n\r\n", hidden].concat());
        assert!(answer.starts_with("HTTP/1.1 411"), "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    let twice = post("Content-Length: 11\r\nContent-Length: 12\r\n", hidden);
    assert_eq!(twice.matches("HTTP/1.1 2").count(), 0, "{twice}");
    // Said in one way, the next request is one.
    let body = [
        json!({"on": true}).to_string().as_str(),
        "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
    ]
    .concat();
    let answer = post("Content-Length: 11\r\n", &body);
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
}

#[test]
fn an_endless_body_in_chunks_is_refused_at_once() {
    let sidecar = start(&unbounded());
    let head = b"POST /kill-switch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = send(sidecar.address(), head);
    let began = Instant::now();
    while stream.write_all(b"4\r\naaaa\r\n").is_ok() {
        assert!(began.elapsed() < SOON);
    }
    // One that says how long it is and is too long is not read either.
    let long = "x".repeat(5_000);
    let head = format!(
        "POST /kill-switch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{long}"
    );
    let (answer, _) = read_all(&send(sidecar.address(), head.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn a_body_is_asked_for_only_of_those_who_may_send_it() {
    let sidecar = start(&unbounded());
    let expecting = |token: &str| {
        let head = format!(
            "POST /kill-switch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
        );
        let mut stream = send(sidecar.address(), head.as_bytes());
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        let _ = stream.write_all(b"{\"on\":true} ");
        let rest = read_all(&stream).0;
        [&String::from_utf8_lossy(&first), rest.as_str()].concat()
    };
    let answer = expecting(TOKEN);
    assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    let answer = expecting("another-token-of-16");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn what_speaks_an_older_version_is_answered_and_closed() {
    let sidecar = start(&unbounded());
    let stream = send(sidecar.address(), b"GET /livez HTTP/1.0\r\n\r\n");
    let (answer, error) = read_all(&stream);
    assert!(
        answer.starts_with("HTTP/1.0 200") && error.is_none(),
        "{answer}"
    );
    // What is no request at all ends at once.
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /livez HTTP/9.9\r\n\r\n",
        "GET\r\n\r\n",
    ] {
        let stream = send(sidecar.address(), garbage.as_bytes());
        assert!(ended_after(&stream).is_some(), "{garbage:?}");
    }
}

#[test]
fn an_answer_under_way_is_finished_when_the_sidecar_stops() {
    let sidecar = Sidecar::start(&unbounded(), serving(Duration::from_millis(SHORT))).unwrap();
    let request = b"GET /health/detailed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let asked = send(sidecar.address(), request);
    let hanging = send(sidecar.address(), HALF);
    std::thread::sleep(Duration::from_millis(SHORT / 4));
    drop(sidecar);
    let (answer, _) = read_all(&asked);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(ended_after(&hanging).is_some());
}
