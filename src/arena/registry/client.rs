//! The client that asks registries, outside of the arena: only what it is told to ask, and never longer, more or
//! somewhere else.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};
use url::{Origin, Url};

use super::digest::Stated;
use crate::event::codec::printable;

/// The most that is read of a page or a packument, unpacked, in bytes.
pub(super) const MAX_METADATA_BYTES: u64 = 32 << 20;
/// The most that an artifact may have, in bytes.
pub(super) const MAX_ARTIFACT_BYTES: u64 = 128 << 20;
/// The longest that a page may take, and an artifact.
const METADATA_WITHIN: Duration = Duration::from_secs(30);
const ARTIFACT_WITHIN: Duration = Duration::from_secs(60);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How often one answer may send on to another of the same host.
const MAX_REDIRECTS: usize = 4;
/// The wait before the one further try where nobody answered.
const WAIT: Duration = Duration::from_millis(300);

/// What could not be fetched, and whose fault that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// The registry says that there is none.
    #[error("there is no such thing")]
    Absent,
    /// Nobody answers, or not with what was asked for.
    #[error("{0}")]
    Away(String),
    /// The answer is none that may be taken.
    #[error("{0}")]
    Refused(String),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub(super) url: Url,
    /// What must be said to this one host.
    pub(super) authorization: Option<(Origin, &'a str)>,
    pub(super) accept: &'static str,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) kind: String,
    /// Where it came from in the end.
    pub(super) url: Url,
    pub(super) bytes: Vec<u8>,
}

/// Asks registries.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
}

impl Client {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Each is looked at before it is followed.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .max_response_header_size(32 << 10)
            .max_idle_connections(32)
            .max_idle_connections_per_host(16)
            .user_agent(concat!("crisol/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Self { agent }
    }

    /// Returns a page or a packument.
    pub(super) fn page(&self, question: &Question<'_>) -> Result<Page, FetchError> {
        self.twice(|| {
            let (mut answer, url) = self.ask(question, "gzip", METADATA_WITHIN)?;
            let kind = text_of(&answer, header::CONTENT_TYPE);
            let is_packed = text_of(&answer, header::CONTENT_ENCODING) == "gzip";
            let most = MAX_METADATA_BYTES;
            let body = answer.body_mut().as_reader();
            let mut body: Box<dyn Read> = if is_packed {
                Box::new(MultiGzDecoder::new(body))
            } else {
                Box::new(body)
            };
            let mut bytes = Vec::new();
            let read = body.by_ref().take(most + 1).read_to_end(&mut bytes);
            read.map_err(|error| broken(&error))?;
            if bytes.len() as u64 > most {
                return Err(too_large(most));
            }
            Ok(Page { kind, url, bytes })
        })
    }

    /// Writes an artifact to a file, if it is the one that was stated; returns its size in bytes.
    pub(super) fn artifact(
        &self,
        question: &Question<'_>,
        stated: &Stated,
        most: u64,
        to: &mut File,
    ) -> Result<u64, FetchError> {
        self.twice(|| {
            let failed = |error: io::Error| FetchError::Away(format!("write: {error}"));
            to.set_len(0).map_err(failed)?;
            io::Seek::rewind(to).map_err(failed)?;
            let (mut answer, _) = self.ask(question, "identity", ARTIFACT_WITHIN)?;
            let mut body = answer.body_mut().as_reader();
            let mut checking = stated.check();
            let mut size = 0;
            let mut block = vec![0; 1 << 16];
            loop {
                let n = body.read(&mut block).map_err(|error| broken(&error))?;
                let read = block.get(..n).unwrap_or_default();
                if read.is_empty() {
                    break;
                }
                size += n as u64;
                if size > most {
                    return Err(too_large(most));
                }
                checking.update(read);
                to.write_all(read).map_err(failed)?;
            }
            if checking.agrees() {
                Ok(size)
            } else {
                let said = "it is not the file whose digest the registry states";
                Err(FetchError::Refused(said.to_owned()))
            }
        })
    }

    /// Tries once more where nobody answered.
    fn twice<T>(&self, mut fetch: impl FnMut() -> Result<T, FetchError>) -> Result<T, FetchError> {
        match fetch() {
            Err(FetchError::Away(_)) => {
                thread::sleep(WAIT);
                fetch()
            }
            settled => settled,
        }
    }

    /// Asks, and follows answers that send on within the same host; returns the answer and where it came from.
    fn ask(
        &self,
        question: &Question<'_>,
        encoding: &str,
        within: Duration,
    ) -> Result<(Response<Body>, Url), FetchError> {
        let mut url = question.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .agent
                .get(url.as_str())
                .header(header::ACCEPT, question.accept)
                .header(header::ACCEPT_ENCODING, encoding);
            if let Some((origin, said)) = &question.authorization
                && *origin == url.origin()
            {
                request = request.header(header::AUTHORIZATION, *said);
            }
            let asked = request.config().timeout_global(Some(within)).build().call();
            let answer = asked.map_err(|error| away(&error.to_string()))?;
            match answer.status() {
                StatusCode::OK => return Ok((answer, url)),
                StatusCode::NOT_FOUND
                | StatusCode::GONE
                | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => return Err(FetchError::Absent),
                status if status.is_redirection() => {
                    let next = text_of(&answer, header::LOCATION);
                    let next = url.join(&next).ok();
                    let next = next.filter(|next| next.origin() == url.origin());
                    let next = next.filter(|next| next.username().is_empty());
                    let Some(next) = next else {
                        let said = "it is sent on to another host";
                        return Err(FetchError::Refused(said.to_owned()));
                    };
                    url = next;
                }
                status => return Err(away(&format!("answered with status {}", status.as_u16()))),
            }
        }
        Err(FetchError::Refused("it is sent on for ever".to_owned()))
    }
}

fn text_of(answer: &Response<Body>, name: header::HeaderName) -> String {
    let value = answer.headers().get(name);
    let text = value.and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

fn away(said: &str) -> FetchError {
    FetchError::Away(printable(said))
}

fn broken(error: &io::Error) -> FetchError {
    match error.kind() {
        // What is packed badly stays so.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            FetchError::Refused(printable(&error.to_string()))
        }
        _ => away(&error.to_string()),
    }
}

fn too_large(most: u64) -> FetchError {
    FetchError::Refused(format!("it has more than {} MiB", most >> 20))
}
