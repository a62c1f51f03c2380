# SPDX-License-Identifier: MIT
"""Shares real apps without any option, and uses them in Chromium under a name that is not
localhost: with TLS at oneportd, and through nginx. Kills the client under live pages and starts it
again.

Prints a line for each check, and then: N passed, N failed, N skipped.

    apps.py --packages              prints of each app: its name, pip or npm, and what to install
    apps.py INSTALLED [APP...]      INSTALLED has venv/ and npm/ (apps.sh)
"""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True

import app_samples as samples  # noqa: E402
from h3 import key_hash  # noqa: E402
from support import browser, nginx  # noqa: E402
from support.certs import Authority  # noqa: E402
from support.programs import Client, Server  # noqa: E402
from support.viewer import fetch  # noqa: E402
from support.wait import wait_until  # noqa: E402

DOMAIN = "apps.test"
PAGE_S = 60
BLIPS_S = (0.5, 2)


class Everywhere:
    """Is a proxy that leads each CONNECT to this machine, whatever host is named: no name server
    knows the test's domain."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(
                    target=self._lead, args=(self.listener.accept()[0],), daemon=True
                ).start()

    def _lead(self, near):
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(1)
        port = int(head.split()[1].rpartition(b":")[2])
        far = socket.create_connection(("127.0.0.1", port))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


class Shared:
    """Is an app under its public URL, open in a tab."""

    def __init__(self, app, client, chrome, certificate):
        self.app, self.client, self.chrome = app, client, chrome
        self.certificate = certificate
        self.host = client.url.partition("://")[2]
        self.front_port = int(self.host.rpartition(":")[2])

    def open(self, path="/"):
        self.tab = self.chrome.open(self.client.url + path)

    def run(self, script):
        """Runs the body of an async function in the page."""
        return self.chrome.run(self.tab, f"return (async () => {{ {script} }})()")

    def until(self, script, wanted, deadline_s=PAGE_S):
        """Returns the script's value when it is @wanted, or its last one."""
        last = [None]

        def look():
            try:
                last[0] = self.run(script)
            except OSError as error:  # the page is being loaded
                last[0] = str(error)
            return last[0] == wanted

        with contextlib.suppress(AssertionError):
            wait_until(look, deadline_s)
        return last[0]

    def text(self, selector, wanted):
        script = f"return document.querySelector({json.dumps(selector)})?.textContent"
        return self.until(script, wanted)

    def has(self, part):
        """Returns whether the page comes to have the text."""
        return self.until(f"return document.body.innerText.includes({json.dumps(part)})", True)

    def press(self, selector):
        script = f"const b = document.querySelector({json.dumps(selector)}); b?.click(); return !!b"
        return self.until(script, True)

    def type(self, selector, text):
        """Sets the value of a field as React and its like notice it."""
        return self.run(
            f"""
            const field = document.querySelector({json.dumps(selector)});
            Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set.call(
                field, {json.dumps(text)});
            field.dispatchEvent(new Event('input', {{bubbles: true}}));
            return field.value"""
        )

    def fetch(self, path, *fields, **keywords):
        tls = self.certificate.client_context(["http/1.1"])
        return fetch(self.front_port, self.host, path, *fields, tls=tls, **keywords)

    def mark(self):
        self.run("window.sameDocument = true")

    def is_same(self):
        return self.run("return window.sameDocument === true")

    def blip(self, seconds):
        """Kills the client under the page, and starts it again after @seconds."""
        self.client.kill9()
        time.sleep(seconds)
        self.client.start()

    @property
    def learned(self):
        return "host_header_rewritten" in self.client.log


# ---- what each app must do: yields (what, what came, what had to come)
def edited(site, same):
    """A development server shows a changed file, in the same document or in a new one. The page is
    open."""
    yield "the page", site.text("#a", "one"), "one"
    with contextlib.suppress(AssertionError):
        wait_until(lambda: site.learned, PAGE_S)  # at the latest by the WebSocket of the page
    yield "asked by its own name", site.learned, True
    site.mark()
    site.app.edit()
    yield "a changed file", site.text("#a", "two"), "two"
    if same:
        yield "without loading again", site.is_same(), True


def vite(site):
    site.open()
    yield from edited(site, same=True)


def webpack(site):
    site.open()
    yield from edited(site, same=False)


def next_dev(site):
    """Also without a tunnel, a page that has only just come misses a changed file."""
    site.open()
    yield "the page's script", site.text("#l", "live"), "live"
    site.press("#b")
    yield "a Server Action", site.text("#s", "added 1"), "added 1"
    yield from edited(site, same=True)


def socket_io(site):
    site.open()
    yield "an event", site.text("#a", "one"), "one"
    yield "the WebSocket", site.text("#t", "websocket"), "websocket"


def django(site):
    site.open("/admin/")
    yield "the login page", site.press("#id_username"), True
    site.run(
        "id_username.value = 'a'; id_password.value = 'secret'; id_password.form.requestSubmit()"
    )
    yield "a form with its CSRF check", site.has("Site administration"), True
    yield "asked by its own name", site.learned, True
    forged = site.fetch(
        "/admin/login/", "Origin: https://evil.test", method="POST", body=b"username=a"
    )
    yield "a form of another site", forged.status, 403


def flask(site):
    site.open()
    site.press("#b")
    yield "a form, its redirect and session", site.text("#s", "1"), "1"
    yield "asked by our name", site.learned, False


JUPYTER = """
const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
const call = async (path, body) => (await fetch(path, {method: 'POST', body,
    headers: {'X-XSRFToken': token, 'Content-Type': 'application/json'}})).json();
"""
KERNEL = """
return await new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/api/kernels/${window.kernel}/channels`);
    setTimeout(() => reject('silent'), 20000);
    socket.onerror = () => reject('no WebSocket');
    socket.onopen = () => socket.send(JSON.stringify({channel: 'shell', content: {code: %s,
        silent: false}, parent_header: {}, metadata: {}, header: {msg_type: 'execute_request',
        msg_id: String(Math.random()), session: 's', username: '', version: '5.3'}}));
    socket.onmessage = got => {
        const message = JSON.parse(got.data);
        if (message.msg_type === 'stream') resolve(message.content.text.trim());
        if (message.msg_type === 'error') resolve(message.content.evalue);
    };
});
"""
TERMINAL = """
return await new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/terminals/websocket/${window.terminal}`);
    let said = '';
    setTimeout(() => resolve(said), 20000);
    socket.onerror = () => reject('no WebSocket');
    socket.onopen = () => socket.send(JSON.stringify(['stdin', %s + '\\r']));
    socket.onmessage = got => {
        const [kind, text] = JSON.parse(got.data);
        if (kind === 'stdout') said += text;
        if (said.includes(%s)) resolve(true);
    };
});
"""


def jupyter(site):
    def kernel(code):
        return site.run(KERNEL % json.dumps(code))

    def terminal(line, wanted):
        return site.run(TERMINAL % (json.dumps(line), json.dumps(wanted)))

    site.open("/lab")
    shown = "return !!document.querySelector('.jp-Launcher, .jp-LauncherCard')"
    yield "the launcher", site.until(shown, True), True
    site.mark()
    site.run(JUPYTER + "window.kernel = (await call('/api/kernels', '{}')).id")
    site.run(JUPYTER + "window.terminal = (await call('/api/terminals', '{}')).name")
    yield "a kernel", kernel("x = 41; print(x)"), "41"
    yield "a terminal", terminal("y=6; echo is-$((y*7))", "is-42"), True
    for number, seconds in enumerate(BLIPS_S):
        site.blip(seconds)
        yield f"its variable after {seconds} s", kernel("print(x + 1)"), "42"
        yield f"its terminal after {seconds} s", terminal(
            f"echo {number}is-$((y+1))", f"{number}is-7"
        ), True
        yield f"the same document after {seconds} s", site.is_same(), True


def streamlit(site):
    def more(count):
        site.press("[data-testid=stButton] button")
        return site.has(f"pressed {count} times")

    site.open()
    yield "the page", site.has("pressed 0 times"), True
    yield "a button", more(1), True
    site.mark()
    for number, seconds in enumerate(BLIPS_S):
        site.blip(seconds)
        site.until("return !document.querySelector('[data-testid=stConnectionStatus]')", True)
        yield f"its session after {seconds} s", more(number + 2), True
        yield f"the same document after {seconds} s", site.is_same(), True


def gradio(site):
    site.open()
    yield "the page", site.press("button.primary"), True
    wanted = "return document.querySelector('#s textarea, #s input')?.value"
    yield "an answer", site.until(wanted, "hello Ada"), "hello Ada"


def wave(site):
    site.open()
    field = "[data-test=x]"
    yield "the form", site.press(field), True
    site.type(field, "typed")
    site.mark()
    for seconds in BLIPS_S:
        site.blip(seconds)
        time.sleep(4)  # the page connects again by itself
        kept = site.run(f"return document.querySelector('{field}')?.value")
        yield f"the typed text after {seconds} s", kept, "typed"
        yield f"the same document after {seconds} s", site.is_same(), True
    site.press("[data-test=b]")
    yield "the app got it", site.has("got typed"), True


def nitro(site):
    site.open()
    yield "the question", site.has("Your name?"), True
    site.press("button.ms-Button--primary, button[type=submit], button")
    yield "the answer", site.has("Hello Ada"), True


def no_vnc(site):
    site.open("/vnc_lite.html")
    shown = "return document.querySelector('canvas')?.width"
    yield "a screen", site.until(shown, 400), 400


def wsgidav(site):
    yield from webdav(site)
    yield "a listing", site.fetch("/", "Depth: 1", method="PROPFIND").status, 207


def webdav(site):
    there = f"Destination: https://{site.host}"
    yield "PUT", site.fetch("/a", method="PUT", body=b"text").status, 201
    yield "MOVE", site.fetch("/a", f"{there}/b", method="MOVE").status in (201, 204), True
    yield "COPY", site.fetch("/b", f"{there}/c", method="COPY").status in (201, 204), True
    yield "what was moved", site.fetch("/c").body, b"text"


def nginx_site(site):
    got = site.fetch("/d")
    yield "a directory", (got.status, got.get("Location")), (301, f"https://{site.host}/d/")
    yield from webdav(site)


def git(site):
    url = f"{site.client.url}/r.git"
    script = f"""set -e
        export GIT_SSL_NO_VERIFY=1 HOME=$PWD
        alias git='git -c http.curloptResolve={site.host}:127.0.0.1'
        git clone -q {url} one 2>&1 && cd one
        git config user.email a@a.test; git config user.name a
        head -c 3000000 /dev/urandom >big; git add big; git commit -qm one; git push -q origin HEAD
        cd .. && git clone -q {url} two && cmp one/big two/big"""
    with tempfile.TemporaryDirectory() as made:
        words = ["bash", "-O", "expand_aliases", "-c", script]
        done = subprocess.run(words, cwd=made, capture_output=True, text=True, timeout=120)
    yield "clone, push 3 MB, clone", (done.returncode, done.stderr[-300:]), (0, "")


APPS = {
    samples.Vite: vite,
    samples.Webpack: webpack,
    samples.Next: next_dev,
    samples.SocketIo: socket_io,
    samples.Django: django,
    samples.Flask: flask,
    samples.Jupyter: jupyter,
    samples.Streamlit: streamlit,
    samples.Gradio: gradio,
    samples.Wave: wave,
    samples.Nitro: nitro,
    samples.NoVnc: no_vnc,
    samples.WsgiDav: wsgidav,
    samples.Nginx: nginx_site,
    samples.Git: git,
}


class Bench:
    """Has a server for each way, a browser, and the counts."""

    def __init__(self, installed, directory, stack):
        self.installed, self.directory, self.stack = installed, directory, stack
        names = (DOMAIN, f"*.{DOMAIN}", "localhost", "IP:127.0.0.1")
        self.certificate = Authority(directory / "ca").issue("server", *names)
        self.proxy = stack.enter_context(contextlib.closing(Everywhere()))
        flags = [
            *browser.FLAGS,
            f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={key_hash(self.certificate)}",
        ]
        self.chrome = browser.Browser(directory / "browser", flags)
        stack.callback(self.chrome.stop)
        self.servers = {"direct": self.serve("direct")}
        if nginx.PROGRAM:
            options = ("--max-tunnels-per-address", "1000")
            behind = nginx.Behind(self.serve("behind", *options), directory / "front")
            stack.callback(behind.front.stop)
            self.servers["nginx"] = behind
        self.passed = self.failed = self.skipped = 0

    def serve(self, name, *options):
        server = Server(self.directory / name, self.certificate, *options, domain=DOMAIN)
        self.stack.callback(server.stop)
        return server

    def say(self, name, what, came, wanted):
        if came == wanted:
            self.passed += 1
            print(f"ok {name}: {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED {name}: {what}: {came!r}, not {wanted!r}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped {name}: {why}", flush=True)

    def try_app(self, kind, check):
        name = kind.__name__.lower()
        why = self.missing(kind)
        if why:
            self.skip(name, why)
            return
        for way, server in self.servers.items():
            with contextlib.ExitStack() as stack:
                where = self.directory / f"{name}-{way}"
                try:
                    app = kind(self.installed, where)
                    stack.callback(app.stop)
                    options = ("--proxy", self.proxy.url)
                    client = Client(
                        server, app.port, where, *options, name=f"{name}-{way}", url=server.url
                    )
                    stack.callback(client.stop)
                    site = Shared(app, client, self.chrome, self.certificate)
                    for what, came, wanted in check(site):
                        self.say(f"{name} ({way})", what, came, wanted)
                except Exception:
                    traceback.print_exc(file=sys.stdout)
                    self.say(f"{name} ({way})", "the whole", "an exception", "none")

    def missing(self, kind):
        """Returns why an app cannot be tried, as apps.sh has written it down, or None."""
        absent = [program for program in kind.needs if not shutil.which(program)]
        if absent:
            return f"{', '.join(absent)} not installed"
        note = self.installed / f"{kind.__name__.lower()}.missing"
        return note.read_text().strip() if note.exists() else None


def main(installed, wanted):
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as stack:
        bench = Bench(installed, pathlib.Path(made), stack)
        for kind, check in APPS.items():
            if not wanted or kind.__name__.lower() in wanted:
                bench.try_app(kind, check)
        print(f"{bench.passed} passed, {bench.failed} failed, {bench.skipped} skipped")
        return bench.failed != 0


def print_packages():
    for kind in APPS:
        for tool, packages in (("pip", kind.pip), ("npm", kind.npm)):
            if packages:
                print(kind.__name__.lower(), tool, *packages)


if __name__ == "__main__":
    if sys.argv[1:] == ["--packages"]:
        print_packages()
        sys.exit()
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
