//! Asking a sidecar.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Returns the value of a metric without labels; 0 where it is not told.
pub fn figure(address: &str, name: &str) -> f64 {
    let (_, text) = get(address, "/metrics");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// Returns status code and body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    request(address, "GET", path, "", b"")
}

/// Sends a request with further header lines, each with its line end, and returns status code and body.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (u16, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .unwrap();
    connection.write_all(body).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}
