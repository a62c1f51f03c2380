# SPDX-License-Identifier: MIT
"""Tests `oneportd token`: new, list, revoke and check."""

import hashlib
import os
import re
import stat

import pytest
from support.foreign import call
from support.programs import run

TEXT = """# who may share
ann sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 names=demo-* of Ann

  # later
bob cert max=5
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(TEXT)
    file.chmod(0o640)
    return file


def token(path, *words, code=0):
    """Runs the command. Returns (standard output, standard error)."""
    got, out, err = run("oneportd", "token", "--tokens", path, *words)
    assert got == code, (got, out, err)
    return out, err


@pytest.mark.rule("T12")
def test_a_new_token_is_printed_once(path, new_server):
    out, err = token(path, "new", "eve", "names=e*", "max=2", "of", "Eve")
    assert re.fullmatch(r"op_[\w-]{43}\n", out) and out.strip() not in err
    digest = hashlib.sha256(out.strip().encode()).hexdigest()
    assert path.read_text() == TEXT + f"eve sha256:{digest} names=e* max=2 of Eve\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    server = new_server("--tokens", path)
    assert call(server, "/register/eve-1", f"Authorization: Bearer {out.strip()}").status == 200
    assert token(path, "new", "joe", "max=1")[0] != out


@pytest.mark.rule("T12")
def test_a_file_that_is_not_there_is_made(tmp_path):
    path = tmp_path / "tokens"
    token(path, "list", code=1)
    token(path, "new", "ann")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"ann sha256:[0-9a-f]{64}\n", path.read_text())
    path.write_text(path.read_text().strip())  # without a line feed
    token(path, "new", "bob")
    assert len(path.read_text().splitlines()) == 2
    assert os.listdir(tmp_path) == ["tokens"]


@pytest.mark.rule("T12")
def test_revoke_leaves_the_rest(path):
    token(path, "revoke", "ann")
    assert path.read_text() == "# who may share\n\n  # later\nbob cert max=5\n"
    assert "no token of the file" in token(path, "revoke", "ann", code=1)[1]


@pytest.mark.rule("T12")
def test_list_and_check(path):
    out, _ = token(path, "list")
    assert [one.split() for one in out.splitlines()] == [
        ["ann", "token", "names=demo-*", "of", "Ann"],
        ["bob", "cert", "max=5"],
    ]
    assert token(path, "check")[0] == f"{path}: 2 tokens\n"
    path.write_text("ann\n")
    assert ":1: the line has no sha256:" in token(path, "check", code=1)[1]


@pytest.mark.rule("T12")
@pytest.mark.parametrize(
    "words, message",
    [
        (["ann"], "'ann' stands there twice"),
        (["a b"], "is no ID"),
        (["eve", "polcy=x"], "not known"),
        (["eve", "of", "max=2", "max=3"], "twice"),
        (["eve", "of\nbob cert"], "a line cannot have"),
        (["eve", "of", "max=2"], "behind the comment"),
    ],
)
def test_what_oneportd_would_not_read_is_not_written(path, words, message):
    assert message in token(path, "new", *words, code=1)[1]
    assert path.read_text() == TEXT


@pytest.mark.rule("T12")
def test_a_file_that_others_may_write(path):
    path.chmod(0o666)
    for words in ["list"], ["new", "eve"], ["revoke", "ann"], ["check"]:
        token(path, *words, code=1)
    assert path.read_text() == TEXT


@pytest.mark.rule("T12")
def test_the_configuration_file_names_it(path, tmp_path):
    conf = tmp_path / "oneportd.conf"
    conf.write_text(f"domain = localhost\ntokens = {path}\n")
    code, out, _ = run("oneportd", "token", "--config", conf, "list")
    assert code == 0 and out.startswith("ann ")
    code, _, err = run("oneportd", "token", "list")
    assert code == 1 and "--tokens: is required" in err
