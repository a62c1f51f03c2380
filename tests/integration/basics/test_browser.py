# SPDX-License-Identifier: MIT
"""Opens the sample app in twelve tabs of a real browser, through one tunnel. Restarts the client,
and checks that no tab reloads. Also shows the server's own pages."""

import pytest
from support import browser
from support.origins import answering, reply
from support.wait import wait_until

TABS = 12

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.timeout(240),
]


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


def refusals(chromium):
    """Returns what the browser has refused to load, run or show since the last call."""
    return [line for line in chromium.console() if "Refused" in line or "Content Security" in line]


def is_styled(chromium, tab):
    return chromium.run(tab, "return getComputedStyle(document.body).display") == "grid"


@pytest.mark.rule("R40", "R41")
def test_our_pages_obey_their_own_policy(server, new_client, new_origin, chromium):
    """The landing page, a 404 and a 503 have their style, and break no rule of their policy. The
    503 reloads, and is the app when the client is back."""
    base = f"localhost:{server.port}"
    for host in (base, f"nobody.{base}"):
        tab = chromium.open(f"http://{host}/")
        assert chromium.run(tab, "return document.querySelector('h1').textContent")
        assert is_styled(chromium, tab)
        assert refusals(chromium) == []
    app = new_origin("demo_app")
    client = new_client(app.port, name="comes-back")
    client.program.kill9()
    server.wait_log("link_lost")
    tab = chromium.open(f"http://{client.host}/")
    wait_until(
        lambda: "Away" in chromium.run(tab, "return document.title"), 20, "the page of the absence"
    )
    assert is_styled(chromium, tab)
    assert refusals(chromium) == []
    client.start()
    wait_until(
        lambda: chromium.run(tab, "return !!document.getElementById('count')"), 60, "the app"
    )


@pytest.mark.rule("R45")
def test_the_page_of_a_restart_is_the_app_again_by_itself(server, new_client, new_origin, chromium):
    app = new_origin("demo_app")
    client = new_client(app.port)
    app.stop()
    tab = chromium.open(f"http://{client.host}/")
    assert chromium.run(tab, "return document.title") == "The app is restarting"
    assert is_styled(chromium, tab) and refusals(chromium) == []
    app.start()
    wait_until(
        lambda: chromium.run(tab, "return !!document.getElementById('count')"), 30, "the app"
    )


@pytest.mark.rule("R40")
def test_an_error_page_shows_in_a_frame_and_the_landing_page_does_not(server, shared, chromium):
    def page(address):
        return answering(
            reply(f'<iframe src="http://{address}/"></iframe>'.encode(), "Content-Type: text/html")
        )

    base = f"localhost:{server.port}"
    for inner, refused in ((f"nobody.{base}", False), (base, True)):
        client = shared(page(inner))
        tab = chromium.open(f"http://{client.host}/")
        wait_until(lambda: chromium.run(tab, "return frames.length"), 20, "the frame")
        if refused:
            wait_until(lambda: refusals(chromium) != [], 20, "the refusal")
        else:
            assert refusals(chromium) == []


@pytest.mark.rule("O144")
def test_the_landing_page_fits_a_phone(server, chromium):
    """In the width of a phone nothing has to be scrolled sideways but the command."""
    tab = chromium.open(f"http://localhost:{server.port}/")
    chromium.run(tab, "document.body.style.width = '320px'")
    assert chromium.run(tab, "return document.querySelector('main').offsetWidth") <= 320
    assert chromium.run(tab, "return document.querySelector('main').scrollWidth") <= 320
