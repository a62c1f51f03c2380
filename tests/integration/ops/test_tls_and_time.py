# SPDX-License-Identifier: MIT
"""Tests certificates that must not be trusted, clocks that jump, and TLS peers that are a nuisance
(rows 24, 25 and 29)."""

import calendar
import contextlib
import re
import time

import pytest
from support.certs import Authority
from support.foreign import attach, register
from support.frames import RawServer
from support.origins import reply
from support.preload import missing
from support.programs import SLOW, run
from support.tls_peer import TLS1_2, Context, PeerCertificate
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.moved_clock import Clock

CERTIFICATE = 3  # oneport's exit code
KEY_UPDATES = 32  # a minute


# ---- row 24 ----
@pytest.fixture(scope="module")
def impostors(authority, tmp_path_factory):
    """Returns certificates of which none is valid for https://localhost at present."""
    names = ("localhost", "*.localhost")
    return {
        "expired": authority.issue("expired", *names, at="-5d"),
        "not yet valid": authority.issue("early", *names, at="+5d"),
        "named by its subject only": authority.issue(
            "subject", "IP:127.0.0.9", subject="localhost"
        ),
        "another host's": authority.issue("elsewhere", "elsewhere.example"),
        "another authority's": Authority(
            tmp_path_factory.mktemp("unknown-ca"), "a CA that nobody knows"
        ).issue("unknown", *names),
    }


REASONS = {
    "expired": "expired",
    "not yet valid": "not yet valid",
    "named by its subject only": "mismatch",
    "another host's": "mismatch",
    "another authority's": "issuer",
}


@pytest.mark.parametrize("kind", REASONS)
def test_row_24_a_server_that_must_not_be_trusted(
    authority, impostors, server, new_client, http_origin, scripted, tmp_path, kind
):
    """The client ends with exit code 3 and the reason. It has a ticket for this server, whose port
    the impostor has taken, and sends no byte of it."""
    got = []
    impostor = scripted(
        lambda connection: got.append(connection.some()), tls=impostors[kind].server_context()
    )
    tickets = tmp_path / "oneport" / "tickets.json"
    tickets.parent.mkdir()
    tickets.write_text(f'{{"https://localhost:{impostor.port}":{{"my-name":"e30.e30"}}}}')
    tickets.chmod(0o600)
    code, out, err = run(
        "oneport",
        "-h",
        f"https://localhost:{impostor.port}",
        "--ca",
        authority.cert,
        "-s",
        "my-name",
        "8080",
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert (code, out) == (CERTIFICATE, "")
    assert re.search(
        rf"server_certificate_refused step=TLS server=https://localhost:{impostor.port} "
        rf'reason=".*{REASONS[kind]}',
        err,
    ), err
    impostor.wait_connections(1)
    assert got == []


def test_row_24_the_attach_address_is_verified_too(
    certificate, impostors, authority, scripted, tmp_path
):
    """A trusted server names an address to attach to. The client sends no ticket there if the
    certificate of that address is wrong."""
    got = []
    impostor = scripted(
        lambda connection: got.append(connection.some()),
        tls=impostors["another host's"].server_context(),
    )
    granted = (
        '{"id":"my-name","url":"https://my-name.localhost","port":443,"max_conn_count":32,'
        f'"ticket":"e30.e30","attach":"https://localhost:{impostor.port}/tunnel/my-name",'
        '"expires":"2099-01-01T00:00:00Z",'
        '"limits":{"streams":20000,"links":4,"hold_ms":4000}}'
    ).encode()
    trusted = scripted(
        lambda connection: (
            connection.request(),
            connection.send(reply(granted, "Content-Type: application/json")),
        ),
        tls=certificate.server_context(),
    )
    code, out, err = run(
        "oneport",
        "-h",
        f"https://localhost:{trusted.port}",
        "--ca",
        authority.cert,
        "8080",
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert (code, out) == (CERTIFICATE, "") and "mismatch" in err
    impostor.wait_connections(1)
    assert got == []


# ---- row 29 ----
def flood(peer, answer=False):
    """Sends KeyUpdates until the other side closes the connection."""
    with contextlib.suppress(ConnectionError):
        for _ in range(100_000):
            peer.key_update(answer)
        raise AssertionError("it took all of them")


@pytest.mark.parametrize("answer", [False, True], ids=["one way", "with an answer"])
def test_row_29_a_viewer_that_changes_keys(server, tunnel, answer):
    """The allowed number of KeyUpdates has no effect. After further ones oneportd closes this
    connection and no other."""
    with Viewer(server.port, Context()) as viewer:
        for _ in range(KEY_UPDATES):
            viewer.socket.key_update()
        assert viewer.get(tunnel.host, "/echo").status == 200
        start = time.monotonic()
        flood(viewer.socket, answer)
        with pytest.raises((EOFError, ConnectionError)):
            viewer.some()
        assert time.monotonic() - start < 2.0 * SLOW
    assert fetch(server.port, tunnel.host, "/echo").status == 200


def test_row_29_a_link_that_changes_keys(server, tunnel, name):
    """A client of another author changes keys. Its link is closed, and other tunnels do not notice
    it."""
    ticket = register(server, name)["ticket"]

    class Foreign:
        port, certificate = server.port, PeerCertificate(server.certificate)

    link, got = attach(Foreign, name, ticket)
    with contextlib.closing(link):
        assert got.status == 101
        flood(link.socket, answer=True)
    server.wait_log(rf'tunnel_abuse name={name} kind="TLS KeyUpdate"')
    assert fetch(server.port, tunnel.host, "/echo").status == 200


def test_row_29_a_server_that_changes_keys(ended, certificate, new_client):
    """oneport closes the link and tries again later."""

    def serve(peer):
        peer.settle()
        flood(peer.connection.socket)

    server = ended.enter_context(contextlib.closing(RawServer(PeerCertificate(certificate), serve)))
    client = new_client(8080, server=server, wait=False, name=None)
    client.program.wait_output('not_connected .*step=link reason="TLS KeyUpdate"', count=2)
    assert server.errors == []


def test_row_29_renegotiation_is_refused(server, tunnel):
    with Viewer(server.port, Context(version=TLS1_2)) as viewer:
        assert viewer.get(tunnel.host, "/echo").status == 200
        with pytest.raises(ConnectionError):
            viewer.socket.renegotiate()
    assert fetch(server.port, tunnel.host, "/echo").status == 200


# ---- row 25 ----
@pytest.fixture
def clock(tmp_path):
    if missing():
        pytest.skip(missing())
    return Clock(tmp_path)


# These are a day, summer time and a leap second, forward and back.
DAY, HOUR = 86400, 3600
STEPS = [DAY, -DAY, HOUR, -HOUR, 1, 0]


def offset(server, host):
    """Returns how far the clock in the access log is from the true time."""
    path = f"/echo/{time.monotonic_ns()}"
    assert fetch(server.port, host, path).status == 200
    line = wait_until(
        lambda: re.search(rf"\[(\S+) \S+\] \"GET {path} ", server.access_log),
        what="the line in the access log",
    )
    return calendar.timegm(time.strptime(line.group(1), "%d/%b/%Y:%H:%M:%S")) - time.time()


def test_row_25_a_clock_that_jumps(new_server, new_client, http_origin, clock):
    """The wall clock of both programs jumps forward and back while a link is up and requests run.
    No deadline comes early or late, and nothing is lost."""
    server = new_server("--keepalive", "500ms", "--origin-timeout", "2s", env=clock.environment)
    client = new_client(
        http_origin.port, "--keepalive", "500ms", server=server, env=clock.environment
    )
    with contextlib.ExitStack() as stack:
        slow, silent = (stack.enter_context(Viewer(server.port)) for _ in range(2))
        start = time.monotonic()
        slow.send(head("GET", "/delay?s=1.5", client.host))
        silent.send(head("GET", "/hang", client.host))
        for seconds in STEPS:
            clock.set(seconds)
            assert abs(offset(server, client.host) - seconds) < 10
        assert time.monotonic() - start < 1.5  # all jumps came while the requests waited
        assert slow.response().status == 200
        assert silent.response().status == 504
        assert 2.0 <= time.monotonic() - start < 2.0 + 1.0 * SLOW
    assert "link_lost" not in server.log
    assert not re.search("link_missing|not_connected", client.log)
    clock.set(DAY)
    client.kill9()
    client.start()
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.parametrize("ahead", [300, DAY])
def test_row_25_a_ticket_from_the_future(new_server, new_client, http_origin, clock, ahead):
    """The server signed the ticket while its clock was fast. The ticket stays valid after the clock
    was corrected."""
    clock.set(ahead)
    server = new_server("--hold", "5s", env=clock.environment)
    client = new_client(http_origin.port, server=server)
    url = client.url
    clock.set(0)
    server.restart()
    server.wait_link(client.name, 1)
    assert fetch(server.port, client.host, "/echo").status == 200
    client.restart()
    assert client.url == url
