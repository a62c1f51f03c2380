# SPDX-License-Identifier: MIT
"""Runs a server that attacks the oneport which trusts it, together with that client and its
origin."""

import contextlib
import queue

from .frames import RawServer, request
from .origins import ScriptedOrigin, reply
from .programs import SLOW, Client


class Seen:
    """Records the requests of an origin and answers all of them."""

    def __init__(self):
        self.lines = []
        self.heads = []
        self.bodies = []

    def __call__(self, connection):
        while True:
            line, fields = connection.request()
            self.lines.append(line)
            self.heads.append(fields)
            self.bodies.append(connection.body())
            connection.send(reply(b"well"))


class Stage:
    """Holds a hostile server, the client that trusts it, and the client's origin."""

    def __init__(self, certificate, directory, stack, *options, seen=None):
        """@seen is the origin's script, a Seen by default."""
        self.links = queue.Queue()
        self.seen = seen or Seen()
        self.origin = stack.enter_context(contextlib.closing(ScriptedOrigin(self.seen)))
        self.server = stack.enter_context(
            contextlib.closing(RawServer(certificate, self.links.put))
        )
        # Nothing is asked a second time, so the origin sees what the server asked.
        self.client = Client(
            self.server, self.origin.port, directory, "--host-header", "keep", *options
        )
        stack.callback(self.client.stop)
        # This runs first, so that the client has no server to say goodbye to.
        stack.callback(self.server.close)
        self.peer = None

    def link(self):
        """Returns the current link, or waits for the next one that oneport makes."""
        if self.peer is None or self.peer.ended.is_set():
            self.peer = self.links.get(timeout=20 * SLOW)
            self.number = -1
        return self.peer

    def next_stream(self):
        self.number += 2
        return self.number

    def ask(self, path="/well", **how):
        """Sends a good request, which proves that the link works. Returns its status."""
        peer, number = self.link(), self.next_stream()
        peer.send(request(number, path=path, **how))
        return peer.wait_answer(number)
