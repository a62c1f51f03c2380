# SPDX-License-Identifier: MIT
"""Defines oneport's paths over lines that have one program more: nginx in front of oneportd, or a
proxy through which oneport dials."""

import shutil

from support.nginx import PROGRAM as NGINX
from support.nginx import Nginx
from support.programs import Program, free_port
from support.wait import wait_until

from .line import DOMAIN
from .paths import Oneport, Skipped, finish, listens

TINYPROXY = shutil.which("tinyproxy", path="/usr/sbin:/usr/bin:/usr/local/bin")


class FrontNginx(Nginx):
    """Is the shipped nginx.conf for the domain of a line. It listens on every address of its
    namespace, and with .viewer_port also takes viewers without TLS, as all paths do."""

    def __init__(self, server, directory):
        self.viewer_port = free_port()
        plain = f"listen 127.0.0.1:{self.viewer_port}"
        more = [
            ("listen 443 ssl http2 so", f"{plain} default_server; listen 443 ssl http2 so"),
            ("listen 443 ssl http2;", f"{plain}; listen 443 ssl http2;"),
        ]
        super().__init__(server, directory, more)

    def edits(self):
        own = {"example.com": DOMAIN, "listen 443": f"listen {self.port}"}
        return tuple((old, own.get(old, new)) for old, new in super().edits())

    def answers(self):
        return listens(self.port)


class OneportNginx(Oneport):
    """Has the shipped nginx.conf in front of oneportd, for viewers and for the link."""

    name = "oneport-nginx"

    def start(self):
        if not NGINX:
            raise Skipped("nginx is not installed")
        server = self.start_server()
        with self.line.inside("server"):
            nginx = FrontNginx(server, self.directory / "nginx")
        self.stack.callback(nginx.stop)
        self.port = nginx.viewer_port
        self.start_client(server, nginx.port)


class OneportProxy(Oneport):
    """Dials by a CONNECT proxy (tinyproxy) that is beside the client, as an office's may be."""

    name = "oneport-proxy"
    end = "client"

    def start(self):
        if not TINYPROXY:
            raise Skipped("tinyproxy is not installed")
        server = self.start_server()
        self.port, proxy = server.port, free_port()
        conf = self.directory / "tinyproxy.conf"
        conf.write_text(f"Listen {self.line.address(self.end)}\nPort {proxy}\nTimeout 600\n")
        with self.line.inside(self.end):
            program = Program(
                [*self.line.hosts(), TINYPROXY, "-d", "-c", conf], self.directory, "tinyproxy"
            )
            self.stack.callback(finish, program)
            wait_until(
                lambda: not program.running or listens(proxy, self.line.address(self.end)),
                what="tinyproxy to listen",
            )
        url = f"http://{self.line.address(self.end)}:{proxy}"
        self.start_client(server, self.line.link_port or server.port, "--proxy", url)


class OneportProxyFar(OneportProxy):
    """Dials by a CONNECT proxy that is beside the server: the line is between client and proxy."""

    name = "oneport-proxy-far"
    end = "server"
