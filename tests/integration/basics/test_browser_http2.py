# SPDX-License-Identifier: MIT
"""Opens tabs of a real browser on oneportd's own TLS port, where it speaks HTTP/2: pages with an
EventSource each, WebSockets, and a page that uses a tunnel on another worker."""

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
            host = connection.get("Host").encode()
            connection.send(reply(host, "Access-Control-Allow-Origin: *"))


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


FETCH = """
window.got = {{}}
for (const path of ['/a', '/b', '/c'])
    fetch('https://{host}' + path, {{method: '{method}', body: {body}}})
        .then(answer => answer.text()).then(text => {{ window.got[path] = text }})
        .catch(error => {{ window.got[path] = String(error) }})
window.other = 0
new EventSource('https://{host}/events').onmessage = () => {{ window.other++ }}
"""


@pytest.mark.rule("E9")
@pytest.mark.parametrize("method,body", [("GET", "undefined"), ("POST", "'body'")])
def test_a_page_uses_a_tunnel_on_another_worker(
    new_server, new_client, scripted, chromium, method, body
):
    """The browser sends requests for both names on one connection, since one certificate has both,
    and asks again where it gets 421. The answers are those of the right tunnel."""
    server = new_server("--workers", "4")
    origin = scripted(serve)
    clients, homes = [], []
    while len(set(homes)) < 2:
        assert len(clients) < 40, "all names are on one worker"
        clients.append(new_client(origin.port, server=server))
        log = server.wait_log(rf"link_up.*name={clients[-1].name} .*worker=(\d)")
        homes.append(log.group(1))
    for one, other in ((clients[0], clients[-1]), (clients[-1], clients[0])):
        tab = chromium.open(f"https://{one.host}/")
        assert chromium.run(tab, PROTOCOL) == "h2"
        chromium.run(tab, FETCH.format(host=other.host, method=method, body=body))
        wait_until(
            lambda tab=tab: len(chromium.run(tab, "return window.got")) == 3, 30 * SLOW, "answers"
        )
        assert set(chromium.run(tab, "return window.got").values()) == {other.host}
        for count in ("window.other", "window.events"):
            before = chromium.run(tab, f"return {count}")
            wait_until(
                lambda tab=tab, count=count, before=before: chromium.run(tab, f"return {count}")
                > before,
                30 * SLOW,
                "another event",
            )
