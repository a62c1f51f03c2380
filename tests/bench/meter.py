# SPDX-License-Identifier: MIT
"""Measures CPU time, memory and descriptors of processes and their children."""

import contextlib
import ctypes
import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """Returns the fields of /proc/PID/stat after the command's name, which may hold spaces and
    brackets. Returns None when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pids):
    """Returns @pids and all their descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(entry)):
            parents[int(entry)] = int(fields[1])
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def keep_to(pids, cpus):
    """Restricts all threads of @pids and their families to @cpus."""
    for pid in family(pids):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), cpus)


def _own_seconds(pid):
    """Returns the CPU time of a process by its own clock. /proc counts in ticks of 10 ms, which is
    more than a short load takes."""
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)) != 0:
        return 0
    return time.clock_gettime(clock.value)


def cpu_seconds(pids):
    """Returns user and system time of @pids and their families, children that have ended
    included."""
    total = 0
    for pid in family(pids):
        with contextlib.suppress(OSError):  # it ended just now
            if fields := _stat(pid):
                total += _own_seconds(pid) + sum(map(int, fields[13:15])) / TICK
    return total


def descriptors(pids):
    """Returns the number of open descriptors of @pids and their families."""
    total = 0
    for pid in family(pids):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += len(os.listdir(f"/proc/{pid}/fd"))
    return total


def memory(pids):
    """Returns (resident, proportional) memory of @pids and their families in bytes."""
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
    """Measures the CPU seconds of @pids over a `with` block."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.before = cpu_seconds(self.pids)
        return self

    def __exit__(self, *_):
        self.cpu_s = cpu_seconds(self.pids) - self.before
