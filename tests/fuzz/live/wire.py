# SPDX-License-Identifier: MIT
"""Reads what a client has sent on a link, without nghttp2: which bytes belong to which stream. A
viewer must see nothing else of that link."""

import re
import struct

import hpack
from support.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PUSH_PROMISE,
    RST_STREAM,
)

FRAME_MOST = 16_384
WITH_PRIORITY = 0x20
TOKEN = re.compile(rb"T[0-9a-f]{16}")


class Stream:
    """Is what was sent on one stream until it ended."""

    def __init__(self):
        self.heads = []  # the field sections in order, as pairs of bytes; None: cannot be decoded
        self.body = b""
        self.ended = False  # by END_STREAM
        self.over = False  # by END_STREAM or RST_STREAM

    def final(self):
        """Returns the first field section that is no interim one, or None."""
        for fields in self.heads:
            if not dict(fields or ()).get(b":status", b"").startswith(b"1"):
                return fields or []
        return None

    def has_unknown(self):
        return None in self.heads

    def tokens(self):
        found = set(TOKEN.findall(self.body))
        for fields in self.heads:
            for pair in fields or ():
                found.update(TOKEN.findall(b" ".join(pair)))
        return found


class Wire:
    """Takes the bytes of one link. Reading ends at the first frame behind which there can be no
    more: one that is too long, or that breaks a field section."""

    def __init__(self, data, table_size=4096):
        self.streams = {}
        self.all_tokens = set(TOKEN.findall(data))  # and those of fields
        self.decoder = hpack.Decoder()
        self.decoder.max_allowed_table_size = table_size
        self.section = None  # (stream, flags, block so far) until END_HEADERS
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            if length > FRAME_MOST:
                return
            if len(data) < 9 + length:
                self._cut(data, length)
                return
            number = struct.unpack(">I", data[5:9])[0] & 0x7FFFFFFF
            if not self._take(data[3], data[4], number, data[9 : 9 + length]):
                return
            data = data[9 + length :]

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def _take(self, kind, flags, number, payload):
        """Returns False if nothing behind the frame counts."""
        if self.section and (kind != CONTINUATION or number != self.section[0]):
            return False
        if kind == DATA:
            return self._data(flags, number, payload)
        if kind == HEADERS:
            payload = unpadded(flags, payload)
            if payload is None or number == 0:
                return False
            if flags & WITH_PRIORITY:
                payload = payload[5:]
            self.section = (number, flags, payload)
            return self._section_end(flags)
        if kind == CONTINUATION:
            if not self.section:
                return False
            self.section = (*self.section[:2], self.section[2] + payload)
            return self._section_end(flags)
        if kind == RST_STREAM:
            self.stream(number).over = True
        return kind != PUSH_PROMISE

    def _data(self, flags, number, payload):
        payload = unpadded(flags, payload)
        if number == 0:
            return False
        stream = self.stream(number)
        if payload is None:  # DATA of a stream that was reset is not looked at
            stream.over = True
        elif not stream.over:
            stream.body += payload
            stream.ended = stream.over = bool(flags & END_STREAM)
        return True

    def _cut(self, data, length):
        """Takes a frame of which the end was not sent. The server may pass on what it has of DATA
        already."""
        number, payload = struct.unpack(">I", data[5:9])[0] & 0x7FFFFFFF, data[9:]
        if data[3] != DATA or self.section or not payload or number == 0:
            return
        if data[4] & PADDED:
            payload = payload[1 : 1 + max(0, length - 1 - payload[0])]
        if not self.stream(number).over:
            self.stream(number).body += payload

    def _section_end(self, flags):
        if not flags & END_HEADERS:
            return True
        number, first_flags, block = self.section
        self.section = None
        fields = self._decode(block)
        stream = self.stream(number)
        if not stream.over:
            stream.heads.append(fields)
            stream.ended = stream.over = bool(first_flags & END_STREAM)
        return True

    def _decode(self, block):
        """Returns the fields, or None. Behind a section that cannot be decoded the table is not
        known any more."""
        if self.decoder is None:
            return None
        try:
            fields = [(bytes(n), bytes(v)) for n, v in self.decoder.decode(block, raw=True)]
        except Exception:  # what other decoders make of it is not known
            self.decoder = None
            return None
        for pair in fields:
            self.all_tokens.update(TOKEN.findall(b" ".join(pair)))
        return fields


def unpadded(flags, payload):
    """Returns the payload without its padding, or None if it has none to spare."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        return None
    return payload[1 : len(payload) - payload[0]]
