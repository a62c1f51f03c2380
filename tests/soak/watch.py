# SPDX-License-Identifier: MIT
"""Memory and descriptors of long-lived programs over time, and whether they grow."""

import pathlib
import statistics
import threading

WINDOW_S = 30  # a window's smallest figure is compared: what is under way comes and goes
SETTLED_S = 300
JUDGED_S = 900  # a shorter run has no slope


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
        """MiB an hour, or None for a run that is too short to say."""
        points = lows(self.samples[name])
        return (
            theil_sen(points) * 3600 / 1024
            if points and points[-1][0] - points[0][0] >= JUDGED_S - SETTLED_S - 2 * WINDOW_S
            else None
        )


def resident_kib(pid):
    """Without what is mapped from files: that depends on who else maps it."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def lows(samples):
    """(second, KiB): the smallest sample of each window behind the first minutes."""
    windows = {}
    for second, kib, _ in samples:
        if second >= SETTLED_S:
            windows.setdefault(second // WINDOW_S, []).append((kib, second))
    return [(second, kib) for kib, second in map(min, windows.values())]


def theil_sen(points):
    """The median of the slopes of all pairs: one odd window does not tilt it."""
    return statistics.median(
        (y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :]
    )
