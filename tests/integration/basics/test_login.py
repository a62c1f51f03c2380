# SPDX-License-Identifier: MIT
"""Tests `oneport login HOST`: what it asks, what it remembers, and what it says when that cannot
be."""

import json
import stat

import pytest
from support.certs import Authority
from support.origins import answering, reply
from support.programs import BIN, Program, free_port, run
from support.viewer import fetch

USAGE, REFUSED, CERTIFICATE, UNREACHABLE = 1, 2, 3, 4


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def file(home):
    return home / ".config" / "oneport" / "config"


def login(home, *arguments, **env):
    return run("oneport", "login", *arguments, env={"HOME": home, "ONEPORT_CONFIG": "", **env})


@pytest.mark.rule("O104")
def test_the_port_is_enough_afterwards(home, file, server, http_origin, ended):
    """--ca is remembered too, by its whole path."""
    ca = home / "ca.pem"
    ca.write_bytes(server.certificate.ca.read_bytes())
    code, out, err = login(home, server.url, "--ca", f"{home}/../{home.name}/ca.pem")
    assert (code, err) == (0, "")
    assert f"localhost:{server.port} is an oneportd " in out and str(file) in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text() == f"host = {server.url}\nca = {ca.resolve()}\n"
    env = {"HOME": home, "ONEPORT_CONFIG": "", "XDG_STATE_HOME": home / "state"}
    client = Program([BIN / "oneport", http_origin.port], home, "oneport", env=env)
    ended.callback(client.stop)
    url = client.wait_output(r"\Ayour url is: (\S+)$", 10, "stdout").group(1)
    assert fetch(server.port, url.partition("://")[2], "/echo").status == 200


@pytest.mark.rule("O104")
def test_the_rest_of_the_file_stays(home, file, server):
    """A link to the file stays a link."""
    real = home / "dotfiles" / "oneport"
    real.parent.mkdir()
    file.parent.mkdir(parents=True)
    file.symlink_to(real)
    text = (
        f"# mine\nca = {server.certificate.ca}\nhost = {{}} ; the office\n\n"
        "[tunnel web]\nport = 3000\n"
    )
    real.write_text(text.format("https://192.0.2.1"))
    code, _, err = login(home, server.url)
    assert (code, err) == (0, "")
    assert file.is_symlink() and real.read_text() == text.format(server.url)


@pytest.mark.rule("O104")
def test_a_file_that_is_named(home, file, server):
    named = home / "new.conf"
    code, out, _ = login(home, server.url, "--ca", server.certificate.ca, "--config", named)
    assert code == 0 and str(named) in out
    assert named.read_text().startswith(f"host = {server.url}\n") and not file.exists()


@pytest.mark.rule("O104")
def test_the_directory_of_xdg(home, file, server):
    code, _, _ = login(
        home, server.url, "--ca", server.certificate.ca, XDG_CONFIG_HOME=home / "xdg"
    )
    assert code == 0 and (home / "xdg" / "oneport" / "config").exists() and not file.exists()


@pytest.mark.rule("O104")
def test_what_the_environment_says_is_told(home, server):
    code, _, err = login(
        home, server.url, "--ca", server.certificate.ca, ONEPORT_HOST="elsewhere.example"
    )
    assert code == 0
    assert (
        err == "oneport: ONEPORT_HOST=elsewhere.example in the environment still beats the file\n"
    )


STATUS_OF_LOCALTUNNEL = json.dumps({"tunnels": 1, "mem": {"rss": 1}}).encode()


@pytest.mark.rule("O104")
@pytest.mark.parametrize(
    "answer, error",
    [
        (reply(b"<html>"), "its /api/status is not that of an oneportd"),
        (reply(STATUS_OF_LOCALTUNNEL), "it is a server of localtunnel"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n"
            b"Content-Length: 0\r\n\r\n",
            "a redirect to https://elsewhere.example/: name that server",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answers 404 to /api/status"),
    ],
)
def test_a_server_that_is_no_oneportd(answer, error, home, file, scripted):
    port = scripted(answering(answer)).port
    code, out, err = login(home, f"http://127.0.0.1:{port}")
    assert (code, out) == (REFUSED, "")
    assert err.startswith(f"oneport: 127.0.0.1:{port} is not remembered: ") and error in err
    assert err.count("\n") == 1 and not file.exists()


@pytest.mark.rule("O104")
def test_a_server_that_is_not_there(home, file):
    port = free_port()
    code, out, err = login(home, f"http://127.0.0.1:{port}")
    assert (code, out) == (UNREACHABLE, "") and err.count("\n") == 1
    assert err.startswith(f"oneport: 127.0.0.1:{port} cannot be asked: TCP: ")
    assert not file.exists()


@pytest.mark.rule("O104")
def test_a_certificate_that_is_refused(home, file, server, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    code, out, err = login(home, server.url, "--ca", stranger.cert)
    assert (code, out) == (CERTIFICATE, "") and "cannot be asked: TLS: " in err
    assert not file.exists()


@pytest.mark.rule("O104")
def test_a_file_with_a_fault_is_left_alone(home, file, server):
    file.parent.mkdir(parents=True)
    file.write_text("hots = x\n")
    code, _, err = login(home, server.url, "--ca", server.certificate.ca)
    assert code == USAGE and f"{file}:1: unknown option 'hots'" in err
    assert file.read_text() == "hots = x\n"


@pytest.mark.rule("O104")
def test_a_directory_that_cannot_be_written(home, file, server):
    (home / ".config").write_text("a file in its place")
    code, _, err = login(home, server.url, "--ca", server.certificate.ca)
    assert code == USAGE and str(file) in err and "Not a directory" in err
