# SPDX-License-Identifier: MIT
"""Relays TCP in user space and causes faults on command. The relay stands between any two of
viewer, oneportd, oneport and origin.

UP is the direction to the target, DOWN the direction back. `freeze`, `abandon` and `reset` affect
the connections that exist at that time; later ones are unharmed. `Relay.fault_after` breaks one
connection after a number of bytes in one direction, `fault_next` does so to the next connection.
`shape` (bytes per segment, delay, rate) holds for all connections.

A flight is what passes in one direction until something passes in the other. On a line with a lag,
the flights of DOWN are the round trips that the connection has taken since it was made."""

import queue
import socket
import threading
import time

from .octets import Octets
from .origins import shut
from .wait import wait_until

UP, DOWN = "up", "down"

CUT = "cut"  # both ends get FIN, and nothing that they still send passes
RST = "rst"  # both ends get RST
HALF = "half"  # this direction ends with FIN; the other one goes on
# The relay stops reading this direction and does not pass its end either.
STALL = "stall"
HOLE = "hole"  # a stall of both directions
FAULTS = (CUT, RST, HALF, STALL, HOLE)

LATE_S = 0.05  # a direction with a rate makes up for sleeps that were too long by so much


class Shape:
    """Says how one direction passes bytes on."""

    def __init__(self, piece=0, delay_s=0.0, rate=0, lag_s=0.0, connect_s=0.0):
        self.piece = piece  # bytes per segment; 0: as they come
        self.delay_s = delay_s  # bytes wait so long before they are sent
        self.rate = rate  # bytes a second; 0: no limit
        # Every byte takes so long, as on a long line; for connections made from then on.
        self.lag_s = lag_s
        self.connect_s = connect_s  # with a lag: what TCP's handshake would have taken


class Broken(Exception):
    """A planned fault has happened. Nothing of this direction passes any more."""


class FaultProxy:
    def __init__(self, target_port, piece=0):
        self.target_port = target_port
        self.shapes = {UP: Shape(piece), DOWN: Shape(piece)}
        self.planned = None
        self.allowed = {UP: None, DOWN: None}  # flights; None: any number
        self.relays = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
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
            if self.planned:
                relay.fault_after(*self.planned)
                self.planned = None
            self.relays.append(relay)
            relay.start()

    def wait_relays(self, count, deadline_s=10.0):
        wait_until(
            lambda: len(self.relays) >= count, deadline_s, f"{count} connections through the proxy"
        )

    def shape(self, *directions, **how):
        for direction in directions or (UP, DOWN):
            self.shapes[direction] = Shape(**how)

    def allow(self, direction, flights):
        """Lets no more than @flights pass in @direction of each connection, until thaw()."""
        self.allowed[direction] = flights

    def fault_next(self, direction, count, kind):
        """Breaks the next connection once @count bytes of @direction have passed."""
        self.planned = (direction, count, kind)

    @property
    def open_relays(self):
        return [relay for relay in self.relays if not relay.gone]

    def freeze(self, *directions):
        """Lets nothing pass any more, not even the end, as when the network is gone."""
        for relay in self.open_relays:
            relay.frozen.update(directions or (UP, DOWN))

    def thaw(self):
        self.allowed = {UP: None, DOWN: None}
        for relay in self.open_relays:
            relay.frozen.clear()

    def abandon(self):
        """Acts like a change of the Wi-Fi: the side that dialled gets an error, the target gets
        nothing."""
        for relay in self.open_relays:
            relay.frozen.update((UP, DOWN))
            Octets(relay.near).reset()

    def reset(self):
        for relay in self.open_relays:
            relay.reset()

    def forget(self):
        """Closes every connection. The listener stays."""
        for relay in self.relays:
            relay.close()
        self.relays = []

    def close(self):
        shut(self.listener)
        self.forget()


class Relay:
    """Relays one connection, with one thread per direction."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.frozen = set()
        self.begun = time.monotonic()
        self.gone = False
        self.cut = False
        self.ended = []  # directions that have ended
        self.passed = {UP: 0, DOWN: 0}
        self.flights = []  # the direction of each
        self.limit = {UP: None, DOWN: None}  # (bytes passed, kind)
        self.due = {UP: 0.0, DOWN: 0.0}  # when the last bytes were through, at the rate
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A call that blocks in the kernel would keep the socket open after close().
            end.settimeout(0.05)

    def start(self):
        for ends in ((self.near, self.far, UP), (self.far, self.near, DOWN)):
            threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source, sink, direction):
        try:
            for data in self._arrivals(source, direction):
                self._note_flight(direction)
                self._wait_thaw(direction)
                self._pass(sink, data, direction)
            self._wait_thaw(direction)
            sink.shutdown(socket.SHUT_WR)
        except Broken:
            self._swallow(source)
        except OSError:
            if self.cut:
                self._swallow(source)
            elif not self.frozen:
                self.reset()
        self.ended.append(direction)
        if len(self.ended) == 2 and not self.frozen:
            self.close()

    def _note_flight(self, direction):
        if self.flights[-1:] == [direction]:
            return
        if self.flights.count(direction) == self.proxy.allowed[direction]:
            self.frozen.add(direction)
        else:
            self.flights.append(direction)

    def _arrivals(self, source, direction):
        """Yields the bytes of @source as they come out of the line, until their end."""
        shape = self.proxy.shapes[direction]
        if shape.lag_s == 0:
            while data := self._patiently(source.recv, 65536):
                yield data
            return
        line = queue.Queue()
        threading.Thread(target=self._fill, args=(source, line, shape), daemon=True).start()
        while True:
            due, data = line.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if isinstance(data, OSError):
                raise data
            if not data:
                return
            yield data

    def _fill(self, source, line, shape):
        data = b"none yet"
        while data and not isinstance(data, OSError):
            try:
                data = self._patiently(source.recv, 65536)
            except OSError as error:
                data = error
            left = max(time.monotonic(), self.begun + shape.connect_s)
            line.put((left + shape.lag_s, data))

    def _swallow(self, source):
        """Drops what is still sent into a direction that has ended. Closing instead would turn the
        FIN that was sent into a RST."""
        try:
            while self._patiently(source.recv, 65536):
                pass
        except OSError:
            pass

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
        shape = self.proxy.shapes[direction]
        if shape.delay_s:
            time.sleep(shape.delay_s)
        limit = self.limit[direction]
        if limit is not None:
            room = max(0, limit[0] - self.passed[direction])
            data, behind = data[:room], data[room:]
        self.passed[direction] += len(data)  # before sending, so that no reader sees an old count
        piece = shape.piece or len(data) or 1
        for at in range(0, len(data), piece):
            rest = memoryview(data)[at : at + piece]
            if shape.rate:
                self._keep_rate(direction, len(rest) / shape.rate)
            while rest:
                rest = rest[self._patiently(sink.send, rest) :]
        if limit is not None and self.passed[direction] >= limit[0]:
            self._break(sink, direction, limit[1])
            self._pass(sink, behind, direction)

    def _keep_rate(self, direction, takes_s):
        due = max(self.due[direction], time.monotonic() - LATE_S) + takes_s
        self.due[direction] = due
        time.sleep(max(0.0, due - time.monotonic()))

    def _break(self, sink, direction, kind):
        self.limit[direction] = None
        if kind == RST:
            self.reset()
            raise OSError("cut")
        if kind in (STALL, HOLE):
            self.frozen.update((direction,) if kind == STALL else (UP, DOWN))
            self._wait_thaw(direction)
            return  # thaw() was called
        self.cut = kind == CUT
        for end in (self.near, self.far) if self.cut else (sink,):
            try:
                end.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # that end has closed by itself
        raise Broken

    def thaw(self, direction):
        self.frozen.discard(direction)

    def fault_after(self, direction, count, kind):
        """Breaks the connection once @count more bytes have passed. With 0 the next bytes break
        it."""
        self.limit[direction] = (self.passed[direction] + count, kind)

    def cut_after(self, direction, count):
        """Resets both ends once @count more bytes have passed."""
        self.fault_after(direction, count, RST)

    def reset(self):
        self.gone = True
        for end in (self.near, self.far):
            try:
                Octets(end).reset()
            except OSError:
                pass

    def close(self):
        self.gone = True
        shut(self.near)
        shut(self.far)
