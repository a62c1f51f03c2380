# SPDX-License-Identifier: MIT
"""Clients of other authors in place of oneport."""

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
    """One process under a name. Its requests come to @origin, a port of this machine. @url: the way
    to @server, if it is another.

    What is started stays attached: a link that ends is followed by another one, with the same
    ticket."""

    code = -15  # neither has an ending of its own

    def __init__(self, server, origin, directory, name, url=None, max_streams=None):
        self.server, self.origin, self.name, self.max_streams = server, origin, name, max_streams
        self.directory = pathlib.Path(directory)
        self.way = SimpleNamespace(
            port=urllib.parse.urlsplit(url or server.url).port, certificate=server.certificate
        )
        self.ticket = register(self.way, name)["ticket"]
        self.start()

    def wait_up(self):
        """Until the server has a link. (@server may be nginx before it.)"""
        behind = getattr(self.server, "server", self.server)
        wait_until(
            lambda: not self.program.running or links(behind, self.name),
            10 * SLOW,
            f"a link of {self.program.name}",
        )
        assert self.program.running, self.program.tail()
        return self


class NodeClient(OtherClient):
    """Node's http2 on the dialled socket, its http towards the origin. Each request has a
    connection to the origin of its own: what an origin says too much, Node's http takes for the
    beginning of the next answer."""

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
