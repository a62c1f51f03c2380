# SPDX-License-Identifier: MIT
"""Runs programs with a wall clock that a test moves. wall_clock.c is preloaded; the monotonic clock
stays correct."""

import pathlib
import sys

from . import preload

SOURCE = pathlib.Path(__file__).with_name("wall_clock.c")


class Clock:
    def __init__(self, directory):
        self.library = preload.build(SOURCE, directory)
        self.path = pathlib.Path(directory) / "clock"
        self.set(0)

    def set(self, seconds):
        """Sets how many seconds the clock differs from the true time from now on."""
        with open(self.path, "r+b" if self.path.exists() else "wb", buffering=0) as file:
            file.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    @property
    def environment(self):
        """The environment for programs that use this clock."""
        return preload.environment(self.library, WALL_CLOCK=self.path)
