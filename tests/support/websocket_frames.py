# SPDX-License-Identifier: MIT
"""Builds WebSocket frames (RFC 6455 5.2) from bytes, also ones that no library would build, and
takes them apart without judging them."""

FIN, RSV1 = 0x80, 0x40
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode, payload=b"", mask=None, flags=FIN):
    """Returns one frame. @mask is four bytes, as in a viewer's frames."""
    first, masked = bytes([flags | opcode]), 0x80 if mask else 0
    if len(payload) < 126:
        length = bytes([masked | len(payload)])
    elif len(payload) < 1 << 16:
        length = bytes([masked | 126]) + len(payload).to_bytes(2, "big")
    else:
        length = bytes([masked | 127]) + len(payload).to_bytes(8, "big")
    return first + length + (mask + _masked(payload, mask) if mask else payload)


def _masked(payload, mask):
    """Masks the whole payload as one number, because a loop over the bytes of 16 MiB would be
    slow."""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(
        len(payload), "big"
    )


def fragments(opcode, payload, size, mask=None, between=b""):
    """Returns a message in frames of @size bytes each, with @between between any two of them."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    last = len(pieces) - 1
    return between.join(
        frame(CONTINUED if n else opcode, piece, mask, FIN if n == last else 0)
        for n, piece in enumerate(pieces)
    )


def close(code=None, reason=b"", mask=None):
    return frame(CLOSE, (code.to_bytes(2, "big") if code is not None else b"") + reason, mask)


def split(data):
    """Returns ([(first byte, payload)] of the unmasked frames, the incomplete rest)."""
    found, at = [], 0
    while len(data) - at >= 2:
        length, start = data[at + 1] & 0x7F, at + 2
        if length > 125:
            size = 2 if length == 126 else 8
            if len(data) < start + size:
                break
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        if len(data) < start + length:
            break
        found.append((data[at], data[start : start + length]))
        at = start + length
    return found, data[at:]
