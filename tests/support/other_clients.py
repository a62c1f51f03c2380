# SPDX-License-Identifier: MIT
"""Runs clients of other authors in place of oneport."""

import pathlib
import shutil
import urllib.parse
from types import SimpleNamespace

from .foreign import register
from .programs import SLOW, TOP, AnyClient, Program
from .viewer import links
from .wait import wait_until

NODE = shutil.which("node") or shutil.which("nodejs")
SCRIPT = TOP / "tests" / "support" / "node_client.mjs"


class OtherClient(AnyClient):
    """Runs a client process that serves one name. Its requests go to @origin, a port of this
    machine. @url leads to @server if clients have to take another way.

    The client stays attached: after a link has ended it attaches again, with the same ticket."""

    code = -15  # neither handles SIGTERM

    def __init__(self, server, origin, directory, name, url=None, max_streams=None):
        self.server, self.origin, self.name, self.max_streams = server, origin, name, max_streams
        self.directory = pathlib.Path(directory)
        self.way = SimpleNamespace(
            port=urllib.parse.urlsplit(url or server.url).port, certificate=server.certificate
        )
        self.ticket = register(self.way, name)["ticket"]
        self.start()

    def wait_up(self):
        """Waits until the server has a link. @server may be an nginx in front of it."""
        behind = getattr(self.server, "server", self.server)
        wait_until(
            lambda: not self.program.running or links(behind, self.name),
            10 * SLOW,
            f"a link of {self.program.name}",
        )
        assert self.program.running, self.program.tail()
        return self


class NodeClient(OtherClient):
    """Uses Node's http2 and http as a client. Each request has a connection of its own to the
    origin: Node's http would take bytes that an origin sends after an answer for the next
    answer."""

    keeps_origins = False

    def start(self):
        limit = [] if self.max_streams is None else [self.max_streams]
        argv = [
            NODE,
            SCRIPT,
            f"https://localhost:{self.way.port}",
            self.name,
            self.ticket,
            self.server.certificate.ca,
            self.origin,
            *limit,
        ]
        self.program = Program(argv, self.directory, "node-client")
        return self.wait_up()
