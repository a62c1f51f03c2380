# SPDX-License-Identifier: MIT
"""Tests which connections to the origin viewers share, and which they do not."""

import pytest
from support.origins import reply
from support.viewer import Viewer, fetch

WAYS = ("direct", "nginx")


# ---- sign-ins of a connection ----
def signing_in(challenges, scheme="NTLM", legs=("one", "three"), challenge=None):
    """Returns a script that signs a connection in, as NTLM does: after the words of @legs in their
    order, each in an Authorization field, the connection is Alice's. @challenges are the lines of
    a 401 that asks for the first, @challenge is one that answers the others."""

    def serve(connection):
        done = 0
        while True:
            connection.request()
            connection.body()
            given = (connection.get("Authorization") or "").split(" ")
            if done < len(legs) and given[0].lower() == scheme.lower() and given[1] == legs[done]:
                done += 1
                if 0 < done < len(legs):
                    connection.send(reply(b"go on", challenge or challenges[0], status=401))
                    continue
            if done == len(legs):
                connection.send(reply(b"hello alice"))
            else:
                connection.send(reply(b"who are you", *challenges, status=401))

    return serve


LOGINS = [
    ("NTLM", dict(challenges=["WWW-Authenticate: NTLM"])),
    (
        "any case in a later challenge",
        dict(challenges=['WWW-Authenticate: Basic realm="a", nEgOtIaTe'], scheme="negotiate"),
    ),
    (
        "a later line",
        dict(challenges=["WWW-Authenticate: Digest a=b", "www-authenticate: NTLM"]),
    ),
    (
        "challenge with data",
        dict(challenges=["X: y"], challenge="WWW-Authenticate: NTLM TlRMTVNTUAACAAAA"),
    ),
    ("one request signs in", dict(challenges=["X: y"], scheme="Negotiate", legs=["ticket"])),
    ("nothing in the answers", dict(challenges=["X: y"], challenge="X: y")),
]


@pytest.mark.parametrize(
    "script", [pytest.param(script, id=f"D13 {what}") for what, script in LOGINS]
)
def test_nobody_uses_a_connection_that_somebody_signed_in(server, shared, script):
    client = shared(signing_in(**script))
    scheme, legs = script.get("scheme", "NTLM"), script.get("legs", ("one", "three"))
    with Viewer(server.port) as alice:
        for leg in legs:
            alice.get(client.host, "/", f"Authorization: {scheme} {leg}")
        for _ in range(3):
            got = fetch(server.port, client.host)
            assert (got.status, got.body) == (401, b"who are you")
        assert alice.get(client.host).status == 401
    client.program.wait_output("connection_login")


@pytest.mark.rule("D13")
def test_a_sign_in_of_a_connection_is_told_once(server, shared):
    client = shared(signing_in(["WWW-Authenticate: Negotiate"], "Negotiate"))
    for _ in range(5):
        assert fetch(server.port, client.host).status == 401
    assert client.log.count("connection_login") == 1
    assert len(client.origin.connections) == 5


@pytest.mark.rule("D13")
def test_a_connection_that_is_about_to_close_says_so(server, shared):
    seen = []

    def serve(connection):
        while True:
            connection.request()
            seen.append(connection.get("Connection"))
            connection.send(reply())

    client = shared(serve)
    assert fetch(server.port, client.host, "/", "Authorization: NTLM x").status == 200
    assert fetch(server.port, client.host, "/", "Proxy-Authorization: Negotiate x").status == 200
    assert fetch(server.port, client.host, "/", "Authorization: Basic YTpi").status == 200
    assert fetch(server.port, client.host).status == 200
    assert seen == ["close", "close", None, None]
    assert len(client.origin.connections) == 3


@pytest.mark.rule("D13")
def test_other_sign_ins_share_connections(server, shared):
    """Basic, Digest and Bearer are of a request."""

    def serve(connection):
        while True:
            connection.request()
            connection.send(reply(b"", 'WWW-Authenticate: Basic realm="NTLM"', status=401))

    client = shared(serve)
    for field in ("Authorization: Basic YTpi", "Authorization: Bearer ntlm.x", "X: NTLM"):
        assert fetch(server.port, client.host, "/", field).status == 401
    assert len(client.origin.connections) == 1
