# SPDX-License-Identifier: MIT
"""Waiting on events: every wait of the suite has a deadline and says what it waited for."""

import time


def wait_until(predicate, deadline_s=10.0, what="the condition"):
    """Polls @predicate and returns its first true value."""
    end = time.monotonic() + deadline_s
    pause = 0.002
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s} s (last value: {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
