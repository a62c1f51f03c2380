# SPDX-License-Identifier: MIT
"""Tests that memory is bounded by a budget for each link and for the process. Over three quarters
of it the server evicts viewers that take nothing, the longest-stalled first, with a log line and a
count. Viewers that take little stay, and others keep their rate (row 8, http-rules.md#memory)."""

import contextlib
import selectors
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from support.faultproxy import DOWN
from support.programs import VARIANT, stable
from support.viewer import download_rate, fetch, head
from support.wait import wait_until

MIB = 1 << 20
STALL_S = 1.0
STILL_S = 2.2  # the server looks once a second for streams that took nothing for a second
BUDGET = MIB
WINDOW = 64 << 10  # a stream's window on a link that has learned nothing
SLOW_LINE = ("--line-rate", "1m")  # windows start with WINDOW, also when all round trips are long
SKB = 32 << 10  # a unix socket takes up to this size beyond its limit
SIZE = 32 * MIB  # the size of a download that is timed
HUGE = f"/bytes/{1 << 30}"


def status(server):
    return fetch(server.port, "localhost", "/api/status").json()


def begin(port, host, say=True):
    """Opens a viewer that asks for much data, if @say, and does not read by itself. Its socket
    takes little, and in segments of a usual size."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    raw.connect(("127.0.0.1", port))
    if say:
        raw.sendall(head("GET", HUGE, host))
    return raw


class Slow(threading.Thread):
    """Reads at most @size bytes of each of @viewers, ten times a second, until stop()."""

    def __init__(self, viewers, size):
        super().__init__(daemon=True)
        self.viewers, self.size = viewers, size
        self.taken = [0] * len(viewers)
        self.gone = set()
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            for at, viewer in enumerate(self.viewers):
                if at not in self.gone:
                    self._read(at, viewer)

    def _read(self, at, viewer):
        if self.size == 0:
            return
        try:
            viewer.setblocking(False)
            count = len(viewer.recv(self.size))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ConnectionError:
            count = 0
        self.taken[at] += count
        if count == 0:
            self.gone.add(at)

    def stop(self):
        self.over.set()
        self.join(5)


def test_stalled_viewers_are_evicted_and_slow_ones_stay(new_server, new_client, http_origin, ended):
    """The budget is 1 MiB, and a viewer may stand still for 1 s. The log line and the count agree
    with what viewers see. The server discards what is queued for an evicted viewer and closes its
    descriptor, though the viewer does nothing."""
    server = new_server("--memory-budget", BUDGET, "--stall-timeout", "1s")
    client = new_client(http_origin.port, server=server)
    viewers = [begin(server.port, client.host) for _ in range(3)]
    for viewer in viewers:
        ended.callback(viewer.close)
    slow = Slow(viewers, 2048)
    ended.callback(slow.stop)
    descriptors = stable(server.fds)
    # The server holds at least 16 KiB for each of them. Up to half of this is in the kernel and not
    # counted. The rest must be more than three quarters of the budget.
    stalled = [begin(server.port, client.host) for _ in range(100)]
    for viewer in stalled:
        ended.callback(viewer.close)
    seen = server.wait_log(
        rf"stream_evicted.* name={client.name} stalled_ms=(\d+) "
        rf"octets=(\d+) held=(\d+) budget={BUDGET}",
        20,
    )
    assert (
        int(seen.group(1)) >= STALL_S * 1000
        and 0 < int(seen.group(2)) <= 64 << 10
        and int(seen.group(3)) >= BUDGET * 3 / 4
    )
    wait_until(lambda: status(server)["buffered_octets"] < BUDGET * 3 / 4, 20, "room")
    evicted = status(server)["streams_evicted"]
    assert 0 < evicted < len(stalled), "too many were evicted"
    wait_until(
        lambda: server.fds() <= descriptors + len(stalled) - evicted,
        10,
        "the descriptors of those that went",
    )
    until = time.monotonic() + 3 * STALL_S
    before = list(slow.taken)
    while time.monotonic() < until:
        assert fetch(server.port, client.host, "/bytes/1000").status == 200
    assert not slow.gone, "a viewer that moves was cut"
    assert all(now > then for now, then in zip(slow.taken, before, strict=True))
    slow.stop()
    for viewer in [*viewers, *stalled]:
        viewer.close()
    wait_until(lambda: status(server)["buffered_octets"] == 0, 10, "nothing held")


def test_unread_bytes_of_complete_answers_count_too(
    new_server, new_client, http_origin, ended, tmp_path
):
    """The origin has sent everything and the stream is over, but the viewer reads nothing. What
    waits for it counts as well. The kernel takes less than the answer for a unix socket, so
    oneportd holds the rest."""
    path = tmp_path / "s"
    server = new_server(
        "--memory-budget", BUDGET, "--stall-timeout", "1s", "--listen", f"unix:{path}"
    )
    client = new_client(http_origin.port, server=server)
    descriptors = stable(server.fds)

    def ask(*fields):
        viewer = socket.socket(socket.AF_UNIX)
        ended.callback(viewer.close)
        viewer.connect(str(path))
        viewer.sendall(head("GET", "/bytes/250000", client.host, *fields))
        return viewer

    kept = [ask(), ask("Connection: close")]
    wait_until(
        lambda: server.access_log.count(" 200 250000 ") == 2, 10, "two answers that are over"
    )
    wait_until(lambda: status(server)["buffered_octets"] > 32 << 10, 10, "what waits of them")
    crowd = [ask(*fields) for fields in [[], ["Connection: close"]] * 60]
    seen = server.wait_log(r"stream_evicted name=- stalled_ms=(\d+) octets=(\d+)", 20)
    assert int(seen.group(1)) >= STALL_S * 1000 and int(seen.group(2)) > 0

    def gone():
        evicted = status(server)["streams_evicted"]
        assert evicted < len(kept + crowd), "too many were evicted"
        return (
            server.fds() <= descriptors + len(kept + crowd) - evicted
            and status(server)["buffered_octets"] < BUDGET * 3 / 4
        )

    wait_until(gone, 20, "room, and the descriptors of those that went")
    for viewer in kept + crowd:
        viewer.close()
    wait_until(lambda: status(server)["buffered_octets"] == 0, 10, "nothing held")


def beside(server, host, make, viewers, share, room):
    """Measures the rate of @viewers beside the viewers that @make opens, and without them. The
    ratio must reach @share once in three attempts. The server must grow by less than @room."""
    # This warms up: windows and memory grow to what the work needs.
    download_rate(server.port, host, viewers, SIZE)
    rss, ratios = server.rss(), []
    for _ in range(3):
        free = download_rate(server.port, host, viewers, SIZE)
        others, stop = make()
        try:
            ratios.append(download_rate(server.port, host, viewers, SIZE) / free)
            grown = stable(server.rss) - rss
            assert grown < room, f"{grown >> 10} KiB"
        finally:
            stop()
            for viewer in others:
                viewer.close()
        if ratios[-1] >= share:
            return
    pytest.fail(f"only {ratios} of the rate")


@pytest.mark.alone
@pytest.mark.release_only
def test_a_thousand_stalled_viewers(new_server, new_client, http_origin):
    """A viewer shares its tunnel with a thousand that stand still. It keeps half of its rate
    once the server knows them. In the server the link's 32 MiB bound their bytes, and each
    connection costs 8 KiB besides. The client holds 16 KiB and a connection for each of them. It
    also has 8 MiB of larger windows, whose buffers may take four times as much. In all 37 MiB
    were measured."""
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def make():
        stalled = [begin(server.port, client.host) for _ in range(1000)]
        wait_until(lambda: all_have_begun(stalled), 30, "answers to all")
        stable(lambda: status(server)["buffered_octets"], still_s=STILL_S)
        grown = stable(client.rss) - idle
        print(f"client: {grown >> 10} KiB more")
        assert grown < 32 * MIB + 1000 * (16 + 8) * 1024, f"{grown >> 10} KiB"
        return stalled, lambda: None

    idle = client.rss()
    beside(server, client.host, make, 1, 0.5, 32 * MIB + 1000 * 8192)


def all_have_begun(viewers):
    """Tells whether bytes of its answer wait for each viewer."""
    selector = selectors.PollSelector()
    for viewer in viewers:
        selector.register(viewer, selectors.EVENT_READ)
    return len(selector.select(0)) == len(viewers)


def measure_round_trip(server, host):
    """Lets the link measure its round trip some times, as it does after each 512 KiB, by bodies
    that are too short to enlarge a window. So a round trip that was long because the machine was
    busy is forgotten."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        for _ in range(20):
            assert fetch(server.port, host, "/bytes/40000").status == 200


def most_held(server, seconds):
    """Returns the most bytes that oneportd holds within so many seconds."""
    until, most = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        most = max(most, status(server)["buffered_octets"])
    return most


@pytest.mark.rule("F21")
@pytest.mark.parametrize("wire", ["tcp", "tls", "unix"])
def test_a_slow_viewer_holds_only_its_streams_window(
    new_server, new_client, http_origin, ended, tmp_path, wire
):
    """A viewer reads 1 KiB a second of a gigabyte (row 7). oneportd holds at most 64 KiB for it at
    any time, which is the window of its stream. The kernel takes much more at once, but this does
    not enlarge the window."""
    server = new_server("--listen", f"unix:{tmp_path / 's'}", *SLOW_LINE)
    client = new_client(http_origin.port, server=server)
    measure_round_trip(server, client.host)
    viewer = begin_by(wire, server, client.host, tmp_path / "s")
    ended.callback(viewer.close)
    slow = Slow([viewer], 102)
    ended.callback(slow.stop)
    wait_until(
        lambda: status(server)["buffered_octets"] > 0 and slow.taken[0] > 0, 10, "its first bytes"
    )
    rss = stable(server.rss)
    assert 0 < most_held(server, 2) <= WINDOW
    assert server.rss() - rss <= WINDOW or VARIANT != "release"
    assert not slow.gone


def begin_by(wire, server, host, path):
    if wire == "unix":
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(str(path))
        raw.sendall(head("GET", HUGE, host))
        return raw
    raw = begin(server.port, host, say=wire == "tcp")
    if wire == "tcp":
        return raw
    context = ssl.create_default_context(cafile=str(server.certificate.ca))
    raw = context.wrap_socket(raw, server_hostname="localhost")
    raw.sendall(head("GET", HUGE, host))
    return raw


@pytest.mark.rule("F22")
@pytest.mark.parametrize("kind", ["slow", "stalled"])
def test_a_viewer_that_was_slow_for_10_s_has_64_kib(
    new_server, new_client, http_origin, ended, kind
):
    """A link whose streams have learned to have windows of 256 KiB (a quarter of the budget for
    two) gives a viewer such a window, and oneportd holds more than 128 KiB for it. The viewer takes
    little or nothing for 10 s. When it reads on, more slowly than would earn a window, oneportd
    lets no more come until it holds 64 KiB, and then holds no more than that."""
    server = new_server("--memory-budget", 2 * MIB)
    client = new_client(http_origin.port, server=server)
    viewer = begin_with_large_window(server, client.host)
    ended.callback(viewer.close)
    slow = Slow([viewer], 200 if kind == "slow" else 0)
    ended.callback(slow.stop)
    assert most_held(server, 12) > 2 * WINDOW
    slow.size = 6000
    wait_until(lambda: status(server)["buffered_octets"] <= WINDOW, 30, "64 KiB")
    assert 0 < most_held(server, 2) <= WINDOW
    slow.stop()
    fast = threading.Thread(target=drain, args=(viewer, SIZE))
    fast.start()
    fast.join(60)
    assert not fast.is_alive() and not slow.gone


def begin_with_large_window(server, host):
    """Downloads until windows have grown, and returns a viewer with such a window that it does not
    read."""
    for _ in range(10):
        download_rate(server.port, host, 1, SIZE)
        wait_until(lambda: status(server)["buffered_octets"] == 0, 10, "the download's end")
        viewer = begin(server.port, host)
        if most_held(server, 1) > 2 * WINDOW:
            return viewer
        viewer.close()
    pytest.fail("windows do not grow")


def drain(viewer, size):
    viewer.settimeout(30)
    while size > 0:
        size -= len(viewer.recv(MIB))


def send_until_closed(sock):
    with contextlib.suppress(OSError):
        while True:
            sock.send(bytes(1 << 16))


@pytest.mark.rule("F21")
def test_a_stalled_origin_holds_only_its_streams_window(
    new_server, new_client, new_proxy, tmp_path
):
    """The origin at a unix socket reads the head of an upload and nothing else. Its kernel takes as
    much as fits into the socket, and oneport takes one window of 64 KiB from the link beyond
    that."""
    server = new_server()
    proxy = new_proxy(server.port)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "origin"))
    listener.listen()
    client = new_client(
        f"unix:{tmp_path / 'origin'}",
        *SLOW_LINE,
        server=server,
        url=f"https://localhost:{proxy.port}",
    )
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.sendall(head("POST", "/", client.host, f"Content-Length: {SIZE}"))
    raw.settimeout(60)
    listener.settimeout(10)
    origin, _ = listener.accept()
    with listener, origin, raw:
        before = proxy.relays[-1].passed[DOWN]
        sender = threading.Thread(target=send_until_closed, args=(raw,), daemon=True)
        sender.start()
        wait_until(lambda: proxy.relays[-1].passed[DOWN] - before > WINDOW / 2, 20, "the upload")
        passed = stable(lambda: proxy.relays[-1].passed[DOWN]) - before
        raw.shutdown(socket.SHUT_RDWR)
        sender.join(10)
        kernel = int(Path("/proc/sys/net/core/wmem_default").read_text())
        assert passed < (kernel + SKB + WINDOW) * 1.02


@pytest.mark.alone
@pytest.mark.release_only
def test_a_slow_viewer_beside_twenty_fast_ones(new_server, new_client, http_origin):
    """A viewer reads 1 KiB a second of a huge download (row 7). It costs a window of 64 KiB and a
    connection. The fast viewers keep 90 % of their rate."""
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def make():
        viewers = [begin(server.port, client.host)]
        slow = Slow(viewers, 102)
        wait_until(lambda: slow.taken[0] > 0, 10, "its first bytes")
        return viewers, slow.stop

    beside(server, client.host, make, 20, 0.9, 16 * MIB)
