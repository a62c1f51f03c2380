# SPDX-License-Identifier: MIT
"""Fixtures of servers with tokens."""

import pytest
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
