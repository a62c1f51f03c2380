# SPDX-License-Identifier: MIT
"""Runs attacks on the pools of one server, each from a thread of its own and from addresses of its
own, until they are stopped. Their rate is bounded, and falls when the server takes long to answer:
they are about places, and a machine that has no time left serves nobody.

A Scene says what is attacked. Each kind of attack is a class; ALL lists them."""

import collections
import contextlib
import itertools
import threading

from .crowds import (
    HALF_A_RECORD,
    MIB,
    UPGRADE,
    Deaf,
    big_head,
    is_closed,
    let_in,
    pour,
    readable,
    register_batch,
)
from .foreign import ATTACH, ForeignLink, lost, register
from .frames import END_HEADERS, HEADERS, frame
from .hostile_client import BOMB_FIRST, BOMB_NEXT, BROKEN, FLOODS, WRONG, raw_link
from .programs import SLOW
from .viewer import Viewer, head

NUISANCE = 12_000  # frames of a flood, which is more than the budget of a link


class Scene:
    """Is what the attacks share: a network, a server in it, and the host of an honest tunnel."""

    def __init__(self, here, server, honest_host):
        self.here, self.server, self.honest_host = here, server, honest_host
        self.tls = server.certificate.client_context(["http/1.1"])
        self.stop = threading.Event()
        self.lag_s = 0.0  # how long somebody else's last exchange took

    def viewer(self, source, tls=None):
        return self.here.viewer(source, self.server.public, tls)


class Attack:
    """Calls step() again and again. A connection that the server ends is what an attacker expects;
    any other exception is kept in .errors."""

    pause_s = 0.05 * SLOW

    def __init__(self, scene):
        self.scene, self.stack = scene, contextlib.ExitStack()
        self.steps = 0
        self.hits = collections.Counter()  # what the server did against it
        self.errors = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            with self.scene.here.inside(), self.stack:
                self.prepare()
                while not self.scene.stop.wait(self.pause_s + self.scene.lag_s):
                    with contextlib.suppress(OSError, EOFError):
                        self.step()
                    self.steps += 1
        except Exception as error:  # the test reports it
            self.errors.append(error)

    def prepare(self):
        """Is called once before the first step."""

    def link(self, name, serve, kind=ForeignLink):
        """Attaches a client of the attacker's own. Returns its host."""
        server = self.scene.server
        made = kind(server, name, register(server, name)["ticket"], serve=serve)
        self.stack.callback(made.close)
        server.wait_link(name, 1)
        return f"{name}.localhost"


class Crowd(Attack):
    """Keeps up to .most connections. Each step opens .each more and closes the oldest ones, or with
    .stays no more than those that have ended."""

    most, each, stays = 100, 10, False

    def __init__(self, scene):
        super().__init__(scene)
        self.kept = collections.deque()
        self.sources = itertools.cycle(self.addresses())
        self.stack.callback(lambda: [self.kept.pop().close() for _ in list(self.kept)])

    def addresses(self):
        raise NotImplementedError

    def open(self, source):
        """Opens one connection and returns it."""
        raise NotImplementedError

    def step(self):
        self.drop_ended()
        for _ in range(min(self.each, self.most - len(self.kept)) if self.stays else self.each):
            self.kept.append(self.open(next(self.sources)))
        while len(self.kept) > self.most:
            self.kept.popleft().close()

    def drop_ended(self):
        for one in [one for one in self.kept if readable([one.socket])]:
            self.hits["answered" if not is_closed(one.socket) else "closed"] += 1
            one.close()
            self.kept.remove(one)


class Handshakes(Crowd):
    """Begins TLS handshakes and finishes none."""

    most, each = 120, 12

    def addresses(self):
        return [f"10.9.1.{n}" for n in range(1, 9)] + [f"2001:db8:1:{n:x}::1" for n in range(64)]

    def open(self, source):
        viewer = self.scene.viewer(source)
        viewer.send(HALF_A_RECORD)
        return viewer


class Held(Crowd):
    """Sends requests to a name whose client is away."""

    most, each, stays = 230, 40, True

    def addresses(self):
        return ["10.9.2.1"]

    def prepare(self):
        lost(self.scene.server, "held")

    def open(self, source):
        viewer = self.scene.viewer(source)
        viewer.send(head("GET", "/", "held.localhost"))
        return viewer


class Idle(Crowd):
    """Keeps connections that have had an answer."""

    most, each = 400, 25

    def addresses(self):
        return ["10.9.3.1", *(f"2001:db8:3:{n:x}::1" for n in range(40))]

    def prepare(self):
        self.host = self.link("idle", lambda stream: stream.answer(200, b"served"))

    def open(self, source):
        viewer = self.scene.viewer(source)
        viewer.get(self.host)
        return viewer


class Uploads(Crowd):
    """Sends bodies towards a client that takes nothing."""

    most, each, stays = 40, 4, True
    name, fields, method = "deaf", (f"Content-Length: {MIB}",), "POST"

    def addresses(self):
        return [f"10.9.4.{n}" for n in range(1, 5)]

    def prepare(self):
        self.host = self.link(self.name, let_in, Deaf)

    def open(self, source):
        viewer = self.scene.viewer(source)
        viewer.send(head(self.method, "/", self.host, *self.fields))
        return viewer

    def step(self):
        super().step()
        pour(list(self.kept)[-self.each :], MIB // 8)


class Sockets(Uploads):
    """Sends messages on WebSockets towards a client that takes nothing."""

    name, fields, method = "deaf-sockets", UPGRADE, "GET"

    def addresses(self):
        return [f"10.9.5.{n}" for n in range(1, 5)]

    def open(self, source):
        viewer = super().open(source)
        viewer.response_head()
        return viewer


class Heads(Crowd):
    """Sends large heads, whole ones that get no answer and half ones in turn."""

    most, each, stays = 60, 6, True

    def addresses(self):
        return [f"10.9.6.{n}" for n in range(1, 5)]

    def prepare(self):
        self.host = self.link("mute", lambda stream: None)

    def open(self, source):
        viewer = self.scene.viewer(source)
        whole = big_head("GET", self.host, 28_000)
        viewer.send(whole if len(self.kept) % 2 else whole[:-2])
        return viewer


class Streams(Crowd):
    """Sends requests to the honest tunnel that get no answer, more than its client has streams."""

    most, each, stays = 60, 6, True

    def addresses(self):
        return ["10.9.7.1"]

    def open(self, source):
        viewer = self.scene.viewer(source)
        viewer.send(head("GET", "/hang", self.scene.honest_host))
        return viewer


class Names(Attack):
    """Registers names from the /64 of one /48."""

    batch = 100

    def prepare(self):
        self.proxy = self.stack.enter_context(Viewer(self.scene.server.port))

    def step(self):
        first = self.steps * self.batch
        told = register_batch(self.proxy, [n % 65536 for n in range(first, first + self.batch)])
        self.hits.update(told)


class Refused(Attack):
    """Attaches without a right, and registers with bad tickets."""

    source = "10.9.8.1"

    def step(self):
        with self.scene.viewer(self.source, self.scene.tls) as viewer:
            got = viewer.get("localhost", "/register/refused", "Oneport-Ticket: made.up")
            self.hits[got.status] += 1
        for fields in ((), ATTACH, (*ATTACH, "Authorization: Bearer made.up")):
            with self.scene.viewer(self.source) as viewer:
                self.hits[viewer.get("localhost", "/tunnel/refused", *fields).status] += 1


class Aborts(Attack):
    """Sends requests and leaves at once, with RST."""

    source = "10.9.9.1"

    def prepare(self):
        self.host = self.link("left", lambda stream: None)

    def step(self):
        for _ in range(20):
            viewer = self.scene.viewer(self.source)
            viewer.send(head("GET", "/", self.host))
            viewer.reset()


class Frames(Attack):
    """Attaches as a client of its own name and sends frames to hurt, a row of the tables at each
    step, as the answer to a request."""

    source = "10.9.10.1"

    def prepare(self):
        self.ticket = register(self.scene.server, "frames")["ticket"]
        self.rows = itertools.cycle(
            [(what, once, again) for what, once, again, _ in FLOODS]
            + [(what, data, b"") for what, data, *_ in (*WRONG, *BROKEN)]
        )

    def step(self):
        what, once, again = next(self.rows)
        if once is None or again is None:  # a bomb of fields
            once = frame(HEADERS, END_HEADERS, 1, BOMB_FIRST)
            again = frame(HEADERS, END_HEADERS, 1, BOMB_NEXT)
        peer = raw_link(self.scene.server, "frames", self.ticket)
        with contextlib.closing(peer), self.scene.viewer(self.source) as viewer:
            viewer.send(head("GET", "/", "frames.localhost"))
            with contextlib.suppress(Exception):  # queue.Empty: the link before got the request
                peer.next_request(2 * SLOW)
            alive = peer.send(once)
            for _ in range(NUISANCE // 100 if again else 0):
                alive = alive and peer.send(again * 100)
            peer.settle()
            self.hits["ended" if peer.ended.is_set() else "lives"] += 1


ALL = (Handshakes, Held, Idle, Uploads, Sockets, Heads, Streams, Names, Refused, Aborts, Frames)


@contextlib.contextmanager
def attacking(scene, kinds=ALL):
    """Runs an attack of each kind during a `with` block, and gives the attacks to it."""
    attacks = [kind(scene) for kind in kinds]
    for attack in attacks:
        attack.thread.start()
    try:
        yield attacks
    finally:
        scene.stop.set()
        for attack in attacks:
            attack.thread.join(60 * SLOW)
