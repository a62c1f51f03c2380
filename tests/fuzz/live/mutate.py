# SPDX-License-Identifier: MIT
"""Changes a list of frames, or bytes, at random."""

from support.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from support.hostile_client import BROKEN, FLOODS, WRONG

from . import plan

STRANGE_STREAMS = (0, 2, 4, 99, 4711, 0x7FFFFFFF, 0x80000001)
ODD_FIELDS = (
    [(":status", "101")],
    [(":status", "099")],
    [("content-length", "5")],
    [("content-length", "5"), ("content-length", "6")],
    [("content-length", "18446744073709551617")],
    [("transfer-encoding", "chunked")],
    [("connection", "close")],
    [("x", "y\r\nx-forged: 1")],
    [("x", "y\x00z")],
    [("Upper", "case")],
    [("trailer", "x-token")],
    [("upgrade", "websocket"), ("connection", "upgrade")],
    [("set-cookie", "a=b; Domain=localhost")],
    [("x", "y" * 70_000)],
    [("", "no name")],
    [(":path", "/")],
)


def frames(rng, given):
    """Returns the frames with some added and some changed."""
    made = list(given)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 3))):
        made.insert(rng.randrange(len(made) + 1), extra(rng, made))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
        if made:
            made = rng.choice(CHANGES)(rng, made, rng.randrange(len(made)))
    return made


def a_stream(rng, made):
    return rng.choice([one.stream for one in made] + [1, 3, rng.choice(STRANGE_STREAMS)])


def number(rng, *usual):
    return rng.choice((*usual, 0, 1, rng.getrandbits(31), 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(
        4, "big"
    )


def setting(rng):
    return rng.randrange(1, 10).to_bytes(2, "big") + number(rng, 100, 16_384, 65_535)


def extra(rng, made):
    """Returns a frame that is no part of an answer."""
    kind = rng.choice((SETTINGS, PING, WINDOW_UPDATE, PRIORITY, GOAWAY, RST_STREAM, "row", "kind"))
    of = rng.choice((0, a_stream(rng, made)))
    if kind == "row":
        return Raw(rng.choice(ROWS))
    if kind == "kind":
        return plan.Frame(rng.randrange(5, 256), rng.randrange(256), of, rng.randbytes(8))
    payload = {
        SETTINGS: b"".join(setting(rng) for _ in range(rng.randrange(4))),
        PING: rng.randbytes(8),
        WINDOW_UPDATE: number(rng, 1000, 65_536),
        PRIORITY: number(rng, 1) + b"\x10",
        GOAWAY: number(rng, 1, 3, 5) + number(rng, 0, 8) + b"taken_over"[: rng.choice((0, 10))],
        RST_STREAM: number(rng, 7, 8, 2),
    }[kind]
    on_stream = kind in (RST_STREAM, PRIORITY, WINDOW_UPDATE)
    flags = rng.choice((0, 0, 0, 1)) if kind in (SETTINGS, PING) else 0
    return plan.Frame(kind, flags, a_stream(rng, made) if on_stream else 0, payload)


class Raw:
    """Is bytes of a table of hostile_client.py, in place of a frame."""

    kind, flags, stream, fields, length = None, 0, 1, None, None

    def __init__(self, payload):
        self.payload = payload

    def encode(self, encoder):
        return self.payload

    def copy(self):
        return Raw(self.payload)


ROWS = [data for _, data, *_ in (*WRONG, *BROKEN) if data] + [
    once + (again or b"") * 3 for _, once, again, _ in FLOODS
]


# ---- changes of one frame; each returns the list
def moved(rng, made, at):
    made.insert(rng.randrange(len(made)), made.pop(at))
    return made


def dropped(rng, made, at):
    del made[at]
    return made


def doubled(rng, made, at):
    made.insert(rng.randrange(at, len(made) + 1), made[at].copy())
    return made


def other_stream(rng, made, at):
    made[at].stream = a_stream(rng, made)
    return made


def other_flags(rng, made, at):
    made[at].flags ^= rng.choice((END_STREAM, END_HEADERS, PADDED, 0x20, rng.randrange(256)))
    return made


def other_kind(rng, made, at):
    made[at].kind = rng.choice((rng.randrange(11), DATA, HEADERS, CONTINUATION))
    return made if not isinstance(made[at], Raw) else dropped(rng, made, at)


def other_length(rng, made, at):
    told = len(made[at].payload)
    made[at].length = max(0, rng.choice((told - 1, told + 1, told + 9, 0, 5, 16_385, 0xFFFFFF)))
    return made


def cut(rng, made, at):
    one = made[at]
    if one.fields is None and one.payload:
        one.payload = one.payload[: rng.randrange(len(one.payload))]
    return made


def grown(rng, made, at):
    made[at].payload += rng.randbytes(rng.choice((1, 5, 300)))
    return made


def odd_fields(rng, made, at):
    one = made[at]
    if one.fields is not None:
        fields = list(one.fields)
        for pair in rng.choice(ODD_FIELDS):
            fields.insert(rng.randrange(len(fields) + 1), pair)
        one.fields = fields
    return made


def fewer_fields(rng, made, at):
    one = made[at]
    if one.fields:
        one.fields = rng.sample(one.fields, rng.randrange(len(one.fields)))
    return made


def split(rng, made, at):
    """Continues a field section in other frames, perhaps with something between."""
    one = made[at]
    if one.fields is None or not one.flags & END_HEADERS:
        return made
    whole = plan.block(*one.fields)
    where = rng.randrange(len(whole) + 1)
    first = plan.Frame(one.kind, one.flags & ~END_HEADERS, one.stream, whole[:where])
    rest = plan.Frame(CONTINUATION, END_HEADERS, one.stream, whole[where:])
    between = [extra(rng, made)] if rng.random() < 0.3 else []
    between += [plan.Frame(CONTINUATION, 0, one.stream)] * rng.choice((0, 0, 1, 12))
    made[at : at + 1] = [first, *between, rest]
    return made


def flood(rng, made, at):
    """Repeats a frame so often that windows or budgets end."""
    made[at:at] = [made[at].copy() for _ in range(rng.choice((20, 100, 400)))]
    return made


CHANGES = (
    *(moved, dropped, doubled, other_stream, other_stream, other_flags, other_flags, other_kind),
    *(other_length, cut, grown, odd_fields, odd_fields, fewer_fields, split, split),
)
RARE = (flood,)
CHANGES = CHANGES * 4 + RARE


# ---- changes of bytes
def octets(rng, data):
    """Returns the bytes with some flipped, left out, doubled or added."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not made:
            break
        at, size = rng.randrange(len(made)), rng.choice((1, 1, 4, 9, 40))
        how = rng.randrange(5)
        if how <= 1:
            made[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del made[at : at + size]
        elif how == 3:
            made[at:at] = made[at : at + size]
        else:
            made[at:at] = rng.randbytes(size)
    return bytes(made)
