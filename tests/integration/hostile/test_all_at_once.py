# SPDX-License-Identifier: MIT
"""Tests all attacks on the pools of one server at the same time, with four workers. Strangers use
another tenant's tunnel, register and attach meanwhile. They are never refused, and each gets the
answers to its own requests only."""

import contextlib
import resource
import threading
import time

import pytest
from support import netns
from support.attacks import (
    Frames,
    Handshakes,
    Heads,
    Held,
    Idle,
    Refused,
    Scene,
    Streams,
    Uploads,
    attacking,
)
from support.foreign import ForeignLink
from support.programs import SLOW
from support.wait import wait_until

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))

DESCRIPTORS = 700
OPTIONS = (
    *("--workers", 4),
    *("--max-handshakes", 64),
    *("--memory-budget", "4m"),
    *("--hold", "5s"),
    *("--stall-timeout", "2s"),
    *("--head-timeout", "5s"),
)
STREAMS = 40  # of the honest client's link


class Stranger:
    """Sends requests with a nonce again and again, from a thread. Keeps what is wrong in
    .wrong."""

    def __init__(self, scene, source):
        self.scene, self.source = scene, source
        self.count, self.wrong = 0, []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with self.scene.here.inside():
            while not self.scene.stop.is_set() and len(self.wrong) < 5:
                start = time.monotonic()
                try:
                    self.once()
                    self.count += 1
                except Exception as error:  # the test reports it
                    self.wrong.append(f"{type(self).__name__} {self.source}: {error!r}")
                self.scene.lag_s = time.monotonic() - start

    def nonce(self):
        return f"{self.source}-{self.count}".replace(":", "-").replace(".", "-")


class Visitor(Stranger):
    """Keeps its connection for five requests. They are plain ones and uploads in turn."""

    def __init__(self, scene, source, tls=None):
        super().__init__(scene, source)
        self.tls = tls

    def once(self):
        with self.scene.viewer(self.source, self.tls) as viewer:
            for part in range(5):
                path = f"/echo/{self.nonce()}-{part}"
                body = f"body of {path}".encode() * 20 if part % 2 else b""
                got = viewer.get(
                    self.scene.honest_host, path, method="POST" if body else "GET", body=body
                )
                assert got.status == 200, got
                told = got.json()
                assert told["target"] == path and told["body"] == body.decode(), told


class Tenant(Stranger):
    """Attaches a link of its own, gets a request through it, and leaves."""

    name, ticket = "tenant", None

    def connect(self):
        return self.scene.viewer(self.source, self.scene.tls)

    def ask(self, path):
        with self.connect() as viewer:
            got = viewer.get("localhost", path)
        assert got.status == 200, got
        return got.json()

    def links(self):
        return self.ask(f"/api/tunnels/{self.name}/status")["connected_sockets"]

    def once(self):
        if self.ticket is None:
            self.ticket = self.ask(f"/register/{self.name}")["ticket"]
        nonce = self.nonce().encode()
        link = ForeignLink(
            self.scene.server,
            self.name,
            self.ticket,
            serve=lambda stream: stream.answer(200, nonce),
            viewer=self.connect(),
        )
        with contextlib.closing(link), self.scene.viewer(self.source) as viewer:
            got = viewer.get(f"{self.name}.localhost")
            assert got.status == 200 and got.body == nonce, got
        wait_until(lambda: self.links() == 0, 10 * SLOW, "the end of the link")


# What the server has to do against an attack. An attack to which it does nothing of this is none.
HIT = {
    Handshakes: ("closed",),
    Held: ("answered",),
    Idle: ("closed",),
    Uploads: ("answered", "closed"),
    Heads: ("answered", "closed"),
    Streams: ("answered",),
    Refused: (429,),
    Frames: ("ended",),
}


def is_hit(attack):
    return any(attack.hits[what] for what in HIT[type(attack)])


@pytest.fixture
def many_descriptors():
    """Lets this program have as many descriptors as the attacks need."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(4096, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def run(scene, strangers, seconds):
    """Runs all attacks for @seconds while the strangers go about their business. Returns the
    attacks."""
    with attacking(scene) as attacks:
        wait_until(
            lambda: all(attack.steps or attack.errors for attack in attacks),
            30 * SLOW,
            "every attack",
        )
        for stranger in strangers:
            stranger.thread.start()
        scene.stop.wait(seconds)
        hit = [attack for attack in attacks if type(attack) in HIT]
        wait_until(lambda: all(map(is_hit, hit)), 30 * SLOW, "an effect of every attack")
    for stranger in strangers:
        stranger.thread.join(60 * SLOW)
    return attacks


@pytest.mark.rule("F50", "F51", "F56", "F61", "F62")
@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.full)])
@pytest.mark.timeout(400)
def test_all_attacks_at_once(here, serve, new_client, new_origin, name, many_descriptors, seconds):
    """The server ends cleanly afterwards, without a sanitizer's report."""
    server = serve(*OPTIONS, within=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"))
    with here.inside():
        client = new_client(new_origin().port, "--max-streams", STREAMS, server=server, name=name)
    scene = Scene(here, server, client.host)
    strangers = [
        Visitor(scene, "10.9.200.1"),
        Visitor(scene, "2001:db8:ffff::1", scene.tls),
        Tenant(scene, "10.9.201.1"),
    ]
    attacks = run(scene, strangers, seconds)
    for one in attacks:  # shown when the test fails
        print(type(one).__name__, one.steps, dict(one.hits), one.errors)
    for stranger in strangers:
        print(type(stranger).__name__, stranger.source, stranger.count, *stranger.wrong, sep="\n  ")
    assert not any(attack.errors for attack in attacks)
    assert all(stranger.count and not stranger.wrong for stranger in strangers)
    with scene.viewer("10.9.202.1") as viewer:
        assert viewer.get(client.host, "/echo").status == 200
    client.stop()
    server.stop()
