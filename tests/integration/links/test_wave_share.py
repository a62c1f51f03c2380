# SPDX-License-Identifier: MIT
"""Tests sharing by an old client, `wave share` of H2O Wave: wave_share.py has its habits."""

import json
import select
import socket
import threading
import time

import pytest
from support import netns
from support.old_clients import (
    ANSWER,
    CLIENT,
    HEAD,
    PORT,
    STRANGER,
    VIEWER,
    Raw,
    answering,
    register_from,
)
from support.origins import accept_websocket, reply, shut, wake
from support.programs import run
from support.tokens import Tokens
from support.viewer import Broken, head
from support.wait import wait_until
from support.websocket_viewer import ACCEPT, HANDSHAKE

CLIENT6, NEIGHBOUR6, STRANGER6 = "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1"

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


# ---- sharing ----
@pytest.mark.rule("L1")
def test_requests_of_all_kinds(world):
    """Requests pass one after the other and side by side, with the fields that links have."""
    w, seen = world(), []

    def serve(connection):
        while True:
            connection.request()
            seen.append(connection.fields)
            connection.send(reply(connection.body() or b"none"))

    share = w.share(w.origin(serve), connections=4)
    for i in range(6):
        assert w.ask(share, f"/{i}").body == b"none"
    big = b"x" * 300000
    assert w.ask(share, "/up", method="POST", body=big).body == big
    assert w.ask(share, "/head", method="HEAD").status == 200
    fields = {name.lower(): value for name, value in seen[0]}
    assert fields["host"] == share.host and fields["x-forwarded-for"] == VIEWER
    assert not [name for name in fields if name.startswith("oneport-")]


@pytest.mark.rule("L1")
def test_the_number_of_sockets(world):
    """The client opens as many as it is told. The status counts them, not as links."""
    w = world("--leap-connections", "5")
    share = w.share(w.origin(answering), connections=0)
    assert share.sockets == 5
    status = w.status()
    assert status["old_sockets"] == 5 and status["links"] == 0 and status["live"] == 1
    assert w.status("/api/tunnels/app/status")["connected_sockets"] == 5


@pytest.mark.rule("L1")
@pytest.mark.parametrize("line", [b"__h2o_leap__ APP\n", b"__h2o_leap__ a b\n", b"__h2o_leap__\n"])
def test_other_lines(line, world):
    w = world()
    register_from(w)
    start = time.monotonic()
    assert Raw(w, line).end() == "closed" and time.monotonic() - start > 1.5


@pytest.mark.rule("L1")
def test_without_tls(world):
    w = world()
    register_from(w)
    viewer = w.viewer(CLIENT)
    viewer.send(b"__h2o_leap__ app\n")
    assert viewer.rest() == b"" and 'reason="no TLS"' in w.server.log


@pytest.mark.rule("L1")
def test_old_clients_off(world):
    w = world("--old-clients", "off")
    register_from(w)
    assert Raw(w).end() == "closed" and w.sockets("app") == 0


@pytest.mark.rule("L1")
def test_on_all_workers(world):
    """A socket goes to the worker that has its name."""
    w = world("--workers", "4")
    shares = [w.share(w.origin(answering), f"app-{i}", connections=6) for i in range(4)]
    for share in shares:
        assert {w.ask(share).body for _ in range(4)} == {b"here"}


# ---- who may serve ----
@pytest.mark.rule("L2")
@pytest.mark.parametrize(
    "caller, client, served",
    [
        (CLIENT, CLIENT, True),
        (CLIENT, STRANGER, False),
        (CLIENT6, NEIGHBOUR6, True),
        (CLIENT6, STRANGER6, False),
    ],
)
def test_the_address_is_the_identity(caller, client, served, world):
    """Whoever else opens sockets gets nothing, and is closed after a while."""
    w = world()
    register_from(w, source=caller)
    start, raw = time.monotonic(), Raw(w, source=client)
    if served:
        wait_until(lambda: w.sockets("app") == 1, what="the socket")
        return
    assert raw.end() == "closed" and time.monotonic() - start > 1.5
    assert w.sockets("app") == 0
    assert "another address has registered the name" in w.server.log


@pytest.mark.rule("L2")
def test_names_nobody_called_for(world):
    w = world()
    assert Raw(w).end() == "closed" and 'reason="no such name"' in w.server.log


@pytest.mark.rule("L2")
@pytest.mark.parametrize("field", ["Oneport-Exact: ?1", "Oneport-Keep: ?1"])
def test_calls_with_our_fields(field, world):
    """A name that oneport has registered is never served by sockets."""
    w = world()
    register_from(w, "app", CLIENT, field)
    assert Raw(w).end() == "closed" and w.sockets("app") == 0


@pytest.mark.rule("L3")
def test_registering_again(world):
    """The same client gets its name again, without a ticket; everybody else gets another name."""
    w = world()
    share = w.share(w.origin(answering))
    again = register_from(w)
    assert again["id"] == "app" and again["max_conn_count"] == 32 and "ticket" not in again
    assert register_from(w, source=STRANGER)["id"] != "app"
    share.process.kill()
    wait_until(lambda: w.sockets("app") == 0, what="the end of the sockets")
    assert register_from(w, source=STRANGER)["id"] != "app"
    assert w.share(w.origin(answering)).id == "app"


@pytest.mark.rule("L4")
def test_what_comes_first(world):
    """A name is served by links alone once one has attached; the name of sockets is refused
    to links."""
    w = world()
    tls = w.server.certificate.client_context(["http/1.1"])

    def ticket(name):
        got = w.ended.enter_context(w.here.viewer(CLIENT, PORT, tls))
        return got.get("localhost", f"/register/{name}").json()["ticket"]

    def attach(name, held):
        got = w.ended.enter_context(w.here.viewer(CLIENT, PORT, tls))
        return got.get(
            "localhost",
            f"/tunnel/{name}",
            *("Connection: upgrade", "Upgrade: ptth", "ALPN: h2"),
            f"Authorization: Bearer {held}",
        )

    held = ticket("first")
    assert attach("first", held).status == 101
    assert Raw(w, b"__h2o_leap__ first\n").end() == "closed"
    assert "the name is that of a ticket" in w.server.log
    held = ticket("second")
    Raw(w, b"__h2o_leap__ second\n")
    wait_until(lambda: w.sockets("second") == 1, what="the socket")
    refused = attach("second", held)
    assert refused.status == 409 and refused.json()["error"] == "name_taken"


# ---- who may serve no more ----
@pytest.fixture
def served(world, tmp_path):
    """Returns a world with tokens and a board, and the double that shares app."""
    tokens = Tokens(tmp_path / "tokens")
    tokens.write("leap names=app,other")
    w = world("--admin", f"unix:{tmp_path}/board", "--tokens", tokens.path)
    w.tokens = tokens
    return w, w.share(w.origin(answering))


@pytest.mark.rule("L18")
@pytest.mark.parametrize("what", ["app", f"{CLIENT}/32"], ids=["name", "network"])
def test_a_ban(what, served, tmp_path):
    """The sockets end, and come back only to be refused."""
    w, share = served
    ctl = ("oneportd", "ctl", "--admin", f"unix:{tmp_path}/board")
    assert w.ask(share).body == b"here"

    def row():
        return json.loads(run(*ctl, "tunnels", "--json")[1])["tunnels"][0]

    wait_until(lambda: row()["old_sockets"] == 2, what="both sockets on the board")
    assert row()["links"] == []
    code, said, _ = run(*ctl, "ban", what, "1h")
    assert code == 0 and w.sockets("app") == 0, said
    w.server.wait_log('old_client_refused.*reason="the operator has shut it out"')
    assert w.ask(share).status != 200
    if what != "app":
        assert w.share(w.origin(answering), "other", source=STRANGER).id == "other"


@pytest.mark.rule("L18")
def test_a_name_that_is_permitted_no_more(served):
    w, share = served
    w.tokens.reload(w.server, "leap names=other")
    share.wait_output(r"^again$", stream="stdout", count=2)
    w.server.wait_log('old_client_refused.*reason="only who has a token may share this name"')
    assert w.sockets("app") == 0 and w.ask(share).status != 200


# ---- how sockets end ----
@pytest.mark.rule("L5")
def test_a_socket_that_has_served_is_opened_anew(world):
    """It is reset after a rest, since the service may close its connection unseen."""
    w = world()
    share = w.share(w.origin(answering))
    assert w.ask(share).body == b"here"
    share.wait_output(r"^again$", stream="stdout")
    share.wait_output(r"^open$", stream="stdout", count=3)
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")
    assert w.ask(share).body == b"here" and share.count("lost") == 0


@pytest.mark.rule("L5")
def test_one_after_the_other(world):
    """Several worn sockets are never away at the same time."""
    w = world()
    gate = threading.Barrier(6)

    def serve(connection):
        while True:
            connection.request()
            gate.wait(20)
            connection.send(ANSWER)

    share = w.share(w.origin(serve), connections=8)
    viewers = [w.viewer() for _ in range(6)]
    for viewer in viewers:
        viewer.send(HEAD)
    assert {viewer.response().body for viewer in viewers} == {b"here"}
    least = 8
    while share.count("again") < 6:
        least = min(least, w.sockets("app"))
    assert least >= 7


@pytest.mark.rule("L6")
def test_a_service_that_is_down(world):
    """One socket is lost by finding out, no more; viewers are told. When the service is back the
    others are healed."""
    w = world()
    origin = w.origin(answering)
    share = w.share(origin, connections=4)
    assert w.ask(share).body == b"here"
    shut(origin.listener)
    for connection in origin.connections:
        wake(connection.socket)
    w.server.program.wait_output(r"old_client_without_service name=app", 20)
    assert w.ask(share).status == 502
    assert w.ask(share).json()["error"] == "connection_refused"
    assert share.count("lost") == 1
    with w.here.inside():
        back = socket.create_server(("127.0.0.1", origin.port), backlog=64)
    w.ended.callback(shut, back)
    origin.listener = back
    threading.Thread(target=origin._accept, daemon=True).start()
    wait_until(lambda: w.ask(share).status == 200, 30, "the service's return")
    share.wait_output(r"^open$", stream="stdout", count=4 + 3, deadline_s=20)
    assert share.count("lost") == 1


@pytest.mark.rule("L7")
def test_connection_close(world):
    """Behind `Connection: close` a socket serves no more, and is opened anew."""
    w = world()

    def serve(connection):
        connection.request()
        connection.send(reply(b"bye", "Connection: close"))

    share = w.share(w.origin(serve), connections=2)
    for _ in range(6):
        assert w.ask(share).body == b"bye"
    assert share.count("lost") == 0


@pytest.mark.rule("L7")
def test_an_answer_that_only_the_close_ends(world):
    """Its end reaches nobody. The viewer sees that the answer broke off, and the log says why."""
    w = world("--idle-timeout", "1s")

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    share = w.share(w.origin(serve))
    with pytest.raises(Broken) as broken:
        w.ask(share)
    assert broken.value.response.body == b"all of it"
    w.server.program.wait_output(r"old_client_answer_without_end name=app")
    share.wait_output(r"^open$", stream="stdout", count=3)


@pytest.mark.rule("L8")
@pytest.mark.parametrize("method, body, again", [("GET", b"", True), ("POST", b"x", False)])
def test_a_socket_that_ends_without_an_answer(method, body, again, world):
    w = world()
    register_from(w)
    raws = [Raw(w) for _ in range(2)]
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")
    viewer = w.viewer()
    got = []
    asking = threading.Thread(
        target=lambda: got.append(viewer.get("app.localhost", method=method, body=body))
    )
    asking.start()
    ready = select.select([raw.socket for raw in raws], [], [], 20)[0]
    first = next(raw for raw in raws if raw.socket in ready)
    first.request()
    first.reset()
    if again:
        other = next(raw for raw in raws if raw is not first)
        other.request()
        other.answer()
    asking.join(20)
    assert got[0].status == (200 if again else 502)


@pytest.mark.rule("L8", "L16")
def test_a_silent_socket_that_has_rested(world):
    """Its service is gone unseen: its client ends it, and the request goes to one that is opened
    anew."""
    w = world()
    origin = w.origin(answering)
    share = w.share(origin, connections=2)
    for connection in list(origin.connections):
        wake(connection.socket)  # the service closes what it has, as at a restart
    time.sleep(1.2)  # a socket is doubted that has rested for 1 s
    assert w.ask(share).body == b"here"
    assert share.count("lost") == 0


def asked(w, request):
    """Sends @request by one of two sockets that are doubted. Returns the viewer, the socket that
    got it and the other one."""
    register_from(w)
    raws = [Raw(w) for _ in range(2)]
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")
    time.sleep(1.2)  # a socket is doubted that has rested for 1 s
    viewer = w.viewer()
    viewer.send(request)
    ready = select.select([raw.socket for raw in raws], [], [], 20)[0]
    first = next(raw for raw in raws if raw.socket in ready)
    first.request()
    return viewer, first, next(raw for raw in raws if raw is not first)


@pytest.mark.rule("L16")
def test_a_slow_answer_is_asked_for_once(world):
    """A silent socket gets empty lines, and its client does not end it: the service is slow. No
    other socket gets the request. The service may answer to the empty lines too, so the socket
    serves no more."""
    w = world()
    viewer, slow, other = asked(w, HEAD)
    assert slow.viewer.exactly(6) == b"\r\n" * 3
    assert not select.select([other.socket], [], [], 0)[0]
    slow.answer(ANSWER + reply(b"what?"))
    assert viewer.response().body == b"here"
    assert slow.end() == "reset"
    viewer.send(HEAD)
    other.request()
    other.answer()
    assert viewer.response().body == b"here"


@pytest.mark.rule("L16")
def test_what_may_not_be_asked_again(world):
    """A POST on a socket whose service is gone fails soon, and goes to no other one."""
    w = world()
    post = HEAD.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
    viewer, gone, other = asked(w, post)
    assert gone.viewer.exactly(2) == b"\r\n"
    gone.socket.close()
    assert viewer.response().status == 502
    back = Raw(w)
    assert other.end() == "reset", "it has rested as long, and got nothing"
    assert not select.select([back.socket], [], [], 0)[0]


@pytest.mark.rule("L16")
def test_a_handshake_gets_no_empty_line(world):
    """It would be a frame to the service; another socket gets the handshake."""
    w = world()
    viewer, gone, other = asked(w, head("GET", "/ws", "app.localhost", *HANDSHAKE))
    assert other.end() == "reset", "it has rested as long"
    back = Raw(w)
    back.request()
    assert gone.end() == "reset"


# ---- many requests ----
@pytest.mark.rule("L9")
def test_all_sockets_are_busy(world):
    """A request waits for --hold, and is told how many sockets there are. One that is free in time
    serves it."""
    w = world("--hold", "1s")
    go = threading.Event()

    def serve(connection):
        while True:
            connection.request()
            go.wait(30)
            connection.send(ANSWER)

    share = w.share(w.origin(serve), connections=2)
    busy = [w.viewer(f"10.9.4.{i}") for i in range(2)]
    for viewer in busy:
        viewer.send(HEAD)
    wait_until(lambda: w.status()["requests"] >= 2, what="two requests")
    refused = w.ask(share)
    assert refused.status == 503 and "2 sockets" in refused.json()["message"]
    assert "The oneport client has no such limit" in refused.json()["message"]
    waiting = w.viewer("10.9.4.9")
    waiting.send(HEAD)
    go.set()
    assert waiting.response().body == b"here"


@pytest.mark.rule("L9")
def test_more_sockets_than_allowed(world):
    """The oldest is closed by FIN, so that its client does not open it again."""
    w = world("--leap-connections", "2")
    register_from(w)
    raws = []
    for count in (1, 2, 2):
        raws.append(Raw(w))
        wait_until(lambda: w.server.log.count("old_client") and w.sockets("app") == count)
    assert raws[0].end() == "closed"
    assert w.sockets("app") == 2


@pytest.mark.rule("L10")
def test_a_websocket_keeps_its_socket(world):
    """It passes both ways, and ends towards the viewer behind the service's Close, although the
    service's end itself reaches nobody. The socket is opened anew."""
    w = world()

    def serve(connection):
        accept_websocket(connection)
        while True:
            head = connection.exactly(2)
            mask, size = connection.exactly(4), head[1] & 127
            data = bytes(a ^ mask[i % 4] for i, a in enumerate(connection.exactly(size)))
            connection.send(bytes([head[0], size]) + data)
            if head[0] & 15 == 8:
                return

    share = w.share(w.origin(serve), connections=2)
    viewer = w.viewer()
    opened = viewer.get("app.localhost", "/ws", *HANDSHAKE)
    assert opened.get("Sec-WebSocket-Accept") == ACCEPT
    viewer.send(b"\x81\x85\0\0\0\0hello")
    assert viewer.exactly(7) == b"\x81\x05hello"
    viewer.send(b"\x88\x82\0\0\0\0\x03\xe8")
    assert viewer.exactly(4) == b"\x88\x02\x03\xe8" and viewer.rest() == b""
    viewer.close()
    share.wait_output(r"^open$", stream="stdout", count=3)
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")


@pytest.mark.rule("L10")
def test_a_wrong_handshake(world):
    """200 opens no WebSocket."""
    w = world()
    share = w.share(w.origin(answering))
    viewer = w.viewer()
    got = viewer.get(share.host, "/ws", *HANDSHAKE)
    assert got.status == 502 and got.json()["error"] == "http_upgrade_failed"
