//! A small registry of npm and Python packages on loopback, good or hostile as a test wants it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

/// What is answered to a path.
#[derive(Clone)]
pub enum Given {
    Bytes(&'static str, Vec<u8>),
    /// Another address.
    Moved(String),
    /// So many MiB, at most, and no length told before.
    Endless(usize),
}

/// A registry that is served.
pub struct House {
    pub port: u16,
    /// How often something was asked that is not of the registry.
    pub strayed: Arc<AtomicUsize>,
}

/// What is in a registry before it is served.
#[derive(Default)]
pub struct Shelf {
    pub given: BTreeMap<String, Given>,
    packuments: BTreeMap<String, BTreeMap<String, Value>>,
    pages: BTreeMap<String, Vec<Value>>,
}

impl Shelf {
    /// Puts a package of npm there; what its packument says of it is what `change` makes of it.
    pub fn npm(
        &mut self,
        name: &str,
        version: &str,
        tarball: Vec<u8>,
        more: Value,
        change: impl Fn(&mut Value),
    ) {
        let path = format!("/files/{}-{version}.tgz", name.replace('/', "-"));
        let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&tarball)));
        let mut told = json!({ "name": name, "version": version,
            "dist": { "tarball": format!("{{here}}{path}"), "integrity": integrity } });
        for (field, value) in more.as_object().unwrap() {
            told[field] = value.clone();
        }
        change(&mut told);
        self.given
            .insert(path, Given::Bytes("application/octet-stream", tarball));
        let versions = self.packuments.entry(name.to_owned()).or_default();
        versions.insert(version.to_owned(), told);
    }

    /// Puts a file of a Python project there, listed as `change` makes of it.
    pub fn python(
        &mut self,
        project: &str,
        file: &str,
        bytes: Vec<u8>,
        change: impl Fn(&mut Value),
    ) {
        let path = format!("/files/{file}");
        let mut listed = json!({ "filename": file, "url": format!("{{here}}{path}"),
            "hashes": { "sha256": hex(&Sha256::digest(&bytes)) } });
        change(&mut listed);
        self.given
            .insert(path, Given::Bytes("application/octet-stream", bytes));
        self.pages
            .entry(project.to_owned())
            .or_default()
            .push(listed);
    }

    /// Serves it until the process ends.
    pub fn serve(mut self) -> House {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = format!("http://127.0.0.1:{port}");
        let here = |text: String| text.replace("{here}", &here).into_bytes();
        for (name, versions) in std::mem::take(&mut self.packuments) {
            let text = json!({ "name": name, "dist-tags": {}, "versions": versions }).to_string();
            let path = format!("/npm/{}", name.replace('/', "%2f"));
            let given = Given::Bytes("application/json", here(text));
            self.given.entry(path).or_insert(given);
        }
        for (project, files) in std::mem::take(&mut self.pages) {
            let text = json!({ "files": files }).to_string();
            let given = Given::Bytes("application/vnd.pypi.simple.v1+json", here(text));
            self.given
                .entry(format!("/simple/{project}/"))
                .or_insert(given);
        }
        let strayed = Arc::new(AtomicUsize::new(0));
        let house = House {
            port,
            strayed: Arc::clone(&strayed),
        };
        let given = Arc::new(self.given);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (given, strayed) = (Arc::clone(&given), Arc::clone(&strayed));
                thread::spawn(move || answer(stream, &given, &strayed));
            }
        });
        house
    }
}

fn answer(mut stream: TcpStream, given: &BTreeMap<String, Given>, strayed: &AtomicUsize) {
    let mut head = Vec::new();
    let mut block = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut block) {
            Ok(n @ 1..) => head.extend_from_slice(&block[..n]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if path.starts_with("/secret") {
        strayed.fetch_add(1, Ordering::SeqCst);
    }
    let said =
        |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    // Whoever asks may have gone; that is no matter of the registry's.
    let _ = match given.get(path) {
        None => stream.write_all(said("404 no", "Content-Length: 0\r\n").as_bytes()),
        Some(Given::Moved(to)) => {
            let more = format!("Content-Length: 0\r\nLocation: {to}\r\n");
            stream.write_all(said("302 there", &more).as_bytes())
        }
        Some(Given::Bytes(kind, bytes)) => {
            let more = format!(
                "Content-Type: {kind}\r\nContent-Length: {}\r\n",
                bytes.len()
            );
            let head = said("200 ok", &more);
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(bytes))
        }
        Some(Given::Endless(mib)) => {
            let block = vec![b' '; 1 << 20];
            let head = said("200 ok", "Content-Type: application/json\r\n");
            stream
                .write_all(head.as_bytes())
                .and_then(|()| (0..*mib).try_for_each(|_| stream.write_all(&block)))
        }
    };
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A member of a tar archive: name, kind as tar writes it, where a link leads, text.
pub struct Member<'a>(pub &'a str, pub u8, pub &'a str, pub &'a [u8]);

/// Returns a compressed tar archive.
pub fn tgz(members: &[Member<'_>]) -> Vec<u8> {
    let mut tar = Vec::new();
    for Member(name, kind, link, text) in members {
        let mut head = [0; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[100..107].copy_from_slice(b"0000644");
        head[108..115].copy_from_slice(b"0000000");
        head[116..123].copy_from_slice(b"0000000");
        head[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        head[136..147].copy_from_slice(b"00000000000");
        head[156] = *kind;
        head[157..157 + link.len()].copy_from_slice(link.as_bytes());
        head[257..265].copy_from_slice(b"ustar\x0000");
        head[148..156].copy_from_slice(b"        ");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend(head);
        tar.extend(*text);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar).unwrap();
    packed.finish().unwrap()
}

/// Returns the tarball of an npm package.
pub fn package(manifest: &Value) -> Vec<u8> {
    let manifest = manifest.to_string();
    tgz(&[
        Member("package/package.json", b'0', "", manifest.as_bytes()),
        Member("package/index.js", b'0', "", b"exports.x = 1;\n"),
    ])
}

/// Returns a zip archive of stored members, each with the size that it says it unpacks to, if that is another.
pub fn zip(members: &[(&str, &[u8], Option<u32>)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text, says) in members {
        let at = (bytes.len() as u32).to_le_bytes();
        let mut crc = flate2::Crc::new();
        crc.update(text);
        let size = (text.len() as u32).to_le_bytes();
        let says = says.map_or(size, u32::to_le_bytes);
        let length = (name.len() as u16).to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &says,
            &length,
            &[0, 0],
        ]
        .concat();
        bytes.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), text].concat());
        directory.extend(
            [
                &b"PK\x01\x02\x14\x00"[..],
                &common,
                &[0; 10],
                &at,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let count = (members.len() as u16).to_le_bytes();
    let [length, at] = [directory.len(), bytes.len()].map(|n| (n as u32).to_le_bytes());
    let end = [
        &b"PK\x05\x06"[..],
        &[0; 4],
        &count,
        &count,
        &length,
        &at,
        &[0, 0],
    ]
    .concat();
    [bytes, directory, end].concat()
}

/// Returns a wheel with one module of its name.
pub fn wheel(name: &str, version: &str, requires: &[&str]) -> Vec<u8> {
    let note = format!("{name}-{version}.dist-info");
    let requires: String = requires
        .iter()
        .map(|one| format!("Requires-Dist: {one}\n"))
        .collect();
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
    let tag =
        "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned();
    let files = [
        (format!("{name}.py"), "x = 1\n".to_owned()),
        (format!("{note}/METADATA"), metadata),
        (format!("{note}/WHEEL"), tag),
    ];
    let record: String = files
        .iter()
        .map(|(name, text)| {
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()));
            format!("{name},sha256={digest},{}\n", text.len())
        })
        .collect();
    let record = (
        format!("{note}/RECORD"),
        format!("{record}{note}/RECORD,,\n"),
    );
    let members: Vec<_> = files
        .iter()
        .chain([&record])
        .map(|(n, t)| (n.as_str(), t.as_bytes(), None))
        .collect();
    zip(&members)
}

/// Returns the source of a package whose build backend is this text; it may use `wheel(requires)`, which writes a right
/// wheel and returns its name, and `here`, where it goes.
pub fn source(name: &str, version: &str, backend: &str) -> Vec<u8> {
    let top = format!("{name}-{version}");
    let note = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let project =
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    let text = format!(
        "import os, zipfile\ndef build_wheel(here, settings=None, metadata=None):\n\
         \x20   def wheel(requires='', name='{name}'):\n\
         \x20       file = name + '-{version}-py3-none-any.whl'\n\
         \x20       note = name + '-{version}.dist-info/'\n\
         \x20       with zipfile.ZipFile(os.path.join(here, file), 'w') as archive:\n\
         \x20           archive.writestr(name + '.py', 'x = 1\\n')\n\
         \x20           archive.writestr(note + 'METADATA', 'Metadata-Version: 2.1\\nName: ' + name + '\\nVersion: {version}\\n' + requires)\n\
         \x20           archive.writestr(note + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         \x20           archive.writestr(note + 'RECORD', '')\n\
         \x20       return file\n{}",
        backend
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    );
    tgz(&[
        Member(&format!("{top}/PKG-INFO"), b'0', "", note.as_bytes()),
        Member(
            &format!("{top}/pyproject.toml"),
            b'0',
            "",
            project.as_bytes(),
        ),
        Member(&format!("{top}/backend.py"), b'0', "", text.as_bytes()),
    ])
}
