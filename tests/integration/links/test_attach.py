# SPDX-License-Identifier: MIT
"""Tests register and attach as protocol.md#register and protocol.md#attach describe them: names,
tickets, refusals and takeovers. The tests use raw requests and python3-h2."""

import base64
import contextlib
import json
import queue
import re
import stat
import time

import pytest
from h2.settings import SettingCodes
from support.foreign import (
    EMPTY_SETTINGS,
    PREFACE,
    ForeignLink,
    attach,
    call,
    lost,
    proxied,
    refusal,
    register,
)
from support.programs import SLOW, stable
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE

OLD_FIELDS = {"id", "url", "port", "max_conn_count"}


@pytest.fixture
def foreign(ended, server):
    """Returns foreign(name, ticket, ...), which opens a link to the file's server with
    python3-h2."""

    def start(*given, to=server, **keywords):
        return ended.enter_context(contextlib.closing(ForeignLink(to, *given, **keywords)))

    return start


# ---- register ----
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_random_names(server, method):
    got = call(server, "/register", method=method)
    assert got.status == 200
    assert (
        got.get("Content-Type").startswith("application/json")
        and got.get("Cache-Control") == "no-store"
    )
    answer = got.json()
    assert re.fullmatch(r"[a-z]+-[a-z]+-[0-9]+", answer["id"])
    assert answer["url"] == f"https://{answer['id']}.localhost:{server.port}"
    assert (answer["port"], answer["max_conn_count"]) == (server.port, 32)


def test_random_names_differ(server):
    assert len({register(server)["id"] for _ in range(50)}) == 50


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_names_asked_for(server, name, method):
    got = call(server, f"/register/{name}", method=method)
    assert (got.status, got.json()["id"]) == (200, name)


def test_names_are_lower_case(server, name):
    assert register(server, name.upper())["id"] == name


def test_the_whole_answer(server, name):
    answer = register(server, name)
    assert OLD_FIELDS | {"ticket", "attach", "expires", "limits"} == set(answer)
    assert answer["attach"] == f"https://localhost:{server.port}/tunnel/{name}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["expires"])
    assert answer["limits"] == {"streams": 20000, "links": 4, "hold_ms": 4000}


def test_the_ticket_has_the_claims_of_the_protocol(server, name):
    claims, signature = register(server, name)["ticket"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert (claims["v"], claims["dom"], claims["name"]) == (1, "localhost", name)
    assert {"kid", "owner", "since", "exp"} <= set(claims)
    assert len(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))) == 32


def test_the_secret_is_nobody_elses(server):
    mode = (server.directory / "state" / "secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


BAD_NAMES = [
    "ab",
    "-abc",
    "abc-",
    "a_b_c",
    "a" * 64,
    "a.b.c",
    "abc%20d",
    "www",
    "api",
    "register",
    "tunnel",
    "admin",
    "oneport",
]


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_malformed_and_reserved_names(server, bad):
    got = call(server, f"/register/{bad}")
    assert got.status == 403
    assert got.json()["error"] == "invalid_name" and got.json()["message"]


def test_shortest_and_longest_names(server):
    assert {register(server, good)["id"] for good in ("a1b", "z" * 63)} == {"a1b", "z" * 63}


def test_default_ports_are_not_printed(server, name):
    answer = call(server, f"/register/{name}", host="localhost").json()
    assert (answer["url"], answer["port"]) == (f"https://{name}.localhost", 443)
    assert answer["attach"] == f"https://localhost/tunnel/{name}"


def test_base_urls_are_what_was_configured(new_server, name):
    server = new_server(
        "--public-url", "http://localhost:8080", "--attach-url", "https://localhost:8443"
    )
    answer = register(server, name)
    assert answer["url"] == f"http://{name}.localhost:8080"
    assert (answer["attach"], answer["port"]) == (f"https://localhost:8443/tunnel/{name}", 8443)


def test_behind_a_proxy_the_scheme_is_the_proxys(server, name):
    answer = call(
        server, f"/register/{name}", *proxied("https"), secure=False, host="localhost"
    ).json()
    assert answer["url"] == f"https://{name}.localhost" and answer["ticket"]


@pytest.mark.rule("O13")
def test_an_insecure_call_gets_the_four_old_fields(server, name):
    got = call(server, f"/register/{name}", *proxied("http"), secure=False)
    assert (got.status, set(got.json())) == (200, OLD_FIELDS)


def test_loopback_is_secure_and_attach_is_https_all_the_same(server, name):
    answer = call(server, f"/register/{name}", secure=False).json()
    assert answer["ticket"] and answer["attach"].startswith("https://")


@pytest.mark.rule("O13")
@pytest.mark.parametrize("secret", ["Authorization: Bearer abc", "Oneport-Ticket: abc"])
def test_secrets_on_an_insecure_call_are_refused(server, name, secret):
    got = call(server, f"/register/{name}", secret, *proxied("http"), secure=False)
    assert (got.status, got.json()["error"]) == (403, "tls_required")


# ---- who holds a name ----
@pytest.mark.rule("O1", "O16")
def test_a_registered_name_is_taken(server, name):
    register(server, name)
    exact = call(server, f"/register/{name}", "Oneport-Exact: ?1")
    assert (exact.status, exact.json()["error"]) == (409, "name_taken")
    assert isinstance(exact.json()["retry_after"], int) and exact.json()["message"]
    assert register(server, name)["id"] != name  # as the old server does


@pytest.mark.rule("O18")
def test_a_ticket_keeps_its_name_and_owner(server, name):
    first = register(server, name)
    again = register(server, name, f"Oneport-Ticket: {first['ticket']}", "Oneport-Exact: ?1")
    assert again["id"] == name
    owners = [
        json.loads(base64.urlsafe_b64decode(answer["ticket"].split(".")[0] + "=="))
        for answer in (first, again)
    ]
    assert owners[0]["owner"] == owners[1]["owner"] and owners[0]["since"] == owners[1]["since"]


def changed(ticket):
    claims, signature = ticket.split(".")
    return f"{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def claiming(ticket, **claims):
    """Returns the ticket with other claims and the old signature."""
    old, signature = ticket.split(".")
    new = {**json.loads(base64.urlsafe_b64decode(old + "==")), **claims}
    return base64.urlsafe_b64encode(json.dumps(new).encode()).decode().rstrip("=") + "." + signature


@pytest.mark.rule("O15")
def test_bad_tickets_at_register(server, name):
    ticket = register(server, name)["ticket"]
    other = register(server)["ticket"]
    for bad in (changed(ticket), claiming(ticket, exp=2**40), other, "abc", "a.b", "."):
        got = call(server, f"/register/{name}", f"Oneport-Ticket: {bad}")
        assert (got.status, got.json()["error"]) == (403, "bad_ticket"), bad


@pytest.mark.rule("O14")
def test_an_expired_ticket_registers_but_does_not_attach(new_server, name, foreign):
    server = new_server("--ticket-life", "1s")
    old = register(server, name)["ticket"]
    wait_until(lambda: refusal_status(server, name, old) == 401, 5, "the ticket to expire")
    fresh = register(server, name, f"Oneport-Ticket: {old}", "Oneport-Exact: ?1")
    assert fresh["id"] == name
    foreign(name, fresh["ticket"], to=server)


def refusal_status(server, name, ticket):
    viewer, got = attach(server, name, ticket)
    viewer.close()
    return got.status


@pytest.mark.rule("O2", "O4")
def test_a_name_that_was_given_up_belongs_to_the_next(new_server, name, foreign):
    """A ticket proves who its owner is. It gives no right to a name that another owner holds
    now."""
    server = new_server("--name-grace", "200ms")
    first = register(server, name)
    held = foreign(name, first["ticket"], to=server)
    # Before the link is up the name is pending, which lasts longer than the grace.
    wait_until(lambda: links(server, name) == 1)
    held.close()
    second = wait_until(lambda: exactly(server, name), 5, "the name to be free")
    link = foreign(name, second["ticket"], to=server)
    assert refusal(server, name, first["ticket"]).json()["error"] == "name_taken"
    taken = call(
        server, f"/register/{name}", f"Oneport-Ticket: {first['ticket']}", "Oneport-Exact: ?1"
    )
    assert (taken.status, taken.json()["error"]) == (409, "name_taken")
    wait_until(lambda: links(server, name) == 1)
    assert fetch(server.port, f"{name}.localhost").status == 200
    assert link.requests


def exactly(server, name):
    got = call(server, f"/register/{name}", "Oneport-Exact: ?1")
    return got.json() if got.status == 200 else None


@pytest.mark.rule("O5")
def test_a_ticket_outlives_the_server(new_server, name, foreign):
    server = new_server()
    ticket = register(server, name)["ticket"]
    server.restart()
    foreign(name, ticket, to=server)
    wait_until(lambda: links(server, name) == 1)


@pytest.mark.rule("O5")
def test_no_stranger_slips_in_after_a_restart(new_server, name, foreign):
    server = new_server()
    ticket = register(server, name)["ticket"]
    link = foreign(name, ticket, to=server)
    wait_until(lambda: name in server.saved_names, 5, "the name to be saved")
    server.restart()
    link.close()
    assert call(server, f"/register/{name}", "Oneport-Exact: ?1").status == 409
    foreign(name, ticket, to=server)


@pytest.mark.rule("O15")
def test_a_server_with_another_secret_refuses_the_ticket(server, new_server, name):
    ticket = register(server, name)["ticket"]
    assert refusal(new_server(), name, ticket).json()["error"] == "bad_ticket"


# ---- attach ----
def test_the_answer_to_attach(server, name):
    viewer, got = attach(server, name, register(server, name)["ticket"])
    with viewer:
        assert (got.status, got.get("Upgrade"), got.get("ALPN")) == (101, "ptth", "h2")
        assert got.get("Connection").lower() == "upgrade"
        assert viewer.socket.selected_alpn_protocol() == "http/1.1"
        assert viewer.exactly(len(PREFACE)) == PREFACE
        length, kind = int.from_bytes(viewer.exactly(3), "big"), viewer.exactly(1)
        assert kind == b"\x04" and length % 6 == 0  # SETTINGS


REFUSALS = [
    # fields instead of the usual ones, status
    (["Connection: upgrade", "Upgrade: ptth"], 400),
    (["Connection: upgrade", "Upgrade: ptth", "ALPN: http%2F1.1"], 400),
    (["ALPN: h2"], 426),
    (["Connection: upgrade", "ALPN: h2"], 426),
    (["Connection: upgrade", "Upgrade: websocket", "ALPN: h2"], 426),
]


@pytest.mark.parametrize(
    "fields,status", REFUSALS, ids=["no ALPN", "no h2", "no upgrade", "no Upgrade", "websocket"]
)
def test_a_malformed_attach_is_refused(server, name, fields, status):
    got = refusal(server, name, register(server, name)["ticket"], base=fields)
    assert got.status == status
    assert got.json()["error"] and got.json()["message"]


def test_a_list_of_protocols_may_be_offered(server, name):
    viewer, got = attach(
        server,
        name,
        register(server, name)["ticket"],
        base=["Connection: upgrade", "Upgrade: ptth", "ALPN: http%2F1.1, h2"],
    )
    viewer.close()
    assert (got.status, got.get("ALPN")) == (101, "h2")


@pytest.mark.rule("O15")
def test_attach_without_right(server, name):
    ticket = register(server, name)["ticket"]
    other = register(server)["ticket"]
    assert refusal(server, name, None).status == 401
    for bad in (changed(ticket), claiming(ticket, name="other"), other, "abc", "."):
        got = refusal(server, name, bad)
        assert (got.status, got.json()["error"]) == (403, "bad_ticket"), bad


@pytest.mark.rule("O13")
def test_attach_over_an_insecure_proxy(server, name):
    got = refusal(server, name, register(server, name)["ticket"], *proxied("http"), secure=False)
    assert (got.status, got.json()["error"]) == (403, "tls_required")


@pytest.mark.parametrize("path", ["", "a/b"])
def test_attach_elsewhere(server, path):
    assert refusal(server, path, register(server)["ticket"]).status == 404


@pytest.mark.parametrize(
    "fields", [[f"X-{n}: a" for n in range(40)], ["X-A: " + "a" * 9000]], ids=["fields", "bytes"]
)
def test_the_head_of_an_attach_is_small(server, name, fields):
    got = refusal(server, name, register(server, name)["ticket"], *fields)
    assert (got.status, got.json()["error"]) == (431, "head_too_large")


@pytest.mark.parametrize(
    "begun", [b"", bytes([0x16, 3, 1, 2, 0, 1])], ids=["nothing", "half a record"]
)
def test_a_handshake_that_is_not_finished_is_given_up(new_server, begun):
    """The server closes the connection and frees its descriptor after --attach-timeout, or after
    --head-timeout if the handshake has not begun."""
    server = new_server("--attach-timeout", "400ms", "--head-timeout", "600ms")
    before = stable(server.fds)
    with Viewer(server.port) as viewer:
        start = time.monotonic()
        viewer.send(begun)
        assert viewer.rest() == b""
        assert 0.39 < time.monotonic() - start < (0.6 if not begun else 0.4) + 0.6 * SLOW
        wait_until(lambda: server.fds() <= before, what="its descriptor")


def test_half_an_attach_request_has_less_time_than_a_viewers(new_server, name):
    """A half attach request is given up after --attach-timeout. A half request of a viewer is
    given up after --head-timeout, on the base domain too. A request that is complete in time is
    served."""
    server = new_server("--attach-timeout", "500ms", "--head-timeout", "1300ms")
    start, half = time.monotonic(), f"Host: localhost:{server.port}\r\nConnection: upg"
    with contextlib.ExitStack() as stack:
        link, viewer, caller, slow = (stack.enter_context(Viewer(server.port)) for _ in range(4))
        link.send(f"GET /tunnel/{name} HTTP/1.1\r\n{half}")
        viewer.send(f"GET / HTTP/1.1\r\n{half}")
        caller.send("GET /tunne")
        slow.send("GET /health")
        assert link.response().status == 408 and 0.45 < time.monotonic() - start < 1.25
        wait_until(lambda: time.monotonic() - start > 0.6, what="the time of an attach to pass")
        slow.send(f"z HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n")
        assert slow.response().status == 200
        for one in (viewer, caller):
            assert (
                one.response().status == 408 and 1.25 < time.monotonic() - start < 1.3 + 1.2 * SLOW
            )


def test_bytes_behind_the_head_belong_to_http2(server, name):
    viewer, got = attach(server, name, register(server, name)["ticket"], behind=EMPTY_SETTINGS)
    with viewer:
        assert got.status == 101
        wait_until(
            lambda: links(server, name) == 1, what="the link, by the SETTINGS that came early"
        )


def test_a_link_is_up_with_its_first_settings(server, name, foreign):
    link = foreign(name, lost(server, name), start=False)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert viewer.silent_for(0.3), "not held"
        link.start()
        assert viewer.response().body == b"hello from a stranger"


@pytest.mark.parametrize(
    "options,seconds",
    [(["--attach-timeout", "500ms"], 0.5), pytest.param([], 10, marks=pytest.mark.full)],
)
def test_a_link_without_settings_is_closed(new_server, name, foreign, options, seconds):
    server = new_server(*options)
    start = time.monotonic()
    link = foreign(name, register(server, name)["ticket"], to=server, start=False)
    link.connection.socket.settimeout(15)
    link.connection.ended()
    assert 0.95 * seconds < time.monotonic() - start < seconds + 0.7 * SLOW
    assert links(server, name) == 0


# ---- what a stranger receives ----
@pytest.mark.rule("H4")
def test_the_request_as_http2(server, name, foreign):
    link = foreign(name, register(server, name)["ticket"])
    got = fetch(server.port, f"{name}.localhost:{server.port}", "/a?b", "X-Own: 1", "Cookie: a=1")
    assert (got.status, got.body) == (200, b"hello from a stranger")
    request = link.requests[0]
    assert set(list(request)[:4]) == {":method", ":scheme", ":authority", ":path"}
    assert (request[":method"], request[":scheme"], request[":path"]) == ("GET", "http", "/a?b")
    assert request[":authority"] == f"{name}.localhost:{server.port}" and "host" not in request
    assert (request["x-own"], request["cookie"]) == ("1", "a=1")
    assert {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"} <= set(request)


@pytest.mark.rule("W3")
def test_a_websocket_as_http2(server, name, foreign):
    def echo(stream):
        stream.on_data = lambda data: (
            stream.link.h2.send_data(stream.number, data),
            stream.link.flush(),
        )
        stream.link.h2.send_headers(stream.number, [(":status", "200")])

    link = foreign(name, register(server, name)["ticket"], serve=echo)
    with Viewer(server.port) as viewer:
        assert (
            viewer.get(
                f"{name}.localhost", "/ws", *HANDSHAKE, "Sec-WebSocket-Protocol: chat"
            ).status
            == 101
        )
        viewer.send(b"some bytes")
        assert viewer.exactly(10) == b"some bytes"
    request = link.requests[0]
    assert (request[":method"], request[":protocol"], request[":path"]) == (
        "CONNECT",
        "websocket",
        "/ws",
    )
    assert request["sec-websocket-protocol"] == "chat" and request["sec-websocket-version"] == "13"
    assert not {"sec-websocket-key", "upgrade", "connection"} & set(request)


@pytest.mark.rule("F6")
def test_a_refused_stream_is_503(server, name, foreign):
    foreign(name, register(server, name)["ticket"], serve=lambda stream: stream.reset(7))
    got = fetch(server.port, f"{name}.localhost")
    assert got.status == 503 and got.get("Proxy-Status")


@pytest.mark.rule("F6")
def test_another_reset_is_502(server, name, foreign):
    foreign(name, register(server, name)["ticket"], serve=lambda stream: stream.reset(2))
    got = fetch(server.port, f"{name}.localhost")
    assert got.status == 502 and got.get("Proxy-Status")


@pytest.mark.rule("F3")
def test_more_requests_than_the_link_takes(server, name, foreign):
    """The link takes two streams, and both are busy. The third request waits for a second and gets
    an error, so that nobody hangs."""
    held = []
    foreign(
        name,
        register(server, name)["ticket"],
        serve=held.append,
        settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2},
    )
    with Viewer(server.port) as one, Viewer(server.port) as two:
        for viewer in (one, two):
            viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: len(held) == 2, what="two streams")
        got = fetch(server.port, f"{name}.localhost", timeout_s=5)
        assert got.status == 503 and "connection_limit_reached" in got.get("Proxy-Status")
        for stream in held:
            with stream.link.lock:
                stream.answer(200, b"at last")
        assert one.response().body == two.response().body == b"at last"


def test_failures_that_a_client_reports_become_our_page(server, name, foreign):
    fields = [
        ("proxy-status", "oneport; error=connection_refused"),
        ("oneport-error", "connection_refused"),
    ]
    foreign(
        name,
        register(server, name)["ticket"],
        serve=lambda stream: stream.answer(502, b"", *fields),
    )
    got = fetch(server.port, f"{name}.localhost", "/", "Accept: text/html")
    assert got.status == 502 and got.get("Content-Type").startswith("text/html")
    assert "connection_refused" in got.get("Proxy-Status") and got.get("Oneport-Error") is None


# ---- several links of one name ----
def instance(number, link=0):
    return [f"Oneport-Instance: {number:032x}", f"Oneport-Link: {link}"]


def says(word):
    return lambda stream: stream.answer(200, word)


@pytest.mark.rule("O9")
def test_another_instance_takes_over(server, name, foreign):
    ticket = register(server, name)["ticket"]
    first = foreign(name, ticket, *instance(1), serve=says(b"first"))
    wait_until(
        lambda: fetch(server.port, f"{name}.localhost").body == b"first", what="the first one"
    )
    foreign(name, ticket, *instance(2), serve=says(b"second"))
    assert first.goaways.get(timeout=5) == b"taken_over"
    assert {fetch(server.port, f"{name}.localhost").body for _ in range(5)} == {b"second"}


@pytest.mark.rule("O11")
def test_links_without_instance_are_instances_of_their_own(server, name, foreign):
    ticket = register(server, name)["ticket"]
    first = foreign(name, ticket, serve=says(b"first"))
    wait_until(lambda: links(server, name) == 1)
    foreign(name, ticket, serve=says(b"second"))
    assert first.goaways.get(timeout=5) == b"taken_over"


@pytest.mark.rule("O7")
def test_the_same_instance_may_have_four_links(server, name, foreign):
    ticket = register(server, name)["ticket"]
    opened = [foreign(name, ticket, *instance(1, slot)) for slot in range(4)]
    wait_until(lambda: links(server, name) == 4, what="four links")
    assert refusal(server, name, ticket, *instance(1, 4)).status in (400, 429)
    for _ in range(40):
        assert fetch(server.port, f"{name}.localhost").status == 200
    with pytest.raises(queue.Empty):
        opened[0].goaways.get_nowait()


@pytest.mark.rule("O8")
def test_the_same_slot_replaces(server, name, foreign):
    """New streams go to the new link. The server ends the silent old one after two seconds."""
    ticket = register(server, name)["ticket"]
    first = foreign(name, ticket, *instance(1), serve=says(b"first"))
    wait_until(
        lambda: fetch(server.port, f"{name}.localhost").body == b"first", what="the first one"
    )
    foreign(name, ticket, *instance(1), serve=says(b"second"))
    wait_until(
        lambda: fetch(server.port, f"{name}.localhost").body == b"second", 5, "the second one"
    )
    seen = len(first.requests)
    assert {fetch(server.port, f"{name}.localhost").body for _ in range(5)} == {b"second"}
    assert len(first.requests) == seen


@pytest.mark.rule("O10")
def test_pools_share_the_requests(server, name, foreign):
    ticket = register(server, name)["ticket"]
    both = [foreign(name, ticket, *instance(number), "Oneport-Pool: ?1") for number in (1, 2)]
    wait_until(lambda: links(server, name) == 2, what="both links")
    busy = [fetch(server.port, f"{name}.localhost").status for _ in range(40)]
    assert set(busy) == {200}
    assert all(link.goaways.empty() for link in both)


@pytest.mark.rule("O12")
def test_flapping_is_stopped(new_server, name, foreign):
    server = new_server()
    ticket = register(server, name)["ticket"]
    previous = None
    for number in range(6):  # the first one takes nothing over, so there are five takeovers
        link = foreign(name, ticket, *instance(number), to=server)
        if previous:
            assert previous.goaways.get(timeout=5) == b"taken_over"
        previous = link
        wait_until(lambda: links(server, name) >= 1)
    got = refusal(server, name, ticket, *instance(7))
    assert (got.status, got.json()["error"]) == (409, "flapping")
    assert int(got.get("Retry-After")) > 0
    assert fetch(server.port, f"{name}.localhost").status == 200  # whoever is there stays
    assert "name_flapping" in server.log


@pytest.mark.rule("O19")
def test_a_stranger_never_gets_the_viewers_of_another(server, name, foreign):
    """The owner gets the requests, whatever the stranger tries."""
    owner = foreign(name, register(server, name)["ticket"], serve=says(b"owner"))
    wait_until(lambda: links(server, name) == 1)
    stranger = register(server)
    for ticket in (stranger["ticket"], claiming(stranger["ticket"], name=name), None):
        assert refusal(server, name, ticket).status in (401, 403)
    call(server, f"/register/{name}")
    assert {fetch(server.port, f"{name}.localhost").body for _ in range(3)} == {b"owner"}
    assert len(owner.requests) == 3
