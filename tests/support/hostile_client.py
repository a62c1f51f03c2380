# SPDX-License-Identifier: MIT
"""Attaches to oneportd as a client that sends frames to hurt. The tables have the frames: those
that end the link, and those that end a stream. They answer the link's first request."""

import hpack

from .foreign import attach, register
from .frames import (
    ACK,
    CANCEL,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    SETTING_CONNECT,
    SETTING_INITIAL_WINDOW,
    WINDOW_UPDATE,
    RawPeer,
    block,
    frame,
    goaway,
    headers,
    request,
    reset,
    response,
    settings,
    window_update,
)

STREAM = 1  # oneportd's first


def raw_link(server, name, ticket, polite=True, first=None):
    """Attaches a link and sends its SETTINGS. Returns its RawPeer."""
    connection, got = attach(server, name, ticket)
    assert got.status == 101, got
    assert connection.exactly(len(PREFACE)) == PREFACE
    return RawPeer(connection, settings({SETTING_CONNECT: 1, **(first or {})}), polite)


def hostile(server, name, polite=True, first=None):
    """Registers a name and attaches its first link. Returns the RawPeer once the server has it."""
    peer = raw_link(server, name, register(server, name)["ticket"], polite, first)
    server.wait_link(name, 1)
    return peer


# The encoder belongs to one session: the second block repeats what the first one puts into the
# table.
BOMB = hpack.Encoder()
BOMB_FIRST = BOMB.encode([(":status", "103"), ("x", "y" * 4000)])
# This is :status 200, then the newest entry again and again: 400 KB of fields in 101 bytes.
BOMB_NEXT = b"\x88" + b"\xbe" * 100

STREAM_ID = STREAM.to_bytes(4, "big")
OPENED = response(STREAM, 200)

# (what, bytes sent once, bytes sent again and again, the code of GOAWAY)
FLOODS = [
    ("PING", b"", frame(PING, 0, 0, b"12345678"), ENHANCE_YOUR_CALM),
    ("answers to no PING", b"", frame(PING, ACK, 0, b"12345678"), ENHANCE_YOUR_CALM),
    ("SETTINGS", b"", settings(), ENHANCE_YOUR_CALM),
    (
        "SETTINGS that change the window",
        b"",
        settings({SETTING_INITIAL_WINDOW: 1}) + settings({SETTING_INITIAL_WINDOW: 99}),
        ENHANCE_YOUR_CALM,
    ),
    ("SETTINGS acknowledged twice", settings(flags=ACK) * 3, b"", PROTOCOL_ERROR),
    (
        "SETTINGS with 33 entries",
        frame(SETTINGS, 0, 0, b"\x00\x42\x00\x00\x00\x00" * 33),
        b"",
        ENHANCE_YOUR_CALM,
    ),
    ("empty DATA", OPENED, frame(DATA, 0, STREAM), ENHANCE_YOUR_CALM),
    (
        "DATA of padding",
        OPENED,
        frame(DATA, PADDED, STREAM, b"\x03\x00\x00\x00"),
        ENHANCE_YOUR_CALM,
    ),
    ("PRIORITY", b"", frame(PRIORITY, 0, STREAM, b"\x00\x00\x00\x00\x10"), ENHANCE_YOUR_CALM),
    (
        "PRIORITY of idle streams",
        b"",
        frame(PRIORITY, 0, 4711, b"\x00\x00\x00\x00\x10"),
        ENHANCE_YOUR_CALM,
    ),
    ("unknown frames", b"", frame(0x42, 0, STREAM, b"what"), ENHANCE_YOUR_CALM),
    (
        "unknown frames of the connection",
        b"",
        frame(0x10, 0, 0, STREAM_ID + b"u=1"),
        ENHANCE_YOUR_CALM,
    ),
    ("tiny WINDOW_UPDATE of the connection", b"", window_update(0, 1), ENHANCE_YOUR_CALM),
    ("tiny WINDOW_UPDATE of a stream", b"", window_update(STREAM, 1), ENHANCE_YOUR_CALM),
    ("1xx", b"", headers(STREAM, (":status", "103"), ("link", "</a>")), ENHANCE_YOUR_CALM),
    ("GOAWAY", b"", goaway(STREAM, 0), ENHANCE_YOUR_CALM),
    (
        "RST_STREAM of a stream that is over",
        reset(STREAM, CANCEL),
        reset(STREAM, CANCEL),
        ENHANCE_YOUR_CALM,
    ),
    (
        "HEADERS of a stream that is over",
        response(STREAM, 200, b""),
        response(STREAM, 200),
        ENHANCE_YOUR_CALM,
    ),
    ("field sections that are too large", b"", None, ENHANCE_YOUR_CALM),
]

# (what, bytes, the code of GOAWAY)
WRONG = [
    (
        "CONTINUATION without end",
        frame(HEADERS, 0, STREAM, block((":status", "200")))
        + frame(CONTINUATION, 0, STREAM, b"") * 20,
        ENHANCE_YOUR_CALM,
    ),
    ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, STREAM, b""), PROTOCOL_ERROR),
    (
        "something between HEADERS and CONTINUATION",
        frame(HEADERS, 0, STREAM, block((":status", "200"))) + settings(),
        PROTOCOL_ERROR,
    ),
    (
        "PUSH_PROMISE",
        frame(PUSH_PROMISE, END_HEADERS, STREAM, b"\x00\x00\x00\x02" + block((":method", "GET"))),
        PROTOCOL_ERROR,
    ),
    ("a request", request(2), PROTOCOL_ERROR),
    ("a request of our numbers", request(99), PROTOCOL_ERROR),
    ("DATA of the connection", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    (
        "HEADERS of the connection",
        frame(HEADERS, END_HEADERS, 0, block((":status", "200"))),
        PROTOCOL_ERROR,
    ),
    ("RST_STREAM of the connection", reset(0, CANCEL), PROTOCOL_ERROR),
    ("PRIORITY of the connection", frame(PRIORITY, 0, 0, b"\x00\x00\x00\x00\x10"), PROTOCOL_ERROR),
    ("PING of a stream", frame(PING, 0, STREAM, b"12345678"), PROTOCOL_ERROR),
    ("SETTINGS of a stream", frame(SETTINGS, 0, STREAM), PROTOCOL_ERROR),
    ("GOAWAY of a stream", frame(GOAWAY, 0, STREAM, bytes(8)), PROTOCOL_ERROR),
    ("DATA of an idle stream", frame(DATA, 0, 99, b"x"), PROTOCOL_ERROR),
    ("RST_STREAM of an idle stream", reset(99, CANCEL), PROTOCOL_ERROR),
    ("WINDOW_UPDATE of an idle stream", window_update(99, 5000), PROTOCOL_ERROR),
    ("WINDOW_UPDATE of nothing", window_update(0, 0), PROTOCOL_ERROR),
    ("WINDOW_UPDATE of nothing for a stream", window_update(STREAM, 0), PROTOCOL_ERROR),
    ("DATA before its head", frame(DATA, 0, STREAM, b"x"), PROTOCOL_ERROR),
    ("WINDOW_UPDATE over 2^31", window_update(0, 0x7FFFFFFF) * 2, FLOW_CONTROL_ERROR),
    (
        "INITIAL_WINDOW_SIZE over 2^31",
        settings({SETTING_INITIAL_WINDOW: 1 << 31}),
        FLOW_CONTROL_ERROR,
    ),
    ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00"), FRAME_SIZE_ERROR),
    (
        "SETTINGS acknowledged with something",
        frame(SETTINGS, ACK, 0, b"\x00\x03\x00\x00\x00\x01"),
        FRAME_SIZE_ERROR,
    ),
    ("PING of 7 bytes", frame(PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
    ("RST_STREAM of 3 bytes", frame(RST_STREAM, 0, STREAM, b"\x00\x00\x00"), FRAME_SIZE_ERROR),
    (
        "WINDOW_UPDATE of 5 bytes",
        frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x00\x01\x00"),
        FRAME_SIZE_ERROR,
    ),
    ("a frame of 16,385 bytes", frame(DATA, 0, STREAM, bytes(16_385)), FRAME_SIZE_ERROR),
    (
        "a field section that is none",
        frame(HEADERS, END_HEADERS, STREAM, b"\xff\xff\xff\xff\xff\xff\xff"),
        COMPRESSION_ERROR,
    ),
    (
        "a table that is too large",
        frame(HEADERS, END_HEADERS, STREAM, b"\x3f\xff\xff\xff\x0f\x88"),
        COMPRESSION_ERROR,
    ),
    ("more padding than frame", frame(DATA, PADDED, STREAM, b"\x09\x00\x00"), PROTOCOL_ERROR),
]


def answered(status, body=b"", *fields):
    return headers(STREAM, (":status", status), *fields) + frame(DATA, END_STREAM, STREAM, body)


# (what, bytes, the codes that RST_STREAM may have, what the viewer may get)
BROKEN = [
    ("a bomb of fields", None, {INTERNAL_ERROR}, {502}),
    (
        "129 fields",
        headers(STREAM, (":status", "200"), *[("x", "y")] * 129),
        {INTERNAL_ERROR},
        {502},
    ),
    ("no :status", headers(STREAM, ("x", "y")), {PROTOCOL_ERROR}, {502}),
    (":status 101", headers(STREAM, (":status", "101")), {PROTOCOL_ERROR}, {502}),
    (":status 2x0", headers(STREAM, (":status", "2x0")), {PROTOCOL_ERROR}, {502}),
    (":status 099", answered("099"), {CANCEL, PROTOCOL_ERROR}, {502}),
    (":status 600", answered("600"), {CANCEL, PROTOCOL_ERROR}, {502}),
    (
        ":status twice",
        headers(STREAM, (":status", "200"), (":status", "404")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a request's pseudo-field",
        headers(STREAM, (":status", "200"), (":path", "/")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a name in capitals",
        headers(STREAM, (":status", "200"), ("X-Y", "z")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a line in a value",
        headers(STREAM, (":status", "200"), ("x", "y\r\nz: forged")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "connection",
        headers(STREAM, (":status", "200"), ("connection", "close")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "two lengths",
        headers(STREAM, (":status", "200"), ("content-length", "1"), ("content-length", "2")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a length with a sign",
        headers(STREAM, (":status", "200"), ("content-length", "+5")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a length of two",
        headers(STREAM, (":status", "200"), ("content-length", "5,5")),
        {PROTOCOL_ERROR},
        {502},
    ),
    (
        "a length of nothing",
        headers(STREAM, (":status", "200"), ("content-length", "")),
        {PROTOCOL_ERROR},
        {502},
    ),
    ("a length with 204", answered("204", b"", ("content-length", "5")), {PROTOCOL_ERROR}, {502}),
    (
        "transfer-encoding",
        headers(STREAM, (":status", "200"), ("transfer-encoding", "chunked")),
        {PROTOCOL_ERROR},
        {502},
    ),
    ("te", headers(STREAM, (":status", "200"), ("te", "gzip")), {PROTOCOL_ERROR}, {502}),
    (
        "a length behind the body",
        OPENED + headers(STREAM, ("content-length", "5"), end=True),
        {PROTOCOL_ERROR},
        {"aborted"},
    ),
    (
        "transfer-encoding behind the body",
        OPENED + headers(STREAM, ("transfer-encoding", "chunked"), end=True),
        {PROTOCOL_ERROR},
        {"aborted"},
    ),
    (
        "less than the length",
        answered("200", b"four", ("content-length", "5")),
        {PROTOCOL_ERROR},
        {"aborted"},
    ),
    (
        "more than the length",
        answered("200", b"sixsix", ("content-length", "5")),
        {PROTOCOL_ERROR},
        {"aborted"},
    ),
    ("a second head", OPENED + OPENED, {PROTOCOL_ERROR}, {"aborted"}),
    (
        "pseudo-fields behind the body",
        OPENED + headers(STREAM, (":status", "200"), end=True),
        {PROTOCOL_ERROR},
        {"aborted"},
    ),
    ("WINDOW_UPDATE over 2^31", window_update(STREAM, 0x7FFFFFFF), {FLOW_CONTROL_ERROR}, {502}),
    ("reset", reset(STREAM, INTERNAL_ERROR), {None}, {502}),
    ("cancelled behind the head", OPENED + reset(STREAM, CANCEL), {None}, {"aborted"}),
]
