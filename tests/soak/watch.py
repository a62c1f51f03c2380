# SPDX-License-Identifier: MIT
"""Samples memory and descriptors of long-lived programs, and computes how fast memory grows."""

import pathlib
import statistics
import threading

# Of each window only the smallest sample counts, which excludes the memory of running exchanges.
WINDOW_S = 30
SETTLED_S = 300
JUDGED_S = 900  # shorter runs are not judged


class Watch:
    def __init__(self, programs):
        self.programs = programs  # {name: Program}
        self.samples = {name: [] for name in programs}  # (second, resident KiB, descriptors)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="watch")

    def _run(self):
        second = 0
        while not self.stop.wait(1):
            second += 1
            for name, program in self.programs.items():
                if program.running:
                    self.samples[name].append((second, resident_kib(program.pid), program.fds()))

    def slope(self, name):
        """Returns the growth in MiB an hour, or None for a run that is too short for a slope."""
        points = lows(self.samples[name])
        return (
            theil_sen(points) * 3600 / 1024
            if points and points[-1][0] - points[0][0] >= JUDGED_S - SETTLED_S - 2 * WINDOW_S
            else None
        )


def resident_kib(pid):
    """Returns the resident memory without mapped files, whose share depends on other processes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def lows(samples):
    """Returns the smallest sample of each window after the first minutes, as (second, KiB)."""
    windows = {}
    for second, kib, _ in samples:
        if second >= SETTLED_S:
            windows.setdefault(second // WINDOW_S, []).append((kib, second))
    return [(second, kib) for kib, second in map(min, windows.values())]


def theil_sen(points):
    """Returns the median of the slopes of all pairs of points. One odd point hardly changes it."""
    return statistics.median(
        (y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :]
    )
