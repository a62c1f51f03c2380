# SPDX-License-Identifier: MIT
"""This module has the fixtures of tests in which viewers have addresses of their own."""

import pytest
from support import addresses
from support.addresses import SERVER, SERVER6


@pytest.fixture
def here(ended):
    return ended.enter_context(addresses.Addresses())


@pytest.fixture
def serve(here, new_server):
    """Returns serve(*options), which starts a server that the addresses of `here` reach at one port
    by IPv4 and IPv6, and loopback at its own."""

    def start(*options, **keywords):
        with here.inside():
            server = new_server(
                "--listen",
                f"{SERVER}:8443",
                "--listen",
                f"[{SERVER6}]:8443",
                *options,
                **keywords,
            )
        server.public = 8443
        return server

    return start
