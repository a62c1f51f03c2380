# SPDX-License-Identifier: MIT
"""Tests the limits of an address (rules O22 to O24) for names, registers and bad tickets. A trusted
proxy on loopback names the addresses. Loopback itself is not limited."""

import contextlib
import itertools
import time

import pytest
from support.foreign import ForeignLink, attach, call, register
from support.programs import SLOW
from support.viewer import Viewer, fetch, links
from support.wait import wait_until

HERE, THERE = "198.51.100.7", "2001:db8:1:2::7"
NEIGHBOUR = "2001:db8:1:2:ffff::1"  # in the same /64 as THERE


def by_proxy(address):
    """Returns the fields of a request that came over https through a trusted proxy."""
    return [f"X-Forwarded-For: {address}", "X-Forwarded-Proto: https"]


def ask(server, address, path="/register", *fields):
    return call(server, path, *by_proxy(address), *fields, secure=False)


def ticket_of(server, address, name):
    got = ask(server, address, f"/register/{name}", "Oneport-Exact: ?1")
    assert got.status == 200, got
    return got.json()["ticket"]


def error(got):
    """Returns 200, or the status and the error of the answer. Checks that a 429 says when to come
    back, in its body and in its head."""
    if got.status == 429:
        assert (
            got.json()["message"] and got.json()["retry_after"] == int(got.get("Retry-After")) > 0
        )
        assert (
            got.get("Content-Type") == "application/json" and got.get("Cache-Control") == "no-store"
        )
    return (got.status, got.json()["error"]) if got.status != 200 else 200


def attached(server, address, name, ticket):
    """Attaches. Returns 101, or the status and the error of the refusal."""
    viewer, got = attach(server, name, ticket, *by_proxy(address), secure=False)
    viewer.close()
    return error(got) if got.status != 101 else 101


@pytest.fixture
def link(ended):
    """Returns link(server, address, name), which registers and attaches a tunnel from @address. The
    tunnel answers requests and has its ticket as .ticket."""

    def start(server, address, name, ticket=None):
        ticket = ticket or ticket_of(server, address, name)
        up = ended.enter_context(
            contextlib.closing(
                ForeignLink(
                    server,
                    name,
                    ticket,
                    *by_proxy(address),
                    serve=lambda stream: stream.answer(200, b"served"),
                )
            )
        )
        up.ticket = ticket
        server.wait_link(name, 1)
        return up

    return start


def served(server, name):
    return fetch(server.port, f"{name}.localhost").body == b"served"


REGISTERS = "too_many_registers"


@pytest.mark.rule("O23")
def test_registers_of_an_address(new_server, name, link, ended):
    """An address has 120 registers at once and one more a second, whatever worker it asks. Other
    addresses are not affected, and a renewal does not count."""
    server = new_server("--max-tunnels-per-address", "0", "--workers", "2")
    start, count = time.monotonic(), 1
    own = link(server, HERE, name)
    viewers = itertools.cycle([ended.enter_context(Viewer(server.port)) for _ in range(4)])
    while (got := next(viewers).get("localhost", "/register", *by_proxy(HERE))).status == 200:
        count += 1
        assert count <= 1000
    assert error(got) == (429, REGISTERS) and int(got.get("Retry-After")) == 1
    assert 120 <= count <= 121 + time.monotonic() - start
    exact = f"/register/{name}-2"
    for path in ("/register", exact):
        wait_until(
            lambda path=path: error(ask(server, HERE, path)) == (429, REGISTERS), 2, "to be refused"
        )
    for _ in range(5):
        assert (
            ask(server, HERE, f"/register/{name}", f"Oneport-Ticket: {own.ticket}").json()["id"]
            == name
        )
    assert ask(server, THERE).status == 200 and register(server)["id"]  # by loopback
    assert served(server, name) and links(server, name) == 1
    assert wait_until(
        lambda: ask(server, HERE, exact).status == 200, 5 * SLOW, "a register to be back"
    )
    assert (
        1
        <= server.log.count(f"address_refused viewer={HERE} reason={REGISTERS}")
        <= 2 * (2 + time.monotonic() - start)
    )  # a second and worker


@pytest.mark.rule("O23")
def test_a_network_of_ipv6_is_one_address(new_server):
    server = new_server("--register-rate", "1")
    assert [error(ask(server, address)) for address in (THERE, NEIGHBOUR)] == [200, 200]
    assert error(ask(server, NEIGHBOUR)) == error(ask(server, THERE)) == (429, REGISTERS)
    assert error(ask(server, "2001:db8:1:3::7")) == 200
    assert int(ask(server, THERE).get("Retry-After")) > 50


@pytest.mark.rule("O22")
def test_names_of_an_address(new_server, name, link):
    """An address has two names at a time, from the register to the end of the grace. A ticket for a
    name that was free meanwhile needs a place as well."""
    server = new_server("--max-tunnels-per-address", "2", "--name-grace", "1s")
    first, full = link(server, HERE, f"{name}-1"), (429, "too_many_names")
    assert error(ask(server, HERE)) == 200
    assert error(ask(server, HERE)) == error(ask(server, HERE, f"/register/{name}-3")) == full
    assert error(ask(server, THERE, f"/register/{name}-4")) == 200 and register(server)["id"]
    assert error(ask(server, HERE, f"/register/{name}-1", f"Oneport-Ticket: {first.ticket}")) == 200
    assert served(server, f"{name}-1")
    first.close()
    wait_until(lambda: links(server, f"{name}-1") == 0, what="the link's end")
    assert error(ask(server, HERE)) == full  # in its grace
    wait_until(lambda: error(ask(server, HERE)) == 200, 5 * SLOW, "the name to be free")
    assert attached(server, HERE, f"{name}-1", first.ticket) == full
    assert attached(server, THERE, f"{name}-1", first.ticket) == 101


@pytest.mark.rule("O5", "O22")
def test_names_of_an_address_over_a_restart(new_server, name, link):
    """After a restart the server does not know to which address the saved names belong, until their
    owners return. It lets the owners in even if their address then has more names than allowed."""
    server = new_server("--max-tunnels-per-address", "2")
    old = [f"{name}-1", f"{name}-2"]
    tickets = [ticket_of(server, HERE, one) for one in old]
    wait_until(lambda: all(one in server.saved_names for one in old), 5, "the names to be saved")
    server.restart()
    assert error(ask(server, HERE)) == 200
    link(server, HERE, old[0], tickets[0])
    assert error(ask(server, HERE)) == (429, "too_many_names")
    link(server, HERE, old[1], tickets[1])
    assert served(server, old[0]) and served(server, old[1])


BAD, TOO_MANY_BAD = (403, "bad_ticket"), (429, "too_many_bad_tickets")


def bad_tries(server, address, name, foreign_ticket):
    """Tries a made-up ticket and another name's ticket, at register and at attach. Returns the four
    answers."""
    return [
        error(ask(server, address, f"/register/{name}", "Oneport-Ticket: made.up")),
        error(ask(server, address, f"/register/{name}", f"Oneport-Ticket: {foreign_ticket}")),
        attached(server, address, name, "made.up"),
        attached(server, address, name, foreign_ticket),
    ]


@pytest.mark.rule("O15", "O24")
def test_bad_tickets_of_an_address(new_server, name, link):
    server = new_server()
    up, other = link(server, HERE, name), ticket_of(server, HERE, f"{name}-2")
    assert bad_tries(server, HERE, name, other) == [BAD] * 4
    assert attached(server, HERE, name, None)[0] == 401  # none is not a bad one
    assert attached(server, HERE, name, f"{other}x") == BAD
    assert bad_tries(server, HERE, name, other) == [TOO_MANY_BAD] * 4
    assert bad_tries(server, THERE, name, other) == [BAD] * 4
    assert attached(server, HERE, f"{name}-2", other) == 101  # an owner at the same address
    assert error(ask(server, HERE, f"/register/{name}-2", f"Oneport-Ticket: {other}")) == 200
    assert error(ask(server, HERE)) == 200
    assert served(server, name) and not up.ended.is_set()
    for _ in range(6):  # from loopback
        assert call(server, "/register", "Oneport-Ticket: made.up").status == 403


@pytest.mark.full
def test_bad_tickets_get_403_again_after_the_wait(new_server, name):
    server = new_server()
    other = ticket_of(server, HERE, name)
    for _ in range(2):
        bad_tries(server, HERE, f"{name}-2", other)
    wait_s = int(
        ask(server, HERE, f"/register/{name}-2", "Oneport-Ticket: made.up").get("Retry-After")
    )
    assert 10 <= wait_s <= 12
    time.sleep(wait_s)
    assert bad_tries(server, HERE, f"{name}-2", other) == [BAD, *[TOO_MANY_BAD] * 3]
