# SPDX-License-Identifier: MIT
"""Opens a shared app behind a gate in a real browser: by a link with a key and by a password, with
its WebSocket; and lets a page of another tenant try to get in (rules P21, P23 and P26)."""

import pytest
from support import browser
from support.wait import wait_until

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.timeout(240),
]


def is_the_app(chromium, tab):
    """Returns whether the page is there, with its script and its WebSocket."""
    return chromium.run(
        tab, "return typeof socket !== 'undefined' && socket.readyState === WebSocket.OPEN"
    )


@pytest.mark.rule("P21", "P26")
@pytest.mark.parametrize("by", ["link", "password"])
def test_the_app_behind_the_gate(server, new_client, new_origin, chromium, by):
    app = new_origin("demo_app")
    client = new_client(app.port, "--share-key", "ann:1h:1", "--auth", "bob:secret")
    path = client.program.wait_output(
        r"^the link for ann is: https://[^/]*(/\S+)$", 10, "stdout"
    ).group(1)
    if by == "link":
        tab = chromium.open(f"http://{client.host}{path}")
    else:
        tab = chromium.open(f"http://bob:secret@{client.host}/")
    wait_until(lambda: is_the_app(chromium, tab), 20, "the app and its WebSocket")
    assert chromium.run(tab, "return location.pathname") == "/"
    assert chromium.run(tab, "return document.cookie") == ""  # HttpOnly
    again = chromium.open(f"http://{client.host}/")
    wait_until(lambda: is_the_app(chromium, again), 20, "the app by its cookie")


@pytest.mark.rule("P23")
def test_a_page_of_another_tenant(server, new_client, new_origin, chromium):
    """It opens no WebSocket and sends no form, though the browser has signed in."""
    app = new_origin("demo_app")
    gated = new_client(app.port, "--auth", "bob:secret")
    other = new_client(app.port)
    tab = chromium.open(f"http://bob:secret@{gated.host}/")
    wait_until(lambda: is_the_app(chromium, tab), 20, "the app")
    evil = chromium.open(f"http://{other.host}/")
    chromium.run(
        evil,
        f"window.ends = []; const it = new WebSocket('ws://{gated.host}/evil-socket');"
        "it.onopen = () => ends.push('open'); it.onerror = () => ends.push('refused');"
        f"fetch('http://{gated.host}/evil-fetch', {{method: 'POST', mode: 'no-cors', "
        "credentials: 'include', body: 'x'}).finally(() => ends.push('sent'))",
    )
    both = ["refused", "sent"]
    wait_until(lambda: sorted(chromium.run(evil, "return ends")) == both, 20, "both ends")
    wait_until(lambda: server.access_log.count("/evil-") == 2, 10, "both lines")
    lines = [line for line in server.access_log.splitlines() if "/evil-" in line]
    assert all('" 401 ' in line or '" 403 ' in line for line in lines), lines
