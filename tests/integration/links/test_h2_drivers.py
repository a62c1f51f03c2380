# SPDX-License-Identifier: MIT
"""Tests the HTTP/2 side of oneport with nghttp, h2load and curl. They reach it with prior knowledge
through support/h2_door.py."""

import contextlib
import hashlib
import json
import re
import subprocess

import pytest
from support import pattern
from support.h2_door import H2Door
from support.programs import SLOW, free_port

DEADLINE_S = 60 * SLOW
LARGE = 16 << 20


@pytest.fixture(scope="module")
def door(certificate, http_origin, tmp_path_factory):
    with contextlib.closing(
        H2Door(certificate, tmp_path_factory.mktemp("door"), http_origin.port)
    ) as opened:
        yield opened


def run(*argv, data=None):
    result = subprocess.run(
        [str(word) for word in argv], input=data, capture_output=True, timeout=DEADLINE_S
    )
    assert result.returncode == 0, (argv, result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout


def curl(door, path, *options, data=None):
    return run(
        "curl",
        "-sS",
        "--http2-prior-knowledge",
        *options,
        f"http://127.0.0.1:{door.port}{path}",
        data=data,
    )


def nghttp(door, path, *options):
    """Returns what nghttp reports of each frame that it received. The bodies are left out."""
    return run("nghttp", "-nv", *options, f"http://127.0.0.1:{door.port}{path}").decode()


def sent(tmp_path, size):
    body = tmp_path / "body"
    body.write_bytes(pattern.pattern(size))
    return body


# ---- curl ----
@pytest.mark.parametrize("size", [0, LARGE])
@pytest.mark.parametrize("framing", ["", "?chunked=1", "?close=1"])
def test_curl_downloads(door, size, framing):
    assert hashlib.sha256(curl(door, f"/bytes/{size}{framing}")).hexdigest() == pattern.digest(size)


@pytest.mark.parametrize("size, method", [(1, "PUT"), (LARGE, "POST")])
def test_curl_uploads_with_a_length(door, tmp_path, size, method):
    said = json.loads(
        curl(door, "/upload", "-X", method, "--data-binary", f"@{sent(tmp_path, size)}")
    )
    assert (said["length"], said["sha256"], said["framing"]) == (
        size,
        pattern.digest(size),
        "length",
    )


def test_curl_uploads_without_a_length(door):
    said = json.loads(curl(door, "/upload", "-T", "-", data=pattern.pattern(LARGE)))
    assert (said["length"], said["sha256"], said["framing"]) == (
        LARGE,
        pattern.digest(LARGE),
        "chunked",
    )


def test_two_at_once(door):
    """Each curl has a oneport of its own."""
    argv = ["curl", "-sS", "--http2-prior-knowledge", f"http://127.0.0.1:{door.port}/bytes/{LARGE}"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(2)]
    assert [hashlib.sha256(one.communicate(timeout=DEADLINE_S)[0]).hexdigest() for one in both] == [
        pattern.digest(LARGE)
    ] * 2


def test_curl_sees_heads(door):
    assert b"HTTP/2 200" in curl(door, "/bytes/5000", "-I") and b"content-length: 5000" in curl(
        door, "/bytes/5000", "-I"
    )
    assert curl(door, "/status/404", "-o", "/dev/null", "-w", "%{http_code}") == b"404"
    assert (
        curl(door, "/status/204", "-o", "/dev/null", "-w", "%{http_code} %{size_download}")
        == b"204 0"
    )


def test_curl_sends_large_heads(door):
    fields = [option for number in range(60) for option in ("-H", f"X-{number}: {'v' * 400}")]
    said = json.loads(curl(door, "/echo", *fields))
    assert (
        sum(name.lower().startswith("x-") and value == "v" * 400 for name, value in said["fields"])
        == 60
    )


# ---- nghttp ----
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-w", "8"),
        ("-W", "8", "-w", "8"),
        ("-b", "255"),
        ("-m", "30"),
        ("-p", "256"),
        ("--no-dep",),
        ("--peer-max-concurrent-streams=5", "-m", "20"),
        ("--header-table-size=0",),
    ],
    ids=" ".join,
)
def test_nghttp_downloads(door, options):
    said = nghttp(door, "/bytes/300000", *options)
    count = int(options[options.index("-m") + 1]) if "-m" in options else 1
    assert len(re.findall(r"recv \(stream_id=\d+\) :status: 200", said)) == count
    assert sum(map(int, re.findall(r"recv DATA frame <length=(\d+)", said))) == count * 300000
    assert len(re.findall(r"recv DATA frame.*\n.*END_STREAM", said)) == count


def test_nghttp_sends_trailers(door, tmp_path):
    """The body has no length, because in HTTP/1.1 only a chunked body can have trailers (D6)."""
    said = run(
        "nghttp",
        "--no-content-length",
        "-d",
        sent(tmp_path, 1000),
        "--trailer",
        "x-sum: 42",
        f"http://127.0.0.1:{door.port}/upload",
    )
    assert json.loads(said)["trailers"] == [["X-Sum", "42"]]


def test_nghttp_receives_trailers(door):
    said = nghttp(door, "/trailers", "-H", "te: trailers")
    assert re.search(r"x-sum: 42", said)


def test_nghttp_waits_for_100(door, tmp_path):
    said = nghttp(door, "/upload", "--expect-continue", "-d", sent(tmp_path, 100000))
    assert re.search(r":status: 100[\s\S]*send DATA[\s\S]*:status: 200", said)


def test_nghttp_is_told_that_the_origin_is_away(certificate, tmp_path):
    with contextlib.closing(H2Door(certificate, tmp_path, free_port())) as door:
        said = nghttp(door, "/")
    assert ":status: 502" in said and "oneport-error: connection_refused" in said


# ---- h2load ----
@pytest.mark.parametrize(
    "options",
    [
        ("-n", 2000, "-m", 100),
        ("-n", 2000, "-m", 1000),
        ("-n", 200, "-m", 20, "-w", 10, "-W", 10),
        ("-n", 500, "-m", 50, "--header-table-size=0"),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_h2load(door, options):
    said = run("h2load", "-c", 1, *options, f"http://127.0.0.1:{door.port}/bytes/2000").decode()
    count = options[1]
    done = f"{count} total, {count} started, {count} done, {count} succeeded"
    assert f"{done}, 0 failed, 0 errored, 0 timeout" in said
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in said


def test_h2load_uploads(door, tmp_path):
    said = run(
        "h2load",
        "-c",
        1,
        "-n",
        300,
        "-m",
        30,
        "-d",
        sent(tmp_path, 100000),
        f"http://127.0.0.1:{door.port}/upload",
    ).decode()
    assert "status codes: 300 2xx, 0 3xx, 0 4xx, 0 5xx" in said
