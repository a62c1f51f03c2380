# SPDX-License-Identifier: MIT
"""Tests rows 4, 5, 27 and 33: oneportd is stopped or killed, a client sends GOAWAY or new SETTINGS,
or nginx is reloaded. The tests check which requests succeed, and how soon."""

import collections
import contextlib
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import frames, nginx, pattern
from support.foreign import PREFACE, attach, register
from support.frames import RawPeer
from support.nginx import Nginx
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until

STEADY_S = 1.1  # a link that lived for a second resets the backoff (client/server/backoff.h)
YOUNG_S = 0.8
CUT = (Broken, EOFError, ConnectionError, TimeoutError)


# ---- row 4 ----
def trickling(parts, pause_s, total):
    """Returns a script that sends @total bytes in @parts, with a pause after each part."""

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        data = pattern.pattern(total)
        for part in range(parts):
            connection.send(data[part * total // parts : (part + 1) * total // parts])
            time.sleep(pause_s)

    return serve


@pytest.mark.parametrize("seconds", [1.5, pytest.param(9.5, marks=pytest.mark.full)])
def test_row_4_running_downloads_finish(new_server, shared, seconds):
    """Fifty downloads run. The client gets GOAWAY at once, no download is cut, and the server ends
    as soon as the last one is complete."""
    server = new_server(drain="30s")
    total = 200_000
    client = shared(trickling(10, seconds / 10, total), server=server)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(50) as pool:
        viewers = [stack.enter_context(Viewer(server.port, timeout_s=60)) for _ in range(50)]
        for viewer in viewers:
            viewer.send(head("GET", "/", client.host))
        answers = [pool.submit(viewer.response) for viewer in viewers]
        wait_until(lambda: len(client.origin.connections) == 50, 10 * SLOW, "fifty downloads")
        start = time.monotonic()
        server.program.signal(signal.SIGTERM)
        client.program.wait_output("(link_missing|not_connected) .*reason=draining", 1)
        whole = sum(
            answer.exception() is None and answer.result().body == pattern.pattern(total)
            for answer in answers
        )
        server.program.expect_exit(0, seconds + 5)
    assert whole == 50 and time.monotonic() - start < (seconds + 3) * SLOW


def test_row_4_the_grace_ends_and_a_second_signal_ends_it_at_once(new_server, shared):
    for again in (False, True):
        server = new_server(drain="30s" if again else "1s")
        client = shared(trickling(100, 1, 1000), server=server)
        with Viewer(server.port) as viewer:
            viewer.send(head("GET", "/", client.host))
            assert viewer.response_head().status == 200
            server.program.signal(signal.SIGTERM)
            server.wait_log("draining signal")
            start = time.monotonic()
            if again:
                server.program.signal(signal.SIGTERM)
            server.program.expect_exit(0, 10)
            assert time.monotonic() - start < (1.0 if again else 2.0) * SLOW
            with pytest.raises(CUT):
                viewer.exactly(1000)


# ---- row 5 ----
def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def names_up(server):
    """Returns the names whose links came up in this run of the server."""
    return set(re.findall(r"link_up name=(\S+) ", server.log))


def times_back(server, names, deadline_s):
    """Waits for the link of each name. Returns how long from now each of them took, in no order."""
    start, back = time.monotonic(), {}

    def all_back():
        up = names & names_up(server)
        now = time.monotonic() - start
        for name in up:
            back.setdefault(name, now)
        return len(back) == len(names)

    wait_until(all_back, deadline_s, f"the links of all {len(names)} names")
    return list(back.values())


@pytest.mark.parametrize(
    "rounds,count,seconds",
    [
        (2, 12, 10),
        pytest.param(20, 100, 10, marks=[pytest.mark.full, pytest.mark.timeout(1800)]),
        pytest.param(
            20,
            1000,
            30,
            marks=[pytest.mark.full, pytest.mark.release_only, pytest.mark.timeout(1800)],
        ),
    ],
)
def test_row_5_kill_9_and_the_same_urls_again(
    new_server, new_client, http_origin, rounds, count, seconds
):
    """Each client is back under its URL in time, and no name is lost, whenever the server dies.
    A thousand clients are a thousand programs: how they behave after a loss is half of the
    promise."""
    server = new_server()
    clients = [new_client(http_origin.port, server=server, wait=False) for _ in range(count)]
    for client in clients:
        client.wait_up(60)
    urls = {client.url for client in clients}
    names = {client.name for client in clients}
    wait_until(
        lambda: all(f"{name} " in server.saved_names for name in names),
        what="all names in the file",
    )
    for number in range(rounds):
        # Clients wait longer and longer if a server dies sooner than this.
        time.sleep(STEADY_S)
        server.restart()
        back = times_back(server, names, 3 * seconds * SLOW)
        assert len(names) == count and percentile(back, 0.99) < seconds * SLOW
        p99 = percentile(back, 0.99)
        print(f"{count} clients, round {number}: p99 {p99:.2f} s, last {max(back):.2f} s")
        assert {fetch(server.port, client.host, "/echo").status for client in clients} == {200}
    assert all(
        client.program.running and client.program.stdout.count("your url is:") == 1
        for client in clients
    )
    assert {client.url for client in clients} == urls


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [12, 100])
def test_row_5_a_server_that_dies_young_again_and_again(new_server, new_client, http_origin, count):
    """The server lives thirty times for less than a second, so that no link lasts. When it stays at
    last, all clients are back in the time that a single death may cost, though each has seen many
    failures."""
    server = new_server()
    clients = [new_client(http_origin.port, server=server, wait=False) for _ in range(count)]
    for client in clients:
        client.wait_up(60)
    names, attaches, lives = {client.name for client in clients}, 0, 30
    for _ in range(lives):
        server.restart()
        start = time.monotonic()
        wait_until(lambda start=start: time.monotonic() - start > YOUNG_S, what="its short life")
        attaches += len(names_up(server))
    server.restart()
    back = times_back(server, names, 60 * SLOW)
    print(
        f"{attaches / count / lives:.2f} links a client and life; "
        f"p99 {percentile(back, 0.99):.2f} s, last {max(back):.2f} s"
    )
    assert len(names) == count and percentile(back, 0.99) < 10 * SLOW
    assert attaches < count * lives * 2 / 3  # clients that fail again and again try less often
    assert {fetch(server.port, client.host, "/echo").status for client in clients} == {200}


# ---- row 33 ----
class Asking:
    """Sends requests without pause from one viewer. Repeats a request once if its connection was
    cut or, if @lossy, if a 502 says that the link was lost. Other failures go to .bad."""

    def __init__(self, port, host, tls=None, lossy=False):
        self.lossy = lossy
        self.port, self.host, self.tls = port, host, tls
        self.done, self.cut, self.bad, self.longest = 0, 0, [], 0.0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def once(self):
        got = fetch(self.port, self.host, "/echo", tls=self.tls, timeout_s=20)
        if self.lossy and got.status == 502 and "connection_terminated" in got.get("Proxy-Status"):
            raise ConnectionError("the link was lost")
        return got.status

    def run(self):
        while not self.stopping.is_set():
            start = time.monotonic()
            try:
                status = self.once()
            except (*CUT, OSError):
                self.cut += 1
                try:
                    status = self.once()
                except (*CUT, OSError) as error:
                    status = repr(error)
            self.longest = max(self.longest, time.monotonic() - start)
            self.done += 1
            if status != 200:
                self.bad.append(status)

    def stop(self):
        self.stopping.set()
        self.thread.join(30)


@pytest.mark.skipif(not nginx.PROGRAM, reason="nginx is not installed")
@pytest.mark.parametrize(
    "times", [5, pytest.param(50, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_row_33_nginx_is_reloaded(new_server, new_client, http_origin, ended, tmp_path, times):
    """New workers of nginx take the port, and the old ones finish. The tunnel through nginx comes
    back within two seconds. The tunnel beside nginx is not affected."""
    server = new_server()
    front = Nginx(
        server,
        tmp_path / "nginx",
        [("worker_shutdown_timeout 1h", "worker_shutdown_timeout 200ms")],
    )
    ended.callback(front.stop)
    through, beside = new_client(http_origin.port, server=front), new_client(
        http_origin.port, server=server
    )
    tls = front.certificate.client_context(["http/1.1"])
    viewers = [
        Asking(front.port, client.host, tls, client is through)
        for client in (through, beside, through, beside)
    ]
    back = []
    try:
        for number in range(times):
            # Clients wait longer and longer if their links live shorter than this.
            time.sleep(STEADY_S)
            start = time.monotonic()
            front.reload()
            server.wait_link(through.name, number + 2, 4)
            back.append(time.monotonic() - start)
            assert back[-1] < (0.2 + 2.0) * SLOW
        before = [viewer.done for viewer in viewers]
        wait_until(
            lambda: all(viewer.done > count for viewer, count in zip(viewers, before)),
            what="answers after the last",
        )
    finally:
        for viewer in viewers:
            viewer.stop()
    print(
        f"{times} reloads: back after {max(back):.2f} s at most; "
        f"{sum(viewer.cut for viewer in viewers)} of {sum(viewer.done for viewer in viewers)} "
        "requests were cut and sent again, "
        f"the longest took {max(viewer.longest for viewer in viewers):.2f} s"
    )
    assert [viewer.bad for viewer in viewers] == [[]] * 4
    # A reload cuts at most one request of each viewer, the one under way.
    assert sum(viewer.cut for viewer in viewers) <= 4 * times
    assert max(viewer.longest for viewer in viewers) < 4 * SLOW
    assert server.log.count(f"link_up name={beside.name} ") == 1


# ---- row 27 ----
class Posts:
    """Sends POSTs to /0, /1, … of a name, all at once. .got has the status of each, or "cut"."""

    def __init__(self, server, name, count, body):
        self.got = {}
        self.body = body
        self.threads = [
            threading.Thread(target=self.run, args=(server, name, number), daemon=True)
            for number in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def run(self, server, name, number):
        try:
            fields = [] if self.body else ["Content-Length: 0"]
            self.got[number] = fetch(
                server.port,
                f"{name}.localhost",
                f"/{number}",
                *fields,
                method="POST",
                body=self.body,
                timeout_s=30,
            ).status
        except CUT:
            self.got[number] = "cut"

    def wait(self):
        for thread in self.threads:
            thread.join(30)
        return self.got


def raw_link(server, grant, slot, first=()):
    """Opens a link that the test drives frame by frame. All such links belong to one instance."""
    name = grant["id"]
    connection, got = attach(
        server, name, grant["ticket"], f"Oneport-Instance: {27:032x}", f"Oneport-Link: {slot}"
    )
    assert got.status == 101 and connection.exactly(len(PREFACE)) == PREFACE
    peer = RawPeer(connection, frames.settings({frames.SETTING_CONNECT: 1, **dict(first)}))
    server.wait_log(rf"link_up name={name} \S+ slot={slot} ")
    return peer


def path_of(peer, stream):
    return int(dict(peer.heads[stream])[b":path"].decode().strip("/"))


@pytest.mark.parametrize("body", [b"", b"x" * 1000], ids=["empty", "body"])
@pytest.mark.parametrize("taken", [0, 7, 20])
def test_row_27_requests_that_goaway_leaves_out_go_elsewhere_once(server, name, ended, taken, body):
    """Twenty POSTs are under way when the client's GOAWAY tells which of them it has received. It
    answers those. The others go to the second link, or their viewers get an error. No POST is
    processed twice, and each one that got a 200 was processed."""
    grant = register(server, name)
    first = raw_link(server, grant, 0)
    ended.callback(first.close)
    posts = Posts(server, name, 20, body)
    streams = sorted(first.next_request() for _ in range(20))
    if body:
        wait_until(
            lambda: all(len(first.bodies.get(stream, b"")) == len(body) for stream in streams),
            what="the bodies",
        )
    second = raw_link(server, grant, 1)
    ended.callback(second.close)
    done = collections.Counter()

    def serve():
        while (stream := second.next_request(60)) is not None:
            done[path_of(second, stream)] += 1
            wait_until(lambda stream=stream: stream in second.over, what="the request's end")
            second.send(frames.response(stream, 200, b"second"))

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    ended.callback(lambda: (second.requests.put(None), serving.join(10)))
    first.send(frames.goaway(streams[taken - 1] if taken else 0, 0))
    for stream in streams[:taken]:
        done[path_of(first, stream)] += 1
        first.send(frames.response(stream, 200, b"first"))
    got = posts.wait()
    assert len(got) == 20 and max(done.values(), default=0) <= 1
    assert {number for number, status in got.items() if status == 200} == set(done)
    assert set(got.values()) <= {200, 502, 503}
    if not body:
        assert set(got.values()) == {200}
    else:
        assert sum(status == 200 for status in got.values()) >= taken


def test_row_27_settings_change_under_way(server, name, ended):
    """The windows of the streams fall below zero and rise again, and the client allows fewer
    streams than are open. Each upload arrives whole and once."""
    size, count = 300_000, 4
    grant = register(server, name)
    peer = raw_link(server, grant, 0, {frames.SETTING_INITIAL_WINDOW: 10_000})
    ended.callback(peer.close)
    peer.send(frames.window_update(0, 1 << 24))
    posts = Posts(server, name, count, pattern.pattern(size))
    streams = [peer.next_request() for _ in range(count)]

    def sizes():
        return {len(peer.bodies.get(stream, b"")) for stream in streams}

    for window, reached in (
        (10_000, 10_000),
        (0, 10_000),
        (150_000, 150_000),
        (50_000, 150_000),
        (150_000, 150_000),
        (200_000, 200_000),
    ):
        peer.send(frames.settings({frames.SETTING_INITIAL_WINDOW: window}))
        wait_until(
            lambda reached=reached: sizes() == {reached},
            what=f"{reached} bytes of each at a window of {window}",
        )
        assert peer.settle() and sizes() == {reached}
    peer.send(frames.settings({frames.SETTING_MAX_STREAMS: 1}))
    assert peer.settle()
    fifth = Posts(server, name, 1, b"")
    assert fifth.wait() == {0: 503}  # after a second in the queue; the four uploads go on
    peer.send(
        frames.settings({frames.SETTING_MAX_STREAMS: 100, frames.SETTING_INITIAL_WINDOW: size})
    )
    wait_until(lambda: set(streams) <= peer.over, what="the uploads")
    assert all(peer.bodies[stream] == pattern.pattern(size) for stream in streams)
    for stream in streams:
        peer.send(frames.response(stream, 200, b"thanks"))
    assert posts.wait() == dict.fromkeys(range(count), 200)
    assert peer.requests.empty() and not peer.resets
    last = Posts(server, name, 1, b"")
    peer.send(frames.response(peer.next_request(), 200, b"thanks"))
    assert last.wait() == {0: 200}
