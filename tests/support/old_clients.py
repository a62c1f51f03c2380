# SPDX-License-Identifier: MIT
"""Has what tests of old clients use: a server in a network of its own, the double of `wave share`
(wave_share.py), and a socket of it in the hands of a test."""

import os
import socket
import ssl
import struct
import sys

from . import addresses
from .addresses import SERVER
from .origins import reply
from .programs import SLOW, TOP, Program
from .wait import wait_until

CLIENT, STRANGER, VIEWER = "10.9.1.1", "10.9.2.2", "10.9.3.3"
PORT = 8443
ANSWER = reply(b"here")
HEAD = b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n"


class WaveShare(Program):
    def __init__(self, server, origin, directory, name, source, connections, port):
        words = ["--host", addresses.SERVER6 if ":" in source else SERVER]
        words += ["--port", port, "--name", name, "--origin", origin]
        words += ["--ca", server.certificate.ca, "--source", source]
        words += ["--connections", connections] if connections else []
        super().__init__(
            [sys.executable, "-u", "-m", "support.wave_share", *words],
            directory,
            "wave_share",
            env={"PYTHONPATH": str(TOP / "tests")},
        )
        self.judged = True  # it is no program under test
        shared = self.wait_output(r"^shared (\S+) (\d+)$", stream="stdout")
        self.id, self.sockets = shared[1], int(shared[2])
        self.host = f"{self.id}.localhost"

    def count(self, word):
        return self.stdout.split().count(word)


class World:
    def __init__(self, here, server, ended, scripted, directory):
        self.here, self.server, self.ended = here, server, ended
        self.scripted, self.directory = scripted, directory

    def origin(self, serve):
        with self.here.inside():
            return self.scripted(serve)

    def share(self, origin, name="app", source=CLIENT, connections=2, ready=True, port=PORT):
        with self.here.inside():
            share = WaveShare(
                self.server, origin.port, self.directory, name, source, connections, port
            )
        self.ended.callback(share.process.wait)
        self.ended.callback(share.process.kill)
        if ready:
            wait_until(lambda: self.sockets(share.id) == share.sockets, 20, "all sockets")
        return share

    def viewer(self, source=VIEWER):
        return self.ended.enter_context(self.here.viewer(source, PORT))

    def ask(self, share, path="/", *fields, **keywords):
        return self.viewer().get(share.host, path, *fields, **keywords)

    def status(self, path="/api/status"):
        return self.viewer().get("localhost", path).json()

    def sockets(self, name):
        return self.status(f"/api/tunnels/{name}/status").get("connected_sockets", 0)


class Raw:
    """Is a socket of an old client in the hands of a test, which answers by itself."""

    def __init__(self, world, line=b"__h2o_leap__ app\n", source=CLIENT, first=b"", port=PORT):
        tls = world.server.certificate.client_context()
        tls.maximum_version = ssl.TLSVersion.TLSv1_2  # after which nothing comes unasked
        self.viewer = world.ended.enter_context(world.here.viewer(source, port, tls, first=first))
        self.socket = self.viewer.socket
        self.viewer.send(line)

    def request(self):
        return self.viewer.head()

    def answer(self, raw=ANSWER):
        self.viewer.send(raw)

    def reset(self):
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def end(self, seconds=10):
        """Waits until the server ends the socket. Returns "reset", or "closed" for FIN."""
        with socket.socket(fileno=os.dup(self.socket.fileno())) as bare:  # ssl hides RST
            bare.settimeout(seconds * SLOW)
            try:
                while bare.recv(4096):
                    pass
            except ConnectionResetError:
                return "reset"
        return "closed"


def refuses(world):
    try:
        world.here.viewer(VIEWER, PORT).close()
    except ConnectionError:
        return True
    return False


def register_from(world, name="app", source=CLIENT, *fields):
    return world.viewer(source).get("localhost", f"/register/{name}", *fields).json()


def answering(connection):
    """Is a service that answers any number of requests on a connection."""
    while True:
        connection.request()
        connection.body()
        connection.send(ANSWER)
