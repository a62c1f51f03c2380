"""Clients of other authors in place of oneport, with what tests use of a Client: .server, .name, .host, .log, kill9(), restart(), stop()."""

import pathlib
import shutil
import urllib.parse
from types import SimpleNamespace

from .foreign import register
from .programs import SLOW, TOP, Program
from .viewer import links
from .wait import wait_until

NODE = shutil.which("node") or shutil.which("nodejs")
SCRIPT = TOP / "tests" / "support" / "node_client.mjs"


class OtherClient:
    """One process under a name. Its requests come to @origin, a port of this machine. @url: the way to @server, if it is another.

    What is started stays attached: a link that ends is followed by another one, with the same ticket."""

    keeps_origins = True  # connections to the origin are used again
    holds_link = True  # the link is a descriptor of its program

    def __init__(self, server, origin, directory, name, url=None, max_streams=None):
        self.server, self.origin, self.name, self.max_streams = server, origin, name, max_streams
        self.directory = pathlib.Path(directory)
        self.way = SimpleNamespace(port=urllib.parse.urlsplit(url or server.url).port, certificate=server.certificate)
        self.ticket = register(self.way, name)["ticket"]
        self.start()

    @property
    def host(self):
        return f"{self.name}.localhost:{self.server.port}"

    @property
    def log(self):
        return self.program.log

    def wait_up(self):
        """Until the server has a link. (@server may be nginx before it.)"""
        behind = getattr(self.server, "server", self.server)
        wait_until(lambda: not self.program.running or links(behind, self.name), 10 * SLOW, f"a link of {self.program.name}")
        assert self.program.running, self.program.tail()
        return self

    def restart(self):
        self.kill9()
        return self.start()

    def kill9(self):
        self.program.kill9()

    def stop(self):
        self.program.stop(code=-15)  # neither has an ending of its own

    def rss(self):
        return self.program.rss()

    def fds(self):
        return self.program.fds()


class NodeClient(OtherClient):
    """Node's http2 on the dialled socket, its http towards the origin. Each request has a connection to the origin of its own: what an
    origin says too much, Node's http takes for the beginning of the next answer."""

    keeps_origins = False

    def start(self):
        limit = [] if self.max_streams is None else [self.max_streams]
        argv = [NODE, SCRIPT, f"https://localhost:{self.way.port}", self.name, self.ticket, self.server.certificate.ca, self.origin, *limit]
        self.program = Program(argv, self.directory, "node-client")
        return self.wait_up()
