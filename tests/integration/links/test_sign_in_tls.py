# SPDX-License-Identifier: MIT
"""Tests the gate over TLS, at oneportd's own port and at that of an nginx in front (P21, P22)."""

import pytest
from support.viewer import Viewer, head
from support.websocket_viewer import HANDSHAKE

WAYS = ("direct", "nginx")
GOOD = "Authorization: Basic YW5uOnNlY3JldA=="


def over_tls(client):
    server = client.server
    context = server.certificate.client_context(["http/1.1"])
    return f"{client.name}.localhost", Viewer(server.front.port, context)


@pytest.mark.rule("P21", "P22")
def test_signing_in_over_tls(server, new_client, http_origin):
    client = new_client(http_origin.port, "--auth", "ann:secret")
    name, viewer = over_tls(client)
    with viewer:
        got = viewer.get(name, "/echo")
        assert got.status == 401 and got.get("WWW-Authenticate")
        got = viewer.get(name, "/echo", GOOD)
        [field] = got.all("Set-Cookie")
        assert got.status == 200 and field.startswith("__Host-oneport=") and "; Secure;" in field
        cookie = f"Cookie: {field.split(';')[0]}"
        got = viewer.get(name, "/echo", cookie)
        sent = {field.lower() for field, _ in got.json()["fields"]}
        assert got.status == 200 and not sent & {"cookie", "authorization"}
        other = "Origin: https://other.localhost"
        assert viewer.get(name, "/echo", cookie, other, method="POST").status == 403


@pytest.mark.rule("P21", "P23")
def test_websockets_over_tls(server, new_client, websocket_origin):
    client = new_client(websocket_origin.port, "--auth", "ann:secret")
    for fields, status in (
        ([], 401),
        ([GOOD], 101),
        ([GOOD, "Origin: https://other.localhost"], 403),
    ):
        name, viewer = over_tls(client)
        with viewer:
            viewer.send(head("GET", "/", name, *fields, *HANDSHAKE))
            assert viewer.response_head().status == status
