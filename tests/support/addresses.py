# SPDX-License-Identifier: MIT
"""Gives a test many source addresses: a network namespace whose loopback interface has whole
networks. The server in it sees the addresses that viewers choose, none of which is loopback.

    with addresses.Addresses() as here:
        with here.inside():
            server = new_server("--listen", f"{addresses.SERVER}:0")
        viewer = here.viewer("10.9.4.7", server.port)
"""

import socket

from .netns import Namespace
from .octets import Octets
from .viewer import Viewer

SERVER, SERVER6 = "10.9.0.1", "2001:db8::1"


class Addresses(Namespace):
    def __init__(self):
        super().__init__()
        try:
            self.ip("route add local 10.9.0.0/16 dev lo")
            self.ip("-6 route add local 2001:db8::/32 dev lo")
            self.set("ipv6/ip_nonlocal_bind", 1)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def connect(self, source, port):
        """Returns a socket from @source to the server, by IPv4 or IPv6 as @source says."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with self.inside():
            made = socket.socket(family)
        made.settimeout(20)
        made.bind((source, 0))
        made.connect((SERVER6 if family == socket.AF_INET6 else SERVER, port))
        return made

    def viewer(self, source, port, tls=None, server_hostname="localhost", first=b""):
        """Returns a Viewer from @source. @first is sent before TLS begins."""
        raw = self.connect(source, port)
        raw.sendall(first)
        viewer = Viewer.__new__(Viewer)
        Octets.__init__(
            viewer, tls.wrap_socket(raw, server_hostname=server_hostname) if tls else raw
        )
        return viewer
