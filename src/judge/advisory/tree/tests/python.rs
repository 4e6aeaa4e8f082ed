//! Claims about files of pip, pipenv, Poetry and uv.

use super::{code, facts};
use crate::event::facts::{ApvFacts, Ecosystem};

fn django() -> ApvFacts {
    facts(&[(Ecosystem::PyPi, "django", "3.2.12")])
}

fn sha(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

#[test]
fn requirements_are_logical_lines() {
    let file = format!(
        "# top\n-r base.txt\nasgiref==3.4.1 \\\n    --hash={}\nDjango==3.2.11 ; python_version >= '3.6' \\\n    --hash={} \\\n    --hash={}\n    # via -r base.txt\n",
        sha('a'),
        sha('b'),
        sha('c')
    );
    let (b, c, d, e) = (sha('b'), sha('c'), sha('d'), sha('e'));
    let of = |replaced: &[(&str, &str)]| code("requirements.txt", &file, replaced, &django());
    let version = ("3.2.11", "3.2.12");
    let digests = [(b.as_str(), d.as_str()), (c.as_str(), e.as_str())];
    assert_eq!(of(&[version, digests[0], digests[1]]), "remedies");
    assert_eq!(
        of(&[version, digests[0], digests[1], ("# top", "# other")]),
        "remedies"
    );
    assert_eq!(of(&[version, digests[0]]), "entry_incomplete");
    assert_eq!(of(&[digests[0]]), "integrity_without_version");
    assert_eq!(
        of(&[version, digests[0], digests[1], (">= '3.6'", "< '3'")]),
        "other_change"
    );
    assert_eq!(
        of(&[version, digests[0], digests[1], ("base.txt", "evil.txt")]),
        "other_change"
    );
    assert_eq!(
        of(&[
            version,
            digests[0],
            digests[1],
            ("asgiref==3.4.1", "asgiref==3.4.2")
        ]),
        "other_change"
    );
    assert_eq!(
        of(&[("Django==3.2.11", "Django @ https://e/x.whl")]),
        "non_registry_source"
    );
    let twice = [&file, "django == 3.2.9 ; python_version < '3.6'\n"].concat();
    let moved = [version, digests[0], digests[1]];
    assert_eq!(
        code("requirements.txt", &twice, &moved, &django()),
        "place_left_behind"
    );
    let editable = [&file, "-e git+https://e/x#egg=django\n"].concat();
    assert_eq!(
        code("requirements.txt", &editable, &moved, &django()),
        "non_registry_source"
    );
}

#[test]
fn every_list_and_table_of_a_project_is_seen() {
    let moved = [("==3.2.11", "==3.2.12")];
    for (text, wanted) in [
        (
            "[project]\ndependencies = [\"Django==3.2.11\"]\n",
            "remedies",
        ),
        (
            "[project.optional-dependencies]\nx = [\"django[argon2]==3.2.11 ; extra == 'x'\"]\n",
            "remedies",
        ),
        (
            "[dependency-groups]\ndev = [{include-group = \"x\"}, \"django==3.2.11\"]\n",
            "remedies",
        ),
        (
            "[build-system]\nrequires = [\"django==3.2.11\"]\n",
            "remedies",
        ),
        (
            "[tool.uv]\noverride-dependencies = [\"django==3.2.11\"]\n",
            "remedies",
        ),
        (
            "[tool.poetry.dependencies]\ndjango = \"==3.2.11\"\n",
            "remedies",
        ),
        (
            "[tool.poetry.group.x.dependencies]\ndjango = {version = \"==3.2.11\", optional = true}\n",
            "remedies",
        ),
        (
            "[tool.hatch.envs.x]\ndependencies = [\"django==3.2.11\"]\n",
            "remedies",
        ),
        (
            "[tool.other]\nlist = [\"django==3.2.11\"]\n",
            "other_change",
        ),
        (
            "[project]\ndependencies = [\"django==3.2.11\"]\n[tool.uv.sources]\ndjango = {git = \"https://e/x\"}\n",
            "non_registry_source",
        ),
        (
            "[project]\ndependencies = [\"django==3.2.11\"]\n[tool.uv]\nconstraint-dependencies = [\"Django<3.2.12\"]\n",
            "place_left_behind",
        ),
        (
            "[tool.poetry.dependencies]\ndjango = [{version = \"==3.2.11\", python = \"3\"}, {version = \"3.1\", python = \"2\"}]\n",
            "place_left_behind",
        ),
        (
            "[tool.poetry.dependencies]\ndjango = {version = \"==3.2.11\", source = \"x\"}\n",
            "non_registry_source",
        ),
    ] {
        assert_eq!(
            code("pyproject.toml", text, &moved, &django()),
            wanted,
            "{text}"
        );
    }
}

#[test]
fn a_pipfile_has_categories_and_its_lock_digests() {
    let file = "[packages]\ndjango = \"==3.2.11\"\n\n[docs]\nDjango = {version = \"==3.2.9\"}\n";
    let of = |replaced: &[(&str, &str)]| code("Pipfile", file, replaced, &django());
    assert_eq!(of(&[("3.2.11", "3.2.12")]), "place_left_behind");
    assert_eq!(of(&[("3.2.11", "3.2.12"), ("3.2.9", "3.2.12")]), "remedies");
    let lock = format!(
        "{{\"_meta\": {{\"hash\": {{\"sha256\": \"{}\"}}}}, \"default\": {{\"django\": {{\"hashes\": [\"{}\"], \"index\": \"pypi\", \"version\": \"==3.2.11\"}}}}, \"develop\": {{}}}}\n",
        "1".repeat(64),
        sha('b')
    );
    let (b, c) = (sha('b'), sha('c'));
    let of = |replaced: &[(&str, &str)]| code("Pipfile.lock", &lock, replaced, &django());
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&b, &c), (&one, &two)]),
        "remedies"
    );
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&one, &two)]),
        "entry_incomplete"
    );
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&b, &c), ("\"pypi\"", "\"evil\"")]),
        "other_change"
    );
}

#[test]
fn locks_of_poetry_keep_files_in_two_places() {
    let new = format!(
        "[[package]]\nname = \"asgiref\"\nversion = \"3.4.1\"\nfiles = []\n\n[[package]]\nname = \"django\"\nversion = \"3.2.11\"\ndescription = \"x\"\noptional = false\nfiles = [\n    {{file = \"Django-3.2.11-py3-none-any.whl\", hash = \"{}\"}},\n]\n\n[package.dependencies]\nasgiref = \">=3.3.2,<4\"\n\n[metadata]\ncontent-hash = \"{}\"\n",
        sha('b'),
        "1".repeat(64)
    );
    let (b, c) = (sha('b'), sha('c'));
    let of = |replaced: &[(&str, &str)]| code("poetry.lock", &new, replaced, &django());
    assert_eq!(of(&[("3.2.11", "3.2.12"), (&b, &c)]), "remedies");
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&b, &c), ("1111", "2222")]),
        "remedies"
    );
    assert_eq!(of(&[("3.2.11", "3.2.12")]), "entry_incomplete");
    assert_eq!(
        of(&[("\"3.2.11\"", "\"3.2.12\""), (&b, &c)]),
        "entry_incomplete"
    );
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&b, &c), (">=3.3.2", ">=3.5")]),
        "dependencies_move"
    );
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), (&b, &c), ("false", "true")]),
        "other_change"
    );
    let source = [
        ("3.2.11", "3.2.12"),
        (b.as_str(), c.as_str()),
        (
            "[metadata]",
            "[package.source]\ntype = \"git\"\nurl = \"https://e/x\"\n\n[metadata]",
        ),
    ];
    assert_eq!(of(&source), "non_registry_source");
    let old = format!(
        "[[package]]\nname = \"django\"\nversion = \"3.2.11\"\n\n[metadata]\nlock-version = \"1.1\"\n\n[metadata.files]\ndjango = [\n    {{file = \"Django-3.2.11.tar.gz\", hash = \"{}\"}},\n]\n",
        sha('b')
    );
    let of = |replaced: &[(&str, &str)]| code("poetry.lock", &old, replaced, &django());
    assert_eq!(of(&[("3.2.11", "3.2.12"), (&b, &c)]), "remedies");
    assert_eq!(
        of(&[("version = \"3.2.11\"", "version = \"3.2.12\"")]),
        "entry_incomplete"
    );
}

#[test]
fn locks_of_uv_name_artifacts_by_url() {
    let lock = format!(
        "version = 1\n\n[[package]]\nname = \"django\"\nversion = \"3.2.11\"\nsource = {{ registry = \"https://pypi.org/simple\" }}\ndependencies = [\n    {{ name = \"sqlparse\" }},\n]\nsdist = {{ url = \"https://files.pythonhosted.org/packages/x/Django-3.2.11.tar.gz\", hash = \"{b}\", size = 1 }}\nwheels = [\n    {{ url = \"https://files.pythonhosted.org/packages/x/Django-3.2.11-py3-none-any.whl\", hash = \"{c}\", size = 1 }},\n]\n\n[[package]]\nname = \"sqlparse\"\nversion = \"0.4.2\"\nsource = {{ registry = \"https://pypi.org/simple\" }}\n\n[[package]]\nname = \"x\"\nversion = \"0.1.0\"\nsource = {{ virtual = \".\" }}\ndependencies = [\n    {{ name = \"django\" }},\n]\n\n[package.metadata]\nrequires-dist = [{{ name = \"django\", specifier = \">=3.2.11\" }}]\n",
        b = sha('b'),
        c = sha('c')
    );
    let (b, c, d, e) = (sha('b'), sha('c'), sha('d'), sha('e'));
    let of = |replaced: &[(&str, &str)]| code("uv.lock", &lock, replaced, &django());
    let digests = [(b.as_str(), d.as_str()), (c.as_str(), e.as_str())];
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), digests[0], digests[1]]),
        "remedies"
    );
    assert_eq!(
        of(&[
            ("3.2.11", "3.2.12"),
            digests[0],
            digests[1],
            ("size = 1", "size = 2")
        ]),
        "remedies"
    );
    assert_eq!(of(&[("3.2.11", "3.2.12"), digests[0]]), "entry_incomplete");
    assert_eq!(
        of(&[
            ("3.2.11", "3.2.12"),
            digests[0],
            digests[1],
            ("files.pythonhosted.org", "evil.example")
        ]),
        "entry_incomplete"
    );
    assert_eq!(
        of(&[
            ("3.2.11", "3.2.12"),
            digests[0],
            digests[1],
            (
                "{ name = \"sqlparse\" },\n]\nsdist",
                "{ name = \"evil\" },\n]\nsdist"
            )
        ]),
        "dependencies_move"
    );
    assert_eq!(
        of(&[
            ("3.2.11", "3.2.12"),
            digests[0],
            digests[1],
            ("0.4.2", "0.4.3")
        ]),
        "other_change"
    );
    let index = "registry = \"https://pypi.org/simple\" }\ndependencies";
    let evil = "registry = \"https://evil.example/simple\" }\ndependencies";
    assert_eq!(
        of(&[("3.2.11", "3.2.12"), digests[0], digests[1], (index, evil)]),
        "non_registry_source"
    );
}
