# SPDX-License-Identifier: MIT
"""Tests who may use a state directory and in which order it is used, what a full, read-only or slow
disk stops, and that the keys are read again on SIGHUP."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest
from support.foreign import EMPTY_SETTINGS, attach, call, register
from support.programs import BIN, SLOW, Program, Server
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

FILES = ("names", "node", "secret")
USAGE = 1
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners, or mounts")


def words_for(state, listen="127.0.0.1:0", *options):
    return [
        *[BIN / "oneportd", "--domain", "localhost", "--state-dir", state, "--listen", listen],
        *["--access-log", "off", "--drain-timeout", "30s", *options],
    ]


def snapshot(state):
    """Returns content and time of the last change of the files that a start may write."""
    files = [state / file for file in FILES]
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino)
        for file in files
        if file.exists()
    }


def one_line(program):
    """Waits until the program has refused to start. Returns what it said."""
    program.expect_exit(USAGE)
    lines = [line for line in program.log.splitlines() if line.startswith("oneportd: ")]
    assert len(lines) == 1, program.log
    return lines[0]


def stays(server):
    """Waits until @server writes nothing more by itself. Returns the snapshot."""
    state = server.directory / "state"
    wait_until(lambda: (state / "names").exists(), what="the first write")
    time.sleep(1.2)  # what is due is written within a second
    return state, snapshot(state)


# ---- bind, lock, read, write ----
@pytest.mark.rule("O60")
def test_a_second_start_at_the_same_port_touches_nothing(new_server, name, tmp_path):
    server = new_server()
    register(server, name)
    state, before = stays(server)
    again = Program(words_for(state, f"127.0.0.1:{server.port}"), tmp_path, "oneportd")
    assert "in use" in one_line(again)
    assert snapshot(state) == before
    assert f"{name} " in (state / "names").read_text()


@pytest.mark.rule("O60")
def test_a_failed_bind_makes_no_directory(server, tmp_path):
    state = tmp_path / "new" / "state"
    again = Program(words_for(state, f"127.0.0.1:{server.port}"), tmp_path, "oneportd")
    assert "in use" in one_line(again)
    assert not state.parent.exists()


@pytest.mark.rule("O60", "O61")
def test_two_processes_that_serve_are_refused(new_server, name, tmp_path):
    """The second one has a port of its own. Its socket is gone when it has been refused."""
    server = new_server()
    register(server, name)
    state, before = stays(server)
    at = tmp_path / "x.sock"
    said = one_line(Program(words_for(state, f"unix:{at}"), tmp_path, "oneportd"))
    assert f"PID {server.program.pid} " in said and str(state) in said
    assert snapshot(state) == before and not at.exists()
    assert call(server, "/healthz").status == 200


@pytest.mark.rule("O61")
def test_a_successor_serves_while_the_old_one_drains(new_server, new_client, scripted, name):
    """A long download runs. The successor has the names, the client attaches to it, and what the
    old one does until its end changes no file."""
    go_on = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        go_on.wait(30)
        connection.send(b"67890")

    server = new_server(drain="30s")
    client = new_client(scripted(serve).port, server=server, name=name)
    state = server.directory / "state"
    wait_until(lambda: f"{name} " in (state / "names").read_text(), what="the name in the file")
    old = server.program
    with contextlib.ExitStack() as stack:
        stack.callback(old.kill9)
        viewer = stack.enter_context(Viewer(server.port, timeout_s=60))
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
        old.signal(signal.SIGTERM)
        start = time.monotonic()
        wait_until(lambda: refuses(server.port), 5 * SLOW, "the old one's port")
        server.start()
        assert time.monotonic() - start < 0.7 * SLOW
        assert "draining" in old.log and old.running
        server.wait_link(name, 1)
        assert int((state / "lock").read_text()) == server.program.pid
        _, before = stays(server)
        go_on.set()
        assert viewer.exactly(10) == b"1234567890"
        old.expect_exit(0)
        assert snapshot(state) == before


def refuses(port):
    try:
        Viewer(port, timeout_s=1).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.rule("O61")
def test_a_killed_server_leaves_no_lock(new_server):
    server = new_server()
    for _ in range(3):
        server.restart()
    assert call(server, "/healthz").status == 200


# ---- whose directory ----
def give_away(path):
    os.chown(path, 4242, 4242)


def open_to_all(path):
    os.chmod(path, 0o777 if path.is_dir() else 0o666)


def open_to_a_group(path):
    os.chown(path, 0, 4242)
    os.chmod(path, 0o770 if path.is_dir() else 0o660)


def make_a_link(path):
    there = path.with_name(path.name + ".there")
    path.rename(there)
    path.symlink_to(there)


def make_a_fifo(path):
    path.unlink()
    os.mkfifo(path)


FLAWS = {
    give_away: "belongs to another user",
    open_to_all: "chmod go-w",
    open_to_a_group: "chmod go-w",
    make_a_link: "symbolic link",
    make_a_fifo: "no regular file",
}


@pytest.fixture
def prepared(tmp_path):
    """Returns a state directory with all of its files."""
    state = tmp_path / "state"
    program = Program(words_for(state), tmp_path, "oneportd")
    program.wait_output(" listening ")
    program.stop()
    return state


@needs_root
@pytest.mark.rule("O62")
@pytest.mark.parametrize("file", [".", *FILES, "lock"])
@pytest.mark.parametrize("flaw", FLAWS)
def test_what_others_may_change_is_refused(flaw, file, prepared, tmp_path):
    """One line says which file it is and what to do. Nothing is written."""
    path = prepared / file if file != "." else prepared
    if file == "." and flaw in (make_a_fifo, give_away):
        return  # a fifo is no directory, and who owns it is who serves (O121)
    flaw(path)
    said = one_line(Program(words_for(f"{prepared}/"), tmp_path, "oneportd"))
    assert FLAWS[flaw] in said
    assert (file if file != "." else "/state") in said


@needs_root
@pytest.mark.rule("O62")
def test_a_group_of_ours_may_write(prepared, tmp_path):
    """As Kubernetes mounts a volume with fsGroup: all of it is the group's, and writable."""
    for path in (prepared, *prepared.iterdir()):
        open_to_a_group(path)
    for path in (tmp_path, *tmp_path.parents):
        if os.stat(path).st_uid == 0 and str(path).startswith("/tmp/pytest"):
            os.chmod(path, 0o755)
    as_user = ["setpriv", "--reuid", "4141", "--regid", "4141", "--groups"]
    inside = Program([*as_user, "4242", *words_for(prepared)], tmp_path, "oneportd")
    inside.wait_output(" listening ")
    wait_until(lambda: "state_not_written" not in inside.log, what="no complaint")
    inside.stop()
    outside = Program([*as_user, "4343", *words_for(prepared)], tmp_path, "oneportd")
    outside.expect_exit(USAGE)


# ---- SIGHUP ----
OTHER_KEY = "other AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.rule("O63")
def test_the_keys_are_read_again(new_server, name):
    """A new first key signs; the old one verifies until it is removed. A file that cannot be used
    changes nothing."""
    server = new_server("--workers", "2")
    secret = server.directory / "state" / "secret"
    old = secret.read_text()
    first = register(server, name)["ticket"]

    def reload(text, said, count):
        secret.write_text(text)
        server.program.signal(signal.SIGHUP)
        server.wait_log(said, count=count)

    def judged(ticket):
        got = call(server, f"/register/{name}", f"Oneport-Ticket: {ticket}")
        return got.json()["ticket"] if got.status == 200 else got.json()["error"]

    reload(f"{OTHER_KEY}\n{old}", "keys_reloaded", 1)
    second = judged(first)
    assert second != "bad_ticket"
    reload("nonsense\n", "keys_not_reloaded .*line 1", 1)
    assert judged(first) != "bad_ticket" and judged(second) != "bad_ticket"
    reload(f"{OTHER_KEY}\n", "keys_reloaded", 2)
    assert judged(first) == "bad_ticket" and judged(second) != "bad_ticket"


# ---- the disk ----
def in_a_mount(script, *words):
    """Returns the words that run @script, which may mount, and then @words in its place."""
    return ["unshare", "-m", "sh", "-ec", f'{script}\nexec "$@"', "sh", *words]


def inside(program, path):
    return pathlib.Path(f"/proc/{program.pid}/root{path}")


def status(program):
    port = int(program.wait_output(r"listening.*addr=\S*?:(\d+)").group(1))
    return json.loads(fetch(port, f"localhost:{port}", "/api/status").body)


class Port:
    """Stands for a server without TLS, for the helpers that register."""

    def __init__(self, program):
        self.port = int(program.wait_output(r"listening.*addr=\S*?:(\d+)").group(1))


@needs_root
@pytest.mark.rule("O64")
@pytest.mark.parametrize("files", ["none", "all", "broken node"])
def test_a_full_disk(files, prepared, tmp_path):
    """The server serves with what it could read, says once that it cannot write, and writes as soon
    as there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    held = "held-name 000102030405060708090a0b0c0d0e0f 0 1\n"
    (prepared / "names").write_text(held)
    copy = {"none": "", "all": f"cp {prepared}/* {disk}/state/"}
    copy["broken node"] = f"{copy['all']}; : > {disk}/state/node"
    script = (
        f"mount -t tmpfs -o size=64k,mode=0700 none {disk}; mkdir -m 0700 {disk}/state\n"
        f"{copy[files]}\n"
        f"dd if=/dev/zero of={disk}/ballast bs=1k count=100 2>/dev/null || true\n"
    )
    program = Program(in_a_mount(script, *words_for(disk / "state")), tmp_path, "oneportd")
    program.wait_output("state_not_written")
    got = status(program)
    assert got["state_ok"] is False and got["tunnels"] == (0 if files == "none" else 1)
    inside(program, disk / "ballast").unlink()
    program.wait_output("state_written", 10)
    assert status(program)["state_ok"] is True
    assert program.log.count("state_not_written") == 1
    there = inside(program, disk / "state")
    assert ("held-name" in (there / "names").read_text()) == (files != "none")
    assert (there / "node").read_text().startswith("oneport-")
    assert (there / "secret").stat().st_size > 40
    program.stop()


@needs_root
@pytest.mark.rule("O64")
@pytest.mark.parametrize("files", ["none", "all", "no directory"])
def test_a_read_only_disk(files, prepared, tmp_path):
    (prepared / "names").write_text("held-name 000102030405060708090a0b0c0d0e0f 0 1\n")
    if files != "all":
        for path in prepared.iterdir():
            path.unlink()
    state = prepared / "below" if files == "no directory" else prepared
    script = f"mount --bind {prepared} {prepared}; mount -o remount,ro,bind {prepared}"
    program = Program(in_a_mount(script, *words_for(state)), tmp_path, "oneportd")
    program.wait_output("state_not_written .*Read-only file system")
    got = status(program)
    assert got["state_ok"] is False and got["tunnels"] == (1 if files == "all" else 0)
    subprocess.run(
        ["nsenter", "-m", f"-t{program.pid}", "mount", "-o", "remount,rw,bind", prepared],
        check=True,
    )
    program.wait_output("state_written", 10)
    assert status(program)["state_ok"] is True
    assert int((state / "lock").read_text()) == program.pid
    assert {path.name for path in state.iterdir()} == {*FILES, "lock", "reserved"}
    program.stop()


@needs_root
@pytest.mark.rule("O61", "O64")
def test_a_lock_that_came_too_late(prepared, tmp_path):
    """The first server could not make the lock. A second one serves by the time the disk takes
    writes again, and the first one writes nothing."""
    for path in prepared.iterdir():
        path.unlink()
    script = f"mount --bind {prepared} {prepared}; mount -o remount,ro,bind {prepared}"
    first = Program(in_a_mount(script, *words_for(prepared)), tmp_path, "oneportd")
    first.wait_output("state_not_written")
    second = Program(words_for(prepared), tmp_path, "oneportd")
    second.wait_output(" listening ")
    wait_until(lambda: (prepared / "names").exists(), what="the second one's names")
    subprocess.run(
        ["nsenter", "-m", f"-t{first.pid}", "mount", "-o", "remount,rw,bind", prepared],
        check=True,
    )
    before = snapshot(prepared)
    time.sleep(6)  # the first one has tried again
    assert snapshot(prepared) == before and status(first)["state_ok"] is False
    second.stop()
    first.wait_output("state_written", 10)
    first.stop()


SLOW_DISK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void wait_for_disk(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, "names") == 0)
        sleep(2);
}
int renameat(int from, const char *old, int to, const char *new)
{
    int (*next)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
    wait_for_disk(new);
    return next(from, old, to, new);
}
int rename(const char *old, const char *new)
{
    int (*next)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    wait_for_disk(new);
    return next(old, new);
}
"""


@pytest.mark.release_only
@pytest.mark.rule("O65")
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_slow_disk_stops_nobody(tmp_path, certificate, ended, new_client, http_origin):
    """Each write of the names takes two seconds. Viewers and register calls of the only worker are
    answered meanwhile."""
    (tmp_path / "slow.c").write_text(SLOW_DISK)
    library = tmp_path / "slow.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", library, tmp_path / "slow.c", "-ldl"], check=True
    )
    server = Server(tmp_path, certificate, "--workers", "1", env={"LD_PRELOAD": library})
    ended.callback(server.stop)
    client = new_client(http_origin.port, server=server)
    longest, end = 0.0, time.monotonic() + 4
    while time.monotonic() < end:
        start = time.monotonic()
        register(server)
        assert fetch(server.port, client.host, "/echo").status == 200
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.02)
    assert longest < 0.5


@pytest.mark.rule("O66")
def test_an_empty_node_is_made_anew(new_server):
    server = new_server()
    node = server.directory / "state" / "node"
    first = node.read_text()
    for broken in ("", "x", "oneport-1234567\n", "x" * 1000):
        node.write_text(broken)
        server.restart()
        server.wait_log("node_made_anew")
        assert node.read_text().startswith("oneport-") and node.read_text() != first


def live(server, name):
    """Attaches a link that stays up. Returns it and the ticket."""
    grant = register(server, name)
    link, got = attach(server, name, grant["ticket"])
    assert got.status == 101
    link.send(EMPTY_SETTINGS)
    server.wait_log(f"link_up name={name} ")
    return link, grant["ticket"]


@pytest.mark.rule("O61")
def test_names_of_the_last_moment_are_handed_over(new_server, name, ended):
    """A name that came up right before SIGTERM is the owner's in the successor."""
    server = new_server(drain="30s")
    link, _ = live(server, name)
    ended.callback(link.close)
    old = server.program
    ended.callback(old.kill9)
    old.signal(signal.SIGTERM)
    wait_until(lambda: refuses(server.port), 5 * SLOW, "the old one's port")
    server.start()
    got = call(server, f"/register/{name}", "Oneport-Exact: ?1")
    assert (got.status, got.json()["error"]) == (409, "name_taken")
