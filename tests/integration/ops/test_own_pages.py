# SPDX-License-Identifier: MIT
"""Tests the operator's own pages (--pages), and the built-in landing page."""

import pytest
from support.programs import run
from support.viewer import fetch

HTML = "Accept: text/html"


@pytest.mark.rule("O145")
def test_pages_of_a_folder(tmp_path, new_server):
    (tmp_path / "index.html").write_text("<p>welcome")
    (tmp_path / "404.html").write_text("<p>no such share")
    server = new_server("--pages", tmp_path)
    base = f"localhost:{server.port}"
    landing = fetch(server.port, base, "/", HTML)
    missing = fetch(server.port, f"nobody.{base}", "/", HTML)
    assert (landing.status, landing.body) == (200, b"<p>welcome")
    assert (missing.status, missing.body) == (404, b"<p>no such share")
    assert "default-src 'none'" in missing.get("Content-Security-Policy")
    assert "destination_not_found" in missing.get("Proxy-Status")
    assert fetch(server.port, f"nobody.{base}", "/").json()["error"] == "destination_not_found"


@pytest.mark.rule("O145")
def test_a_folder_without_pages(tmp_path):
    options = ("--domain", "localhost", "--state-dir", tmp_path / "state", "--pages", tmp_path)
    code, _, err = run("oneportd", *options)
    assert code == 1 and "--pages" in err and "has no index.html" in err


@pytest.mark.rule("O144")
def test_the_landing_page_says_what_to_type(server):
    page = fetch(server.port, f"localhost:{server.port}", "/", HTML).body.decode()
    assert f"oneport --host localhost:{server.port} 3000" in page
    assert "make portable" in page
