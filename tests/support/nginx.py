# SPDX-License-Identifier: MIT
"""Runs nginx with the shipped nginx.conf and stream.conf, and oneportd behind it."""

import pathlib
import signal

from .front_ends import FrontEnd, found
from .programs import TOP, free_port

PROGRAM = found("nginx")
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
README_EDITS = (
    ("# SPDX", "include /etc/nginx/stream.conf;\n# SPDX"),
    ("443 ssl http2 so_keepalive=60s:10s:5", "127.0.0.1:8443 ssl http2 proxy_protocol"),
    ("443 ssl http2;", "127.0.0.1:8443 ssl http2 proxy_protocol;"),
    ("http {", "http {\n    set_real_ip_from 127.0.0.2;\n    real_ip_header proxy_protocol;"),
)


class Nginx(FrontEnd):
    name, file = "nginx", "nginx.conf"
    PROGRAM = PROGRAM

    def edits(self):
        return (
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("listen 80", f"listen 127.0.0.1:{self.plain_port}"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
            ("example.com", self.domain),
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


class StreamNginx(Nginx):
    """Is nginx with stream.conf and nginx.conf, changed as nginx/README.md says. It has the ports
    443 and 8443, so it runs in a network namespace of its own."""

    def __init__(self, server, directory):
        self.stream = pathlib.Path(directory) / "stream.conf"
        super().__init__(server, directory)

    def start(self):
        text = (TOP / "nginx" / "stream.conf").read_text()
        for old, new in (
            ("example.com", self.domain),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
        ):
            assert old in text
            text = text.replace(old, new)
        self.stream.write_text(text)
        self.port = 443
        super().start()

    def edits(self):
        return (
            *README_EDITS,
            ("/etc/nginx/stream.conf", str(self.stream)),
            *(edit for edit in super().edits() if edit[0] != "listen 443"),
        )


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
