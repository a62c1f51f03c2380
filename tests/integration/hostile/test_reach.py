# SPDX-License-Identifier: MIT
"""Tests that a hostile server cannot make oneport connect to what it should not: another host than
its own, or an address of the network that oneport runs in. Each server here is trusted by its
certificate, grants a name and tells where to attach."""

import contextlib
import json

import pytest
from support import netns
from support.foreign_server import ForeignServer
from support.origins import ScriptedOrigin, reply
from support.programs import BIN, Program, run
from support.wait import wait_until

REFUSED = 2  # oneport's exit code
PUBLIC = "203.0.113.1"


@pytest.fixture(scope="module")
def everywhere(authority):
    """Returns a certificate that is valid wherever oneport is sent in these tests."""
    return authority.issue(
        "everywhere", "localhost", "*.localhost", "IP:127.0.0.1", "IP:127.0.0.2", f"IP:{PUBLIC}"
    )


def grant(attach):
    body = {
        "id": "my-name",
        "url": "https://my-name.localhost",
        "ticket": "e30.e30",
        "attach": attach,
        "expires": "2099-01-01T00:00:00Z",
        "limits": {"streams": 20000, "links": 1, "hold_ms": 4000},
    }
    return reply(json.dumps(body).encode(), "Content-Type: application/json")


@pytest.fixture
def sending(ended, everywhere):
    """Returns sending(attach), which starts a server that sends each client to @attach."""

    def start(attach):
        return ended.enter_context(
            contextlib.closing(
                ScriptedOrigin(
                    lambda peer: (peer.request(), peer.send(grant(attach))),
                    tls=everywhere.server_context(),
                )
            )
        )

    return start


@pytest.fixture
def victim(ended, everywhere):
    """Listens on loopback and counts connections."""
    return ended.enter_context(
        contextlib.closing(ScriptedOrigin(lambda peer: None, tls=everywhere.server_context()))
    )


def oneport(server, authority, tmp_path, *options, host="localhost"):
    return run(
        "oneport",
        *("-h", f"https://{host}:{server.port}", "--ca", authority.cert, *options, "8080"),
        env={"XDG_STATE_HOME": tmp_path},
    )


@pytest.mark.rule("O40")
@pytest.mark.parametrize(
    "server,attach",
    [
        ("localhost", "127.0.0.1"),
        ("localhost", "127.0.0.2"),
        ("127.0.0.1", "127.0.0.2"),
        ("127.0.0.1", "localhost"),
        ("localhost", "evil-localhost"),
    ],
)
def test_another_host_is_not_dialled(sending, victim, authority, tmp_path, server, attach):
    """oneport ends, names the host and the option, and has connected to nothing."""
    hostile = sending(f"https://{attach}:{victim.port}/tunnel/my-name")
    code, out, err = oneport(hostile, authority, tmp_path, host=server)
    assert (code, out) == (REFUSED, "")
    assert "error=attach_elsewhere" in err and f"--attach-host {attach} " in err
    assert len(victim.connections) == 0


@pytest.mark.rule("O40")
@pytest.mark.parametrize(
    "server,attach,options",
    [
        ("localhost", "localhost", []),
        ("localhost", "127.0.0.1", ["--attach-host", "127.0.0.1"]),
        ("127.0.0.1", "localhost", ["--attach-host", "x.example", "--attach-host", "LOCALHOST"]),
    ],
)
def test_the_servers_host_and_what_the_user_allows(
    sending, victim, authority, ended, tmp_path, server, attach, options
):
    sender = sending(f"https://{attach}:{victim.port}/tunnel/my-name")
    client = Program(
        [
            *(BIN / "oneport", "-h", f"https://{server}:{sender.port}", "--ca", authority.cert),
            *(*options, "8080"),
        ],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path},
    )
    ended.callback(client.stop)
    wait_until(lambda: len(victim.connections) > 0, what="a connection to the address")


@pytest.mark.rule("O40")
def test_a_browser_is_not_sent_elsewhere(everywhere, authority, ended, tmp_path):
    """--open opens no URL whose host has nothing to do with the server's."""
    opened = tmp_path / "opened"
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" >>{opened}\n')
    opener.chmod(0o755)
    server = ended.enter_context(
        contextlib.closing(ForeignServer(everywhere, url="http://192.168.0.1/reboot"))
    )
    client = Program(
        [
            *(BIN / "oneport", "-h", server.url, "--ca", authority.cert, "--open", "8080"),
        ],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path, "PATH": f"{opener.parent}:/usr/bin:/bin"},
    )
    ended.callback(client.stop)
    client.wait_output("browser_not_opened .*--attach-host")
    assert not opened.exists()


@pytest.fixture
def public(ended):
    """Has a namespace whose loopback interface has a public address too."""
    if netns.missing():
        pytest.skip(netns.missing())
    space = ended.enter_context(contextlib.closing(netns.Namespace()))
    space.ip(f"addr add {PUBLIC}/32 dev lo")
    return space


@pytest.mark.rule("O41")
@pytest.mark.parametrize(
    "options,dialled",
    [
        (["--attach-host", "localhost"], False),
        (["--attach-host", "localhost", "--attach-host", "127.0.0.2"], False),
        (
            ["--attach-host", "localhost", "--attach-host", "127.0.0.1", "--attach-host", "::1"],
            True,
        ),
    ],
    ids=["a name", "another address", "the address"],
)
def test_a_public_server_sends_nobody_to_a_private_address(
    public, everywhere, authority, ended, tmp_path, options, dialled
):
    """The name that a server at a public address gives is judged by what it resolves to when it is
    dialled."""
    with public.inside():
        victim = ended.enter_context(
            contextlib.closing(ScriptedOrigin(lambda peer: None, tls=everywhere.server_context()))
        )
        attach = f"https://localhost:{victim.port}/tunnel/my-name"
        server = ended.enter_context(
            contextlib.closing(
                ScriptedOrigin(
                    lambda peer: (peer.request(), peer.send(grant(attach))),
                    tls=everywhere.server_context(),
                    address=PUBLIC,
                )
            )
        )
        client = Program(
            [
                *(BIN / "oneport", "-h", f"https://{PUBLIC}:{server.port}"),
                *("--ca", authority.cert, *options, "8080"),
            ],
            tmp_path,
            "oneport",
            env={"XDG_STATE_HOME": tmp_path},
        )
        ended.callback(client.stop)
    if dialled:
        wait_until(lambda: len(victim.connections) > 0, what="a connection to the address")
        return
    client.wait_output(
        "not_connected .*reason=.*(127.0.0.1|::1) of localhost is no public address .*--attach-host"
    )
    assert len(victim.connections) == 0
