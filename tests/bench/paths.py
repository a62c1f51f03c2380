# SPDX-License-Identifier: MIT
"""Defines the paths from viewers to an origin that are not peers: direct, through nginx and through
oneport. peers.py has the others.

A path is a context manager. Its processes run inside of the `with` block and end with it."""

import contextlib
import os
import pathlib
import resource
import shutil
import socket

from support.nginx import PROGRAM as NGINX
from support.programs import BIN, TOP, Client, Program, Server, free_port
from support.wait import wait_until

from .held import Listener
from .meter import family, keep_to


class Skipped(Exception):
    """This machine cannot provide a path; the text says why."""


class Loopback:
    """Is what lies between the two ends of a path: nothing but this machine's loopback. Other lines
    have the same attributes."""

    apart = True  # each end may have processors of its own
    domain = "localhost"  # of oneportd; the client finds it by this name
    server_options = ()  # of oneportd
    link_port = None  # where oneportd takes links, if that is not the port of viewers
    viewers_port = None  # where oneportd takes viewers by TLS, if that is not its first port
    front = "127.0.0.1"  # the address at which a front end takes viewers by TLS

    def __call__(self, port):
        """Returns the port at which one end reaches @port of the other."""
        return port

    def inside(self, end):
        """Starts programs in the place of an end, "server" or "client", for a `with` block."""
        return contextlib.nullcontext()

    def address(self, end):
        """Returns the address of an end, for the other one."""
        return "127.0.0.1"

    def hosts(self):
        """Returns a command that runs the program whose words follow, so that it finds the
        domain."""
        return ()


class Path:
    """Is the base of all paths. @line lies between the ends of a path of two ends; the viewers and
    the server are at one side of it, the client and the origin at the other."""

    name = ""
    host = "localhost"
    viewer_address = "127.0.0.1"  # where viewers find .port
    tls_port = None  # takes viewers who speak HTTP/2 over TLS
    one_link = False  # all viewers share one connection, so it has to hold thousands of them
    at_once = 1000000  # the number of requests that can be under way
    has_line = True  # a long line can be put between the ends

    def __init__(self, bench, origin_port, line=None):
        self.bench = bench
        self.origin_port = origin_port
        self.line = line or Loopback()
        self.directory = bench.new_directory(self.name)
        self.ends = {}  # "server" (viewers connect to it), "client" (beside the origin) -> Program
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as guard:
            guard.callback(self.stack.close)
            self.start()
            if self.line.apart:
                self._keep_apart()
            guard.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        """Starts the programs and sets .port and .ends. Everything that has to be stopped goes on
        the stack."""
        raise NotImplementedError

    def _keep_apart(self):
        """Gives each end processors of its own, as if it were a machine of its own. Children that
        an end forks later stay there."""
        for end, cpus in self.bench.cpus.items():
            keep_to(self.pids(end), cpus)

    def pids(self, end=None):
        return [program.pid for key, program in self.ends.items() if end in (None, key)]

    def between(self):
        """Returns the number of connections that the two ends opened between them for all viewers:
        1 if they multiplex, one per viewer if not. The figure shows when a peer is set up badly.
        Returns {} where the connections belong to an end's children, as with sshd."""
        if len(self.ends) < 2:
            return {}
        count = self.ends["server"].established(self.ends["client"])
        return {"connections_between": count} if count else {}

    def beyond(self, end, port):
        """Returns ADDRESS:PORT at which the other end reaches @port of @end."""
        return f"{self.line.address(end)}:{self.line(port)}"

    def run(self, end, *argv, port=None, middle=None):
        """Starts a peer's program. Waits until it listens on @port, for viewers, or on @middle, for
        the other end."""
        if not shutil.which(argv[0]):
            raise Skipped(f"{argv[0]} is not installed")
        with self.line.inside(end):
            program = Program(argv, self.directory, end)
        self.stack.callback(finish, program)
        self.ends[end] = program
        place, address = (end, self.line.address(end)) if middle else ("server", "127.0.0.1")
        if port or middle:
            with self.line.inside(place):
                wait_until(
                    lambda: not program.running or listens(port or middle, address),
                    what=f"{argv[0]} to listen",
                )
        if not program.running:
            raise Skipped(f"{argv[0]} does not start: {program.tail(3)}")
        return program


class Direct(Path):
    """Has no hop at all. Shows what origin and load can do."""

    name = "direct"

    def start(self):
        self.port = self.line(self.origin_port)
        self.viewer_address = self.line.address("client")


class NginxHop(Path):
    """Has one hop, nginx in plain HTTP."""

    name = "nginx"

    def start(self):
        self.port = free_port()
        conf = nginx_conf(
            self.directory,
            self.bench.workers,
            f"""
    map $http_upgrade $connection_field {{ default upgrade; "" ""; }}
    upstream origin {{
        server {self.beyond("client", self.origin_port)};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_field;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}
    }}""",
        )
        self.run(
            "server",
            NGINX or "nginx",
            "-c",
            conf,
            "-p",
            self.directory,
            "-g",
            "daemon off;",
            port=self.port,
        )


class Oneport(Path):
    """Runs oneportd and one oneport. The one listener is plain for viewers and TLS for the link."""

    name = "oneport"
    one_link = True
    folder = BIN

    def start(self):
        self.server = self.start_server()
        self.port = self.server.port
        self.tls_port = self.line.viewers_port or self.port
        self.start_client(self.server, self.line.link_port or self.port)

    def start_server(self):
        with self.line.inside("server"):
            server = new_server(
                self.bench,
                self.directory,
                self.bench.workers,
                self.folder,
                *self.line.server_options,
            )
        self.stack.callback(server.stop)
        return server

    def start_client(self, server, port, *options):
        """Starts oneport, which dials @port of the server."""
        with self.line.inside("client"):
            client = Client(
                server,
                f"127.0.0.1:{self.origin_port}",
                self.directory,
                *options,
                name="bench",
                url=f"https://{self.line.domain}:{self.line(port)}",
                within=self.line.hosts(),
                programs=self.folder,
            )
        self.stack.callback(client.stop)
        self.ends = {"server": server.program, "client": client.program}
        self.host = f"{client.name}.{self.line.domain}:{server.port}"


class OneportIpsecMb(Oneport):
    """Runs the programs of `make IPSEC_MB=yes`."""

    name = "oneport-ipsec-mb"
    folder = TOP / "build" / "release-ipsec-mb"
    programs = (str(folder / "oneportd"), str(folder / "oneport"))


class OneportBefore(Oneport):
    """Runs the programs of another build, which lie in the directory BEFORE of the environment."""

    name = "oneport-before"
    folder = pathlib.Path(os.environ.get("BEFORE") or TOP / "build" / "before")
    programs = (str(folder / "oneportd"), str(folder / "oneport"))


def new_server(bench, directory, workers, folder=BIN, *options):
    """Starts oneportd without an access log, as no peer writes one."""
    return Server(
        directory,
        bench.certificate,
        "--workers",
        workers,
        "--access-log",
        "off",
        *options,
        drain="100ms",
        programs=folder,
    )


def nginx_conf(directory, workers, body):
    """Writes nginx.conf for the benchmark: no logs, unlimited keep-alive, as many connections as
    nginx may have descriptors, all files in @directory. Returns its path."""
    descriptors = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 40000)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {directory / kind};" for kind in kinds)
    conf = directory / "nginx.conf"
    conf.write_text(
        f"""{"user root;" if os.getuid() == 0 else ""}
worker_processes {workers};
pid {directory / "nginx.pid"};
error_log stderr error;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 0;
    keepalive_timeout 300s; keepalive_requests 1000000000;
    {places}
    {body}
}}
"""
    )
    return conf


class Origins:
    """Runs the origins behind every path: nginx for small files, and our own program for bodies of
    any length, uploads and WebSockets."""

    def __init__(self, bench):
        self.directory = bench.new_directory("origins")
        self._write_files(self.directory / "www")
        self.web_port = free_port()
        conf = nginx_conf(
            self.directory,
            1,
            f"""
    open_file_cache max=10;
    server {{ listen 127.0.0.1:{self.web_port} backlog=4096; root {self.directory / "www"}; }}""",
        )
        self.nginx = Program(
            [NGINX, "-c", conf, "-p", self.directory, "-g", "daemon off;"], self.directory, "nginx"
        )
        bench.stack.callback(finish, self.nginx)
        wait_until(
            lambda: not self.nginx.running or listens(self.web_port), what="the origin to listen"
        )
        self.app = bench.stack.enter_context(Listener(self.directory, "origin", 0))
        self.app_port = self.app.port

    @staticmethod
    def _write_files(root):
        root.mkdir()
        (root / "200").write_bytes(os.urandom(200))
        (root / "1m").write_bytes(os.urandom(1 << 20))


def listens(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def finish(program):
    """Ends a program and its family. The exit code is not judged, because peers have their own
    ways."""
    program.judged = True
    left = family([program.pid]) - {program.pid}
    program.process.terminate()
    try:
        program.process.wait(3)
    except Exception:
        program.process.kill()
        program.process.wait()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
