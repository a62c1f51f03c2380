# SPDX-License-Identifier: MIT
"""Waits for events. Every wait of the tests has a deadline, and its failure says what was
awaited."""

import time


def wait_until(predicate, deadline_s=10.0, what="the condition"):
    """Polls @predicate until its value is true and returns the value. Fails after @deadline_s."""
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
