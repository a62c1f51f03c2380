# SPDX-License-Identifier: MIT
"""Tests who owns a name (the O rules): strangers, graces, restarts with and without the saved
names, slots, takeovers and expired tickets."""

import contextlib
import threading
import time

import pytest
from support.foreign import ForeignLink, attach, call, proxied, refusal, register
from support.frames import ENHANCE_YOUR_CALM
from support.origins import reply
from support.programs import SLOW
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until

A, B = "a" * 32, "b" * 32


@pytest.fixture
def foreign(ended):
    """Returns foreign(server, name, ticket, ...), which opens a link with python3-h2 and waits
    until it is up."""

    def start(server, name, ticket, *given, **keywords):
        up = server.log.count(f"link_up name={name} ")
        link = ended.enter_context(
            contextlib.closing(ForeignLink(server, name, ticket, *given, **keywords))
        )
        server.wait_link(name, up + 1)
        return link

    return start


def at(instance, slot=0):
    return [f"Oneport-Instance: {instance}", f"Oneport-Link: {slot}"]


def says(word):
    return lambda stream: stream.answer(200, word)


def body(server, name):
    return fetch(server.port, f"{name}.localhost").body


def taken(server, name, *fields):
    """Asks for exactly this name. Returns None if the server grants it, otherwise the error of the
    refusal."""
    got = call(server, f"/register/{name}", "Oneport-Exact: ?1", *fields)
    return None if got.status == 200 else got.json()["error"]


def names_file(server, name):
    wait_until(lambda: name in server.saved_names, 5, "the name to be saved")
    return server.directory / "state" / "names"


# ---- pending, grace, restart ----
@pytest.mark.rule("O1", "O3")
def test_a_registered_name_waits_for_its_link_and_is_free_then(new_server, name):
    server = new_server("--name-pending", "1s")
    ticket = register(server, name)["ticket"]
    assert taken(server, name) == "name_taken"
    wait_until(lambda: taken(server, name) is None, 5 * SLOW, "the name to be free")
    assert refusal(server, name, ticket).json()["error"] == "name_taken"


@pytest.mark.rule("O1", "O2", "O4")
def test_a_name_in_grace_is_its_owners_alone(new_server, name, foreign):
    server = new_server("--name-grace", "1m", "--hold", "200ms")
    ticket = register(server, name)["ticket"]
    foreign(server, name, ticket).close()
    wait_until(lambda: links(server, name) == 0, what="the link's end")
    assert fetch(server.port, f"{name}.localhost").status == 503  # away, not unknown
    assert taken(server, name) == "name_taken"
    assert register(server, name)["id"] != name
    stranger = register(server)["ticket"]
    assert refusal(server, name, stranger).json()["error"] == "bad_ticket"
    renewed = register(server, name, f"Oneport-Ticket: {ticket}")["ticket"]
    foreign(server, name, renewed, serve=says(b"owner"))
    assert body(server, name) == b"owner"


@pytest.mark.rule("O2", "O4")
def test_after_the_grace_an_old_ticket_gets_no_name(new_server, name, foreign):
    server = new_server("--name-grace", "200ms")
    old = register(server, name)["ticket"]
    foreign(server, name, old).close()
    # The last of these calls registers the name for a second owner.
    wait_until(lambda: taken(server, name) is None, 5 * SLOW, "the name to be free")
    assert taken(server, name, f"Oneport-Ticket: {old}") == "name_taken"
    assert refusal(server, name, old).json()["error"] == "name_taken"


@pytest.mark.rule("O5")
def test_restart_with_the_names_file(new_server, name, foreign):
    server = new_server("--hold", "300ms")
    ticket = register(server, name)["ticket"]
    link = foreign(server, name, ticket)
    names_file(server, name)
    server.restart()
    link.close()
    assert fetch(server.port, f"{name}.localhost").status == 503  # held, not 404
    assert taken(server, name) == "name_taken"
    foreign(server, name, ticket, serve=says(b"owner"))
    assert body(server, name) == b"owner"


@pytest.fixture
def without_names(new_server):
    """Starts a server that can lose its saved names. restart_without(name) restarts it without
    them."""

    def restart(server, name):
        path = names_file(server, name)
        server.kill9()
        path.unlink()
        server.start()

    server = new_server()
    server.restart_without = lambda name: restart(server, name)
    return server


@pytest.mark.rule("O6")
def test_without_the_saved_names_a_ticket_gets_a_free_name(without_names, name, foreign):
    ticket = register(without_names, name)["ticket"]
    without_names.restart_without(name)
    assert fetch(without_names.port, f"{name}.localhost").status == 404
    foreign(without_names, name, ticket, serve=says(b"owner"))
    assert body(without_names, name) == b"owner"


@pytest.mark.rule("O2", "O6", "O19")
def test_without_the_saved_names_a_ticket_evicts_no_holder(without_names, name, foreign):
    ticket = register(without_names, name)["ticket"]
    without_names.restart_without(name)
    second = foreign(
        without_names, name, register(without_names, name)["ticket"], serve=says(b"second")
    )
    assert refusal(without_names, name, ticket).json()["error"] == "name_taken"
    assert taken(without_names, name, f"Oneport-Ticket: {ticket}") == "name_taken"
    assert body(without_names, name) == b"second" and second.goaways.empty()


# ---- slots ----
@pytest.mark.rule("O7")
def test_slots_of_one_instance_up_to_the_limit(new_server, name, foreign):
    server = new_server("--max-links", "2")
    ticket = register(server, name)["ticket"]
    for slot in (0, 1):
        foreign(server, name, ticket, *at(A, slot))
    got = refusal(server, name, ticket, *at(A, 2))
    assert (got.status, got.json()["error"]) == (400, "bad_link")
    assert links(server, name) == 2


@pytest.mark.rule("O7", "O10")
def test_links_of_a_pool_up_to_the_limit(new_server, name, foreign):
    """The limit holds for the name: all instances of a pool share it."""
    server = new_server("--max-links", "2")
    ticket, pool = register(server, name)["ticket"], "Oneport-Pool: ?1"
    for instance in (A, B):
        foreign(server, name, ticket, *at(instance), pool)
    got = refusal(server, name, ticket, *at("c" * 32), pool)
    assert (got.status, got.json()["error"]) == (429, "too_many_links")
    assert links(server, name) == 2


@pytest.mark.rule("O8")
def test_a_replaced_link_that_is_silent_is_gone_soon(server, name, foreign):
    """The old link has a request under way and answers no PING. It was dead before, but nobody had
    noticed."""
    ticket = register(server, name)["ticket"]
    over = threading.Event()
    old = foreign(server, name, ticket, *at(A), serve=lambda stream: over.wait(10))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: old.requests, what="the request")
        foreign(server, name, ticket, *at(A), serve=says(b"new"))
        start = time.monotonic()
        assert body(server, name) == b"new"
        assert viewer.response().status == 502
        assert 1.5 < time.monotonic() - start < 3 * SLOW
    over.set()


@pytest.mark.rule("O7", "O8")
def test_replaced_links_that_finish_do_not_count(new_server, name, foreign):
    server = new_server("--max-links", "1")
    ticket = register(server, name)["ticket"]
    held = []
    foreign(server, name, ticket, *at(A), serve=held.append)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: held, what="the request")
        foreign(server, name, ticket, *at(A), serve=says(b"new"))
        assert links(server, name) == 1 and body(server, name) == b"new"
        with held[0].link.lock:
            held[0].answer(200, b"old, and in peace")
        assert viewer.response().body == b"old, and in peace"


@pytest.mark.rule("O8")
def test_replaced_links_are_not_piled_up(server, name, foreign, ended):
    """Each replaced link has a request that it never answers. The server keeps 16 of them, then it
    ends the oldest."""
    ticket = register(server, name)["ticket"]
    held, old, viewers = [], [], []
    for number in range(18):
        old.append(foreign(server, name, ticket, *at(A), serve=held.append))
        viewers.append(ended.enter_context(Viewer(server.port)))
        viewers[-1].send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda number=number: len(held) == number + 1, what="the request")
    assert old[0].ended.wait(5 * SLOW) and old[0].goaway_codes == [ENHANCE_YOUR_CALM]
    assert viewers[0].response().status == 502
    assert not any(link.ended.is_set() for link in old[1:])
    held[1].answer(200, b"in peace")
    assert viewers[1].response().body == b"in peace"


# ---- takeover ----
def answer_frames(stream, content):
    """Returns the frames of a 200 and its body. They are made by hand, because python3-h2 sends
    nothing after a GOAWAY."""
    number = stream.to_bytes(4, "big")
    return (
        b"\0\0\1\1\4"
        + number
        + b"\x88"
        + len(content).to_bytes(3, "big")
        + b"\0\1"
        + number
        + content
    )


@pytest.mark.rule("O9")
def test_a_link_that_is_taken_over_finishes_and_gets_nothing_new(server, name, foreign):
    ticket = register(server, name)["ticket"]
    held = []
    old = foreign(server, name, ticket, *at(A), serve=held.append)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        wait_until(lambda: held, what="the request")
        foreign(server, name, ticket, *at(B), serve=says(b"new"))
        assert old.goaways.get(timeout=5) == b"taken_over" and old.goaway_codes == [0]
        assert {body(server, name) for _ in range(5)} == {b"new"}
        old.connection.send(answer_frames(held[0].number, b"old, and in peace"))
        assert viewer.response().body == b"old, and in peace"
    assert len(old.requests) == 1


@pytest.mark.rule("O12")
def test_flapping_is_one_line_that_names_both(server, name, foreign):
    ticket = register(server, name)["ticket"]
    for number in range(6):
        foreign(server, name, ticket, *at((A, B)[number % 2]))
    for _ in range(3):
        got = refusal(server, name, ticket, *at(A))
        assert (got.status, got.json()["error"]) == (409, "flapping") and 0 < int(
            got.get("Retry-After")
        ) <= 60
    lines = [
        line
        for line in server.log.splitlines()
        if "name_flapping" in line and f"name={name} " in line
    ]
    assert len(lines) == 1 and f"holder={B}" in lines[0] and f"newcomer={A}" in lines[0]
    assert fetch(server.port, f"{name}.localhost").status == 200


# ---- calls and tickets ----
@pytest.mark.rule("O13")
def test_insecure_calls_neither_take_secrets_nor_give_them(server, name):
    plain = call(server, f"/register/{name}", *proxied("http"), secure=False).json()
    assert set(plain) == {"id", "url", "port", "max_conn_count"}
    ticket = register(server)["ticket"]
    for secret in (f"Oneport-Ticket: {ticket}", f"Authorization: Bearer {ticket}"):
        got = call(server, "/register", secret, *proxied("http"), secure=False)
        assert (got.status, got.json()["error"]) == (403, "tls_required")
    got = refusal(server, name, ticket, *proxied("http"), secure=False)
    assert (got.status, got.json()["error"]) == (403, "tls_required")


@pytest.mark.rule("O14")
def test_an_expired_ticket_is_refused_once_its_owner_lost_the_name(new_server, name):
    server = new_server("--ticket-life", "1s", "--name-pending", "2s")
    old = register(server, name)["ticket"]

    def expired():
        viewer, got = attach(server, name, old)
        viewer.close()
        return got.status == 401

    wait_until(expired, 5 * SLOW, "the ticket to expire")
    wait_until(
        lambda: fetch(server.port, f"{name}.localhost", timeout_s=20).status == 404,
        10 * SLOW,
        "the name to be free",
    )
    assert taken(server, name, f"Oneport-Ticket: {old}") == "bad_ticket"


# ---- the client ----
@pytest.mark.rule("O20")
def test_the_client_that_lost_its_name_finishes_and_says_so(new_server, new_client, scripted):
    go = threading.Event()

    def serve(connection):
        connection.request()
        go.wait(20)
        connection.send(reply(b"finished"))

    server = new_server()
    first = new_client(scripted(serve).port, server=server)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", first.host))
        wait_until(lambda: server.log.count("link_up") == 1, what="the link")
        second = new_client(
            scripted(
                lambda connection: (connection.request(), connection.send(reply(b"second")))
            ).port,
            server=server,
            name=first.name,
            state=first.state,
        )
        assert fetch(server.port, second.host).body == b"second"
        assert first.program.running
        go.set()
        assert viewer.response().body == b"finished"
    first.program.expect_exit(2)
    assert first.log.count("name_lost") == 1 and "took it over" in first.log
    assert second.program.running


@pytest.mark.rule("O15", "O21")
def test_the_client_whose_ticket_is_refused_registers_without_it(
    new_server, new_client, http_origin
):
    """The server has lost its secret and its names, so it accepts no old ticket."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    names_file(server, client.name)
    server.kill9()
    for lost in ("secret", "names"):
        (server.directory / "state" / lost).unlink()
    server.start()
    wait_until(lambda: links(server, client.name) == 1, 20 * SLOW, "the client's return")
    assert "ticket_dropped" in client.log and client.program.stdout.count("your url is:") == 1
    assert fetch(server.port, client.host, "/echo").status == 200
