# SPDX-License-Identifier: MIT
"""Makes plans: what viewers ask for, and which bytes a client sends on its links when. A plan
follows from its seed alone, and can be written to a file and read again.

A plan begins with answers that are right. Then frames are added, changed and moved, and in the end
bytes (mutate.py)."""

import json
import random

import hpack
from support.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    SETTING_INITIAL_WINDOW,
    SETTING_MAX_STREAMS,
    block,
    frame,
)

from . import mutate

# What viewers do. The words that come twice are twice as likely.
ASKS = ("get", "get", "post", "chunked", "head", "socket", "twice", "pipelined", "late", "leaves")
JOINS = ("pool", "instance", "takeover")
STATUSES = ("200", "200", "200", "200", "204", "206", "304", "404", "500")
SIZES = (0, 1, 17, 100, 1000, 16_384)


class Frame:
    """Is one frame to be sent. With .fields the payload is made when it is known which frames come
    before: an encoder may use its table."""

    def __init__(self, kind, flags=0, stream=0, payload=b"", fields=None):
        self.kind, self.flags, self.stream = kind, flags, stream
        self.payload, self.fields = payload, fields
        self.length = None  # what the header says, if that is wrong

    def encode(self, encoder):
        payload = self.payload
        if self.fields is not None:
            payload = encoder.encode(self.fields) if encoder else block(*self.fields)
        made = frame(self.kind, self.flags, self.stream & 0xFFFFFFFF, payload)
        return made if self.length is None else self.length.to_bytes(3, "big") + made[3:]

    def copy(self):
        made = Frame(self.kind, self.flags, self.stream, self.payload, self.fields)
        made.length = self.length
        return made


class Plan:
    """Has .asks, kinds of viewers; .join, how links of the name belong together; .settings of each
    link; and .steps, which are lists that begin with a word:

        ask N            the viewer N sends its request
        take N           until N requests have come by the links
        attach L         link L comes up
        send L HEX       these bytes are sent on link L
        cut L HOW        link L ends: fin, rst, or half (no more is sent)

    With .linger the viewers' ends come before those of the links. .line_ms is the round trip that
    the answer to the first PING pretends; 0: there is no answer."""

    def __init__(self, asks, join, settings, steps, linger=False, line_ms=0):
        self.asks, self.join, self.settings = asks, join, settings
        self.steps, self.linger, self.line_ms = steps, linger, line_ms

    @classmethod
    def load(cls, path):
        told = json.loads(path.read_text())
        told.pop("about", None)
        told["settings"] = [{int(key): n for key, n in one.items()} for one in told["settings"]]
        return cls(**told)

    def save(self, path, about):
        path.write_text(json.dumps({"about": about, **vars(self)}, indent=1) + "\n")

    def sent(self, link):
        """Returns all bytes that the plan sends on a link, settings aside."""
        return b"".join(bytes.fromhex(step[2]) for step in self.steps if step[:2] == ["send", link])


def token(rng):
    return b"T%016x" % rng.getrandbits(64)


def text(rng, size):
    """Returns @size bytes that no other frame has."""
    one = token(rng) + b"."
    return (one * (size // len(one) + 1))[:size]


def data_frame(rng, stream, size, end=False):
    flags, payload = END_STREAM if end else 0, text(rng, size)
    if rng.random() < 0.1:
        pad = rng.randrange(1, 64)
        payload, flags = bytes([pad]) + payload[: 16_300 - pad] + bytes(pad), flags | PADDED
    return Frame(DATA, flags, stream, payload)


def head_frame(rng, stream, status, *fields, end=False):
    flags = END_HEADERS | (END_STREAM if end else 0)
    told = [(":status", status), ("x-token", token(rng).decode()), *fields]
    return Frame(HEADERS, flags, stream, fields=told)


def answer(rng, stream):
    """Returns the frames of one answer."""
    frames = []
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        frames.append(head_frame(rng, stream, rng.choice(("103", "102", "100"))))
    status = rng.choice(STATUSES)
    sizes = [rng.choice(SIZES) for _ in range(rng.choice((0, 1, 1, 2, 3, 6)))]
    if status in ("204", "304"):
        sizes = []
    body = [data_frame(rng, stream, size) for size in sizes]
    fields = [("content-type", "text/plain")]
    if body and rng.random() < 0.3 and not any(one.flags & PADDED for one in body):
        fields.append(("content-length", str(sum(sizes))))
    if rng.random() < 0.2:
        fields.append(("set-cookie", f"c={token(rng).decode()}; Path=/"))
    frames.append(head_frame(rng, stream, status, *fields, end=not body))
    frames += body
    if body and rng.random() < 0.2:
        told = [("x-token", token(rng).decode())]
        frames.append(Frame(HEADERS, END_HEADERS | END_STREAM, stream, fields=told))
    elif body and rng.random() < 0.2:
        frames.append(Frame(DATA, END_STREAM, stream))
    elif body:
        body[-1].flags |= END_STREAM
    return frames


def interleaved(rng, queues):
    """Merges lists of frames at random; the order within each stays."""
    merged, queues = [], [list(one) for one in queues if one]
    while queues:
        one = rng.choice(queues)
        merged += [one.pop(0) for _ in range(min(len(one), rng.randrange(1, 4)))]
        queues = [left for left in queues if left]
    return merged


def pieces(rng, data):
    """Cuts bytes into those of one to five sends."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 0, 1, 2, 4))))
    bounds = [0, *cuts, len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:]) if a < b]


def settings_of(rng):
    chosen = {8: 1, SETTING_INITIAL_WINDOW: 1 << 20}
    if rng.random() < 0.2:
        chosen[SETTING_INITIAL_WINDOW] = rng.choice((0, 1, 100, 65_535))
    if rng.random() < 0.1:
        chosen[SETTING_MAX_STREAMS] = rng.choice((0, 1, 2))
    if rng.random() < 0.1:
        chosen[1] = rng.choice((0, 100, 1 << 16))  # HEADER_TABLE_SIZE
    return chosen


def sends(rng, link, streams, encoder, wrong):
    """Returns the steps in which a link answers the streams with these numbers."""
    given = interleaved(rng, [answer(rng, stream) for stream in streams])
    if wrong:
        given = mutate.frames(rng, given)
    data = b"".join(one.encode(encoder) for one in given)
    if wrong and rng.random() < 0.25:
        data = mutate.octets(rng, data)
    steps = [["send", link, piece.hex()] for piece in pieces(rng, data)]
    if wrong and rng.random() < 0.25:
        how = rng.choice(("fin", "rst", "half"))
        steps.insert(rng.randrange(len(steps) + 1), ["cut", link, how])
    return steps


def make(seed, wrong=True):
    """Returns the plan of a seed. Without @wrong its answers are right, on one link."""
    rng = random.Random(seed)
    links = rng.choice((1, 1, 1, 2, 3)) if wrong else 1
    asks = [rng.choice(ASKS) if wrong else "get" for _ in range(rng.randrange(2, 7))]
    settings = [settings_of(rng) if wrong else {8: 1} for _ in range(links)]
    encoders = [hpack.Encoder() if rng.random() < 0.6 else None for _ in range(links)]
    steps = [["attach", link] for link in range(links)]
    steps += [["ask", number] for number in range(len(asks))]
    # A viewer of the kind `pipelined` or `twice` makes its second request behind the first answer.
    steps.append(["take", len(asks)])
    each = -(-len(asks) // links) + (wrong and rng.random() < 0.1)
    steps += interleaved(
        rng,
        [sends(rng, n, range(1, 2 * each, 2), encoders[n], wrong) for n in range(links)],
    )
    if "pipelined" in asks or "twice" in asks:
        steps.append(["take", len(asks) + 1])
        steps += sends(rng, 0, range(2 * each + 1, 2 * each + 5, 2), encoders[0], wrong)
    if wrong and rng.random() < 0.2:  # who comes late finds a link
        steps.insert(rng.randrange(links, len(steps) + 1), ["attach", links])
        settings.append(settings_of(rng))
    join = rng.choice(JOINS if links == 1 else JOINS[:2])
    linger, line_ms = wrong and rng.random() < 0.03, rng.choice((0, 0, 1, 20, 80))
    return Plan(asks, join, settings, steps, linger, line_ms)
