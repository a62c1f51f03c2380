# SPDX-License-Identifier: MIT
"""What the project has set itself, as rows: a sentence, the figure, and the limit. Judged against
the same run's peers."""

import dataclasses
from collections.abc import Callable

SCALE_LEAST = 100  # streams or tunnels from which on memory is judged: it comes in pages and pools
FREE_CORES = 5  # two workers, two load generators and the clients


@dataclasses.dataclass(frozen=True)
class Goal:
    text: str
    # of Results: the figure; raises LookupError when something it needs was not measured
    measured: Callable
    limit: float
    at_least: bool = False
    cores: int = (
        1  # a machine with fewer says nothing about it: the figure is reported, and not judged
    )

    def judge(self, results):
        """(figure, "yes" or "no" or why not judged), or None when it was not measured."""
        try:
            value = self.measured(results)
        except (LookupError, ZeroDivisionError):
            return None
        if results.settings["cores"] < self.cores:
            return value, f"needs {self.cores} cores"
        return (
            value,
            "yes" if (value >= self.limit if self.at_least else value <= self.limit) else "no",
        )


def ratio(test, metric, peer):
    return lambda results: results.ratio(test, "oneport", metric, peer)


def best(test, metric, *peers):
    """Against the best of several: all of them have to be there."""
    return lambda results: max(results.ratio(test, "oneport", metric, peer) for peer in peers)


def value(test, metric):
    return lambda results: results.median(test, "oneport", metric)


def late(direction):
    """How far a call behind a transfer is above 1.3 round trips, in milliseconds; the unloaded call
    is the round trip."""
    return lambda results: (
        results.median("interactive", "oneport", f"line_{direction}_busy_ms")
        - 1.3 * results.median("interactive", "oneport", f"line_{direction}_calm_ms")
    )


def highest(kind, metric):
    """The dearest point of a curve."""
    return lambda results: max(
        results.median("scale", "oneport", f"{kind}_{count}_{metric}")
        for count in results.settings["scale"]
    )


def spread(kind, metric, least):
    """The dearest point of a curve over the cheapest, of those from @least on."""

    def measured(results):
        points = [
            results.median("scale", "oneport", f"{kind}_{count}_{metric}")
            for count in results.settings["scale"]
            if count >= least
        ]
        if not points:
            raise LookupError(kind)
        return max(points) / min(points)

    return measured


CHAINS = ("haproxy", "haproxy-tuned", "nghttpx")

GOALS = (
    Goal("CPU a request, of HAProxy's", ratio("requests", "cpu_s_per_10k", "haproxy"), 0.95),
    Goal("requests/s, of HAProxy's", ratio("requests", "requests_per_s", "haproxy"), 1.05, True),
    Goal("p99 at a fixed rate, of the best chain's", best("latency", "p99_ms", *CHAINS), 1),
    Goal(
        "MB/s down, of the tuned HAProxy's",
        ratio("bulk", "down_mb_per_s", "haproxy-tuned"),
        1.1,
        True,
    ),
    Goal(
        "MB/s up, of the tuned HAProxy's", ratio("bulk", "up_mb_per_s", "haproxy-tuned"), 1.1, True
    ),
    Goal(
        "CPU a GB down, of the tuned HAProxy's",
        ratio("bulk", "down_cpu_s_per_gb", "haproxy-tuned"),
        0.8,
    ),
    Goal(
        "CPU a GB up, of the tuned HAProxy's",
        ratio("bulk", "up_cpu_s_per_gb", "haproxy-tuned"),
        0.8,
    ),
    Goal(
        "KiB of oneportd for an idle WebSocket, the crowd",
        value("viewers", "crowd_server_rss_kib"),
        4,
    ),
    Goal(
        "KiB of oneport for an idle WebSocket, the crowd",
        value("viewers", "crowd_client_rss_kib"),
        4,
    ),
    Goal("WebSockets through one link that echo", value("viewers", "crowd_echoed"), 10000, True),
    Goal(
        "connections between the ends for all of them",
        value("viewers", "crowd_connections_between"),
        1,
    ),
    Goal(
        "descriptors of oneportd for a WebSocket",
        value("viewers", "crowd_server_descriptors"),
        1.001,
    ),
    Goal(
        "descriptors of oneport for a WebSocket",
        value("viewers", "crowd_client_descriptors"),
        1.001,
    ),
    Goal("echo p99, of HAProxy's", ratio("viewers", "echo_p99_ms", "haproxy"), 1),
    Goal("KiB of oneportd for an idle link", value("tunnels", "link_rss_kib"), 40),
    Goal(
        "attaches a CPU second, full handshakes", value("tunnels", "attach_per_cpu_s"), 1000, True
    ),
    Goal("idle CPU with all links, percent", value("tunnels", "idle_cpu_percent"), 1),
    Goal("echo p99 beside a download, ms", value("interactive", "busy_p99_ms"), 3),
    Goal(
        "echo p99 beside a download, of the unloaded one", value("interactive", "busy_over_calm"), 5
    ),
    Goal("long line: ms above 1.3 round trips behind a download", late("down"), 50),
    Goal("long line: ms above 1.3 round trips behind an upload", late("up"), 50),
    Goal(
        "long line: download, of one plain TCP connection",
        value("interactive", "line_down_of_plain_tcp"),
        0.9,
        True,
    ),
    Goal(
        "long line: upload, of one plain TCP connection",
        value("interactive", "line_up_of_plain_tcp"),
        0.9,
        True,
    ),
    Goal("20 downloads: largest share over smallest", value("fair", "max_over_min"), 1.3),
    Goal(
        "20 downloads beside a stalled one, of those without",
        value("fair", "beside_stalled"),
        0.95,
        True,
    ),
    Goal(
        "CPU a request beside any number of streams, of that alone",
        highest("streams", "over_alone"),
        1.3,
    ),
    Goal(
        "CPU a request over any number of tunnels, of that over one",
        highest("tunnels", "over_alone"),
        1.3,
    ),
    Goal(
        f"KiB a stream, dearest over cheapest number from {SCALE_LEAST} on",
        spread("streams", "kib", SCALE_LEAST),
        1.3,
    ),
    Goal(
        f"KiB a tunnel, dearest over cheapest number from {SCALE_LEAST} on",
        spread("tunnels", "kib", SCALE_LEAST),
        1.3,
    ),
    Goal(
        "requests/s of 2 workers, of 1 worker's",
        value("cores", "rate_2_over_1"),
        1.6,
        True,
        FREE_CORES,
    ),
    Goal(
        "CPU a request of 2 workers at full load, of 1 worker's",
        value("cores", "full_cpu_2_over_1"),
        1.03,
        cores=FREE_CORES,
    ),
    Goal(
        "CPU a request of 2 workers at a fixed rate, of 1 worker's",
        value("cores", "calm_cpu_2_over_1"),
        1.03,
    ),
    Goal(
        "CPU a request with 1 of 2 workers busy, of 1 worker's",
        value("cores", "full_cpu_one_of_2_over_1"),
        1.03,
    ),
    Goal(
        "CPU of hand-overs, one in 100 requests, of all",
        value("cores", "full_seldom_handoff_share"),
        0.03,
    ),
    Goal(
        "links of two workers, larger share over smaller", value("cores", "links_max_over_min"), 1.3
    ),
)
