# SPDX-License-Identifier: MIT
"""Tests viewers over HTTP/2 on oneportd's own TLS port: curl, and support/h2_viewer.py, which plays
a viewer that sees each frame."""

import hashlib
import json
import re
import signal
import subprocess
import threading

import pytest
from support.frames import (
    ACK,
    INTERNAL_ERROR,
    NO_ERROR,
    ORIGIN,
    PING,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTING_MAX_STREAMS,
    frame,
    headers,
    settings,
    window_update,
)
from support.h2_viewer import H2Viewer, viewing
from support.origins import halving, reply
from support.programs import SLOW
from support.wait import wait_until

CURL_S = 20 * SLOW
BODY = bytes(range(256)) * 4000


def curl(client, path, *options, host=None, body=None):
    """Asks for @path of @client over HTTP/2. Returns (status, fields, body)."""
    host = host or client.host
    name, port = host.split(":")
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--http2", "--max-time", str(CURL_S)),
            "--insecure",  # curl takes no wildcard right below a top-level domain
            *("--resolve", f"{name}:{port}:127.0.0.1"),
            *("--write-out", "%{stderr}%{json}", "--dump-header", "/dev/fd/2"),
            *options,
            f"https://{host}{path}",
        ],
        input=body,
        capture_output=True,
        timeout=2 * CURL_S,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    text = done.stderr.decode()
    facts = json.loads(text[text.rindex('{"') :])
    assert facts["http_version"] == "2"
    heads = [part for part in text[: text.rindex('{"')].split("\r\n\r\n") if part.strip()]
    fields = dict(line.split(": ", 1) for line in heads[-1].split("\r\n")[1:] if ": " in line)
    return facts["http_code"], fields, done.stdout


@pytest.mark.rule("E1")
def test_curl_speaks_http2(tunnel):
    """ALPN chooses h2; the origin sees an ordinary request, and the log says HTTP/2.0."""
    status, fields, body = curl(tunnel, "/bytes/100000")
    assert status == 200 and len(body) == 100_000
    assert "date" in fields and "connection" not in fields
    wait_until(
        lambda: '"GET /bytes/100000 HTTP/2.0" 200 100000' in tunnel.server.access_log,
        5,
        "the line of the access log",
    )


@pytest.mark.rule("E1")
def test_a_viewer_without_alpn_speaks_http1(tunnel):
    done = subprocess.run(
        ["curl", "-sk", "--no-alpn", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
        + ["--resolve", f"{tunnel.name}.localhost:{tunnel.server.port}:127.0.0.1"]
        + [f"{tunnel.url}/bytes/5"],
        capture_output=True,
        timeout=CURL_S,
    )
    assert done.stdout == b"1.1 200"


@pytest.mark.rule("E1")
def test_the_base_domain_answers(tunnel):
    host = f"localhost:{tunnel.server.port}"
    status, fields, body = curl(tunnel, "/api/status", host=host)
    assert status == 200 and json.loads(body)["misdirected"] == 0
    assert fields["cache-control"] == "no-store"
    status, fields, body = curl(tunnel, "/api/status", "--head", host=host)
    assert status == 200 and int(fields["content-length"]) > 0
    assert body.count(b"\r\n\r\n") <= 1  # --head prints the head alone
    status, _, _ = curl(tunnel, "/nothing", host=f"nobody.{host}")
    assert status == 404


@pytest.mark.rule("E1")
def test_bodies_go_both_ways(tunnel):
    status, _, body = curl(tunnel, "/upload", "--data-binary", "@-", body=BODY)
    assert status == 200 and json.loads(body)["sha256"] == hashlib.sha256(BODY).hexdigest()


@pytest.mark.rule("E3")
def test_what_the_origin_learns(shared):
    """The fields say who the viewer is and that HTTP/2 was spoken. A cookie in pieces becomes
    one."""
    heads = []

    def serve(connection):
        heads.append(connection.request())
        connection.send(reply(b"well"))

    client = shared(serve)
    with viewing(client) as viewer:
        got = viewer.get("/x?y", ("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2"))
    assert got.status == 200 and got.body == b"well"
    line, fields = heads[0]
    fields = {name.lower(): value for name, value in fields}
    assert line == "GET /x?y HTTP/1.1"
    assert fields["host"] == client.host and fields["x-forwarded-host"] == client.host
    assert fields["x-forwarded-proto"] == "https" and fields["x-forwarded-for"] == "127.0.0.1"
    assert re.match(r"2\.0 oneport-\S+", fields["via"])
    assert fields["te"] == "trailers" and fields["cookie"] == "a=1; b=2"


MALFORMED = {
    "two names for one host": dict(more=[("host", "b.localhost")]),
    "two hosts": dict(more=[("host", "{host}"), ("host", "{host}")]),
    "a scheme of its own": dict(scheme="ftp"),
    "userinfo": dict(authority="me@{host}"),
    "a fragment": dict(path="/a#b"),
    "a space": dict(path="/a b"),
    "a byte above ASCII": dict(path="/\xe4"),
    "a method that is no token": dict(method="G(T"),
    "a long method": dict(method="G" * 33),
    "an asterisk": dict(path="*"),
    "a line end": dict(more=[("x-a", "b\r\nc: d")]),
    "a field of a connection": dict(more=[("connection", "close")]),
    "a transfer coding": dict(more=[("transfer-encoding", "chunked")]),
    "an upgrade": dict(more=[("upgrade", "websocket")]),
    "upper case": dict(more=[("X-A", "b")]),
    "an unknown pseudo-field": dict(more=[(":x", "b")]),
    "another te": dict(more=[("te", "gzip")]),
    "an extended CONNECT": dict(method="CONNECT", more=[(":protocol", "websocket")]),
}


@pytest.mark.rule("E2", "E7")
@pytest.mark.parametrize("wrong", MALFORMED)
def test_a_malformed_head_resets_its_stream(tunnel, wrong):
    """Nothing of it passes, and the connection goes on."""
    how = dict(MALFORMED[wrong])
    more = [(name, value.format(host=tunnel.host)) for name, value in how.pop("more", [])]
    if "authority" in how:
        how["authority"] = how["authority"].format(host=tunnel.host)
    more.sort(key=lambda field: not field[0].startswith(":"))
    with viewing(tunnel) as viewer:
        stream = viewer.ask(how.pop("path", "/bytes/10"), *more, **how)
        assert viewer.wait_reset(stream) == PROTOCOL_ERROR
        assert viewer.get("/bytes/10").status == 200


@pytest.mark.rule("E2")
def test_connect_and_trace_are_answered(tunnel):
    with viewing(tunnel) as viewer:
        stream = viewer.next_stream
        viewer.next_stream += 2
        viewer.send(headers(stream, (":method", "CONNECT"), (":authority", tunnel.host), end=True))
        assert viewer.answer(stream).status == 405
        assert viewer.get("/", method="TRACE").status == 405


@pytest.mark.rule("E4")
def test_answers_have_no_fields_of_a_connection(shared):
    """Names have small letters; TE alone asks for trailers; a HEAD has the length and no body."""

    def serve(connection):
        while True:
            line, _ = connection.request()
            if line.startswith("HEAD"):
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Mixed: A\r\n\r\n")
                continue
            connection.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n"
                "Keep-Alive: timeout=9\r\n\r\n3\r\nyes\r\n0\r\nX-End: 1\r\n\r\n"
            )

    client = shared(serve)
    with viewing(client) as viewer:
        got = viewer.get("/", method="HEAD")
        assert (got.status, got.body, got.get("content-length")) == (200, b"", "7")
        assert ("x-mixed", "A") in got.fields
        got = viewer.get("/", ("te", "trailers"))
        assert got.body == b"yes" and got.trailers == [("x-end", "1")]
        names = {name for name, _ in got.fields}
        assert not names & {"connection", "keep-alive", "transfer-encoding", "upgrade"}
        assert viewer.get("/").trailers == []
        got = viewer.get("/tunnel/x", authority=f"localhost:{client.server.port}")
        assert got.status == 505 and got.json()["error"] == "http_1_1_required"


@pytest.mark.rule("E4")
def test_interim_heads_and_request_trailers_pass(shared):
    seen = []

    def serve(connection):
        connection.request()
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        seen.append(connection.body())
        seen.append(connection.trailer_fields)
        connection.send(reply(b"well"))

    client = shared(serve)
    with viewing(client) as viewer:
        stream = viewer.ask("/", ("expect", "100-continue"), method="POST", end=False)
        wait_until(
            lambda: len(viewer.sections.get(stream, [])) == 2, 10 * SLOW, "two interim heads"
        )
        viewer.body(stream, b"body")
        viewer.send(headers(stream, ("x-sum", "9"), end=True))
        got = viewer.answer(stream)
    assert [head.status for head in got.interim] == [103, 100]
    assert got.interim[0].get("link") == "</a>"
    assert seen[0] == b"body" and [value for _, value in seen[1]] == ["9"]


@pytest.mark.rule("E5")
def test_an_early_answer_stops_the_upload(shared):
    def serve(connection):
        connection.request()
        connection.send(reply(b"enough"))
        connection.ended()

    client = shared(serve)
    with viewing(client) as viewer:
        stream = viewer.ask("/", method="POST", end=False)
        viewer.body(stream, b"x" * 1000)
        got = viewer.answer(stream)
        assert got.status == 200 and got.body == b"enough"
        assert viewer.wait_reset(stream) == NO_ERROR
        assert not viewer.goaways


@pytest.mark.rule("E6")
def test_a_broken_answer_resets_its_stream_alone(shared):
    def serve(connection):
        connection.request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        go.wait(60)

    go = threading.Event()
    client = shared(serve)
    with viewing(client) as viewer:
        stream = viewer.ask("/")
        assert viewer.head(stream).status == 200
        go.set()
        assert viewer.wait_reset(stream) == INTERNAL_ERROR
        host = f"localhost:{client.server.port}"
        assert viewer.get("/healthz", authority=host).status == 200
    wait_until(lambda: " aborted" in client.server.access_log, 5 * SLOW, "the line of the log")


@pytest.mark.rule("E8")
def test_a_request_and_its_body_are_held(new_client, server, http_origin):
    """The body that comes while the tunnel is away is kept, up to the first window."""
    client = new_client(http_origin.port)
    client.kill9()
    with viewing(client) as viewer:
        stream = viewer.ask("/upload", method="POST", end=False)
        viewer.body(stream, BODY[:50_000])
        assert viewer.settle()
        client.start()
        viewer.body(stream, b"end", end=True)
        got = viewer.answer(stream)
    whole = BODY[:50_000] + b"end"
    assert got.status == 200 and got.json()["sha256"] == hashlib.sha256(whole).hexdigest()


@pytest.mark.rule("E8")
def test_a_drain_lets_answers_finish(new_server, new_client, scripted):
    go = threading.Event()
    origin = scripted(halving(go))
    server = new_server(drain="20s")
    client = new_client(origin.port, server=server)
    with viewing(client) as viewer, viewing(client) as idle:
        stream = viewer.ask("/")
        assert viewer.head(stream).status == 200 and idle.settle()
        server.program.signal(signal.SIGTERM)
        wait_until(lambda: viewer.goaways, 10 * SLOW, "GOAWAY")
        assert idle.ended.wait(10 * SLOW)
        go.set()
        assert viewer.answer(stream).body == b"half"
        assert viewer.ended.wait(10 * SLOW)
        assert {code for code, _ in viewer.goaways} == {NO_ERROR}


@pytest.mark.rule("E18")
def test_a_drain_names_the_last_stream_after_a_round_trip(new_server, new_client, scripted):
    """A request that crosses the first GOAWAY is refused unprocessed, so the viewer asks again."""
    go = threading.Event()
    origin = scripted(halving(go))
    server = new_server(drain="20s")
    client = new_client(origin.port, server=server)
    with viewing(client, polite=False) as viewer:
        viewer.send(settings(flags=ACK))
        stream = viewer.ask("/")
        assert viewer.head(stream).status == 200
        earlier = len(viewer.pings)
        server.program.signal(signal.SIGTERM)
        wait_until(lambda: viewer.goaways and len(viewer.pings) > earlier, 10 * SLOW, "GOAWAY")
        assert viewer.wait_reset(viewer.ask("/")) == REFUSED_STREAM
        assert len(viewer.goaways) == 1
        for payload in viewer.pings:
            viewer.send(frame(PING, ACK, 0, payload))
        wait_until(lambda: len(viewer.goaways) == 2, 10 * SLOW, "the second GOAWAY")
        go.set()
        assert viewer.answer(stream).body == b"half"
        assert viewer.ended.wait(10 * SLOW)


def on_other_workers(new_server, new_client, origin):
    """Starts a server with four workers, and clients until two names are on different ones. Returns
    those two clients."""
    server = new_server("--workers", "4")
    first, home = None, None
    for _ in range(40):
        client = new_client(origin.port, server=server)
        log = server.wait_log(rf"link_up.*name={client.name} .*worker=(\d)")
        if first and log.group(1) != home:
            return first, client
        first, home = first or client, home or log.group(1)
    raise AssertionError("all names are on one worker")


@pytest.mark.rule("E9")
def test_a_name_of_another_worker_gets_421(new_server, new_client, http_origin):
    """The connection is on the worker of the name that SNI has, and says so by an ORIGIN frame. A
    request for a name of another worker gets 421, whatever its body, and is counted."""
    one, other = on_other_workers(new_server, new_client, http_origin)
    with viewing(one) as viewer:
        assert viewer.get("/bytes/5").status == 200
        assert viewer.counts[ORIGIN] == 1
        for body in (b"", b"body"):
            got = viewer.get("/upload", method="POST", body=body, authority=other.host)
            assert got.status == 421
        status = viewer.get("/api/status", authority=f"localhost:{one.server.port}").json()
        assert status["misdirected"] == 2
        assert viewer.get("/bytes/5").status == 200
    assert curl(other, "/bytes/5")[0] == 200


@pytest.mark.rule("E9")
def test_a_viewer_of_a_name_that_has_moved_connects_again(new_server, new_client, http_origin):
    """A name that nobody had when the viewer connected may come to another worker."""
    server = new_server("--workers", "4")
    for number in range(40):
        name = f"later-{number}"
        with H2Viewer(server.port, f"{name}.localhost:{server.port}") as viewer:
            assert viewer.get("/").status == 404
            client = new_client(http_origin.port, server=server, name=name)
            stream = viewer.ask("/bytes/5")
            wait_until(
                lambda: stream in viewer.over or stream in viewer.resets, 10 * SLOW, "an answer"
            )
            if stream in viewer.over:
                assert viewer.so_far(stream).status == 200
                continue
            assert viewer.resets[stream] == REFUSED_STREAM
            assert {code for code, _ in viewer.goaways} == {NO_ERROR}
        assert curl(client, "/bytes/5")[0] == 200
        return
    raise AssertionError("no name came to another worker")


@pytest.mark.rule("E10")
def test_streams_beyond_the_limit_are_refused(new_server, new_client, scripted):
    server = new_server("--viewer-streams", "3")
    go = threading.Event()
    client = new_client(scripted(halving(go)).port, server=server)
    with viewing(client) as viewer:
        assert viewer.settle() and viewer.settings[SETTING_MAX_STREAMS] == 3
        streams = [viewer.ask("/") for _ in range(3)]
        for stream in streams:
            assert viewer.head(stream)
        viewer.ask("/")
        assert viewer.ended.wait(10 * SLOW)  # which RFC 9113 5.1.2 allows
    go.set()


@pytest.mark.rule("E15")
def test_heads_beyond_the_limits_are_answered(tunnel):
    with viewing(tunnel) as viewer:
        assert viewer.get("/" + "a" * 8192).status == 414
        for _ in range(2):
            assert viewer.get("/", *[("x", "y")] * 130).status == 431
            assert viewer.get("/bytes/5").status == 200


@pytest.mark.rule("E17")
def test_an_idle_connection_ends(new_server, new_client, http_origin):
    """One that was used after --viewer-keepalive, one that was not after --head-timeout."""
    server = new_server("--viewer-keepalive", "300ms", "--head-timeout", "5s")
    client = new_client(http_origin.port, server=server)
    with viewing(client) as viewer, viewing(client) as silent:
        assert viewer.get("/bytes/5").status == 200
        assert viewer.ended.wait(10 * SLOW) and silent.ended.wait(20 * SLOW)
        assert {code for code, _ in viewer.goaways + silent.goaways} == {NO_ERROR}


@pytest.mark.rule("E13")
@pytest.mark.parametrize("by", ["field", "frame"])
def test_the_more_urgent_answer_goes_first(tunnel, by):
    """Two answers wait for the window of the connection. What it grants goes to the one that the
    viewer wants first, whichever was asked first."""
    with viewing(tunnel, connection=0, polite=False) as viewer:
        viewer.send(settings(flags=ACK))
        later = viewer.ask("/bytes/2000000", ("priority", "u=5, i"))
        assert viewer.head(later).status == 200
        wait_until(lambda: len(viewer.bodies.get(later, b"")) == 65_535, 10 * SLOW, "the window")
        urgent = viewer.ask("/bytes/2000000", ("priority", "u=0" if by == "field" else "u=6"))
        assert viewer.head(urgent).status == 200
        if by == "frame":
            viewer.send(frame(PRIORITY_UPDATE, 0, 0, urgent.to_bytes(4, "big") + b"u=1"))
        assert viewer.settle()
        for _ in range(3):
            before = len(viewer.bodies.get(urgent, b""))
            viewer.send(window_update(0, 16_000))
            wait_until(
                lambda before=before: len(viewer.bodies.get(urgent, b"")) == before + 16_000,
                10 * SLOW,
                "what the window grants",
            )
        assert len(viewer.bodies[later]) == 65_535


@pytest.mark.rule("E14")
def test_register_works_over_http2(server):
    with H2Viewer(server.port, f"localhost:{server.port}") as viewer:
        got = viewer.get("/register/by-http2", method="POST")
    assert got.status == 200 and got.json()["id"] == "by-http2"
