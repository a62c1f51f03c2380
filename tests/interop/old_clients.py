# SPDX-License-Identifier: MIT
"""Runs the real old clients against oneportd: `wave share` of H2O Wave 1.8 shares, and lt and Wave
0.26 are refused. The server is in a network of its own. A client that a registry does not give is
skipped. Prints a line for each check, and then: N passed, N failed, N skipped."""

import contextlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from support import addresses, netns  # noqa: E402
from support.addresses import SERVER  # noqa: E402
from support.certs import Authority  # noqa: E402
from support.origins import OriginProgram  # noqa: E402
from support.programs import Program, Server  # noqa: E402
from support.wait import wait_until  # noqa: E402

WAVE, WAVE_BEFORE, LT = "1.8.0", "0.26.4", "2.0.2"
VIEWER, PORT = "10.9.3.3", 443
NEEDS = "needs the oneport client"
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
    wave = where / f"wave-{version}" / "bin" / "wave"
    if wave.exists():
        return wave
    shutil.rmtree(where / f"wave-{version}", ignore_errors=True)
    pip = [where / f"wave-{version}" / "bin" / "pip", "install", "-q", "--retries", "1"]
    for words in (
        [sys.executable, "-m", "venv", where / f"wave-{version}"],
        [*pip, f"h2o-wave=={version}"],
    ):
        if subprocess.run(words, capture_output=True).returncode:
            raise Skipped(f"pip cannot get h2o-wave {version}")
    return wave


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

    def run(self, *words):
        environment = {"SSL_CERT_FILE": str(self.server.certificate.ca), "PYTHONUNBUFFERED": "1"}
        environment["NODE_EXTRA_CA_CERTS"] = str(self.server.certificate.ca)
        with self.here.inside():
            return Program(words, self.directory, pathlib.Path(words[0]).name, env=environment)

    def ask(self, host, path="/", **keywords):
        with self.here.viewer(VIEWER, PORT, self.server.certificate.client_context()) as viewer:
            return viewer.get(host, path, **keywords)

    def sockets(self, name):
        got = self.ask("localhost", f"/api/tunnels/{name}/status").json()
        return got.get("connected_sockets", 0)


def share(world, where):
    """`wave share` 1.8 shares. Each of its sockets that has served comes back."""
    wave = python_client(where, WAVE)
    words = ("share", "--port", world.origin.port, "--subdomain", "app", "--remote-host", SERVER)
    client = world.run(wave, *words, "--remote-port", PORT)
    try:
        wait_until(lambda: world.sockets("app") == 32, 60, "32 sockets")
        assert f"https://app.{SERVER}" in client.stdout, client.stdout
        for size in (0, 100, 3_000_000):
            assert len(world.ask("app.localhost", f"/bytes/{size}").body) == size
        assert (
            world.ask("app.localhost", "/upload", method="POST", body=b"x" * 500_000).status == 200
        )
        time.sleep(3)  # those that have served were reset
        assert world.sockets("app") == 32
        assert world.ask("app.localhost", "/bytes/5").status == 200
        world.origin.stop()
        world.origin.start()  # which closes all connections, and the client tells nobody
        assert world.ask("app.localhost", "/bytes/5").status == 200
        wait_until(lambda: world.sockets("app") == 32, 20, "the return of all")
    finally:
        client.judged = True
        client.process.kill()
        client.process.wait()


def refuse_lt(world, where):
    """lt shows the message and ends."""
    lt = lt_client(where)
    client = world.run(lt, "--host", f"https://{SERVER}", "--port", world.origin.port)
    client.expect_exit(1, 60)
    assert NEEDS in client.log + client.stdout, client.tail()


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
            server = Server(directory, certificate, "--listen", f"{SERVER}:{PORT}")
            stack.callback(server.stop)
        world = World(here, server, origin, directory)
        for step in (share, refuse_lt, refuse_wave):
            check(world, where.resolve(), step)


main(pathlib.Path(sys.argv[1]))
print(", ".join(f"{count} {what}" for what, count in counts.items()))
sys.exit(counts["failed"] > 0)
