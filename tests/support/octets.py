# SPDX-License-Identifier: MIT
"""Reads a socket byte by byte, line by line or chunk by chunk, as both ends of an HTTP/1.1
connection need it."""

import select
import socket
import struct


class Octets:
    def __init__(self, connected):
        self.socket = connected
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _readable(self, timeout_s):
        """Waits for bytes or the end. A test may have more descriptors than select takes."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def some(self, limit=65536):
        """Returns at least one byte and at most @limit. Raises EOFError at the end."""
        if not self.pending:
            self.pending = self.socket.recv(max(limit, 65536))
            if not self.pending:
                raise EOFError("end of connection")
        taken, self.pending = self.pending[:limit], self.pending[limit:]
        return taken

    def some_beside(self, lock):
        """Does what some() does, on a connection that other threads write to while they hold @lock.
        Only one thread at a time may use one of TLS, so this waits outside of the lock."""
        while not self.pending:
            with lock:
                buffered = hasattr(self.socket, "pending") and self.socket.pending()
            if buffered or self._readable(0.5):
                with lock:
                    return self.some()
        return self.some()

    def exactly(self, count):
        parts = []
        while count:
            part = self.some(count)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def until(self, mark):
        """Returns everything up to and including @mark."""
        while (end := self.pending.find(mark)) < 0:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(f"end of connection after {self.pending[-200:]!r}")
            self.pending += more
        end += len(mark)
        taken, self.pending = self.pending[:end], self.pending[end:]
        return taken

    def rest(self):
        """Returns everything until the other side's end."""
        parts = [self.pending]
        self.pending = b""
        while data := self.socket.recv(65536):
            parts.append(data)
        return b"".join(parts)

    def head(self):
        """Returns (first line, [(name, value), ...]) of a message. Fails on anything that a strict
        parser refuses."""
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
        return first, [self._field(line) for line in lines]

    def chunk(self):
        """Returns the next chunk's data, or b"" for the last chunk. trailers() reads what follows
        that one."""
        size = int(self.until(b"\r\n").split(b";")[0].strip(), 16)
        if not size:
            return b""
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def trailers(self):
        fields = []
        while (line := self.until(b"\r\n")) != b"\r\n":
            fields.append(self._field(line.decode("latin-1").rstrip("\r\n")))
        return fields

    @staticmethod
    def _field(line):
        name, colon, value = line.partition(":")
        assert colon and name == name.strip() and name, repr(line)
        return name, value.strip(" \t")

    def ended(self):
        """Waits for the end. Returns True if the other side closed with FIN and False if it reset.
        Drops what still arrives."""
        try:
            self.rest()
            return True
        except ConnectionError:
            return False

    def silent_for(self, seconds):
        """Returns whether nothing arrives for @seconds."""
        if self.pending:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.pending = self.socket.recv(65536)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)


def all_values(fields, name):
    return [value for key, value in fields if key.lower() == name.lower()]


def value_of(fields, name):
    """Returns the only value of @name, or None when the field is absent."""
    values = all_values(fields, name)
    assert len(values) <= 1, f"{name} came {len(values)} times"
    return values[0] if values else None
