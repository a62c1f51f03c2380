# SPDX-License-Identifier: MIT
"""Tests the promise behind all others. Whatever breaks at any place, a viewer gets a whole answer,
a final error status or a visible abort in time, and the next request on a new connection is served.

An exchange runs through a fault proxy that breaks one hop at one byte. It is a request with a body,
its answer, and a second request and answer on the same connection. The normal suite takes every
k-th byte, `-m full` takes each one."""

import contextlib
import itertools
import threading
import time

import pytest
from support.faultproxy import CUT, DOWN, FAULTS, HALF, HOLE, RST, STALL, UP, FaultProxy
from support.origins import ScriptedOrigin, reply
from support.programs import SLOW, Client, Server, stable
from support.viewer import Broken, Viewer, fetch, status_soon
from support.wait import wait_until

UPLOAD = b"body of the first request"
FIRST = b"the first answer, in two chunks"
SECOND = b"the second answer has a length"
MESSAGES = [("POST", "/first", UPLOAD, FIRST), ("GET", "/second", b"", SECOND)]

STEP = 23  # of the normal suite; it is prime, so that the positions differ from kind to kind
LANES = 12  # exchanges at a time
IN_TIME_S = 4 * SLOW  # the sum of all timers below and the time of an abort
BLIND_S = 0.3  # how long a viewer waits whose own direction stands still: it can see nothing

# The times are short, so that a standstill is found out soon. They are long enough for a busy
# machine.
SERVER_TIMES = [
    "--head-timeout",
    "600ms",
    "--idle-timeout",
    "600ms",
    "--viewer-keepalive",
    "600ms",
    "--origin-timeout",
    "900ms",
]
CLIENT_TIMES = ["--origin-timeout", "600ms", "--idle-timeout", "600ms"]
LINK_TIMES = ["--keepalive", "400ms"]


def serve(connection):
    """Answers complete requests only. Another body would be a fault of the programs."""
    while True:
        line, _ = connection.request()
        body = connection.body()
        target = line.split(" ")[1]
        if target == "/first":
            assert body == UPLOAD, body
            connection.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n%b\r\n" % FIRST[:9]
            )
            connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(FIRST) - 9, FIRST[9:]))
        else:
            connection.send(reply(SECOND if target == "/second" else b"fresh"))


class Wrong(AssertionError):
    pass


def exchange(port, host, patience_s):
    """Runs the messages. Returns how the exchange ended: whole, the status of an error, aborted or
    nothing."""
    try:
        with Viewer(port, timeout_s=patience_s) as viewer:
            for method, path, body, wanted in MESSAGES:
                got = viewer.get(host, path, method=method, body=body)
                if got.status != 200:
                    return str(got.status)
                if got.body != wanted:
                    raise Wrong(f"a complete 200 with {got.body!r} instead of {wanted!r}")
        return "whole"
    except TimeoutError:
        return "nothing"
    except (Broken, EOFError, ConnectionError):
        return "aborted"


REUSE = ["--origin-reuse", "always"]  # so that one connection has the whole exchange
FINAL = {"whole", "aborted", "400", "408", "502", "503", "504"}


class Lane:
    """Runs one exchange at a time through a fault proxy of its own."""

    def __init__(self, server, directory):
        self.server, self.directory = server, directory

    def run(self, direction, at, kind):
        """Breaks @direction at byte @at in the way @kind. Raises Wrong if the viewer sees what it
        must not see."""
        blind = self.is_blind(direction, kind)
        for _ in range(5):
            start = time.monotonic()
            self.arm(direction, at, kind)
            end = exchange(self.port, self.client.host, BLIND_S if blind else IN_TIME_S)
            if not self.proxy.planned:
                break  # otherwise an older connection was used, which was just closing
        if end not in FINAL and not (blind and end == "nothing"):
            raise Wrong(f"the viewer saw {end} within {time.monotonic() - start:.1f} s")
        self.check_next()

    def is_blind(self, direction, kind):
        return False

    def check_next(self):
        """Sends a request on a connection that nothing breaks. It must work at once, since only
        this hop's connection is gone."""
        got = fetch(self.server.port, self.client.host, "/fresh", timeout_s=IN_TIME_S)
        if (got.status, got.body) != (200, b"fresh"):
            raise Wrong(f"the next request got {got}")

    def close(self):
        pass


class ViewerLane(Lane):
    """Breaks the hop between the viewer and oneportd."""

    def __init__(self, server, directory, stack, origin, client):
        super().__init__(server, directory)
        self.proxy = stack.enter_context(contextlib.closing(FaultProxy(server.port)))
        self.client = client
        self.port = self.proxy.port

    def arm(self, direction, at, kind):
        self.proxy.forget()
        self.proxy.fault_next(direction, at, kind)

    def is_blind(self, direction, kind):
        return kind == HOLE or (kind == STALL and direction == DOWN)

    def passed(self):
        return self.proxy.relays[-1].passed


class OriginLane(Lane):
    """Breaks the hop between oneport and the origin. Each lane has its own client. All names are
    equally long, so that an exchange has the same length in each lane."""

    def __init__(self, server, directory, stack, origin, client):
        super().__init__(server, directory)
        self.proxy = stack.enter_context(contextlib.closing(FaultProxy(origin.port)))
        self.client = Client(
            server, self.proxy.port, directory, *CLIENT_TIMES, *REUSE, name=f"{directory.name}-name"
        )
        stack.callback(self.client.stop)
        self.port = server.port

    def arm(self, direction, at, kind):
        self.proxy.forget()
        self.proxy.fault_next(direction, at, kind)

    def passed(self):
        return self.proxy.relays[-1].passed


class LinkLane(Lane):
    """Breaks the hop between oneportd and oneport, at bytes of TLS after the attach. Each run
    starts a new client, because one that has lost a link or two waits before it dials again."""

    def __init__(self, server, directory, stack, origin, client):
        super().__init__(server, directory)
        self.origin = origin
        self.proxy = stack.enter_context(contextlib.closing(FaultProxy(server.port)))
        self.client = None
        self.port = server.port

    def arm(self, direction, at, kind):
        self.close()
        self.proxy.forget()
        self.client = Client(
            self.server,
            self.origin.port,
            self.directory,
            *CLIENT_TIMES,
            *LINK_TIMES,
            url=f"https://localhost:{self.proxy.port}",
        )
        self.relay = self.proxy.open_relays[-1]
        self.started = dict(self.relay.passed)
        self.relay.fault_after(direction, at, kind)

    def check_next(self):
        """The server holds the request until the client returns. A request before the server has
        noticed the break may fail, so this asks again."""
        got = status_soon(self.server.port, self.client.host, 200, "/fresh", deadline_s=IN_TIME_S)
        if got != 200:
            raise Wrong(f"the next request got {got}")

    def close(self):
        if self.client:
            self.client.kill9()
        self.client = None

    def passed(self):
        return {
            direction: self.relay.passed[direction] - self.started[direction]
            for direction in (UP, DOWN)
        }


HOPS = {"viewer": ViewerLane, "link": LinkLane, "origin": OriginLane}


class Hop:
    """This has a server, an origin and the lanes through one hop. `length` has the number of bytes
    of a whole exchange on that hop, by direction."""

    def __init__(self, name, directory, certificate, stack):
        self.server = Server(
            directory / "server",
            certificate,
            *SERVER_TIMES,
            *(LINK_TIMES if name == "link" else []),
        )
        stack.callback(self.server.stop)
        self.origin = stack.enter_context(contextlib.closing(ScriptedOrigin(serve)))
        client = Client(self.server, self.origin.port, directory / "client", *CLIENT_TIMES)
        stack.callback(client.stop)
        self.lanes = [
            HOPS[name](self.server, directory / f"lane{number:02}", stack, self.origin, client)
            for number in range(LANES)
        ]
        for lane in self.lanes:
            stack.callback(lane.close)
        self.length = self.measure()
        self.fds = stable(self.server.fds)

    def measure(self):
        lane = self.lanes[0]
        lane.arm(UP, 1 << 30, CUT)
        assert exchange(lane.port, lane.client.host, IN_TIME_S) == "whole"
        length = dict(lane.passed())
        assert 100 < min(length.values()) and max(length.values()) < 2000, length
        return length

    def run(self, cases):
        """Runs all cases, each in a free lane. Returns a line for each case that went wrong."""
        wrong, cases = [], iter(cases)
        lock = threading.Lock()

        def work(lane):
            while True:
                with lock:
                    case = next(cases, None)
                if case is None:
                    return
                try:
                    lane.run(*case)
                except Exception as error:
                    wrong.append(f"{case}: {error!r}")

        threads = [threading.Thread(target=work, args=(lane,)) for lane in self.lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong


@pytest.fixture(scope="module")
def hop(request, tmp_path_factory, certificate):
    with contextlib.ExitStack() as stack:
        yield Hop(request.param, tmp_path_factory.mktemp(request.param), certificate, stack)


def positions(length, kind, step):
    """Returns every @step-th position of @length bytes, from a start that differs by kind. The end
    of the connection may still break after the last byte. A standstill there breaks nothing, so its
    kinds leave this position out."""
    return range(
        FAULTS.index(kind) * step // len(FAULTS), length + (kind not in (STALL, HOLE)), step
    )


STEPS = [
    pytest.param(STEP, id="some"),
    pytest.param(1, id="every", marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [CUT, RST, HALF, STALL, HOLE])
@pytest.mark.parametrize("hop", HOPS, indirect=True)
def test_a_fault_at_a_byte(hop, kind, step):
    cases = itertools.chain.from_iterable(
        [(direction, at, kind) for at in positions(hop.length[direction], kind, step)]
        for direction in (UP, DOWN)
    )
    assert not hop.run(cases)
    assert not hop.origin.errors
    for lane in hop.lanes:
        lane.proxy.forget()
    wait_until(
        lambda: hop.server.fds() <= hop.fds + LANES, 10 * SLOW, "the descriptors of what was broken"
    )
