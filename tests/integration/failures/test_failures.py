# SPDX-License-Identifier: MIT
"""Tests the failure table: what a viewer sees of each failure, when it sees it, and which line the
operator finds in the log."""

import contextlib
import re
import threading
import time

import pytest
from h2.settings import SettingCodes
from support.foreign import ForeignLink, linked, lost
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until


@pytest.fixture
def foreign(ended, server):
    """Returns foreign(name, ...), which registers @name at the file's server and opens a link with
    python3-h2."""
    return lambda name, *given, to=server, **keywords: ended.enter_context(
        contextlib.closing(linked(to, name, *given, **keywords))
    )


def typed(got):
    return got.get("Proxy-Status").partition("error=")[2].split(";")[0]


def refused(got, status, kind):
    assert (got.status, typed(got)) == (status, kind), got


# ---- no client ----
@pytest.mark.rule("F1", "Q20")
def test_unknown_name(server):
    refused(fetch(server.port, "nobody-at-all.localhost"), 404, "destination_not_found")
    server.wait_log(r"no_tunnel host=nobody-at-all.localhost suppressed=\d+")


@pytest.mark.rule("F1")
@pytest.mark.release_only
def test_an_unknown_name_is_answered_at_once(server):
    """The median time is at most 5 ms."""
    times = []
    with Viewer(server.port) as viewer:
        for _ in range(100):
            before = time.perf_counter()
            assert viewer.get("nobody-at-all.localhost").status == 404
            times.append(time.perf_counter() - before)
    assert sorted(times)[len(times) // 2] < 0.005


@pytest.mark.rule("F1")
def test_unknown_names_do_not_fill_the_log(server):
    before = server.log.count("no_tunnel")
    with Viewer(server.port) as viewer:
        start = time.monotonic()
        viewer.send(
            b"".join(head("GET", "/", f"nobody-{number}.localhost") for number in range(200))
        )
        assert {viewer.response().status for _ in range(200)} == {404}
    assert server.log.count("no_tunnel") - before <= 1 + (time.monotonic() - start)


@pytest.mark.rule("F2")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_is_away(new_server, name, method):
    """The name has lost its link. The server holds the request, then it says when to come back. It
    reads no body meanwhile."""
    server = new_server("--hold", "300ms")
    lost(server, name)
    with Viewer(server.port) as viewer:
        start = time.monotonic()
        viewer.send(
            head(
                method,
                "/",
                f"{name}.localhost",
                *(["Content-Length: 100000"] if method == "POST" else []),
            )
        )
        got = viewer.response()
        assert 0.29 <= time.monotonic() - start < 0.3 + 0.7 * SLOW
        refused(got, 503, "destination_unavailable")
        assert got.get("Retry-After") == "2"
    server.wait_log(f"tunnel_away name={name} viewer=127.0.0.1 suppressed=0")


@pytest.mark.rule("F2")
def test_a_body_is_not_read_while_its_client_is_away(new_server, name, ended):
    """Only the kernel takes a part of the body while the client is away. When the client is there,
    the server reads all of it."""
    server, size, sent = new_server("--hold", "30s"), 16 << 20, 0
    link = ForeignLink(server, name, lost(server, name), start=False, serve=lambda stream: None)
    ended.callback(link.close)
    viewer = ended.enter_context(Viewer(server.port))
    before = server.rss()
    viewer.send(head("POST", "/", f"{name}.localhost", f"Content-Length: {size}"))
    viewer.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while sent < size:
            sent += viewer.socket.send(bytes(1 << 16))
    assert server.rss() - before < (1 << 20) * SLOW
    link.start()
    wait_until(lambda: link.requests, what="the request")
    viewer.socket.settimeout(20)
    while sent < size:
        sent += viewer.socket.send(bytes(min(1 << 16, size - sent)))
    wait_until(lambda: link.ended_with_data, 10 * SLOW, "the whole body")


@pytest.mark.full
@pytest.mark.rule("F2")
def test_a_client_that_is_away_for_long_is_not_waited_for(new_server, name):
    """Half a minute after the last link has ended the server holds no viewers any more, though it
    keeps the name."""
    server = new_server()
    linked(server, name).close()
    server.wait_log(f"link_lost name={name} ")

    def ask():
        start = time.monotonic()
        refused(fetch(server.port, f"{name}.localhost"), 503, "destination_unavailable")
        return time.monotonic() - start

    assert 3.9 < ask() < 4 + 1 * SLOW
    time.sleep(27)  # time itself is tested
    assert ask() < 0.5 * SLOW


@pytest.mark.rule("F2")
def test_256_wait_for_a_name_and_no_more(new_server, name, ended):
    server = new_server("--hold", "30s")
    link = ForeignLink(server, name, lost(server, name), start=False)
    ended.callback(link.close)
    viewers = [ended.enter_context(Viewer(server.port)) for _ in range(260)]
    for viewer in viewers:
        viewer.send(head("GET", "/", f"{name}.localhost", "Connection: close"))
    wait_until(lambda: server.access_log.count(" 503 ") == 4, what="four refusals")
    link.start()
    assert sorted(viewer.response().status for viewer in viewers) == [200] * 256 + [503] * 4


@pytest.mark.rule("F3")
def test_streams_full(server, name, foreign):
    """A request waits for a second, not for ever. The stream that was open gets its answer."""
    held = []
    foreign(name, serve=held.append, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    with Viewer(server.port) as first:
        first.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: held, what="the stream")
        start = time.monotonic()
        refused(fetch(server.port, f"{name}.localhost"), 503, "connection_limit_reached")
        assert 0.9 < time.monotonic() - start < 2 * SLOW
        server.wait_log(f"stream_limit name={name} viewer=127.0.0.1")
        with held[0].link.lock:
            held[0].answer(200, b"at last")
        assert first.response().body == b"at last"


# ---- the link is lost ----
@pytest.mark.rule("F4")
def test_link_lost_before_the_head(server, name, foreign):
    link = foreign(name, serve=lambda stream: None)
    with Viewer(server.port) as one, Viewer(server.port) as two:
        for viewer in (one, two):
            viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: len(link.requests) == 2, what="both requests")
        start = time.monotonic()
        link.close()
        for viewer in (one, two):
            refused(viewer.response(), 502, "connection_terminated")
        assert time.monotonic() - start < 0.5 * SLOW
    server.wait_log(f"link_lost name={name} inflight=2 ")


@pytest.mark.rule("F5", "H12")
@pytest.mark.parametrize("length", [[("content-length", "10")], []], ids=["length", "chunked"])
def test_link_lost_in_the_body(server, name, foreign, length):
    link = foreign(name, serve=lambda stream: stream.answer(200, b"some", *length, end=False))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert viewer.response_head().status == 200
        assert viewer.until(b"some")
        start = time.monotonic()
        link.close()
        assert viewer.rest() in (b"", b"\r\n")  # an end of the chunk, but none of the body
        assert time.monotonic() - start < 1 * SLOW
    server.wait_log(f"link_lost name={name} inflight=1 ")


# ---- streams that are reset ----
def told_of(server, host, line):
    """Sends requests until the log has @line. Such a line comes at most once a second, and another
    test may have used it."""

    def asked():
        with contextlib.suppress(Broken, EOFError, ConnectionError):
            fetch(server.port, host)
        return line in server.log

    wait_until(asked, 5 * SLOW, line)


@pytest.mark.rule("F6")
@pytest.mark.parametrize(
    "event,serve",
    [
        ("stream_reset", lambda stream: stream.reset(2)),
        (
            "origin_failed",
            lambda stream: stream.answer(502, b"", ("oneport-error", "connection_refused")),
        ),
    ],
)
def test_failing_requests_do_not_fill_the_log(server, name, foreign, event, serve):
    """A viewer may repeat such requests at will. The log has a line a second, which counts those
    that were left out."""
    foreign(name, serve=serve)
    host, before, start = f"{name}.localhost", server.log.count(event), time.monotonic()
    assert {fetch(server.port, host).status for _ in range(100)} == {502}
    assert server.log.count(event) - before <= 2 + (time.monotonic() - start)

    def told():
        fetch(server.port, host)
        return (
            sum(
                int(count)
                for count in re.findall(rf"{event} name={name} .*suppressed=(\d+)", server.log)
            )
            >= 90
        )

    wait_until(told, 5 * SLOW, "the count of what was left out")


@pytest.mark.rule("F6")
@pytest.mark.parametrize(
    "code,status,kind,asked",
    [
        (7, 503, "connection_limit_reached", 2),
        (1, 502, "http_protocol_error", 1),
        (2, 502, "connection_terminated", 1),
        (8, 502, "connection_terminated", 1),
    ],
)
def test_a_reset_before_the_head(server, name, foreign, code, status, kind, asked):
    """oneportd sends a request once more if the client refused it unprocessed."""
    link = foreign(name, serve=lambda stream: stream.reset(code))
    refused(fetch(server.port, f"{name}.localhost"), status, kind)
    assert len(link.requests) == asked
    told_of(server, f"{name}.localhost", f"stream_reset name={name} code={code} ")


@pytest.mark.rule("F6")
def test_a_reset_in_the_body(server, name, foreign):
    link = foreign(name, serve=lambda stream: stream.answer(200, b"some", end=False))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert viewer.response_head().status == 200
        assert viewer.chunk() == b"some"
        with link.lock:
            next(iter(link.streams.values())).reset(2)
        with pytest.raises((EOFError, ConnectionError)):
            viewer.chunk()
    link.serve = lambda stream: (stream.answer(200, b"some", end=False), stream.reset(2))
    told_of(server, f"{name}.localhost", f"stream_reset name={name} code=2 ")


# ---- time ----
@pytest.fixture
def impatient(new_server):
    return new_server(
        "--origin-timeout", "400ms", "--idle-timeout", "400ms", "--keepalive", "200ms"
    )


@pytest.mark.rule("F7")
def test_a_client_that_does_not_answer_in_time(impatient, name, foreign):
    link = foreign(name, to=impatient, serve=lambda stream: None)
    start = time.monotonic()
    refused(fetch(impatient.port, f"{name}.localhost"), 504, "http_response_timeout")
    assert 0.39 < time.monotonic() - start < 0.4 + 0.6 * SLOW
    assert link.resets.get(timeout=5) == 8  # CANCEL
    impatient.wait_log(f"origin_timeout name={name} viewer=127.0.0.1")


@pytest.mark.rule("F7")
def test_a_timeout_that_the_client_reports_is_the_same_event(server, new_client, scripted):
    client = new_client(
        scripted(lambda connection: connection.ended()).port, "--origin-timeout", "300ms"
    )
    refused(fetch(server.port, client.host), 504, "http_response_timeout")
    server.wait_log(f"origin_timeout name={client.name} ")


@pytest.mark.rule("F8")
def test_a_response_at_a_standstill_is_cut(impatient, name, foreign):
    foreign(name, to=impatient, serve=lambda stream: stream.answer(200, b"some", end=False))
    with Viewer(impatient.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert viewer.response_head().status == 200
        assert viewer.chunk() == b"some"
        with pytest.raises((EOFError, ConnectionError)):
            viewer.chunk()
    impatient.wait_log(f"body_idle name={name} viewer=127.0.0.1")


@pytest.mark.rule("Q39", "F8")
def test_a_request_at_a_standstill_is_408(impatient, name, foreign):
    link = foreign(name, to=impatient, serve=lambda stream: None)
    with Viewer(impatient.port) as viewer:
        viewer.send(head("POST", "/", f"{name}.localhost", "Content-Length: 10") + b"some")
        refused(viewer.response(), 408, "http_request_error")
        viewer.ended()
    assert link.resets.get(timeout=5) == 8
    impatient.wait_log(f"body_idle name={name} ")


@pytest.mark.rule("D11", "F8")
def test_an_origin_that_does_not_read_is_504(new_server, shared):
    """oneport has the bytes and waits for the origin. oneportd ends the exchange."""
    go = threading.Event()

    def serve(connection):
        connection.request()
        go.wait(20)

    server = new_server("--idle-timeout", "600ms")
    client = shared(serve, server=server)
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 64000000"))
        with contextlib.suppress(ConnectionError):
            viewer.socket.settimeout(0.3)
            try:
                while True:
                    viewer.socket.send(bytes(1 << 16))
            except TimeoutError:
                viewer.socket.settimeout(20)
        refused(viewer.response(), 504, "http_response_timeout")
    go.set()
    server.wait_log(f"body_idle name={client.name} ")


# ---- nuisance ----
NUISANCE = [
    # kind of the frame in the log, one frame
    ("PRIORITY", b"\x00\x00\x05\x02\x00\x00\x00\x00\x01" + bytes(4) + b"\x10"),
    ("unknown frame", b"\x00\x00\x00\xee\x00\x00\x00\x00\x00"),
    ("small WINDOW_UPDATE", b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
]


@pytest.mark.rule("F9")
@pytest.mark.parametrize("kind,frame", NUISANCE, ids=[kind for kind, _ in NUISANCE])
def test_a_link_that_floods_the_server_is_closed(server, tunnel, name, foreign, kind, frame):
    """The link sends more than the 10,000 cheap frames that are allowed at once. Other tunnels do
    not notice it."""
    link = foreign(name)
    with contextlib.suppress(OSError), link.lock:
        link.connection.send(frame * 15_000)
    assert link.ended.wait(10)
    assert link.goaway_codes == [11]  # ENHANCE_YOUR_CALM
    server.wait_log(f'tunnel_abuse name={name} kind="?{kind}')
    assert fetch(server.port, tunnel.host, "/echo").status == 200
