# SPDX-License-Identifier: MIT
"""Tests that one stranger cannot take a pool from the others: a test for each pool of
http-rules.md#pools, with the attack that would take all of it."""

import collections
import contextlib
import itertools
import pathlib
import re
import resource
import time

import pytest
from h2.settings import SettingCodes
from support import netns
from support.crowds import (
    HALF_A_RECORD,
    MIB,
    UPGRADE,
    Deaf,
    ask_as,
    big_head,
    crowded,
    is_closed,
    kept,
    let_in,
    pour,
    readable,
    register_batch,
)
from support.foreign import (
    ForeignLink,
    attach,
    linked,
    lost,
    register,
)
from support.programs import SLOW, VARIANT
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

STRANGER, STRANGER6 = "10.9.200.1", "2001:db8:ffff::1"

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


def best_time(measure, times=60):
    """Returns the seconds that measure() takes at best, but for one try of ten: other programs of
    the machine disturb the others."""

    def once():
        start = time.monotonic()
        measure()
        return time.monotonic() - start

    return sorted(once() for _ in range(times))[times // 10]


@pytest.mark.rule("F50", "F51", "F53")
@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param([f"10.9.1.{n}" for n in range(1, 9)], id="8 addresses"),
        pytest.param([f"2001:db8:1:{n:x}::1" for n in range(512)], id="a network with 512 /64"),
    ],
)
def test_handshakes(here, serve, certificate, crowd):
    """A crowd begins 512 handshakes and more, and finishes none. The handshakes of others succeed,
    about as fast as without the crowd. The crowd's own handshakes are dropped."""
    server = serve("--attach-timeout", "60s")
    tls = certificate.client_context()

    def shake():
        here.viewer(STRANGER, server.public, tls).close()

    quiet = best_time(shake)
    with contextlib.ExitStack() as stack:
        begun = []
        for number in range(800):
            sock = stack.enter_context(
                contextlib.closing(here.connect(crowd[number % len(crowd)], server.public))
            )
            sock.sendall(HALF_A_RECORD)
            begun.append(sock)
        wait_until(
            lambda: sum(map(is_closed, begun)) >= 800 - 512, 5 * SLOW, "the end of the oldest"
        )
        assert sum(map(is_closed, begun)) <= 800 - 384  # a network has three quarters
        busy = min(best_time(shake) for _ in range(3))
        here.viewer(STRANGER6, server.public, tls).close()
        assert busy < 1.2 * quiet + 0.001, (busy, quiet)
    assert server.log.count("handshake_evicted") <= 2 + 60  # a line a second


# ---- requests that wait for a client


@pytest.mark.rule("F54")
def test_a_name_that_was_never_live_holds_nobody(here, serve, name):
    """Requests to names that never had a client are refused at once."""
    server = serve("--hold", "30s")
    with here.inside():
        register(server, name)
    start = time.monotonic()
    with here.viewer(STRANGER, server.public) as viewer:
        got = viewer.get(f"{name}.localhost")
    assert got.status == 503 and got.get("Retry-After") == "2"
    assert time.monotonic() - start < 1 * SLOW


@pytest.mark.rule("F54")
@pytest.mark.parametrize("ending", ["killed", "stopped"])
def test_a_name_that_was_live_holds_after_a_restart(new_server, name, ended, ending):
    server = new_server("--hold", "30s")
    ticket = register(server, name)["ticket"]
    ended.callback(ForeignLink(server, name, ticket).close)
    server.wait_link(name, 1)
    live = re.compile(rf"^{name} \w+ 0 1 ", re.M)
    wait_until(lambda: live.search(server.saved_names), what="the file")
    if ending == "stopped":
        server.stop()
        server.start()
    else:
        server.restart()
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", f"{name}.localhost"))
        assert viewer.silent_for(0.3), "not held"
        ended.callback(ForeignLink(server, name, ticket).close)
        assert viewer.response().status == 200


@pytest.mark.rule("F50", "F51", "F55")
def test_held_requests(here, serve, name, ended):
    """One address sends 256 requests to each of 17 names whose clients have just left, which is
    more than the server holds. A viewer of another name whose client is away for a moment is held
    and then served, and so is another viewer of one of these names."""
    server = serve("--hold", "60s", "--max-tunnels-per-address", "0")
    taken, answer = [f"{name}-{n}" for n in range(17)], lambda stream: stream.answer(200, b"back")
    with here.inside():
        tickets = {one: lost(server, one) for one in (*taken, name)}
    with contextlib.ExitStack() as stack:
        crowd = crowded(
            here, server, stack, [f"{one}.localhost" for one in taken], "10.9.1.1", each=256
        )
        most = 4096 * 3 // 4
        wait_until(
            lambda: readable(one.socket for one in crowd) == len(crowd) - most,
            10 * SLOW,
            "503 for those that are too many",
        )
        late = [stack.enter_context(here.viewer(STRANGER, server.public)) for _ in (name, taken[0])]
        for viewer, one in zip(late, (name, taken[0])):
            viewer.send(head("GET", "/", f"{one}.localhost"))
        assert readable((viewer.socket for viewer in late), 0.3) == 0
        for viewer, one in zip(late, (name, taken[0])):
            with here.inside():
                link = ForeignLink(server, one, tickets[one], serve=answer)
            ended.callback(link.close)
            assert viewer.response().body == b"back"


# ---- descriptors
DESCRIPTORS = 160


def limited(serve, when):
    """Starts a server that may have DESCRIPTORS from the start, or from now on."""
    if when == "start":
        return serve(within=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"))
    server = serve()
    resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    return server


@pytest.mark.rule("F50", "F51", "F56")
@pytest.mark.parametrize("when", ["start", "later"])
@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param(["10.9.1.1"], id="1 address"),
        pytest.param([f"2001:db8:1:{n:x}::1" for n in range(40)], id="a network"),
    ],
)
def test_descriptors(here, serve, name, ended, when, crowd):
    """Viewers of one address, or of one network, keep more connections than there are descriptors.
    Other viewers get no 503: the oldest idle connection of the crowd is closed for each. New links
    and calls of the base domain get through."""
    server, host = limited(serve, when), f"{name}.localhost"
    with here.inside():
        link = linked(server, name, serve=lambda stream: stream.answer(200, b"served"))
    ended.callback(link.close)
    with contextlib.ExitStack() as stack:
        greedy = [
            viewer
            for source in crowd * (320 // len(crowd))
            for viewer in kept(here, server, stack, source, 1, host)
        ]
        others = [
            viewer
            for n in range(20)
            for viewer in kept(here, server, stack, f"10.9.200.{n + 1}", 1, host)
        ]
        for viewer in others:  # is still there
            assert viewer.get(host).status == 200
        with here.inside():
            assert register(server)["id"]
            ended.callback(linked(server, f"{name}-2").close)
        assert not is_closed(greedy[-1].socket)
        assert is_closed(greedy[0].socket)
    assert link.ended.is_set() is False


def base_domain_gets_a_kept_place(here, server):
    """Returns whether a stranger's call of the base domain is answered from the descriptors that
    are kept for it, which the end of the connection tells."""
    with here.viewer(STRANGER, server.public) as viewer:
        got = viewer.get("localhost", "/robots.txt")
    return got.status == 200 and got.get("Connection") == "close"


@pytest.mark.rule("F56")
def test_descriptors_of_busy_viewers(here, serve, name, ended):
    """Requests that wait for the origin keep all descriptors, so nothing is idle. A further viewer
    of a tunnel gets 503, but the base domain answers, and a new link comes up."""
    server, host = limited(serve, "start"), f"{name}.localhost"
    with here.inside():
        link = linked(server, name, serve=lambda stream: None)
    ended.callback(link.close)
    with contextlib.ExitStack() as stack:

        def ask(source):
            viewer = stack.enter_context(here.viewer(source, server.public))
            with contextlib.suppress(ConnectionError):
                viewer.send(head("GET", "/", host))
            return viewer

        def come(sources):
            """Lets viewers ask for the tunnel. Those that are refused leave, since a connection
            that is closing has a place, too."""
            before, viewers = len(link.requests), [ask(source) for source in sources]
            wait_until(
                lambda: readable(one.socket for one in viewers) + len(link.requests) - before
                == len(viewers),
                10 * SLOW,
                "an answer or a stream for each",
            )
            for one in viewers:
                if readable([one.socket]):
                    one.close()

        def is_full():
            """Returns whether only places are left that are kept. Lets more viewers come if not:
            others, since nobody gets the last quarter."""
            full = base_domain_gets_a_kept_place(here, server)
            if not full:
                come(itertools.islice(sources, 10))
            return full

        sources = (f"10.9.{net}.{n}" for net in itertools.count(1) for n in range(1, 200))
        come(itertools.islice(sources, 199))
        wait_until(is_full, 10 * SLOW, "no place but those that are kept")
        viewer = ask(STRANGER)
        got = viewer.response()
        viewer.close()
        assert got.status == 503 and got.get("Retry-After") == "1"
        assert "connection_limit_reached" in got.get("Proxy-Status")
        with here.inside():
            ended.callback(linked(server, f"{name}-2").close)


# ---- names
NAMES = 20_000


def register_many(server, count):
    """Registers @count names from as many /64 of one /48. Returns how many calls got each
    status."""
    told, batch = collections.Counter(), 250
    with Viewer(server.port) as proxy:
        for first in range(0, count, batch):
            told.update(register_batch(proxy, range(first, first + batch)))
    return told


@pytest.mark.rule("F50", "F51", "F57")
def test_names(new_server, name, ended):
    """A /48 registers more names than the server holds. Others still register and attach, and an
    owner whose name was free meanwhile gets it back by its ticket."""
    server = new_server("--name-pending", "5m", "--workers", "2")
    ticket = ask_as(server, f"/register/{name}", STRANGER).json()["ticket"]
    told = register_many(server, NAMES + 1000)
    assert told == {200: NAMES + 1000}
    held = fetch(server.port, "localhost", "/api/status").json()["tunnels"]
    assert NAMES * 3 // 4 <= held <= NAMES * 3 // 4 + 200
    for n in range(50):
        assert ask_as(server, "/register", f"10.9.3.{n + 1}").status == 200
    viewer, got = attach(
        server,
        name,
        ticket,
        f"X-Forwarded-For: {STRANGER}",
        "X-Forwarded-Proto: https",
        secure=False,
    )
    ended.callback(viewer.close)
    assert got.status == 101
    assert server.log.count("name_evicted") <= 2 * 60  # a line a second and worker


# ---- lines of the log
@pytest.mark.rule("F58")
def test_lines_of_the_log(new_server, name):
    """Attach requests that are refused, and registers, cause a few lines, which say how many were
    left out."""
    server = new_server("--workers", "1")
    start, calls = time.monotonic(), 3000
    with Viewer(server.port) as proxy:
        proxy.send(
            b"".join(head("GET", "/register", "localhost", "Accept: */*") for _ in range(calls))
        )
        assert {proxy.response().status for _ in range(calls)} == {200}
    for _ in range(calls // 250):
        refuse_many(server, name, 250)
    passed = time.monotonic() - start
    assert server.log.count("attach_refused") <= 20 + passed + 1
    assert server.log.count("registered ") <= 1000 + 20 * passed + 1
    time.sleep(1.1)  # a line a second
    refuse_many(server, name, 1)
    found = re.findall(r"attach_refused .*suppressed=(\d+)", server.log)
    assert sum(map(int, found)) + len(found) == calls + 1


def refuse_many(server, name, count):
    for _ in range(count):
        assert fetch(server.port, "localhost", f"/tunnel/{name}").status == 426


# ---- the streams of a link
@pytest.mark.rule("F50", "F59")
def test_streams_of_a_link(here, serve, name, ended):
    """One address sends more requests than the client takes streams, and gets no answer to any.
    Others are served at once: the address has three quarters of the streams, and further requests
    of it wait."""
    server, host, streams, waiting = serve(), f"{name}.localhost", 20, []

    def answer(stream):
        if dict(stream.fields)[":path"] == "/wait":
            waiting.append(stream)
        else:
            stream.answer(200, b"served")

    with here.inside():
        link = linked(
            server, name, serve=answer, settings={SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
    ended.callback(link.close)
    with contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(3 * streams):
            crowd.append(stack.enter_context(here.viewer("10.9.1.1", server.public)))
            crowd[-1].send(head("GET", "/wait", host))
        wait_until(lambda: len(waiting) == streams * 3 // 4, what="three quarters of the streams")
        for number in range(20):
            with here.viewer(f"10.9.2.{number + 1}", server.public) as viewer:
                start = time.monotonic()
                assert viewer.get(host).body == b"served"
                assert time.monotonic() - start < 0.5 * SLOW
        given_up = len(crowd) - len(waiting)
        wait_until(
            lambda: readable(one.socket for one in crowd) == given_up, 20, "the end of their wait"
        )
        for viewer in crowd:
            if readable([viewer.socket]):
                got = viewer.response()
                assert got.status == 503
                assert "connection_limit_reached" in got.get("Proxy-Status")
        assert len(waiting) == streams * 3 // 4
        waiting[0].answer(200, b"at last")
        with here.viewer("10.9.1.1", server.public) as viewer:
            assert viewer.get(host).body == b"served"


# ---- memory
BUDGET = 16 * MIB


def memory(server, name="memory_octets"):
    return fetch(server.port, "localhost", "/api/status").json()[name]


@pytest.mark.rule("F61")
@pytest.mark.skipif(VARIANT != "release", reason="measures memory")
@pytest.mark.parametrize("kind", ["uploads", "WebSockets"])
def test_uploads_that_nobody_takes(here, serve, name, ended, kind):
    """600 viewers send as much as the server takes towards a client that takes nothing. The server
    grows by little more than its budget, and another tunnel is served meanwhile."""
    server = serve("--memory-budget", BUDGET)
    with here.inside():
        ticket = register(server, name)["ticket"]
        deaf = Deaf(server, name, ticket, serve=let_in)
        other = linked(server, f"{name}-2")
    ended.callback(deaf.close)
    ended.callback(other.close)
    fields = UPGRADE if kind == "WebSockets" else (f"Content-Length: {MIB}",)
    with here.viewer(STRANGER, server.public) as viewer:
        assert viewer.get(f"{name}-2.localhost").status == 200
    before = server.rss()
    with contextlib.ExitStack() as stack:
        crowd = []
        for number in range(600):
            viewer = stack.enter_context(here.viewer(f"10.9.1.{number % 250 + 1}", server.public))
            viewer.send(
                head("GET" if fields is UPGRADE else "POST", "/", f"{name}.localhost", *fields)
            )
            if fields is UPGRADE:
                assert viewer.response_head().status == 101
            crowd.append(viewer)
        pour(crowd)
        grown = server.rss() - before
        assert grown < BUDGET * 3 // 2, f"{grown >> 20} MiB"
        with here.viewer(STRANGER, server.public) as viewer:
            start = time.monotonic()
            got = viewer.get(f"{name}-2.localhost", "/", method="POST", body=b"x" * 100_000)
            assert got.status == 200
            assert time.monotonic() - start < 1 * SLOW


def grown_by_heads(here, server, host, sent):
    """Sends 1,200 heads. Checks that some are refused and that others are served. Returns by how
    many bytes the server grew."""
    before = server.rss()
    with contextlib.ExitStack() as stack:
        crowd = []
        for number in range(1200):
            viewer = stack.enter_context(here.viewer(f"10.9.1.{number % 250 + 1}", server.public))
            with contextlib.suppress(ConnectionError):
                viewer.send(sent)
            crowd.append(viewer)
        wait_until(lambda: readable(one.socket for one in crowd) > 700, 10 * SLOW, "refusals")
        grown = server.rss() - before
        refused = [one for one in crowd if readable([one.socket])]
        got = refused[-1].response()
        assert got.status == 503 and "connection_limit_reached" in got.get("Proxy-Status")
        with here.viewer(STRANGER, server.public) as viewer:
            assert viewer.get(host).status == 200
            assert viewer.get(host, "/", method="POST", body=b"x" * 100_000).status == 200
    return grown


@pytest.mark.rule("F62")
@pytest.mark.skipif(VARIANT != "release", reason="measures memory")
@pytest.mark.parametrize("ending", ["waits", "half a head"])
def test_heads_that_wait(here, serve, name, ended, ending):
    """1,200 viewers send large heads, which get no answer, or stop before their end. Those that
    would be over the budget are refused, and their memory is free at once, also if hundreds come in
    one turn, or are on their way to another worker. Without that the heap grows by 35 MiB and more.
    A small request of another viewer is served."""
    budget = 8 * MIB
    server = serve("--memory-budget", budget, "--max-streams", "2000")
    with here.inside():
        link = linked(server, name, serve=lambda stream: None)
        other = linked(server, f"{name}-2")
    ended.callback(link.close)
    ended.callback(other.close)
    sent = big_head("GET", f"{name}.localhost", 28_000)
    host = f"{name}-2.localhost"
    with here.viewer(STRANGER, server.public) as viewer:
        assert viewer.get(host).status == 200
    grown = grown_by_heads(here, server, host, sent if ending == "waits" else sent[:-2])
    assert grown < 32 * MIB


@pytest.mark.rule("F61")
@pytest.mark.parametrize("kind", ["uploads", "heads"])
def test_what_does_not_move_is_given_up(new_server, name, ended, kind):
    """The budget is short. Uploads that the client does not take, and large heads without an
    answer, are given up after the stall timeout, with 503 and a line of the log. An upload that
    moves stays, and so does a request with a usual head that waits for its answer."""
    server = new_server("--memory-budget", MIB, "--stall-timeout", "1s", "--workers", "1")
    deaf = Deaf(server, name, register(server, name)["ticket"], serve=lambda stream: None)
    ended.callback(deaf.close)
    slow = linked(server, f"{name}-2", serve=lambda stream: None)
    ended.callback(slow.close)
    with contextlib.ExitStack() as stack:
        moving = stack.enter_context(Viewer(server.port))
        moving.send(head("POST", "/", f"{name}-2.localhost", "Content-Length: 100000000"))
        polls = stack.enter_context(Viewer(server.port))
        polls.send(head("GET", "/", f"{name}-2.localhost", f"Cookie: {'x' * 3900}"))
        crowd = []
        for _ in range(60):
            viewer = stack.enter_context(Viewer(server.port))
            crowd.append(viewer)
            if kind == "heads":
                viewer.send(big_head("GET", f"{name}.localhost", 28_000))
            else:
                viewer.send(head("POST", "/", f"{name}.localhost", "Content-Length: 1000000"))
        if kind == "uploads":
            pour(crowd)

        def given_up():
            moving.send(bytes(1000))
            return "stream_evicted" in server.log and readable(one.socket for one in crowd) > 0

        wait_until(given_up, 15 * SLOW, "the first that is given up")
        first = next(one for one in crowd if readable([one.socket]))
        assert first.response().status == 503
        wait_until(lambda: memory(server) < MIB * 3 // 4, 15 * SLOW, "room")
        assert memory(server, "streams_evicted") > 0
        assert not readable([moving.socket, polls.socket])


# A server that sees other limits of its control groups than the machine's.
OWN_GROUPS = """mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory && exec "$@\""""


def set_limit(server, limit):
    """Sets the limit of the topmost control group that the server sees, of both versions."""
    process = pathlib.Path("/proc", str(server.program.pid))
    groups = process / "root" / "sys/fs/cgroup"
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        (groups / file).write_text(f"{limit}\n", encoding="ascii")


@pytest.mark.rule("F63", "F64")
def test_alarm_of_real_use(new_server, name, ended):
    """The limit of memory falls to what the server uses. An upload that stands still is given up
    though the budget is large; then requests for tunnels get 503, also small ones, and the base
    domain is served. All is well again when the limit is raised."""
    server, host = (
        new_server("--stall-timeout", "1s", within=("unshare", "-m", "sh", "-c", OWN_GROUPS, "sh")),
        f"{name}-2.localhost",
    )
    deaf = Deaf(server, name, register(server, name)["ticket"], serve=lambda stream: None)
    ended.callback(deaf.close)
    ended.callback(linked(server, f"{name}-2").close)
    assert fetch(server.port, host).status == 200
    assert memory(server, "memory_short") is False
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", f"{name}.localhost", "Content-Length: 1000000"))
        pour([viewer])
        set_limit(server, server.rss())
        server.wait_log(r"memory_short used=\d+ limit=\d+", 10)
        server.wait_log("stream_evicted", 15)
        assert viewer.response().status == 503
    wait_until(lambda: fetch(server.port, host).status == 503, 10, "refusals")
    got = fetch(server.port, host)
    assert got.get("Retry-After") == "1" and "connection_limit_reached" in got.get("Proxy-Status")
    assert memory(server, "memory_short") is True
    set_limit(server, 1 << 40)
    server.wait_log("memory_suffices", 10)
    assert fetch(server.port, host).status == 200
    assert memory(server, "memory_short") is False
