# SPDX-License-Identifier: MIT
"""Drives a headless Firefox ESR by WebDriver BiDi, which Firefox itself speaks over a WebSocket.
Debian has no geckodriver."""

import json
import os
import pathlib
import shutil
import socket

from . import websocket_frames
from .octets import Octets
from .programs import Program
from .websocket_viewer import HANDSHAKE

FIREFOX = shutil.which("firefox-esr")
CALL_S = 120
MASK = b"mask"
# Nothing of the browser itself uses the network.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "network.trr.mode": 5,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """Runs one browser with a fresh profile. Has the functions of browser.Browser."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        profile = directory / "profile"
        profile.mkdir(parents=True)
        (profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in PREFERENCES.items()
            )
        )
        argv = [FIREFOX, "--headless", "--no-remote", "--remote-debugging-port", "0"]
        self.program = Program(
            [*argv, "--profile", profile],
            directory,
            "firefox",
            env={"HOME": directory, "PATH": os.environ["PATH"]},
        )
        self.program.judged = True
        up = self.program.wait_output(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)", 60)
        self.connection = self._connect(int(up.group(1)))
        self.count, self.pending, self.message, self.messages = 0, b"", b"", []
        self._call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})

    @staticmethod
    def _connect(port):
        connection = Octets(socket.create_connection(("127.0.0.1", port), CALL_S))
        lines = ["GET /session HTTP/1.1", f"Host: 127.0.0.1:{port}", *HANDSHAKE, "", ""]
        connection.send("\r\n".join(lines))
        line, _ = connection.head()
        assert " 101 " in line, line
        return connection

    def _call(self, method, **parameters):
        """Sends a command and returns its result. Skips the events before it."""
        self.count += 1
        text = json.dumps({"id": self.count, "method": method, "params": parameters})
        self.connection.send(
            websocket_frames.frame(websocket_frames.TEXT, text.encode(), mask=MASK)
        )
        while (answer := self._next()).get("id") != self.count:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def _next(self):
        """Returns the next message."""
        while not self.messages:
            self.pending += self.connection.some()
            frames, self.pending = websocket_frames.split(self.pending)
            for first, payload in frames:
                if first & 0x0F in (websocket_frames.CONTINUED, websocket_frames.TEXT):
                    self.message += payload
                    if first & websocket_frames.FIN:
                        self.messages.append(json.loads(self.message))
                        self.message = b""
        return self.messages.pop(0)

    def open(self, url):
        """Opens @url in a tab of its own and returns the tab."""
        tab = self._call("browsingContext.create", type="tab")["context"]
        self._call("browsingContext.navigate", context=tab, url=url, wait="complete")
        return tab

    def run(self, tab, script):
        """Runs @script in the page of @tab. Returns the script's value."""
        result = self._call(
            "script.callFunction",
            functionDeclaration=f"() => JSON.stringify((() => {{ {script} }})() ?? null)",
            target={"context": tab},
            awaitPromise=False,
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    def stop(self):
        self.connection.close()
        self.program.signal(15)
        self.program.wait(30)


def missing():
    """Returns why Firefox cannot run here, or None when it can."""
    return None if FIREFOX else "firefox-esr not installed"
