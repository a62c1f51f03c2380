# SPDX-License-Identifier: MIT
"""Defines the paths whose viewers speak HTTP/2 over TLS, beside oneport's own: a chain of HAProxy,
and nginx in front of oneportd. .tls_port takes those viewers."""

from support.nginx import PROGRAM as NGINX
from support.nginx import Nginx

from .paths import Oneport, Skipped
from .peers import ALL, Haproxy


class HaproxyH2(Haproxy):
    """Runs HAProxy at both ends, with HTTP/2 over TLS towards viewers, too."""

    name = "haproxy-h2"

    def start(self):
        super().start()
        self.tls_port = self.port

    def front(self):
        return f"{self.line.front}:{self.port} ssl crt {self.pem} alpn h2,http/1.1"


class NginxH2(Nginx):
    """Is the shipped nginx.conf, which as all other fronts closes no connection after a number of
    requests. It listens at the addresses of @line."""

    def __init__(self, server, directory, line):
        self.line = line
        kept = ("access_log off;", "access_log off; keepalive_requests 1000000000;")
        super().__init__(server, directory, [kept])

    def edits(self):
        listen = f"listen {self.line.front}:{self.port}"
        return tuple((old, listen if old == "listen 443" else new) for old, new in super().edits())


class OneportNginxH2(Oneport):
    """Has the shipped nginx.conf in front of oneportd for viewers. The link needs no nginx here."""

    name = "oneport-nginx-h2"

    def start(self):
        if not NGINX:
            raise Skipped("nginx is not installed")
        super().start()
        with self.line.inside("server"):
            front = NginxH2(self.server, self.directory / "nginx", self.line)
        self.stack.callback(front.stop)
        self.ends["front"] = front.program
        self.tls_port = front.port

    def pids(self, end=None):
        return super().pids(end) + (super().pids("front") if end == "server" else [])


FRONTS = (HaproxyH2, OneportNginxH2)
PATHS = ["oneport", *(kind.name for kind in FRONTS)]
ALL.update({kind.name: kind for kind in FRONTS})
