# SPDX-License-Identifier: MIT
"""Tests what a person sees of a share on a real terminal, and what a script gets instead: the
drawing, its size, stops and ends; --json, --url-file and --qr. docs/http-rules.md#start-and-stop"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess

import pytest
from support.origins import reply
from support.programs import BIN, free_port, run
from support.tmux import PROGRAM as TMUX
from support.tmux import Terminal
from support.viewer import Viewer, fetch, head
from support.websocket_viewer import HANDSHAKE

on_terminal = pytest.mark.skipif(not TMUX, reason="tmux is not installed")
SENTENCE = "Anybody who has the URL can open it."


@pytest.fixture
def terminal(ended):
    def start(*arguments, **keywords):
        return ended.enter_context(contextlib.closing(Terminal(*arguments, **keywords)))

    return start


@pytest.fixture
def share(server, http_origin, name, tmp_path, terminal):
    """Returns share(*options), which types the command into a new terminal and returns that."""

    def start(*options, origin=None, **keywords):
        words = [BIN / "oneport", "--config", "none", "-h", server.url, "-s", name]
        words += ["--ca", server.certificate.ca, "--ticket-file", tmp_path / "tickets", *options]
        window = terminal(**keywords)
        window.type(shlex.join(map(str, [*words, origin or http_origin.port])))
        return window

    return start


@on_terminal
@pytest.mark.rule("O160", "O161")
def test_the_share_is_drawn(server, share, name):
    window = share()
    window.wait("online, round trip")
    host = f"{name}.localhost"
    assert fetch(server.port, host, "/echo/first").status == 200
    screen = window.wait("GET /echo/first")
    assert SENTENCE in screen and "1 viewer, 0 WebSockets" in screen
    assert sum(f"https://{host}" in line for line in screen.splitlines()) == 2  # line and drawing
    for number in range(9):
        fetch(server.port, host, f"/echo/{number}")
    screen = window.wait("GET /echo/8")
    assert "/echo/first" not in screen and "10 in all" in screen


@on_terminal
@pytest.mark.rule("O160", "O161")
def test_an_open_websocket_is_a_viewer(server, share, name, websocket_origin):
    window = share(origin=websocket_origin.port)
    window.wait("online")
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost", *HANDSHAKE))
        assert viewer.response().status == 101
        window.wait("1 viewer, 1 WebSocket, ")
    window.wait("0 WebSockets")


@on_terminal
@pytest.mark.rule("O160")
def test_the_terminal_changes_its_size(server, share, name):
    window = share()
    window.wait("online")
    for number in range(8):
        fetch(server.port, f"{name}.localhost", f"/echo/{number}")
    window.wait("GET /echo/7")
    for columns, rows in ((40, 8), (200, 50), (20, 5), (100, 20)):
        window.resize(columns, rows)
        window.wait(
            lambda screen: screen.count("Anybody who") == 1
            and max(map(len, screen.splitlines())) <= columns
        )
    screen = window.wait("GET /echo/7")
    assert screen.count("GET /echo/7") == 1 and screen.count("in all") == 1


@on_terminal
@pytest.mark.rule("O160")
def test_reconnecting_is_one_line(new_server, terminal, http_origin, name, tmp_path):
    server = new_server()
    words = [BIN / "oneport", "--config", "none", "-h", server.url, "-s", name, "--ca"]
    words += [server.certificate.ca, "--ticket-file", tmp_path / "tickets", http_origin.port]
    window = terminal()
    window.type(shlex.join(map(str, words)))
    window.wait("online")
    server.kill9()
    window.wait("  reconnecting")
    screen = window.wait("not connected to ")
    assert screen.count("  reconnecting") == 1 and screen.count("not connected to ") == 1
    server.start()
    screen = window.wait("online", 30)
    assert "not connected to " not in screen and "  reconnecting" not in screen


@on_terminal
@pytest.mark.rule("O173")
def test_an_error_is_said_in_plain_words(server, terminal, tmp_path):
    words = [BIN / "oneport", "--config", "none", "--ca", server.certificate.ca, "-h"]
    window = terminal(columns=160)
    window.type(shlex.join(map(str, [*words, server.url, "-s", "admin", 8080])))
    screen = window.wait(f"oneport: refused by {server.url}: ")
    assert "reserved for the server itself: choose another" in screen
    window.wait(lambda screen: screen.splitlines()[-1] == "ready>")
    closed = f"https://localhost:{free_port()}"
    window.type(shlex.join(map(str, [*words, closed, "--max-retries", 1, 8080])))
    screen = window.wait(f"oneport: there is no connection to {closed}: Connection refused (TCP)")
    assert "nobody listens on this port: check the port" in screen  # and in the next line
    screen = window.wait(lambda screen: screen.splitlines()[-1] == "ready>")
    assert screen.count("nobody listens") == 1 and "no URL yet" not in screen
    assert "Anybody" not in screen  # there is no URL that anybody could have
    assert "server_refuses" not in screen and "giving_up" not in screen
    window.type(
        shlex.join(map(str, [*words, closed, "--max-retries", 1, "--log-level=warn", 8080]))
    )
    window.wait("giving_up")


@on_terminal
@pytest.mark.rule("O160")
def test_it_stops_and_goes_on(share):
    window = share()
    window.wait("online")
    window.press("C-z")
    screen = window.wait(lambda screen: screen.splitlines()[-1] == "ready>")
    assert SENTENCE in screen and "Stopped" in screen
    window.type("bg; sleep 1; echo quiet")  # time itself is tested: a second without a drawing
    screen = window.wait(lambda screen: "\nquiet" in screen)
    assert screen.count(SENTENCE) == 1  # nothing is drawn from the background
    window.type("fg")
    window.wait(lambda screen: screen.count(SENTENCE) == 2)
    window.press("C-c")
    window.wait(lambda screen: screen.splitlines()[-1] == "ready>")


@on_terminal
@pytest.mark.rule("O160")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL])
def test_the_terminal_is_usable_however_it_ends(share, tmp_path, number):
    window = share(environment={"HOME": tmp_path})
    window.wait("online")
    pid = subprocess.run(
        ["pgrep", "-f", f"oneport .*{tmp_path}/tickets"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    os.kill(int(pid), number)
    window.wait("ready>")
    window.type("stty -a | grep -o ' echo ' && printf '%s\\n' still-alive")
    window.wait(lambda screen: "\nstill-alive" in screen)


@on_terminal
@pytest.mark.rule("O160")
def test_colours_can_be_refused(share):
    window = share(environment={"NO_COLOR": "1"})
    window.wait("online")
    assert "\x1b[32m" not in window.text(colours=True)
    window = share("--print-requests")
    assert SENTENCE not in window.wait("your url is")


@pytest.mark.rule("O162")
def test_json(server, new_client, http_origin, tmp_path):
    client = new_client(http_origin.port, "--json", "--url-file", tmp_path / "url", wait=False)
    client.program.wait_output('"url"', stream="stdout")
    url = (tmp_path / "url").read_text()
    assert url.endswith("\n") and url.startswith("https://")
    assert fetch(server.port, f"{client.name}.localhost", "/echo/x?y").status == 200
    client.program.wait_output('"request"', stream="stdout")
    client.program.wait_output('"online"', stream="stdout")
    events = [json.loads(line) for line in client.program.stdout.splitlines()]
    by_name = {event["event"]: event for event in events}
    assert by_name["url"]["url"] == url.strip()
    assert by_name["request"]["path"] == "/echo/x?y" and by_name["request"]["status"] == 200
    assert by_name["request"]["bytes"] > 0 and by_name["state"]["state"] == "online"
    assert all(event["time"] for event in events)


def own_name_only(connection):
    connection.request()
    mine = connection.get("Host").startswith("localhost:")
    connection.send(reply(b"ok") if mine else reply(b"Invalid Host header", status=403))


@on_terminal
@pytest.mark.rule("O231")
def test_the_drawing_says_by_which_name_the_service_is_asked(server, share, scripted, name):
    window = share(origin=scripted(own_name_only).port)
    assert "by its own name" not in window.wait("online")
    assert fetch(server.port, f"{name}.localhost").status == 200
    window.wait("by its own name")


@pytest.mark.rule("O231")
def test_json_says_by_which_name_the_service_is_asked(server, shared):
    client = shared(own_name_only, "--json", wait=False)
    client.program.wait_output('"online"', stream="stdout")
    assert "host_header" not in client.program.stdout
    assert fetch(server.port, f"{client.name}.localhost").status == 200
    line = client.program.wait_output(r"(.*host_header.*)", stream="stdout").group(1)
    assert json.loads(line)["mode"] == "rewrite"


@on_terminal
@pytest.mark.rule("O230")
def test_the_drawing_says_whether_the_app_answers(share, new_origin):
    app = new_origin()
    window = share("--health", "/status/204", origin=app.port, columns=200)
    window.wait(r"the app answers (204, ")
    app.stop()
    window.wait("the app does not answer: ")
    app.start()
    window.wait("the app answers")


@pytest.mark.rule("O230")
def test_json_says_whether_the_app_answers(server, shared):
    asked, status = [], [500]

    def serve(connection):
        line, _ = connection.request()
        asked.append((line, connection.get("Host"), connection.get("Connection")))
        connection.send(reply(b"x", status=status[0]))

    client = shared(serve, "--json", "--health", "/up?x", wait=False)
    client.program.wait_output('"app":"fails","status":500', stream="stdout")
    client.program.wait_output("app_fails .*path=/up")
    status[0] = 200
    client.program.wait_output('"app":"answers","status":200', stream="stdout")
    assert asked[0] == ("GET /up?x HTTP/1.1", f"localhost:{client.origin.port}", "close")
    client.origin.close()
    client.program.wait_output('"app":"away","reason":"', 20, stream="stdout")
    client.program.wait_output("app_does_not_answer .*reason=")
    assert '"request"' not in client.program.stdout


@pytest.mark.rule("O230")
def test_a_silent_app_does_not_answer(shared):
    client = shared(lambda connection: connection.ended(), "--health", "/")
    client.program.wait_output('app_does_not_answer .*reason="no answer in time"', 20)


@pytest.mark.rule("O162")
def test_a_url_file_that_cannot_be_written(new_client, http_origin, tmp_path):
    client = new_client(http_origin.port, "--url-file", tmp_path / "none" / "url")
    client.program.wait_output("url_file_not_written.*No such file")


@on_terminal
@pytest.mark.rule("O163")
def test_the_qr_code_is_the_url(share, name, tmp_path):
    if not run("oneport", "--qr", "1", "-h", "localhost:1", "--max-retries", "1")[0] == 4:
        pytest.skip("built without libqrencode")
    window = share("--qr", columns=120, rows=60)
    screen = window.wait("online")
    code = [line for line in screen.splitlines() if set(line) & set("▀▄█")]
    assert len(code) > 10
    decoder = shutil.which("zbarimg")
    if decoder:
        pixels = [[c in upper for c in line.ljust(60)] for line in code for upper in ("▀█", "▄█")]
        write_picture(tmp_path / "code.pbm", pixels)
        read = subprocess.run(
            [decoder, "--raw", "-q", tmp_path / "code.pbm"], capture_output=True, text=True
        )
        assert read.stdout.strip().startswith(f"https://{name}.localhost")


def write_picture(path, pixels, scale=4, margin=4):
    """Writes a picture of black and white squares (PBM)."""
    width = max(map(len, pixels)) + 2 * margin
    empty = [False] * width
    rows = [empty] * margin
    rows += [[False] * margin + row + [False] * (width - margin - len(row)) for row in pixels]
    rows += [empty] * margin
    lines = [" ".join("1" if bit else "0" for bit in row for _ in range(scale)) for row in rows]
    text = "\n".join(line for line in lines for _ in range(scale))
    path.write_text(f"P1\n{width * scale} {len(rows) * scale}\n{text}\n")
