# SPDX-License-Identifier: MIT
"""Is one of the old clients that need a port each, with exactly its habits, as far as a server that
refuses it sees them. Ends as the client ends, and says what it says.

Runs as a program: python3 -m support.old_callers KIND --port N [--subdomain NAME] [--ca FILE]

lt      localtunnel 2.0.2 with axios 0.21.4. It follows 21 redirects, and asks again a second after
        whatever is not 2xx, after an answer of 200 that is no tunnel's and after an error of the
        connection, for ever. An answer of 2xx that is not 200 ends it: the program throws an error
        with the `message` of the JSON, or with a text of its own.
go      go-localtunnel. It asks once, follows 10 redirects, and fails with the status of any answer
        but 200. Its messages are those of programs that use it.
wave    `wave share` before 1.0, with httpx. It asks once, follows no redirect, and any answer but
        200 ends it with a sentence that says nothing of the answer.

An answer of 200 gives each the address of a tunnel, at a port of its own, to which it connects."""

import argparse
import json
import socket
import ssl
import sys
import time
import urllib.parse

from .viewer import Viewer

AGAIN_S = 1
LT = (
    *("Accept: application/json, text/plain, */*", "User-Agent: axios/0.21.4"),
    *("Host: {}", "Connection: keep-alive"),
)
GO = ("Host: {}", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip")
WAVE = (
    *("Host: {}", "Accept: */*", "Accept-Encoding: gzip, deflate", "Connection: keep-alive"),
    *("User-Agent: python-httpx/0.28.1", "Content-Type: application/json"),
)


class Server:
    def __init__(self, options):
        self.options = options
        scheme = "https" if options.ca else "http"
        self.url = f"{scheme}://localhost:{options.port}"

    def get(self, path, lines, redirects=0):
        """Returns the status and the body of the last answer."""
        url = f"{self.url}/{path}"
        while True:
            at = urllib.parse.urlsplit(url)
            tls = None
            if at.scheme == "https":
                tls = ssl.create_default_context(cafile=self.options.ca)
            with Viewer(at.port, tls) as viewer:
                target = at.path + (f"?{at.query}" if at.query else "")
                head = (f"GET {target} HTTP/1.1", *lines, "", "")
                viewer.send("\r\n".join(head).format(at.netloc).encode())
                answer = viewer.response()
            to = answer.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or not to or redirects == 0:
                return answer.status, answer.body
            url, redirects = urllib.parse.urljoin(url, to), redirects - 1

    def connect(self, body):
        told = json.loads(body)
        print("your url is:", told["url"], flush=True)
        with socket.create_connection(("127.0.0.1", told["port"])) as tunnel:
            tunnel.recv(1)


def lt(server, name):
    while True:
        try:
            status, body = server.get(name or "?new", LT, 21)
            if status == 200:
                server.connect(body)
                return
        except (OSError, EOFError, AssertionError, ValueError, LookupError):
            status = None
        if status and 200 <= status <= 299:
            break
        time.sleep(AGAIN_S)
    try:
        message = json.loads(body).get("message")
    except (ValueError, AttributeError):
        message = None
    sys.exit(f"Error: {message or 'localtunnel server returned an error, please try again'}")


def go(server, name):
    status, body = server.get(name or "?new", GO, 10)
    if status != 200:
        sys.exit(f"internal server error, statusCode: {status}")
    server.connect(body)


def wave(server, name):
    status, body = server.get(name or "?new", WAVE)
    if status != 200:
        print("Could not connect to the remote sharing server.")
        sys.exit(1)
    server.connect(body)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("lt", "go", "wave"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--subdomain")
    parser.add_argument("--ca")
    options = parser.parse_args()
    {"lt": lt, "go": go, "wave": wave}[options.kind](Server(options), options.subdomain)


if __name__ == "__main__":
    main()
