# SPDX-License-Identifier: MIT
"""Lists the goals of the project, one per row: a text, the figure and its limit. Judges them
against the peers of the same run."""

import dataclasses
from collections.abc import Callable

# Memory is judged from this number of streams or tunnels on: it is allocated in pages and pools.
SCALE_LEAST = 100
FREE_CORES = 5  # for two workers, two load generators and the clients


@dataclasses.dataclass(frozen=True)
class Goal:
    text: str
    # Takes Results and returns the figure. Raises LookupError when an input was not measured.
    measured: Callable
    limit: float
    at_least: bool = False
    # On a machine with fewer cores the figure is reported and not judged.
    cores: int = 1

    def judge(self, results):
        """Returns (figure, "yes", "no" or why it was not judged), or None when it was not
        measured."""
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
    """Compares with the best of several peers. Fails with LookupError unless all were measured."""
    return lambda results: max(results.ratio(test, "oneport", metric, peer) for peer in peers)


def value(test, metric):
    return lambda results: results.median(test, "oneport", metric)


def late(direction):
    """Returns how many milliseconds a call behind a transfer takes above 1.3 round trips. A call
    without a transfer takes one round trip."""
    return lambda results: (
        results.median("interactive", "oneport", f"line_{direction}_busy_ms")
        - 1.3 * results.median("interactive", "oneport", f"line_{direction}_calm_ms")
    )


def highest(kind, metric):
    """Returns the most expensive point of a curve."""
    return lambda results: max(
        results.median("scale", "oneport", f"{kind}_{count}_{metric}")
        for count in results.settings["scale"]
    )


def spread(kind, metric, least):
    """Returns the most expensive point of a curve divided by the cheapest one, among those from
    @least on."""

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


def _page_figures(results, path, name):
    """Yields (figure of @path, that of one plain TCP connection) of each line of `pages`."""
    for metric in results.metrics("pages", path):
        if metric.endswith(f"_{name}"):
            yield tuple(results.median("pages", of, metric) for of in (path, "direct"))


def page(path, name):
    """Compares a body over each line with one plain TCP connection. The worst line counts."""
    return lambda results: max(
        results.ratio("pages", path, metric, "direct")
        for metric in results.metrics("pages", path)
        if metric.endswith(f"_{name}")
    )


def page_above(path, name, factor):
    """Returns how many ms a body takes above @factor times a plain connection's, at worst."""
    return lambda results: max(
        ours - factor * plain for ours, plain in _page_figures(results, path, name)
    )


def call_beside(path):
    """Compares small calls beside a download with those alone, at worst over all lines."""

    def measured(results):
        lines = [
            metric.removesuffix("call_alone_ms")
            for metric in results.metrics("pages", path)
            if metric.endswith("call_alone_ms")
        ]
        return max(
            results.median("pages", path, f"{line}call_beside_ms")
            / results.median("pages", path, f"{line}call_alone_ms")
            for line in lines
        )

    return measured


def page_goals(path):
    """Returns the goals of bodies of a page's size: of each kind over the worst line."""
    return (
        Goal(f"{path}: 1 MB down, of a plain connection's", page(path, "1mb_down_first_ms"), 1.1),
        Goal(f"{path}: 1 MB up, of a plain connection's", page(path, "1mb_up_first_ms"), 1.1),
        Goal(f"{path}: 5 MB down, of a plain connection's", page(path, "5mb_down_ms"), 1.15),
        Goal(
            f"{path}: 100 kB down, ms above 1.05 times", page_above(path, "100kb_down_ms", 1.05), 2
        ),
        Goal(
            f"{path}: 6 times 300 kB down, ms above 1.1 times",
            page_above(path, "6x300kb_down_ms", 1.1),
            3,
        ),
        Goal(f"{path}: a small call beside a download, of that alone", call_beside(path), 1.3),
    )


CHAINS = ("haproxy", "haproxy-tuned", "nghttpx")

GOALS = (
    Goal(
        "CPU per request, relative to HAProxy", ratio("requests", "cpu_s_per_10k", "haproxy"), 0.95
    ),
    Goal(
        "requests/s, relative to HAProxy",
        ratio("requests", "requests_per_s", "haproxy"),
        1.05,
        True,
    ),
    Goal("p99 at a fixed rate, relative to the best chain", best("latency", "p99_ms", *CHAINS), 1),
    Goal(
        "MB/s down, relative to the tuned HAProxy",
        ratio("bulk", "down_mb_per_s", "haproxy-tuned"),
        1.1,
        True,
    ),
    Goal(
        "MB/s up, relative to the tuned HAProxy",
        ratio("bulk", "up_mb_per_s", "haproxy-tuned"),
        1.1,
        True,
    ),
    Goal(
        "CPU per GB down, relative to the tuned HAProxy",
        ratio("bulk", "down_cpu_s_per_gb", "haproxy-tuned"),
        0.8,
    ),
    Goal(
        "CPU per GB up, relative to the tuned HAProxy",
        ratio("bulk", "up_cpu_s_per_gb", "haproxy-tuned"),
        0.8,
    ),
    Goal(
        "KiB of oneportd per idle WebSocket, in the crowd",
        value("viewers", "crowd_server_rss_kib"),
        4,
    ),
    Goal(
        "KiB of oneport per idle WebSocket, in the crowd",
        value("viewers", "crowd_client_rss_kib"),
        4,
    ),
    Goal("WebSockets through one link that echo", value("viewers", "crowd_echoed"), 10000, True),
    Goal(
        "connections between the ends for all WebSockets",
        value("viewers", "crowd_connections_between"),
        1,
    ),
    Goal(
        "descriptors of oneportd per WebSocket",
        value("viewers", "crowd_server_descriptors"),
        1.001,
    ),
    Goal(
        "descriptors of oneport per WebSocket",
        value("viewers", "crowd_client_descriptors"),
        1.001,
    ),
    Goal("echo p99, relative to HAProxy", ratio("viewers", "echo_p99_ms", "haproxy"), 1),
    Goal("KiB of oneportd per idle link", value("tunnels", "link_rss_kib"), 40),
    Goal(
        "attaches per CPU second, full handshakes", value("tunnels", "attach_per_cpu_s"), 1000, True
    ),
    Goal("CPU with all links idle, percent", value("tunnels", "idle_cpu_percent"), 1),
    Goal("echo p99 beside a download, ms", value("interactive", "busy_p99_ms"), 3),
    Goal(
        "echo p99 beside a download, relative to no load", value("interactive", "busy_over_calm"), 5
    ),
    Goal("long line: ms above 1.3 round trips behind a download", late("down"), 50),
    Goal("long line: ms above 1.3 round trips behind an upload", late("up"), 50),
    Goal(
        "long line: download, relative to plain TCP",
        value("interactive", "line_down_of_plain_tcp"),
        0.9,
        True,
    ),
    Goal(
        "long line: upload, relative to plain TCP",
        value("interactive", "line_up_of_plain_tcp"),
        0.9,
        True,
    ),
    Goal("20 downloads: largest share over smallest", value("fair", "max_over_min"), 1.3),
    *(
        Goal(f"1 {what} beside 100 of another viewer: {bound}", value("fair", key), *goal)
        for what, key in (("download", "one_down"), ("upload", "one_up"))
        for bound, *goal in (("at least", 0.8, True), ("at most", 1.25))
    ),
    Goal(
        "rate of 20 downloads beside a stalled one, relative to without it",
        value("fair", "beside_stalled"),
        0.95,
        True,
    ),
    Goal(
        "CPU per request beside open streams, at worst, relative to none open",
        highest("streams", "over_alone"),
        1.3,
    ),
    Goal(
        "CPU per request over many tunnels, at worst, relative to one",
        highest("tunnels", "over_alone"),
        1.3,
    ),
    Goal(
        f"KiB per stream, largest over smallest from {SCALE_LEAST} streams on",
        spread("streams", "kib", SCALE_LEAST),
        1.3,
    ),
    Goal(
        f"KiB per tunnel, largest over smallest from {SCALE_LEAST} tunnels on",
        spread("tunnels", "kib", SCALE_LEAST),
        1.3,
    ),
    Goal(
        "requests/s of 2 workers, relative to 1",
        value("cores", "rate_2_over_1"),
        1.6,
        True,
        FREE_CORES,
    ),
    Goal(
        "CPU per request of 2 workers at full load, relative to 1",
        value("cores", "full_cpu_2_over_1"),
        1.03,
        cores=FREE_CORES,
    ),
    Goal(
        "CPU per request of 2 workers at a fixed rate, relative to 1",
        value("cores", "calm_cpu_2_over_1"),
        1.03,
    ),
    Goal(
        "CPU per request with 1 of 2 workers busy, relative to 1",
        value("cores", "full_cpu_one_of_2_over_1"),
        1.03,
    ),
    Goal(
        "share of CPU for hand-overs, one in 100 requests",
        value("cores", "full_seldom_handoff_share"),
        0.03,
    ),
    Goal(
        "links of two workers, larger share over smaller", value("cores", "links_max_over_min"), 1.3
    ),
    Goal(
        "requests/s over HTTP/2, relative to HAProxy",
        ratio("requests_h2", "requests_per_s", "haproxy-h2"),
        1.1,
        True,
    ),
    Goal(
        "CPU per request over HTTP/2, relative to HAProxy",
        ratio("requests_h2", "cpu_s_per_10k", "haproxy-h2"),
        0.9,
    ),
    Goal(
        "a page of 100 files over HTTP/2, relative to nginx in front",
        ratio("page_files", "h2_cold_ms", "oneport-nginx-h2"),
        1.1,
    ),
    *page_goals("oneport"),
    *page_goals("oneport-nginx"),
)
