# SPDX-License-Identifier: MIT
"""Puts the two ends of a path into network namespaces with a line of packets between them
(tun_relay.c): TCP runs from end to end. Viewers are in the namespace of the server, the origin is
in that of the client."""

import contextlib
import dataclasses
import os
import pathlib

from support import netns
from support.netns import Namespace

from .held import Held, Listener
from .paths import Loopback, Skipped

DOMAIN = "line.test"
ADDRESSES = {"server": "10.78.0.1", "client": "10.78.0.2"}
LINK_PORT = 8443  # every port is free in a new namespace
# A device of this length never drops what the relay has not read yet; the line's queue is the
# relay's.
DEVICE_PACKETS = 20000


@dataclasses.dataclass(frozen=True)
class Shape:
    rtt_ms: int
    mbit: int
    loss_percent: float = 0

    def __str__(self):
        loss = f"_{self.loss_percent:g}_percent" if self.loss_percent else ""
        return f"{self.rtt_ms}ms_{self.mbit}mbit{loss}"

    @classmethod
    def parse(cls, text):
        """Reads "100x20", a round trip in ms and Mbit/s, or "100x20x0.5" with percent of loss."""
        words = text.split("x")
        if not 2 <= len(words) <= 3:
            raise ValueError(f"{text} is no line: RTT-MSxMBIT or RTT-MSxMBITxLOSS-PERCENT")
        return cls(int(words[0]), int(words[1]), *map(float, words[2:]))


def missing():
    """Returns why there can be no line here, or None."""
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun: {error.strerror}"
    return netns.missing()


class Line(Loopback):
    """Is the line of one path, made anew for each, so that no kernel remembers an earlier one. Use
    it as the path's @line, in a `with` block around the path's. .app_port is the origin's port in
    the client's namespace, where it listens on all addresses."""

    apart = False  # the kernel places programs, as the relay and the load are beside them
    domain = DOMAIN
    link_port = LINK_PORT
    server_options = ("--domain", DOMAIN, "--listen", f"{ADDRESSES['server']}:{LINK_PORT}")

    def __init__(self, bench, shape, seed, congestion=None, sysctls=()):
        """@congestion is the congestion control of all connections over the line, as the kernel
        names it; by default it is the machine's. @sysctls are (name below net, value) of both
        namespaces."""
        self.bench, self.shape = bench, shape
        self.route = f"congctl {congestion}" if congestion else ""
        self.directory = bench.new_directory("line")
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as guard:
            guard.callback(self.stack.close)
            self.spaces = {
                end: self.stack.enter_context(contextlib.closing(Namespace())) for end in ADDRESSES
            }
            self._connect(seed)
            for space in self.spaces.values():
                for name, value in (("ipv4/tcp_no_metrics_save", 1), *sysctls):
                    space.set(name, value)
            with self.inside("client"):
                self.app = self.stack.enter_context(Listener(self.directory, "origin", 0, "any"))
            self.app_port = self.app.port
            guard.pop_all()

    def _connect(self, seed):
        holders = [space.holder.pid for space in self.spaces.values()]
        shape = self.shape
        self.relay = self.stack.enter_context(
            Held(
                self.directory,
                "tun_relay",
                *holders,
                shape.rtt_ms,
                shape.mbit * 1000,
                round(shape.loss_percent * 10000),
                seed,
                0,
            )
        )
        self.relay.line(10)
        for end, far in (("server", "client"), ("client", "server")):
            space = self.spaces[end]
            space.set("ipv6/conf/line0/disable_ipv6", 1)
            space.ip(f"link set line0 txqueuelen {DEVICE_PACKETS}")
            space.ip(f"addr add {ADDRESSES[end]} peer {ADDRESSES[far]} dev line0")
            space.ip("link set line0 up")
            space.ip(f"route replace {ADDRESSES[far]} dev line0 {self.route}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def inside(self, end):
        return self.spaces[end].inside()

    def address(self, end):
        return ADDRESSES[end]

    def counts(self):
        """Returns the packets passed, lost and dropped at a full queue, of both directions."""
        ways = self.relay.ask("counts")
        return {key: sum(way[key] for way in ways) for key in ways[0]}

    def hosts(self):
        """Returns a command that runs a program to which DOMAIN is the server."""
        hosts = pathlib.Path(self.directory, "hosts")
        hosts.write_text(f"127.0.0.1 localhost\n{ADDRESSES['server']} {DOMAIN}\n")
        mount = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", mount, "sh", hosts)


def need_line():
    """Fails with Skipped where there can be no line."""
    if why := missing():
        raise Skipped(why)
