# SPDX-License-Identifier: MIT
"""Tests who may look (the P rules): policies by every way in, what keeps them in force, and what
tries to get around them."""

import json
import re
import time

import pytest
from support.foreign import ForeignLink, call, refusal, register
from support.h2_viewer import viewing
from support.origins import reply
from support.tokens import ANN, BOB, bearer, error, line, use
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_frames import TEXT, frame, split
from support.websocket_viewer import HANDSHAKE

FRIEND, STRANGER = "192.0.2.7", "198.51.100.9"
FRIENDS = '{"allow":["192.0.2.0/24"]}'
OTHERS = '{"allow":["203.0.113.0/24"]}'


def of(address):
    """A field by which the proxy on this machine names its viewer."""
    return f"X-Forwarded-For: {address}"


def says(policy):
    return f"Oneport-Policy: {policy}"


def shows(ticket):
    return f"Oneport-Ticket: {ticket}"


def status(server, host, address, path="/echo"):
    return fetch(server.port, host, path, of(address)).status


def statuses(server, host):
    return status(server, host, FRIEND), status(server, host, STRANGER)


class OpenWebSocket(Viewer):
    """A viewer at @address with an open WebSocket."""

    def __init__(self, server, host, address, *fields):
        super().__init__(server.port)
        https = "X-Forwarded-Proto: https"
        self.send(head("GET", "/", host, https, of(address), *fields, *HANDSHAKE))
        self.opened = self.response_head().status

    def close_code(self):
        """Returns the code of the server's Close frame, at the end of the connection."""
        data = b""
        while more := self.socket.recv(4096):
            data += more
        return int.from_bytes(split(data)[0][-1][1][:2], "big")

    def echoes(self, text):
        self.send(frame(TEXT, text, b"mask"))
        data = b""
        while not split(data)[0]:
            data += self.socket.recv(4096)
        return split(data)[0][0][1] == text


def attached(ended, server, name, policy=FRIENDS, *fields, ticket=None):
    """Registers the name with this policy, and attaches. Returns the ticket and the link."""
    got = register(server, name, says(policy), *([shows(ticket)] if ticket else []))
    assert got.get("policy") if policy != "{}" else "policy" not in got
    link = ForeignLink(server, name, got["ticket"], says(policy), *fields)
    ended.callback(link.close)
    server.wait_link(name, 1)
    return got["ticket"], link


def wait_saved_live(server, name):
    """Waits until the names file says that the name is live: requests wait for it after a start."""
    line_of = re.compile(rf"^{name} \S+ 0 ", re.M)
    wait_until(lambda: line_of.search(server.saved_names), 10, "the name to be kept")


def reason(got):
    return got.status, got.json()["error"]


# ---- what comes along ----
@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    "policy",
    ["[]", '{"gate":1}', '{"rate":1,"rate":1}', '{"allow":["x"]}', '{"rate":1}x', "", "x" * 4097],
)
def test_a_policy_that_is_not_understood(server, name, policy):
    got = call(server, f"/register/{name}", says(policy))
    assert reason(got) == (400, "bad_policy")
    ticket = register(server, name)["ticket"]
    assert reason(refusal(server, name, ticket, says(policy))) == (400, "bad_policy")


@pytest.mark.rule("P1")
def test_two_policies(server, name):
    got = call(server, f"/register/{name}", says("{}"), says("{}"))
    assert reason(got) == (400, "bad_policy")


@pytest.mark.rule("P2")
def test_a_ticket_is_for_its_policy(server, name, ended):
    """However it is spelled."""
    ticket = register(server, name, says(FRIENDS))["ticket"]
    assert reason(refusal(server, name, ticket)) == (401, "policy_required")
    assert reason(refusal(server, name, ticket, says("{}"))) == (401, "policy_differs")
    assert reason(refusal(server, name, ticket, says(OTHERS))) == (401, "policy_differs")
    link = ForeignLink(server, name, ticket, says('{ "allow" : [ "192.0.2.9/24" ] }'))
    ended.callback(link.close)
    server.wait_link(name, 1)
    assert statuses(server, f"{name}.localhost") == (200, 403)


@pytest.mark.rule("P2")
def test_a_ticket_without_a_policy(server, name):
    ticket = register(server, name)["ticket"]
    assert reason(refusal(server, name, ticket, says(FRIENDS))) == (401, "policy_differs")


@pytest.mark.rule("P3")
def test_downgrades(server, name, ended):
    """Neither an older ticket, nor a client without policies, nor a second instance takes the
    policy away."""
    old = register(server, name)["ticket"]
    ticket, _link = attached(ended, server, name, ticket=old)
    assert reason(refusal(server, name, old))[0] == 401
    for fields, want in (
        ([], (403, "policy_required")),
        ([says("{}")], (409, "policy_differs")),
        ([says(OTHERS)], (409, "policy_differs")),
    ):
        for proof in old, ticket:
            assert reason(call(server, f"/register/{name}", shows(proof), *fields)) == want
    assert statuses(server, f"{name}.localhost") == (200, 403)
    # The same policy is no downgrade.
    again = register(server, name, shows(ticket), says(FRIENDS))["ticket"]
    ForeignLink(server, name, again, says(FRIENDS)).close()


@pytest.mark.rule("P3")
def test_a_client_without_policies_comes_later(server, name, ended):
    ticket, link = attached(ended, server, name)
    link.close()
    wait_until(lambda: status(server, f"{name}.localhost", FRIEND) == 503, 10, "the link is gone")
    got = call(server, f"/register/{name}", shows(ticket))
    assert reason(got) == (403, "policy_required")
    assert status(server, f"{name}.localhost", STRANGER) == 403


@pytest.mark.rule("P3")
def test_the_owner_changes_the_policy(server, name, ended):
    ticket, link = attached(ended, server, name)
    link.close()
    wait_until(lambda: status(server, f"{name}.localhost", FRIEND) == 503, 10, "the link is gone")
    new = register(server, name, shows(ticket), says(OTHERS))["ticket"]
    assert reason(refusal(server, name, ticket, says(FRIENDS))) == (401, "stale")
    link = ForeignLink(server, name, new, says(OTHERS))
    ended.callback(link.close)
    assert statuses(server, f"{name}.localhost") == (403, 403)
    assert status(server, f"{name}.localhost", "203.0.113.1") == 200


# ---- every way in ----
@pytest.mark.rule("P4", "P10", "P27")
@pytest.mark.parametrize("workers", [1, 4])
def test_every_way_in(new_server, new_client, websocket_origin, workers):
    server = new_server("--workers", str(workers))
    client = new_client(
        websocket_origin.port, "--allow", "192.0.2.0/24", "--deny", "192.0.2.9", server=server
    )
    for _ in range(2 * workers):
        assert status(server, client.host, STRANGER) == 403
        assert status(server, client.host, "192.0.2.9") == 403
        assert status(server, client.host, FRIEND) != 403
        assert fetch(server.port, client.host).status == 403  # 127.0.0.1 itself
        with OpenWebSocket(server, client.host, STRANGER) as viewer:
            assert viewer.opened == 403
        with OpenWebSocket(server, client.host, FRIEND) as viewer:
            assert viewer.opened == 101 and viewer.echoes(b"hello")
        with viewing(client) as viewer:
            assert viewer.get("/", ("x-forwarded-for", STRANGER)).status == 403
            assert viewer.get("/", ("x-forwarded-for", FRIEND)).status != 403
    got = fetch(server.port, client.host, "/", of(FRIEND))
    assert got.all("Cache-Control") == ["private"]
    got = fetch(server.port, client.host, "/", of(STRANGER))
    assert got.get("Proxy-Status") == "oneport; error=http_request_denied"


@pytest.mark.rule("P4")
def test_a_held_request(new_server, name, ended):
    """It is judged when it comes, and again when the policy changes."""
    server = new_server("--hold", "30s")
    host = f"{name}.localhost"
    ticket, link = attached(ended, server, name, "{}")
    link.close()
    server.wait_log(f"link_(lost|down|gone).*{name}|client_leaves.*{name}")
    with Viewer(server.port) as stranger, Viewer(server.port) as friend:
        stranger.send(head("GET", "/", host, of(STRANGER)))
        friend.send(head("GET", "/", host, of(FRIEND)))
        wait_until(
            lambda: call(server, "/api/status").json().get("streams", 2) == 2, 5, "both are held"
        )
        new = register(server, name, shows(ticket), says(FRIENDS))["ticket"]
        assert stranger.response().status == 403
        link = ForeignLink(server, name, new, says(FRIENDS))
        ended.callback(link.close)
        assert friend.response().status == 200
    assert link.requests and len(link.requests) == 1


@pytest.mark.rule("P4")
@pytest.mark.parametrize("lost", [False, True], ids=["names file", "no names file"])
def test_a_restart(new_server, new_client, http_origin, lost):
    server = new_server()
    client = new_client(http_origin.port, "--allow", "192.0.2.0/24", server=server)
    wait_until(lambda: 'policy={"allow"' in server.saved_names, 10, "the policy is kept")
    server.stop()
    if lost:
        (server.directory / "state" / "names").unlink()
    else:
        assert f"{client.name} " in server.saved_names
    server.start()
    seen = set()
    wait_until(
        lambda: seen.add(statuses(server, client.host)) or (200, 403) in seen, 20, "it is back"
    )
    assert not {one for one in seen if one[1] == 200}


@pytest.mark.rule("P4")
def test_a_takeover(new_server, new_client, http_origin, tmp_path):
    """Another process with the same policy takes over, and one with another policy does not."""
    server = new_server()
    first = new_client(http_origin.port, "--allow", "192.0.2.0/24", server=server, state=tmp_path)
    second = new_client(
        http_origin.port, "--allow", "192.0.2.0/24", server=server, name=first.name, state=tmp_path
    )
    first.program.expect_exit(2)
    assert statuses(server, second.host) == (200, 403)
    third = new_client(http_origin.port, server=server, name=first.name, state=tmp_path, wait=False)
    third.program.expect_exit(2)
    assert "policy_differs" in third.log
    assert statuses(server, second.host) == (200, 403)


# ---- the client ----
@pytest.mark.rule("P5")
def test_an_old_server(new_client, http_origin, scripted):
    """A server that does not confirm a policy gets nothing to show."""
    granted = {
        "id": "my-app",
        "url": "https://my-app.localhost",
        "ticket": "t.t",
        "attach": "https://localhost/tunnel/my-app",
    }
    asked = []

    def serve(connection):
        asked.append(connection.request())
        connection.send(reply(json.dumps(granted).encode()))

    old = scripted(serve)
    client = new_client(
        http_origin.port, "--rate", "5", url=f"http://localhost:{old.port}", wait=False
    )
    client.program.expect_exit(2)
    assert "no_policies" in client.log
    assert "your url is" not in client.log and len(asked) == 1


@pytest.mark.rule("P5")
def test_a_field_that_cannot_be_touched(server, new_client, http_origin):
    client = new_client(http_origin.port, "--header-add", "Host: example.com", wait=False)
    client.program.expect_exit(2)
    assert "cannot be touched" in client.log


# ---- what they say ----
@pytest.mark.rule("P11")
def test_the_time_is_over(server, name, ended):
    until = int(time.time()) + 3
    attached(ended, server, name, json.dumps({"until": until}))
    host = f"{name}.localhost"
    assert status(server, host, FRIEND) == 200
    wait_until(lambda: status(server, host, FRIEND) == 410, 10, "it is over")
    assert time.time() >= until
    page = fetch(server.port, host, "/", "Accept: text/html")
    assert page.status == 410 and b"limited time" in page.body


@pytest.mark.rule("P11")
def test_the_client_ends(server, new_client, http_origin):
    client = new_client(http_origin.port, "--expires", "2s")
    client.program.expect_exit(0)
    assert "tunnel_expired" in client.log
    assert status(server, client.host, FRIEND) in (404, 410)


@pytest.mark.rule("P43")
@pytest.mark.parametrize("restarts", [False, True])
def test_who_waits_when_the_time_is_over(new_server, name, restarts):
    """A request that waits gets 410, also for a name of the names file."""
    server = new_server("--hold", "30s")
    until = int(time.time()) + 8
    policy = json.dumps({"until": until})
    ticket = register(server, name, says(policy))["ticket"]
    link = ForeignLink(server, name, ticket, says(policy))
    server.wait_link(name, 1)
    host = f"{name}.localhost"
    if restarts:
        wait_saved_live(server, name)
        server.restart()
    else:
        link.close()
        server.wait_log(f"link_(lost|down|gone).*{name}|client_leaves.*{name}")
    with Viewer(server.port) as waits:
        waits.send(head("GET", "/", host))
        assert waits.response().status == 410
    assert until <= time.time() < until + 15
    link.close()


@pytest.mark.rule("P43")
def test_a_websocket_when_the_time_is_over(governed, new_client, websocket_origin):
    """The time of a token's policy, which its client does not know."""
    until = int(time.time()) + 5
    server = governed('trial {"until":%d}\n' % until, line("ann", ANN, "policy=trial"))
    client = new_client(websocket_origin.port, server=server, env=use(ANN))
    with OpenWebSocket(server, client.host, FRIEND) as viewer:
        assert viewer.opened == 101
        assert viewer.close_code() == 1008
    assert time.time() >= until


@pytest.mark.rule("P11")
def test_the_client_is_ended_before(server, new_client, http_origin):
    """A timer that still runs must not outlive what it needs."""
    client = new_client(http_origin.port, "--expires", "1h")
    assert status(server, client.host, FRIEND) == 200
    client.stop()


@pytest.mark.rule("P12")
def test_a_rate(server, new_client, http_origin):
    client = new_client(http_origin.port, "--rate", "1")
    got = [status(server, client.host, STRANGER) for _ in range(30)]
    assert got[:10] == [200] * 10 and 429 in got
    assert status(server, client.host, FRIEND) == 200


@pytest.mark.rule("P13")
def test_fields(server, new_client, http_origin):
    client = new_client(
        http_origin.port,
        *(
            "--header-add",
            "request X-Env: demo one",
            "--header-add",
            "response X-Robots-Tag: noindex",
        ),
        *("--header-remove", "request Referer", "--header-remove", "response Server"),
    )
    got = fetch(
        server.port,
        client.host,
        "/echo",
        *("X-Env: mine", "X_Env: mine", "Referer: https://example.org/", "Connection: x-env"),
    )
    sent = {name.lower(): value for name, value in got.json()["fields"]}
    assert sent["x-env"] == "demo one" and "x_env" not in sent and "referer" not in sent
    assert got.all("X-Robots-Tag") == ["noindex"] and not got.get("Server")


@pytest.mark.rule("P14")
def test_seats(server, new_client, websocket_origin):
    """A viewer has its seat while it has a WebSocket open. The page of those who wait reloads."""
    client = new_client(websocket_origin.port, "--viewer-limit", "1")
    with OpenWebSocket(server, client.host, FRIEND) as viewer:
        assert viewer.opened == 101
        waits = fetch(server.port, client.host, "/", of(STRANGER), "Accept: text/html")
        assert waits.status == 503 and b"wait for your turn" in waits.body
        assert waits.get("Retry-After") == "3" and b'http-equiv="refresh"' in waits.body
        with OpenWebSocket(server, client.host, FRIEND) as another:
            assert another.opened == 101 and viewer.echoes(b"still there")
    assert status(server, client.host, STRANGER) == 503  # for a minute


# ---- a token's policy ----
@pytest.fixture
def governed(guarded, tmp_path):
    """Returns governed(policies, line, ...): a server with these policies of tokens."""
    path = tmp_path / "policies"

    def write(text):
        path.write_text(text)
        path.chmod(0o600)

    def start(text, *lines, options=()):
        write(text)
        server = guarded(*lines, options=["--policies", path, *options])
        server.write_policies = write
        return server

    return start


@pytest.mark.rule("T14", "P20")
def test_a_policy_of_a_token(governed, tokens, new_client, websocket_origin):
    server = governed(f"friends {FRIENDS}\n", line("ann", ANN, "policy=friends"), line("bob", BOB))
    client = new_client(websocket_origin.port, "--deny", "192.0.2.9", server=server, env=use(ANN))
    second = new_client(websocket_origin.port, server=server, env=use(ANN))
    open_one = new_client(websocket_origin.port, server=server, env=use(BOB))
    assert status(server, client.host, STRANGER) == 403
    assert status(server, client.host, "192.0.2.9") == 403
    assert status(server, open_one.host, STRANGER) != 403
    with (
        OpenWebSocket(server, client.host, FRIEND) as viewer,
        OpenWebSocket(server, second.host, FRIEND) as other,
        OpenWebSocket(server, open_one.host, FRIEND) as stays,
    ):
        assert viewer.opened == other.opened == stays.opened == 101
        server.write_policies(f"friends {OTHERS}\n")
        tokens.reload(server, line("ann", ANN, "policy=friends"), line("bob", BOB))
        assert viewer.close_code() == other.close_code() == 1008
        assert stays.echoes(b"still there")
    assert status(server, client.host, FRIEND) == 403
    assert status(server, client.host, "203.0.113.4") != 403


@pytest.mark.rule("P40", "P41")
def test_what_stays_when_a_policy_changes(governed, tokens, new_client, websocket_origin):
    """Links that were used stay used, also over a restart, and who has signed in goes on."""
    ann = line("ann", ANN, "policy=p")
    server = governed(f"p {FRIENDS}\n", ann)
    client = new_client(
        websocket_origin.port, "--share-key", "bob:2h:1", server=server, env=use(ANN)
    )
    link = client.program.wait_output(r"^the link for bob is: https://[^/]*(/\S+)$", 10, "stdout")

    def come():
        https = "X-Forwarded-Proto: https"
        return fetch(server.port, client.host, link.group(1), https, of(FRIEND))

    got = come()
    assert got.status == 303 and come().status == 403
    [cookie] = [one.split(";")[0] for one in got.all("Set-Cookie")]
    with OpenWebSocket(server, client.host, FRIEND, f"Cookie: {cookie}") as viewer:
        assert viewer.opened == 101
        server.write_policies('p {"allow":["192.0.2.0/25"]}\n')
        tokens.reload(server, ann)
        wait_until(
            lambda: fetch(
                server.port, client.host, "/", of("192.0.2.200"), "Accept: text/html"
            ).body.find(b"use your link")
            < 0,
            10,
            "it is in force",
        )
        assert viewer.echoes(b"still there")
    assert come().status == 403
    wait_until(
        lambda: "}1 " in server.saved_names or "}1\n" in server.saved_names, 10, "it is kept"
    )
    server.restart()
    client.program.wait_output("link_up", count=2, deadline_s=30)
    assert come().status == 403


EDITS = '{"request_add":[["x-env","one"]],"viewers":1}'


def send_held(server, viewer, name, address, count):
    """Sends a request, which waits as the last one of @count."""
    viewer.send(head("GET", "/", f"{name}.localhost", of(address)))
    path = f"/api/tunnels/{name}/status"
    wait_until(lambda: call(server, path).json()["waiting"] == count, 10, "the request to wait")


@pytest.mark.rule("P42")
@pytest.mark.parametrize("before", ["{}", EDITS, '{"deny":["203.0.113.9"]}'])
def test_requests_that_wait_when_a_policy_changes(governed, tokens, name, ended, before):
    """They come in by the new one: its fields and its seats hold. If the old one has edited them,
    they get 503."""
    after = EDITS.replace("one", "two")
    server = governed(f"p {before}\n", line("ann", ANN, "policy=p"), options=["--hold", "30s"])
    ticket = register(server, name, bearer(ANN))["ticket"]
    link = ForeignLink(server, name, ticket)
    server.wait_link(name, 1)
    link.close()
    server.wait_log(f"link_(lost|down|gone).*{name}|client_leaves.*{name}")
    with Viewer(server.port) as friend, Viewer(server.port) as stranger:
        send_held(server, friend, name, FRIEND, 1)
        if before != EDITS:
            send_held(server, stranger, name, STRANGER, 2)
        server.write_policies(f"p {after}\n")
        tokens.reload(server, line("ann", ANN, "policy=p"))
        link = ForeignLink(server, name, ticket)
        ended.callback(link.close)
        if before == EDITS:
            assert friend.response().status == 503
            return
        assert friend.response().status == 200
        assert stranger.response().status == 503
    [fields] = link.requests
    assert fields["x-env"] == "two"


@pytest.mark.rule("P42")
def test_requests_that_wait_over_a_restart(governed, name, ended):
    """The policy of the token holds before the client is back."""
    server = governed(f"p {EDITS}\n", line("ann", ANN, "policy=p"), options=["--hold", "30s"])
    ticket = register(server, name, bearer(ANN))["ticket"]
    link = ForeignLink(server, name, ticket)
    server.wait_link(name, 1)
    wait_saved_live(server, name)
    server.restart()
    link.close()
    with Viewer(server.port) as friend:
        send_held(server, friend, name, FRIEND, 1)
        assert status(server, f"{name}.localhost", STRANGER) == 503
        link = ForeignLink(server, name, ticket)
        ended.callback(link.close)
        assert friend.response().status == 200
    assert link.requests[0]["x-env"] == "one"


@pytest.mark.rule("T14", "T38")
@pytest.mark.parametrize(
    "policies, words, why",
    [
        pytest.param("others {}\n", "policy=friends", "token 'ann' names a policy", id="missing"),
        pytest.param("others {}\n", "polcy=others", ":1: the line", id="a slip in the tokens"),
        pytest.param("others {\n", "policy=others", ":1: the policy", id="a slip in the policies"),
    ],
)
def test_files_that_do_not_fit_together(governed, tokens, name, policies, words, why):
    """Both stay as they were, and so do the links; then both change at once."""
    server = governed(f"friends {FRIENDS}\n", line("ann", ANN, "policy=friends"))
    ticket = register(server, name, bearer(ANN))["ticket"]
    link = ForeignLink(server, name, ticket)
    server.wait_link(name, 1)
    server.write_policies(policies)
    tokens.reload(server, line("ann", ANN, words), event="tokens_not_reloaded")
    server.wait_log(f"policies_not_reloaded.*{why}")
    server.wait_log(f"tokens_not_reloaded.*{why}")
    assert error(server, name + "-2", bearer(ANN)) is None
    server.write_policies(f"others {OTHERS}\n")
    tokens.reload(server, line("ann", ANN, "policy=others"))
    wait_until(
        lambda: status(server, f"{name}.localhost", "203.0.113.4") != 403, 10, "the other policy"
    )
    assert status(server, f"{name}.localhost", FRIEND) == 403
    assert link.goaways.empty()
