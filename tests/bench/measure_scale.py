"""What grows with the number of links and streams, and what must not. Only oneport has links: the peers have nothing to compare."""

import contextlib
import time

from . import loads
from .held import Failed, Held
from .loads import milliseconds
from .measure_ws import SETTLE_S
from .meter import Used, memory
from .paths import Oneport, new_server

SCALE_RATE = 2000  # requests a second: what is left over pays for nothing
ATTACH_S = 120


class Fleet:
    """oneportd alone, with @count links of clients that are not ours. A path as far as loads are concerned."""

    def __init__(self, bench, count, workers=None):
        self.bench, self.count, self.workers = bench, count, workers or bench.workers
        self.directory = bench.new_directory("fleet")
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as guard:
            guard.callback(self.stack.close)
            self.server = new_server(self.bench, self.directory, self.workers)
            self.stack.callback(self.server.stop)
            self.pids = [self.server.program.pid]
            self.empty = memory(self.pids)
            self.port = self.server.port
            self.host = f"bench-%.localhost:{self.port}"
            self.links = self.stack.enter_context(Held(self.directory, "links", "--port", self.port, "--ca", self.server.certificate.ca,
                                                       "--count", self.count))
            self.registered = self._whole(self.links.answer(ATTACH_S))
            guard.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _whole(self, answer):
        if answer["failed"]:
            raise Failed(f"{answer['failed']} of {self.count} links failed: {self.links.complaint()}")
        return answer

    def attach(self):
        """Attaches all: {"attached", "seconds", "resumed"} with the server's "cpu_s"."""
        with Used(self.pids) as used:
            answer = self._whole(self.links.ask("attach", ATTACH_S))
        return {**answer, "cpu_s": max(used.cpu_s, 0.01)}

    def drop(self):
        self.links.ask("drop")


def tunnels(bench, kind):
    """Idle links: memory and CPU of each, and how fast they attach, with full TLS handshakes and with resumed ones."""
    count = bench.sizes.tunnels
    with Fleet(bench, count) as fleet:
        first = fleet.attach()
        time.sleep(SETTLE_S)
        now = memory(fleet.pids)
        with Used(fleet.pids) as idle:
            time.sleep(bench.sizes.idle_s)
        fleet.drop()
        time.sleep(SETTLE_S)
        again = fleet.attach()
    return {"links": count, "link_rss_kib": (now[0] - fleet.empty[0]) / count / 1024, "link_pss_kib": (now[1] - fleet.empty[1]) / count / 1024,
            "register_per_s": count / max(fleet.registered["seconds"], 1e-3), "attach_per_s": count / max(first["seconds"], 1e-3),
            "attach_per_cpu_s": count / first["cpu_s"], "attach_resumed_per_cpu_s": count / again["cpu_s"],
            "resumed_share": again["resumed"] / count, "idle_cpu_percent": 100 * idle.cpu_s / bench.sizes.idle_s}


def scale(bench, kind):
    """CPU a request and memory a stream beside 1 to 10,000 open streams of one link; CPU a request over 1 to 10,000 tunnels."""
    figures = {}
    for count in bench.sizes.scale:
        cpu, kib = _beside_streams(bench, count)
        figures[f"streams_{count}_cpu_s_per_10k"] = cpu
        figures[f"streams_{count}_kib"] = kib
        figures[f"tunnels_{count}_cpu_s_per_10k"] = _over_tunnels(bench, count)
    return figures


def _beside_streams(bench, count):
    with Oneport(bench, bench.origins.app_port) as path:
        _cost(bench, path, path.pids(), bench.sizes.warm_s)
        before = memory(path.pids())
        with loads.WebSockets(path.directory, path, count):
            time.sleep(SETTLE_S)
            kib = (memory(path.pids())[0] - before[0]) / count / 1024
            return _cost(bench, path, path.pids(), bench.sizes.scale_s), kib


def _over_tunnels(bench, count):
    with Fleet(bench, count) as fleet:
        fleet.attach()
        _cost(bench, fleet, fleet.pids, bench.sizes.warm_s, hosts=count, check=True)
        return _cost(bench, fleet, fleet.pids, bench.sizes.scale_s, hosts=count, check=True)


def _cost(bench, path, pids, seconds, **options):
    """CPU seconds per 10,000 requests at a fixed rate."""
    rate = min(SCALE_RATE, bench.sizes.latency_rate)
    with Used(pids) as used:
        got = loads.rate(path, "/octets/200", connections=32, rate=rate, time=milliseconds(seconds), **options)
    return used.cpu_s / got["ok"] * 1e4
