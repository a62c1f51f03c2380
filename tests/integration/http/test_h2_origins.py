# SPDX-License-Identifier: MIT
"""Tests origins that speak HTTP/2 frame by frame: an origin of python3-h2, and a server that is not
oneportd, so that each field and each reset is seen on both sides."""

import contextlib
import itertools
import signal
import threading

import pytest
from support import h2_origin
from support.foreign_server import ForeignServer
from support.h2_origin import H2Origin
from support.origins import reply
from support.programs import SLOW, Client
from support.viewer import Viewer, head
from support.wait import wait_until

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 2, 7, 8
CALM = 11
GRPC = ("content-type", "application/grpc+proto")
TRAILERS = ("te", "trailers")
DEADLINE_S = 10 * SLOW


@pytest.fixture
def shared(certificate, ended, tmp_path_factory):
    """Returns shared(origin, ...), which starts a server that is not oneportd and a client that
    shares @origin with it. The server has the client as .client."""

    def start(origin, *options):
        server = ended.enter_context(contextlib.closing(ForeignServer(certificate)))
        text = origin if isinstance(origin, str) else origin.url
        server.client = Client(server, text, tmp_path_factory.mktemp("client"), *options)
        ended.callback(server.client.stop)
        return server

    return start


@pytest.fixture
def h2(ended):
    """Returns h2(...), which starts an H2Origin."""
    return lambda *given, **named: ended.enter_context(
        contextlib.closing(H2Origin(*given, **named))
    )


def answer(stream):
    stream.answer()


# ---- what the origin sees ----
@pytest.mark.rule("D36", "D37")
@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "https+h2"])
def test_a_request_stays_one_of_http_2(shared, h2, certificate, tls):
    origin = h2(answer, tls=certificate if tls else None)
    server = shared(origin, *(["--local-ca", certificate.ca] if tls else []))
    asked = server.ask(
        ("cookie", "a=1"), ("cookie", "b=2"), TRAILERS, ("grpc-timeout", "5S"), end=False
    )
    asked.send(b"hello")
    asked.send_trailers(("x-sum", "42"), ("authorization", "x"))
    assert asked.wait(DEADLINE_S).status == 200 and asked.body == b"ok"
    seen = origin.next()
    assert seen.get(":scheme") == ("https" if tls else "http")
    assert seen.get(":authority") == "foreign.localhost"
    assert seen.get("te") == "trailers" and seen.get("grpc-timeout") == "5S"
    assert [value for name, value in seen.fields if name == "cookie"] == ["a=1", "b=2"]
    assert not {"connection", "transfer-encoding", "host"} & {name for name, _ in seen.fields}
    assert seen.body == b"hello" and [tuple(field) for field in seen.trailers] == [("x-sum", "42")]
    without = server.ask()
    assert without.wait(DEADLINE_S).status == 200
    assert origin.next().get("te") is None
    assert len(origin.peers) == 1


@pytest.mark.rule("D36")
def test_trailers_of_the_answer(shared, h2):
    def serve(stream):
        stream.head(200, GRPC)
        stream.data(b"message")
        stream.end_with(("grpc-status", "0"), ("detail-bin", "AAEC"))

    asked = shared(h2(serve)).ask(GRPC, TRAILERS, method="POST").wait(DEADLINE_S)
    assert asked.body == b"message"
    assert asked.trailers == {"grpc-status": "0", "detail-bin": "AAEC"}


# ---- resets ----
@pytest.mark.rule("D38")
def test_a_viewer_cancels(shared, h2):
    origin = h2()
    server = shared(origin)
    before, after = server.ask(), server.ask()
    streams = origin.next(), origin.next()
    streams[1].head()
    wait_until(lambda: after.fields, DEADLINE_S, "the head")
    for asked in (before, after):
        with server.lock:
            server.h2.reset_stream(asked.number, CANCEL)
            server.flush()
    for stream in streams:
        wait_until(lambda stream=stream: stream.was_reset is not None, DEADLINE_S, "the reset")
        assert stream.was_reset == CANCEL


@pytest.mark.rule("D38")
def test_an_origin_cancels_behind_the_head(shared, h2):
    origin = h2(lambda stream: (stream.head(), stream.data(b"a"), stream.reset(CANCEL)))
    asked = shared(origin).ask(GRPC, method="POST")
    assert asked.wait_reset(DEADLINE_S) == CANCEL


@pytest.mark.rule("D38", "D42")
@pytest.mark.parametrize(
    "code,grpc_status,status,kind",
    [
        (CANCEL, "1", 502, "http_protocol_error"),
        (INTERNAL_ERROR, "14", 502, "http_protocol_error"),
        (REFUSED_STREAM, "14", 503, "connection_limit_reached"),
        (CALM, "14", 502, "http_protocol_error"),
    ],
)
def test_an_origin_resets_before_the_head(shared, h2, code, grpc_status, status, kind):
    server = shared(h2(lambda stream: stream.reset(code)))
    plain = server.ask().wait(DEADLINE_S)
    assert (plain.status, plain.fields["oneport-error"]) == (status, kind)
    call = server.ask(GRPC, TRAILERS, method="POST").wait(DEADLINE_S)
    assert call.status == 200 and call.ended and not call.body
    assert call.fields["grpc-status"] == grpc_status and call.fields["grpc-message"]
    assert call.fields["content-type"] == "application/grpc"


@pytest.mark.rule("D12", "D38")
def test_an_answer_before_the_end_of_the_request(shared, h2):
    """The viewer has the whole answer; the origin is told that no more of the request comes."""
    origin = h2(on_request=answer)
    asked = shared(origin).ask(end=False, method="POST")
    assert asked.wait(DEADLINE_S).body == b"ok"
    stream = origin.next()
    wait_until(lambda: stream.was_reset is not None, DEADLINE_S, "the reset")


# ---- GOAWAY, limits, restarts ----
@pytest.mark.rule("D39")
def test_goaway_leaves_running_streams_alone(shared, h2):
    origin = h2()
    server = shared(origin)
    first = server.ask(method="POST")  # which nobody may ask twice
    stream = origin.next()
    origin.peers[0].goaway(stream.number)
    second = server.ask()
    origin.next().answer(b"second")
    assert second.wait(DEADLINE_S).body == b"second"
    assert len(origin.peers) == 2
    stream.peer.cut()  # python3-h2 sends nothing behind its own GOAWAY
    assert first.wait(DEADLINE_S).status == 502


@pytest.mark.rule("D39")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_above_the_last_stream_is_asked_again(shared, h2, method):
    rounds = itertools.count()

    def serve(stream):
        if next(rounds) == 0:
            stream.peer.goaway(0)
        else:
            stream.answer(b"again")

    server = shared(h2(on_request=serve))
    asked = server.ask(method=method).wait(DEADLINE_S)
    assert (asked.status, asked.body) == (200, b"again")


@pytest.mark.rule("D39", "D50")
@pytest.mark.parametrize("method,times", [("GET", 2), ("PUT", 2), ("POST", 1), ("PATCH", 1)])
def test_a_refused_request_is_asked_again_once(shared, h2, method, times):
    """But one that may not be done twice is not: some refuse what they have begun."""
    origin = h2(on_request=lambda stream: stream.reset(REFUSED_STREAM))
    asked = shared(origin).ask(method=method).wait(DEADLINE_S)
    assert asked.fields["oneport-error"] == "connection_limit_reached"
    assert origin.requests.qsize() == times


@pytest.mark.rule("D39")
@pytest.mark.parametrize("how", ["refused", "goaway"])
def test_a_request_with_a_body_is_asked_again(shared, h2, how):
    """The second connection or stream gets the whole body, of which the first one had all."""
    seen = []

    def serve(stream):
        seen.append((stream.body, stream.trailers))
        if len(seen) > 1:
            stream.answer(b"again")
        elif how == "refused":
            stream.reset(REFUSED_STREAM)
        else:
            stream.peer.goaway(0)

    server = shared(h2(on_end=serve))
    for send in (
        lambda asked: asked.send(b"b" * 50000, end=True),
        lambda asked: asked.send_trailers(("x-sum", "42")),
        lambda asked: asked.send(b"", end=True),
    ):
        seen.clear()
        asked = server.ask(method="PUT", end=False)
        asked.send(b"a" * 1000)
        send(asked)
        assert asked.wait(DEADLINE_S).body == b"again"
        assert len(seen) == 2 and seen[0] == seen[1] and seen[0][0].startswith(b"a" * 1000)


@pytest.mark.rule("D39")
def test_a_body_of_trailers_alone_is_sent_again(shared, h2):
    seen = []

    def serve(stream):
        seen.append([tuple(field) for field in stream.trailers])
        stream.answer(b"again") if len(seen) > 1 else stream.peer.goaway(0)

    asked = shared(h2(on_end=serve)).ask(method="POST", end=False)
    asked.send_trailers(("x-sum", "42"))
    assert asked.wait(DEADLINE_S).body == b"again"
    assert seen == [[("x-sum", "42")]] * 2


@pytest.mark.rule("D39")
def test_a_request_is_asked_again_in_the_middle_of_its_body(shared, h2):
    origin = h2()
    asked = shared(origin).ask(method="PUT", end=False)
    asked.send(b"first, ")
    stream = origin.next()
    wait_until(lambda: stream.body == b"first, ", DEADLINE_S, "the first piece")
    stream.reset(REFUSED_STREAM)
    again = origin.next()
    asked.send(b"second", end=True)
    again.wait_end(DEADLINE_S)
    assert again.body == b"first, second"
    again.answer(b"done")
    assert asked.wait(DEADLINE_S).body == b"done"


@pytest.mark.rule("D39")
def test_a_long_body_is_not_sent_again(shared, h2):
    """Nobody keeps what is more than 64 KiB: the viewer is told that it was refused."""
    origin = h2()
    asked = shared(origin).ask(method="PUT", end=False)
    asked.send(bytes(50000))
    stream = origin.next()
    wait_until(lambda: len(stream.body) == 50000, DEADLINE_S, "the first piece")
    wait_until(lambda: asked.window >= 16000, DEADLINE_S, "credit")
    asked.send(bytes(16000))
    wait_until(lambda: len(stream.body) == 66000, DEADLINE_S, "the second piece")
    stream.reset(REFUSED_STREAM)
    assert asked.wait(DEADLINE_S).fields["oneport-error"] == "connection_limit_reached"
    assert origin.requests.empty()


@pytest.mark.rule("D39")
def test_the_end_of_oneport_with_a_copy_of_a_body(server, new_client, h2):
    """A second signal ends it at once; nothing may be touched that is gone by then."""
    origin = h2()
    client = new_client(origin.url)
    with Viewer(server.port) as viewer:
        viewer.send(head("PUT", "/", client.host, "Content-Length: 8") + b"half")
        stream = origin.next()
        wait_until(lambda: stream.body == b"half", DEADLINE_S, "the body")
        client.program.signal(signal.SIGTERM)
        client.program.wait_output("leaving", DEADLINE_S)
        client.stop()


# ---- --health ----
@pytest.mark.rule("D45")
@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "https+h2"])
def test_health_asks_by_a_stream(shared, h2, certificate, tls):
    statuses = iter([503, 200])

    def serve(stream):
        stream.answer(b"well", status=next(statuses, 200))

    origin = h2(serve, tls=certificate if tls else None)
    more = ["--local-ca", certificate.ca] if tls else []
    server = shared(origin, "--health", "/up?x", *more)
    server.client.program.wait_output("app_fails .*path=/up.*status=503")
    server.client.program.wait_output("app_answers .*status=200")
    asked = origin.next()
    assert (asked.get(":method"), asked.get(":path")) == ("GET", "/up?x")
    assert asked.get(":authority") == f"127.0.0.1:{origin.port}"
    assert len(origin.peers) == 1
    origin.close()
    server.client.program.wait_output("app_does_not_answer .*reason=", 20)


@pytest.mark.rule("D45")
def test_health_of_a_silent_service(shared, h2):
    server = shared(h2(), "--health", "/")
    server.client.program.wait_output('app_does_not_answer .*reason="no answer in time"', 20)


@pytest.mark.rule("D40")
def test_the_origins_limit_of_streams(shared, h2):
    """A third request gets another connection; with sixteen of them the next one waits."""
    origin = h2(settings={h2_origin.MAX_STREAMS: 2})
    server = shared(origin)
    asked = [server.ask() for _ in range(33)]
    streams = [origin.next(DEADLINE_S) for _ in range(32)]
    assert len(origin.peers) == 16
    assert all(len(peer.streams) == 2 for peer in origin.peers)
    assert origin.requests.empty()
    streams[0].answer(b"first")
    late = origin.next(DEADLINE_S)
    late.answer(b"late")
    for stream in streams[1:]:
        stream.answer(b"first")
    bodies = sorted(answer.wait(DEADLINE_S).body for answer in asked)
    assert bodies == [b"first"] * 32 + [b"late"]


@pytest.mark.rule("D39")
def test_an_origin_restarts(shared, h2):
    origin = h2(on_request=lambda stream: None)
    server = shared(origin)
    lost = server.ask(("content-length", "0"), GRPC, method="POST", end=True)
    origin.next().peer.cut()
    assert lost.wait(DEADLINE_S).fields["grpc-status"] == "14"
    origin.on_request = answer
    assert server.ask().wait(DEADLINE_S).body == b"ok"


@pytest.mark.rule("D11", "D36")
def test_the_origins_window(shared, h2):
    """An origin that takes nothing stops the upload, and nothing else."""
    origin = h2(on_end=answer, settings={h2_origin.WINDOW: 1000})
    origin.reads = False
    server = shared(origin)
    slow = server.ask(method="POST", end=False)
    slow.send(b"x" * 5000, end=True)
    stream = origin.next()
    wait_until(lambda: len(stream.body) == 1000, DEADLINE_S, "the first window")
    assert server.ask().wait(DEADLINE_S).body == b"ok"
    assert len(stream.body) == 1000
    with stream.peer.lock:
        stream.peer.h2.increment_flow_control_window(9000, stream.number)
        stream.peer.flush()
    assert slow.wait(DEADLINE_S).body == b"ok" and len(stream.body) == 5000


@pytest.mark.rule("D36")
def test_no_ping_is_sent(shared, h2):
    """A long answer and a pause bring none."""
    origin = h2()
    server = shared(origin, "--keepalive", "1s", "--origin-keepalive", "60s")
    asked = server.ask()
    stream = origin.next()
    stream.head()
    for _ in range(4):
        stream.data(b"x" * 15_000)
    stream.data(b"", end=True)
    assert len(asked.wait(DEADLINE_S).body) == 60_000
    threading.Event().wait(1.5)  # time itself is tested
    assert server.ask() and origin.next().peer is stream.peer and stream.peer.pings == 0


# ---- WebSockets ----
HANDSHAKE = [
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
]


def connect(server):
    return server.ask(
        (":protocol", "websocket"), *HANDSHAKE, method="CONNECT", end=False, path="/socket"
    )


@pytest.mark.rule("D41")
def test_a_websocket_needs_rfc_8441(shared, h2):
    server = shared(h2(answer))
    asked = connect(server).wait(DEADLINE_S)
    assert (asked.status, asked.fields["oneport-error"]) == (501, "http_upgrade_failed")


@pytest.mark.rule("D41")
def test_a_websocket_by_extended_connect(shared, h2):
    origin = h2(settings={h2_origin.CONNECT: 1})
    server = shared(origin)
    asked = connect(server)
    stream = origin.next()
    assert stream.get(":method") == "CONNECT" and stream.get(":protocol") == "websocket"
    assert stream.get(":path") == "/socket" and stream.get("sec-websocket-key") is None
    stream.head(200, ("sec-websocket-protocol", "chat"))
    wait_until(lambda: asked.fields, DEADLINE_S, "the head")
    assert asked.status == 200
    asked.send(b"ping")
    wait_until(lambda: stream.body == b"ping", DEADLINE_S, "the bytes")
    stream.data(b"pong", end=True)
    asked.wait(DEADLINE_S)
    assert asked.body == b"pong"
    asked.send(b"bye", end=True)
    stream.wait_end(DEADLINE_S)
    assert stream.body == b"pingbye" and stream.was_reset is None


@pytest.mark.rule("D51")
@pytest.mark.parametrize("code", [NO_ERROR, CANCEL])
def test_a_websocket_ends_by_a_reset_behind_its_last_bytes(shared, h2, code):
    """They still wait for the link's window, which another one has filled, when the reset comes."""
    origin = h2(settings={h2_origin.CONNECT: 1})
    server = shared(origin)
    others = [connect(server), asked := connect(server)]
    streams = [origin.next() for _ in others]
    for stream in streams:
        stream.head(200)
    wait_until(lambda: all(each.fields for each in others), DEADLINE_S, "the heads")
    with server.lock:  # which reads nothing meanwhile
        for stream in streams:
            for _ in range(3):
                stream.data(b"a" * 16000)
        stream.data(b"bye", end=True)
        stream.reset(code)
    asked.wait(DEADLINE_S)
    assert asked.ended and len(asked.body) == 48003 and asked.body.endswith(b"bye")
    assert asked.reset in (None, NO_ERROR)


@pytest.mark.rule("D41")
@pytest.mark.parametrize(
    "status,fields,seen",
    [
        (403, [], 403),
        (204, [], 502),
        (200, [("sec-websocket-protocol", "other")], 502),
    ],
)
def test_a_websocket_that_is_not_opened(shared, h2, status, fields, seen):
    origin = h2(settings={h2_origin.CONNECT: 1})
    asked = connect(shared(origin))
    origin.next().head(status, *fields, end=status != 200)
    assert asked.wait(DEADLINE_S).status == seen


@pytest.mark.rule("D41")
def test_a_websocket_beside_https_h2(shared, h2, certificate):
    """It is one of HTTP/1.1, as the connection says by ALPN."""
    origin = h2(answer, tls=certificate, alpn=("h2", "http/1.1"))
    played, serve = [], origin.origin.serve

    def either(connection):
        if connection.socket.selected_alpn_protocol() == "h2":
            serve(connection)
            return
        played.append(connection.request()[0])
        connection.send(reply(b"no", status=403))

    origin.origin.serve = either
    server = shared(origin, "--local-ca", certificate.ca, "--host-header", "keep")
    assert server.ask().wait(DEADLINE_S).body == b"ok"
    assert connect(server).wait(DEADLINE_S).status == 403
    assert played == ["GET /socket HTTP/1.1"]


# ---- no HTTP/2 ----
@pytest.mark.rule("D43")
@pytest.mark.parametrize("alpn", [(), ("http/1.1",)], ids=["no ALPN", "http/1.1 alone"])
def test_an_origin_does_not_agree_to_h2(shared, h2, certificate, alpn):
    origin = h2(answer, tls=certificate, alpn=alpn)
    server = shared(origin, "--local-ca", certificate.ca)
    asked = server.ask().wait(DEADLINE_S)
    assert (asked.status, asked.fields["oneport-error"]) == (502, "http_protocol_error")
    server.client.program.wait_output("exchange_failed.*does not agree to HTTP/2.*https://")
    call = server.ask(GRPC, method="POST").wait(DEADLINE_S)
    assert call.fields["grpc-status"] == "14"


@pytest.mark.rule("D43")
def test_an_origin_of_http_1_1(shared, http_origin):
    server = shared(f"h2c://127.0.0.1:{http_origin.port}")
    asked = server.ask().wait(DEADLINE_S)
    assert (asked.status, asked.fields["oneport-error"]) == (502, "http_protocol_error")
    server.client.program.wait_output("exchange_failed.*does not speak HTTP/2.*http://127.0.0.1")


@pytest.mark.rule("D42", "D43")
def test_an_origin_is_not_there(shared, h2, certificate):
    origin = h2(tls=certificate)
    server = shared(origin)
    asked = server.ask().wait(DEADLINE_S)
    assert asked.fields["oneport-error"] == "tls_alert_received"
    origin.close()
    call = server.ask(GRPC, method="POST").wait(DEADLINE_S)
    assert (call.status, call.fields["grpc-status"]) == (200, "14")
    assert call.fields["oneport-error"] == "connection_refused"
