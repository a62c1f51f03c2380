# SPDX-License-Identifier: MIT
"""What grows with the number of links and streams, and what must not. Only oneport has links: the
peers have nothing to compare."""

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
    """oneportd alone, with @count links of clients that are not ours. A path as far as loads are
    concerned."""

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
        """Attaches all: {"attached", "seconds", "resumed"} with the server's "cpu_s"."""
        with Used(self.pids) as used:
            answer = self._whole(self.links.ask("attach", ATTACH_S))
        return {**answer, "cpu_s": max(used.cpu_s, 0.01)}

    def drop(self):
        self.links.ask("drop")


def tunnels(bench, kind):
    """Idle links: memory and CPU of each, and how fast they attach, with full TLS handshakes and
    with resumed ones."""
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
    """CPU a request and memory a stream beside 1 to 10,000 open streams of one link; CPU a request
    and memory a tunnel over 1 to 10,000 tunnels. `over_alone` is against a second server, without
    streams or with one tunnel, that has the same load in turn: the machine's moods meet both."""
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
    """CPU seconds per 10,000 requests at a fixed rate."""

    def __init__(self, path, pids, **options):
        self.path, self.pids, self.options = path, pids, options
        self.slices = []  # (requests, CPU seconds)

    def go(self, bench, seconds):
        rate = min(SCALE_RATE, bench.sizes.latency_rate)
        with Used(self.pids) as used:
            got = loads.rate(
                self.path,
                "/octets/200",
                connections=32,
                rate=rate,
                time=milliseconds(seconds),
                **self.options,
            )
        self.slices.append((got["ok"], used.cpu_s))

    def of_10k(self, last):
        """Over the @last slices."""
        return (
            sum(cpu_s for _, cpu_s in self.slices[-last:])
            / sum(requests for requests, _ in self.slices[-last:])
            * 1e4
        )
