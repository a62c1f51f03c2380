# SPDX-License-Identifier: MIT
"""Remembers when a client was killed, and so which exchanges may be cut."""

import time

AWAY_S = 6  # until the client has registered and attached again and no viewer gets an error


class Life:
    """Keeps the time of the last kill of one tunnel's client."""

    def __init__(self):
        self.last_kill = None

    def killed(self):
        self.last_kill = time.monotonic()

    def was_killed(self, since):
        """Tells whether the last kill may have cut an exchange that began at @since."""
        return self.last_kill is not None and self.last_kill + AWAY_S > since
