# SPDX-License-Identifier: MIT
"""Tests crowds of viewers over HTTP/2 on four workers, with VARIANT=tsan above all: connections
that begin and end, names of other workers, requests that are taken back, certificates that are read
again and a client that starts again."""

import random
import signal
import threading

import pytest
from support.frames import CANCEL, REFUSED_STREAM, reset
from support.h2_viewer import viewing
from support.programs import SLOW
from support.wait import wait_until

TUNNELS, VIEWERS, ROUNDS, AT_ONCE = 6, 12, 10, 8
RELOADS, RELOADED = 3, " certificate_reloaded "
MISDIRECTED = 421


class Visitor:
    """Is a viewer with connections of its own. .wrong has what was not right."""

    def __init__(self, number, clients):
        self.dice = random.Random(number)
        self.clients, self.wrong, self.misdirected = clients, [], 0
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            for _ in range(ROUNDS):
                self._visit(self.dice.choice(self.clients))
        except Exception as error:  # the test reports it
            self.wrong.append(repr(error))

    def _visit(self, client):
        """Asks on one connection for several tunnels at the same time."""
        with viewing(client) as viewer:
            asked = [client, *(self.dice.choice(self.clients) for _ in range(AT_ONCE))]
            streams = [viewer.ask("/echo", authority=other.host) for other in asked]
            viewer.send(reset(viewer.ask("/bytes/1000000"), CANCEL))
            for other, stream in zip(asked, streams):
                wait_until(
                    lambda stream=stream: {stream} & (viewer.over | viewer.resets.keys())
                    or viewer.ended.is_set(),
                    30 * SLOW,
                    "an answer",
                )
                self._judge(client, other, viewer, stream)

    def _judge(self, client, other, viewer, stream):
        if stream not in viewer.over:
            # A name that has moved while its client started again.
            if viewer.resets.get(stream) != REFUSED_STREAM:
                self.wrong.append((other.name, viewer.resets, viewer.goaways))
            return
        got = viewer.so_far(stream)
        if got.status == MISDIRECTED and other is not client:
            self.misdirected += 1
        elif other is self.clients[0] and got.status in (502, 503):
            pass  # it was starting again
        elif got.status != 200 or dict(got.json()["fields"]).get("Host") != other.host:
            self.wrong.append((other.name, got))


@pytest.mark.rule("E9")
def test_crowds_on_four_workers(new_server, new_client, http_origin):
    server = new_server("--workers", "4")
    clients = [
        new_client(http_origin.port, server=server, name=f"crowd-{number}")
        for number in range(TUNNELS)
    ]
    visitors = [Visitor(number, clients) for number in range(VIEWERS)]
    for _ in range(RELOADS):
        before = server.log.count(RELOADED)
        server.program.signal(signal.SIGHUP)
        wait_until(lambda before=before: server.log.count(RELOADED) > before, 20 * SLOW, "a reload")
    clients[0].restart()
    for visitor in visitors:
        visitor.thread.join()
    assert [what for visitor in visitors for what in visitor.wrong] == []
    assert sum(visitor.misdirected for visitor in visitors) > 0
