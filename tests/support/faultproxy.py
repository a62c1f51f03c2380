"""A TCP relay in user space that misbehaves on command, between oneport and oneportd (or anyone and anyone).

UP is towards the target, DOWN is back. What is done to it is done to the connections there are at the time, new ones pass
unharmed; only `piece`, the octets a segment, holds for all."""

import socket
import threading
import time

from .octets import Octets
from .origins import shut
from .wait import wait_until

UP, DOWN = "up", "down"


class FaultProxy:
    def __init__(self, target_port, piece=0):
        self.target_port, self.piece = target_port, piece
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.relays = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                near.close()
                continue
            relay = Relay(self, near, far)
            self.relays.append(relay)
            relay.start()

    def wait_relays(self, count, deadline_s=10.0):
        wait_until(lambda: len(self.relays) >= count, deadline_s, f"{count} connections through the proxy")

    @property
    def open_relays(self):
        return [relay for relay in self.relays if not relay.gone]

    def freeze(self, *directions):
        """Nothing passes any more, not even the end: as when the network is gone."""
        for relay in self.open_relays:
            relay.frozen.update(directions or (UP, DOWN))

    def abandon(self):
        """A Wi-Fi change: whoever dialled gets an error, the target hears nothing at all."""
        for relay in self.open_relays:
            relay.frozen.update((UP, DOWN))
            Octets(relay.near).reset()

    def reset(self):
        for relay in self.open_relays:
            relay.reset()

    def close(self):
        shut(self.listener)
        for relay in self.relays:
            relay.gone = True
            shut(relay.near)
            shut(relay.far)


class Relay:
    """One connection through the proxy: two threads, one a direction."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.frozen = set()
        self.gone = False
        self.passed = {UP: 0, DOWN: 0}
        self.limit = {UP: None, DOWN: None}
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(0.05)  # a call that is in the kernel would hold the socket open behind close()

    def start(self):
        for ends in ((self.near, self.far, UP), (self.far, self.near, DOWN)):
            threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source, sink, direction):
        try:
            while data := self._patiently(source.recv, 65536):
                self._wait_thaw(direction)
                self._pass(sink, data, direction)
            self._wait_thaw(direction)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            if not self.frozen:
                self.reset()

    def _patiently(self, call, argument):
        while not self.gone:
            try:
                return call(argument)
            except TimeoutError:
                pass
        raise OSError("gone")

    def _wait_thaw(self, direction):
        while direction in self.frozen and not self.gone:
            time.sleep(0.02)
        if self.gone:
            raise OSError("gone")

    def _pass(self, sink, data, direction):
        limit = self.limit[direction]
        if limit is not None:
            data = data[: max(0, limit - self.passed[direction])]
        piece = self.proxy.piece or len(data) or 1
        for at in range(0, len(data), piece):
            rest = memoryview(data)[at : at + piece]
            while rest:
                rest = rest[self._patiently(sink.send, rest) :]
        self.passed[direction] += len(data)
        if limit is not None and self.passed[direction] >= limit:
            self.reset()
            raise OSError("cut")

    def cut_after(self, direction, octets):
        """Resets both ends once so many more octets have passed."""
        self.limit[direction] = self.passed[direction] + octets

    def reset(self):
        self.gone = True
        for end in (self.near, self.far):
            try:
                Octets(end).reset()
            except OSError:
                pass
