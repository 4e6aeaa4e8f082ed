//! The language of a file, as far as reading its lines needs it.

/// How comments and strings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `//` and `/* */`; `'` quotes a character.
    C,
    /// As [`Family::C`], but `'` quotes a string and `` ` `` one that may span lines.
    Script,
    /// `#` and quotes of three.
    Python,
    /// `#` alone: shells, Ruby, build files.
    Hash,
    /// No comments: prose and data.
    Plain,
}

/// A language that the features know, or the nearest.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C with its headers, Objective-C, and what yacc and lex read.
    C,
    /// C++ with headers that say so, and Objective-C++.
    Cpp,
    /// Java, Kotlin, Scala, C#, Swift.
    Java,
    /// Python.
    Python,
    /// Rust.
    Rust,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Go.
    Go,
    /// PHP.
    Php,
    /// Ruby and shells.
    Ruby,
    /// Manifests, lock files, build files and other data.
    Data,
    /// Prose and whatever else.
    #[default]
    Other,
}

/// What names a language: the part after the last dot, in lower case.
const EXTENSIONS: &[(&str, Language)] = &[
    ("c", Language::C),
    ("h", Language::C),
    ("cc", Language::Cpp),
    ("cpp", Language::Cpp),
    ("cxx", Language::Cpp),
    ("c++", Language::Cpp),
    ("hh", Language::Cpp),
    ("hpp", Language::Cpp),
    ("hxx", Language::Cpp),
    ("inc", Language::C),
    ("inl", Language::Cpp),
    ("m", Language::C),
    ("mm", Language::Cpp),
    ("re", Language::C),
    ("y", Language::C),
    ("l", Language::C),
    ("java", Language::Java),
    ("kt", Language::Java),
    ("scala", Language::Java),
    ("groovy", Language::Java),
    ("cs", Language::Java),
    ("swift", Language::Java),
    ("py", Language::Python),
    ("pyi", Language::Python),
    ("pyx", Language::Python),
    ("rs", Language::Rust),
    ("js", Language::JavaScript),
    ("mjs", Language::JavaScript),
    ("cjs", Language::JavaScript),
    ("jsx", Language::JavaScript),
    ("ts", Language::JavaScript),
    ("mts", Language::JavaScript),
    ("cts", Language::JavaScript),
    ("tsx", Language::JavaScript),
    ("vue", Language::JavaScript),
    ("go", Language::Go),
    ("php", Language::Php),
    ("phtml", Language::Php),
    ("rb", Language::Ruby),
    ("erb", Language::Ruby),
    ("sh", Language::Ruby),
    ("bash", Language::Ruby),
    ("json", Language::Data),
    ("toml", Language::Data),
    ("yaml", Language::Data),
    ("yml", Language::Data),
    ("lock", Language::Data),
    ("xml", Language::Data),
    ("cfg", Language::Data),
    ("ini", Language::Data),
    ("gradle", Language::Data),
    ("cmake", Language::Data),
    ("mod", Language::Data),
    ("sum", Language::Data),
];

/// Parts of a path that say that it holds tests.
const TEST_PARTS: [&str; 6] = ["test", "tests", "testing", "spec", "__tests__", "testdata"];

/// The names that stand on events.
const NAMES: [(Language, &str); 11] = [
    (Language::C, "c"),
    (Language::Cpp, "cpp"),
    (Language::Java, "java"),
    (Language::Python, "python"),
    (Language::Rust, "rust"),
    (Language::JavaScript, "javascript"),
    (Language::Go, "go"),
    (Language::Php, "php"),
    (Language::Ruby, "ruby"),
    (Language::Data, "data"),
    (Language::Other, "other"),
];

impl Language {
    /// Returns the name that stands on events.
    pub fn as_str(self) -> &'static str {
        let known = NAMES.into_iter().find(|(language, _)| *language == self);
        known.map_or("other", |(_, name)| name)
    }

    /// Returns the language of a name that [`Language::as_str`] gave.
    pub fn of_name(name: &str) -> Option<Self> {
        let known = NAMES.into_iter().find(|(_, known)| *known == name);
        known.map(|(language, _)| language)
    }

    /// Returns the language of a path by its extension; [`Language::Other`] if that says nothing.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = EXTENSIONS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(extension));
        match known {
            Some((_, language)) => *language,
            None if matches!(name, "Makefile" | "Dockerfile" | "Gemfile" | "Pipfile") => Self::Data,
            None if extension.eq_ignore_ascii_case("txt") && name.contains("requirements") => {
                Self::Data
            }
            None => Self::Other,
        }
    }

    /// Returns how the language writes comments and strings.
    pub fn family(self) -> Family {
        match self {
            Self::C | Self::Cpp | Self::Java | Self::Rust => Family::C,
            Self::JavaScript | Self::Go | Self::Php => Family::Script,
            Self::Python => Family::Python,
            Self::Ruby | Self::Data => Family::Hash,
            Self::Other => Family::Plain,
        }
    }

    /// Whether a program in it may read or write outside of what it owns.
    pub fn is_memory_unsafe(self) -> bool {
        matches!(self, Self::C | Self::Cpp)
    }

    /// Whether it is code that runs.
    pub fn is_source(self) -> bool {
        !matches!(self, Self::Data | Self::Other)
    }
}

/// Whether a path names a test: a directory of tests, or a file called so.
pub fn is_test(path: &str) -> bool {
    let mut parts = path.split('/').rev();
    let file = parts.next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    parts.any(|part| {
        TEST_PARTS
            .iter()
            .any(|known| part.eq_ignore_ascii_case(known))
    }) || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || stem.ends_with("Test")
        || stem.ends_with("Tests")
        || file.contains(".test.")
        || file.contains(".spec.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_extension_in_any_case() {
        assert_eq!(Language::of("src/a.C"), Language::C);
        assert_eq!(Language::of("src/a.Cpp"), Language::Cpp);
        assert_eq!(Language::of("a/b.test.TS"), Language::JavaScript);
        assert_eq!(Language::of("Makefile"), Language::Data);
        assert_eq!(Language::of("requirements-dev.txt"), Language::Data);
        assert_eq!(Language::of("README"), Language::Other);
        assert_eq!(Language::of(""), Language::Other);
    }

    #[test]
    fn tests_are_known_by_directory_or_name() {
        for path in ["tests/a.rs", "src/Test/A.java", "a_test.go", "x.spec.js"] {
            assert!(is_test(path), "{path}");
        }
        for path in ["src/latest.rs", "contest/a.c", "attest.py", "protest/x.js"] {
            assert!(!is_test(path), "{path}");
        }
    }
}
