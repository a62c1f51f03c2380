# SPDX-License-Identifier: MIT
"""Opens tabs of a real browser on oneportd's own TLS port, where it speaks HTTP/2: pages with an
EventSource each, and WebSockets."""

import time

import pytest
from support import browser
from support.browser import FLAGS, Browser
from support.origins import reply
from support.programs import SLOW
from support.wait import wait_until

pytestmark = [
    pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
    pytest.mark.timeout(240),
]

PAGE = b"""<!doctype html><title>events</title><script>
window.events = 0
new EventSource('/events').onmessage = () => { window.events++ }
</script>"""
STREAM = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nAccess-Control-Allow-Origin: *\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
)
EVENT = b"data: tick\n\n"
PROTOCOL = "return performance.getEntriesByType('navigation')[0].nextHopProtocol"


@pytest.fixture
def chromium(tmp_path, ended):
    opened = Browser(tmp_path / "browser", [*FLAGS, "--ignore-certificate-errors"])
    ended.callback(opened.stop)
    return opened


def serve(connection):
    """Answers with the page, with a stream of events, or with the host that was asked for."""
    while True:
        line, _ = connection.request()
        connection.body()
        if line.startswith("GET /events"):
            connection.send(STREAM)
            while True:
                connection.send(b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
                time.sleep(0.1)  # the origin has ten events a second
        if line.startswith("GET / "):
            connection.send(reply(PAGE, "Content-Type: text/html"))
        else:
            connection.send(reply(b"no such page", status=404))


def live_tabs(client, chromium, count):
    tabs = [chromium.open(f"https://{client.host}/") for _ in range(count)]
    assert chromium.run(tabs[0], PROTOCOL) == "h2"
    for tab in tabs:  # those that were opened first have been live all the time
        before = chromium.run(tab, "return window.events")
        wait_until(
            lambda tab=tab, before=before: chromium.run(tab, "return window.events") > before,
            30 * SLOW,
            "another event",
        )


@pytest.mark.rule("E1")
def test_eight_tabs_with_an_event_source_each(shared, chromium):
    """With HTTP/1.1 the seventh does not load: browsers open six connections to a host."""
    live_tabs(shared(serve), chromium, 8)


@pytest.mark.full
def test_forty_tabs_with_an_event_source_each(shared, chromium):
    live_tabs(shared(serve), chromium, 40)


@pytest.mark.rule("E7")
def test_websockets_have_connections_of_their_own(new_client, new_origin, chromium):
    client = new_client(new_origin("demo_app").port)
    tabs = [chromium.open(f"https://{client.host}/") for _ in range(3)]
    assert chromium.run(tabs[0], PROTOCOL) == "h2"
    for tab in tabs:
        wait_until(
            lambda tab=tab: chromium.run(tab, "return document.getElementById('count').textContent")
            == "3",
            30 * SLOW,
            "three viewers in every tab",
        )
