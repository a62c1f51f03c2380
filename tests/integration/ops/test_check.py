# SPDX-License-Identifier: MIT
"""Tests `oneportd --check`: what it finds, and that it changes nothing. The domain is localhost, or
a name that does not exist, so that no test asks a real name server for more than that."""

import os
import re
import tempfile

import pytest
from support.programs import free_port, run


def check(*options, env=None):
    """Returns (exit code, {what: [(verdict, text)]})."""
    code, out, err = run("oneportd", "--check", *options, env=env, deadline_s=60)
    assert err == ""
    found = {}
    for line in out.splitlines():
        verdict, what, text = re.match(r"(\w+) +(\w+) +(.*)$", line).groups()
        found.setdefault(what, []).append((verdict, text))
    return code, found


def verdicts(found, what):
    return [verdict for verdict, _ in found[what]]


def pair(cert, key):
    return ["--cert", cert, "--key", key]


@pytest.fixture
def bare(tmp_path):
    """All usual options but those of the certificate."""
    return [
        *("--domain", "localhost", "--listen", f"127.0.0.1:{free_port()}"),
        *("--state-dir", tmp_path / "state"),
    ]


@pytest.fixture
def usual(bare, certificate):
    return [*bare, *pair(certificate.cert, certificate.key)]


@pytest.mark.rule("O146")
def test_a_new_server(usual, tmp_path):
    _, found = check(*usual)
    assert verdicts(found, "options") == ["ok"]
    assert verdicts(found, "certificate") == ["ok"]
    assert verdicts(found, "listen") == ["ok"]
    assert "the first start makes it" in found["state"][0][1]
    assert not (tmp_path / "state").exists()


@pytest.mark.rule("O170")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_root_asks_about_a_server_of_another_user(usual):
    with tempfile.TemporaryDirectory() as above:
        state = os.path.join(above, "state")
        os.mkdir(state, 0o700)
        os.chmod(above, 0o755)
        os.chown(state, 65534, 65534)
        _, found = check(*usual, "--state-dir", state)
    assert found["state"] == [("ok", state)]


@pytest.mark.rule("O146")
def test_a_certificate_for_somebody_else(bare, authority):
    other = authority.issue("elsewhere", "elsewhere.test")
    code, found = check(*bare, *pair(other.cert, other.key))
    assert code == 1
    faults = [text for verdict, text in found["certificate"] if verdict == "FAULT"]
    assert [text.partition(" is not for ")[2] for text in faults] == [
        "localhost",
        "*.localhost: tunnels need it",
    ]


@pytest.mark.rule("O146")
def test_a_key_that_is_missing(bare, certificate, tmp_path):
    code, found = check(*bare, *pair(certificate.cert, tmp_path / "none.pem"))
    assert code == 1 and "none.pem" in found["certificate"][0][1]


@pytest.mark.rule("O146")
def test_a_port_that_is_taken(usual, server):
    code, found = check(*usual, "--listen", f"127.0.0.1:{server.port}")
    said = f"127.0.0.1:{server.port}: Address already in use; `ss -ltnp` shows who has it"
    assert code == 1 and ("FAULT", said) in found["listen"]


@pytest.mark.rule("O146")
def test_beside_the_server_that_it_asks_about(server, authority):
    """The check finds the server by its port, and its certificate by the variable of OpenSSL."""
    before = sorted(os.listdir(server.directory / "state"))
    _, found = check(
        *("--domain", "localhost", "--listen", f"127.0.0.1:{server.port}"),
        *("--cert", server.certificate.cert, "--key", server.certificate.key),
        *("--state-dir", server.directory / "state"),
        *("--public-url", f"https://localhost:{server.port}"),
        env={"SSL_CERT_FILE": server.certificate.ca},
    )
    assert found["state"][0][1].endswith("is in use: oneportd runs")
    assert verdicts(found, "listen") == ["ok"]
    assert found["front"] == [("ok", "oneportd answers at https://localhost")]
    assert sorted(os.listdir(server.directory / "state")) == before


@pytest.mark.rule("O146")
def test_a_front_end_that_clients_do_not_trust(server):
    _, found = check(
        *("--domain", "localhost", "--state-dir", server.directory / "state"),
        *("--public-url", f"https://localhost:{server.port}"),
        env={"SSL_CERT_FILE": "/dev/null"},
    )
    assert verdicts(found, "front") == ["FAULT"] and "clients refuse" in found["front"][0][1]


@pytest.mark.rule("O146")
def test_a_domain_without_dns(usual):
    code, found = check(*usual, "--domain", "oneport-test.invalid")
    assert code == 1 and set(verdicts(found, "DNS")) == {"FAULT", "note"}
    assert "*.oneport-test.invalid is missing" in found["DNS"][-1][1]
