# SPDX-License-Identifier: MIT
"""Drives a headless Chromium by WebDriver, with Debian's chromedriver and plain HTTP calls."""

import json
import pathlib
import shutil
import urllib.request

from .programs import Program

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--window-size=1000,700",
]


class Browser:
    """Runs one browser with a fresh profile. WebDriver tells its tabs apart by handles."""

    def __init__(self, directory, flags=FLAGS):
        directory = pathlib.Path(directory)
        port = self._start_driver(directory)
        self.base = f"http://127.0.0.1:{port}/session"
        options = {"binary": CHROMIUM, "args": [*flags, f"--user-data-dir={directory / 'profile'}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/{session['sessionId']}"

    def _start_driver(self, directory):
        """Starts chromedriver and returns its port. It takes one port of IPv6 and the same of IPv4,
        which may be in use: then it ends, and is started again."""
        for last in (False, False, True):
            self.driver = Program(
                [DRIVER, "--port=0"], directory, "chromedriver", env={"HOME": directory}
            )
            try:
                up = self.driver.wait_output(r"started successfully on port (\d+)", 20, "stdout")
                return up.group(1)
            except AssertionError:
                if last or self.driver.running:
                    raise

    def _call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        call = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(call, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        """Opens @url in a tab of its own and returns the tab."""
        tab = self._call("POST", "/window/new", {"type": "tab"})["handle"]
        self._to(tab)
        self._call("POST", "/url", {"url": url})
        return tab

    def run(self, tab, script):
        """Runs @script in the page of @tab. Returns the script's value."""
        self._to(tab)
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def console(self):
        """Returns the console messages of all pages since the last call."""
        return [line["message"] for line in self._call("POST", "/se/log", {"type": "browser"})]

    def _to(self, tab):
        self._call("POST", "/window", {"handle": tab})

    def stop(self):
        self._call("DELETE", "")
        self.driver.signal(15)
        self.driver.judged = True
        self.driver.wait(10)


def missing():
    """Returns why no browser can run here, or None when one can."""
    absent = [name for name, path in (("chromium", CHROMIUM), ("chromedriver", DRIVER)) if not path]
    return f"{', '.join(absent)} not installed" if absent else None
