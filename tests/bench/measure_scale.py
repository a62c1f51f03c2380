# SPDX-License-Identifier: MIT
"""Tests what grows with the number of links and streams, and what must not. Only oneport is tested,
as no peer has links."""

import contextlib
import time

from . import loads
from .held import Failed, Held
from .loads import milliseconds
from .measure_ws import SETTLE_S
from .meter import Used, memory
from .paths import Oneport, new_server

SCALE_RATE = 2000  # requests a second, well below full load
ATTACH_S = 120


class Fleet:
    """Runs oneportd with @count links of a client program of the benchmark. Loads use it as a
    path."""

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
            self.links = self.stack.enter_context(
                Held(
                    self.directory,
                    "links",
                    "--port",
                    self.port,
                    "--ca",
                    self.server.certificate.ca,
                    "--count",
                    self.count,
                )
            )
            self.registered = self._whole(self.links.answer(ATTACH_S))
            guard.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _whole(self, answer):
        if answer["failed"]:
            raise Failed(
                f"{answer['failed']} of {self.count} links failed: {self.links.complaint()}"
            )
        return answer

    def attach(self):
        """Attaches all links. Returns {"attached", "seconds", "resumed"} and the server's
        "cpu_s"."""
        with Used(self.pids) as used:
            answer = self._whole(self.links.ask("attach", ATTACH_S))
        return {**answer, "cpu_s": max(used.cpu_s, 0.01)}

    def drop(self):
        self.links.ask("drop")


def tunnels(bench, kind):
    """Measures memory and CPU of idle links, and how fast links attach with full and with resumed
    TLS handshakes."""
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
    return {
        "links": count,
        "link_rss_kib": (now[0] - fleet.empty[0]) / count / 1024,
        "link_pss_kib": (now[1] - fleet.empty[1]) / count / 1024,
        "register_per_s": count / max(fleet.registered["seconds"], 1e-3),
        "attach_per_s": count / max(first["seconds"], 1e-3),
        "attach_per_cpu_s": count / first["cpu_s"],
        "attach_resumed_per_cpu_s": count / again["cpu_s"],
        "resumed_share": again["resumed"] / count,
        "idle_cpu_percent": 100 * idle.cpu_s / bench.sizes.idle_s,
    }


def scale(bench, kind):
    """Measures CPU per request and memory per stream beside 1 to 10,000 open streams of one link,
    and the same per tunnel over 1 to 10,000 tunnels. `over_alone` compares with a second server
    that has no streams, or one tunnel. Both get the same load in turn, so that a disturbance of the
    machine affects both."""
    figures = {}
    with Oneport(bench, bench.origins.app_port) as path, Fleet(bench, 1) as fleet:
        fleet.attach()
        for count in bench.sizes.scale:
            for name, measured in (
                ("streams", _beside_streams(bench, count, Cost(path, path.pids()))),
                (
                    "tunnels",
                    _over_tunnels(bench, count, Cost(fleet, fleet.pids, hosts=1, check=True)),
                ),
            ):
                figures.update({f"{name}_{count}_{key}": value for key, value in measured.items()})
    return figures


def _beside_streams(bench, count, alone):
    with Oneport(bench, bench.origins.app_port) as path:
        cost = Cost(path, path.pids())
        cost.go(bench, bench.sizes.warm_s)
        before = memory(path.pids())
        with loads.WebSockets(path.directory, path, count):
            time.sleep(SETTLE_S)
            kib = (memory(path.pids())[0] - before[0]) / count / 1024
            return {**_in_turn(bench, cost, alone), "kib": kib}


def _over_tunnels(bench, count, alone):
    with Fleet(bench, count) as fleet:
        fleet.attach()
        time.sleep(SETTLE_S)
        kib = (memory(fleet.pids)[0] - fleet.empty[0]) / count / 1024
        return {
            **_in_turn(bench, Cost(fleet, fleet.pids, hosts=count, check=True), alone),
            "kib": kib,
        }


def _in_turn(bench, cost, alone):
    slices = bench.sizes.slices
    for seconds in (bench.sizes.warm_s / slices, *[bench.sizes.scale_s / slices] * slices):
        cost.go(bench, seconds)
        alone.go(bench, seconds)
    return {
        "cpu_s_per_10k": cost.of_10k(slices),
        "over_alone": cost.of_10k(slices) / alone.of_10k(slices),
    }


class Cost:
    """Measures the CPU seconds per 10,000 requests of a path at a fixed rate."""

    def __init__(self, path, pids, **options):
        self.path, self.pids, self.options = path, pids, options
        self.slices = []  # (requests, CPU seconds)

    def go(self, bench, seconds):
        rate = min(SCALE_RATE, bench.sizes.latency_rate)
        with Used(self.pids) as used:
            got = loads.rate(
                self.path,
                "/bytes/200",
                connections=32,
                rate=rate,
                time=milliseconds(seconds),
                **self.options,
            )
        self.slices.append((got["ok"], used.cpu_s))

    def of_10k(self, last):
        """Returns the cost over the @last slices."""
        return (
            sum(cpu_s for _, cpu_s in self.slices[-last:])
            / sum(requests for requests, _ in self.slices[-last:])
            * 1e4
        )
