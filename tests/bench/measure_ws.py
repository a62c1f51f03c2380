# SPDX-License-Identifier: MIT
"""WebSockets: what one costs while it is idle, and whether it is still quick when the path is
full."""

import time

from . import loads
from .held import Failed, Listener
from .loads import milliseconds
from .measure import LONG_BODY
from .meter import descriptors, memory
from .paths import Direct

SETTLE_S = 0.5  # buffers are given back behind the handshakes
CALLS_A_SECOND = 5  # over the long line
MESSAGE = 100


def viewers(bench, kind):
    """Many WebSockets: memory and descriptors of each end for an idle one, then echoes over all of
    them in turn. Then the large crowd, and how many of it the path can hold: what opened and
    echoed, up to the crowd's size."""
    sizes = bench.sizes
    least = (
        sizes.viewers if kind.one_link else 1
    )  # it has to hold that many; what another holds is a figure
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
            path, "/octets/200", connections=8, rate=200, time=milliseconds(bench.sizes.warm_s)
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
    """Echoes while a download takes all that the path can carry, and on a long line behind a
    transfer each way."""
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
        raise Failed(f"{what} was over before the calls were")


def _long_line(bench, kind):
    """The figures of a long thin line: its emulator is between the two ends, and stands for the
    network."""
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
    """(latencies of calls that are made while one transfer runs, its MB/s)"""
    got = {}
    seconds = bench.sizes.line_mb * 8000 / bench.sizes.line_kbit
    target, options = transfer(bench, direction)
    with loads.bulk_meanwhile(path, target, got, transfers=1, time="120s", **options):
        busy = crowd.echo(CALLS_A_SECOND, seconds * 0.8, MESSAGE)
    return busy, got["mb_per_s"]


def transfer(bench, direction):
    octets = bench.sizes.line_mb * 1000000
    return (
        ("/sink", {"upload": True, "size": octets})
        if direction == "up"
        else (f"/octets/{octets}", {})
    )


def plain_rate(bench, direction):
    """MB/s of the same transfer on one plain TCP connection over the same line: measured once, the
    line is the limit."""
    if direction not in bench.plain_rates:
        target, options = transfer(bench, direction)
        with LongLine(bench) as line, Direct(bench, bench.origins.app_port, line) as path:
            bench.plain_rates[direction] = loads.bulk(
                path, target, transfers=1, time="120s", **options
            )["mb_per_s"]
    return bench.plain_rates[direction]


class LongLine:
    """A factory of lines for Path: `with LongLine(bench) as line`, then line(port) is the port of a
    long line to @port."""

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
