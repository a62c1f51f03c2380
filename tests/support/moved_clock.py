# SPDX-License-Identifier: MIT
"""Runs programs with a clock that a test moves. moved_clock.c is preloaded; the other clocks stay
correct."""

import pathlib
import sys

from . import preload

SOURCE = pathlib.Path(__file__).with_name("moved_clock.c")


class Clock:
    """A wall clock, or with @which BOOT_CLOCK the clock that runs on while a machine sleeps."""

    def __init__(self, directory, which="WALL_CLOCK"):
        self.which = which
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
        return preload.environment(self.library, **{self.which: self.path})
