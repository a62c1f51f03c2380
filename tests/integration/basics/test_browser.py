# SPDX-License-Identifier: MIT
"""Opens the sample app in twelve tabs of a real browser, through one tunnel. Restarts the client,
and checks that no tab reloads."""

import pytest
from support import browser
from support.browser import Browser
from support.wait import wait_until

TABS = 12

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.timeout(240),
]


@pytest.fixture
def chromium(tmp_path, ended):
    opened = Browser(tmp_path / "browser")
    ended.callback(opened.stop)
    return opened


def test_twelve_tabs(server, new_client, new_origin, chromium):
    app = new_origin("demo_app")
    client = new_client(app.port)
    tabs = [chromium.open(f"http://{client.host}/") for _ in range(TABS)]

    def counts():
        return [
            chromium.run(tab, "return document.getElementById('count').textContent") for tab in tabs
        ]

    wait_until(lambda: counts() == [str(TABS)] * TABS, 30, "twelve viewers in every tab")
    assert client.program.established(server.program) == 1

    chromium.run(tabs[0], "send({kind: 'say', text: 'hello from the first tab'})")
    chromium.run(
        tabs[1], "send({kind: 'stroke', points: [[.1, .1], [.9, .9]], colour: '#e4572e', width: 4})"
    )
    for tab in tabs[2:]:
        wait_until(
            lambda tab=tab: chromium.run(
                tab,
                "return strokes.length === 1 && "
                "document.getElementById('lines').textContent.includes('hello from the first tab')",
            ),
            15,
            "drawing and chat in the other tabs",
        )

    for tab in tabs:
        chromium.run(tab, "window.sameDocument = true")
        chromium.run(
            tab,
            "window.codes = []; socket.addEventListener('close', event => codes.push(event.code))",
        )
    client.restart()
    for tab in tabs:
        wait_until(
            lambda tab=tab: chromium.run(
                tab, "return codes.length === 1 && socket.readyState === WebSocket.OPEN"
            ),
            30,
            "the page to be back",
        )
        assert chromium.run(tab, "return [window.sameDocument, codes[0], strokes.length]") == [
            True,
            1012,
            1,
        ]
    wait_until(lambda: counts() == [str(TABS)] * TABS, 30, "twelve viewers again")
