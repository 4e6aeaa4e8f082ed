//! As much of HTTP as the gateway speaks: one question without a body, one answer, and the connection ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// The most that a question may have, in bytes.
const MAX_QUESTION_BYTES: usize = 64 << 10;

/// What is answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// A text of this kind.
    Text(&'static str, Vec<u8>),
    /// A file from its beginning.
    File(File, u64),
    /// Not that, by its status and a word.
    Not(u16, &'static str),
}

/// Reads a question; returns the path that is asked for, with percent signs read.
pub(super) fn question(stream: &mut UnixStream) -> io::Result<Result<String, Answer>> {
    let mut head = Vec::new();
    let mut block = [0; 4_096];
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        let n = stream.read(&mut block)?;
        if n == 0 || head.len() > MAX_QUESTION_BYTES {
            return Ok(Err(Answer::Not(400, "not a question")));
        }
        head.extend_from_slice(block.get(..n).unwrap_or_default());
    }
    Ok(path_of(&head))
}

fn path_of(head: &[u8]) -> Result<String, Answer> {
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    if method != Some("GET") {
        return Err(Answer::Not(405, "only GET"));
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let read = unescaped(path).filter(|path| path.starts_with('/'));
    read.ok_or(Answer::Not(400, "not a path"))
}

fn unescaped(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push((digit()? << 4 | digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

/// Writes an answer.
pub(super) fn answer(stream: &mut UnixStream, answer: Answer) -> io::Result<()> {
    let (status, kind, length) = match &answer {
        Answer::Text(kind, text) => (200, *kind, text.len() as u64),
        Answer::File(_, size) => (200, "application/octet-stream", *size),
        Answer::Not(status, word) => (*status, "text/plain", word.len() as u64),
    };
    let head = format!(
        "HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    match answer {
        Answer::Text(_, text) => stream.write_all(&text),
        Answer::Not(_, word) => stream.write_all(word.as_bytes()),
        Answer::File(mut file, size) => {
            io::Seek::rewind(&mut file)?;
            io::copy(&mut file.take(size), stream).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_path() {
        let path = |head: &str| path_of(head.as_bytes()).ok();
        let of = path("GET /npm/@s%2fname?write=true HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(of.as_deref(), Some("/npm/@s/name"));
        for head in [
            "POST /x HTTP/1.1",
            "GET http://h/ HTTP/1.1",
            "GET /%zz",
            "GET /%f",
            "GET",
            "",
        ] {
            assert_eq!(path(head), None, "{head}");
        }
    }
}
