# SPDX-License-Identifier: MIT
"""Tests who may share on a server with --tokens (the T rules): register calls, tickets, a file that
changes, and what the client does with its token."""

import signal
import time

import pytest
from support.foreign import ForeignLink, call, proxied, refusal, register
from support.programs import SLOW, run
from support.tokens import ANN, BOB, EVE, bearer, error, line, use
from support.viewer import fetch
from support.wait import wait_until


# ---- register and attach ----
@pytest.mark.rule("T1", "T11")
def test_a_token_is_wanted(guarded, name):
    server = guarded(line("ann", ANN), line("old", EVE, "until=2020-01-01"))
    got = call(server, f"/register/{name}")
    assert (got.status, got.json()["error"]) == (401, "token_required")
    assert got.get("www-authenticate") == "Bearer"
    assert error(server, name, bearer(BOB)) == (403, "bad_token")
    assert error(server, name, bearer(EVE)) == (403, "token_expired")
    assert error(server, name, bearer(ANN), bearer(ANN)) == (403, "bad_token")
    assert error(server, name, "Authorization: Basic YTpi") == (401, "token_required")
    assert register(server, name, bearer(ANN))["id"] == name
    server.wait_log(rf"registered name={name} viewer=127.0.0.1 token=ann ")
    server.wait_log(rf"register_refused name={name} viewer=127.0.0.1 token=- status=403.*bad_token")
    server.wait_log("register_refused.*token=old status=403 reason=token_expired")
    assert ANN not in server.log and ANN not in server.access_log


@pytest.mark.rule("T1")
def test_bad_tokens_are_counted(guarded, name):
    server = guarded(line("ann", ANN), options=["--trusted-proxy", "127.0.0.1"])
    viewer = proxied("https")
    statuses = [call(server, "/register", bearer(BOB), *viewer).status for _ in range(8)]
    assert statuses[0] == 403 and statuses[-1] == 429
    assert error(server, name, bearer(ANN), *viewer) is None


@pytest.mark.rule("T1")
def test_a_token_passes_over_tls_only(guarded, name):
    """A trusted proxy says how its viewer came."""
    server = guarded(line("ann", ANN), options=["--trusted-proxy", "127.0.0.1"])
    insecure = proxied("http")
    assert error(server, name, bearer(ANN), *insecure) == (403, "tls_required")
    assert error(server, name, *insecure) == (401, "token_required")


@pytest.mark.rule("T2")
def test_names_of_a_token(guarded):
    server = guarded(line("ann", ANN, "names=demo-*,app-1"), line("bob", BOB, "reserve=team-*"))
    denied = (403, "name_not_permitted")
    assert error(server, "demo-1", bearer(ANN)) is None
    assert error(server, "app-1", bearer(ANN)) is None
    assert error(server, "app-2", bearer(ANN)) == denied
    assert error(server, "team-1", bearer(ANN)) == denied
    assert error(server, "team-1", bearer(BOB)) is None
    assert error(server, "app-2", bearer(BOB)) is None
    assert register(server, None, bearer(ANN))["id"].startswith("demo-")
    # A name that is taken is replaced by a random one that the token permits.
    assert register(server, "demo-1", bearer(ANN))["id"].startswith("demo-")


@pytest.mark.rule("T4")
def test_a_ticket_is_as_good_as_its_token(guarded, tokens, name):
    server = guarded(line("ann", ANN), line("bob", BOB))
    ticket = register(server, name, bearer(ANN))["ticket"]
    tokens.reload(server, line("bob", BOB))
    got = refusal(server, name, ticket)
    assert (got.status, got.json()["error"]) == (401, "token_revoked")
    assert error(server, name, f"Oneport-Ticket: {ticket}", bearer(ANN)) == (403, "bad_token")
    # The ticket proves the owner still, and another token lets it share.
    fresh = register(server, name, f"Oneport-Ticket: {ticket}", bearer(BOB))["ticket"]
    ForeignLink(server, name, fresh).close()
    tokens.reload(server, line("bob", BOB, "names=other-*"))
    assert refusal(server, name, fresh).json()["error"] == "token_revoked"


@pytest.mark.rule("T4")
def test_a_ticket_of_an_open_server(new_server, tokens, name):
    """It is worth nothing once tokens are wanted, but for its name."""
    server = new_server()
    ticket = register(server, name)["ticket"]
    tokens.write(line("ann", ANN))
    server.options = ["--tokens", tokens.path]
    server.restart()
    got = refusal(server, name, ticket)
    assert (got.status, got.json()["error"]) == (401, "token_required")
    fresh = register(server, name, f"Oneport-Ticket: {ticket}", bearer(ANN))["ticket"]
    ForeignLink(server, name, fresh).close()


def next_second():
    """Waits for a second of the wall clock that no ticket was issued in."""
    now = int(time.time())
    wait_until(lambda: int(time.time()) > now, 3, "the next second")


@pytest.mark.rule("T5")
def test_an_older_ticket_does_not_attach(new_server, name):
    """Also after a restart. Registering with it gives a new one."""
    server = new_server()
    old = register(server, name)["ticket"]
    next_second()
    new = register(server, name, f"Oneport-Ticket: {old}")["ticket"]
    got = refusal(server, name, old)
    assert (got.status, got.json()["error"]) == (401, "stale")
    ForeignLink(server, name, new).close()
    server.stop()
    server.start()
    assert refusal(server, name, old).json()["error"] == "stale"
    newest = register(server, name, f"Oneport-Ticket: {old}")["ticket"]
    ForeignLink(server, name, newest).close()


@pytest.mark.rule("T7")
def test_limits_of_a_token(guarded):
    server = guarded(line("ann", ANN, "max=2 links=1 streams=3"), options=["--name-pending", "1m"])
    first = register(server, "name-1", bearer(ANN))
    assert first["limits"]["links"] == 1 and first["limits"]["streams"] == 3
    assert error(server, "name-2", bearer(ANN)) is None
    assert error(server, "name-3", bearer(ANN)) == (429, "too_many_names")
    ticket = first["ticket"]
    assert error(server, "name-1", bearer(ANN), f"Oneport-Ticket: {ticket}") is None
    instance = f"Oneport-Instance: {'a' * 32}"
    link = ForeignLink(server, "name-1", ticket, instance, "Oneport-Link: 0")
    server.wait_link("name-1", 1)
    got = refusal(server, "name-1", ticket, instance, "Oneport-Link: 1")
    assert (got.status, got.json()["error"]) == (429, "too_many_links")
    link.close()


PAGE = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: https://example.org"]


@pytest.mark.rule("T9")
def test_a_page_with_a_token(guarded, name):
    server = guarded(line("ann", ANN))
    assert error(server, name, *PAGE) == (403, "not_for_pages")
    assert error(server, name, *PAGE, bearer(BOB)) == (403, "not_for_pages")
    assert error(server, name, *PAGE, bearer(ANN)) is None


# ---- the file ----
@pytest.mark.rule("T3")
@pytest.mark.parametrize(
    "content, message",
    [
        ("ann sha256:abc\n", "tokens:1: the line has no sha256:"),
        ("# a\nann cert polcy=x\n", "tokens:2: the line has an option that is not known"),
        ("ann cert\nann cert\n", "'ann' stands there twice"),
        (None, "tokens: No such file"),
    ],
)
def test_a_wrong_file_at_the_start(tmp_path, content, message):
    path = tmp_path / "tokens"
    if content is not None:
        path.write_text(content)
    words = ["--domain", "localhost", "--listen", "127.0.0.1:0", "--state-dir", tmp_path / "state"]
    code, _, err = run("oneportd", *words, "--tokens", path)
    assert code == 1 and "oneportd: --tokens: " in err and message in err


@pytest.mark.rule("T6")
def test_a_wrong_file_at_a_reload(guarded, tokens, name):
    server = guarded(line("ann", ANN))
    tokens.reload(server, "ann", event="tokens_not_reloaded")
    server.wait_log("tokens_not_reloaded.*:1: the line has no sha256")
    assert error(server, name, bearer(ANN)) is None
    tokens.path.unlink()
    server.program.signal(signal.SIGHUP)
    server.wait_log("tokens_not_reloaded", count=2)
    assert error(server, "another-one", bearer(ANN)) is None


@pytest.mark.rule("T10")
def test_an_open_server_says_so(new_server):
    server = new_server()
    assert len([one for one in server.log.splitlines() if " registration_open " in one]) == 1


# ---- the client ----
@pytest.mark.rule("T6")
@pytest.mark.parametrize(
    "left",
    [
        pytest.param([line("bob", BOB)], id="gone"),
        pytest.param([line("ann", ANN, "names=other-*")], id="narrowed"),
        pytest.param([line("ann", ANN), line("bob", BOB, "reserve=t*")], id="reserved"),
        pytest.param([line("ann", ANN, "until=2020-01-01")], id="over"),
    ],
)
def test_a_client_whose_token_is_over_ends(guarded, tokens, new_client, name, http_origin, left):
    server = guarded(line("ann", ANN), line("bob", BOB))
    client = new_client(http_origin.port, server=server, name=name, env=use(ANN))
    other = new_client(http_origin.port, server=server, name="other-one", env=use(BOB))
    tokens.reload(server, *left)
    client.program.expect_exit(2)
    assert "name_lost" in client.log
    server.wait_log(rf"link_revoked name={name} token=ann ")
    assert fetch(server.port, f"{name}.localhost", "/echo").status == 503
    if "reserve" not in str(left) and "ann" not in str(left[0]):
        assert fetch(server.port, f"{other.name}.localhost", "/echo").status == 200
        other.stop()
    else:
        other.kill9()


@pytest.mark.rule("T6")
def test_a_token_ends_with_its_time(guarded, new_client, name, http_origin):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * SLOW))
    server = guarded(line("ann", ANN, f"until={end}"))
    client = new_client(http_origin.port, server=server, name=name, env=use(ANN))
    client.program.expect_exit(2, 20)
    server.wait_log("link_revoked.*reason=token_expired")


@pytest.mark.rule("T8")
def test_where_a_client_has_its_token_from(guarded, new_client, tmp_path, http_origin):
    server = guarded(line("ann", ANN), line("bob", BOB))
    file, options = tmp_path / "token", tmp_path / "options"
    file.write_text(f"{BOB}\n")
    file.chmod(0o600)
    options.write_text(f"token = {ANN}\n")
    options.chmod(0o600)
    sources = [
        ("bob", ["--token-file", file], {}),
        ("bob", ["--token-file", file], use(ANN)),
        ("ann", [], use(ANN)),
        ("ann", [], {"ONEPORT_CONFIG": options}),
        ("bob", [], {"ONEPORT_CONFIG": options, **use(BOB)}),
    ]
    for number, (who, words, env) in enumerate(sources):
        client = new_client(
            http_origin.port,
            *words,
            "--log-level",
            "debug",
            server=server,
            name=f"one-{number}",
            env=env,
        )
        server.wait_log(f"registered name=one-{number} .*token={who} ")
        for secret in ANN, BOB:
            assert secret not in client.log
            with open(f"/proc/{client.program.pid}/cmdline", "rb") as words:
                assert secret.encode() not in words.read()


@pytest.mark.rule("T8")
def test_a_token_on_the_command_line(tmp_path):
    code, _, err = run("oneport", "3000", "-h", "localhost", "--token", ANN)
    assert code == 1 and "--token would show its value to everybody" in err and ANN not in err
    code, _, err = run("oneport", "3000", "-h", "localhost", env=use("a b"))
    assert code == 1 and err == (
        "oneport: ONEPORT_TOKEN is not a token: 16 to 256 letters, digits and -._~+/=\n"
    )
    empty = tmp_path / "token"
    empty.write_text("\n")
    code, _, err = run("oneport", "3000", "-h", "localhost", "--token-file", empty)
    assert code == 1 and "its first line is no token" in err


@pytest.mark.rule("T8")
def test_a_client_without_a_token_ends(guarded, new_client, http_origin):
    server = guarded(line("ann", ANN))
    client = new_client(http_origin.port, server=server, wait=False)
    client.program.expect_exit(2)
    assert "token_required" in client.log and "--token-file" in client.log
    client = new_client(http_origin.port, server=server, wait=False, env=use(BOB))
    client.program.expect_exit(2)
    assert "bad_token" in client.log


@pytest.mark.rule("T5")
def test_a_client_with_an_older_ticket_registers_anew(new_server, new_client, name, http_origin):
    """Another process has renewed the ticket meanwhile."""
    server = new_server()
    client = new_client(http_origin.port, server=server, name=name)
    wait_until(lambda: "ticket_renewed" in client.log, 10 * SLOW, "the ticket to be kept")
    next_second()
    path = client.state / "oneport" / "tickets.json"
    old = path.read_text().split(f'"{name}":')[1].split('"')[1]
    register(server, name, f"Oneport-Ticket: {old}")
    server.restart()
    client.program.wait_output("link_up", count=2, deadline_s=20)
    assert fetch(server.port, f"{name}.localhost", "/echo").status == 200
