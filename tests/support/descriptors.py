# SPDX-License-Identifier: MIT
"""Looks at the sockets of another program through descriptors of our own (pidfd_getfd(2)), because
the options of a socket cannot be seen from outside."""

import contextlib
import ctypes
import os
import socket

_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def connections(program):
    """Returns the connected TCP sockets of a Program, as sockets of ours that the caller closes.
    Returns [] where the system does not let us."""
    found = []
    handle = os.pidfd_open(program.pid)
    try:
        for entry in os.listdir(f"/proc/{program.pid}/fd"):
            fd = _libc.syscall(_PIDFD_GETFD, handle, int(entry), 0)
            if fd < 0:
                continue
            if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                os.close(fd)
                continue
            sock = socket.socket(fileno=fd)
            with contextlib.suppress(OSError):
                if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getpeername():
                    found.append(sock)
                    continue
            sock.close()
    finally:
        os.close(handle)
    return found


def between(one, other):
    """Returns [(socket of @one, socket of @other)] of the connections that two Programs have with
    each other."""
    theirs = {sock.getsockname(): sock for sock in connections(other)}
    pairs = []
    for sock in connections(one):
        if far := theirs.pop(sock.getpeername(), None):
            pairs.append((sock, far))
        else:
            sock.close()
    for sock in theirs.values():
        sock.close()
    return pairs
