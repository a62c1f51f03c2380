# SPDX-License-Identifier: MIT
"""The ways from viewers to an origin: direct, through nginx, and through oneport. The other peers
are in peers.py.

A path is a context: it is up inside of `with`, and none of its processes is left behind it."""

import contextlib
import os
import resource
import shutil
import socket

from support.nginx import PROGRAM as NGINX
from support.programs import Client, Program, Server, free_port
from support.wait import wait_until

from .held import Listener
from .meter import family, keep_to


class Skipped(Exception):
    """This machine cannot have that path, and why."""


class Path:
    """@line(port), if given, is the port of a long line to @port: what a path of two ends has
    between them."""

    name = ""
    host = "localhost"
    one_link = False  # whether all viewers share one connection: then thousands of them have to fit
    at_once = 1000000  # how many requests it can have under way
    has_line = True  # whether a line can be put between its ends

    def __init__(self, bench, origin_port, line=None):
        self.bench = bench
        self.origin_port = origin_port
        self.line = line or (lambda port: port)
        self.directory = bench.new_directory(self.name)
        self.ends = {}  # "server", where viewers come in, and "client", next to the origin: Program
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as guard:
            guard.callback(self.stack.close)
            self.start()
            self._keep_apart()
            guard.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        """Sets .port and .ends; what has to be stopped goes on the stack."""
        raise NotImplementedError

    def _keep_apart(self):
        """Each end on processors of its own, as if it were on a machine of its own; what forks
        later stays there."""
        for end, cpus in self.bench.cpus.items():
            keep_to(self.pids(end), cpus)

    def pids(self, end=None):
        return [program.pid for key, program in self.ends.items() if end in (None, key)]

    def between(self):
        """How many connections the two ends have made of the viewers': one is multiplexing, one a
        viewer is not. It shows a peer that is set up for less than it can do. Nothing where an
        end's connections are its children's, as sshd's are."""
        if len(self.ends) < 2:
            return {}
        count = self.ends["server"].established(self.ends["client"])
        return {"connections_between": count} if count else {}

    def run(self, end, *argv, port=None):
        """Starts a peer's program and waits until it listens on @port."""
        if not shutil.which(argv[0]):
            raise Skipped(f"{argv[0]} is not installed")
        program = Program(argv, self.directory, end)
        self.stack.callback(finish, program)
        self.ends[end] = program
        if port:
            wait_until(lambda: not program.running or listens(port), what=f"{argv[0]} to listen")
        if not program.running:
            raise Skipped(f"{argv[0]} does not start: {program.tail(3)}")
        return program


class Direct(Path):
    """No hop at all: what the origin and the load can do."""

    name = "direct"

    def start(self):
        self.port = self.line(self.origin_port)


class NginxHop(Path):
    """One plain HTTP hop, what everybody has already."""

    name = "nginx"

    def start(self):
        self.port = free_port()
        conf = nginx_conf(
            self.directory,
            self.bench.workers,
            f"""
    map $http_upgrade $connection_field {{ default upgrade; "" ""; }}
    upstream origin {{
        server 127.0.0.1:{self.line(self.origin_port)};
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
    """oneportd with one listener, plain to viewers and TLS to the link, and one oneport."""

    name = "oneport"
    one_link = True

    def start(self):
        server = new_server(self.bench, self.directory, self.bench.workers)
        self.stack.callback(server.stop)
        client = Client(
            server,
            str(self.origin_port),
            self.directory,
            name="bench",
            url=f"https://localhost:{self.line(server.port)}",
        )
        self.stack.callback(client.stop)
        self.ends = {"server": server.program, "client": client.program}
        self.port = server.port
        self.host = client.host


def new_server(bench, directory, workers):
    """No access log: none of the peers writes one."""
    return Server(
        directory, bench.certificate, "--workers", workers, "--access-log", "off", drain="100ms"
    )


def nginx_conf(directory, workers, body):
    """nginx for the benchmark: nothing logged, keep-alive for ever, as many connections as it may
    have descriptors, all its files in @directory."""
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
    """What is behind every path: nginx with small files, and our own for bodies of any length,
    uploads and WebSockets."""

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


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def finish(program):
    """Ends a program and its family, with no opinion on how it took it: peers have ways of their
    own."""
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
