//! A registry on loopback with every version that a made project may name: packuments of npm, a sparse index of
//! Cargo, a module proxy of Go.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::super::project::Version;
use super::super::write;

pub(super) struct Registry {
    port: u16,
}

impl Registry {
    /// Returns one that answers until the tests end.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
        Self { port }
    }

    pub(super) fn url(&self, below: &str) -> String {
        format!("http://127.0.0.1:{}/{below}", self.port)
    }
}

/// Every version that there is of a package.
fn versions(name: &str) -> Vec<Version> {
    let line = |major, minors, patches| {
        (0..minors).flat_map(move |minor| (0..patches).map(move |patch| (major, minor, patch)))
    };
    if name == "mm-target" {
        let fixed = (0..3).flat_map(|more| [(1, 9, 9 + more), (2, 4, 6 + more)]);
        return line(1, 9, 11).chain(line(2, 4, 11)).chain(fixed).collect();
    }
    (1..9).flat_map(|major| line(major, 9, 11)).collect()
}

fn text((a, b, c): Version) -> String {
    format!("{a}.{b}.{c}")
}

fn packument(name: &str) -> Value {
    let versions = versions(name);
    let needs = match name {
        "zz-deep" | "dd" => json!({ "mm-target": "*" }),
        _ => json!({}),
    };
    let last = versions.iter().max().copied().unwrap();
    let all: serde_json::Map<String, Value> = versions
        .into_iter()
        .map(|version| {
            let dist = json!({
                "tarball": write::plain_tarball(name, version),
                "integrity": write::sri(name, version),
            });
            let version = text(version);
            let one =
                json!({ "name": name, "version": version, "dist": dist, "dependencies": needs });
            (version, one)
        })
        .collect();
    json!({ "name": name, "dist-tags": { "latest": text(last) }, "versions": all })
}

fn index(name: &str) -> String {
    let needs = match name {
        "zz-deep" => json!([{
            "name": "mm-target", "req": "*", "features": [], "optional": false,
            "default_features": true, "target": null, "kind": "normal",
        }]),
        _ => json!([]),
    };
    let line = |version| {
        let one = json!({
            "name": name, "vers": text(version), "deps": needs, "features": { "x": [] },
            "cksum": write::hex(name, version), "yanked": false,
        });
        format!("{one}\n")
    };
    versions(name).into_iter().map(line).collect()
}

fn body(path: &str, host: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix("/npm/") {
        return Some(packument(name).to_string());
    }
    if path == "/index/config.json" {
        return Some(json!({ "dl": format!("http://{host}/dl") }).to_string());
    }
    if path.starts_with("/index/") {
        return Some(index(path.rsplit('/').next()?));
    }
    let (module, version) = path.strip_prefix("/go/")?.split_once("/@v/")?;
    if let Some(version) = version.strip_suffix(".info") {
        return Some(json!({ "Version": version, "Time": "2024-01-01T00:00:00Z" }).to_string());
    }
    version
        .ends_with(".mod")
        .then(|| format!("module {module}\n"))
}

fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut host = String::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("host")
        {
            value.trim().clone_into(&mut host);
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let (status, body) = match body(&path, &host) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
