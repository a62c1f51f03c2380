# SPDX-License-Identifier: MIT
"""Tests what the clients of older servers get, which this server does not serve: localtunnel's `lt`
and `wave share` of H2O Wave. They are told so once and end, or wait, and take no name."""

import select
import socket
import sys
import time

import pytest
from support import nginx
from support.nginx import Nginx
from support.programs import SLOW, TOP, Program
from support.viewer import Viewer, fetch
from support.wait import wait_until

NEEDS = "needs the oneport client"
LT = ["Accept: application/json, text/plain, */*", "User-Agent: axios/0.21.4"]
BROWSER = ["Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"]
PATHS = [
    *("/?new", "/?new=1", "/some-name", "/a", "/A_b.c", "/" + "n" * 64, "/icon.ico", "/tunnel"),
    *("//?new", "//some-name"),  # the server's URL was given with a slash at its end
]
LEAP_S, LEAPS = 2, 256  # src/edge/leap.h
LEAP = b"__h2o_leap__ some-name\n"


@pytest.fixture(scope="module", params=["direct", "nginx"])
def front(request, server, tmp_path_factory):
    """Is where viewers arrive: the server itself, or an nginx with the shipped file."""
    if request.param == "direct":
        yield server
        return
    if not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    front = Nginx(server, tmp_path_factory.mktemp("nginx"))
    yield front
    front.stop()


def ask(front, path, *fields, method="GET"):
    with Viewer(front.port, front.certificate.client_context(["http/1.1"])) as viewer:
        return viewer.get("localhost", path, *fields, method=method)


def names(server):
    return fetch(server.port, "localhost", "/api/status").json()["tunnels"]


@pytest.mark.rule("Q50")
@pytest.mark.parametrize("fields", [LT, ["Accept: */*"], []], ids=["lt", "any", "none"])
@pytest.mark.parametrize("path", PATHS)
def test_old_register_calls(path, fields, front, server):
    """202 is the one answer that these clients show and end on. Nothing is registered, also if the
    call carries a ticket."""
    before = names(server)
    got = ask(front, path, *fields)
    assert got.status == 202 and got.get("Content-Type") == "application/json"
    assert set(got.json()) == {"message"} and NEEDS in got.json()["message"]
    assert got.get("Cache-Control") == "no-store"
    assert ask(front, path, *fields, "Oneport-Ticket: x.y", "Oneport-Exact: ?1").status == 202
    to_head = ask(front, path, *fields, method="HEAD")
    assert to_head.status == 202 and to_head.get("Content-Length") == got.get("Content-Length")
    assert names(server) == before


@pytest.mark.rule("Q50")
def test_a_browser_gets_a_page(front):
    got = ask(front, "/some-name", *BROWSER)
    assert got.status == 404 and got.get("Content-Type").startswith("text/html")
    assert ask(front, "/some-name", *BROWSER, method="HEAD").status == 404
    landing = ask(front, "/?new", *BROWSER)
    assert landing.status == 200 and landing.get("Content-Type").startswith("text/html")


@pytest.mark.rule("Q50")
def test_other_methods_and_paths(front):
    for method in ("POST", "PUT", "DELETE"):
        got = ask(front, "/some-name", method=method)
        assert got.status == 405 and got.get("Allow") == "GET, HEAD, OPTIONS"
    assert ask(front, "/?newer").status == 200
    assert ask(front, "/some-name/x").status == 404


@pytest.mark.rule("Q50")
def test_register_stays(front, name):
    """Clients that read localtunnel's fields from these two paths go on to work."""
    random = ask(front, "/register").json()
    named = ask(front, f"/register/{name}").json()
    assert named["id"] == name
    for answer in (random, named):
        assert {"id", "url", "port", "max_conn_count"} <= set(answer)


def caller(kind, port, directory, *words):
    """Starts the double of an old client, and returns its Program."""
    words = [sys.executable, "-u", "-m", "support.old_callers", kind, "--port", port, *words]
    program = Program(words, directory, f"caller-{kind}", env={"PYTHONPATH": TOP / "tests"})
    program.judged = True  # it is no program under test
    return program


@pytest.mark.rule("Q50")
@pytest.mark.parametrize("subdomain", [(), ("--subdomain", "some-name")], ids=["random", "named"])
@pytest.mark.parametrize(
    "kind, said",
    [
        ("lt", "Error: This server needs the oneport client: oneport --host "),
        ("go", "internal server error, statusCode: 202"),
        ("wave", "Could not connect to the remote sharing server."),
    ],
    ids=["lt", "go-localtunnel", "wave 0.26"],
)
def test_old_clients_show_the_refusal_and_end(kind, said, subdomain, front, server, tmp_path):
    """Each asks once, by https, and gets no name."""
    before, asked = names(server), server.access_log.count(" 202 ")
    program = caller(kind, front.port, tmp_path, "--ca", server.certificate.ca, *subdomain)
    program.expect_exit(1, 20)
    assert said in program.stdout + program.log
    assert names(server) == before and server.access_log.count(" 202 ") == asked + 1


@pytest.mark.rule("Q50")
@pytest.mark.parametrize("line", ["204 No Content", "403 Forbidden", "404 Not Found", "503 Busy"])
def test_why_202(line, scripted, tmp_path):
    """Another refusal makes lt ask each second for ever, or end without saying why."""

    def serve(connection):
        connection.request()
        empty = "" if line.startswith("204") else "Content-Length: 2\r\n"
        body = "" if not empty else "{}"
        connection.send(f"HTTP/1.1 {line}\r\n{empty}\r\n{body}".encode())

    origin = scripted(serve)
    program = caller("lt", origin.port, tmp_path)
    try:
        if line.startswith("204"):
            program.expect_exit(1)
            assert "please try again" in program.log
        else:
            origin.wait_connections(3)
            assert program.running
    finally:
        program.process.kill()
        program.wait()


# ---- leap lines ----
def leap(server, secure=False, data=LEAP):
    """Opens a connection, sends the line and returns the socket."""
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    if secure:
        raw = server.certificate.client_context([]).wrap_socket(raw, server_hostname="localhost")
    raw.sendall(data)
    return raw


def ended(raw):
    """Waits for the end of a connection. Returns what came before."""
    got = b""
    try:
        while data := raw.recv(4096):
            got += data
    except ConnectionResetError:
        pass
    return got


def has_ended(raw):
    poll = select.poll()
    poll.register(raw, select.POLLIN)
    return bool(poll.poll(0))


@pytest.mark.rule("Q51")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("more", [b"", b"GET / HTTP/1.1\r\n\r\n" * 10])
def test_a_leap_line_waits(more, secure, server):
    """The connection gets no answer, and ends after a while."""
    start = time.monotonic()
    with leap(server, secure, LEAP + more) as raw:
        assert ended(raw) == b""
    assert LEAP_S - 1 < time.monotonic() - start < LEAP_S + 5 * SLOW
    assert fetch(server.port, "localhost", "/healthz").status == 200


@pytest.mark.rule("Q51")
def test_a_client_as_wave_share_does_not_storm(server):
    """Ten connections, each opened again as soon as it ends, are a few a second."""
    opened, until = 0, time.monotonic() + 3
    held = []
    while time.monotonic() < until:
        while len(held) < 10:
            held.append(leap(server))
            held[-1].setblocking(False)
            opened += 1
        time.sleep(0.05)
        for raw in list(held):
            try:
                if raw.recv(1) == b"":
                    held.remove(raw)
            except BlockingIOError:
                pass
    for raw in held:
        raw.close()
    assert 10 <= opened <= 30


@pytest.mark.rule("Q51")
def test_a_bounded_number_waits(new_server):
    """The places are shared by all workers. Beyond them a connection is closed at once, everybody
    else is served, and a stop waits for none of them."""
    server = new_server("--workers", "2")
    held = [leap(server) for _ in range(LEAPS + 5)]
    wait_until(lambda: sum(map(has_ended, held)) == 5, LEAP_S - 1, "the ends of those beyond")
    assert fetch(server.port, "localhost", "/healthz").status == 200
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < 5 * SLOW
    for raw in held:
        raw.close()


@pytest.mark.rule("Q51", "N25")
@pytest.mark.parametrize("front", ["nginx"], indirect=True)
def test_nginx_answers_a_leap_line_itself(front, server):
    before = server.log.count("old_client_refused")
    start = time.monotonic()
    with leap(front, secure=True) as raw:
        got = ended(raw)
    assert got.startswith(b"HTTP/1.1 400 ") or got.startswith(b"<html>"), got
    assert time.monotonic() - start < 5
    assert server.log.count("old_client_refused") == before
