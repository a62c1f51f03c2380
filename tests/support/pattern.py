# SPDX-License-Identifier: MIT
"""Makes bodies that sender and receiver can compute independently. Byte i of the pattern is always
the same, and a shifted or reordered piece is noticed."""

import hashlib
import random

# The length is no power of two, so that the block never aligns with buffers.
_BLOCK = random.Random(20261122).randbytes((1 << 20) - 7)


def pieces(size, piece=1 << 16):
    """Yields the first @size bytes of the pattern in pieces."""
    at = 0
    while at < size:
        start = at % len(_BLOCK)
        taken = _BLOCK[start : start + min(piece, size - at)]
        yield taken
        at += len(taken)


def pattern(size):
    return b"".join(pieces(size))


def digest(size):
    total = hashlib.sha256()
    for part in pieces(size, 1 << 20):
        total.update(part)
    return total.hexdigest()
