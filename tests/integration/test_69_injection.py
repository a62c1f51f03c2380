"""HTTP/2 that would become another HTTP/1.1 (http-rules 3 row 17): a server asks oneport for what no HTTP/1.1 request can say, and
promises other bodies than it sends. An origin that takes only what all readers take alike sees nothing of it, or just what was meant."""

import contextlib
import itertools

import pytest
from support.frames import DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, block, frame, headers, request
from support.hostile import Stage
from support.recording_origin import ANSWER, RecordingOrigin
from support.wait import wait_until

BAD = "/bad"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"


@pytest.fixture(scope="module")
def stage(certificate, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        made = Stage(certificate, tmp_path_factory.mktemp("injection"), stack, seen=RecordingOrigin())
        made.number_of_next = itertools.count(1)
        well(made)
        yield made


def well(stage):
    """Another request is served, on whatever connections there are, and nothing that was not meant has come to the origin."""
    path = f"/next/{next(stage.number_of_next)}"
    assert stage.ask(path) == (200, ANSWER + path.encode())
    assert stage.seen.faults == []
    assert [target for target in stage.seen.begun if not target.startswith(("/next/", BAD, "/good"))] == []


def line(**changed):
    usual = {":method": "POST", ":scheme": "http", ":authority": "a.localhost", ":path": BAD}
    return [(name, changed.get(name[1:], value)) for name, value in usual.items()]


def asked(*extra, end=True, body=None, **changed):
    """Frames of a request, by its stream's number."""
    def make(number):
        head = headers(number, *line(**changed), *extra, end=end and body is None)
        return head + (frame(DATA, END_STREAM, number, body) if body is not None else b"")

    return make


# ---- what cannot be said ----
TWICE = [(f"{name} twice", asked((name, value))) for name, value in
         [(":method", "POST"), (":scheme", "http"), (":authority", "a.localhost"), (":path", BAD), (":path", "/smuggled")]]

# Octets that end a line, a field or a word for one reader or another, wherever text stands.
OCTETS = {"CR LF": "\r\n", "LF": "\n", "CR": "\r", "NUL": "\0", "DEL": "\x7f", "vertical tab": "\x0b"}
PSEUDO = [(f":{name} with {what}", asked(**{name: value + octets + "GET"}))
          for name, value in [("method", "POST"), ("scheme", "http"), ("authority", "a.localhost"), ("path", BAD)]
          for what, octets in [*OCTETS.items(), ("space", " "), ("tab", "\t")]]
NAMES = [(f"name with {what}", asked((f"x{octets}y", "z"))) for what, octets in [*OCTETS.items(), ("space", " "), ("colon", ":"), ("0x80", "\x80")]]
VALUES = [(f"{name} with {what}", asked((name, f"a{octets}b")))
          for name in ("x", "cookie", "referer", "content-type", "te") for what, octets in OCTETS.items() if name != "te" or what == "CR LF"]
EDGES = [(f"value that {where} {what}", asked(("x", value)))
         for what, octet in [("space", " "), ("tab", "\t"), ("CR", "\r"), ("LF", "\n")]
         for where, value in [("begins with", octet + "a"), ("ends with", "a" + octet)]]

CODINGS = [(f"{name}: {value!r}", asked((name, value), body=b"0\r\n\r\n" + SMUGGLED)) for name, value in [
    ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("transfer-encoding", ""), ("Transfer-Encoding", "chunked"),
    ("transfer-encoding ", "chunked"), ("transfer-encoding:", "chunked"), (" transfer-encoding", "chunked"), ("x: y\r\ntransfer-encoding", "chunked"),
    ("x", "y\r\ntransfer-encoding: chunked"), ("te", "chunked"), ("te", "trailers, chunked"),
    ("connection", "keep-alive"), ("connection", "content-length"), ("keep-alive", "timeout=5"), ("proxy-connection", "close"), ("upgrade", "websocket")]]
LENGTHS = [(f"content-length: {value!r}", asked(("content-length", value), body=SMUGGLED)) for value in [
    "", "+44", "-1", "0x2c", "44, 44", "44 44", "44.0", " 44", "44 ", "44\t", "\x0b44", "44\r\nx: y", "18446744073709551660", "4\0"]]
LENGTHS += [(f"content-length twice, {what}", asked(("content-length", "44"), ("content-length", value), body=SMUGGLED))
            for what, value in [("alike", "44"), ("0", "0")]]

WEBSOCKETS = [(f"websocket, {what}", lambda number, fields=fields: headers(number, *fields)) for what, fields in [
    ("path with CR LF", [(":method", "CONNECT"), (":protocol", "websocket"), *line(path="/bad\r\nX: y")[1:]]),
    ("protocol with CR LF", [(":method", "CONNECT"), (":protocol", "websocket\r\nX: y"), *line()[1:]]),
    ("field with CR LF", [(":method", "CONNECT"), (":protocol", "websocket"), *line()[1:], ("sec-websocket-protocol", "a\r\nX: y")]),
    ("origin with LF", [(":method", "CONNECT"), (":protocol", "websocket"), *line()[1:], ("origin", "a\nX: y")]),
]]


@pytest.mark.rule("D2")
@pytest.mark.parametrize("make", [pytest.param(make, id=what) for what, make in
                                  TWICE + PSEUDO + NAMES + VALUES + EDGES + CODINGS + LENGTHS + WEBSOCKETS])
def test_nothing_of_it_is_written(stage, make):
    peer, number = stage.link(), stage.next_stream()
    peer.send(make(number))
    wait_until(lambda: number in peer.resets or number in peer.over or peer.ended.is_set(), what="an end of the stream")
    assert peer.resets.get(number) == PROTOCOL_ERROR, (peer.heads.get(number), peer.goaways)
    well(stage)
    assert BAD not in stage.seen.begun
