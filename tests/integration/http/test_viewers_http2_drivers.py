# SPDX-License-Identifier: MIT
"""Tests viewers over HTTP/2 that are other authors' programs: nghttp and h2load."""

import re
import shutil
import subprocess

import pytest
from support.pattern import pattern
from support.programs import SLOW

pytestmark = pytest.mark.skipif(
    not (shutil.which("nghttp") and shutil.which("h2load")), reason="nghttp2-client not installed"
)
DEADLINE_S = 60 * SLOW


def run(*argv):
    """Runs a program that must end well. Returns its standard output."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.rule("E1", "E4")
def test_nghttp(tunnel):
    """One connection fetches and uploads, with padding, and with a body larger than all windows."""
    url = f"https://127.0.0.1:{tunnel.server.port}"
    named = f"-H:authority: {tunnel.host}"
    assert run("nghttp", named, f"{url}/bytes/300000") == pattern(300000)
    padded = run("nghttp", "--padding=200", "-m", 3, named, f"{url}/bytes/1000")
    assert padded == pattern(1000) * 3
    assert run("nghttp", "-w", 1, "-W", 1, named, f"{url}/bytes/1000") == pattern(1000)


@pytest.mark.rule("E1", "E10")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-n2000", "-c10", "-m10"], id="small"),
        pytest.param(["-n100", "-c2", "-m100"], id="all streams at once"),
        pytest.param(["-n200", "-c4", "-m10", "-w10", "-W12"], id="small windows"),
        pytest.param(["-n200", "-c4", "-m10", "--header-table-size=0"], id="no table"),
    ],
)
def test_h2load(tunnel, options):
    port = tunnel.server.port
    url = f"https://{tunnel.host}/bytes/2000"
    said = run("h2load", *options, f"--connect-to=127.0.0.1:{port}", url).decode()
    count = options[0].removeprefix("-n")
    assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in said, said
    assert re.search(rf"status codes: {count} 2xx", said), said


@pytest.mark.rule("E1", "E12")
def test_h2load_uploads(tunnel, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(pattern(200_000))
    url = f"https://{tunnel.host}/upload"
    there = f"--connect-to=127.0.0.1:{tunnel.server.port}"
    said = run("h2load", "-n200", "-c4", "-m10", "-d", body, there, url).decode()
    assert "200 succeeded, 0 failed, 0 errored, 0 timeout" in said, said
