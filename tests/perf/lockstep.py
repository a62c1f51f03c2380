# SPDX-License-Identifier: MIT
"""Plays a viewer and an origin in one thread. They pass small requests and their responses through
a tunnel, one at a time.

Each message is a single write, and none is written before the programs between have finished their
work on the one before. So the programs do the same work for each request, however slow they are."""

import pathlib
import socket
import time

from support.octets import Octets

BODY = 200
PATIENCE_S = 60.0
RESPONSE = b"\r\n".join(
    [
        b"HTTP/1.1 200 OK",
        b"Server: origin",
        b"Date: Sun, 22 Nov 2026 10:00:00 GMT",
        b"Content-Type: application/octet-stream",
        b"Content-Length: %d" % BODY,
        b"Cache-Control: no-store",
        b"",
        b"o" * BODY,
    ]
)


class Lockstep:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_S)
        self.origin_port = self.listener.getsockname()[1]
        self.viewer = self.origin = None

    def connect(self, port, host):
        """Connects the viewer to @port. Requests are for the tunnel whose URL has @host."""
        self.request = (
            f"GET /small HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lockstep\r\nAccept: */*\r\n"
            "Accept-Encoding: gzip, br\r\n\r\n"
        ).encode()
        self.viewer = Octets(socket.create_connection(("127.0.0.1", port), PATIENCE_S))

    def exchange(self, count, pids):
        """Passes @count requests and responses. @pids are the programs between."""
        for _ in range(count):
            self.viewer.send(self.request)
            self.origin = self.origin or self._accept()
            self.origin.until(b"\r\n\r\n")
            wait_idle(pids)
            self.origin.send(RESPONSE)
            head = self.viewer.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            self.viewer.exactly(BODY)
            wait_idle(pids)

    def _accept(self):
        accepted, _ = self.listener.accept()
        accepted.settimeout(PATIENCE_S)
        return Octets(accepted)

    def close(self):
        for end in (self.viewer, self.origin, self.listener):
            if end:
                end.close()


def wait_idle(pids):
    """Waits until every thread of @pids sleeps. Looks at all of them twice, so that none is about
    to get something from another."""
    end = time.monotonic() + PATIENCE_S
    while not all(_sleeps(pid) for pid in (*pids, *pids)):
        assert time.monotonic() < end, f"processes {pids} are still busy after {PATIENCE_S:.0f} s"
        time.sleep(0.0001)


def _sleeps(pid):
    """Tells whether all threads of a process sleep. The state is what follows the command's name,
    which may hold any character."""
    return all(
        stat.read_text().rpartition(")")[2].split()[0] == "S"
        for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    )
