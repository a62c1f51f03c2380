# SPDX-License-Identifier: MIT
"""Tests WebSockets: the cost of an idle one, and latency while the path carries a transfer."""

import time

from . import loads
from .held import Failed, Listener
from .loads import milliseconds
from .measure import LONG_BODY
from .meter import descriptors, memory
from .paths import Direct, Loopback

SETTLE_S = 0.5  # programs free their buffers after the handshakes
CALLS_A_SECOND = 5  # over the long line
MESSAGE = 100


def viewers(bench, kind):
    """Opens many WebSockets, measures memory and descriptors of each end per idle one, and echoes a
    message over each. Then does the same with the large crowd. `most` is the number that opened and
    echoed, at most the size of the crowd."""
    sizes = bench.sizes
    # A path of one link must hold that many; for the other paths the number is a figure.
    least = sizes.viewers if kind.one_link else 1
    figures = _crowd(bench, kind, sizes.viewers, least)
    most = figures["echoed"]
    if most == sizes.viewers:
        crowd = _crowd(bench, kind, sizes.crowd, least)
        figures.update({f"crowd_{key}": value for key, value in crowd.items()})
        most = crowd["echoed"]
    return {"most": most, **figures}


def _crowd(bench, kind, count, least):
    with kind(bench, bench.origins.app_port) as path:
        loads.rate(
            path, "/bytes/200", connections=8, rate=200, time=milliseconds(bench.sizes.warm_s)
        )
        before = {end: _held_by(path, end) for end in path.ends}
        with loads.WebSockets(path.directory, path, count, least) as crowd:
            time.sleep(SETTLE_S)
            figures = {
                "opened": crowd.opened,
                "open_per_s": crowd.opened / max(crowd.open_s, 1e-3),
                **path.between(),
            }
            for end, held in before.items():
                figures.update(
                    {
                        f"{end}_{key}": (value - held[key]) / crowd.opened
                        for key, value in _held_by(path, end).items()
                    }
                )
            figures["echoed"] = crowd.sweep(bench.sizes.load_s, MESSAGE)
            if figures["echoed"] == count:
                echo = loads.typical(
                    bench.sizes.slices,
                    lambda: crowd.echo(bench.sizes.echo_rate, bench.sizes.load_s / 2, MESSAGE),
                )
                figures.update({"echo_p50_ms": echo["p50_ms"], "echo_p99_ms": echo["p99_ms"]})
            elif figures["echoed"] < least:
                raise Failed(
                    f"only {figures['echoed']} of {count} WebSockets echo: {crowd.complaint()}"
                )
        return figures


def _held_by(path, end):
    resident, proportional = memory(path.pids(end))
    return {
        "rss_kib": resident / 1024,
        "pss_kib": proportional / 1024,
        "descriptors": descriptors(path.pids(end)),
    }


def interactive(bench, kind):
    """Measures echoes while a download takes all that the path can carry, and on a long line behind
    a transfer each way."""
    return {**_saturated(bench, kind), **(_long_line(bench, kind) if kind.has_line else {})}


def _saturated(bench, kind):
    sizes, got = bench.sizes, {}
    with kind(bench, bench.origins.app_port) as path, loads.WebSockets(
        path.directory, path, 4
    ) as crowd:
        crowd.echo(sizes.echo_rate, sizes.warm_s, MESSAGE)
        calm = loads.typical(
            sizes.slices, lambda: crowd.echo(sizes.echo_rate, sizes.load_s / 2, MESSAGE)
        )
        length = milliseconds(sizes.slices * sizes.load_s / 2 + sizes.warm_s + 1)
        with loads.bulk_meanwhile(path, LONG_BODY, got, time=length) as process:
            time.sleep(sizes.warm_s)
            busy = loads.typical(
                sizes.slices, lambda: crowd.echo(sizes.echo_rate, sizes.load_s / 2, MESSAGE)
            )
            _still_running(process, "the download")
            process.wait()
    return {
        "calm_p99_ms": calm["p99_ms"],
        "busy_p99_ms": busy["p99_ms"],
        "busy_over_calm": busy["p99_ms"] / calm["p99_ms"],
        "busy_mb_per_s": got["mb_per_s"],
    }


def _still_running(process, what):
    if process.poll() is not None:
        raise Failed(f"{what} ended before the calls did")


def _long_line(bench, kind):
    """Measures on a long thin line. An emulator of that line stands between the two ends."""
    figures = {}
    for direction in ("down", "up"):
        with LongLine(bench) as line, kind(bench, bench.origins.app_port, line) as path:
            with loads.WebSockets(path.directory, path, 1) as crowd:
                calm = crowd.echo(CALLS_A_SECOND, bench.sizes.load_s, MESSAGE)
                busy, rate = _calls_behind(bench, path, crowd, direction)
        figures[f"line_{direction}_calm_ms"] = calm["p50_ms"]
        figures[f"line_{direction}_busy_ms"] = busy["max_ms"]
        figures[f"line_{direction}_mb_per_s"] = rate
        figures[f"line_{direction}_of_plain_tcp"] = rate / plain_rate(bench, direction)
    return figures


def _calls_behind(bench, path, crowd, direction):
    """Makes calls while one transfer runs. Returns (latencies of the calls, MB/s of the
    transfer)."""
    got = {}
    seconds = bench.sizes.line_mb * 8000 / bench.sizes.line_kbit
    target, options = transfer(bench, direction)
    with loads.bulk_meanwhile(path, target, got, transfers=1, time="120s", **options):
        busy = crowd.echo(CALLS_A_SECOND, seconds * 0.8, MESSAGE)
    return busy, got["mb_per_s"]


def transfer(bench, direction):
    size = bench.sizes.line_mb * 1000000
    return (
        ("/sink", {"upload": True, "size": size}) if direction == "up" else (f"/bytes/{size}", {})
    )


def plain_rate(bench, direction):
    """Returns the MB/s of the same transfer on one plain TCP connection over the same line.
    Measures it once, because the line is the limit."""
    if direction not in bench.plain_rates:
        target, options = transfer(bench, direction)
        with LongLine(bench) as line, Direct(bench, bench.origins.app_port, line) as path:
            bench.plain_rates[direction] = loads.bulk(
                path, target, transfers=1, time="120s", **options
            )["mb_per_s"]
    return bench.plain_rates[direction]


class LongLine(Loopback):
    """Is a long line for Path. In `with LongLine(bench) as line`, line(port) returns the port of a
    new emulator that leads to @port."""

    def __init__(self, bench):
        self.bench = bench
        self.lines = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for line in self.lines:
            line.close()

    def __call__(self, port):
        sizes = self.bench.sizes
        self.lines.append(
            Listener(
                self.bench.new_directory("wan"), "wan", port, sizes.line_rtt_ms, sizes.line_kbit
            )
        )
        return self.lines[-1].port
