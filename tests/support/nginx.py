# SPDX-License-Identifier: MIT
"""Runs nginx with the shipped nginx.conf, in which the ports and paths are replaced."""

import pathlib
import shutil
import signal
import subprocess

from .programs import TOP, Program, free_port
from .wait import wait_until

SHIPPED = TOP / "nginx" / "nginx.conf"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")


class Nginx:
    """Runs nginx for `localhost` in front of @server. .port is the TLS port, .plain_port the port
    that redirects to it. @more is put at the top of the file."""

    def __init__(self, server, directory, more=""):
        self.server = server
        self.certificate = server.certificate
        self.directory = pathlib.Path(directory)
        (self.directory / "ssl").mkdir(parents=True)
        shutil.copy(self.certificate.cert, self.directory / "ssl" / "server.crt")
        shutil.copy(self.certificate.key, self.directory / "ssl" / "server.key")
        self.port, self.plain_port = free_port(), free_port()
        self.conf = self.directory / "nginx.conf"
        self.conf.write_text(f"{more}\n{self.substituted(SHIPPED.read_text())}")
        self.start()

    def substituted(self, text):
        for old, new in (
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("listen 80", f"listen 127.0.0.1:{self.plain_port}"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
            ("example.com", "localhost"),
            ("/var/log/nginx/error.log warn", "stderr warn"),
            ("/run/nginx.pid", str(self.directory / "nginx.pid")),
            ("user www-data;", ""),
            ("worker_processes auto", "worker_processes 1"),
            ("access_log off;", "access_log off;" + self.temporary_paths()),
        ):
            assert old in text, f"{old!r} is not in {SHIPPED}"
            text = text.replace(old, new)
        return text

    def temporary_paths(self):
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return "".join(f" {kind}_temp_path {self.directory / kind};" for kind in kinds)

    def start(self):
        argv = [PROGRAM, "-c", self.conf, "-p", self.directory, "-g", "daemon off;"]
        self.program = Program(argv, self.directory, "nginx")
        wait_until(
            lambda: self.program.running and (self.directory / "nginx.pid").exists(),
            what="nginx to be up",
        )

    def reload(self):
        """Starts new worker processes. The old ones end with their last connection, or at
        worker_shutdown_timeout."""
        self.program.signal(signal.SIGHUP)

    def check(self):
        """Runs `nginx -t` on the file. Returns (exit code, text)."""
        result = subprocess.run(
            [PROGRAM, "-t", "-c", self.conf, "-p", self.directory], capture_output=True, text=True
        )
        return result.returncode, result.stderr

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def stop(self):
        self.program.stop()
