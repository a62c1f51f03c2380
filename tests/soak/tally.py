# SPDX-License-Identifier: MIT
"""What happened: how often, and what must not have."""

import collections
import threading

KEPT = 20  # of one sort of fault: the first ones tell most


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
        """@sort: hang (a deadline passed), wrong (octets that nobody sent), failed (no answer where
        nobody was killed)."""
        with self.lock:
            self.fault_counts[sort] += 1
            if len(self.faults[sort]) < KEPT:
                self.faults[sort].append(what)

    @property
    def clean(self):
        return not self.fault_counts
