# SPDX-License-Identifier: MIT
"""Memory is bounded by design: a budget for each link and for the process. Over three quarters of
it who takes nothing goes, the longest first, with a log line and a count; who takes little
stays; others keep their rate (row 8, http-rules.md#memory)."""

import selectors
import socket
import threading
import time

import pytest
from support.programs import VARIANT, stable
from support.viewer import download_rate, fetch, head
from support.wait import wait_until

MIB = 1 << 20
STALL_S = 1.0
STILL_S = 2.2  # a second without an octet, and a look each second
BUDGET = MIB
SIZE = 32 * MIB  # of a download that is timed
HUGE = f"/bytes/{1 << 30}"


def status(server):
    return fetch(server.port, "localhost", "/api/status").json()


def begin(port, host):
    """A viewer that has asked for much and reads nothing by itself. Its socket takes little, in
    segments as of a real line."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    raw.connect(("127.0.0.1", port))
    raw.sendall(head("GET", HUGE, host))
    return raw


class Slow(threading.Thread):
    """Reads of each of @viewers @octets at a time, ten times a second, until it is stopped."""

    def __init__(self, viewers, octets):
        super().__init__(daemon=True)
        self.viewers, self.octets = viewers, octets
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
        try:
            count = len(viewer.recv(self.octets, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        self.taken[at] += count
        if count == 0:
            self.gone.add(at)

    def stop(self):
        self.over.set()
        self.join(5)


def test_who_takes_nothing_goes_and_who_takes_little_stays(
    new_server, new_client, http_origin, ended
):
    """A budget of 1 MiB, one of 1 s for standing still. The line in the log and the count agree
    with what viewers see. Who goes takes what is queued for them along: their descriptors are back
    without a word of theirs."""
    server = new_server("--memory-budget", BUDGET, "--stall-timeout", "1s")
    client = new_client(http_origin.port, server=server)
    viewers = [begin(server.port, client.host) for _ in range(3)]
    for viewer in viewers:
        ended.callback(viewer.close)
    slow = Slow(viewers, 2048)
    ended.callback(slow.stop)
    descriptors = stable(server.fds)
    # 16 KiB each at least, of which up to half is the kernel's and not counted: that must be more
    # than three quarters.
    stalled = [begin(server.port, client.host) for _ in range(100)]
    for viewer in stalled:
        ended.callback(viewer.close)
    seen = server.wait_log(
        (
            rf"stream_evicted.* name={client.name} stalled_ms=(\d+) octets=(\d+) held=(\d+)"
            rf" budget={BUDGET}"
        ),
        20,
    )
    assert (
        int(seen.group(1)) >= STALL_S * 1000
        and 0 < int(seen.group(2)) <= 64 << 10
        and int(seen.group(3)) >= BUDGET * 3 / 4
    )
    wait_until(lambda: status(server)["buffered_octets"] < BUDGET * 3 / 4, 20, "room")
    evicted = status(server)["streams_evicted"]
    assert 0 < evicted < len(stalled), "no more go than need to"
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


def test_what_waits_of_whole_answers_is_counted_too(
    new_server, new_client, http_origin, ended, tmp_path
):
    """The origin is through, the stream is over, and the viewer reads nothing: what waits for it is
    held by the process all the same. The kernel takes less for a unix socket than the answer has,
    so the rest is oneportd's."""
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
        assert evicted < len(kept + crowd), "no more go than need to"
        return (
            server.fds() <= descriptors + len(kept + crowd) - evicted
            and status(server)["buffered_octets"] < BUDGET * 3 / 4
        )

    wait_until(gone, 20, "room, and the descriptors of those that went")
    for viewer in kept + crowd:
        viewer.close()
    wait_until(lambda: status(server)["buffered_octets"] == 0, 10, "nothing held")


def beside(server, host, make, viewers, share, room):
    """The ratio of what @viewers get beside those that @make gives and without them, best of three,
    is @share at least; what the server grows by is below @room."""
    download_rate(server.port, host, viewers, SIZE)  # windows have grown, memory is what work needs
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
def test_a_thousand_that_stand_still(new_server, new_client, http_origin):
    """On the innocent one's own tunnel: it keeps half of its rate, once they are known to stand
    still. Their octets are bounded by the link's 32 MiB; 8 KiB each is what a connection costs
    besides. The client has 16 KiB and a connection for each of them, and 8 MiB of larger windows,
    in bufs that may be four times as large as those (measured 37 MiB in all)."""
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
    """Each has octets of its answer waiting."""
    selector = selectors.PollSelector()
    for viewer in viewers:
        selector.register(viewer, selectors.EVENT_READ)
    return len(selector.select(0)) == len(viewers)


def test_a_slow_one_holds_its_streams_window(new_server, new_client, http_origin, ended):
    """Row 7: 1 KiB a second of a gigabyte. What oneportd holds for it is what its stream may have
    on the way, 64 KiB, all the time."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    viewer = begin(server.port, client.host)
    ended.callback(viewer.close)
    slow = Slow([viewer], 102)
    ended.callback(slow.stop)
    wait_until(
        lambda: status(server)["buffered_octets"] > 0 and slow.taken[0] > 0, 10, "its first octets"
    )
    rss, until, held = stable(server.rss), time.monotonic() + 2, []
    while time.monotonic() < until:
        held.append(status(server)["buffered_octets"])
    print(max(held), server.rss() - rss)
    assert 0 < max(held) <= 64 << 10
    assert server.rss() - rss <= 64 << 10 or VARIANT != "release"
    assert not slow.gone


@pytest.mark.alone
@pytest.mark.release_only
def test_a_slow_one_beside_twenty_fast(new_server, new_client, http_origin):
    """1 KiB a second of a huge download, row 7: what it costs is a stream's window of 64 KiB and a
    connection; the fast keep 90 %."""
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def make():
        viewers = [begin(server.port, client.host)]
        slow = Slow(viewers, 102)
        wait_until(lambda: slow.taken[0] > 0, 10, "its first octets")
        return viewers, slow.stop

    beside(server, client.host, make, 20, 0.9, 16 * MIB)
