# SPDX-License-Identifier: MIT
"""Tests a megabyte over a line after a pause, by the congestion control of TCP and with
tcp_slow_start_after_idle on and off: the machines of both ends have these settings."""

import contextlib
import itertools
import pathlib
import time

from .line import Line, need_line
from .pages import Viewers
from .paths import Direct

CONTROLS = ("cubic", "bbr")
WARM = 3  # transfers before the pause, of which the last one is a figure
VIEWER_KEPT_S = 60  # oneportd closes a viewer that is idle for 75 s
MEGABYTE = "/bytes/1000000"


class World:
    """Is a line with a path over it, and a viewer whose connection stays open."""

    def __init__(self, stack, bench, kind, congestion, restart):
        self.name = f"{congestion}_{'restart' if restart else 'as_it_was'}"
        sysctls = [("ipv4/tcp_slow_start_after_idle", restart)]
        line = Line(bench, bench.lines[0], bench.round, congestion, sysctls)
        stack.enter_context(line)
        path = stack.enter_context(kind(bench, line.app_port, line))
        self.path = path
        self.viewers = stack.enter_context(Viewers(path, 1))
        self.used = time.monotonic()

    def take(self, pause=0):
        """Transfers by the connection that was there from the beginning: without a tunnel the
        viewer's, else the link. Nobody keeps an idle viewer for minutes, so a link gets another
        one then."""
        if pause < VIEWER_KEPT_S or isinstance(self.path, Direct):
            taken = self.viewers.take(MEGABYTE)
        else:
            with Viewers(self.path, 1) as viewers:
                taken = viewers.take(MEGABYTE)
        self.used = time.monotonic()
        return taken

    def rest(self, seconds):
        time.sleep(max(0, self.used + seconds - time.monotonic()))


def available():
    """Returns those of CONTROLS that this kernel has."""
    known = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    return [name for name in CONTROLS if name in known]


def idle(bench, kind):
    """Measures all settings beside each other, so that they rest at the same time, and takes turns
    when they transfer."""
    need_line()
    figures = {}
    with contextlib.ExitStack() as stack:
        worlds = [
            World(stack, bench, kind, *setting)
            for setting in itertools.product(available(), (1, 0))
        ]
        for world in worlds:
            figures[f"{world.name}_warm_ms"] = [world.take() for _ in range(WARM)][-1]
        for seconds in bench.idles:
            for world in worlds:
                world.rest(seconds)
                figures[f"{world.name}_after_{seconds:g}s_ms"] = world.take(seconds)
    return figures
