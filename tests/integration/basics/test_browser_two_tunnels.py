# SPDX-License-Identifier: MIT
"""Lets a page of one tunnel use another tunnel, which is on another worker. A browser sends
requests for both names on one connection, since one certificate has both, and asks again where it
gets 421. Every answer must be that of the right tunnel, in Chromium and in Firefox."""

import time

import pytest
from support import browser, firefox
from support.browser import FLAGS, Browser
from support.firefox import Firefox
from support.origins import answer_upgrade, reply
from support.programs import SLOW
from support.wait import wait_until
from support.websocket_frames import TEXT, frame

pytestmark = pytest.mark.timeout(240)

ANYBODY = "Access-Control-Allow-Origin: *"
STREAM = (
    f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{ANYBODY}\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
)
PAGE = b"<!doctype html><title>page</title><body></body>"
FRAME = "<!doctype html><script>parent.postMessage('%s', '*')</script>"
PROTOCOL = "return performance.getEntriesByType('navigation')[0].nextHopProtocol"
USE = """
window.got = {{}}
const put = what => text => {{ window.got[what] = text }}
const failed = what => error => {{ window.got[what] = String(error) }}
const ask = (path, how) => fetch('https://{host}' + path, how).then(answer => answer.text())
    .then(put(path), failed(path))
ask('/a'), ask('/b'), ask('/c')
ask('/posted', {{method: 'POST', body: 'body'}})
window.onmessage = event => put('frame')(event.data)
const frame = document.createElement('iframe')
frame.src = 'https://{host}/frame'
document.body.append(frame)
window.events = 0
new EventSource('https://{host}/events').onmessage = event => {{
    put('events')(event.data)
    window.events++
}}
const socket = new WebSocket('wss://{host}/socket')
socket.onmessage = event => put('socket')(event.data)
socket.onerror = () => failed('socket')('failed')
"""
USES = 7


def serving(name):
    """Returns the script of an origin that says @name in every way."""

    def events(connection):
        event = f"data: {name}\n\n".encode()
        connection.send(STREAM)
        while True:
            connection.send(b"%x\r\n%s\r\n" % (len(event), event))
            time.sleep(0.1)  # the origin has ten events a second

    def serve(connection):
        while True:
            line, _ = connection.request()
            path = line.split()[1]
            connection.body()
            if path == "/socket":
                answer_upgrade(connection)
                connection.send(frame(TEXT, name.encode()))
                connection.rest()
                return
            if path == "/events":
                events(connection)
            elif path == "/":
                connection.send(reply(PAGE, "Content-Type: text/html"))
            elif path == "/frame":
                connection.send(reply((FRAME % name).encode(), "Content-Type: text/html"))
            else:
                connection.send(reply(name.encode(), ANYBODY))

    return serve


@pytest.fixture(
    params=[
        pytest.param(
            "chromium",
            marks=pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing())),
        ),
        pytest.param(
            "firefox",
            marks=[
                pytest.mark.full,
                pytest.mark.skipif(firefox.missing() is not None, reason=str(firefox.missing())),
            ],
        ),
    ]
)
def opened(request, tmp_path, ended):
    """Is a browser that takes any certificate."""
    if request.param == "firefox":
        running = Firefox(tmp_path / "browser")
    else:
        running = Browser(tmp_path / "browser", [*FLAGS, "--ignore-certificate-errors"])
    ended.callback(running.stop)
    return running


@pytest.mark.rule("E7", "E9")
@pytest.mark.parametrize("workers", [pytest.param(2, marks=pytest.mark.full), 4])
def test_a_page_uses_a_tunnel_on_another_worker(new_server, new_client, scripted, opened, workers):
    server = new_server("--workers", workers)
    clients, homes = [], []
    while len(set(homes)) < 2:
        assert len(clients) < 40, "all names are on one worker"
        name = f"shop-{len(clients)}"
        clients.append(new_client(scripted(serving(name)).port, server=server, name=name))
        log = server.wait_log(rf"link_up.*name={name} .*worker=(\d)")
        homes.append(log.group(1))
    for one, other in ((clients[0], clients[-1]), (clients[-1], clients[0])):
        tab = opened.open(f"https://{one.host}/")
        assert opened.run(tab, PROTOCOL) == "h2"
        opened.run(tab, USE.format(host=other.host))
        wait_until(
            lambda tab=tab: len(opened.run(tab, "return window.got")) == USES, 30 * SLOW, "answers"
        )
        got = opened.run(tab, "return window.got")
        assert set(got.values()) == {other.name}, got
        before = opened.run(tab, "return window.events")
        wait_until(
            lambda tab=tab, before=before: opened.run(tab, "return window.events") > before,
            30 * SLOW,
            "another event",
        )
