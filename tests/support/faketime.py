"""A wall clock that a test moves while programs run, by libfaketime (Debian's package faketime). The monotonic clock stays true."""

import glob
import re

from .programs import VARIANT


def _library():
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)


def missing():
    """Why clocks cannot be moved here; None when they can."""
    if not _library():
        return "libfaketime is not installed"
    if VARIANT != "release":
        return f"libfaketime does not go with VARIANT={VARIANT}"
    return None


class Clock:
    def __init__(self, path):
        self.path = path
        self.set("+0")

    def set(self, offset):
        """ "+1d", "-3600": from the true time."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.rename(self.path)
        self.offset = offset

    @property
    def environment(self):
        """For the programs that live by this clock."""
        return {"LD_PRELOAD": _library(), "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": 1,
                "FAKETIME_DONT_FAKE_MONOTONIC": 1, "DONT_FAKE_MONOTONIC": 1}
