# SPDX-License-Identifier: MIT
"""Tests plain HTTP through a path: requests, latency, bulk and fairness. Each test takes (bench,
kind of path) and returns its figures by name. Lower is better, except for *_per_s and opened."""

import statistics
import time

from . import loads
from .loads import milliseconds
from .meter import Used
from .paths import Skipped

DOWNLOADS = 20
CROWD = 100
LONG_UPLOAD = "1g"
LONG_BODY = "/bytes/1073741824"


def requests(bench, kind):
    """Sends requests for bodies of 200 bytes on 64 connections, as fast as they are answered."""
    sizes = bench.sizes
    with kind(bench, bench.origins.web_port) as path:
        warm_up(bench, path)
        with Used(path.pids()) as used:
            count, speed = loads.wrk(path, "/200", sizes.load_s)
        return {
            "requests_per_s": speed,
            "cpu_s_per_10k": used.cpu_s / count * 1e4,
            **path.between(),
        }


def warm_up(bench, path):
    """Warms a path up with one viewer before the 64. When all 64 come at once to a cold HAProxy, it
    ends up with 1 or 64 connections onward by chance, and rounds cannot be compared."""
    loads.bulk(path, "/200", connections=1, time=milliseconds(bench.sizes.warm_s / 4))
    loads.bulk(path, "/200", connections=64, time=milliseconds(bench.sizes.warm_s))


def latency(bench, kind):
    """Measures the latency of the same bodies at a fixed rate that every path can sustain. Latency
    includes the time that a request waited to be sent."""
    sizes = bench.sizes
    with kind(bench, bench.origins.web_port) as path:
        load = {"connections": 64, "rate": sizes.latency_rate}
        warm_up(bench, path)
        got = loads.typical(
            sizes.slices,
            lambda: loads.rate(path, "/200", time=milliseconds(sizes.load_s / 2), **load),
        )
        return {
            "p50_ms": got["p50_ms"],
            "p99_ms": got["p99_ms"],
            "p99_9_ms": got["p99_9_ms"],
            "unsent": got["unsent"],
        }


def bulk(bench, kind):
    """Transfers bodies of 1 MiB on 8 connections, down and then up."""
    with kind(bench, bench.origins.web_port) as path:
        down = _bulk(bench, path, "/1m")
    with kind(bench, bench.origins.app_port) as path:
        up = _bulk(bench, path, "/sink", upload=True, size="1m")
    return {
        "down_mb_per_s": down[0],
        "down_cpu_s_per_gb": down[1],
        "up_mb_per_s": up[0],
        "up_cpu_s_per_gb": up[1],
    }


def _bulk(bench, path, target, **options):
    """Returns (MB/s, CPU seconds per GB)."""
    with Used(path.pids()) as used:
        got = loads.bulk(
            path,
            target,
            connections=8,
            warmup=milliseconds(bench.sizes.warm_s),
            time=milliseconds(bench.sizes.load_s),
            **options,
        )
    return got["mb_per_s"], used.cpu_s / got["total_bytes"] * 1e9


def fair(bench, kind):
    """Compares the shares of 20 downloads that run at a time, measures how much one viewer that
    stopped reading slows the others, and what a viewer with one transfer gets beside a crowd."""
    if kind.at_once <= DOWNLOADS:
        raise Skipped(f"it takes only {kind.at_once} requests at a time")
    with kind(bench, bench.origins.app_port) as path:
        alone = _share(bench, path, bench.sizes.load_s)
        costs = [_beside_stalled(bench, path) for _ in range(bench.sizes.slices)]
        beside_crowd = {
            "one_down": _beside_crowd(bench, path),
            "one_up": _beside_crowd(bench, path, upload=True),
        }
    shares = alone["connections"]
    return {
        "max_over_min": max(shares) / max(1, min(shares)),
        "mb_per_s": alone["mb_per_s"],
        "beside_stalled": statistics.median(costs),
        **beside_crowd,
    }


def _beside_stalled(bench, path):
    """Returns the rate of the downloads beside a viewer that stopped reading, relative to their
    mean rate before and after."""
    seconds = bench.sizes.load_s / 2
    before = _share(bench, path, seconds)["mb_per_s"]
    with loads.Stalled(path.directory, path, LONG_BODY, 1):
        beside = _share(bench, path, seconds)["mb_per_s"]
    return 2 * beside / (before + _share(bench, path, seconds)["mb_per_s"])


def _beside_crowd(bench, path, **keywords):
    """Returns how much of its half a viewer with one transfer gets that begins beside CROWD of
    another viewer: 1 is all of it, and CROWD of it would be all of the path."""
    warm, load = bench.sizes.warm_s, bench.sizes.load_s
    crowd, keywords = {}, {"size": LONG_UPLOAD, "warmup": milliseconds(warm), **keywords}
    others = {"connections": CROWD, "viewer": "192.0.2.1", "time": milliseconds(load + warm)}
    with loads.bulk_meanwhile(path, LONG_BODY, crowd, **keywords, **others):
        time.sleep(warm / 2)  # the one comes late
        one = loads.bulk(path, LONG_BODY, viewer="192.0.2.2", time=milliseconds(load), **keywords)
    return 2 * one["mb_per_s"] / (one["mb_per_s"] + crowd["mb_per_s"])


def _share(bench, path, seconds):
    return loads.bulk(
        path,
        LONG_BODY,
        connections=DOWNLOADS,
        warmup=milliseconds(bench.sizes.warm_s / 2),
        time=milliseconds(seconds),
    )
