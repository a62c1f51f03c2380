# SPDX-License-Identifier: MIT
"""Tests the way from the start of a client to its first viewer: which round trips there are, and
that a viewer who is faster than the client's SETTINGS is served. docs/http-rules.md#few-round-trips
"""

import contextlib
import time

import pytest
from support.foreign import ForeignLink, attach, register
from support.viewer import Viewer, head
from support.websocket_viewer import HANDSHAKE


@pytest.mark.rule("O83", "F54")
def test_a_viewer_who_comes_before_the_settings_is_held(server, name):
    """Before the 101 such a viewer gets 503 at once, since the name was never live."""
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    with Viewer(server.port) as viewer, contextlib.ExitStack() as stack:
        assert viewer.get(host).status == 503
        link = ForeignLink(server, name, ticket, start=False)
        stack.callback(link.close)
        viewer.send(head("GET", "/", host))
        assert viewer.silent_for(0.3), "not held"
        link.start()
        assert viewer.response().body == b"hello from a stranger"


@pytest.mark.rule("O83")
def test_a_websocket_that_comes_before_the_settings_is_held(server, name):
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    link = ForeignLink(
        server, name, ticket, serve=lambda stream: stream.answer(200, end=False), start=False
    )
    with contextlib.closing(link), Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", host, *HANDSHAKE))
        assert viewer.silent_for(0.2), "not held"
        link.start()
        assert viewer.response().status == 101


@pytest.mark.rule("O83")
def test_a_client_that_never_comes_up_holds_for_a_while(new_server, name):
    """A request waits for --hold; one that comes after --attach-timeout does not wait."""
    server = new_server("--hold", "2s", "--attach-timeout", "300ms")
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    link, got = attach(server, name, ticket)
    with link, Viewer(server.port) as viewer:
        assert got.status == 101
        start = time.monotonic()
        assert viewer.get(host).status == 503
        assert time.monotonic() - start > 1.99
        link.rest()  # the server has ended the link meanwhile
        start = time.monotonic()
        assert viewer.get(host).status == 503
        assert time.monotonic() - start < 1.9
