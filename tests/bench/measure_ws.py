"""WebSockets: what one costs while it is idle, and whether it is still quick when the path is full."""

import time

from . import loads
from .held import Failed, Listener
from .loads import milliseconds
from .measure import LONG_BODY
from .meter import memory
from .paths import Direct

SETTLE_S = 0.5  # buffers are given back behind the handshakes
CALLS_A_SECOND = 5  # over the long line
MESSAGE = 100


def viewers(bench, kind):
    """Many WebSockets: memory of each end for an idle one, then echoes over all of them in turn. A path of one link has to
    hold the large crowd as well."""
    figures = _crowd(bench, kind, bench.sizes.viewers)
    if kind.one_link and kind.name != "ssh":
        many = _crowd(bench, kind, bench.sizes.crowd)
        figures.update({f"crowd_{key}": value for key, value in many.items()})
    return figures


def _crowd(bench, kind, count):
    with kind(bench, bench.origins.app_port) as path:
        loads.rate(path, "/octets/200", connections=8, rate=200, time=milliseconds(bench.sizes.warm_s))
        before = {end: memory(path.pids(end)) for end in path.ends}
        with loads.WebSockets(path.directory, path, count) as crowd:
            time.sleep(SETTLE_S)
            figures = {"opened": count, "open_per_s": count / max(crowd.open_s, 1e-3)}
            for end, (resident, proportional) in before.items():
                now = memory(path.pids(end))
                figures[f"{end}_rss_kib"] = (now[0] - resident) / count / 1024
                figures[f"{end}_pss_kib"] = (now[1] - proportional) / count / 1024
            crowd.echo(bench.sizes.echo_rate, bench.sizes.warm_s, MESSAGE)
            echo = crowd.echo(bench.sizes.echo_rate, bench.sizes.load_s, MESSAGE)
        return {**figures, "echo_p50_ms": echo["p50_ms"], "echo_p99_ms": echo["p99_ms"]}


def interactive(bench, kind):
    """Echoes while a download takes all that the path can carry, and on a long line behind a transfer each way."""
    return {**_saturated(bench, kind), **_long_line(bench, kind)}


def _saturated(bench, kind):
    sizes, got = bench.sizes, {}
    with kind(bench, bench.origins.app_port) as path, loads.WebSockets(path.directory, path, 4) as crowd:
        crowd.echo(sizes.echo_rate, sizes.warm_s, MESSAGE)
        calm = crowd.echo(sizes.echo_rate, sizes.load_s, MESSAGE)
        length = milliseconds(sizes.load_s + sizes.warm_s + 0.5)
        with loads.bulk_meanwhile(path, LONG_BODY, got, time=length) as process:
            time.sleep(sizes.warm_s)
            busy = crowd.echo(sizes.echo_rate, sizes.load_s, MESSAGE)
            _still_running(process, "the download")
            process.wait()
    return {"calm_p99_ms": calm["p99_ms"], "busy_p99_ms": busy["p99_ms"], "busy_over_calm": busy["p99_ms"] / calm["p99_ms"],
            "busy_mb_per_s": got["mb_per_s"]}


def _still_running(process, what):
    if process.poll() is not None:
        raise Failed(f"{what} was over before the calls were")


def _long_line(bench, kind):
    """The figures of a long thin line: its emulator is between the two ends, and stands for the network."""
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
    with loads.bulk_meanwhile(path, target, got, transfers=1, time="120s", **options) as process:
        busy = crowd.echo(CALLS_A_SECOND, seconds * 0.8, MESSAGE)
    return busy, got["mb_per_s"]


def transfer(bench, direction):
    octets = bench.sizes.line_mb * 1000000
    return ("/sink", {"upload": True, "size": octets}) if direction == "up" else (f"/octets/{octets}", {})


def plain_rate(bench, direction):
    """MB/s of the same transfer on one plain TCP connection over the same line: measured once, the line is the limit."""
    if direction not in bench.plain_rates:
        target, options = transfer(bench, direction)
        with LongLine(bench) as line, Direct(bench, bench.origins.app_port, line) as path:
            bench.plain_rates[direction] = loads.bulk(path, target, transfers=1, time="120s", **options)["mb_per_s"]
    return bench.plain_rates[direction]


class LongLine:
    """A factory of lines for Path: `with LongLine(bench) as line`, then line(port) is the port of a long line to @port."""

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
        self.lines.append(Listener(self.bench.new_directory("wan"), "wan", port, sizes.line_rtt_ms, sizes.line_kbit))
        return self.lines[-1].port
