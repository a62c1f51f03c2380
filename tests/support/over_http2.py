# SPDX-License-Identifier: MIT
"""Lets the viewers of a test, who speak HTTP/1.1, reach oneportd over HTTP/2: HAProxy takes their
connections and speaks HTTP/2 over TLS with the server, one connection for each viewer's."""

import pathlib
import shutil
import signal
import socket

from .programs import Program, free_port
from .wait import wait_until

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")

CONFIGURATION = """\
global
    maxconn 2000
    nbthread 1
    tune.bufsize 65536
    tune.http.maxhdr 256
defaults
    mode http
    retries 0
    http-reuse never
    option abortonclose
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend viewers
    bind 127.0.0.1:{port}
    default_backend server
backend server
    server oneportd 127.0.0.1:{server} ssl verify none alpn h2 ws h1 sni hdr(host),field(1,:)
"""


class OverHttp2:
    """Is a Server that viewers reach through HAProxy, at .port. Clients reach it directly."""

    def __init__(self, server, directory):
        self.server = server
        self.port = free_port()
        directory = pathlib.Path(directory)
        file = directory / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=self.port, server=server.port))
        self.program_between = Program([PROGRAM, "-db", "-f", file], directory, "haproxy")
        wait_until(self._listens, what="HAProxy to be up")

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            return False
        return True

    def __getattr__(self, name):
        return getattr(self.server, name)

    def stop(self):
        try:
            self.program_between.stop(code=-signal.SIGTERM)
        finally:
            self.server.stop()
