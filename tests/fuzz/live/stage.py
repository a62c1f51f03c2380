# SPDX-License-Identifier: MIT
"""Runs plans against a running oneportd: an attacker with links of its own, its viewers, and
meanwhile the viewers of a neighbour, whose tunnel is an honest one."""

import collections
import contextlib
import ctypes
import itertools
import socket
import threading
import time

from support.certs import Authority
from support.foreign import attach, register
from support.frames import ACK, PING, PREFACE, RawPeer, frame, settings, window_update
from support.origins import OriginProgram, wake
from support.programs import SANITIZER, SLOW, Client, Server
from support.viewer import Viewer
from support.wait import wait_until

from . import oracle
from .viewers import Person, Tap
from .wire import Wire

HANG_S = 15 * SLOW  # for an answer, or a visible end
TAKE_S = 0.2  # to wait for requests that may never come
PAUSE_S = 0.02  # between requests of the neighbour
OPTIONS = (
    *("--workers", 2, "--access-log", "off", "--early-hints", "on"),
    *("--hold", "500ms", "--origin-timeout", "1500ms", "--idle-timeout", "1500ms"),
    *("--websocket-timeout", "2s", "--keepalive", "1s", "--name-pending", "5s"),
    *("--name-grace", "1s", "--name-reserve", "0s", "--stall-timeout", "1s"),
)


def disconnect(sock):
    """Ends a connection with RST and keeps its descriptor, which a thread may use. OpenSSL takes
    a socket without a connection for one that needs time, so nobody is to wait for it long."""
    sock.settimeout(0.01)
    unspecified = ctypes.create_string_buffer(16)
    ctypes.CDLL(None).connect(sock.fileno(), unspecified, len(unspecified))


class Neighbour:
    """Sends requests to the honest tunnel all the time. Every answer must be the right one."""

    def __init__(self, port, host, number):
        self.port, self.host, self.number = port, host, number
        self.count, self.faults = 0, []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stop.is_set() and len(self.faults) < 5:
            try:
                self.visit()
            except Exception as error:  # whatever it is, the neighbour was disturbed
                self.faults.append(f"neighbour: {error!r}")

    def visit(self):
        with Viewer(self.port, timeout_s=HANG_S) as viewer:
            viewer.socket = Tap(viewer.socket)
            for _ in range(20):
                nonce = f"{oracle.NEIGHBOUR.decode()}-{self.number}-{self.count}"
                body = nonce.encode() * 50 if self.count % 3 else b""
                got = viewer.get(
                    self.host, f"/echo/{nonce}", method="POST" if body else "GET", body=body
                )
                assert got.status == 200, got
                told = got.json()
                assert told["target"] == f"/echo/{nonce}" and told["body"] == body.decode(), told
                assert not oracle.TOKEN.search(viewer.socket.raw), viewer.socket.raw[-500:]
                self.count, viewer.socket.raw = self.count + 1, b""
                if self.stop.wait(PAUSE_S):
                    return


class Stage:
    """Has the server and the honest tunnel, for a `with` block."""

    def __init__(self, directory):
        self.directory, self.stack = directory, contextlib.ExitStack()
        self.names = itertools.count()
        self.ends = collections.Counter()  # how requests ended

    def __enter__(self):
        with contextlib.ExitStack() as guard:
            guard.callback(self.stack.close)
            authority = Authority(self.directory / "ca")
            certificate = authority.issue("server", "localhost", "*.localhost", "IP:127.0.0.1")
            self.server = Server(self.directory / "server", certificate, *OPTIONS)
            self.stack.callback(self.server.stop)
            origin = OriginProgram("http_origin", self.directory / "origin")
            self.stack.callback(origin.stop)
            self.client = Client(
                self.server, origin.port, self.directory / "client", name="neighbour"
            )
            self.stack.callback(self.client.stop)
            self.neighbours = [
                Neighbour(self.server.port, self.client.host, number) for number in range(2)
            ]
            self.stack.callback(self.stop_neighbours)
            for one in self.neighbours:
                one.thread.start()
            guard.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def stop_neighbours(self):
        for one in self.neighbours:
            one.stop.set()
        for one in self.neighbours:
            one.thread.join(HANG_S)

    def faults(self):
        """Yields what is wrong beside the answers of one plan."""
        for one in self.neighbours:
            yield from one.faults
        for program in (self.server.program, self.client.program):
            if not program.running:
                yield f"{program.name} has ended with {program.process.returncode}"
            if SANITIZER.search(program.log):
                yield f"{program.name} has a sanitizer's report:\n{program.tail(60)}"

    def run(self, plan, key, believed=None, patience_s=HANG_S):
        """Runs a plan. Returns what is wrong as a list of sentences. The oracle is told that the
        plan @believed was run, if there is one."""
        round_ = Round(self, plan, f"fuzz-{next(self.names)}", key, patience_s)
        with contextlib.closing(round_):
            round_.play()
        self.ends.update(oracle.kind_of(seen) for one in round_.people for seen in one.seen)
        return list(round_.faults(believed or plan))


class Round:
    """Is one run of a plan, under a name of its own."""

    def __init__(self, stage, plan, name, key, patience_s):
        self.server, self.plan, self.name = stage.server, plan, name
        self.host = f"{name}.localhost"
        self.ticket = register(self.server, name)["ticket"]
        self.links = {}
        self.people = [
            Person(self.server.port, self.host, kind, f"n{key}-{number}x", patience_s)
            for number, kind in enumerate(plan.asks)
        ]

    def play(self):
        """Takes the steps of the plan, and ends the links; with .linger the viewers' ends come
        first."""
        for word, *rest in self.plan.steps:
            getattr(self, word)(*rest)
        end = time.monotonic() + 2 * HANG_S
        started = [person for person in self.people if person.thread.ident]
        for person in started if self.plan.linger else ():
            person.done.wait(max(0, end - time.monotonic()))
        for number, peer in self.links.items():
            self.cut(number, "half")  # what the server has sent can still be read
        for peer in self.links.values():
            peer.ended.wait(1 * SLOW)
            wake(peer.connection.socket)
        for person in started:
            person.over.set()
        for person in started:
            person.thread.join(max(0, end - time.monotonic()))

    def close(self):
        for peer in self.links.values():
            peer.close()

    # ---- steps
    def ask(self, number):
        self.people[number].start()

    def take(self, count):
        with contextlib.suppress(AssertionError):
            wait_until(lambda: sum(len(one.heads) for one in self.links.values()) >= count, TAKE_S)

    def attach(self, number):
        fields = {
            "pool": ["Oneport-Pool: ?1"],
            "instance": [f"Oneport-Instance: {'ab' * 16}", f"Oneport-Link: {number % 4}"],
            "takeover": [],
        }[self.plan.join]
        viewer, got = attach(self.server, self.name, self.ticket, *fields)
        if got.status != 101:
            viewer.close()
            return
        with contextlib.suppress(EOFError, OSError):
            assert viewer.exactly(len(PREFACE)) == PREFACE
        peer = RawPeer(
            viewer,
            settings(self.plan.settings[number]) + window_update(0, 1 << 24),
            polite=False,
        )
        peer.decoder.max_allowed_table_size = 1 << 32  # whatever the plan's SETTINGS allow
        self.links[number] = peer
        with contextlib.suppress(AssertionError):
            wait_until(lambda: peer.pings or peer.ended.is_set(), 2 * SLOW)
        time.sleep(self.plan.line_ms / 1000)  # the line is that long
        pings = list(peer.pings) if self.plan.line_ms else []
        peer.send(settings(flags=ACK) + b"".join(frame(PING, ACK, 0, one) for one in pings))

    def send(self, number, data):
        if number in self.links:
            self.links[number].send(bytes.fromhex(data))

    def cut(self, number, how):
        peer = self.links.get(number)
        if peer is None:
            return
        if how == "rst":
            disconnect(peer.connection.socket)
        elif how == "fin":
            wake(peer.connection.socket)
        else:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(peer.connection.socket, socket.SHUT_WR)

    # ---- the judgement
    def streams_of(self, nonce, wires):
        """Yields the streams on which the request came."""
        for number, peer in self.links.items():
            for stream, fields in list(peer.heads.items()):
                if dict(fields).get(b":path") == b"/" + nonce.encode():
                    yield wires[number], wires[number].stream(stream)

    def streams_unseen(self, wires):
        """Yields the streams whose requests may have come when a link was not read any more: the
        server can have had their answers already."""
        for number, peer in self.links.items():
            first = max(peer.heads, default=-1) + 1
            for stream in list(wires[number].streams):
                if stream >= first:
                    yield wires[number], wires[number].stream(stream)

    def faults(self, plan):
        """Yields what is wrong with what viewers and links have seen, if @plan was run."""
        wires = {
            number: Wire(plan.sent(number), peer.settings.get(1, 4096))
            for number, peer in self.links.items()
        }

        def streams(nonce):
            return list(self.streams_of(nonce, wires)) or list(self.streams_unseen(wires))

        for person in self.people:
            if not person.thread.ident:
                continue
            if person.thread.is_alive():
                yield f"viewer {person.kind} hangs: {person.seen}"
                continue
            foreign = [one for p in self.people if p is not person for one in p.nonces()]
            yield from (
                f"viewer {person.kind}: {why}" for why in oracle.faults(person, streams, foreign)
            )
        for peer in self.links.values():
            yield from oracle.request_faults(peer, self.people, self.host)
