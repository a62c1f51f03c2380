# SPDX-License-Identifier: MIT
"""Runs the real old clients against oneportd: `wave share` of H2O Wave 1.8 shares, also a Wave app
with 30 viewers and over restarts of the server; lt, go-localtunnel and Wave 0.26 are refused. The
server is in a network of its own. A client that a registry does not give is skipped. Prints a line
for each check, and then: N passed, N failed, N skipped."""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

import app_samples  # noqa: E402
from support import addresses, netns, nginx  # noqa: E402
from support.addresses import SERVER  # noqa: E402
from support.certs import Authority  # noqa: E402
from support.kept_port import KeptPort  # noqa: E402
from support.origins import OriginProgram  # noqa: E402
from support.programs import Client, Program, Server  # noqa: E402
from support.wait import wait_until  # noqa: E402
from support.websocket_viewer import HANDSHAKE  # noqa: E402

WAVE, WAVE_BEFORE, LT = "1.8.0", "0.26.4", "2.0.2"
VIEWERS, SOCKETS = 30, 20
VIEWER, PORT = "10.9.3.3", 443
NEEDS = "needs the oneport client"
UNDER_HOSTS = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"')
GO_LT = "github.com/localtunnel/go-localtunnel@v0.0.0-20170326223115-8a804488f275"
GO_MAIN = """package main

import (
\t"fmt"
\t"os"

\t"github.com/localtunnel/go-localtunnel"
)

func main() {
\tshared, err := localtunnel.New(3000, "localhost", localtunnel.Options{BaseURL: os.Args[1]})
\tif err != nil {
\t\tfmt.Fprintln(os.Stderr, err)
\t\tos.Exit(1)
\t}
\tfmt.Println(shared.URL())
}
"""
counts = {"passed": 0, "failed": 0, "skipped": 0}


class Skipped(Exception):
    pass


class OriginInside(OriginProgram):
    """Is an origin that also starts again inside of the network."""

    def __init__(self, here, *words):
        self.here = here
        super().__init__(*words)

    def start(self):
        with self.here.inside():
            super().start()


def python_client(where, version):
    """Returns the `wave` program of that version, in an environment of its own."""
    venv = where / f"wave-{version}" / "venv"
    wave = venv / "bin" / "wave"
    if wave.exists():
        return wave
    shutil.rmtree(venv, ignore_errors=True)
    pip = [venv / "bin" / "pip", "install", "-q", "--retries", "1"]
    for words in (
        [sys.executable, "-m", "venv", venv],
        [*pip, f"h2o-wave=={version}"],
    ):
        if subprocess.run(words, capture_output=True).returncode:
            raise Skipped(f"pip cannot get h2o-wave {version}")
    return wave


def go_client(where):
    """Returns a program that shares a port by go-localtunnel, as its README says."""
    at = where / "go"
    program = at / "share"
    if not shutil.which("go"):
        raise Skipped("there is no go here")
    if program.exists():
        return program
    at.mkdir(exist_ok=True)
    (at / "main.go").write_text(GO_MAIN)
    for words in (["mod", "init", "share"], ["get", GO_LT], ["build", "-o", program]):
        if subprocess.run(["go", *words], cwd=at, capture_output=True).returncode:
            shutil.rmtree(at)
            raise Skipped(f"go cannot get {GO_LT}")
    return program


def lt_client(where):
    program = where / "node_modules" / ".bin" / "lt"
    if not shutil.which("npm"):
        raise Skipped("there is no npm here")
    words = ["npm", "install", "--prefix", where, "--no-audit", "--no-fund", "--silent"]
    words += ["--fetch-retries=1", f"localtunnel@{LT}"]
    if not program.exists() and subprocess.run(words, capture_output=True).returncode:
        raise Skipped(f"npm cannot get localtunnel {LT}")
    return program


class World:
    def __init__(self, here, server, origin, directory):
        self.here, self.server, self.origin, self.directory = here, server, origin, directory
        self.viewers = []

    def run(self, *words):
        environment = {"SSL_CERT_FILE": str(self.server.certificate.ca), "PYTHONUNBUFFERED": "1"}
        environment["NODE_EXTRA_CA_CERTS"] = str(self.server.certificate.ca)
        with self.here.inside():
            return Program(words, self.directory, pathlib.Path(words[0]).name, env=environment)

    def ask(self, host, path="/", **keywords):
        tls = self.server.certificate.client_context(["http/1.1"])
        tls.check_hostname = False  # OpenSSL does not find it in *.localhost
        with self.here.viewer(VIEWER, PORT, tls, host) as viewer:
            return viewer.get(host, path, **keywords)

    def share(self, wave, port):
        """Starts `wave share` of the app at @port under the name app."""
        words = ("share", "--port", port, "--subdomain", "app", "--remote-host", SERVER)
        return self.run(wave, *words, "--remote-port", PORT)

    def open(self, name):
        """Opens a WebSocket of Wave's. Returns the answer, and keeps what was opened."""
        tls = self.server.certificate.client_context()
        viewer = self.here.viewer(f"10.9.4.{len(self.viewers) + 1}", PORT, tls)
        self.viewers.append(viewer)
        return viewer.get(f"{name}.localhost", "/_s/", *HANDSHAKE)

    def leave(self):
        while self.viewers:
            self.viewers.pop().close()

    def sockets(self, name):
        got = self.ask("localhost", f"/api/tunnels/{name}/status").json()
        return got.get("connected_sockets", 0)


def share(world, where):
    """`wave share` 1.8 shares. Each of its sockets that has served comes back."""
    wave = python_client(where, WAVE)
    client = world.share(wave, world.origin.port)
    try:
        wait_until(lambda: world.sockets("app") == SOCKETS, 60, "all sockets")
        assert f"https://app.{SERVER}" in client.stdout, client.stdout
        for size in (0, 100, 3_000_000):
            assert len(world.ask("app.localhost", f"/bytes/{size}").body) == size
        assert (
            world.ask("app.localhost", "/upload", method="POST", body=b"x" * 500_000).status == 200
        )
        time.sleep(3)  # those that have served were reset
        assert world.sockets("app") == SOCKETS
        assert world.ask("app.localhost", "/bytes/5").status == 200
        world.origin.stop()
        world.origin.start()  # which closes all connections, and the client tells nobody
        assert world.ask("app.localhost", "/bytes/5").status == 200
        wait_until(lambda: world.sockets("app") == SOCKETS, 20, "the return of all")
    finally:
        end(client)


def restart(world, where):
    """`wave share` 1.8 goes on when the server is started again, where the port is kept."""
    client = world.share(python_client(where, WAVE), world.origin.port)
    try:
        wait_until(lambda: world.sockets("app") == SOCKETS, 60, "all sockets")
        for stop in (world.server.stop, world.server.kill9):
            wait_until(lambda: " served=" in world.server.saved_names, 10, "the names file")
            stop()
            time.sleep(3)  # the client is alone with the port
            with world.here.inside():
                world.server.start()
            wait_until(lambda: world.sockets("app") == SOCKETS, 20, "the return of all")
            assert world.ask("app.localhost", "/bytes/5").status == 200
    finally:
        end(client)


def viewers(world, where):
    """A Wave app with 30 viewers: `wave share` 1.8 lacks sockets, and says so; oneport does not."""
    wave = python_client(where, WAVE)
    with contextlib.ExitStack() as ended:
        ended.callback(world.leave)
        with world.here.inside():
            app = app_samples.Wave(wave.parents[2], world.directory / "app")
            ended.callback(app.stop)
        client = world.share(wave, app.port)
        ended.callback(end, client)
        wait_until(lambda: world.sockets("app") == SOCKETS, 60, "all sockets")
        answers = [world.open("app") for _ in range(VIEWERS)]
        opened = [answer for answer in answers if answer.status == 101]
        assert len(opened) == SOCKETS - 1, [answer.status for answer in answers]
        for answer in answers:
            assert answer.status in (101, 503)
            assert answer.status == 101 or f"{SOCKETS} sockets" in answer.json()["message"]
        assert world.ask("app.localhost").status == 200  # one socket is left for the page
        world.leave()
        with world.here.inside():
            ours = Client(world.server, app.port, world.directory / "ours", name="ours")
            ended.callback(ours.stop)
        assert [world.open("ours").status for _ in range(VIEWERS)] == [101] * VIEWERS
        assert world.ask("ours.localhost").status == 200


def behind_nginx(world, where):
    """`wave share` 1.8 behind nginx goes on over restarts of its app, and keeps its sockets."""
    wave = python_client(where, WAVE)
    if not nginx.STREAM.exists():
        raise Skipped(f"{nginx.STREAM} is missing")
    directory = world.directory / "behind"
    with contextlib.ExitStack() as ended:
        here = ended.enter_context(addresses.Addresses())
        with here.inside():
            origin = OriginInside(here, "http_origin", directory)
            ended.callback(origin.stop)
            certificate = world.server.certificate
            words = ("--accept-proxy", "127.0.0.2", "--leap-connections", "3")
            server = Server(directory, certificate, *words)
            ended.callback(server.stop)
            front = nginx.StreamNginx(server, directory / "nginx")
            ended.callback(front.stop)
        (directory / "hosts").write_text(f"{SERVER} localhost\n")  # its name has to be in the hello
        inside = World(here, server, origin, directory)
        words = ("share", "--port", origin.port, "--subdomain", "app", "--remote-host", "localhost")
        client = inside.run(*UNDER_HOSTS, directory / "hosts", wave, *words)
        ended.callback(end, client)
        wait_until(lambda: inside.sockets("app") == 3, 60, "all sockets")
        for _ in range(2):
            assert inside.ask("app.localhost", "/bytes/5").status == 200
            origin.stop()
            origin.start()
            time.sleep(1.2)  # sockets are doubted that have rested for 1 s
            assert inside.ask("app.localhost", "/bytes/5").status == 200
            time.sleep(3)  # the others come back one after the other
            assert inside.sockets("app") == 3
        assert inside.ask("localhost", "/api/status").json()["old_sockets_lost"] == 0


def end(client):
    client.judged = True
    client.process.kill()
    client.process.wait()


def refuse_lt(world, where):
    """lt shows the message and ends."""
    lt = lt_client(where)
    client = world.run(lt, "--host", f"https://{SERVER}", "--port", world.origin.port)
    client.expect_exit(1, 60)
    assert NEEDS in client.log + client.stdout, client.tail()


def refuse_go(world, where):
    """go-localtunnel fails with the status, and ends."""
    client = world.run(go_client(where), f"https://{SERVER}")
    client.expect_exit(1, 60)
    assert "statusCode: 202" in client.log, client.tail()


def refuse_wave(world, where):
    """Wave before 1.0 says that it cannot connect, and ends."""
    wave = python_client(where, WAVE_BEFORE)
    client = world.run(wave, "share", "--port", world.origin.port, "--remote-host", SERVER)
    client.expect_exit(1, 60)
    assert "Could not connect" in client.stdout, client.tail()


def check(world, where, step):
    try:
        step(world, where)
        counts["passed"] += 1
        print(f"passed: {step.__doc__.splitlines()[0]}")
    except Skipped as why:
        counts["skipped"] += 1
        print(f"skipped: {why}")
    except AssertionError as error:
        counts["failed"] += 1
        traceback.print_exc(file=sys.stdout)
        print(f"FAILED: {step.__doc__.splitlines()[0]} {error}")


def main(where):
    where.mkdir(parents=True, exist_ok=True)
    if netns.missing():
        print(f"skipped: {netns.missing()}")
        counts["skipped"] += 1
        return
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = ("localhost", "*.localhost", f"IP:{SERVER}")
        certificate = Authority(directory / "ca").issue("server", *names)
        here = stack.enter_context(addresses.Addresses())
        with here.inside():
            origin = OriginInside(here, "http_origin", directory)
            stack.callback(origin.stop)
            kept = KeptPort(directory, SERVER, port=PORT)
            stack.callback(kept.close)
            words = ("--listen", f"{SERVER}:{PORT}", "--leap-connections", SOCKETS)
            words += ("--hold", "1s")
            server = Server(directory, certificate, *words, within=kept.within, env=kept.env)
            stack.callback(server.stop)
        world = World(here, server, origin, directory)
        for step in (share, restart, viewers, behind_nginx, refuse_lt, refuse_go, refuse_wave):
            check(world, where.resolve(), step)


main(pathlib.Path(sys.argv[1]))
print(", ".join(f"{count} {what}" for what, count in counts.items()))
sys.exit(counts["failed"] > 0)
