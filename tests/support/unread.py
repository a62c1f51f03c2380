# SPDX-License-Identifier: MIT
"""Tells how many bytes that were sent over loopback the other program has not read yet.

The kernel is asked about one socket (sock_diag(7)). /proc/net/tcp would list all sockets, and after
many short connections that takes longer than the tests may wait."""

import socket
import struct

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
NO_COOKIE = 0xFFFFFFFF
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
# struct inet_diag_req_v2 up to its id: family, protocol, extensions, padding, states.
QUERY = struct.Struct("=BBBBI")
# The id: ports, two addresses of 16 bytes, interface, cookie.
PORTS = struct.Struct("!HH")
ADDRESS = 16
REST = struct.Struct("=III")
# struct inet_diag_msg: STATE, the id, then QUEUES (expires, rqueue).
STATE = struct.Struct("=BBBB")
QUEUES = struct.Struct("=II")
NLMSG_ERROR = 2


def unread(connection):
    """Returns the number of bytes in the receive buffer of the peer of @connection, a TCP socket
    over IPv4 loopback."""
    address, port = connection.getpeername()
    own_address, own_port = connection.getsockname()
    names = b"".join(
        socket.inet_aton(each).ljust(ADDRESS, b"\0") for each in (address, own_address)
    )
    body = (
        QUERY.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, NO_COOKIE)
        + PORTS.pack(port, own_port)
        + names
    )
    body += REST.pack(0, NO_COOKIE, NO_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.send(
            HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + body
        )
        answer = netlink.recv(8192)
    _, kind, _, _, _ = HEADER.unpack_from(answer)
    if kind == NLMSG_ERROR:
        (error,) = struct.unpack_from("=i", answer, HEADER.size)
        raise OSError(-error, "sock_diag of " + str(connection.getpeername()))
    return QUEUES.unpack_from(
        answer, HEADER.size + STATE.size + PORTS.size + 2 * ADDRESS + REST.size
    )[1]
