"""Memory is bounded by design: a budget for each link and for the process. Over three quarters of it who takes nothing goes, the longest
first, with a log line and a count; who takes little stays; others keep their rate (http-rules 3 row 8, 4)."""

import re
import selectors
import socket
import threading
import time

import pytest
from support.programs import VARIANT, stable
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

MIB = 1 << 20
STALL_S = 1.0
BUDGET = MIB
HUGE = f"/bytes/{1 << 30}"

def status(server):
    return fetch(server.port, "localhost", "/api/status").json()


def begin(port, host, small=True):
    """A viewer that has asked for much and reads nothing by itself. Its socket takes little, in segments as of a real line."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    raw.connect(("127.0.0.1", port))
    raw.sendall(head("GET", HUGE, host).encode() if isinstance(head("GET", HUGE, host), str) else head("GET", HUGE, host))
    return raw


class Slow(threading.Thread):
    """Reads of each of @viewers @octets at a time, ten times a second, until it is stopped."""

    def __init__(self, viewers, octets):
        super().__init__(daemon=True)
        self.viewers, self.octets = viewers, octets
        self.taken = [0] * len(viewers)
        self.gone = set()
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            for at, viewer in enumerate(self.viewers):
                if at not in self.gone:
                    self._read(at, viewer)

    def _read(self, at, viewer):
        try:
            count = len(viewer.recv(self.octets, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        self.taken[at] += count
        if count == 0:
            self.gone.add(at)

    def stop(self):
        self.over.set()
        self.join(5)


def test_who_takes_nothing_goes_and_who_takes_little_stays(new_server, new_client, http_origin, ended):
    """A budget of 1 MiB, one of 1 s for standing still. The line in the log and the count agree with what viewers see."""
    server = new_server("--memory-budget", BUDGET, "--stall-timeout", f"{STALL_S}s".replace(".0", ""))
    client = new_client(http_origin.port, server=server)
    viewers = [begin(server.port, client.host) for _ in range(3)]
    for viewer in viewers:
        ended.callback(viewer.close)
    slow = Slow(viewers, 2048)
    ended.callback(slow.stop)
    stalled = [begin(server.port, client.host) for _ in range(60)]
    for viewer in stalled:
        ended.callback(viewer.close)
    seen = server.wait_log(rf"stream_evicted.* name={client.name} stalled_ms=(\d+) octets=(\d+) held=(\d+) budget={BUDGET}", 20)
    assert int(seen.group(1)) >= STALL_S * 1000 and 0 < int(seen.group(2)) <= 64 << 10 and int(seen.group(3)) >= BUDGET * 3 / 4
    wait_until(lambda: status(server)["buffered_octets"] < BUDGET * 3 / 4, 20, "room")
    evicted = status(server)["streams_evicted"]
    assert 0 < evicted < len(stalled), "no more go than need to"
    until = time.monotonic() + 3 * STALL_S
    before = list(slow.taken)
    while time.monotonic() < until:
        assert fetch(server.port, client.host, "/bytes/1000").status == 200
    assert not slow.gone, "a viewer that moves was cut"
    assert all(now > then for now, then in zip(slow.taken, before, strict=True))
    slow.stop()
    for viewer in [*viewers, *stalled]:
        viewer.close()
    wait_until(lambda: status(server)["buffered_octets"] == 0, 10, "nothing held")
