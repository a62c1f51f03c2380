"""The figures of a run: medians over rounds, ratios within a round, tables in Markdown, results.json and the charts."""

import json
import statistics

from . import svg
from .goals import GOALS

REFERENCES = ("haproxy", "haproxy-tuned")

# (test, figure, title): the columns of the main table and of the ratios.
COLUMNS = (
    ("requests", "requests_per_s", "requests/s"),
    ("requests", "cpu_s_per_10k", "CPU-s per 10k"),
    ("latency", "p99_ms", "p99 ms at a fixed rate"),
    ("bulk", "down_mb_per_s", "MB/s down"),
    ("bulk", "down_cpu_s_per_gb", "CPU-s per GB down"),
    ("bulk", "up_mb_per_s", "MB/s up"),
    ("bulk", "up_cpu_s_per_gb", "CPU-s per GB up"),
    ("viewers", "server_rss_kib", "KiB per WebSocket, server"),
    ("viewers", "client_rss_kib", "KiB per WebSocket, client"),
    ("viewers", "echo_p99_ms", "echo p99 ms"),
    ("interactive", "busy_p99_ms", "echo p99 ms beside a download"),
    ("fair", "max_over_min", "max/min of 20 downloads"),
)


class Results:
    """What was measured so far: test -> path -> a list of {figure: value}, one a round."""

    def __init__(self, settings):
        self.settings = settings
        self.rounds = {}
        self.remarks = []  # {"test", "path", "round", "what", "why"}: what was skipped or failed

    def add(self, test, path, number, figures):
        self.rounds.setdefault(test, {}).setdefault(path, []).append({"round": number, **figures})

    def remark(self, test, path, number, what, why):
        self.remarks.append({"test": test, "path": path, "round": number, "what": what, "why": str(why)})

    @property
    def failed(self):
        return [remark for remark in self.remarks if remark["what"] == "failed"]

    def paths(self, test):
        return self.rounds.get(test, {})

    def median(self, test, path, metric):
        """LookupError when it was not measured."""
        return statistics.median(figures[metric] for figures in self.rounds[test][path])

    def ratio(self, test, path, metric, reference):
        """The median of the ratios of rounds that ran side by side: the machine's moods cancel out. LookupError if there are none."""
        theirs = {figures["round"]: figures[metric] for figures in self.rounds[test][reference]}
        ratios = [mine[metric] / theirs[mine["round"]] for mine in self.rounds[test][path] if theirs.get(mine["round"])]
        if not ratios:
            raise LookupError(metric)
        return statistics.median(ratios)

    def as_json(self):
        medians = {test: {path: {metric: self.median(test, path, metric) for metric in rounds[0] if metric != "round"} for path, rounds in paths.items()}
                   for test, paths in self.rounds.items()}
        return {"settings": self.settings, "medians": medians, "rounds": self.rounds, "remarks": self.remarks}


def _table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)])


def _cells(path, columns, figure):
    """One row; a dash where there is no figure."""
    row = [path]
    for test, metric, _ in columns:
        try:
            row.append(svg.number(figure(test, metric)))
        except LookupError:
            row.append("–")
    return row


def _measured(results):
    """The columns that some path has a figure for."""
    return [column for column in COLUMNS if any(column[1] in rounds[0] for rounds in results.paths(column[0]).values())]


def main_table(results, paths):
    columns = _measured(results)
    rows = [_cells(path, columns, lambda test, metric, path=path: results.median(test, path, metric)) for path in paths]
    return _table(["path", *(title for _, _, title in columns)], rows) if columns else ""


def ratio_table(results, paths, reference):
    columns = _measured(results)
    rows = [_cells(path, columns, lambda test, metric, path=path: results.ratio(test, path, metric, reference)) for path in paths]
    return _table([f"of {reference}", *(title for _, _, title in columns)], rows) if columns else ""


def details(results):
    """Every figure of every test that has more than the main table shows."""
    for test, paths in results.rounds.items():
        names = list(dict.fromkeys(name for rounds in paths.values() for name in rounds[0] if name != "round"))
        columns = [(test, name, name) for name in names]
        yield test, _table(["figure", *paths], [[name, *(_cells("", [column], lambda t, m, path=path: results.median(t, path, m))[1]
                                                         for path in paths)] for name, column in zip(names, columns)])


def goal_table(results):
    rows = []
    for goal in GOALS:
        if judged := goal.judge(results):
            sign = "≥" if goal.at_least else "≤"
            rows.append([goal.text, svg.number(judged[0]), f"{sign} {goal.limit:g}", "yes" if judged[1] else "no"])
    return _table(["goal", "measured", "limit", "met"], rows) if rows else ""


def text(results, paths):
    settings = results.settings
    parts = [f"# oneport {settings['commit']} on {settings['machine']}",
             f"{settings['rounds']} interleaved rounds, medians, {settings['workers']} worker(s) each. {settings['versions']}",
             f"Load on the machine before: {settings['load_before']}", main_table(results, paths)]
    parts += [ratio_table(results, paths, reference) for reference in REFERENCES if reference in paths and len(paths) > 1]
    parts += [f"## {test}\n\n{table}" for test, table in details(results)]
    if goals := goal_table(results):
        parts += [f"## goals\n\n{goals}"]
    parts += [f"{remark['what']}: {remark['test']}, {remark['path']}: {remark['why']}" for remark in results.remarks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _curves(results, ending):
    """The lines of the scale test: {"streams": [(count, median)], "tunnels": ...}."""
    curves = {}
    for kind in ("streams", "tunnels"):
        for count in results.settings["scale"]:
            name = f"{kind}_{count}_{ending}"
            if any(name in figures for figures in results.paths("scale").get("oneport", ())):
                curves.setdefault(kind, []).append((count, results.median("scale", "oneport", name)))
    return curves


def charts(results, paths):
    """(file name, SVG text) of each chart that has something to show."""
    for test, metric, title in _measured(results):
        values = {path: results.median(test, path, metric) for path in paths
                  if path in results.paths(test) and metric in results.paths(test)[path][0]}
        yield f"{test}-{metric}.svg".replace("_", "-"), svg.bars(title, values)
    for ending, title in (("cpu_s_per_10k", "CPU seconds per 10,000 requests"), ("kib", "KiB per open stream, both ends")):
        if curves := _curves(results, ending):
            yield f"scale-{ending}.svg".replace("_", "-"), svg.lines(title, "open streams on one link, or tunnels", curves)


def write(results, paths, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    (directory / "results.json").write_text(json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n")
    (directory / "results.md").write_text(text(results, paths))
    for name, content in charts(results, paths):
        (directory / name).write_text(content)
