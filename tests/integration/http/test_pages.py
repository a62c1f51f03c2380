# SPDX-License-Identifier: MIT
"""Tests that web pages register no names, and what the base domain has for browsers."""

import pytest
from support.viewer import Viewer, fetch

WAYS = ("direct", "nginx")


def names(server):
    return fetch(server.port, "localhost", "/api/status").json()["tunnels"]


@pytest.mark.rule("Q60")
@pytest.mark.parametrize("path", ["/register", "/register/some-name"])
@pytest.mark.parametrize(
    "field",
    [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Dest: image",
        "Origin: https://evil.example",
        "Purpose: prefetch",
        "Sec-Purpose: prefetch",
    ],
)
def test_a_page_registers_nothing(server, certificate, path, field):
    before = names(server)
    for tls in (None, certificate.client_context()):
        with Viewer(server.port if tls is None else server.front.port, tls) as viewer:
            got = viewer.get("localhost", path, field)
        assert got.status == 403 and got.json()["error"] == "not_for_pages"
    assert names(server) == before


@pytest.mark.rule("Q60")
@pytest.mark.parametrize(
    "field", ["Accept-Language: de-DE", "Referer: http://evil.example/", "Cookie: a=b"]
)
def test_a_page_over_plain_http_registers_nothing(server, field):
    before = names(server)
    with Viewer(server.port) as viewer:
        got = viewer.get("localhost", "/register", field)
    assert got.status == 403 and got.json()["error"] == "not_for_pages"
    assert names(server) == before


@pytest.mark.rule("Q60")
def test_a_program_registers(server):
    with Viewer(server.port) as viewer:
        for field in ("Accept: */*", "Accept-Language: *", "Sec-Fetch-Mode: cors"):
            assert viewer.get("localhost", "/register", field).status == 200


@pytest.mark.rule("Q61")
def test_what_browsers_and_crawlers_ask_for(server):
    robots = fetch(server.port, "localhost", "/robots.txt")
    assert robots.status == 200 and b"Disallow: /" in robots.body
    assert robots.get("Content-Type") == "text/plain"
    icon = fetch(server.port, "localhost", "/favicon.ico")
    assert icon.status == 200 and icon.get("Content-Type") == "image/svg+xml"
