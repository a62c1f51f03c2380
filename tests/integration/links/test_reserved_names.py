# SPDX-License-Identifier: MIT
"""Tests how long a name stays with an owner who keeps its ticket: after the grace, over an outage
of the server, and what the operator and strangers can do about it."""

import datetime
import signal
import time

import pytest
from support.foreign import EMPTY_SETTINGS, attach, call, register
from support.programs import SLOW, Client, run
from support.viewer import fetch
from support.wait import wait_until

KEEP = "Oneport-Keep: ?1"
GRACE = ["--name-grace", "300ms"]


@pytest.fixture
def server(new_server):
    return new_server(*GRACE)


def seconds(n):
    """Waits for @n seconds, which is what a name's life is measured by."""
    time.sleep(n)


def live(server, name, *fields, for_s=1.5):
    """Has @name live for a while. Returns its ticket."""
    ticket = register(server, name, *fields)["ticket"]
    link, got = attach(server, name, ticket)
    assert got.status == 101
    link.send(EMPTY_SETTINGS)
    server.wait_log(f"link_up name={name} ")
    seconds(for_s)
    link.close()
    return ticket


def state_of(server, name):
    got = call(server, f"/api/tunnels/{name}/status")
    return got.json()["state"] if got.status == 200 else got.status


def wait_state(server, name, state):
    wait_until(lambda: state_of(server, name) == state, 10 * SLOW, f"{name} {state}")


def exactly(server, name, *fields):
    got = call(server, f"/register/{name}", "Oneport-Exact: ?1", *fields)
    return got.status, got.json()


def viewer_sees(server, name):
    start = time.monotonic()
    got = fetch(server.port, f"{name}.localhost", "/")
    return got.status, time.monotonic() - start


@pytest.mark.rule("O70", "O71", "F70")
def test_a_kept_name_is_its_owners_after_the_grace(server, name):
    ticket = live(server, name, KEEP)
    wait_state(server, name, "reserved")
    status, said = exactly(server, name)
    assert (status, said["error"]) == (409, "name_taken")
    until = datetime.datetime.fromisoformat(said["until"].replace("Z", "+00:00"))
    left = (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 90 < left < 100 * (1.5 + 10 * SLOW) and abs(left - said["retry_after"]) < 3
    assert register(server, name)["id"] != name  # localtunnel's way: another name
    stranger = register(server, f"{name}x")["ticket"]
    assert call(server, f"/register/{name}", f"Oneport-Ticket: {stranger}").status == 403
    status, took = viewer_sees(server, name)
    assert status == 503 and took < 1 * SLOW
    status, renewed = exactly(server, name, f"Oneport-Ticket: {ticket}")
    assert status == 200
    wait_state(server, name, "pending")
    link, got = attach(server, name, renewed["ticket"])
    assert got.status == 101
    link.close()


@pytest.mark.rule("O70")
@pytest.mark.parametrize("fields", [[], ["Oneport-Keep: ?0"], ["Oneport-Keep: 1"]])
def test_others_have_their_grace(server, name, fields):
    live(server, name, *fields)
    wait_state(server, name, 404)
    assert viewer_sees(server, name)[0] == 404
    assert exactly(server, name)[0] == 200


@pytest.mark.rule("O70")
def test_a_name_that_never_was_live_is_not_reserved(new_server, name):
    server = new_server("--name-pending", "300ms")
    register(server, name, KEEP)
    wait_state(server, name, 404)
    assert exactly(server, name)[0] == 200


@pytest.mark.rule("O70")
def test_the_operator_can_turn_it_off(new_server, name):
    server = new_server(*GRACE, "--name-reserve", "0")
    live(server, name, KEEP)
    wait_state(server, name, 404)


@pytest.mark.rule("O70")
def test_the_longest_time(new_server, name):
    """The name is free when its time is over: here after a second."""
    server = new_server(*GRACE, "--name-reserve", "2s")
    live(server, name, KEEP)
    wait_state(server, name, "reserved")
    wait_state(server, name, 404)


@pytest.mark.rule("O71")
def test_an_attach_revives_it_without_a_word(server, name):
    """The owner comes back by attach alone, and is away again: its lives are added up."""
    ticket = live(server, name, KEEP)
    wait_state(server, name, "reserved")
    first = exactly(server, name)[1]["retry_after"]
    link, got = attach(server, name, ticket)
    assert got.status == 101
    link.send(EMPTY_SETTINGS)
    server.wait_log(f"link_up name={name} ", count=2)
    seconds(1.5)
    link.close()
    wait_state(server, name, "reserved")
    assert exactly(server, name)[1]["retry_after"] > first + 50


@pytest.mark.rule("O72")
@pytest.mark.parametrize("end", ["killed", "stopped", "away"])
def test_over_an_outage(server, name, end):
    """The server is killed while the name is live, stopped, or killed when it is reserved."""
    ticket = register(server, name, KEEP)["ticket"]
    link, _ = attach(server, name, ticket)
    link.send(EMPTY_SETTINGS)
    server.wait_log(f"link_up name={name} ")
    seconds(2.5)
    file = server.directory / "state" / "reserved"
    wait_until(lambda: f"{name} " in file.read_text(), what="the name in the file")
    if end == "away":
        link.close()
        wait_state(server, name, "reserved")
        seconds(1.5)
    if end == "stopped":
        server.program.signal(signal.SIGTERM)
        server.program.expect_exit(0)
        server.start()
    else:
        server.restart()
    link.close()
    wait_state(server, name, "reserved")
    status, said = exactly(server, name)
    assert status == 409 and said["retry_after"] > 60
    assert exactly(server, name, f"Oneport-Ticket: {ticket}")[0] == 200


@pytest.mark.rule("O72")
def test_a_file_of_reserved_names_that_is_broken(server, name):
    live(server, name, KEEP)
    wait_state(server, name, "reserved")
    server.program.signal(signal.SIGTERM)
    server.program.expect_exit(0)
    file = server.directory / "state" / "reserved"
    good = file.read_text()
    file.write_text(f"nonsense\n{good}" + good.replace(name, f"{name}y").strip("\n"))
    server.start()
    server.wait_log("names_file_broken .*file=reserved first_line=1 lines_ignored=2 lines_read=1")
    assert state_of(server, name) == "reserved" and state_of(server, f"{name}y") == 404


# ---- the operator ----
def names(server, *words):
    return run(
        "oneportd", "names", "--state-dir", server.directory / "state", *words, deadline_s=20
    )


def listed(server):
    code, out, err = names(server, "list")
    assert code == 0, err
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()}


@pytest.mark.rule("O73")
def test_the_operator_lists_and_releases(server, name):
    live(server, name, KEEP)
    wait_state(server, name, "reserved")
    wait_until(lambda: listed(server).get(name, [""])[0] == "reserved", what="the name in the list")
    assert names(server, "release", name)[0] == 0
    assert state_of(server, name) == 404 and name not in listed(server)
    server.wait_log(f"name_released name={name} reserved=true")
    assert exactly(server, name)[0] == 200


@pytest.mark.rule("O73")
def test_the_operator_releases_a_name_in_its_grace(new_server, name):
    server = new_server("--name-grace", "1h")
    live(server, name, KEEP)
    wait_state(server, name, "graced")
    assert names(server, "release", name)[0] == 0
    wait_state(server, name, 404)


@pytest.mark.rule("O73")
def test_the_operator_releases_while_no_server_runs(server, name):
    live(server, name, KEEP)
    wait_state(server, name, "reserved")
    server.program.signal(signal.SIGTERM)
    server.program.expect_exit(0)
    assert listed(server)[name][0] == "reserved"
    assert names(server, "release", name)[0] == 0
    code, _, said = names(server, "release", name)
    assert code == 1 and "neither held nor reserved" in said
    server.start()
    assert state_of(server, name) == 404


@pytest.mark.rule("O73")
@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["release"], ["release", "A_b"], ["list", "x"]]
)
def test_wrong_words(server, words):
    code, _, said = names(server, *words)
    assert code == 1 and said.count("\n") == 1


# ---- oneport ----
def start(server, http_origin, directory, state, **how):
    return Client(server, http_origin.port, directory, state=state, **how)


def stop(client):
    client.program.signal(signal.SIGTERM)
    client.program.expect_exit(0)


@pytest.mark.rule("O74")
def test_a_random_name_is_the_origins(server, http_origin, tmp_path, ended):
    """The same origin gets the same URL the next time, also after the grace. A second process gets
    another one, and each gets its own again."""
    state = tmp_path / "state"
    one = start(server, http_origin, tmp_path / "one", state)
    first = one.url
    one.program.wait_output("ticket_renewed")  # the server has heard Keep
    two = start(server, http_origin, tmp_path / "two", state)
    second = two.url
    assert second != first and one.program.running
    assert {fetch(server.port, client.host, "/echo").status for client in (one, two)} == {200}
    two.program.wait_output("ticket_renewed")
    seconds(4)
    stop(one)
    stop(two)
    wait_state(server, one.name, "reserved")
    again = start(server, http_origin, tmp_path / "again", state)
    ended.callback(again.stop)
    assert again.url == first
    another = start(server, http_origin, tmp_path / "another", state)
    ended.callback(another.stop)
    assert another.url == second


@pytest.mark.rule("O74")
def test_another_origin_or_no_file_is_another_name(server, http_origin, new_origin, tmp_path):
    state = tmp_path / "state"
    one = start(server, http_origin, tmp_path / "one", state)
    other = start(server, new_origin(), tmp_path / "other", state)
    assert other.url != one.url
    stop(one)
    stop(other)
    elsewhere = start(server, http_origin, tmp_path / "elsewhere", tmp_path / "other-state")
    assert elsewhere.url not in (one.url, other.url)
    stop(elsewhere)


@pytest.mark.rule("O74")
def test_an_asked_name_is_kept_likewise(server, http_origin, tmp_path, name):
    client = start(server, http_origin, tmp_path, tmp_path / "state", name=name)
    client.program.wait_output("ticket_renewed")
    seconds(4)
    stop(client)
    wait_state(server, name, "reserved")
    assert exactly(server, name)[0] == 409


@pytest.mark.rule("O74")
def test_without_a_file_nothing_is_promised(server, http_origin, tmp_path):
    """The file's directory cannot be made: a random name is free when its client leaves."""
    (tmp_path / "file").write_text("")
    client = start(server, http_origin, tmp_path, tmp_path / "file")
    seconds(2)
    stop(client)
    wait_state(server, client.name, 404)
