//! Where packages may come from: the bases of registries, and the hosts that their artifacts lie on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Origin, Url};

/// What stands for a name and a password where an address is shown.
const REDACTED: &str = "redacted";

/// An address of a registry or of a host, with or without a name and a password; those are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    authorization: Option<String>,
}

/// An address that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("not an address of http or https: {0}")]
pub struct BaseError(String);

impl Base {
    /// Returns the base of an address; a path below it may be asked for.
    ///
    /// # Errors
    /// If it is none of http or https.
    pub fn read(text: &str) -> Result<Self, BaseError> {
        let mut url = Url::parse(text.trim()).map_err(|error| BaseError(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(BaseError("it begins with another word".to_owned()));
        }
        let password = url.password().unwrap_or_default();
        let named = !url.username().is_empty() || !password.is_empty();
        let authorization = named.then(|| {
            let pair = [&plain(url.username()), ":", &plain(password)].concat();
            ["Basic ", &STANDARD.encode(pair)].concat()
        });
        // A base takes both without complaint.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            let path = [url.path(), "/"].concat();
            url.set_path(&path);
        }
        Ok(Self { url, authorization })
    }

    /// Returns the address of a path below it, whose segments are given as they are to be sent.
    pub(super) fn below(&self, path: &str) -> Option<Url> {
        let joined = self.url.join(path).ok()?;
        // A path never leads to another host, nor up.
        let below = joined.as_str().starts_with(self.url.as_str());
        below.then_some(joined)
    }

    pub(super) fn origin(&self) -> Origin {
        self.url.origin()
    }

    /// Returns what must be said to this base, and to nobody else.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    fn shown(&self) -> String {
        let mut url = self.url.clone();
        if self.authorization.is_some() {
            let _ = url.set_username(REDACTED);
        }
        url.to_string()
    }
}

/// Returns a text without its percent signs.
fn plain(text: &str) -> String {
    let pairs = ["x=", text].concat().replace('+', "%2B");
    let read = url::form_urlencoded::parse(pairs.as_bytes()).next();
    read.map_or_else(String::new, |(_, value)| value.into_owned())
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(serde::de::Error::custom)
    }
}

/// Reads an address that may be left out; an empty text is none, as pip and npm take it.
///
/// # Errors
/// If it is none of http or https.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Base>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    Base::read(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

/// Several addresses: a list, or a text with spaces between them, as pip takes it. One without a scheme is of https.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Bases(pub Vec<Base>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Text(String),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for Bases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let listed = match Listed::deserialize(deserializer)? {
            Listed::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Listed::List(list) => list,
        };
        let read = |text: &String| {
            if text.contains("://") {
                Base::read(text)
            } else {
                Base::read(&["https://", text].concat())
            }
        };
        let bases = listed.iter().map(read).collect::<Result<_, _>>();
        bases.map(Self).map_err(serde::de::Error::custom)
    }
}

/// The registries that packages are fetched from.
#[derive(Debug, Clone)]
pub(in crate::arena) struct Sources {
    pub(in crate::arena) npm: Base,
    pub(in crate::arena) python: Vec<Base>,
    pub(in crate::arena) hosts: Vec<Base>,
}

impl Sources {
    /// Returns an artifact's address as it is asked for, if it may be asked for at all: on the registry's own host or on
    /// one of the artifact hosts. What says http of a host that is known by https is asked by https.
    pub(super) fn artifact(&self, base: &Base, url: &Url) -> Option<Url> {
        let mut url = url.clone();
        url.set_fragment(None);
        let known = |url: &Url| {
            let mut all = std::iter::once(base).chain(&self.hosts);
            all.any(|base| base.origin() == url.origin())
        };
        if url.scheme() == "http" && !known(&url) {
            url.set_scheme("https").ok()?;
        }
        let plain = url.username().is_empty() && url.password().is_none();
        (plain && known(&url)).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources {
            npm: Base::read("https://registry.example/npm").unwrap(),
            python: vec![Base::read("http://127.0.0.1:9/simple/").unwrap()],
            hosts: vec![Base::read("https://files.example").unwrap()],
        }
    }

    #[test]
    fn an_artifact_lies_on_its_registrys_host_or_on_one_of_the_artifact_hosts() {
        let sources = sources();
        let npm = |text: &str| {
            let url = Url::parse(text).unwrap();
            let found = sources.artifact(&sources.npm, &url);
            found.map(|url| url.to_string())
        };
        let same = |text: &str| assert_eq!(npm(text).as_deref(), Some(text));
        same("https://registry.example/a/-/a-1.tgz");
        same("https://files.example/a-1.tgz");
        let by_http = npm("http://registry.example/a/-/a-1.tgz");
        assert_eq!(by_http.unwrap(), "https://registry.example/a/-/a-1.tgz");
        for refused in [
            "https://elsewhere.example/a-1.tgz",
            "https://registry.example:8443/a-1.tgz",
            "https://registry.example.evil.example/a-1.tgz",
            "https://a:b@registry.example/a-1.tgz",
            "http://127.0.0.1:9/a-1.tgz",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://registry.example/a",
        ] {
            assert_eq!(npm(refused), None, "{refused}");
        }
        let url = Url::parse("http://127.0.0.1:9/files/a.whl").unwrap();
        assert!(sources.artifact(&sources.python[0], &url).is_some());
    }

    #[test]
    fn a_name_and_a_password_are_said_and_never_shown() {
        let base = Base::read("https://me:s%40cret@index.example/simple").unwrap();
        assert_eq!(base.authorization(), Some("Basic bWU6c0BjcmV0"));
        let shown = format!("{base:?} {}", serde_json::to_string(&base).unwrap());
        assert!(!shown.contains("cret") && shown.contains("redacted@index.example/simple/"));
        assert!(Base::read("file:///etc").is_err() && Base::read("index.example").is_err());
    }

    #[test]
    fn no_path_leads_up_from_a_base() {
        let base = Base::read("https://index.example/simple").unwrap();
        let below = |path| base.below(path).map(|url| url.to_string());
        assert_eq!(below("a/").unwrap(), "https://index.example/simple/a/");
        for path in [
            "../a",
            "/a",
            "https://other.example/",
            "//other.example/x",
            "a/../../b",
        ] {
            assert_eq!(below(path), None, "{path}");
        }
    }

    #[test]
    fn several_bases_are_a_list_or_a_text() {
        let list: Bases = serde_json::from_str(r#"["files.example", "http://a:1"]"#).unwrap();
        let text: Bases = serde_json::from_str(r#""https://files.example http://a:1""#).unwrap();
        assert_eq!(list, text);
        assert_eq!(list.0.len(), 2);
        assert_eq!(serde_json::from_str::<Bases>(r#""""#).unwrap().0, []);
        assert!(serde_json::from_str::<Bases>(r#""https://""#).is_err());
    }
}
