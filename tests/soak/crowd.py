# SPDX-License-Identifier: MIT
"""Plays viewers that send requests of many kinds, one after the other, and check every byte of the
answers."""

import functools
import hashlib
import json
import random
import threading
import time

from support import pattern
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head

DEADLINE_S = 60 * SLOW  # without a byte
OPERATION_S = 4 * DEADLINE_S
PAUSE_S = 0.15  # mean between two operations of a viewer, to keep the load below one core
SIZES = (0, 1, 200, 4096, 16384, 65535, 65536, 300000, 1 << 20, 3 << 20, 8 << 20)
CHANCES = (40, 40, 40, 40, 40, 40, 40, 40, 20, 10, 4)
SMALL = 2000
STALL_S = (5, 40)

digest = functools.cache(pattern.digest)


class Wrong(Exception):
    """An answer differs from what the origin sent."""


def check(good, what):
    if not good:
        raise Wrong(what)


class Person:
    """Plays one viewer, who keeps a connection as long as it lasts. @life (life.py) tells when the
    client of the tunnel was killed."""

    def __init__(self, number, tunnel, life, tls, tally, stop):
        self.dice = random.Random(number)
        self.tunnel, self.life, self.tls, self.tally, self.stop = tunnel, life, tls, tally, stop
        self.viewer = None
        self.kinds = KINDS
        self.thread = threading.Thread(target=self.live, name=f"viewer-{number}")

    def live(self):
        kinds, weights = zip(*self.kinds.items())
        while not self.stop.wait(self.dice.expovariate(1 / PAUSE_S)):
            kind = self.dice.choices(kinds, weights)[0]
            self.attempt(kind)
        self.leave()

    def attempt(self, kind):
        begun = time.monotonic()
        try:
            kind(self)
            self.tally.count(kind.__name__)
        except TimeoutError:
            self.fault(
                "hang",
                kind,
                (
                    f"no byte came for {DEADLINE_S} s, until"
                    f" {time.strftime('%H:%M:%S', time.gmtime())}"
                ),
            )
        except Wrong as error:
            self.fault("wrong", kind, error)
        except (Broken, EOFError, OSError) as error:
            self.cut(kind, error, begun)
        except Exception as error:  # an answer that a strict reader refuses
            self.fault("wrong", kind, repr(error))
        if time.monotonic() - begun > OPERATION_S:
            self.fault("hang", kind, f"took {time.monotonic() - begun:.0f} s")

    def cut(self, kind, error, begun):
        self.leave()
        if self.life.was_killed(begun):
            self.tally.count("cut while the client was killed")
        else:
            self.tally.fault("failed", f"{kind.__name__} through {self.tunnel.name}: {error!r}")

    def fault(self, sort, kind, what):
        self.leave()
        self.tally.fault(sort, f"{kind.__name__} through {self.tunnel.name}: {what}")

    def leave(self):
        if self.viewer:
            self.viewer.close()
        self.viewer = None

    def connect(self, **options):
        return Viewer(self.tunnel.server.port, self.tls, timeout_s=DEADLINE_S, **options)

    def get(self, path, *fields, **options):
        """Sends a request and returns the origin's answer. Raises EOFError if the answer says that
        the client is away. If a kept connection was closed meanwhile, asks again on a new one, as
        browsers do."""
        kept, self.viewer = self.viewer, self.viewer or self.connect()
        try:
            response = self.viewer.get(self.tunnel.host, path, *fields, **options)
        except (EOFError, ConnectionError):
            if not kept:
                raise
            self.leave()
            self.viewer = self.connect()
            response = self.viewer.get(self.tunnel.host, path, *fields, **options)
        return self.of_origin(response)

    def of_origin(self, response):
        if response.get("Connection") == "close" or response.status >= 500:
            self.leave()
        if response.status in (502, 503) and response.get("Proxy-Status"):
            raise EOFError(f"{response.status} {response.get('Proxy-Status')}")
        return response


# ---- kinds of requests ----
def small(person):
    size = person.dice.randrange(SMALL)
    response = person.get(f"/bytes/{size}")
    check(response.status == 200 and response.body == pattern.pattern(size), response)


def download(person):
    size, framing = person.dice.choices(SIZES, CHANCES)[0], person.dice.choice(
        ("", "?chunked=1", "?close=1")
    )
    response = person.get(f"/bytes/{size}{framing}")
    check(
        response.status == 200 and len(response.body) == size,
        f"{response.status}, {len(response.body)} of {size} bytes",
    )
    check(hashlib.sha256(response.body).hexdigest() == digest(size), f"{size} other bytes")


def upload(person):
    size = person.dice.choices(SIZES, CHANCES)[0]
    body = pattern.pattern(size)
    if person.dice.random() < 0.5:
        got = person.get("/upload", method="POST", body=body)
    else:
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece)
            for piece in pattern.pieces(size, person.dice.randrange(1, 70000))
        )
        person.leave()
        person.viewer = person.connect()
        person.viewer.send(
            head("POST", "/upload", person.tunnel.host, "Transfer-Encoding: chunked")
            + chunks
            + b"0\r\n\r\n"
        )
        got = person.of_origin(person.viewer.response("POST"))
    check(got.status == 200, got)
    said = json.loads(got.body)
    check(
        (said["length"], said["sha256"]) == (size, digest(size)),
        f"the origin got {said}, not {size} bytes",
    )


def only_head(person):
    response = person.get("/bytes/5000", method="HEAD")
    check(response.status == 200 and response.get("Content-Length") == "5000", response)


def trailers(person):
    response = person.get("/trailers", "TE: trailers", "Connection: TE")
    check(
        response.body == b"hello" and response.trailers == [("X-Sum", "42")],
        f"{response} {response.trailers}",
    )


def echo(person):
    mark = f"{person.dice.getrandbits(64):x}"
    said = person.get(f"/echo?{mark}", f"X-Mark: {mark}").json()
    check(
        said["target"] == f"/echo?{mark}"
        and ["x-mark", mark] in [[name.lower(), value] for name, value in said["fields"]],
        said,
    )


def pipelined(person):
    sizes = [person.dice.randrange(SMALL) for _ in range(5)]
    person.leave()
    person.viewer = person.connect()
    person.viewer.send(
        b"".join(head("GET", f"/bytes/{size}", person.tunnel.host) for size in sizes)
    )
    for size in sizes:
        response = person.of_origin(person.viewer.response())
        check(
            response.body == pattern.pattern(size),
            f"{response.status}, {len(response.body)} of {size} bytes",
        )


def unknown_name(person):
    got = fetch(
        person.tunnel.server.port,
        f"nobody-{person.dice.randrange(1000)}.localhost",
        timeout_s=DEADLINE_S,
        tls=person.tls,
    )
    check(got.status == 404, got)


def malformed(person):
    raw = person.dice.choice(
        (
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
            b"G\r\n\r\n",
            (
                b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding:"
                b" chunked\r\n\r\n0\r\n\r\n"
            ),
        )
    )
    with person.connect() as viewer:
        viewer.send(raw)
        check(viewer.response().status == 400, raw)


def leaves(person):
    """Leaves in the middle of an answer or of its own request, by FIN or by RST."""
    with person.connect() as viewer:
        if person.dice.random() < 0.5:
            viewer.send(head("GET", "/bytes/3000000", person.tunnel.host))
            for _ in range(person.dice.randrange(6)):
                viewer.some()
        else:
            viewer.send(
                head("POST", "/upload", person.tunnel.host, "Content-Length: 300000")
                + pattern.pattern(person.dice.randrange(300000))
            )
        if person.dice.random() < 0.5:
            viewer.reset()


def stalls(person):
    """Asks for a large body and does not read it for a long time. Then reads all of it, or
    leaves."""
    size = 3 << 20
    with person.connect(receive_buffer=16 << 10) as viewer:
        viewer.send(head("GET", f"/bytes/{size}", person.tunnel.host))
        if person.stop.wait(person.dice.uniform(*STALL_S)) or person.dice.random() < 0.5:
            return
        response = person.of_origin(viewer.response())
        check(
            hashlib.sha256(response.body).hexdigest() == digest(size),
            f"{len(response.body)} of {size} bytes, or other ones",
        )


def reads_slowly(person):
    size = 300000
    with person.connect(receive_buffer=16 << 10) as viewer:
        viewer.send(head("GET", f"/bytes/{size}", person.tunnel.host, "Connection: close"))
        response = person.of_origin(viewer.response_head())
        body = b""
        while len(body) < size and not person.stop.is_set():
            body += viewer.some(20000)
            person.stop.wait(0.05)
        check(
            response.status == 200 and body == pattern.pattern(size)[: len(body)],
            f"{response.status}, other bytes",
        )


KINDS = {
    small: 30,
    download: 20,
    upload: 15,
    only_head: 4,
    trailers: 4,
    echo: 10,
    pipelined: 5,
    unknown_name: 3,
    malformed: 3,
    leaves: 10,
    stalls: 3,
    reads_slowly: 3,
}
