# SPDX-License-Identifier: MIT
"""Tests `make demo` from where the programs are built: what it prints, that the URL works when it
is printed, and that nothing is left behind."""

import os
import signal
import socket

import pytest
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


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = demo(tmp_path, port)
        program.expect_exit(1)
    assert f"port {port} on 127.0.0.1 is taken" in program.log
