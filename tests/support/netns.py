# SPDX-License-Identifier: MIT
"""Builds a network of three namespaces: client, router and server. On command the router loses
packets, as a pulled cable does: neither end is told. The machine's own network is not touched.

Each namespace is held by a process that reads a pipe of ours, so the namespace ends with this
program however that ends. Namespaces need root; `missing()` says what is missing. A program that is
started `inside()` a namespace, or a socket that is connected there, stays in it:

    with net.server.inside():
        server = new_server("--listen", f"{SERVER}:0")
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

from .wait import wait_until

CLIENT, CLIENT6 = "10.77.1.2", "2001:db8:1::2"
SERVER, SERVER6 = "10.77.2.2", "2001:db8:2::2"
OTHER = "10.77.2.3"  # the server's second address
# The router loses packets to these addresses.
DEAD, DEAD_TOO, DEAD6, DEAD6_TOO = "10.77.9.2", "10.77.9.3", "2001:db8:9::2", "2001:db8:9::3"

TO_SERVER, TO_CLIENT = (SERVER, OTHER), (CLIENT,)

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Returns why namespaces cannot be used here, or None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "unshare"):
        if not shutil.which(program):
            return f"there is no {program} here"
    try:
        with contextlib.closing(Network()):
            return None
    except (AssertionError, OSError) as error:
        return f"no network namespaces: {error}"


class Namespace:
    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.path = pathlib.Path(f"/proc/{self.holder.pid}/ns/net")
        try:
            wait_until(self._is_apart, what="a network namespace")
            self.ip("link set lo up")
        except BaseException:
            self.close()
            raise

    def _is_apart(self):
        if self.holder.poll() is not None:
            raise OSError(self.holder.stderr.read().strip())
        return os.readlink(self.path) != os.readlink("/proc/self/ns/net")

    @contextlib.contextmanager
    def inside(self):
        """Puts this thread into the namespace for a `with` block, with the programs that it starts
        and the sockets that it makes."""
        with open("/proc/thread-self/ns/net", "rb") as before, open(self.path, "rb") as here:
            _enter(here)
            try:
                yield self
            finally:
                _enter(before)

    def ip(self, command):
        with self.inside():
            done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
        assert done.returncode == 0, f"ip {command}: {done.stderr.strip()}"

    def set(self, name, value):
        """Writes a sysctl below net."""
        with self.inside():
            pathlib.Path("/proc/sys/net", name).write_text(str(value))

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stderr.close()


class Network:
    def __init__(self, mtu=None):
        """@mtu is set on every interface, and segmentation offload is then turned off."""
        self.lost = []
        self.spaces = contextlib.ExitStack()
        try:
            self.client, self.router, self.server = (
                self.spaces.enter_context(contextlib.closing(Namespace())) for _ in range(3)
            )
            self._join(self.client, "left", "10.77.1", "2001:db8:1")
            self._join(self.server, "right", "10.77.2", "2001:db8:2")
            self.server.ip(f"addr add {OTHER}/24 dev eth0")
            self.router.set("ipv4/ip_forward", 1)
            self.router.set("ipv6/conf/all/forwarding", 1)
            self.router.ip("route add blackhole 10.77.9.0/24")
            self.router.ip("-6 route add blackhole 2001:db8:9::/64")
            if mtu:
                self._shrink(mtu)
        except BaseException:
            self.close()
            raise

    def _join(self, space, port, net, net6):
        self.router.ip(f"link add {port} type veth peer name eth0 netns {space.holder.pid}")
        for where, device, host in ((self.router, port, 1), (space, "eth0", 2)):
            where.ip(f"addr add {net}.{host}/24 dev {device}")
            where.ip(f"-6 addr add {net6}::{host}/64 dev {device} nodad")
            where.ip(f"link set {device} up")
        space.ip(f"route add default via {net}.1")
        space.ip(f"-6 route add default via {net6}::1")

    def _shrink(self, mtu):
        for space, devices in (
            (self.client, ("lo", "eth0")),
            (self.router, ("left", "right")),
            (self.server, ("lo", "eth0")),
        ):
            for device in devices:
                space.ip(f"link set {device} mtu {mtu} gso_max_segs 1")

    def lose(self, *addresses):
        """Makes the router lose all packets to @addresses."""
        for address in addresses:
            self.router.ip(f"route add blackhole {address}/32")
        self.lost += addresses

    def heal(self):
        for address in self.lost:
            self.router.ip(f"route del blackhole {address}/32")
        self.lost = []

    def passed(self):
        """Returns how many packets the client has sent and received."""
        with self.client.inside():
            device = next(
                line
                for line in pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines()
                if "eth0:" in line
            )
        counts = device.partition(":")[2].split()
        return int(counts[1]) + int(counts[9])

    def close(self):
        self.spaces.close()


def _enter(namespace):
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
