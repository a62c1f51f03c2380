# SPDX-License-Identifier: MIT
"""Keeps listening sockets, as systemd does for a unit of type socket, and passes them to each
program that it starts.

    kept = KeptPort(directory, "127.0.0.1")
    server = Server(..., "--listen", f"127.0.0.1:{kept.port}", within=kept.within, env=kept.env)

Started as a program, it takes the sockets from the KeptPort at PATH, and becomes the program:
python3 -m support.kept_port PATH PROGRAM [ARGUMENT...]"""

import os
import pathlib
import socket
import sys
import threading

from .programs import TOP

FIRST = 3


class KeptPort:
    def __init__(self, directory, *addresses, port=0):
        """Listens at @addresses, of IPv4 or IPv6, all with one port."""
        self.sockets = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made = socket.create_server((address, port), family=family, backlog=512)
            self.sockets.append(made)
            port = made.getsockname()[1]
        self.port = port
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "kept"
        self.giver = socket.create_server(str(path), family=socket.AF_UNIX)
        self.within = (sys.executable, "-m", "support.kept_port", path)
        self.env = {"PYTHONPATH": TOP / "tests"}
        threading.Thread(target=self._give, daemon=True).start()

    def _give(self):
        fds = [made.fileno() for made in self.sockets]
        while True:
            try:
                taker, _ = self.giver.accept()
            except OSError:
                return  # closed
            with taker:
                socket.send_fds(taker, [b"x"], fds)

    def close(self):
        for made in (self.giver, *self.sockets):
            made.close()


def become(path, *argv):
    with socket.socket(socket.AF_UNIX) as giver:
        giver.connect(path)
        _, fds, _, _ = socket.recv_fds(giver, 1, 16)
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
        os.close(fd)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)))
    os.execv(argv[0], argv)


if __name__ == "__main__":
    become(*sys.argv[1:])
