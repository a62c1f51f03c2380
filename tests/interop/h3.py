# SPDX-License-Identifier: MIT
"""Lets Chromium use a tunnel by HTTP/3. Caddy with the shipped Caddyfile is in front of oneportd.
Prints a line for each check, and then: N passed, N failed, 0 skipped."""

import base64
import contextlib
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from support import browser, pattern  # noqa: E402
from support.certs import Authority  # noqa: E402
from support.front_ends import Caddy  # noqa: E402
from support.origins import OriginProgram, ScriptedOrigin, answering, reply  # noqa: E402
from support.programs import Client, Server  # noqa: E402

BIG = "a" * 30_000
PROTOCOL = """
const protocol = url => {
    const entries = performance.getEntriesByName(new URL(url, location).href);
    return entries[entries.length - 1].nextHopProtocol;
};
"""
PAGE = """
const text = document.body.innerText;
return [JSON.parse(text).target, performance.getEntriesByType('navigation')[0].nextHopProtocol];
"""
DOWNLOAD = """
const got = await (await fetch('/bytes/5000000')).arrayBuffer();
const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', got));
const hex = Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('');
return [got.byteLength, hex, protocol('/bytes/5000000')];
"""
UPLOAD = """
const got = await (await fetch('/upload', {method: 'POST', body: new Uint8Array(1 << 20)})).json();
return [got.length, got.sha256, protocol('/upload')];
"""
EVENTS = """
return await new Promise((resolve, reject) => {
    const times = [], source = new EventSource('/sse?n=3&gap=0.3');
    source.onerror = reject;
    source.onmessage = () => {
        times.push(performance.now());
        if (times.length == 3) {
            source.close();
            resolve(times[2] - times[0] > 400);
        }
    };
});
"""
FORGED = """
const headers = {'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Port': '666',
                 'X-Forwarded-Prefix': '/evil', 'X-Real-IP': '6.6.6.6'};
const got = await (await fetch('/echo', {headers})).json();
return got.fields.filter(field => /forwarded|real/i.test(field[0])).map(
    field => [field[0].toLowerCase(), field[1]]).sort();
"""
HEAD = """
const got = await fetch('/');
return [got.headers.get('x-big').length, await got.text(), protocol('/')];
"""
SOCKET = """
return await new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/`);
    socket.onerror = () => reject('no WebSocket');
    socket.onopen = () => socket.send('hello');
    socket.onmessage = message => { socket.close(); resolve(message.data); };
});
"""


def key_hash(certificate):
    """Returns the hash of the public key, by which Chromium is told to trust the certificate."""
    key = subprocess.run(
        ["openssl", "x509", "-in", certificate.cert, "-pubkey", "-noout"], capture_output=True
    ).stdout
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True
    ).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def flags(certificate, hosts):
    """Returns Chromium's flags, with which it uses HTTP/3 for @hosts and nothing else. It would
    otherwise use HTTP/2 until it has seen Alt-Svc."""
    return [
        *(flag for flag in browser.FLAGS if flag != "--disable-quic"),
        "--enable-quic",
        f"--origin-to-force-quic-on={','.join(hosts)}",
        "--host-resolver-rules=MAP *.localhost 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={key_hash(certificate)}",
    ]


def checks(front, start, certificate, directory):
    """Yields (what, what came, what had to come)."""
    tunnel, scripted, socket = (start(name) for name in ("h3-http", "h3-head", "h3-socket"))
    chrome = browser.Browser(
        directory / "browser", flags(certificate, [tunnel.host, scripted.host, socket.host])
    )
    try:

        def run(tab, script):
            return chrome.run(tab, f"return (async () => {{ {PROTOCOL} {script} }})()")

        tab = chrome.open(f"https://{tunnel.host}/echo?a=%2F")
        yield "a page", run(tab, PAGE), ["/echo?a=%2F", "h3"]
        digest = pattern.digest(5_000_000)
        yield "a download", run(tab, DOWNLOAD), [5_000_000, digest, "h3"]
        zeros = hashlib.sha256(bytes(1 << 20)).hexdigest()
        yield "an upload", run(tab, UPLOAD), [1 << 20, zeros, "h3"]
        yield "events as they come", run(tab, EVENTS), True
        ours = [
            ["x-forwarded-for", "127.0.0.1, 127.0.0.1"],
            ["x-forwarded-host", tunnel.host],
            ["x-forwarded-proto", "https"],
        ]
        yield "forged fields", run(tab, FORGED), ours
        tab = chrome.open(f"https://{scripted.host}/")
        yield "a head of 30 KB", run(tab, HEAD), [len(BIG), "own", "h3"]
        tab = chrome.open(f"https://{socket.host}/")
        yield "a WebSocket beside it", run(tab, SOCKET), "hello"
    finally:
        chrome.stop()
    words = ["curl", "-sSI", "-m", "10", "--http2", "--insecure", f"https://{tunnel.host}/echo"]
    head = subprocess.run(words, capture_output=True, text=True).stdout.lower()
    yield "HTTP/2 tells of HTTP/3", f'alt-svc: h3=":{front.port}"' in head, True


def main(directory):
    certificate = Authority(directory / "ca").issue(
        "server", "localhost", "*.localhost", "IP:127.0.0.1"
    )
    passed = failed = 0
    with contextlib.ExitStack() as stack:

        def stopped(thing):
            stack.callback(thing.stop)
            return thing

        server = stopped(Server(directory / "server", certificate))
        front = stopped(Caddy(server, directory / "caddy"))
        scripted = stack.enter_context(
            contextlib.closing(ScriptedOrigin(answering(reply(b"own", f"X-Big: {BIG}"))))
        )
        origins = {
            "h3-http": stopped(OriginProgram("http_origin", directory / "http")),
            "h3-head": scripted,
            "h3-socket": stopped(OriginProgram("websocket_origin", directory / "socket")),
        }

        def start(name):
            return stopped(Client(front, origins[name].port, directory / name, name=name))

        for what, came, wanted in checks(front, start, certificate, directory):
            if came == wanted:
                passed += 1
                print(f"ok {what}")
            else:
                failed += 1
                print(f"FAILED {what}: {json.dumps(came)}, not {json.dumps(wanted)}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(main(pathlib.Path(made)))
