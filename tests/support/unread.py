# SPDX-License-Identifier: MIT
"""How much of what was sent over loopback the other program has not read yet.

The kernel is asked about one socket (sock_diag(7)): /proc/net/tcp lists them all, and after a crowd
of short connections that takes longer than what is waited for.
"""

import socket
import struct

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
NO_COOKIE = 0xFFFFFFFF
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
QUERY = struct.Struct(
    "=BBBBI"
)  # struct inet_diag_req_v2 up to its id: family, protocol, extensions, padding, states
PORTS = struct.Struct("!HH")  # the id: ports, two addresses of 16 octets, interface, cookie
ADDRESS = 16
REST = struct.Struct("=III")
STATE = struct.Struct("=BBBB")  # struct inet_diag_msg: this, the id, and then
QUEUES = struct.Struct("=II")  # expires, rqueue
NLMSG_ERROR = 2


def unread(connection):
    """Octets, in the receive buffer of the peer of @connection, a TCP socket over IPv4 loopback."""
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
