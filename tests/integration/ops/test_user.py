# SPDX-License-Identifier: MIT
"""Tests the user that oneportd serves as when root starts it: what it gives to that user, what it
tries before, and that reloads work afterwards."""

import os
import pathlib
import pwd
import shutil
import signal
import ssl
import tempfile

import pytest
from support.programs import BIN, Program, Server
from support.viewer import Viewer
from support.wait import wait_until

USAGE = 1
NAME = "nobody"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root becomes another user")


@pytest.fixture
def place():
    """Returns a folder that every user can reach, which pytest's are not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="oneport-user."))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def words_for(state, *options):
    return [
        *[BIN / "oneportd", "--domain", "localhost", "--state-dir", state],
        *["--listen", "127.0.0.1:0", "--access-log", "off", *options],
    ]


def start(place, *options, state=None):
    program = Program(words_for(state or place / "state", *options), place, "oneportd")
    program.wait_output(" listening ")
    return program


def refusal(place, *options):
    """Waits until the program has refused to start. Returns what it said."""
    program = Program(words_for(place / "state", *options), place, "oneportd")
    program.expect_exit(USAGE)
    lines = [line for line in program.log.splitlines() if line.startswith("oneportd: ")]
    assert len(lines) == 1, program.log
    return lines[0]


def ids_of(program, field):
    for line in pathlib.Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return {int(word) for word in line.split()[1:]}
    raise AssertionError(field)


def owners(state):
    return {path.stat().st_uid for path in [state, *state.iterdir()]}


@pytest.mark.rule("O120")
def test_root_becomes_the_user_and_gives_it_the_directory(place):
    user = pwd.getpwnam(NAME)
    state = place / "new" / "state"
    program = start(place, "--user", NAME, state=state)
    assert ids_of(program, "Uid") == {user.pw_uid}  # real, effective, saved, of files
    assert ids_of(program, "Gid") == {user.pw_gid}
    assert ids_of(program, "Groups") == set(os.getgrouplist(NAME, user.pw_gid))
    assert (
        pathlib.Path(f"/proc/{program.pid}/status").read_text().count("CapPrm:\t0000000000000000")
    )
    wait_until(lambda: (state / "names").exists(), what="the names file")
    assert owners(state) == {user.pw_uid} and state.parent.stat().st_uid == user.pw_uid
    program.stop()


@pytest.mark.rule("O120")
def test_a_directory_of_root_and_its_keys_pass_to_the_user(place):
    start(place).stop()
    secret = (place / "state" / "secret").read_text()
    assert owners(place / "state") == {0}
    start(place, "--user", NAME).stop()
    assert owners(place / "state") == {pwd.getpwnam(NAME).pw_uid}
    assert (place / "state" / "secret").read_text() == secret


@pytest.mark.rule("O120")
def test_a_directory_with_other_files_is_not_given_away(place):
    (place / "state").mkdir(0o700)
    (place / "state" / "thesis.tex").write_text("")
    assert "not oneportd's" in refusal(place, "--user", NAME)
    assert owners(place / "state") == {0}


@pytest.mark.rule("O120")
def test_what_cannot_be_is_said(place):
    assert "no user nemo-nemo" in refusal(place, "--user", "nemo-nemo")
    as_nobody = ["setpriv", "--reuid", NAME, "--regid", "nogroup", "--clear-groups"]
    words = words_for(place / "state", "--user", "daemon")
    program = Program([*as_nobody, *words], place, "oneportd")
    program.expect_exit(USAGE)
    assert "only root can become daemon" in program.log


@pytest.mark.rule("O121")
def test_the_owner_of_the_directory_is_the_default(place):
    state = place / "state"
    state.mkdir(0o700)
    user = pwd.getpwnam(NAME)
    os.chown(state, user.pw_uid, user.pw_gid)
    program = start(place)
    assert ids_of(program, "Uid") == {user.pw_uid}
    assert f"serves_as user={NAME}" in program.log
    program.stop()


@pytest.mark.rule("O121")
def test_without_an_owner_root_stays_and_says_so(place):
    program = start(place)
    assert ids_of(program, "Uid") == {0}
    assert "stays_root" in program.log
    program.stop()


class Pair:
    """Is a certificate and its key in a folder of @place, which root alone may read at first."""

    def __init__(self, place, authority):
        self.folder = place / "ssl"
        self.folder.mkdir()
        self.cert, self.key, self.ca = self.folder / "s.crt", self.folder / "s.key", authority.cert
        self.pairs = [authority.issue(f"user-{n}", "localhost", "*.localhost") for n in range(2)]
        self.put(0)

    def put(self, number):
        """Renews the pair by rename, as certbot's hooks and Kubernetes do."""
        for source, target in (
            (self.pairs[number].cert, self.cert),
            (self.pairs[number].key, self.key),
        ):
            fresh = target.with_suffix(".new")
            shutil.copy(source, fresh)
            fresh.chmod(0o640)
            os.chown(fresh, 0, target.stat().st_gid if target.exists() else 0)
            fresh.rename(target)

    def open_to(self, group):
        for path in (self.folder, self.cert, self.key):
            os.chown(path, 0, group)
        self.folder.chmod(0o750)

    def client_context(self, alpn=None):
        return self.pairs[0].client_context(alpn)

    @property
    def options(self):
        return ["--cert", self.cert, "--key", self.key, "--user", NAME]


@pytest.mark.rule("O122")
def test_a_key_that_a_reload_could_not_read_names_the_group(place, authority):
    pair = Pair(place, authority)
    pair.open_to(os.stat("/etc/shadow").st_gid)
    said = refusal(place, *pair.options)
    assert f"{NAME} cannot read {pair.cert}" in said
    assert f"the group shadow may pass {pair.folder}" in said and "adduser nobody shadow" in said
    assert not (place / "state").exists()
    pair.folder.chmod(0o700)
    assert f"{pair.folder} is open to no group of {NAME}" in refusal(place, *pair.options)


@pytest.mark.rule("O122")
def test_the_folders_of_certificates_and_challenges(place, authority, ended):
    """A folder, or one of its files, that a reload could not read is named. What is open to the
    user is read again at SIGHUP."""
    pair, certs, acme = Pair(place, authority), place / "certs", place / "acme"
    for folder in (certs, acme):
        folder.mkdir(0o700)
    options = ["--user", NAME, "--cert-dir", certs, "--acme-dir", acme]
    assert f"{NAME} cannot read {acme}" in refusal(place, *options)
    acme.chmod(0o755)
    assert f"{NAME} cannot read {certs}" in refusal(place, *options)
    certs.chmod(0o755)
    file = certs / "default.pem"
    file.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    file.chmod(0o600)
    assert f"{NAME} cannot read {file}" in refusal(place, *options)
    os.chown(file, 0, pwd.getpwnam(NAME).pw_gid)
    file.chmod(0o640)
    program = start(place, *options)
    ended.callback(program.stop)
    program.signal(signal.SIGHUP)
    program.wait_output("certificate_reloaded .*default.pem certificates=1")


@pytest.mark.rule("O122")
def test_a_log_that_could_not_be_opened_again_is_said(place):
    (place / "log").mkdir(0o755)
    said = refusal(place, "--user", NAME, "--access-log", place / "log" / "access.log")
    assert f"{NAME} cannot make {place}/log/access.log: {place}/log is open to no group" in said


def shown(server):
    with Viewer(server.port, server.certificate.client_context()) as viewer:
        return viewer.socket.getpeercert(binary_form=True)


@pytest.mark.rule("O122")
def test_sighup_renews_certificate_and_log_as_the_user(place, authority, ended):
    pair = Pair(place, authority)
    user = pwd.getpwnam(NAME)
    pair.open_to(user.pw_gid)
    os.chown(place, user.pw_uid, user.pw_gid)
    server = Server(place, pair, "--user", NAME)
    ended.callback(server.stop)
    assert ids_of(server.program, "Uid") == {user.pw_uid}
    ders = [ssl.PEM_cert_to_DER_cert(one.cert.read_text()) for one in pair.pairs]
    assert shown(server) == ders[0]
    pair.put(1)
    (place / "access.log").rename(place / "access.log.1")
    server.program.signal(signal.SIGHUP)
    server.wait_log(" reloaded signal=1")
    assert shown(server) == ders[1]
    assert (place / "access.log").stat().st_uid == user.pw_uid


@pytest.mark.rule("O121", "O124")
def test_options_are_read_again_as_the_user(place, ended):
    """In the sandbox too, also when the file is replaced. No option seems to differ."""
    options = place / "etc" / "oneportd.conf"
    options.parent.mkdir()
    options.write_text("hold = 4s\n")
    program = start(place, "--user", NAME, "--config", options)
    ended.callback(program.stop)
    fresh = options.with_suffix(".new")
    fresh.write_text("hold = 5s\n")
    fresh.rename(options)
    program.signal(signal.SIGHUP)
    program.wait_output("options_reloaded options=hold")
    program.wait_output(" reloaded signal=1")
    assert "options_need_restart" not in program.log
