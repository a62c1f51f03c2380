# SPDX-License-Identifier: MIT
"""Tests that oneportd does not trust its clients: a client attaches and then sends frames to hurt.
Each way of doing so has a row (row 15, http-rules.md#nghttp2-152).

Whatever the client sends, oneportd ends its link with the right GOAWAY within a second of the end
of its budget, or resets the stream. Each request on the link ends definitely. Other tunnels are
served meanwhile, and memory does not grow."""

import contextlib
import threading
import time

import pytest
from support.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    PING,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTING_INITIAL_WINDOW,
    SETTING_MAX_STREAMS,
    WINDOW_UPDATE,
    frame,
    headers,
    reset,
    response,
    settings,
    window_update,
)
from support.hostile_client import (
    BOMB_FIRST,
    BOMB_NEXT,
    BROKEN,
    FLOODS,
    OPENED,
    STREAM,
    WRONG,
    answered,
    hostile,
)
from support.programs import SLOW, VARIANT
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until

MIB = 1 << 20
FLOOD = 16_000  # more than the budget of 10,000 and the frames of the turn that resets a stream
CLOSED_S = 1.0 * SLOW


class Asking:
    """Sends a request from a thread. `got` is the status, or "aborted" or "nothing"."""

    def __init__(self, server, name, method="GET", body=b""):
        self.got = None
        self.thread = threading.Thread(
            target=self._run, args=(server, name, method, body), daemon=True
        )
        self.thread.start()

    def _run(self, server, name, method, body):
        try:
            self.got = fetch(
                server.port, f"{name}.localhost", method=method, body=body, timeout_s=30
            ).status
        except (Broken, EOFError, ConnectionError):
            self.got = "aborted"
        except TimeoutError:
            self.got = "nothing"

    def end(self, deadline_s=20.0):
        self.thread.join(deadline_s)
        return self.got


class Neighbour:
    """Sends requests to another tunnel all the time. Keeps the longest time that an answer took."""

    def __init__(self, server, host):
        self.server, self.host = server, host
        self.worst_s, self.wrong, self.count = 0.0, [], 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with Viewer(self.server.port) as viewer:
            while not self.stop.is_set():
                start = time.monotonic()
                got = viewer.get(self.host, "/echo")
                self.worst_s = max(self.worst_s, time.monotonic() - start)
                self.count += 1
                if got.status != 200:
                    self.wrong.append(got)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(20)


@pytest.fixture(scope="module", autouse=True)
def warm(server, tunnel):
    """Lets the server take the memory that it needs for its usual work. Growth after this comes
    from the attack."""
    for _ in range(3):
        fetch(server.port, tunnel.host, f"/bytes/{MIB}")


@contextlib.contextmanager
def harmless(server, tunnel):
    """Checks that other tunnels are served meanwhile, and that memory does not grow."""
    before = server.rss()
    with Neighbour(server, tunnel.host) as neighbour:
        yield
        wait_until(lambda: neighbour.count > 3, what="the neighbour's answers")
    assert not neighbour.wrong, neighbour.wrong[:3]
    assert neighbour.worst_s < 1.0 * SLOW, neighbour.worst_s
    if VARIANT == "release":
        assert server.rss() - before <= 4 * MIB, f"{(server.rss() - before) >> 10} KiB more"


# ---- what ends the link ----
def wait_closed(peer, since_s):
    assert peer.ended.wait(10 * SLOW), "the link is still open"
    assert time.monotonic() - since_s < CLOSED_S, f"closed after {time.monotonic() - since_s:.2f} s"


@pytest.mark.parametrize("once,again,code", [pytest.param(*row, id=what) for what, *row in FLOODS])
def test_a_flood_ends_the_link(server, tunnel, name, once, again, code):
    peer = hostile(server, name)
    viewer = Asking(server, name)
    assert peer.next_request() == STREAM
    if again is None:
        once, again = frame(HEADERS, END_HEADERS, STREAM, BOMB_FIRST), frame(
            HEADERS, END_HEADERS, STREAM, BOMB_NEXT
        )
    with harmless(server, tunnel):
        alive = peer.send(once)
        for _ in range(FLOOD // 100 if again else 0):
            alive = alive and peer.send(again * 100)
        wait_closed(peer, time.monotonic())
    assert [code] == [given for given, _ in peer.goaways][-1:], peer.goaways
    assert viewer.end() in (200, 502, "aborted")
    if code == ENHANCE_YOUR_CALM:
        server.wait_log(rf"tunnel_abuse name={name} kind=")
    assert fetch(server.port, tunnel.host, "/echo").status == 200
    peer.close()


@pytest.mark.parametrize("data,code", [pytest.param(*row, id=what) for what, *row in WRONG])
def test_a_malformed_frame_ends_the_link(server, tunnel, name, data, code):
    peer = hostile(server, name)
    viewer = Asking(server, name)
    assert peer.next_request() == STREAM
    with harmless(server, tunnel):
        peer.send(data)
        wait_closed(peer, time.monotonic())
    assert [code] == [given for given, _ in peer.goaways][-1:], peer.goaways
    assert viewer.end() in (502, "aborted")
    server.wait_log(rf"link_lost name={name} .*error=(?!ok)")
    peer.close()


CHEAP = [
    "PING",
    "SETTINGS",
    "empty DATA",
    "PRIORITY",
    "unknown frames",
    "tiny WINDOW_UPDATE of a stream",
]
RATE = 300  # a second, below what the budget gets back


@pytest.mark.release_only
def test_nuisance_within_the_budget_costs_little(server, name):
    """The link sends as much nuisance as it may send for ever, of several kinds at once. This costs
    less than 5 % of a core, and the link lives on."""
    peer = hostile(server, name)
    viewer = Asking(server, name)
    assert peer.next_request() == STREAM
    peer.send(OPENED)
    frames = b"".join(again for what, _, again, _ in FLOODS if what in CHEAP)
    start, before, rounds = time.monotonic(), server.program.cpu_s(), 0
    while (elapsed := time.monotonic() - start) < 3:
        due = int(elapsed * RATE / len(CHEAP)) - rounds
        assert peer.send(frames * due)
        rounds += due
        time.sleep(0.05)  # a rate
    assert server.program.cpu_s() - before < 0.05 * elapsed, server.program.cpu_s() - before
    assert rounds * len(CHEAP) > 2 * RATE and peer.settle() and not peer.goaways
    peer.send(frame(DATA, END_STREAM, STREAM, b"well"))
    assert viewer.end() == 200
    peer.close()


# ---- what ends a stream ----
@pytest.mark.parametrize("data,codes,seen", [pytest.param(*row, id=what) for what, *row in BROKEN])
def test_a_malformed_answer_ends_its_stream(server, tunnel, name, data, codes, seen):
    """The link goes on, and the next request gets the client's answer."""
    peer = hostile(server, name)
    viewer = Asking(server, name)
    assert peer.next_request() == STREAM
    if data is None:
        data = frame(HEADERS, END_HEADERS, STREAM, BOMB_FIRST) + frame(
            HEADERS, END_HEADERS, STREAM, BOMB_NEXT
        )
    with harmless(server, tunnel):
        peer.send(data)
        assert viewer.end() in seen
    if codes != {None}:
        assert peer.wait_reset(STREAM) in codes
    again = Asking(server, name)
    peer.send(response(peer.next_request(), 200, b"well"))
    assert again.end() == 200
    peer.close()


def test_an_answer_to_head_has_no_body(server, tunnel, name):
    peer = hostile(server, name)
    viewer = Asking(server, name, "HEAD")
    assert peer.next_request() == STREAM
    with harmless(server, tunnel):
        peer.send(answered("200", b"body"))
        assert viewer.end() in (200, 502, "aborted")
    assert peer.wait_reset(STREAM) == PROTOCOL_ERROR
    again = Asking(server, name)
    peer.send(response(peer.next_request(), 200, b"well"))
    assert again.end() == 200
    peer.close()


# ---- what is allowed and does no harm ----
def test_a_client_that_refuses_everything(server, tunnel, name):
    """oneportd sends each request once more, since the client has not processed it. Then it answers
    503 and does not try again."""
    peer = hostile(server, name)
    with harmless(server, tunnel):
        viewers = [Asking(server, name) for _ in range(50)]
        for _ in range(100):
            peer.send(reset(peer.next_request(), REFUSED_STREAM))
        assert {viewer.end(5) for viewer in viewers} == {503}
    assert peer.requests.empty()
    peer.close()


def test_a_client_that_takes_no_streams(server, tunnel, name):
    peer = hostile(server, name, first={SETTING_MAX_STREAMS: 0})
    with harmless(server, tunnel):
        start = time.monotonic()
        viewers = [Asking(server, name) for _ in range(300)]
        got = [viewer.end(5) for viewer in viewers]
        assert set(got) == {503} and time.monotonic() - start < 3 * SLOW
    assert peer.requests.empty()
    peer.send(settings({SETTING_MAX_STREAMS: 1}))
    viewer = Asking(server, name)
    peer.send(response(peer.next_request(), 200, b"well"))
    assert viewer.end() == 200
    peer.close()


def test_a_client_that_takes_no_byte(new_server, new_client, http_origin, name):
    """The client's window stays 0. Uploads wait only for --idle-timeout, and oneportd does not
    buffer their bytes."""
    server = new_server("--idle-timeout", "1s")
    tunnel = new_client(http_origin.port, server=server)
    for _ in range(3):
        fetch(server.port, tunnel.host, f"/bytes/{MIB}")
    peer = hostile(server, name, first={SETTING_INITIAL_WINDOW: 0})
    with harmless(server, tunnel), contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(Viewer(server.port)) for _ in range(4)]
        for viewer in viewers:
            viewer.send(head("POST", "/", f"{name}.localhost", f"Content-Length: {8 * MIB}"))
            viewer.socket.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                for _ in range(128):
                    viewer.socket.send(bytes(1 << 16))
            viewer.socket.settimeout(20)
        assert {viewer.response().status for viewer in viewers} <= {408, 504}
    assert peer.settle()
    peer.close()


def test_a_client_that_sends_beyond_the_window(server, tunnel, name):
    """The viewer reads nothing, so the window stays closed. oneportd resets the stream before much
    memory is used."""
    peer = hostile(server, name)
    with harmless(server, tunnel), Viewer(server.port, receive_buffer=16 << 10) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert peer.next_request() == STREAM
        peer.send(OPENED)
        assert viewer.response_head().status == 200
        for _ in range(64):
            peer.send(frame(DATA, 0, STREAM, bytes(16_384)) * 16)
        assert peer.wait_reset(STREAM) == FLOW_CONTROL_ERROR
        with pytest.raises((Broken, EOFError, ConnectionError)):
            while viewer.chunk():
                pass
    peer.close()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(DATA, 0, STREAM, b"x"), id="DATA of one byte"),
        pytest.param(window_update(0, 1024), id="WINDOW_UPDATE"),
    ],
)
def test_small_frames_are_served_and_slow_nobody_down(server, tunnel, name, data):
    """Nothing is wrong with these frames, so oneportd processes them. Other tunnels do not notice
    it."""
    peer = hostile(server, name)
    viewer = Asking(server, name)
    assert peer.next_request() == STREAM
    with harmless(server, tunnel):
        peer.send(OPENED)
        for _ in range(FLOOD // 100):
            assert peer.send(data * 100)
        peer.send(frame(DATA, END_STREAM, STREAM))
        assert viewer.end() == 200
    assert peer.settle()
    peer.close()


def test_cve_2025_8671_resets_that_we_were_made_to_send(server, tunnel, name):
    """Each answer makes oneportd reset its stream. The viewer gets a 502, and the link lives on
    while its budget lasts."""
    peer = hostile(server, name)
    with harmless(server, tunnel), Viewer(server.port) as viewer:
        for _ in range(200):
            viewer.send(head("GET", "/", f"{name}.localhost"))
            peer.send(window_update(peer.next_request(), 0x7FFFFFFF))
            assert viewer.response().status == 502
    assert peer.settle()
    peer.close()


LINE_S = 0.2  # a long line, which needs large windows


@pytest.mark.parametrize("budget,grow", [(1 << 20, False), (64 << 20, True)])
def test_windows_of_a_burst_fit_into_the_process(new_server, budget, grow):
    """The client sends the heads of long answers and no byte of their bodies. The windows count
    towards the budget though no data is held yet. They are opened behind the requests if the budget
    is large, and the heads open them no further."""
    server = new_server("--memory-budget", budget)
    peer = hostile(server, "burst", polite=False)
    wait_until(lambda: peer.pings, what="a PING that measures the line")
    time.sleep(LINE_S)
    peer.send(
        settings(flags=ACK) + b"".join(frame(PING, ACK, 0, payload) for payload in peer.pings)
    )
    begun = peer.counts[WINDOW_UPDATE]
    viewers = [Asking(server, "burst") for _ in range(8)]
    streams = [peer.next_request() for _ in viewers]
    assert peer.settle()
    before = peer.counts[WINDOW_UPDATE]
    peer.send(
        b"".join(
            headers(stream, (":status", "200"), ("content-length", str(1 << 30)))
            for stream in streams
        )
    )
    assert peer.settle()
    assert peer.counts[WINDOW_UPDATE] == before
    assert (before - begun == len(viewers)) == grow
    peer.close()
    assert {viewer.end() for viewer in viewers} == {"aborted"}
