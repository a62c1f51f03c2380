"""What processes used: CPU time and memory out of /proc, with the children that some of them do their work in."""

import os
import pathlib

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields behind the command's name, which may hold spaces and brackets; None when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pids):
    """@pids and all their descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(entry)):
            parents[int(entry)] = int(fields[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_seconds(pids):
    """User and system time of @pids and their families, those that have ended included."""
    total = 0
    for pid in family(pids):
        if fields := _stat(pid):
            total += sum(map(int, fields[11:15]))
    return total / TICK


def memory(pids):
    """(resident, proportional) octets of @pids and their families."""
    resident = proportional = 0
    for pid in family(pids):
        for line in _rollup(pid).splitlines():
            word = line.split()
            resident += int(word[1]) * 1024 if word[0] == "Rss:" else 0
            proportional += int(word[1]) * 1024 if word[0] == "Pss:" else 0
    return resident, proportional


def _rollup(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Used:
    """CPU seconds of @pids over a `with` block."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.before = cpu_seconds(self.pids)
        return self

    def __exit__(self, *_):
        self.cpu_s = cpu_seconds(self.pids) - self.before
