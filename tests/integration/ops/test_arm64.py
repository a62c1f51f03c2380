# SPDX-License-Identifier: MIT
"""Tests the programs of `make arm64` under qemu: the unit tests, and one tunnel."""

import fcntl
import shutil
import subprocess

import pytest
from support.programs import TOP, Client, Server
from support.viewer import fetch

pytestmark = [pytest.mark.full, pytest.mark.release_only, pytest.mark.timeout(5400)]

QEMU = ["qemu-aarch64-static", "-L", TOP / "build/deps/arm64"]
BUILT = TOP / "build/arm64"
# qemu has no seccomp, and no limit of the address space.
# A minute of CPU for some, which is long on a busy machine: hence the deadlines.
LEFT_OUT = {"test_config", "test_memory", "test_sandbox", "test_sandbox_calls"}


@pytest.fixture(scope="module", autouse=True)
def built(lock_directory):
    for tool in ("qemu-aarch64-static", "aarch64-linux-gnu-gcc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    with open(lock_directory / "arm64", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "--no-print-directory", "-j2", "arm64"],
            cwd=TOP,
            capture_output=True,
            text=True,
        )
    if "could not be fetched" in done.stderr:
        pytest.skip("the packages of arm64 cannot be fetched here")
    assert done.returncode == 0, done.stdout + done.stderr


def test_units():
    """Runs each unit test that needs nothing of the kernel that qemu lacks."""
    failed = []
    for program in sorted((BUILT / "unit").glob("test_*")):
        if program.suffix or program.name in LEFT_OUT:
            continue
        done = subprocess.run(
            [*QEMU, program], capture_output=True, encoding="utf-8", errors="replace", timeout=1500
        )
        if done.returncode != 0:
            failed.append((program.name, (done.stdout + done.stderr)[-2000:]))
    assert failed == []


def test_a_tunnel(certificate, http_origin, tmp_path):
    server = Server(
        tmp_path / "server", certificate, "--sandbox", "off", within=QEMU, programs=BUILT
    )
    client = Client(
        server,
        http_origin.port,
        tmp_path / "client",
        "--sandbox",
        "off",
        within=QEMU,
        programs=BUILT,
    )
    try:
        assert fetch(server.port, client.host, "/echo").status == 200
    finally:
        client.stop()
        server.stop()
