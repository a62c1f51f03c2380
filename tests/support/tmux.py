# SPDX-License-Identifier: MIT
"""Runs a program on a real terminal, which tmux draws, and reads what a person would see."""

import pathlib
import shlex
import shutil
import subprocess
import tempfile

from .wait import wait_until

PROGRAM = shutil.which("tmux")


class Terminal:
    """Is a terminal of its own tmux server, with a shell of its own: @environment is that of the
    programs in it."""

    def __init__(self, columns=100, rows=20, environment=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tmux-"))
        start = ["env", "-i", "PS1=ready> ", "PATH=/usr/bin:/bin", "TERM=screen-256color"]
        start += [f"{name}={value}" for name, value in dict(environment).items()]
        shell = shlex.join([*start, "/bin/bash", "--norc", "--noprofile"])
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, shell)
        self.wait("ready>")

    def _tmux(self, *arguments):
        return subprocess.run(
            [PROGRAM, "-S", self.directory / "socket", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def type(self, line):
        self._tmux("send-keys", "-l", line)
        self.press("Enter")

    def press(self, key):
        self._tmux("send-keys", key)

    def resize(self, columns, rows):
        self._tmux("resize-window", "-x", columns, "-y", rows)

    def text(self, colours=False):
        """Returns the lines that are on the screen."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else [])).rstrip("\n")

    def wait(self, text, deadline_s=15):
        """Waits until the screen has @text, or until @text(screen) is true. Returns the screen."""
        good = text if callable(text) else lambda screen: text in screen
        seen = [""]

        def look():
            seen[0] = self.text()
            return good(seen[0])

        try:
            wait_until(look, deadline_s, str(text))
        except AssertionError as why:
            raise AssertionError(f"{why}; the screen:\n{seen[0]}") from None
        return seen[0]

    def close(self):
        subprocess.run([PROGRAM, "-S", self.directory / "socket", "kill-server"], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
