# SPDX-License-Identifier: MIT
"""Counts what happened, and keeps the faults."""

import collections
import threading

KEPT = 20  # faults of one sort; only the first ones are kept


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = {sort: [] for sort in ("hang", "wrong", "failed")}
        self.fault_counts = collections.Counter()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def fault(self, sort, what):
        """Keeps a fault. @sort is hang (a deadline passed), wrong (bytes that nobody sent) or
        failed (no answer although no client was killed)."""
        with self.lock:
            self.fault_counts[sort] += 1
            if len(self.faults[sort]) < KEPT:
                self.faults[sort].append(what)

    @property
    def clean(self):
        return not self.fault_counts
