# SPDX-License-Identifier: MIT
"""Tests two workers: how much faster they are than one, and what it costs when a viewer's
connection is handed over from one to the other."""

import http.client
import json
import re

from . import loads
from .held import Failed
from .loads import milliseconds
from .measure_scale import Fleet
from .meter import Used

CONNECTIONS = 64
SELDOM = 100  # requests between two moves of a connection that is used for more than one tunnel
STAY, MOVE = 1000000000, 1  # requests until a viewer switches to its other tunnel
# (workers, what viewers do): `one` is `stay` with tunnels of the first worker only, so that the
# second worker is idle.
RUNS = ((1, "stay"), (1, "move"), (2, "stay"), (2, "move"), (2, "one"))


def cores(bench, kind):
    """Measures requests/s and CPU per request over many tunnels with one link each, on one worker
    and on two. Viewers either keep to one tunnel, or ask for a tunnel of the other worker with
    every request. One worker gets both loads as well; what two workers cost beyond that is the
    hand-over."""
    count = bench.sizes.links
    with Fleet(bench, count, workers=1) as one, Fleet(bench, count, workers=2) as two:
        for fleet in (one, two):
            fleet.attach()
        homes = _homes(two, count)
        orders = {
            "stay": (_pairs(homes), STAY),
            "move": (_pairs(homes), MOVE),
            "one": (homes[0], STAY),
        }
        runs = {
            load: {
                (workers, way): load(bench, (one, two)[workers - 1], *orders[way])
                for workers, way in RUNS
            }
            for load in (Full, Calm)
        }
        slices = bench.sizes.slices
        for seconds in (bench.sizes.warm_s / slices, *[bench.sizes.load_s / slices] * slices):
            for run in (run for load in runs.values() for run in load.values()):
                run.go(seconds)
    figures = {"rate_2_over_1": runs[Full][2, "stay"].speed / runs[Full][1, "stay"].speed}
    figures.update(
        {f"workers_{workers}_{way}_per_s": run.speed for (workers, way), run in runs[Full].items()}
    )
    figures.update({name: value for load in runs.values() for name, value in _costs(load)})
    return {
        **figures,
        "links": count,
        "links_max_over_min": max(map(len, homes)) / min(map(len, homes)),
    }


def _homes(fleet, count):
    """Returns the numbers of the tunnels of each worker, read from the server's log."""
    homes = ([], [])
    for number, worker in re.findall(
        r"link_up.* name=bench-(\d+) .*worker=(\d+)", fleet.server.log
    ):
        homes[int(worker)].append(int(number))
    if sum(map(len, homes)) != count or not all(homes):
        raise Failed(f"{list(map(len, homes))} of {count} links are on the two workers")
    return homes


def _pairs(homes):
    """Returns the tunnels in pairs, one of either worker, for one viewer each. A viewer that stays
    uses the first of its pair; the first is of either worker in turn."""
    return [
        number
        for place, pair in enumerate(zip(*homes))
        for number in (pair if place % 2 else reversed(pair))
    ]


class Run:
    """Puts one load on one server, in slices. The first slice warms up and does not count."""

    def __init__(self, bench, fleet, order, every):
        self.bench, self.fleet = bench, fleet
        self.options = {"order": ",".join(map(str, order)), "every": every, "check": True}
        self.slices = []  # (requests, seconds, CPU seconds, hand-overs)

    def go(self, seconds):
        before = self._handoffs()
        with Used(self.fleet.pids) as used:
            requests, seconds = self.load(seconds)
        self.slices.append((requests, seconds, used.cpu_s, self._handoffs() - before))

    def load(self, seconds):
        """Puts the load on. Returns (requests, seconds that they took)."""
        raise NotImplementedError

    def _handoffs(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.fleet.port, timeout=10)
        connection.request(
            "GET", "/api/status", headers={"Host": "localhost", "Connection": "close"}
        )
        return json.loads(connection.getresponse().read())["handoffs"]

    def _total(self, column):
        return sum(one[column] for one in self.slices[1:])

    @property
    def speed(self):
        return self._total(0) / self._total(1)

    @property
    def cost_us(self):
        """The CPU time of one request, in microseconds."""
        return self._total(2) / self._total(0) * 1e6

    @property
    def handoffs(self):
        """The number of hand-overs per request."""
        return self._total(3) / self._total(0)


class Full(Run):
    """Sends as many requests as are answered. Two generators do so, so that neither is the limit
    where there are cores for them."""

    name = "full"

    def load(self, seconds):
        got = loads.several(
            2,
            "bulk",
            self.fleet,
            "/",
            time=milliseconds(seconds),
            connections=CONNECTIONS // 2,
            **self.options,
        )
        return sum(one["transfers"] for one in got), max(one["seconds"] for one in got)


class Calm(Run):
    """Sends requests at a rate that leaves cores idle: workers sleep between requests and have to
    be woken."""

    name = "calm"

    def load(self, seconds):
        got = loads.rate(
            self.fleet,
            "/",
            time=milliseconds(seconds),
            connections=CONNECTIONS,
            rate=self.bench.sizes.calm_rate,
            **self.options,
        )
        return got["ok"], seconds


def _costs(runs):
    """Yields (name, value) of the CPU figures of one load."""
    name = runs[1, "stay"].name
    cost = {key: run.cost_us for key, run in runs.items()}
    for (workers, way), value in cost.items():
        yield f"{name}_{workers}_{way}_cpu_s_per_10k", value / 100
    yield f"{name}_cpu_2_over_1", cost[2, "stay"] / cost[1, "stay"]
    yield f"{name}_cpu_one_of_2_over_1", cost[2, "one"] / cost[1, "stay"]
    for way in ("stay", "move"):
        yield f"{name}_{way}_handoffs", runs[2, way].handoffs
    # Switching between two tunnels has a cost of its own, even on one worker: it is subtracted.
    more = cost[2, "move"] - cost[2, "stay"] - (cost[1, "move"] - cost[1, "stay"])
    handoff_us = more / (runs[2, "move"].handoffs - runs[2, "stay"].handoffs)
    yield f"{name}_handoff_cpu_us", handoff_us
    yield f"{name}_seldom_handoff_share", handoff_us / SELDOM / cost[2, "stay"]
