# SPDX-License-Identifier: MIT
"""Writes the report of a run: medians over rounds, ratios within a round, tables in Markdown,
results.json and charts."""

import json
import shutil
import statistics

from . import svg
from .goals import FREE_CORES, GOALS, SCALE_LEAST

REFERENCES = ("haproxy", "haproxy-tuned")

# (test, figure, title) of the columns: MAIN is the first table, MORE the second.
MAIN = (
    ("requests", "requests_per_s", "requests/s"),
    ("requests", "cpu_s_per_10k", "CPU-s per 10k requests"),
    ("latency", "p99_ms", "p99 ms at {latency_rate:,}/s"),
    ("bulk", "down_mb_per_s", "MB/s"),
    ("bulk", "down_cpu_s_per_gb", "CPU-s per GB"),
    ("viewers", "server_rss_kib", "KiB per WebSocket, server"),
)
MOST = ("viewers", "most", "most WebSockets")
MORE = (
    ("bulk", "up_mb_per_s", "MB/s up"),
    ("bulk", "up_cpu_s_per_gb", "CPU-s per GB up"),
    ("viewers", "client_rss_kib", "KiB per WebSocket, client"),
    ("viewers", "crowd_server_descriptors", "descriptors per WebSocket, server"),
    ("viewers", "echo_p99_ms", "echo p99 ms"),
    ("interactive", "busy_p99_ms", "echo p99 ms beside a download"),
    ("fair", "max_over_min", "max/min of 20 downloads"),
    ("fair", "one_down", "of its half, 1 download beside 100 of another viewer"),
    ("fair", "one_up", "of its half, 1 upload beside 100"),
)


class Results:
    """Holds all figures measured so far: test -> path -> a list of {figure: value}, one per
    round."""

    def __init__(self, settings):
        self.settings = settings
        self.rounds = {}
        self.remarks = []  # {"test", "path", "round", "what", "why"} of what was skipped or failed

    def add(self, test, path, number, figures):
        self.rounds.setdefault(test, {}).setdefault(path, []).append({"round": number, **figures})

    def remark(self, test, path, number, what, why):
        self.remarks.append(
            {"test": test, "path": path, "round": number, "what": what, "why": str(why)}
        )

    @property
    def failed(self):
        return [remark for remark in self.remarks if remark["what"] == "failed"]

    def paths(self, test):
        return self.rounds.get(test, {})

    def metrics(self, test, path):
        """Returns the names of the figures that every round has."""
        rounds = self.rounds[test][path]
        return [
            name
            for name in rounds[0]
            if name != "round" and all(name in figures for figures in rounds)
        ]

    def median(self, test, path, metric):
        """Returns the median over the rounds. Raises LookupError when the figure was not
        measured."""
        return statistics.median(figures[metric] for figures in self.rounds[test][path])

    def ratio(self, test, path, metric, reference):
        """Returns the median of the ratios of rounds that ran side by side, so that a disturbance
        of the machine affects both values. Raises LookupError if there are none."""
        theirs = {figures["round"]: figures[metric] for figures in self.rounds[test][reference]}
        ratios = [
            mine[metric] / theirs[mine["round"]]
            for mine in self.rounds[test][path]
            if theirs.get(mine["round"])
        ]
        if not ratios:
            raise LookupError(metric)
        return statistics.median(ratios)

    def as_json(self):
        medians = {
            test: {
                path: {
                    metric: self.median(test, path, metric) for metric in self.metrics(test, path)
                }
                for path in paths
            }
            for test, paths in self.rounds.items()
        }
        return {
            "settings": self.settings,
            "medians": medians,
            "rounds": self.rounds,
            "remarks": self.remarks,
        }


def _table(head, rows):
    return "\n".join(
        [
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows),
        ]
    )


def _cells(columns, figure, say=svg.number):
    """Returns the cells of one row, with a dash where there is no figure."""
    cells = []
    for test, metric, _ in columns:
        try:
            cells.append(say(figure(test, metric)))
        except LookupError:
            cells.append("–")
    return cells


def _measured(results, columns):
    """Returns the columns that some path has a figure for."""
    return [
        column
        for column in columns
        if any(column[1] in results.metrics(column[0], path) for path in results.paths(column[0]))
    ]


def _titles(results, columns):
    return [title.format(**results.settings) for _, _, title in columns]


def _path_table(results, paths, head, columns, figure, more=(), more_cells=lambda path: []):
    """Returns a table with one row per path. figure(path, test, metric) returns a cell's value."""
    if not (columns := _measured(results, columns)):
        return ""
    rows = [
        [
            path,
            *_cells(columns, lambda test, metric, path=path: figure(path, test, metric)),
            *more_cells(path),
        ]
        for path in paths
    ]
    return _table([head, *_titles(results, columns), *_titles(results, more)], rows)


def main_table(results, paths):
    def median(path, test, metric):
        return results.median(test, path, metric)

    def most(path):
        """Returns the number of WebSockets that opened; the crowd is the most that was tried."""
        return _cells(
            [MOST],
            lambda test, metric: results.median(test, path, metric),
            lambda value: (
                f"≥ {value:,.0f}" if value >= results.settings["crowd"] else f"{value:,.0f}"
            ),
        )

    if _measured(results, [MOST]):
        return _path_table(results, paths, "path", MAIN, median, [MOST], most)
    return _path_table(results, paths, "path", MAIN, median)


def more_table(results, paths):
    return _path_table(
        results, paths, "path", MORE, lambda path, test, metric: results.median(test, path, metric)
    )


def ratio_table(results, paths, reference):
    return _path_table(
        results,
        paths,
        f"of {reference}",
        MAIN + MORE,
        lambda path, test, metric: results.ratio(test, path, metric, reference),
    )


def pages_table(results):
    """Returns the figures of pages, relative to those of one plain TCP connection over the same
    line in the same round."""
    paths = results.paths("pages")
    if "direct" not in paths or len(paths) < 2:
        return ""
    rows = [
        [
            name,
            *(
                _cells(
                    [("pages", name, "")],
                    lambda test, metric, path=path: results.ratio(test, path, metric, "direct"),
                )[0]
                for path in paths
            ),
        ]
        for name in results.metrics("pages", "direct")
    ]
    return _table(["of one plain connection", *paths], rows)


def details(results):
    """Yields (test, table) with every figure of each test."""
    for test, paths in results.rounds.items():
        names = list(dict.fromkeys(name for path in paths for name in results.metrics(test, path)))
        rows = [
            [
                name,
                *(
                    _cells([(test, name, "")], lambda t, m, path=path: results.median(t, path, m))[
                        0
                    ]
                    for path in paths
                ),
            ]
            for name in names
        ]
        yield test, _table(["figure", *paths], rows)


def goal_table(results):
    rows = []
    for goal in GOALS:
        if judged := goal.judge(results):
            sign = "≥" if goal.at_least else "≤"
            rows.append([goal.text, svg.number(judged[0]), f"{sign} {goal.limit:g}", judged[1]])
    return _table(["goal", "measured", "limit", "met"], rows) if rows else ""


def text(results, paths):
    """Returns the page for people to read. The main table comes first."""
    settings = results.settings
    parts = [
        "# Performance",
        (
            f"oneport {settings['commit']}, {settings['date']}, on {settings['machine']}."
            f" {settings['rounds']} interleaved rounds, medians; {settings['workers']} worker(s)"
            f" each{', each end on processors of its own' if settings['apart'] else ''}. Load on"
            f" the machine before: {settings['load_before']}. Made by `make bench`;"
            " `tests/bench/README.md` says what is measured and how to read it."
        ),
        settings["versions"],
        main_table(results, paths),
    ]
    parts += [
        ratio_table(results, paths, reference)
        for reference in REFERENCES
        if reference in paths and len(paths) > 1
    ]
    if more := more_table(results, paths):
        parts += ["## More", more]
    if table := pages_table(results):
        said = f"The congestion control of TCP is {settings['congestion']}."
        parts += ["## Pages over real lines", said, table]
    if goals := goal_table(results):
        parts += ["## Goals", goals]
    if results.paths("cores") and settings["cores"] < FREE_CORES:
        parts.append(
            f"One worker against two: the machine has {settings['cores']} cores, for which servers,"
            " load generators and clients compete. What a second worker brings cannot be seen"
            " there; what it costs can."
        )
    if curves := [(name, title) for name, title, _ in _curve_charts(results)]:
        parts += ["## Cost against size", *(f"![{title}]({name})" for name, title in curves)]
    parts += [f"## {test}\n\n{table}" for test, table in details(results)]
    parts += [
        f"{remark['what']}: {remark['test']}, {remark['path']}: {' '.join(remark['why'].split())}"
        for remark in results.remarks
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _curves(results, ending, least):
    """Returns the curves of the scale test: {"streams": [(count, median)], "tunnels": ...}."""
    curves = {}
    for kind in ("streams", "tunnels"):
        for count in results.settings["scale"]:
            name = f"{kind}_{count}_{ending}"
            if (
                count >= least
                and "oneport" in results.paths("scale")
                and name in results.metrics("scale", "oneport")
            ):
                curves.setdefault(kind, []).append(
                    (count, results.median("scale", "oneport", name))
                )
    return curves


def _curve_charts(results):
    """Yields (file name, title, SVG text) of each curve."""
    for ending, least, title in (
        ("over_alone", 1, "CPU per request, relative to that without other streams or tunnels"),
        (
            "cpu_s_per_10k",
            1,
            "CPU seconds per 10,000 requests: both ends (streams), server (tunnels)",
        ),
        ("kib", SCALE_LEAST, "KiB per open stream (both ends) and per tunnel (server)"),
    ):
        if curves := _curves(results, ending, least):
            yield f"scale-{ending}.svg".replace("_", "-"), title, svg.lines(
                title, "open streams on one link, or tunnels", curves
            )


def charts(results, paths):
    """Yields (file name, SVG text) of each chart that has figures."""
    columns = _measured(results, MAIN + MORE)
    for (test, metric, _), title in zip(columns, _titles(results, columns)):
        values = {
            path: results.median(test, path, metric)
            for path in paths
            if path in results.paths(test) and metric in results.metrics(test, path)
        }
        yield f"{test}-{metric}.svg".replace("_", "-"), svg.bars(title, values)
    for name, _, chart in _curve_charts(results):
        yield name, chart


def write(results, paths, directory):
    """Writes the results into @directory. Renames the results of the run before instead of deleting
    them, as they may be the result of an hour."""
    before = directory.with_name(directory.name + "-before")
    if directory.exists():
        shutil.rmtree(before, ignore_errors=True)
        directory.rename(before)
    directory.mkdir(parents=True)
    (directory / "results.json").write_text(
        json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n"
    )
    (directory / "results.md").write_text(text(results, paths))
    for name, content in charts(results, paths):
        (directory / name).write_text(content)
