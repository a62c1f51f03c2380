# SPDX-License-Identifier: MIT
"""Tests HTTP/2 that would become another HTTP/1.1 request (row 17). A server sends oneport requests
that HTTP/1.1 cannot express, or other bodies than it announced. A strict origin sees nothing of
such a request, or exactly what was meant."""

import contextlib
import itertools
import signal
from pathlib import Path

import pytest
from support.frames import DATA, END_STREAM, NO_ERROR, PROTOCOL_ERROR, frame, headers, request
from support.hostile import Stage
from support.origins import reply
from support.recording_origin import ANSWER, RecordingOrigin
from support.unread import unread
from support.wait import wait_until

BAD = "/bad"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"


@pytest.fixture(scope="module")
def stage(certificate, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        made = Stage(
            certificate, tmp_path_factory.mktemp("injection"), stack, seen=RecordingOrigin()
        )
        made.number_of_next = itertools.count(1)
        well(made)
        yield made


def well(stage):
    """Checks that another request is served, on whatever connections there are, and that the origin
    has seen nothing that was not meant."""
    path = f"/next/{next(stage.number_of_next)}"
    assert stage.ask(path) == (200, ANSWER + path.encode())
    assert stage.seen.faults == []
    assert [
        target for target in stage.seen.begun if not target.startswith(("/next/", BAD, "/good"))
    ] == []


def line(**changed):
    usual = {":method": "POST", ":scheme": "http", ":authority": "a.localhost", ":path": BAD}
    return [(name, changed.get(name[1:], value)) for name, value in usual.items()]


def asked(*extra, end=True, body=None, **changed):
    """Returns a function that makes the frames of a request from the number of its stream."""

    def make(number):
        head = headers(number, *line(**changed), *extra, end=end and body is None)
        return head + (frame(DATA, END_STREAM, number, body) if body is not None else b"")

    return make


# ---- what HTTP/1.1 cannot express ----
TWICE = [
    (f"{name} twice", asked((name, value)))
    for name, value in [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a.localhost"),
        (":path", BAD),
        (":path", "/smuggled"),
    ]
]

# For some readers these characters end a line, a field or a word, wherever they stand in a text.
CONTROLS = {
    "CR LF": "\r\n",
    "LF": "\n",
    "CR": "\r",
    "NUL": "\0",
    "DEL": "\x7f",
    "vertical tab": "\x0b",
}
PSEUDO = [
    (f":{name} with {what}", asked(**{name: value + text + "GET"}))
    for name, value in [
        ("method", "POST"),
        ("scheme", "http"),
        ("authority", "a.localhost"),
        ("path", BAD),
    ]
    for what, text in [*CONTROLS.items(), ("space", " "), ("tab", "\t")]
]
NAMES = [
    (f"name with {what}", asked((f"x{text}y", "z")))
    for what, text in [*CONTROLS.items(), ("space", " "), ("colon", ":"), ("0x80", "\x80")]
]
VALUES = [
    (f"{name} with {what}", asked((name, f"a{text}b")))
    for name in ("x", "cookie", "referer", "content-type", "te")
    for what, text in CONTROLS.items()
    if name != "te" or what == "CR LF"
]
EDGES = [
    (f"value that {where} {what}", asked(("x", value)))
    for what, blank in [("space", " "), ("tab", "\t"), ("CR", "\r"), ("LF", "\n")]
    for where, value in [("begins with", blank + "a"), ("ends with", "a" + blank)]
]

CODINGS = [
    (f"{name}: {value!r}", asked((name, value), body=b"0\r\n\r\n" + SMUGGLED))
    for name, value in [
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("transfer-encoding", ""),
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding ", "chunked"),
        ("transfer-encoding:", "chunked"),
        (" transfer-encoding", "chunked"),
        ("x: y\r\ntransfer-encoding", "chunked"),
        ("x", "y\r\ntransfer-encoding: chunked"),
        ("te", "chunked"),
        ("te", "trailers, chunked"),
        ("connection", "keep-alive"),
        ("connection", "content-length"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
    ]
]
LENGTHS = [
    (f"content-length: {value!r}", asked(("content-length", value), body=SMUGGLED))
    for value in [
        "",
        "+44",
        "-1",
        "0x2c",
        "44, 44",
        "44 44",
        "44.0",
        " 44",
        "44 ",
        "44\t",
        "\x0b44",
        "44\r\nx: y",
        "18446744073709551660",
        "4\0",
    ]
]
LENGTHS += [
    (
        f"content-length twice, {what}",
        asked(("content-length", "44"), ("content-length", value), body=SMUGGLED),
    )
    for what, value in [("alike", "44"), ("0", "0")]
]

WEBSOCKETS = [
    (f"websocket, {what}", lambda number, fields=fields: headers(number, *fields))
    for what, fields in [
        (
            "path with CR LF",
            [(":method", "CONNECT"), (":protocol", "websocket"), *line(path="/bad\r\nX: y")[1:]],
        ),
        (
            "protocol with CR LF",
            [(":method", "CONNECT"), (":protocol", "websocket\r\nX: y"), *line()[1:]],
        ),
        (
            "field with CR LF",
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                *line()[1:],
                ("sec-websocket-protocol", "a\r\nX: y"),
            ],
        ),
        (
            "origin with LF",
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                *line()[1:],
                ("origin", "a\nX: y"),
            ],
        ),
    ]
]


@pytest.mark.rule("D2")
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=what)
        for what, make in TWICE + PSEUDO + NAMES + VALUES + EDGES + CODINGS + LENGTHS + WEBSOCKETS
    ],
)
def test_nothing_of_a_malformed_request_is_written(stage, make):
    peer, number = stage.link(), stage.next_stream()
    peer.send(make(number))
    wait_until(
        lambda: number in peer.resets or number in peer.over or peer.ended.is_set(),
        what="an end of the stream",
    )
    assert peer.resets.get(number) == PROTOCOL_ERROR, (peer.heads.get(number), peer.goaways)
    well(stage)
    assert BAD not in stage.seen.begun


# ---- bodies that are not as announced ----
def data(number, body, end=True):
    return frame(DATA, END_STREAM if end else 0, number, body)


def post(number, length, *rest, end=False):
    """Returns a head that announces @length bytes, and the frames @rest after it."""
    return headers(number, *line(), ("content-length", str(length)), end=end) + b"".join(rest)


BROKEN = [
    ("a length and no body", lambda n: [post(n, len(SMUGGLED), end=True)]),
    ("a length and an empty body", lambda n: [post(n, len(SMUGGLED), data(n, b""))]),
    ("less than its length", lambda n: [post(n, len(SMUGGLED) + 4, data(n, b"four"))]),
    (
        "less than its length, later",
        lambda n: [post(n, 8), data(n, b"four", end=False), data(n, b"")],
    ),
    (
        "less than its length, and trailers",
        lambda n: [post(n, 8, data(n, b"four", end=False), headers(n, ("x-sum", "1"), end=True))],
    ),
    ("more than its length", lambda n: [post(n, 4, data(n, b"four" + SMUGGLED))]),
    ("a second head", lambda n: [headers(n, *line()), headers(n, *line(), end=True)]),
    ("trailers that do not end it", lambda n: [headers(n, *line()), headers(n, ("x-sum", "1"))]),
    (
        "trailers with a pseudo-field",
        lambda n: [headers(n, *line()), headers(n, (":path", "/smuggled"), end=True)],
    ),
    *(
        (
            f"trailer with {what} in its {where}",
            lambda n, field=field: [
                headers(n, *line()),
                data(n, b"four", end=False),
                headers(n, field, end=True),
            ],
        )
        for what, text in CONTROLS.items()
        for where, field in [("name", (f"x{text}y", "z")), ("value", ("x", f"a{text}b"))]
    ),
    *(
        (
            f"trailer {name}",
            lambda n, name=name, value=value: [
                headers(n, *line()),
                data(n, b"four", end=False),
                headers(n, (name, value), end=True),
            ],
        )
        for name, value in [("transfer-encoding", "chunked"), ("connection", "close"), ("", "z")]
    ),
]


@pytest.mark.rule("D2", "D4", "D7")
@pytest.mark.parametrize("make", [pytest.param(make, id=what) for what, make in BROKEN])
def test_a_broken_request_never_looks_complete(stage, make):
    """The head may have reached the origin when the fault comes. Then the origin's connection ends
    as well."""
    peer, number = stage.link(), stage.next_stream()
    before = len(stage.seen.whole.get(BAD, []))
    for frames in make(number):
        peer.send(frames)
        peer.settle()
    wait_until(lambda: number in peer.resets or peer.ended.is_set(), what="a reset")
    assert peer.resets.get(number) == PROTOCOL_ERROR, (peer.heads.get(number), peer.goaways)
    well(stage)
    assert len(stage.seen.whole.get(BAD, [])) == before


@pytest.mark.rule("D4")
@pytest.mark.parametrize("length", [0, 4])
@pytest.mark.parametrize(
    "surplus",
    [b"G", SMUGGLED, b"0\r\n\r\n" + SMUGGLED],
    ids=["a byte", "a request", "an end of chunks"],
)
def test_bytes_beyond_the_length_are_dropped(stage, length, surplus):
    """It is too late to refuse the request: the origin has got what was announced, and may have
    answered."""
    peer, number = stage.link(), stage.next_stream()
    before = len(stage.seen.whole.get(BAD, []))
    peer.send(post(number, length, data(number, b"four"[:length], end=False)))
    wait_until(lambda: len(stage.seen.whole.get(BAD, [])) > before, what="the request")
    peer.send(data(number, surplus))
    wait_until(lambda: number in peer.resets, what="a reset")
    assert peer.resets[number] in (NO_ERROR, PROTOCOL_ERROR)
    well(stage)
    assert [one.body for one in stage.seen.whole[BAD][before:]] == [b"four"[:length]]


# ---- what is meant, however it looks ----
BODIES = {
    "a request": SMUGGLED,
    "chunks and a request": b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "an end of chunks": b"0\r\n\r\n",
    "line ends": b"\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.rule("D4", "D5", "D6")
@pytest.mark.parametrize("split", [False, True], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("length", [False, True], ids=["no length", "length"])
@pytest.mark.parametrize("body", [pytest.param(body, id=what) for what, body in BODIES.items()])
def test_a_body_stays_a_body(stage, body, length, split):
    peer, number = stage.link(), stage.next_stream()
    fields = [("content-length", str(len(body)))] if length else []
    pieces = [body[at : at + 1] for at in range(len(body))] if split else [body]
    peer.send(request(number, "POST", f"/good/{number}", extra=fields, end=False))
    for piece in pieces:
        peer.send(data(number, piece, end=False))
    peer.send(data(number, b""))
    assert peer.wait_answer(number) == (200, f"answer to /good/{number}".encode())
    seen = stage.seen.whole[f"/good/{number}"]
    assert [(one.method, one.body) for one in seen] == [("POST", body)]
    well(stage)


TRAILERS = [
    ("host", "evil"),
    ("content-length", "4"),
    ("authorization", "evil"),
    ("cookie", "evil=1"),
    ("te", "trailers"),
    ("x-sum", "1"),
]


@pytest.mark.rule("D6")
def test_trailers_that_would_be_taken_for_a_head_are_left_out(stage):
    peer, number = stage.link(), stage.next_stream()
    peer.send(
        request(number, "POST", f"/good/{number}", end=False)
        + data(number, b"body", end=False)
        + headers(number, *TRAILERS, end=True)
    )
    assert peer.wait_answer(number)[0] == 200
    assert stage.seen.whole[f"/good/{number}"][0].trailers == [("X-Sum", "1")]
    well(stage)


# ---- an answer that nobody asked for, in the moment of a request ----
FORGED = reply(b"forged")


def state(program):
    return Path(f"/proc/{program.pid}/stat").read_text().rpartition(") ")[2][0]


def stopped_asleep(program, sockets):
    """Stops @program while it waits for events and has nothing to read. Returns False if that did
    not succeed.

    A program that is stopped in the middle of a turn would find the request in this turn and the
    answer in the next one. It could not tell such an answer from a true one."""
    if state(program) != "S" or any(unread(each) for each in sockets):
        return False
    program.signal(signal.SIGSTOP)
    wait_until(lambda: state(program) == "T", what="oneport to stand still")
    if any(unread(each) for each in sockets):
        program.signal(signal.SIGCONT)
        return False
    return True


@pytest.mark.rule("D7")
def test_an_answer_from_before_the_request_is_not_its_answer(certificate, tmp_path, ended):
    """oneport finds both at the same time: a request on the link, and bytes on the idle connection
    that it would use."""

    def serve(connection):
        while True:
            connection.request()
            connection.send(reply(b"clean"))

    stage = Stage(certificate, tmp_path, ended, seen=serve)
    assert stage.ask() == (200, b"clean")
    program, peer = stage.client.program, stage.link()
    for request_first in (True, False) * 3:
        poisoned, number = stage.origin.connections[-1], stage.next_stream()
        sends = [
            (
                peer.connection.socket,
                lambda number=number: peer.send(request(number, path="/victim")),
            ),
            (poisoned.socket, lambda poisoned=poisoned: poisoned.send(FORGED)),
        ]
        wait_until(
            lambda: stopped_asleep(program, [socket for socket, _ in sends]),
            what="oneport to be stopped in its sleep",
        )
        for socket, send in sends if request_first else reversed(sends):
            send()
            wait_until(lambda socket=socket: unread(socket) > 0, what="bytes to wait")
        program.signal(signal.SIGCONT)
        assert peer.wait_answer(number) == (200, b"clean")
        assert stage.origin.connections[-1] is not poisoned
