//! Words that tell what code does: keywords as a whole, and parts of names (`isNull`, `check_bounds`).

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64;

/// The longest word that has a class, in bytes.
const LONGEST: usize = 16;
/// Places in the table: a power of two, at least twice the words.
const PLACES: usize = 1_024;

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal: $words:literal;)+) => {
        /// What a word is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Class {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Class {
            /// Every class, in the order of the features.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name used in names of features.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns its words in lower case, divided by spaces.
            const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)+ }
            }
        }
    };
}

classes! {
    /// A condition.
    If = "if": "if elif elsif unless guard";
    /// Its other branch.
    Else = "else": "else otherwise";
    /// A loop.
    Loop = "loop": "for while do loop until foreach repeat";
    /// A choice between many.
    Switch = "switch": "switch match case when default";
    /// Leaves a function.
    Return = "return": "return yield";
    /// Leaves a loop or goes elsewhere.
    Jump = "jump": "break continue goto next redo";
    /// Gives up.
    Throw = "throw": "throw throws raise panic abort bail unreachable exit die fatal";
    /// Begins what may fail.
    Try = "try": "try";
    /// Meets what failed.
    Catch = "catch": "catch except rescue finally defer recover";
    /// Demands that something holds.
    Assert = "assert": "assert asserts assertion invariant precondition";
    /// Defines a function.
    Function = "function": "fn def func function lambda";
    /// Defines a type.
    Type = "type": "class struct enum trait impl interface typedef union namespace module";
    /// Brings in another module.
    Import = "import": "import include use from require package using extern";
    /// Says who may see or change something.
    Visibility = "visibility": "public private protected pub static final const mut readonly internal";
    /// Declares a variable.
    Declare = "declare": "let var val int char float double bool boolean string long short void auto byte";
    /// Puts conditions together, in words.
    Logic = "logic": "and or not in";
    /// Nothing.
    Null = "null": "null nil none nullptr undefined empty absent missing";
    /// A truth value.
    Truth = "truth": "true false";
    /// Something went wrong.
    Error = "error": "err error errors errno fail failed failure exception invalid illegal bad warn warning";
    /// How much, or where in it.
    Bound = "bound": "len length size sizeof count max min limit end bound bounds capacity offset index idx remaining strlen left avail";
    /// More than fits.
    Overflow = "overflow": "overflow underflow saturating wrapping clamp truncate round ceil floor";
    /// Makes input harmless, or looks whether it is.
    Check = "check": "escape sanitize clean encode quote validate valid verify check checked safe filter strip trim normalize canonical ensure";
    /// Says what may come in.
    Allow = "allow": "allow allowed deny denied whitelist allowlist blacklist blocklist restrict permission permitted auth authorized secure trusted";
    /// Keeps data apart from commands.
    Parameter = "parameter": "prepare prepared bind placeholder param params parameter";
    /// Runs or writes what it is given.
    Sink = "sink": "exec eval system popen shell subprocess spawn memcpy memmove strcpy strcat sprintf gets scanf pickle deserialize unserialize innerhtml query execute raw";
    /// Steps out of what the language guards.
    Unsafe = "unsafe": "unsafe unchecked transmute volatile asm reinterpret";
    /// Takes memory or gives it back.
    Memory = "memory": "malloc calloc realloc alloc free delete new release unref ref drop dispose close destroy retain alloca buf buffer";
    /// Copies.
    Copy = "copy": "clone copy dup strdup move copied cloned";
    /// More than one at a time.
    Lock = "lock": "lock unlock mutex atomic sync synchronized await async thread wait notify";
    /// Takes a value for another type.
    Cast = "cast": "as cast unsigned signed uint int32 int64 uint32 uint64 usize isize u8 u32 u64 i32 i64 into";
    /// Tests.
    Test = "test": "test tests expect should mock fixture";
    /// Tells people.
    Log = "log": "log print printf println debug fprintf logger info trace";
    /// Not meant to stay.
    Todo = "todo": "todo fixme hack xxx workaround temporary tmp";
    /// Sets up or resets.
    Init = "init": "init initialize reset clear setup zero memset";
    /// Reads or sets a value.
    Access = "access": "get set put add remove insert push pop append update find lookup contains has is";
    /// Ways to be absent or to have failed, as values.
    Wrapped = "wrapped": "some ok option optional result unwrap maybe either";
    /// This very object.
    Own = "own": "self this super";
    /// Compares or matches text.
    Text = "text": "regex pattern replace split join startswith endswith prefix suffix substring lower upper format parse";
    /// Paths and files.
    Path = "path": "path file dir directory filename open read write url uri";
}

/// The classes by the hash of their words.
static TABLE: LazyLock<[(u64, Option<Class>); PLACES]> = LazyLock::new(|| {
    let mut table = [(0, None); PLACES];
    for class in Class::ALL {
        for word in class.words().split(' ') {
            let hash = xxh3_64(word.as_bytes());
            let free = (0..PLACES)
                .map(|step| place(hash, step))
                .find(|at| table.get(*at).is_some_and(|(_, class)| class.is_none()));
            if let Some(slot) = free.and_then(|at| table.get_mut(at)) {
                *slot = (hash, Some(*class));
            }
        }
    }
    table
});

const fn place(hash: u64, step: usize) -> usize {
    (hash as usize).wrapping_add(step) % PLACES
}

fn find_in(table: &[(u64, Option<Class>)], hash: u64) -> Option<Class> {
    for step in 0..table.len() {
        match table.get(place(hash, step)) {
            Some((known, Some(class))) if *known == hash => return Some(*class),
            Some((_, Some(_))) => {}
            _ => return None,
        }
    }
    None
}

/// Returns the class of a word in lower case, by its hash.
fn class_of(hash: u64) -> Option<Class> {
    find_in(TABLE.as_slice(), hash)
}

/// Tells the class of each part of a name that has one. Parts begin at `_`, `$` and where a small letter meets a
/// capital. `hash` is the name's own.
pub fn classes_in(name: &[u8], hash: u64, mut each: impl FnMut(Class)) {
    let divides_or_is_large = |byte: &u8| matches!(byte, b'_' | b'$' | b'A'..=b'Z');
    if !name.iter().any(divides_or_is_large) {
        // Most names are one part.
        if let Some(class) = class_of(hash) {
            each(class);
        }
        return;
    }
    let mut part = [0_u8; LONGEST];
    let mut length = 0;
    let mut before = 0_u8;
    let mut tell = |part: &[u8; LONGEST], length: usize| {
        if let Some(class) = part
            .get(..length)
            .filter(|p| p.len() > 1)
            .and_then(|part| class_of(xxh3_64(part)))
        {
            each(class);
        }
    };
    for &byte in name {
        let begins = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        let divides = byte == b'_' || byte == b'$';
        if begins || divides {
            tell(&part, length);
            length = 0;
        }
        if !divides {
            if let Some(slot) = part.get_mut(length) {
                *slot = byte.to_ascii_lowercase();
            }
            // Past the longest word it is none; `get` above finds nothing then.
            length = (length + 1).min(LONGEST + 1);
        }
        before = byte;
    }
    tell(&part, length);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> Vec<&'static str> {
        let mut told = Vec::new();
        let hash = xxh3_64(name.as_bytes());
        classes_in(name.as_bytes(), hash, |class| told.push(class.name()));
        told
    }

    #[test]
    fn names_are_read_part_by_part() {
        assert_eq!(told("if"), ["if"]);
        assert_eq!(told("isNull"), ["access", "null"]);
        assert_eq!(told("check_bounds"), ["check", "bound"]);
        assert_eq!(told("MAX_LEN"), ["bound", "bound"]);
        assert_eq!(told("memcpy"), ["sink"]);
        assert_eq!(told("verify"), ["check"]);
        assert!(told("verification_xyzzyxyzzyxyzzyif").is_empty());
    }

    #[test]
    fn every_word_is_found_under_one_class_and_fits() {
        let mut seen = std::collections::HashMap::new();
        for class in Class::ALL {
            for word in class.words().split(' ') {
                assert!(word.len() <= LONGEST && word.len() > 1, "{word}");
                let earlier = seen.insert(word, class.name());
                assert_eq!(earlier, None, "{word} is of two classes");
                assert_eq!(class_of(xxh3_64(word.as_bytes())), Some(*class), "{word}");
            }
        }
        assert!(seen.len() * 2 < PLACES);
    }
}
