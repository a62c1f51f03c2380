# SPDX-License-Identifier: MIT
"""Tests what --host-header changes in requests and responses, in each of its modes. The viewers'
side is https, and the origin http on a port of its own: the two know each other by other names."""

import pytest
from support.origins import reply
from support.viewer import fetch

WAYS = ("direct", "nginx")


@pytest.fixture
def outer(server, certificate):
    """Returns outer(client), what viewers call the client by TLS."""
    return lambda client: f"{client.name}.localhost:{server.front.port}"


@pytest.fixture
def ask(server, certificate, outer):
    def ask(client, path="/", *fields, **keywords):
        tls = certificate.client_context()
        return fetch(server.front.port, outer(client), path, *fields, tls=tls, **keywords)

    return ask


def noting(seen, *answer):
    """Returns a script that notes the fields of each request in @seen and answers with the lines
    that @answer(connection) returns."""

    def serve(connection):
        connection.request()
        connection.body()
        seen.update({name.lower(): value for name, value in connection.fields})
        connection.send(reply(b"", *(line for of in answer for line in of(connection))))

    return serve


@pytest.mark.rule("H32")
@pytest.mark.parametrize("mode", ["keep", "rewrite"])
def test_the_forwarded_fields_name_the_same_base_as_host(ask, outer, shared, mode):
    seen = {}
    client = shared(noting(seen), "--host-header", mode)
    ask(client, "/", f"Origin: https://{outer(client)}", f"Referer: https://{outer(client)}/a")
    own = f"localhost:{client.origin.port}"
    scheme, name = ("http", own) if mode == "rewrite" else ("https", outer(client))
    assert seen["host"] == seen["x-forwarded-host"] == name
    assert seen["x-forwarded-proto"] == scheme
    assert seen["origin"] == f"{scheme}://{name}" and seen["referer"] == f"{scheme}://{name}/a"
    assert seen["x-forwarded-for"].startswith("127.0.0.1")


@pytest.mark.rule("H32")
def test_a_foreign_origin_stays_foreign(ask, outer, shared):
    seen = {}
    client = shared(noting(seen), "--host-header", "rewrite")
    for foreign in ("https://evil.test", f"https://{outer(client)}.evil.test", "null"):
        ask(client, "/", f"Origin: {foreign}", f"Referer: {foreign}/x")
        assert (seen["origin"], seen["referer"]) == (foreign, f"{foreign}/x")


@pytest.mark.rule("H33")
@pytest.mark.parametrize("mode", ["keep", "rewrite", "app.test"])
def test_a_move_names_what_the_origin_knows(ask, outer, shared, mode):
    """The origin's own scheme is http. A path alone is right in the modes where X-Forwarded-Proto
    says https."""
    seen = {}
    client = shared(noting(seen), "--host-header", mode)
    there = f"https://{outer(client)}"
    ask(
        client,
        "/a",
        f"Destination: {there}/b%20c",
        f"If: <{there}/a> (<urn:uuid:1>) <https://other.test/> (Not <{there}/token>)",
        method="MOVE",
    )
    base = f"http://localhost:{client.origin.port}" if mode == "rewrite" else ""
    assert seen["destination"] == f"{base}/b%20c"
    assert seen["if"] == (f"<{base}/a> (<urn:uuid:1>) <https://other.test/> (Not <{there}/token>)")


@pytest.mark.rule("R42")
@pytest.mark.parametrize("mode", ["keep", "rewrite", "app.test"])
def test_our_host_with_the_origins_port_or_scheme_leads_back(ask, outer, shared, mode):
    """nginx says "http://HOST:PORT/directory/" with the Host that it was asked for and the port
    that it listens on."""
    where = {}
    client = shared(noting({}, lambda connection: where["said"]), "--host-header", mode)
    name, port = f"{client.name}.localhost", client.origin.port
    here = f"https://{outer(client)}"
    for said, want in (
        (f"http://{name}:{port}/d/", f"{here}/d/"),
        (f"https://{name}:{port}/d/", f"{here}/d/"),
        (f"http://{outer(client)}/d/", f"{here}/d/"),
        (f"//{name}:{port}/d/", f"//{outer(client)}/d/"),
        (f"http://other.test:{port}/", f"http://other.test:{port}/"),
        ("/d/", "/d/"),
    ):
        where["said"] = [
            f"Location: {said}",
            f"Content-Location: {said}",
            f"Refresh: 3; URL={said}",
        ]
        got = ask(client)
        assert (got.get("Location"), got.get("Content-Location")) == (want, want)
        assert got.get("Refresh") == f"3; URL={want}"
