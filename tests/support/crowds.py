# SPDX-License-Identifier: MIT
"""Has what crowds of viewers do to take a whole pool, and what tests see of it."""

import select

from h2.events import DataReceived

from .foreign import ForeignLink, call
from .viewer import head

HALF_A_RECORD = bytes([0x16, 3, 1, 2, 0, 1])
MIB = 1 << 20
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def readable(sockets, timeout_s=0):
    """Returns how many of the sockets have bytes, or their end, to read within the time."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, select.POLLIN)
    return len(poll.poll(timeout_s * 1000))


def is_closed(sock):
    if not readable([sock]):
        return False
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def crowded(here, server, stack, hosts, source, each):
    """Sends @each requests from @source to each of @hosts. Returns their viewers."""
    viewers = []
    for host in hosts:
        for _ in range(each):
            viewer = stack.enter_context(here.viewer(source, server.public))
            viewer.send(head("GET", "/", host))
            viewers.append(viewer)
    return viewers


def kept(here, server, stack, source, number, host):
    """Opens @number connections, each of which gets an answer and stays. Those that the server has
    closed meanwhile count too."""
    for _ in range(number):
        viewer = stack.enter_context(here.viewer(source, server.public))
        assert viewer.get(host).status == 200
        yield viewer


def ask_as(server, path, source):
    """Calls the base domain for the viewer @source, by way of a trusted proxy over https."""
    return call(
        server, path, f"X-Forwarded-For: {source}", "X-Forwarded-Proto: https", secure=False
    )


def pour(viewers, each=MIB // 4):
    """Sends up to @each bytes of each viewer, as long as the server takes them."""
    poll, left = select.poll(), {}
    for viewer in viewers:
        viewer.socket.setblocking(False)
        poll.register(viewer.socket, select.POLLOUT)
        left[viewer.socket.fileno()] = (viewer.socket, each)
    while left and (ready := poll.poll(1000)):
        for number, _ in ready:
            sock, more = left[number]
            try:
                more -= sock.send(bytes(min(more, 1 << 16)))
            except ConnectionError:
                more = 0
            left[number] = (sock, more)
            if more == 0:
                poll.unregister(number)
                del left[number]
    for viewer in viewers:
        viewer.socket.setblocking(True)
        viewer.socket.settimeout(20)


class Deaf(ForeignLink):
    """A client that opens the window of no upload, and of no WebSocket."""

    def _on(self, event):
        if not isinstance(event, DataReceived):
            super()._on(event)


def let_in(stream):
    """Opens a WebSocket. Answers nothing else."""
    if (":method", "CONNECT") in stream.fields:
        stream.answer(200, end=False)


def big_head(method, host, size, *fields):
    """Returns a head with @size bytes of fields."""
    padding = [f"X-Padding-{n}: {'x' * 4000}" for n in range(size // 4000)]
    return head(method, "/", host, *fields, *padding)


def register_batch(proxy, numbers):
    """Registers a name for the /64 of each number, all of one /48, by way of a trusted proxy, which
    is a Viewer from loopback. Returns the statuses."""
    proxy.send(
        b"".join(
            head("GET", "/register", "localhost", f"X-Forwarded-For: 2001:db8:1:{n:x}::1")
            for n in numbers
        )
    )
    return [proxy.response().status for _ in numbers]
