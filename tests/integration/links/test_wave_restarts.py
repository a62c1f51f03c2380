# SPDX-License-Identifier: MIT
"""Tests an old client, `wave share` of H2O Wave, over restarts of the server."""

import contextlib
import select
import signal

import pytest
from support import addresses, netns
from support.kept_port import KeptPort
from support.old_clients import (
    HEAD,
    PORT,
    STRANGER,
    Raw,
    answering,
    refuses,
    register_from,
)
from support.wait import wait_until

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


@pytest.mark.rule("L3")
def test_a_line_revives_a_name(world):
    """After a restart the sockets alone bring the name back: the names file has the address."""
    w = world()
    register_from(w)
    raw = Raw(w)
    wait_until(lambda: w.sockets("app") == 1, what="the socket")
    wait_until(lambda: " served=" in w.server.saved_names, what="the names file")
    with w.here.inside():
        w.server.restart()
    assert raw.end() == "reset", "also a killed server resets its sockets"
    assert Raw(w, source=STRANGER).end() == "closed"
    raw = Raw(w)
    wait_until(lambda: w.sockets("app") == 1, what="the socket")
    viewer = w.viewer()
    viewer.send(HEAD)
    raw.request()
    raw.answer()
    assert viewer.response().body == b"here"


@pytest.mark.rule("L11")
def test_a_stop_resets_sockets(world):
    """Also a server that is asked to stop resets them, behind the answers that are under way."""
    w = world("--drain-timeout", "20s")
    register_from(w)
    raws = [Raw(w) for _ in range(2)]
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")
    viewer = w.viewer()
    viewer.send(HEAD)
    ready = select.select([raw.socket for raw in raws], [], [], 20)[0]
    busy = next(raw for raw in raws if raw.socket in ready)
    idle = next(raw for raw in raws if raw is not busy)
    busy.request()
    w.server.program.signal(signal.SIGTERM)
    busy.answer()
    assert viewer.response().body == b"here"
    assert (idle.end(), busy.end()) == ("reset", "reset")


@pytest.mark.rule("L11")
def test_a_successor_that_overlaps(world, here):
    """A server that is started before its predecessor ends gets all sockets."""
    w = world("--drain-timeout", "20s")
    share = w.share(w.origin(answering), connections=4)
    old = w.server.program
    with here.inside():
        old.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in old.log and refuses(w), what="the old one's port")
        w.server.start()
    old.wait()
    wait_until(lambda: w.sockets("app") == 4, 20, "all sockets at the successor")
    assert w.ask(share).body == b"here" and share.count("lost") == 0


# ---- a port that a supervisor keeps ----
@pytest.fixture
def kept(here, ended, tmp_path):
    with here.inside():
        port = KeptPort(tmp_path / "kept", addresses.SERVER, addresses.SERVER6, port=PORT)
    return ended.enter_context(contextlib.closing(port))


@pytest.mark.rule("L15", "O232")
@pytest.mark.parametrize("how", ["stop", "kill9"])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_plain_restart(how, workers, world, here, kept):
    """The server ends, also by SIGKILL, and starts again later. All sockets come back, and the line
    alone revives the name."""
    w = world("--workers", workers, within=kept.within, env=kept.env)
    share = w.share(w.origin(answering), connections=4)
    assert w.ask(share).body == b"here"
    wait_until(lambda: " served=" in w.server.saved_names, what="the names file")
    getattr(w.server, how)()
    share.wait_output(r"^again$", stream="stdout", count=4)
    with here.inside():
        w.server.start()
    wait_until(lambda: w.sockets("app") == 4, 20, "all sockets at the successor")
    assert w.ask(share).body == b"here" and share.count("lost") == 0


@pytest.mark.rule("L15")
def test_a_stop_waits_for_no_successor(world, kept):
    """Where the port is kept, the sockets are reset as soon as nothing is under way."""
    w = world("--drain-timeout", "20s", within=kept.within, env=kept.env)
    register_from(w)
    raw = Raw(w)
    wait_until(lambda: w.sockets("app") == 1, what="the socket")
    w.server.program.signal(signal.SIGTERM)
    assert raw.end() == "reset"
    w.server.stop()
