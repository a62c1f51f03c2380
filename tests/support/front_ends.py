# SPDX-License-Identifier: MIT
"""Runs front ends with the configuration files that are shipped in nginx/. They are edited as the
README there tells operators to edit them. A front end has the TLS port of viewers and tunnels, and
a plain one that redirects to it."""

import pathlib
import shutil
import signal
import subprocess

from .programs import TOP, Program, free_port
from .viewer import Viewer, head
from .wait import wait_until


def found(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


class FrontEnd:
    """Runs a front end for `localhost` in front of @server. .port is the TLS port, .plain_port the
    port that redirects to it. A subclass has the attributes name, file and edits().

    @more is a list of further (old, new) pairs: texts of the shipped file, and what stands in their
    places."""

    COMPLAINT = "warn"  # in the text of check()

    def __init__(self, server, directory, more=()):
        self.server = server
        self.certificate = server.certificate
        self.directory = pathlib.Path(directory)
        self.ssl = self.directory / "ssl"
        self.ssl.mkdir(parents=True)
        shutil.copy(self.certificate.cert, self.ssl / "server.crt")
        shutil.copy(self.certificate.key, self.ssl / "server.key")
        self.port, self.plain_port = free_port(), free_port()
        self.conf = self.directory / self.file
        self.conf.write_text(self.edited((TOP / "nginx" / self.file).read_text(), more))
        self.start()

    def edited(self, text, more):
        for old, new in (*more, *self.edits()):
            assert old in text, f"{old!r} is not in {self.file}"
            text = text.replace(old, new)
        return text

    def start(self):
        self.program = Program(self.command(), self.directory, self.name, env=self.environment())
        wait_until(lambda: not self.program.running or self.answers(), what=f"{self.name} to be up")
        assert self.program.running, self.program.tail()

    def environment(self):
        return None

    def answers(self):
        """Tells whether a request of the base domain is answered."""
        try:
            with Viewer(self.port, self.tls) as viewer:
                viewer.send(head("GET", "/healthz", f"{self.domain}:{self.port}"))
                return viewer.response().status == 200
        except OSError:
            return False

    def check(self):
        """Lets the program check its file. Returns (exit code, text)."""
        result = subprocess.run(
            [str(word) for word in self.check_command()], capture_output=True, text=True
        )
        return result.returncode, result.stdout + result.stderr

    @property
    def tls(self):
        return self.certificate.client_context(["http/1.1"])

    @property
    def domain(self):
        """The base domain of the server; a scripted origin in its place has none."""
        return getattr(self.server, "domain", "localhost")

    @property
    def url(self):
        return f"https://{self.domain}:{self.port}"

    def wait_link(self, name, count):
        self.server.wait_link(name, count)

    def stop(self):
        self.program.stop()


class Caddy(FrontEnd):
    name, file = "caddy", "Caddyfile"
    PROGRAM = found("caddy")
    COMPLAINT = "not formatted"

    def edits(self):
        return (
            ("admin localhost:2019", "admin off"),
            (":443 {", f":{self.port} {{\n\tbind 127.0.0.1"),
            (":80 {", f":{self.plain_port} {{\n\tbind 127.0.0.1"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
            ("/etc/caddy/ssl/", f"{self.ssl}/"),
            ("example.com", "localhost"),
        )

    def command(self):
        return [self.PROGRAM, "run", "--config", self.conf, "--adapter", "caddyfile"]

    def check_command(self):
        return [self.PROGRAM, "validate", "--config", self.conf, "--adapter", "caddyfile"]

    def environment(self):
        return {"HOME": self.directory}


class Haproxy(FrontEnd):
    name, file = "haproxy", "haproxy.cfg"
    PROGRAM = found("haproxy")

    def edits(self):
        return (
            ("    user haproxy\n    group haproxy\n", ""),
            ("    maxconn 16384\n", "    maxconn 2000\n"),
            (":443 ", f"127.0.0.1:{self.port} "),
            (":80\n", f"127.0.0.1:{self.plain_port}\n"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.server.port}"),
            ("/etc/haproxy/ssl/", f"{self.ssl}/"),
            ("example.com", "localhost"),
        )

    def command(self):
        return [self.PROGRAM, "-db", "-f", self.conf]

    def check_command(self):
        return [self.PROGRAM, "-c", "-f", self.conf]

    def stop(self):
        self.program.stop(code=-signal.SIGTERM)
