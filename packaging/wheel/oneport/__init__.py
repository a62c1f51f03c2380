# SPDX-License-Identifier: MIT
"""Shares a local service under a public URL while a block of Python runs.

    import oneport

    with oneport.share(8501, host="example.com") as url:
        print(url)

The program oneport comes with this package and does the work: `oneport --help` has its options."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

PROGRAM = pathlib.Path(__file__).with_name("bin") / "oneport"
URL = "your url is: "


class ShareError(Exception):
    """oneport ended, or had no URL in time. The text is what it said."""


def _first_line(process, timeout):
    """Returns the first line of the program's output; "" if there is none in time."""
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        return process.stdout.readline().rstrip("\n")
    finally:
        timer.cancel()


@contextlib.contextmanager
def share(origin, host=None, subdomain=None, options=(), timeout=30):
    """Shares @origin, a port of this machine or another form that `oneport --help` names, and
    yields the URL when it works. Ends the tunnel when the block ends. @host is the server; without
    it, ONEPORT_HOST or the settings of `oneport login` name one. @options are more words of the
    command line. Raises ShareError when there is no URL after @timeout seconds."""
    words = [str(PROGRAM), *map(str, options)]
    words += ["--host", host] if host else []
    words += ["--subdomain", subdomain] if subdomain else []
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*words, str(origin)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = _first_line(process, timeout)
            if not line.startswith(URL):
                process.kill()
                process.wait()
                log.seek(0)
                raise ShareError(log.read().strip() or f"no URL after {timeout} s")
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield line[len(URL) :]
        finally:
            process.terminate()
            process.wait()


def main():
    """Becomes the program."""
    os.execv(PROGRAM, ["oneport", *sys.argv[1:]])
