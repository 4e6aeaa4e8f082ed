//! PyPI: requirements, pyproject, Pipfile and the lock files.

use super::*;

fn sha256(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

#[test]
fn a_pinned_requirement_with_digests_may_change_their_number() {
    let (a, b, c) = (sha256('a'), sha256('b'), sha256('c'));
    let lines = format!(
        "-django==3.2.11 \\\n-    --hash={a} \\\n-    --hash={b}\n+django==3.2.12 \\\n+    --hash={c}\n     # via -r requirements.in"
    );
    assert_eq!(code("requirements.txt", &lines, &django()), "remedies");
    let inline = format!("-django==3.2.11 --hash={a}\n+django==3.2.12 --hash={b}");
    assert_eq!(code("requirements.txt", &inline, &django()), "remedies");
}

#[test]
fn a_digest_of_a_requirement_may_not_change_alone_or_disappear() {
    let (a, b) = (sha256('a'), sha256('b'));
    let alone = format!(" django==3.2.12 \\\n-    --hash={a}\n+    --hash={b}");
    assert_eq!(
        code("requirements.txt", &alone, &django()),
        "integrity_without_version"
    );
    let inline = format!("-django==3.2.12 --hash={a}\n+django==3.2.12 --hash={b}");
    assert_eq!(
        code("requirements.txt", &inline, &django()),
        "integrity_without_version"
    );
    let spelled = format!("-django==3.2 --hash={a}\n+django==3.2.0 --hash={b}");
    assert_eq!(
        code("requirements.txt", &spelled, &django()),
        "version_unmoved"
    );
    let gone = format!("-django==3.2.11 --hash={a}\n+django==3.2.12");
    assert_eq!(
        code("requirements.txt", &gone, &django()),
        "more_than_the_version"
    );
    let gone = format!("-django==3.2.11 \\\n-    --hash={a}\n+django==3.2.12 \\\n flask==1.0");
    assert_eq!(
        code("requirements.txt", &gone, &django()),
        "integrity_dropped"
    );
}

#[test]
fn only_the_specifier_of_a_requirement_may_change() {
    let table = [
        (
            "-django==3.2.11\n+django==3.2.12 ; python_version < '3'",
            "more_than_the_version",
        ),
        (
            "-django[argon2]==3.2.11\n+django==3.2.12",
            "more_than_the_version",
        ),
        ("-django==3.2.11\n+Django==3.2.12", "more_than_the_version"),
        (
            "-django==3.2.11\n+django @ https://evil.example/django-3.2.12.tar.gz",
            "non_registry_source",
        ),
        (
            "-django==3.2.11\n+-e git+https://evil.example/django.git#egg=django",
            "installer_option",
        ),
        (
            "-django==3.2.11\n+--index-url https://evil.example/simple\n+django==3.2.12",
            "installer_option",
        ),
        (
            "-django==3.2.11\n+--find-links https://evil.example\n+django==3.2.12",
            "installer_option",
        ),
        (
            "-django==3.2.11\n+django==3.2.12\n+flask==1.0",
            "new_dependency",
        ),
        (
            "-django==3.2.11\n-flask==1.0\n+django==3.2.12",
            "removed_dependency",
        ),
        ("+django==3.2.12", "new_dependency"),
        ("-django==3.2.11", "removed_dependency"),
        (
            "-django==3.2.11\n+django==3.2.12\n+# a comment",
            "not_understood",
        ),
        (
            " --find-links \\\n-django==3.2.11\n+django==3.2.12",
            "not_understood",
        ),
        (
            "-django==3.2.11\n+django==3.2.12#egg=evil",
            "not_understood",
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(
            code("requirements.txt", lines, &django()),
            expected,
            "{lines}"
        );
    }
    let kept = "-django[argon2]==3.2.11 ; python_version >= '3.8'  # web\n+django[argon2]==3.2.12 ; python_version >= '3.8'  # web";
    assert_eq!(code("requirements/base.txt", kept, &django()), "remedies");
}

#[test]
fn a_second_pin_that_stays_affected_refutes() {
    let lines = " django==2.2.1 ; python_version < '3'\n-django==3.2.11 ; python_version >= '3'\n+django==3.2.12 ; python_version >= '3'";
    assert_eq!(
        code("requirements.txt", lines, &django()),
        "place_left_behind"
    );
}

#[test]
fn all_forms_of_pyproject_and_pipfile_are_read() {
    let good = [
        (
            "pyproject.toml",
            " [project]\n dependencies = [\n-    \"django>=3.2.11,<4\",\n+    \"django>=3.2.12,<4\",\n ]",
        ),
        (
            "pyproject.toml",
            " [project.optional-dependencies]\n web = [\n-    \"Django[argon2]~=3.2.11\",\n+    \"Django[argon2]~=3.2.12\",\n ]",
        ),
        (
            "pyproject.toml",
            " [tool.poetry.dependencies]\n python = \"^3.8\"\n-django = \"^3.2.11\"\n+django = \"^3.2.12\"",
        ),
        (
            "pyproject.toml",
            " [tool.poetry.group.dev.dependencies]\n-django = {version = \"^3.2.11\", extras = [\"x\"]}\n+django = {version = \"^3.2.12\", extras = [\"x\"]}",
        ),
        (
            "pyproject.toml",
            " [tool.poetry.dependencies.django]\n-version = \"3.2.11\"\n+version = \"3.2.12\"",
        ),
        (
            "Pipfile",
            " [packages]\n-django = \"==3.2.11\"\n+django = \"==3.2.12\"",
        ),
        (
            "Pipfile",
            " [dev-packages]\n-django = {version = \"==3.2.11\"}\n+django = {version = \"==3.2.12\"}",
        ),
    ];
    for (path, lines) in good {
        assert_eq!(code(path, lines, &django()), "remedies", "{lines}");
    }
}

#[test]
fn sections_and_keys_that_install_nothing_are_refused() {
    let table = [
        (
            "pyproject.toml",
            " [project]\n-version = \"3.2.11\"\n+version = \"3.2.12\"",
            "section",
        ),
        (
            "pyproject.toml",
            " [project]\n keywords = [\n-    \"django==3.2.11\",\n+    \"django==3.2.12\",\n ]",
            "section",
        ),
        (
            "pyproject.toml",
            " [tool.black]\n-django = \"3.2.11\"\n+django = \"3.2.12\"",
            "section",
        ),
        (
            "pyproject.toml",
            " [tool.poetry.dependencies]\n-django = \"3.2.11\"\n+django = {git = \"https://evil.example\", version = \"3.2.12\"}",
            "non_registry_source",
        ),
        (
            "pyproject.toml",
            " [tool.poetry.dependencies]\n-django = {version = \"3.2.11\", source = \"x\"}\n+django = {version = \"3.2.12\", source = \"x\"}",
            "non_registry_source",
        ),
        (
            "pyproject.toml",
            " [[tool.poetry.source]]\n-url = \"https://a.example\"\n+url = \"https://b.example\"",
            "section",
        ),
        (
            "Pipfile",
            " [[source]]\n-url = \"https://a.example\"\n+url = \"https://b.example\"",
            "section",
        ),
    ];
    for (path, lines, expected) in table {
        assert_eq!(code(path, lines, &django()), expected, "{lines}");
    }
}

#[test]
fn a_poetry_lock_moves_with_its_files_and_content_hash() {
    let (a, b) = (sha256('a'), sha256('b'));
    let lines = |file: &str| {
        format!(
            " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n description = \"d\"\n files = [\n\
             -    {{file = \"Django-3.2.11-py3-none-any.whl\", hash = \"{a}\"}},\n-    {{file = \"Django-3.2.11.tar.gz\", hash = \"{a}\"}},\n\
             +    {{file = \"{file}\", hash = \"{b}\"}},\n ]\n [metadata]\n-content-hash = \"{}\"\n+content-hash = \"{}\"",
            "a".repeat(64),
            "b".repeat(64)
        )
    };
    assert_eq!(
        code(
            "poetry.lock",
            &lines("Django-3.2.12-py3-none-any.whl"),
            &django()
        ),
        "remedies"
    );
    assert_eq!(
        code(
            "poetry.lock",
            &lines("evil-3.2.12-py3-none-any.whl"),
            &django()
        ),
        "other_package"
    );
    assert_eq!(
        code(
            "poetry.lock",
            &lines("Django-3.2.11-py3-none-any.whl"),
            &django()
        ),
        "integrity_without_version"
    );
}

#[test]
fn a_poetry_entry_from_elsewhere_is_refused() {
    let lines = " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n [package.source]\n type = \"git\"";
    assert_eq!(code("poetry.lock", lines, &django()), "non_registry_source");
}

#[test]
fn a_uv_lock_moves_with_its_artifacts_on_the_same_host() {
    let (a, b) = (sha256('a'), sha256('b'));
    let lines = |source: &str, host: &str| {
        format!(
            " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n source = {source}\n\
             -sdist = {{ url = \"https://files.pythonhosted.org/packages/a/b/Django-3.2.11.tar.gz\", hash = \"{a}\", size = 1 }}\n\
             +sdist = {{ url = \"https://{host}/packages/c/d/Django-3.2.12.tar.gz\", hash = \"{b}\", size = 2 }}\n \
             requires-dist = [\n-    {{ name = \"django\", specifier = \">=3.2.11,<4\" }},\n+    {{ name = \"django\", specifier = \">=3.2.12,<4\" }},\n ]"
        )
    };
    let pypi = "{ registry = \"https://pypi.org/simple\" }";
    assert_eq!(
        code("uv.lock", &lines(pypi, "files.pythonhosted.org"), &django()),
        "remedies"
    );
    assert_eq!(
        code("uv.lock", &lines(pypi, "evil.example"), &django()),
        "non_registry_source"
    );
    assert_eq!(
        code(
            "uv.lock",
            &lines("{ editable = \".\" }", "files.pythonhosted.org"),
            &django()
        ),
        "non_registry_source"
    );
    let hidden = lines(pypi, "files.pythonhosted.org").replace(&format!(" source = {pypi}\n"), "");
    assert_eq!(code("uv.lock", &hidden, &django()), "entry_incomplete");
}

#[test]
fn a_pipfile_lock_moves_with_its_digests() {
    let (a, b, c) = (sha256('a'), sha256('b'), sha256('c'));
    let lines = |index: &str| {
        format!(
            "         \"django\": {{\n             \"hashes\": [\n-                \"{a}\"\n+                \"{b}\",\n+                \"{c}\"\n             ],\n\
             {index}-            \"version\": \"==3.2.11\"\n+            \"version\": \"==3.2.12\"\n         }},"
        )
    };
    assert_eq!(
        code(
            "Pipfile.lock",
            &lines("             \"index\": \"pypi\",\n"),
            &django()
        ),
        "remedies"
    );
    assert_eq!(
        code(
            "Pipfile.lock",
            &lines("             \"index\": \"evil\",\n"),
            &django()
        ),
        "non_registry_source"
    );
}
