# SPDX-License-Identifier: MIT
"""Uses HAProxy as a tunnel's client. HAProxy takes HTTP/2 and asks an origin by HTTP/1.1; a thread
attaches to the server, dials HAProxy and copies between them."""

import contextlib
import shutil
import socket
import threading

from .foreign import attach
from .h2_door import splice
from .origins import shut
from .other_clients import OtherClient
from .programs import Program, free_port

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")

CONFIGURATION = """\
global
    maxconn 4000
    nbthread 1
    tune.bufsize 65536
    tune.http.maxhdr 256
    tune.h2.max-concurrent-streams {streams}
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    # errors of HAProxy itself are marked as protocol.md#whose-failure says, so that viewers get
    # the server's page
    http-error status 502 hdr oneport-error http_protocol_error
    http-error status 503 hdr oneport-error connection_refused
    http-error status 504 hdr oneport-error http_response_timeout
frontend link
    bind 127.0.0.1:{port} proto h2
    http-after-response set-status 502 if {{ status 503 }} {{ res.hdr(oneport-error) -m found }}
    default_backend origin
    http-response del-header oneport- -m beg # an origin's own would be forged
backend origin
    http-response del-header oneport- -m beg # an origin's own would be forged
    server origin 127.0.0.1:{origin}
"""


class HaproxyClient(OtherClient):
    """Runs HAProxy and the thread that carries its links."""

    holds_link = False

    def start(self):
        self.door = free_port()
        configuration = self.directory / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(
                port=self.door, origin=self.origin, streams=self.max_streams or 2000
            )
        )
        self.program = Program([PROGRAM, "-db", "-f", configuration], self.directory, "haproxy")
        self.leaving = threading.Event()
        self.ends = ()
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()
        return self.wait_up()

    def _carry(self):
        """Carries one link after the other until the client leaves."""
        while not self.leaving.is_set():
            # A failure means that stop() has closed the link or that the server is away.
            with contextlib.suppress(OSError, EOFError, ValueError, AssertionError):
                self._one_link()
            self.leaving.wait(0.05)

    def _one_link(self):
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.door))) as dialled:
            link, got = attach(self.way, self.name, self.ticket)
            with contextlib.closing(link):
                if got.status != 101:
                    return
                if link.pending:
                    dialled.sendall(link.pending)
                self.ends = (dialled, link.socket)
                if not self.leaving.is_set():
                    splice(dialled, link.socket, idle_s=None)

    def _leave(self):
        self.leaving.set()
        for end in self.ends:
            shut(end)
        self.thread.join(5)

    def kill9(self):
        super().kill9()
        self._leave()

    def stop(self):
        self._leave()
        super().stop()
