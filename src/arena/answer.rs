//! The answer of a service, read outside of the sandbox: by an HTTP library, with every coding undone.
//!
//! An answer that cannot be read whole says nothing of what is not in it. So each has two faces: what an ordinary client
//! reads of it, if it reads all, and its bytes as they came, in which evidence counts as well.

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use encoding_rs::Encoding;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use hyper::rt::{Read, ReadBufCursor, Write};

/// The largest body, before and after its codings are undone, in bytes.
const MAX_BODY_BYTES: usize = 32 << 20;

/// What an ordinary client reads of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status; `None` if it is no HTTP.
    pub(super) status: Option<i32>,
    /// Status line and headers, as they came.
    pub(super) head: String,
    /// The body, its codings undone.
    pub(super) body: String,
    /// The same before its charset was heeded, as far as it is UTF-8; empty of an answer that is broken.
    pub(super) unlabelled: String,
    /// Why it cannot be read whole, where it cannot; the rest is then no more than its bytes, parted at the first blank
    /// line.
    pub(super) broken: Option<String>,
}

/// Returns the answer to a request of this method that these bytes are; `is_closed` tells that the service closed its
/// connection after them.
pub(super) fn read(bytes: &[u8], method: &str, is_closed: bool) -> Answer {
    match whole(bytes, method, is_closed) {
        Ok(answer) => answer,
        Err(broken) => parted(bytes, broken),
    }
}

/// The bytes of an answer, as a client meets them on a connection.
struct Recorded {
    bytes: Bytes,
    /// Whether the connection ends after them; if not, a client would wait for ever, so waiting is an error.
    is_closed: bool,
    /// Whether the request was sent: what comes before it is no answer to it.
    is_asked: bool,
}

impl Read for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.is_asked {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.bytes.is_empty() && !self.is_closed {
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "the answer goes on");
            return Poll::Ready(Err(late));
        }
        let size = self.bytes.len().min(to.remaining());
        to.put_slice(&self.bytes.split_to(size));
        Poll::Ready(Ok(()))
    }
}

impl Write for Recorded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn whole(bytes: &[u8], method: &str, is_closed: bool) -> Result<Answer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| error.to_string())?;
    let recorded = Recorded {
        bytes: Bytes::copy_from_slice(bytes),
        is_closed,
        is_asked: false,
    };
    let request = hyper::Request::builder()
        .method(method)
        .uri("/")
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let (status, headers, body, left) = runtime.block_on(async {
        let told = |error: hyper::Error| format!("no HTTP that can be read whole: {error}");
        let (mut sender, mut connection) = http1::handshake(recorded).await.map_err(told)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(told)?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(told)?.to_bytes();
            Ok::<_, String>((parts.status, parts.headers, body))
        };
        tokio::pin!(exchange);
        let mut is_over = false;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut exchange => break answer?,
                // What the connection has to say of its end is what the exchange hears of it, too.
                _ = std::future::poll_fn(|context| connection.poll_without_shutdown(context)), if !is_over => is_over = true,
            }
        };
        let left = connection.into_parts();
        let left = left.read_buf.len() + left.io.bytes.len();
        Ok::<_, String>((answer.0, answer.1, answer.2, left))
    })?;
    if left > 0 {
        return Err(format!("{left} bytes are left over after the answer"));
    }
    check_one_reading(&headers)?;
    let body = decoded(&headers, body.to_vec())?;
    let unlabelled = String::from_utf8_lossy(&body).into_owned();
    let body = text(&headers, &body)?;
    Ok(Answer {
        status: Some(i32::from(status.as_u16())),
        head: head_of(bytes).0,
        body,
        unlabelled,
        broken: None,
    })
}

/// Refuses headers of which clients take different ones.
fn check_one_reading(headers: &HeaderMap) -> Result<(), String> {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_TYPE] {
        if headers.get_all(&name).iter().count() > 1 {
            return Err(format!("the answer has more than one {name}"));
        }
    }
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        return Err("the answer tells its length twice".to_owned());
    }
    let chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match headers.get(TRANSFER_ENCODING) {
        Some(coding) if !chunked(coding.as_bytes()) => {
            Err("nobody undoes its transfer coding".to_owned())
        }
        _ => Ok(()),
    }
}

/// Returns a body with its content codings undone.
fn decoded(headers: &HeaderMap, mut body: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value
            .to_str()
            .map_err(|_| "its coding is no word".to_owned())?;
        codings.extend(
            value
                .split(',')
                .map(|coding| coding.trim().to_ascii_lowercase()),
        );
    }
    for coding in codings.iter().rev().filter(|coding| !coding.is_empty()) {
        body = match coding.as_str() {
            "identity" => body,
            "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&*body))?,
            // Some send the bare stream, and browsers read that too.
            "deflate" => bounded(flate2::read::ZlibDecoder::new(&*body))
                .or_else(|_| bounded(flate2::read::DeflateDecoder::new(&*body)))?,
            _ => return Err("nobody undoes its coding".to_owned()),
        };
    }
    Ok(body)
}

fn bounded(reader: impl std::io::Read) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    reader
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut whole)
        .map_err(|error| format!("its coding cannot be undone: {error}"))?;
    if whole.len() > MAX_BODY_BYTES {
        return Err("its body is too large".to_owned());
    }
    Ok(whole)
}

/// Returns a body as text: by its mark, else by the charset that is named, else as UTF-8.
fn text(headers: &HeaderMap, body: &[u8]) -> Result<String, String> {
    let named = match headers.get(CONTENT_TYPE).map(|kind| kind.to_str()) {
        Some(Err(_)) => return Err("its type is no word".to_owned()),
        Some(Ok(kind)) => charset(kind),
        None => None,
    };
    let encoding = match (Encoding::for_bom(body), named) {
        (Some((encoding, _)), _) => encoding,
        (None, Some(label)) => Encoding::for_label(label.as_bytes())
            .ok_or_else(|| "nobody reads its charset".to_owned())?,
        (None, None) => encoding_rs::UTF_8,
    };
    let (text, _, _) = encoding.decode(body);
    Ok(text.into_owned())
}

fn charset(kind: &str) -> Option<String> {
    kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.to_owned())
    })
}

/// Parts bytes that are no whole answer at their first blank line.
fn parted(bytes: &[u8], broken: String) -> Answer {
    let (head, body) = head_of(bytes);
    let status = head
        .strip_prefix("HTTP/")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|code| code.get(..3)?.parse().ok());
    Answer {
        status,
        head,
        body,
        unlabelled: String::new(),
        broken: Some(broken),
    }
}

/// Returns what stands before the first blank line, and what stands after it, as text.
fn head_of(bytes: &[u8]) -> (String, String) {
    let split = memchr::memmem::find(bytes, b"\r\n\r\n");
    let (head, body) = match split.and_then(|at| bytes.split_at_checked(at)) {
        Some((head, rest)) => (head, rest.get(4..).unwrap_or_default()),
        None => (bytes, &[][..]),
    };
    let text = |part| String::from_utf8_lossy(part).into_owned();
    (text(head), text(body))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn get(bytes: &[u8]) -> Answer {
        read(bytes, "GET", true)
    }

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_whole_answer_is_read_as_an_ordinary_client_reads_it() {
        let packed = gzipped(b"secret");
        let with = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n\r\n", body].concat();
        let wide: Vec<u8> = "secret".bytes().flat_map(|byte| [byte, 0]).collect();
        for (bytes, closed) in [
            (
                with("HTTP/1.1 200 OK\r\nContent-Length: 6", b"secret"),
                false,
            ),
            (with("HTTP/1.0 200 OK", b"secret"), true),
            (
                with(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked",
                    b"3\r\nsec\r\n3;x\r\nret\r\n0\r\n\r\n",
                ),
                false,
            ),
            (
                with(
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6",
                    b"secret",
                ),
                false,
            ),
            (
                with(
                    &format!(
                        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}",
                        packed.len()
                    ),
                    &packed,
                ),
                false,
            ),
            (
                with(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-16le\r\nContent-Length: 12",
                    &wide,
                ),
                false,
            ),
        ] {
            let answer = read(&bytes, "GET", closed);
            assert_eq!(
                (answer.status, answer.body.as_str(), answer.broken),
                (Some(200), "secret", None)
            );
        }
        let head = read(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
            "HEAD",
            false,
        );
        assert_eq!((head.body.as_str(), head.broken), ("", None));
    }

    #[test]
    fn what_cannot_be_read_whole_or_in_one_way_is_broken() {
        for (bytes, closed) in [
            (&b""[..], true),
            (b"secret", true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\n\r\nsecret", false),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nsecret", true),
            (b"HTTP/1.1 204 No\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsec", true),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 6\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\nContent-Type: a; charset=none\r\nContent-Length: 6\r\n\r\nsecret", true),
            (b"HTTP/1.1 101 Switching\r\n\r\nsecret", true),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret", true),
        ] {
            let answer = read(bytes, "GET", closed);
            assert!(answer.broken.is_some(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        for cut in 0..60 {
            let bytes =
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc";
            get(bytes.get(..cut.min(bytes.len())).unwrap());
        }
        get(&[0xff; 300]);
    }
}
