# SPDX-License-Identifier: MIT
"""A tokens file of a server, and calls with tokens."""

import hashlib
import signal

from .foreign import call

ANN, BOB, EVE = "op_ann-0123456789abcdef", "op_bob-0123456789abcdef", "op_eve-0123456789abcdef"


def line(who, token, *options):
    return " ".join([who, "sha256:" + hashlib.sha256(token.encode()).hexdigest(), *options])


class Tokens:
    """A tokens file."""

    def __init__(self, path):
        self.path = path

    def write(self, *lines):
        self.path.write_text("".join(f"{one}\n" for one in lines))
        self.path.chmod(0o600)

    def reload(self, server, *lines, event="tokens_reloaded"):
        """Writes the file and waits until the server has read it."""
        count = server.log.count(event)
        self.write(*lines)
        server.program.signal(signal.SIGHUP)
        server.wait_log(event, count=count + 1)


def bearer(token):
    return f"Authorization: Bearer {token}"


def use(token):
    """Returns the environment of a client with this token."""
    return {"ONEPORT_TOKEN": token}


def error(server, name, *fields):
    """Asks for exactly this name. Returns None, or (status, error) of the refusal."""
    got = call(server, f"/register/{name}" if name else "/register", "Oneport-Exact: ?1", *fields)
    return None if got.status == 200 else (got.status, got.json()["error"])
