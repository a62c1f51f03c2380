# SPDX-License-Identifier: MIT
"""Bodies that anyone can make again: octet i of the pattern is always the same, and a shifted or
reordered piece shows."""

import hashlib
import random

_BLOCK = random.Random(20261122).randbytes(
    (1 << 20) - 7
)  # no power of two, so that it never lines up with buffers


def pieces(size, piece=1 << 16):
    """The first @size octets, in pieces."""
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
