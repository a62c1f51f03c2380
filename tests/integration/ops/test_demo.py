# SPDX-License-Identifier: MIT
"""Tests `make demo` from where the programs are built: what it prints, that the URL works when it
is printed, and that nothing is left behind; and all of it on a Debian that has nothing yet."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import pytest
from support import machine
from support.programs import BIN, TOP, Program, free_port
from support.viewer import fetch

NO_HOSTS = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /etc/hosts && exec "$@"', "-"]


def demo(tmp_path, port, *within):
    (tmp_path / "tmp").mkdir()
    return Program(
        [*within, TOP / "tests/support/demo.sh"],
        tmp_path,
        "demo",
        env={"DEMO_PORT": port, "ONEPORT_BIN": BIN, "TMPDIR": tmp_path / "tmp"},
    )


@pytest.mark.parametrize("within", [[], NO_HOSTS], ids=["usual", "without /etc/hosts"])
def test_the_demo(within, tmp_path):
    if within and os.geteuid() != 0:
        pytest.skip("only root may hide /etc/hosts")
    port = free_port()
    program = demo(tmp_path, port, *within)
    program.wait_output(r"your url is: http://demo\.localhost:\d+$", 30, "stdout")
    page = fetch(port, f"demo.localhost:{port}", "/")
    assert page.status == 200 and b"oneport demo" in page.body
    program.signal(signal.SIGTERM)
    program.expect_exit(0, 20)
    assert os.listdir(tmp_path / "tmp") == []


def script_in(root):
    """Returns the pid of the script that runs in @root."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"demo.sh" in words and os.readlink(f"/proc/{pid}/root") == str(root.path):
                return int(pid)
    raise AssertionError("the demo does not run")


@pytest.mark.full
@pytest.mark.release_only
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_demo_on_an_empty_debian(suite, tmp_path):
    """A root with the essential packages, make and this checkout: `make demo` does the rest, in the
    words of the README, as somebody sees it who waits."""
    why = machine.missing() or ("" if (TOP / ".git").exists() else "this tree is no git checkout")
    if why:
        pytest.skip(why)
    root = machine.Root(tmp_path / "root", "make", suite=suite)
    subprocess.run(["git", "clone", "-q", TOP, root.path / "srv/oneport"], check=True)
    port = free_port()
    words = ["env", "-i", "HOME=/root", f"PATH={machine.PATH}", f"DEMO_PORT={port}"]
    words += ["bash", "-c", "cd /srv/oneport && make demo"]
    program = Program(root.command(*words), tmp_path, "demo")
    try:
        program.wait_output(rf"your url is: http://demo\.localhost:{port}$", 1500, "stdout")
        page = fetch(port, f"demo.localhost:{port}", "/")
        assert page.status == 200 and b"oneport demo" in page.body
        shown = program.stdout + program.log
        assert shown.index("installing") < shown.index("your url is: ")
        os.kill(script_in(root), signal.SIGINT)
        program.wait(30)
        assert os.listdir(root.path / "tmp") == []
    finally:
        program.kill9()
        root.close()


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = demo(tmp_path, port)
        program.expect_exit(1)
    assert f"port {port} on 127.0.0.1 is taken" in program.log
