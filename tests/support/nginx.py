# SPDX-License-Identifier: MIT
"""Runs nginx with the shipped nginx.conf, and oneportd behind it."""

import signal

from .front_ends import FrontEnd, found
from .programs import free_port

PROGRAM = found("nginx")


class Nginx(FrontEnd):
    name, file = "nginx", "nginx.conf"
    PROGRAM = PROGRAM

    def edits(self):
        return (
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("listen 80", f"listen 127.0.0.1:{self.plain_port}"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
            ("example.com", self.server.domain),
            ("/var/log/nginx/error.log warn", "stderr warn"),
            ("/run/nginx.pid", str(self.directory / "nginx.pid")),
            ("user www-data;", ""),
            ("worker_processes auto", "worker_processes 1"),
            ("access_log off;", "access_log off;" + self.temporary_paths()),
        )

    def temporary_paths(self):
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return "".join(f" {kind}_temp_path {self.directory / kind};" for kind in kinds)

    def command(self):
        return [PROGRAM, "-c", self.conf, "-p", self.directory, "-g", "daemon off;"]

    def check_command(self):
        return [PROGRAM, "-t", "-c", self.conf, "-p", self.directory]

    def reload(self):
        """Starts new worker processes. The old ones end with their last connection, or at
        worker_shutdown_timeout."""
        self.program.signal(signal.SIGHUP)


class Behind:
    """Is a Server that viewers and clients reach through an nginx of its own. It has everything
    that the Server has, but .port and .url are those of nginx.

    The shipped file gets one more listener, .port, which takes viewers without TLS. So a test can
    reset a viewer's connection, or end one of its directions, as it can without nginx."""

    def __init__(self, server, directory):
        self.server = server
        self.port = free_port()
        plain = f"listen 127.0.0.1:{self.port}"
        self.front = Nginx(
            server,
            directory,
            [
                ("listen 443 ssl http2 so", f"{plain} default_server; listen 443 ssl http2 so"),
                ("listen 443 ssl http2;", f"{plain}; listen 443 ssl http2;"),
            ],
        )

    @property
    def url(self):
        return self.front.url

    def __getattr__(self, name):
        return getattr(self.server, name)

    def stop(self):
        try:
            self.front.stop()
        finally:
            self.server.stop()
