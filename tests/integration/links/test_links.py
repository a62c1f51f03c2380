# SPDX-License-Identifier: MIT
"""Tests several links of one client (--links): how they come up, share the requests, get lost,
return and leave."""

import asyncio
import contextlib
import json
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from h2.settings import SettingCodes
from support.faultproxy import DOWN, UP
from support.foreign import EMPTY_SETTINGS, PREFACE, ForeignLink, call, register
from support.origins import halving, reply, shut
from support.programs import SLOW, run
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until
from support.websocket_viewer import connect, echoes

GONE = 1012
SETTINGS_ACK = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"


@pytest.fixture
def foreign(ended):
    """Returns foreign(server, name, ticket, ...), which opens a link with python3-h2."""
    return lambda *given, **keywords: ended.enter_context(
        contextlib.closing(ForeignLink(*given, **keywords))
    )


@pytest.fixture
def behind(server, new_proxy, new_client):
    """Returns behind(origin port, ...), which starts a client that reaches the server through a
    fault proxy. The client has the proxy as .proxy."""

    def start(origin, *options, **keywords):
        to = keywords.pop("server", server)
        proxy = new_proxy(to.port)
        client = new_client(
            origin, *options, server=to, url=f"https://localhost:{proxy.port}", **keywords
        )
        client.proxy = proxy
        return client

    return start


@pytest.fixture
def halves(scripted):
    """Starts an origin that answers half of "half", and the other half when .go is set."""
    go = threading.Event()
    origin = scripted(halving(go))
    origin.go = go
    yield origin
    go.set()


def begun(ended, client):
    """Opens a viewer that has got the first half of the answer."""
    viewer = ended.enter_context(Viewer(client.server.port, timeout_s=30))
    viewer.send(head("GET", "/", client.host))
    assert viewer.response_head().status == 200
    assert viewer.exactly(2) == b"ha"
    return viewer


def all_up(client, count, deadline_s=10.0):
    wait_until(
        lambda: links(client.server, client.name) == count, deadline_s * SLOW, f"{count} links"
    )


def slots(server, name):
    """Returns the slots of the links that came up in this run of the server."""
    return [int(slot) for slot in re.findall(rf"link_up.*name={name} .*slot=(\d+)", server.log)]


def lost(server, name):
    return server.log.count(f"link_lost name={name} ")


def instance(number, link=0):
    return [f"Oneport-Instance: {number:032x}", f"Oneport-Link: {link}"]


# ---- they come ----
@pytest.mark.parametrize("value", ["0", "x", "17", "99", "-1", ""])
def test_the_number_of_links_is_small(value):
    code, out, err = run("oneport", "--host", "https://localhost:1", "--links", value, "8080")
    assert (code, out) == (1, "") and "--links" in err


def test_the_environment_may_set_the_number_of_links():
    code, out, err = run(
        "oneport", "--host", "https://localhost:1", "8080", env={"ONEPORT_LINKS": "17"}
    )
    assert (code, out) == (1, "") and "ONEPORT_LINKS" in err


def test_one_link_is_the_default(server, new_client, http_origin):
    client = new_client(http_origin.port)
    all_up(client, 1)
    assert fetch(server.port, client.host, "/echo").status == 200
    assert slots(server, client.name) == [0]


@pytest.mark.parametrize("count", [2, 4])
def test_each_link_has_a_slot_and_a_descriptor(server, new_client, http_origin, count):
    client = new_client(http_origin.port, "--links", count)
    all_up(client, count)
    wait_until(
        lambda: client.program.established(server.program) == count, 10 * SLOW, "a descriptor each"
    )
    assert sorted(slots(server, client.name)) == list(range(count))
    assert client.program.stdout.count("your url is:") == 1
    assert client.log.count("name_granted") == 1
    assert fetch(server.port, client.host, "/echo").status == 200


class Narrow(list):
    """This is a list of a proxy's relays. Only the first @open_ones of them let bytes pass until
    thaw()."""

    def __init__(self, open_ones):
        super().__init__()
        self.open_ones = open_ones

    def append(self, relay):
        if len(self) >= self.open_ones:
            relay.frozen.update((UP, DOWN))
        super().append(relay)

    def thaw(self):
        self.open_ones = 1 << 30
        for relay in self:
            relay.frozen.clear()


def test_the_first_link_is_enough_for_the_url(server, new_proxy, new_client, http_origin):
    """The first link serves requests while the others cannot come up."""
    proxy = new_proxy(server.port)
    proxy.relays = narrow = Narrow(1)  # one to register and for the first link
    client = new_client(http_origin.port, "--links", "3", url=f"https://localhost:{proxy.port}")
    proxy.wait_relays(3)
    assert links(server, client.name) == 1
    assert fetch(server.port, client.host, "/echo").status == 200
    narrow.thaw()
    all_up(client, 3)


def test_the_server_may_allow_fewer(new_server, new_client, http_origin):
    server = new_server("--max-links", "2")
    client = new_client(http_origin.port, "--links", "4", server=server)
    all_up(client, 2)
    server.restart()
    all_up(client, 2, 20)
    assert set(slots(server, client.name)) == {0, 1}
    assert client.log.count("fewer_links_allowed") == 1
    assert re.search(r"fewer_links_allowed.* links=2 asked=4", client.log)


def test_the_server_may_come_back_with_fewer(new_server, new_client, http_origin):
    """The server refuses a slot that it no longer allows. The client registers again and learns how
    many links are allowed."""
    server = new_server()
    client = new_client(http_origin.port, "--links", "4", server=server)
    all_up(client, 4)
    server.options = ("--max-links", "2")
    server.restart()
    client.program.wait_output(r"fewer_links_allowed.* links=2 asked=4", 30)
    all_up(client, 2, 20)
    assert set(slots(server, client.name)) == {0, 1}
    assert fetch(server.port, client.host, "/echo").status == 200


# ---- a server that says no ----
def goodbye(debug):
    """GOAWAY."""
    body = bytes(8) + debug
    return len(body).to_bytes(3, "big") + b"\x07" + bytes(5) + body


class StandIn:
    """This server grants one name. It refuses an attach with the status that @refuse(slot, try)
    returns, and accepts the link if that is None."""

    def __init__(self, scripted, certificate, refuse, limit=2):
        self.refuse, self.limit = refuse, limit
        self.certificate = certificate
        self.registered, self.tries, self.instances = 0, {}, set()
        self.open = {}  # slot → its connection
        self.upgraded = ["Connection: upgrade", "Upgrade: ptth", "ALPN: h2"]
        self.tickets = []  # the tickets of the register calls
        self.first_words = b""  # sent on each link at once
        self.origin = scripted(self.serve, tls=certificate.server_context())
        self.port = self.origin.port
        self.url = f"https://localhost:{self.port}"

    def serve(self, connection):
        line, _ = connection.request()
        if "/register" in line:
            self.registered += 1
            self.tickets.append(connection.get("Oneport-Ticket"))
            connection.send(
                reply(
                    json.dumps(self.grant()).encode(),
                    "Content-Type: application/json",
                    "Connection: close",
                )
            )
            return
        slot = int(connection.get("Oneport-Link"))
        self.instances.add(connection.get("Oneport-Instance"))
        self.tries[slot] = self.tries.get(slot, 0) + 1
        if status := self.refuse(slot, self.tries[slot]):
            connection.send(
                reply(b'{"error":"too_many_links"}', "Connection: close", status=status)
            )
            return
        connection.send(
            "".join(
                f"{line}\r\n" for line in ("HTTP/1.1 101 Switching Protocols", *self.upgraded, "")
            )
        )
        connection.send(PREFACE + EMPTY_SETTINGS + SETTINGS_ACK + self.first_words)
        self.open[slot] = connection
        connection.ended()

    def grant(self):
        return {
            "id": "standin",
            "url": f"https://standin.localhost:{self.port}",
            "port": self.port,
            "max_conn_count": 10,
            "ticket": "a.b",
            "attach": f"{self.url}/tunnel/standin",
            "limits": {"links": self.limit},
        }

    def say_goodbye(self, slot, debug):
        self.open[slot].send(goodbye(debug))


@pytest.mark.parametrize("status", [429, 503, 409, 403])
def test_a_slot_that_is_refused_tries_again(scripted, certificate, new_client, status):
    """Whatever the reason of the refusal is, the first link stays up, the client does not ask for
    its name again, and it goes on."""
    standin = StandIn(
        scripted, certificate, lambda slot, attempt: status if slot == 1 and attempt <= 3 else None
    )
    client = new_client(1, "--links", "2", server=standin)
    wait_until(lambda: 1 in standin.open, 20 * SLOW, "the second link")
    assert standin.tries == {0: 1, 1: 4} and len(standin.instances) == 1 and standin.registered == 1
    assert client.log.count("link_missing") == 3
    assert client.program.stdout.count("your url is:") == 1


def test_a_server_that_says_nothing_of_links_gets_one(scripted, certificate, new_client):
    standin = StandIn(scripted, certificate, lambda slot, attempt: None, limit=None)
    client = new_client(1, "--links", "2", server=standin)
    assert "links=1 asked=2" in client.log
    assert standin.tries == {0: 1}


def test_a_refusal_of_the_first_link_ends_the_client(scripted, certificate, new_client):
    """The client tries no other link before the first one was up."""
    standin = StandIn(scripted, certificate, lambda slot, attempt: 409)
    client = new_client(1, "--links", "2", server=standin, wait=False)
    client.program.expect_exit(2)
    assert standin.tries == {0: 1}


@pytest.mark.rule("O20")
@pytest.mark.parametrize("reason", ["taken_over", "name_lost"])
@pytest.mark.parametrize("slot", [0, 1])
def test_a_name_that_is_lost_is_lost_for_all_links(scripted, certificate, new_client, reason, slot):
    standin = StandIn(scripted, certificate, lambda slot, attempt: None)
    client = new_client(1, "--links", "2", server=standin)
    wait_until(lambda: len(standin.open) == 2, 10 * SLOW, "both links")
    standin.say_goodbye(slot, reason.encode())
    client.program.expect_exit(2)
    assert client.log.count("name_lost") == 1
    assert standin.tries == {0: 1, 1: 1}


@pytest.mark.rule("O21")
@pytest.mark.parametrize("status", [401, 404])
def test_a_link_that_is_told_401_or_404_registers_again_with_its_ticket(
    scripted, certificate, new_client, status
):
    """The server has forgotten the name, or the ticket has expired. The owner is still known: the
    same name comes back, and the URL is printed only once."""
    standin = StandIn(scripted, certificate, lambda slot, attempt: status if attempt == 2 else None)
    client = new_client(1, server=standin)
    assert standin.registered == 1
    shut(standin.open.pop(0).socket)
    wait_until(lambda: 0 in standin.open, 10 * SLOW, "the link's return")
    assert standin.tries == {0: 3} and standin.tickets[1:] == ["a.b"]
    assert client.program.running and client.program.stdout.count("your url is:") == 1


@pytest.mark.parametrize(
    "upgraded,what",
    [
        (["Upgrade: ptth", "ALPN: h2"], "101 without Connection: upgrade"),
        (["Connection: upgrade", "ALPN: h2"], "101 with another Upgrade"),
        (["Connection: upgrade", "Upgrade: websocket", "ALPN: h2"], "101 with another Upgrade"),
        (["Connection: upgrade", "Upgrade: ptth"], "101 with another ALPN"),
        (["Connection: upgrade", "Upgrade: ptth", "ALPN: http%2F1.1"], "101 with another ALPN"),
        (["Connection: upgrade", "Upgrade: ptth", "ALPN: h2", "ALPN: h2"], "101 with another ALPN"),
    ],
)
def test_a_101_that_is_not_what_was_asked_for(scripted, certificate, new_client, upgraded, what):
    """The client trusts nothing after such a 101, and the log says what is wrong."""
    standin = StandIn(scripted, certificate, lambda slot, attempt: None)
    standin.upgraded = upgraded
    client = new_client(1, "--max-retries", "1", server=standin, wait=False)
    client.program.expect_exit(4)
    assert what in client.log and "your url is" not in client.program.stdout


def test_a_draining_link_is_replaced_alone(scripted, certificate, new_client):
    standin = StandIn(scripted, certificate, lambda slot, attempt: None)
    client = new_client(1, "--links", "2", server=standin)
    wait_until(lambda: len(standin.open) == 2, 10 * SLOW, "both links")
    standin.say_goodbye(1, b"draining")
    wait_until(lambda: standin.tries == {0: 1, 1: 2}, 10 * SLOW, "its successor")
    assert client.program.running and standin.registered == 1


def test_a_server_that_always_drains_is_not_hammered(scripted, certificate, new_client):
    """The server ends each link as soon as it is up. The client may replace the first one at once,
    and waits before it replaces a later one, as after a loss."""
    standin = StandIn(scripted, certificate, lambda slot, attempt: None)
    standin.first_words = goodbye(b"draining")
    client = new_client(1, server=standin, wait=False)
    tries = [
        int(
            client.program.wait_output(
                r"step=link reason=draining in_ms=(\d+)", count=number
            ).group(1)
        )
        for number in range(1, 5)
    ]
    assert all(10 <= ms <= 200 * 1.6**number for number, ms in enumerate(tries))
    assert standin.tries[0] <= 5 and client.program.running


# ---- they share the requests ----
def test_requests_go_to_the_least_busy(server, name, foreign, ended):
    held = [[] for _ in range(4)]
    ticket = register(server, name)["ticket"]
    for slot in range(4):
        foreign(server, name, ticket, *instance(1, slot), serve=held[slot].append)
    wait_until(lambda: links(server, name) == 4, what="four links")

    def ask(count):
        for _ in range(count):
            before = sum(map(len, held))
            viewer = ended.enter_context(Viewer(server.port))
            viewer.send(head("GET", "/", f"{name}.localhost"))
            wait_until(lambda: sum(map(len, held)) == before + 1, what="the request")

    ask(8)
    assert [len(streams) for streams in held] == [2, 2, 2, 2]
    for stream in held[2]:
        with stream.link.lock:
            stream.answer(200)
    held[2].clear()
    ask(2)
    assert [len(streams) for streams in held] == [2, 2, 2, 2]


def test_a_full_link_is_passed_over(server, name, foreign, ended):
    """One link has room for a single stream. The other one takes all further requests, and none of
    them waits."""
    held = [[], []]
    ticket = register(server, name)["ticket"]
    foreign(
        server,
        name,
        ticket,
        *instance(1, 0),
        serve=held[0].append,
        settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1},
    )
    foreign(server, name, ticket, *instance(1, 1), serve=held[1].append)
    wait_until(lambda: links(server, name) == 2, what="both links")
    for count in range(1, 7):
        viewer = ended.enter_context(Viewer(server.port))
        viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: len(held[0]) + len(held[1]) == count, what="the request")
    assert (len(held[0]), len(held[1])) == (1, 5)


def test_bodies_come_on_all_links(server, behind, ended, scripted):
    size = 200_000
    go = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        go.wait(60)
        connection.send(bytes(size))
        connection.ended()

    client = behind(scripted(serve).port, "--links", "4")
    all_up(client, 4)
    viewers = [ended.enter_context(Viewer(server.port, timeout_s=30)) for _ in range(4)]
    for viewer in viewers:  # one after the other, so that each finds the streams of the others open
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
    go.set()
    for viewer in viewers:
        assert viewer.exactly(size) == bytes(size)
    relays = client.proxy.relays  # one more may tell the server that the ticket is kept
    wait_until(
        lambda: sum(size < relay.passed[UP] < 1.5 * size for relay in relays) == 4,
        5,  # the proxy counts bytes after they have passed
        f"{[relay.passed[UP] for relay in relays]} bytes to be a body each",
    )


# ---- one is lost ----
def test_the_other_links_serve_while_one_is_away(server, behind, http_origin):
    client = behind(http_origin.port, "--links", "3")
    all_up(client, 3)
    last = client.proxy.relays[-1]
    client.proxy.relays = narrow = Narrow(0)  # no link comes back before thaw()
    last.reset()
    wait_until(lambda: links(server, client.name) == 2, what="the loss")
    with ThreadPoolExecutor() as pool:
        got = list(
            pool.map(
                lambda n: fetch(server.port, client.host, f"/echo/{n}", timeout_s=5).status,
                range(20),
            )
        )
    assert got == [200] * 20
    assert links(server, client.name) == 2
    narrow.thaw()
    all_up(client, 3)
    assert len(slots(server, client.name)) == 4 and client.program.stdout.count("your url is:") == 1


def test_only_requests_on_the_lost_link_are_cut(server, behind, halves, ended):
    client = behind(halves.port, "--links", "3")
    all_up(client, 3)
    viewers = [begun(ended, client) for _ in range(3)]
    client.proxy.relays[-1].reset()
    wait_until(lambda: lost(server, client.name) == 1, what="the loss")
    halves.go.set()

    def ending(viewer):
        try:
            return viewer.exactly(2)
        except (EOFError, ConnectionError):
            return "cut"

    assert sorted(map(str, map(ending, viewers))) == [str(b"lf"), str(b"lf"), "cut"]
    all_up(client, 3)


async def first_closed(sockets, count):
    """Waits until @count of the sockets are closed. Returns those."""
    waits = {asyncio.ensure_future(socket.wait_closed()) for socket in sockets}
    while sum(socket.closed for socket in sockets) < count:
        done, waits = await asyncio.wait(
            waits, timeout=5 * SLOW, return_when=asyncio.FIRST_COMPLETED
        )
        assert done, "not closed in time"
    return [socket for socket in sockets if socket.closed]


def test_only_websockets_on_the_lost_link_are_closed(server, behind, websocket_origin):
    client = behind(websocket_origin.port, "--links", "3")
    all_up(client, 3)

    async def run_sockets():
        sockets = [await connect(client) for _ in range(6)]  # two a link
        client.proxy.relays[-1].reset()
        lost_ones = await first_closed(sockets, 2)
        assert [socket.close_code for socket in lost_ones] == [GONE] * 2
        async with connect(client) as fresh:
            await echoes(fresh)
        for socket in sockets:
            if socket not in lost_ones:
                await echoes(socket)
                await socket.close()

    asyncio.run(run_sockets())
    all_up(client, 3)


def test_all_links_are_lost_at_once(server, behind, http_origin):
    """The client's network changes, and the server does not notice it. The new link of each slot
    replaces the old one."""
    client = behind(http_origin.port, "--links", "4")
    all_up(client, 4)
    client.proxy.abandon()
    server.wait_link(client.name, 8)
    wait_until(lambda: links(server, client.name) == 4, what="four links")
    assert sorted(slots(server, client.name)) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [fetch(server.port, client.host, "/echo").status for _ in range(8)] == [200] * 8


@pytest.mark.full
def test_a_link_that_dies_silently_is_noticed(new_server, behind, http_origin):
    server = new_server("--keepalive", "500ms")
    client = behind(http_origin.port, "--links", "2", "--keepalive", "500ms", server=server)
    all_up(client, 2)
    client.proxy.relays[-1].frozen.update((UP, DOWN))
    server.wait_link(client.name, 3, 20)
    all_up(client, 2)
    assert fetch(server.port, client.host, "/echo").status == 200


# ---- the server goes ----
def test_a_restarted_server_gets_all_links_again(new_server, new_client, http_origin):
    server = new_server()
    client = new_client(http_origin.port, "--links", "3", server=server)
    all_up(client, 3)
    server.restart()
    all_up(client, 3, 20)
    assert sorted(slots(server, client.name)) == [0, 1, 2]
    assert fetch(server.port, client.host, "/echo").status == 200
    assert (
        client.program.stdout.count("your url is:") == 1 and client.log.count("name_granted") == 1
    )


def test_a_new_server_takes_over_all_links_while_the_old_one_drains(
    new_server, new_client, halves, ended
):
    """Each slot attaches to the new server before it closes its link to the old one."""
    server = new_server(drain="30s")
    client = new_client(halves.port, "--links", "3", server=server)
    all_up(client, 3)
    viewers = [begun(ended, client) for _ in range(3)]
    old = server.program
    old.signal(signal.SIGTERM)
    client.program.wait_output("(link_missing|not_connected) .*reason=draining", count=3)
    server.start()
    all_up(client, 3, 20)
    assert old.running
    halves.go.set()
    assert [viewer.exactly(2) for viewer in viewers] == [b"lf"] * 3
    assert fetch(server.port, client.host).body == b"half"
    old.expect_exit(0, 10)
    assert links(server, client.name) == 3


def test_retries_are_counted_while_no_link_is_up(new_server, new_client, http_origin):
    """Only the tries of one slot count, so that several links do not use the retries up sooner."""
    server = new_server()
    client = new_client(http_origin.port, "--links", "4", "--max-retries", "3", server=server)
    all_up(client, 4)
    server.kill9()
    client.program.expect_exit(4, 30)
    assert client.log.count("giving_up") == 1 and "retries=3" in client.log
    assert len(re.findall(r"not_connected.* slot=0 ", client.log)) == 3


# ---- the client goes ----
def test_another_process_takes_over_all_links(new_server, new_client, scripted):
    server = new_server()
    first = new_client(
        scripted(lambda c: (c.request(), c.send(reply(b"first")))).port,
        "--links",
        "4",
        server=server,
    )
    all_up(first, 4)
    second = new_client(
        scripted(lambda c: (c.request(), c.send(reply(b"second")))).port,
        "--links",
        "4",
        server=server,
        name=first.name,
        state=first.state,
    )
    first.program.expect_exit(2, 15)
    assert first.log.count("name_lost") == 1 and "took it over" in first.log
    all_up(second, 4)
    assert {fetch(server.port, second.host).body for _ in range(8)} == {b"second"}
    assert second.program.running and second.url == first.url


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_leaving_says_goodbye_on_all_links(server, new_client, halves, ended, number):
    """Requests on each link may finish. Then a random name is free at once, since no link of it is
    left."""
    client = new_client(halves.port, "--links", "3", name=None)
    all_up(client, 3)
    viewers = [begun(ended, client) for _ in range(3)]
    client.program.signal(number)
    server.wait_log(rf"client_leaves.*name={client.name} ", count=3)
    assert client.program.running
    halves.go.set()
    assert [viewer.exactly(2) for viewer in viewers] == [b"lf"] * 3
    client.program.expect_exit(0)
    wait_until(
        lambda: call(server, f"/register/{client.name}", "Oneport-Exact: ?1").status == 200,
        5,
        "the name to be free",
    )


def test_leaving_while_some_links_are_still_to_come(server, new_proxy, new_client, http_origin):
    proxy = new_proxy(server.port)
    proxy.relays = Narrow(1)
    client = new_client(http_origin.port, "--links", "4", url=f"https://localhost:{proxy.port}")
    proxy.wait_relays(4)
    client.program.signal(signal.SIGINT)
    client.program.expect_exit(0)
    server.wait_log(rf"client_leaves.*name={client.name} ")
