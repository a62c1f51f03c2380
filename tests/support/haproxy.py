"""HAProxy as a tunnel's client: it takes HTTP/2 and asks an origin in HTTP/1.1, and a splice attaches and dials it."""

import contextlib
import pathlib
import shutil
import socket
import threading

from .foreign import attach, register
from .h2_door import splice
from .origins import shut
from .programs import Program, free_port
from .wait import wait_until

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")

CONFIGURATION = """\
global
    maxconn 500
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend link
    bind 127.0.0.1:{port} proto h2
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""


class HaproxyClient:
    """Has what a Client has for viewers: .host. Its requests come to @origin, a port of this machine."""

    def __init__(self, server, origin, directory, name):
        directory = pathlib.Path(directory)
        port = free_port()
        configuration = directory / "haproxy.cfg"
        configuration.write_text(CONFIGURATION.format(port=port, origin=origin))
        self.program = Program([PROGRAM, "-db", "-f", configuration], directory, "haproxy")
        self.name, self.host = name, f"{name}.localhost:{server.port}"
        wait_until(lambda: self._dial(port), what="haproxy to be up")
        self.server = server
        self.link, got = attach(server, name, register(server, name)["ticket"])
        assert got.status == 101, got
        if self.link.pending:
            self.dialled.sendall(self.link.pending)
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()
        server.wait_link(name, 1)

    def _dial(self, port):
        with contextlib.suppress(ConnectionRefusedError):
            self.dialled = socket.create_connection(("127.0.0.1", port))
            return True
        return False

    def _carry(self):
        with contextlib.suppress(OSError, ValueError):  # closed by stop()
            splice(self.dialled, self.link.socket, idle_s=None)
        self.dialled.close()

    def stop(self):
        shut(self.dialled)
        shut(self.link.socket)
        self.thread.join(5)
        self.program.stop(code=-15)
