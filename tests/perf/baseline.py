# SPDX-License-Identifier: MIT
"""Keeps what a request cost when baseline.json was written, and judges what it costs now.

Figures are {program: {object: instructions per request}}. They hold for one compiler, libnghttp2
and architecture. Under others they cannot be compared."""

import json
import pathlib
import platform
import re
import subprocess

FILE = pathlib.Path(__file__).with_name("baseline.json")
NAME = "tests/perf/baseline.json"
TOLERANCE = 0.05

PASSED, FAILED, SKIPPED = 0, 1, 77


def circumstances(program):
    """Returns what the figures depend on besides our source and our Makefile. The compiler is the
    one that built @program."""
    return {
        "compiler": _compiler(program),
        "libnghttp2": _version("libnghttp2-14"),
        "architecture": platform.machine(),
    }


def _compiler(program):
    listed = subprocess.run(
        ["readelf", "-p", ".comment", str(program)], capture_output=True, text=True
    ).stdout
    return "; ".join(re.findall(r"^\s*\[\s*[0-9a-f]+\]\s+(.*)$", listed, re.M)) or "unknown"


def _version(package):
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True
    )
    return asked.stdout.strip() or "unknown"


def load():
    return json.loads(FILE.read_text())


def save(figures, where):
    FILE.write_text(json.dumps({**where, "instructions": figures}, indent=2) + "\n")


def judge(figures, where, baseline):
    """Compares figures with the baseline. Returns (PASSED, FAILED or SKIPPED, lines to print)."""
    if not baseline:
        return SKIPPED, ["skipped: there is no baseline; make perf-baseline writes one"]
    if changed := [
        f"{key} is {value}, that of the baseline is {baseline.get(key)}"
        for key, value in where.items()
        if value != baseline.get(key)
    ]:
        return SKIPPED, [f"skipped: the counts cannot be compared: {'; '.join(changed)}"]
    status, said = PASSED, []
    for program, objects in figures.items():
        now, before = sum(objects.values()), sum(baseline["instructions"][program].values())
        change = now / before - 1
        costs = (
            f"{program} needs {now:,.0f} instructions a request, the baseline is"
            f" {before:,.0f} ({change * 100:+.1f} %)"
        )
        if change > TOLERANCE:
            status = FAILED
            said.append(
                f"FAILED: {costs}; {TOLERANCE * 100:.0f} % more are allowed. If the change is"
                f" worth that, run make perf-baseline and commit {NAME}"
            )
        elif change < -TOLERANCE:
            said.append(
                f"lower the baseline: {costs}. To keep the gain, run make perf-baseline and"
                f" commit {NAME}"
            )
        else:
            said.append(f"passed: {costs}")
    return status, said
