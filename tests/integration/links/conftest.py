# SPDX-License-Identifier: MIT
"""Fixtures of servers with tokens, and of servers that see many addresses."""

import pytest
from support import addresses
from support.addresses import SERVER
from support.old_clients import PORT, World
from support.tokens import Tokens


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


@pytest.fixture
def guarded(new_server, tokens):
    """Returns guarded(line, ..., options=()), which starts a server with these tokens."""

    def start(*lines, options=()):
        tokens.write(*lines)
        return new_server("--tokens", tokens.path, *options)

    return start


@pytest.fixture
def here(ended):
    return ended.enter_context(addresses.Addresses())


@pytest.fixture
def world(here, new_server, ended, scripted, tmp_path):
    """Returns world(*options): a server with these options, and what uses it. Keywords are those
    of Server."""

    def start(*options, **how):
        with here.inside():
            server = new_server(
                *("--listen", f"{SERVER}:{PORT}", "--listen", f"[{addresses.SERVER6}]:{PORT}"),
                *options,
                **how,
            )
        return World(here, server, ended, scripted, tmp_path)

    return start
