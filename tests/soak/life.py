# SPDX-License-Identifier: MIT
"""When a client was killed, and so what may be cut."""

import time

AWAY_S = 6  # it registers, attaches, and viewers are told that it is away


class Life:
    """Of one tunnel's client. It lasts unless killed() is called."""

    def __init__(self):
        self.last_kill = None

    def killed(self):
        self.last_kill = time.monotonic()

    def was_killed(self, since):
        """Whether what began at @since may have met it."""
        return self.last_kill is not None and self.last_kill + AWAY_S > since
