# SPDX-License-Identifier: MIT
"""Requests, latency, bulk and fairness: what plain HTTP through a path costs. Each function takes
(bench, kind of path) and returns its figures by name; lower is better but for *_per_s and
opened."""

import statistics

from . import loads
from .loads import milliseconds
from .meter import Used
from .paths import Skipped

DOWNLOADS = 20
LONG_BODY = "/octets/1073741824"


def requests(bench, kind):
    """64 connections, 200-octet bodies, as fast as they come."""
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
    """One viewer before the 64: when all come at once to a cold HAProxy, it ends up with one
    connection onward or with 64, by chance, and its rounds cannot be compared."""
    loads.bulk(path, "/200", connections=1, time=milliseconds(bench.sizes.warm_s / 4))
    loads.bulk(path, "/200", connections=64, time=milliseconds(bench.sizes.warm_s))


def latency(bench, kind):
    """The same bodies at a fixed rate that every path can do, waiting included."""
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
    """1 MiB bodies on 8 connections, down and up."""
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
    """(MB/s, CPU seconds a GB)"""
    with Used(path.pids()) as used:
        got = loads.bulk(
            path,
            target,
            connections=8,
            warmup=milliseconds(bench.sizes.warm_s),
            time=milliseconds(bench.sizes.load_s),
            **options,
        )
    return got["mb_per_s"], used.cpu_s / got["total_octets"] * 1e9


def fair(bench, kind):
    """20 downloads at a time: the largest share over the smallest, and what one viewer that stopped
    reading costs the others."""
    if kind.at_once <= DOWNLOADS:
        raise Skipped(f"it does {kind.at_once} at a time")
    with kind(bench, bench.origins.app_port) as path:
        alone = _share(bench, path, bench.sizes.load_s)
        costs = [_beside_stalled(bench, path) for _ in range(bench.sizes.slices)]
    shares = alone["connections"]
    return {
        "max_over_min": max(shares) / max(1, min(shares)),
        "mb_per_s": alone["mb_per_s"],
        "beside_stalled": statistics.median(costs),
    }


def _beside_stalled(bench, path):
    """What the downloads get beside a viewer that stopped reading, of what they get before and
    behind it."""
    seconds = bench.sizes.load_s / 2
    before = _share(bench, path, seconds)["mb_per_s"]
    with loads.Stalled(path.directory, path, LONG_BODY, 1):
        beside = _share(bench, path, seconds)["mb_per_s"]
    return 2 * beside / (before + _share(bench, path, seconds)["mb_per_s"])


def _share(bench, path, seconds):
    return loads.bulk(
        path,
        LONG_BODY,
        connections=DOWNLOADS,
        warmup=milliseconds(bench.sizes.warm_s / 2),
        time=milliseconds(seconds),
    )
