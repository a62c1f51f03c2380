# SPDX-License-Identifier: MIT
"""Plays viewers that speak HTTP/2: each has one connection with several requests at a time, and
checks every byte of the answers."""

import hashlib
import json

from support import pattern
from support.frames import CANCEL, PROTOCOL_ERROR, reset, window_update
from support.h2_viewer import H2Viewer
from support.wait import wait_until

from .crowd import CHANCES, DEADLINE_S, SIZES, SMALL, STALL_S, Person, check, digest

AT_ONCE = 10
UPLOAD_MAX = 30000  # fits into the windows that a connection begins with
REQUESTS_KEPT = 200  # of a connection, whose viewer remembers all heads


class Http2Person(Person):
    def __init__(self, number, tunnel, life, tally, stop):
        super().__init__(number, tunnel, life, None, tally, stop)
        self.kinds = KINDS

    def connect(self, **options):
        server = self.tunnel.server
        return H2Viewer(server.port, self.tunnel.host, **options)

    def connected(self):
        """Returns the kept connection, or a new one if it has ended or has had many requests."""
        old = self.viewer
        if old and (old.ended.is_set() or old.goaways or old.next_stream > 2 * REQUESTS_KEPT):
            self.leave()
        self.viewer = self.viewer or self.connect()
        return self.viewer

    def answers(self, viewer, streams):
        """Waits for all answers and returns them. Raises EOFError if one is not the origin's."""
        self.wait(
            viewer,
            lambda: all({stream} & (viewer.over | viewer.resets.keys()) for stream in streams),
        )
        for stream in streams:
            if stream not in viewer.over:
                raise EOFError(f"stream {stream}: {viewer.resets.get(stream)}, {viewer.goaways}")
        got = [viewer.so_far(stream) for stream in streams]
        for stream in streams:
            viewer.bodies.pop(stream, None)
        return [self.of_origin(one) for one in got]

    @staticmethod
    def wait(viewer, condition):
        """Waits until @condition() holds or the connection has ended."""
        try:
            wait_until(lambda: condition() or viewer.ended.is_set(), DEADLINE_S)
        except AssertionError as error:
            raise TimeoutError(str(error)) from None

    def ask(self, path, *fields, **options):
        viewer = self.connected()
        return self.answers(viewer, [viewer.ask(path, *fields, **options)])[0]


# ---- kinds of requests ----
def several(person):
    sizes = [person.dice.randrange(SMALL) for _ in range(AT_ONCE)]
    viewer = person.connected()
    streams = [viewer.ask(f"/bytes/{size}") for size in sizes]
    for size, got in zip(sizes, person.answers(viewer, streams)):
        check(got.status == 200 and got.body == pattern.pattern(size), got)


def download_h2(person):
    size = person.dice.choices(SIZES, CHANCES)[0]
    got = person.ask(f"/bytes/{size}{person.dice.choice(('', '?chunked=1', '?close=1'))}")
    check(got.status == 200 and len(got.body) == size, f"{got.status}, {len(got.body)} of {size}")
    check(hashlib.sha256(got.body).hexdigest() == digest(size), f"{size} other bytes")


def upload_h2(person):
    size = person.dice.randrange(1, UPLOAD_MAX)
    viewer = person.connected()
    length = [("content-length", str(size))] if person.dice.random() < 0.5 else []
    stream = viewer.ask("/upload", *length, method="POST", end=False)
    viewer.body(stream, pattern.pattern(size), end=True)
    got = person.answers(viewer, [stream])[0]
    said = json.loads(got.body)
    check((said["length"], said["sha256"]) == (size, digest(size)), f"{got}, not {size} bytes")


def heads_h2(person):
    got = person.ask("/bytes/5000", method="HEAD")
    check(got.status == 200 and got.get("Content-Length") == "5000" and not got.body, got)
    got = person.ask("/trailers", ("te", "trailers"))
    check(got.body == b"hello" and got.trailers == [("x-sum", "42")], f"{got} {got.trailers}")


def echo_h2(person):
    mark = f"{person.dice.getrandbits(64):x}"
    said = person.ask(f"/echo?{mark}", ("x-mark", mark)).json()
    fields = [[name.lower(), value] for name, value in said["fields"]]
    check(said["target"] == f"/echo?{mark}" and ["x-mark", mark] in fields, said)


def malformed_h2(person):
    viewer = person.connected()
    stream = viewer.ask("/", ("x-a", "b\r\nx-c: d"))
    person.wait(viewer, lambda: stream in viewer.resets)
    if not viewer.ended.is_set():
        check(viewer.resets[stream] == PROTOCOL_ERROR, viewer.resets)


def takes_back(person):
    """Takes requests back in the middle of their answers, beside one that goes on."""
    viewer = person.connected()
    lasting = viewer.ask("/bytes/100000")
    for _ in range(3):
        viewer.send(reset(viewer.ask("/bytes/3000000"), CANCEL))
    got = person.answers(viewer, [lasting])[0]
    check(got.body == pattern.pattern(100000), f"{got.status}, {len(got.body)} bytes")


def leaves_h2(person):
    """Leaves in the middle of answers."""
    with person.connect() as viewer:
        streams = [viewer.ask("/bytes/3000000") for _ in range(3)]
        person.wait(viewer, lambda: viewer.bodies.keys() & set(streams) or viewer.resets)


def stalls_h2(person):
    """Opens no window for a long time. Then takes the whole body, or leaves."""
    size = 3 << 20
    with person.connect(window=0) as viewer:
        stream = viewer.ask(f"/bytes/{size}")
        if person.stop.wait(person.dice.uniform(*STALL_S)) or person.dice.random() < 0.5:
            return
        viewer.send(window_update(stream, size))
        got = person.answers(viewer, [stream])[0]
        check(hashlib.sha256(got.body).hexdigest() == digest(size), f"{len(got.body)} bytes")


KINDS = {
    several: 30,
    download_h2: 20,
    upload_h2: 15,
    heads_h2: 8,
    echo_h2: 10,
    malformed_h2: 3,
    takes_back: 5,
    leaves_h2: 8,
    stalls_h2: 3,
}
