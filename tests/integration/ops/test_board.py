# SPDX-License-Identifier: MIT
"""Tests the board: what the operator sees of a running server, and whom the operator shuts out; the
calls, `oneportd ctl`, the metrics and the page."""

import http.client
import json
import os
import re
import socket
import subprocess
import tempfile

import pytest
from support import browser
from support.browser import Browser
from support.foreign import call, register
from support.programs import run
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_frames import TEXT, frame, split
from support.websocket_viewer import HANDSHAKE

TOKEN = "the-token-of-this-board"
JSON = {"Content-Type": "application/json"}
STRANGER = "192.0.2.7"


class OverUnix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


class Board:
    """Asks the board of a server."""

    def __init__(self, path):
        self.path = path

    def ask(self, method, path, body=None, **fields):
        """Returns (status, text)."""
        connection = OverUnix(self.path)
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def get(self, path):
        status, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)

    def post(self, path, **members):
        status, text = self.ask("POST", path, json.dumps(members), **JSON)
        return status, json.loads(text)

    def ctl(self, *words):
        return run("oneportd", "ctl", "--admin", f"unix:{self.path}", *words)


@pytest.fixture(params=[1, 4], ids=["1 worker", "4 workers"])
def served(request, new_server, tmp_path):
    server = new_server("--admin", f"unix:{tmp_path}/board", "--workers", str(request.param))
    return server, Board(tmp_path / "board")


MASK = b"mask"


class OpenWebSocket(Viewer):
    """A viewer at @address with an open WebSocket."""

    def __init__(self, client, address):
        super().__init__(client.server.port)
        self.send(head("GET", "/", client.host, of(address), *HANDSHAKE))
        assert self.response_head().status == 101

    def echoes(self, text):
        self.send(frame(TEXT, text, MASK))
        data = b""
        while not split(data)[0]:
            data += self.socket.recv(4096)
        return split(data)[0][0][1] == text

    def ends(self):
        """Reads to the end of the connection."""
        while self.socket.recv(4096):
            pass
        return True


def of(address):
    return f"X-Forwarded-For: {address}"


def ask_as(server, host, address, path="/"):
    return fetch(server.port, host, path, of(address))


@pytest.mark.rule("O253")
def test_tunnels_and_viewers(served, new_client, websocket_origin):
    """The board shows what is shared, by whom, and who looks at it."""
    server, board = served
    assert board.get("/api/tunnels") == {"tunnels": [], "more": False}
    register(server, "pending")
    client = new_client(websocket_origin.port, server=server)
    with OpenWebSocket(client, STRANGER) as viewer:
        assert viewer.echoes(b"hello")
        rows = {row["name"]: row for row in board.get("/api/tunnels")["tunnels"]}
        assert sorted(rows) == sorted(["pending", client.name])
        assert rows["pending"]["state"] == "pending" and rows["pending"]["links"] == []
        shared = rows[client.name]
        assert shared["state"] == "live" and len(shared["links"]) == 1
        assert (shared["viewers"], shared["open"], shared["websockets"]) == (1, 1, 1)
        assert shared["links"][0]["peer"].startswith("127.0.0.1:")
        (row,) = board.get(f"/api/tunnels/{client.name}/viewers")["viewers"]
        assert row["address"] == STRANGER and row["websockets"] == 1
        assert board.get("/api/tunnels/nobody/viewers")["viewers"] == []
        code, out, err = board.ctl("viewers", client.name)
        assert code == 0 and re.search(rf"^{STRANGER} +1 +1 ", out, re.M), (out, err)
    code, out, _ = board.ctl("tunnels")
    assert code == 0 and re.search(rf"^{client.name} +live ", out, re.M), out
    wait_until(
        lambda: board.get(f"/api/tunnels/{client.name}/viewers")["viewers"] == [], what="its end"
    )
    (row,) = [r for r in board.get("/api/tunnels")["tunnels"] if r["name"] == client.name]
    assert row["requests"] == 1 and row["tx_octets"] > 0 and row["rx_octets"] > 0


@pytest.mark.rule("O253")
def test_pages_of_tunnels(served):
    """More names than an answer has come in pages, in the order of their names."""
    server, board = served
    names = [f"n{number:04}" for number in range(1100)]
    with Viewer(server.port) as proxy:
        for number, name in enumerate(names):
            field = of(f"192.0.{number % 100}.{number // 100}")
            assert proxy.get("localhost", f"/register/{name}", field).status == 200
    first = board.get("/api/tunnels")
    rest = board.get(f"/api/tunnels?after={first['tunnels'][-1]['name']}")
    assert [row["name"] for row in first["tunnels"] + rest["tunnels"]] == names
    assert first["more"] is True and rest["more"] is False
    assert board.ask("GET", "/api/tunnels?before=x")[0] == 400


@pytest.mark.rule("O250", "O254")
def test_a_kick(served, new_client, websocket_origin):
    """A viewer that is kicked loses its WebSocket and comes in again when the bar is over or was
    taken away. Others stay."""
    server, board = served
    client = new_client(websocket_origin.port, server=server)
    with OpenWebSocket(client, STRANGER) as kicked, OpenWebSocket(client, "192.0.2.8") as other:
        assert board.post("/api/ban", name=client.name, network=STRANGER) == (200, {"ended": 1})
        assert kicked.ends()
        assert other.echoes(b"still here")
    got = ask_as(server, client.host, STRANGER)
    assert got.status == 403 and "http_request_denied" in got.get("Proxy-Status")
    assert ask_as(server, client.host, "192.0.2.8").status != 403
    (row,) = board.get("/api/bans")["bans"]
    assert (row["name"], row["network"]) == (client.name, f"{STRANGER}/32")
    assert board.ctl("unban", client.name, STRANGER)[0] == 0
    assert ask_as(server, client.host, STRANGER).status != 403
    assert board.ctl("kick", client.name, STRANGER, "1s")[0] == 0
    assert ask_as(server, client.host, STRANGER).status == 403
    wait_until(lambda: ask_as(server, client.host, STRANGER).status != 403, what="its end")


@pytest.mark.rule("O251", "O254")
def test_the_end_of_a_tunnel(served, new_client, http_origin):
    """A tunnel that is ended stays ended: its client is told, ends, and may not come back."""
    server, board = served
    client = new_client(http_origin.port, server=server)
    client.code = 2
    assert fetch(server.port, client.host, "/bytes/3").status == 200
    assert board.ctl("end", client.name, "1h")[0] == 0
    wait_until(lambda: not client.program.running, 20, "the end of the client")
    assert "shut you out" in client.log
    assert fetch(server.port, client.host, "/").status == 403
    got = call(server, f"/register/{client.name}")
    assert got.status == 403 and got.json()["error"] == "banned" and "until" in got.json()
    assert register(server, f"{client.name}-2")["id"] == f"{client.name}-2"


@pytest.mark.rule("O251")
def test_a_network(served):
    """A network that is shut out neither shares nor looks."""
    server, board = served
    code, _, err = board.ctl("ban", "192.0.2.0/24", "1h")
    assert code == 0, err
    got = call(server, "/register", of(STRANGER), "X-Forwarded-Proto: https", secure=False)
    assert got.status == 403 and got.json()["error"] == "banned"
    assert register(server, None, of("198.51.100.1"))["id"]
    name = register(server)["id"]
    assert ask_as(server, f"{name}.localhost", STRANGER).status == 403
    assert ask_as(server, f"{name}.localhost", "198.51.100.1").status != 403
    assert ask_as(server, "localhost", STRANGER, "/api/status").status == 200


@pytest.mark.rule("O255")
@pytest.mark.parametrize(
    "path, body, status, words",
    [
        ("/api/ban", {}, 400, "name"),
        ("/api/ban", {"name": "-"}, 400, "name"),
        ("/api/ban", {"network": "192.0.2.0/40"}, 400, "network"),
        ("/api/ban", {"network": "2001:db8::/80"}, 400, "64 bits"),
        ("/api/ban", {"name": "demo", "for": "long"}, 400, "for"),
        ("/api/ban", {"name": "demo", "for": 5}, 400, "for"),
        ("/api/ban", {"name": "demo", "for": "0s"}, 400, "for"),
        ("/api/unban", {"name": "demo"}, 404, "no such ban"),
        ("/api/ban", [], 400, "object"),
        ("/api/nothing", {}, 404, "no such call"),
        ("/api/tunnels", {}, 405, "another method"),
        ("/api/ban", {"name": "x" * 5000}, 413, "4 KiB"),
    ],
)
def test_bad_calls(server_with_board, path, body, status, words):
    got, text = server_with_board.ask("POST", path, json.dumps(body), **JSON)
    assert got == status and words in json.loads(text)["message"], text


@pytest.fixture(scope="module")
def server_with_board(start_server, tmp_path_factory):
    path = tmp_path_factory.mktemp("board") / "board"
    server = start_server("--admin", f"unix:{path}")
    yield Board(path)
    server.stop()


@pytest.mark.rule("O255")
def test_odd_peers(server_with_board):
    """Bytes that are no request, and connections that say nothing, cost the board nothing."""
    silent = [socket.socket(socket.AF_UNIX) for _ in range(32)]
    for one in silent:
        one.connect(str(server_with_board.path))
    with socket.socket(socket.AF_UNIX) as more:
        more.connect(str(server_with_board.path))
        assert more.recv(1) == b""  # too many
    for one in silent:
        one.sendall(b"\x00nothing\r\n\r\n")
        assert one.recv(12) == b"HTTP/1.1 400"
        one.close()
    wait_until(lambda: server_with_board.ask("GET", "/api/bans")[0] == 200, what="an answer")
    with socket.socket(socket.AF_UNIX) as pipelined:
        pipelined.connect(str(server_with_board.path))
        pipelined.sendall(2 * head("GET", "/api/bans", "localhost"))
        answer = b"".join(iter(lambda: pipelined.recv(4096), b""))
    assert answer.count(b"HTTP/1.1 200") == 1  # a connection has one request


@pytest.mark.rule("O257", "O258")
def test_a_port_needs_the_token(new_server, tmp_path):
    """At a port only the token opens the board, for programs as for `oneportd ctl`."""
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    server = new_server("--admin", "127.0.0.1:0", "--admin-token", str(token))
    port = int(re.findall(r"listening addr=127.0.0.1:(\d+)", server.log)[-1])
    assert port != server.port
    bearer = f"Authorization: Bearer {TOKEN}"
    assert fetch(port, f"localhost:{port}", "/api/tunnels").status == 401
    assert fetch(port, f"localhost:{port}", "/api/tunnels", bearer + "x").status == 401
    assert fetch(port, f"localhost:{port}", "/metrics").status == 401
    assert fetch(port, f"localhost:{port}", "/api/tunnels", bearer).status == 200
    assert fetch(port, "board.example", "/api/tunnels", bearer).status == 403
    assert fetch(port, f"localhost:{port}", "/").status == 200  # shows nothing of the server
    code, out, err = run(
        "oneportd", "ctl", "--admin", f"127.0.0.1:{port}", "--admin-token", token, "tunnels"
    )
    assert code == 0 and out.startswith("NAME"), err
    code, _, err = run("oneportd", "ctl", "--admin", f"127.0.0.1:{port}", "tunnels")
    assert code == 1 and "token" in err
    assert TOKEN not in server.log and TOKEN not in server.access_log


@pytest.mark.rule("O256")
def test_a_stranger_at_the_socket(server_with_board, tmp_path):
    """A process of another user is refused, whatever the mode of the socket."""
    server_with_board.path.parent.chmod(0o755)
    server_with_board.path.chmod(0o777)
    code = (
        "import os, socket, sys\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "s.sendall(b'GET /api/bans HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')\n"
        "print(s.recv(12).decode())\n"
    )
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        link = os.path.join(open_to_all, "board")
        os.link(server_with_board.path, link)
        got = subprocess.run(
            ["/usr/bin/python3", "-c", code, link], capture_output=True, text=True, timeout=30
        )
    assert got.stdout.strip() == "HTTP/1.1 403", got.stderr


@pytest.mark.rule("O260")
def test_drain(new_server, tmp_path):
    server = new_server("--admin", f"unix:{tmp_path}/board")
    board = Board(tmp_path / "board")
    assert board.ctl("drain")[0] == 0
    wait_until(lambda: not server.program.running, 20, "the end of the server")
    assert "draining" in server.log and not (tmp_path / "board").exists()


METRIC = re.compile(
    r'(oneport_[a-z_]+)(\{[a-z]+="[^"\\]*"\})? (NaN|[+-]?(\d+(\.\d+)?(e[+-]\d+)?|Inf))'
)


def metrics(text):
    """Checks the text format of Prometheus 0.0.4. Returns {name and labels: value}."""
    values, kind = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind[name] = line.split()[2:4][0], line.split()[3]
            assert kind[name] in ("counter", "gauge", "histogram"), line
            assert (kind[name] == "counter") == name.endswith("_total"), line
        elif not line.startswith("# HELP "):
            match = METRIC.fullmatch(line)
            assert match, line
            base = re.sub("_(bucket|sum|count)$", "", match[1])
            assert match[1] in kind or kind.get(base) == "histogram", line
            assert match[1] + (match[2] or "") not in values, line
            values[match[1] + (match[2] or "")] = float(match[3])
    return values


@pytest.mark.rule("O261")
def test_metrics(served, new_client, http_origin):
    server, board = served
    client = new_client(http_origin.port, server=server)
    for _ in range(6):
        assert fetch(server.port, client.host, "/bytes/3").status == 200
    status, text = board.ask("GET", "/metrics")
    got = metrics(text)
    assert status == 200 and got["oneport_requests_total"] == 6
    assert sum(v for k, v in got.items() if k.startswith("oneport_responses_total")) == 6
    assert got["oneport_links"] == 1 and got["oneport_tunnels_live"] == 1
    assert got['oneport_first_byte_seconds_bucket{le="+Inf"}'] == 6
    assert got["oneport_first_byte_seconds_count"] == 6
    assert client.name not in text  # names are labels only on request
    status, text = board.ask("GET", "/metrics?tunnels=1")
    assert metrics(text)[f'oneport_tunnel_requests_total{{tunnel="{client.name}"}}'] == 6
    code, out, _ = board.ctl("metrics")
    assert code == 0 and metrics(out)["oneport_links"] == 1


@pytest.mark.rule("O262")
@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_the_page(new_server, new_client, websocket_origin, tmp_path, ended):
    """In a browser the page asks for the token, shows tunnels and viewers, and kicks one."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    server = new_server("--admin", "127.0.0.1:0", "--admin-token", str(token))
    port = int(re.findall(r"listening addr=127.0.0.1:(\d+)", server.log)[-1])
    client = new_client(websocket_origin.port, server=server)
    viewer = ended.enter_context(OpenWebSocket(client, STRANGER))
    chromium = Browser(tmp_path / "browser")
    ended.callback(chromium.stop)
    tab = chromium.open(f"http://127.0.0.1:{port}/")
    wait_until(lambda: chromium.run(tab, "return !$('door').hidden"), 20, "the question")
    chromium.run(tab, f"$('token').value = '{TOKEN}'; $('door').requestSubmit()")

    def text(of_it):
        return chromium.run(tab, f"return $('{of_it}').textContent")

    wait_until(lambda: client.name in text("tunnels"), 20, "the tunnel")
    assert chromium.run(tab, "return $('door').hidden")

    def press(label):
        return chromium.run(
            tab,
            "for (const b of document.querySelectorAll('button'))"
            f" if (b.dataset.key === '{label}') {{ b.focus(); b.click(); return true; }}"
            " return false",
        )

    assert press(f"viewers of {client.name}")
    wait_until(lambda: STRANGER in text("viewers"), 20, "the viewer")
    assert press(f"kick {STRANGER}")
    assert viewer.ends()
    wait_until(lambda: STRANGER in text("bans"), 20, "the ban")
    assert press(f"let in {client.name} {STRANGER}/32")
    wait_until(lambda: text("bans") == "", 20, "its end")
    assert not [line for line in chromium.console() if "Content Security Policy" in line]
