# SPDX-License-Identifier: MIT
"""Real apps of other authors, each with the smallest program that shows what it needs of a proxy.
Each is started on a port of its own, by its usual command and without options for proxies."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

from support.programs import Program, free_port
from support.viewer import fetch
from support.wait import wait_until

START_S = 120


class App:
    """Is a running app. Subclasses say what they need and how they are started."""

    pip = npm = ()  # packages
    needs = ()  # programs of Debian
    files = {}  # of the app's folder

    def __init__(self, installed, directory):
        self.logs = pathlib.Path(directory)
        # Node looks for packages in the folders above; Turbopack takes no links to them.
        self.directory = (installed / "npm" if self.npm else self.logs) / f"app-{self.logs.name}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.installed = installed
        self.port = free_port()
        for name, text in self.files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.programs = []
        self.prepare()
        self.run(*self.command())
        wait_until(self.is_ready, START_S, f"{type(self).__name__} to be ready")

    def prepare(self):
        """Does what comes before the start."""

    def is_ready(self):
        return listens(self.port)

    def run(self, *argv, where=None, **env):
        """Starts a program in the app's folder, or in another one."""
        name = f"app{len(self.programs)}"
        argv = ["env", "-C", where or self.directory, *argv]
        env = {
            "HOME": self.logs,
            "PYTHONUNBUFFERED": "1",
            "NEXT_TELEMETRY_DISABLED": "1",
        } | env
        self.programs.append(Program(argv, self.logs, name, env=env))

    def tool(self, name):
        """Returns the path of a program that pip or npm has installed."""
        return self.installed / ("npm/node_modules/.bin" if self.npm else "venv/bin") / name

    def stop(self):
        for program in reversed(self.programs):
            program.judged = True
            try:
                os.killpg(program.pid, 15)
                program.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, 9)
            except ProcessLookupError:
                pass


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Vite(App):
    npm = ("vite@8.3.8",)
    files = {
        "index.html": "<!doctype html><p id=a>raw</p><script type=module src=/main.js></script>",
        "main.js": "document.getElementById('a').textContent = 'one'; import.meta.hot.accept()",
    }

    def command(self):
        return self.tool("vite"), "--port", self.port, "--host", "127.0.0.1"

    def edit(self):
        path = self.directory / "main.js"
        path.write_text(path.read_text().replace("one", "two"))


class Webpack(App):
    npm = ("webpack@5.112.2", "webpack-cli@6", "webpack-dev-server@5")
    files = {
        "src/index.js": "document.getElementById('a').textContent = 'one'",
        "public/index.html": "<!doctype html><p id=a>raw</p><script src=/main.js></script>",
        # Without the last line the page looks for its WebSocket at the viewer's own machine.
        "webpack.config.js": """\
module.exports = {
    mode: "development", entry: "./src/index.js",
    devServer: {client: {webSocketURL: "auto://0.0.0.0:0/ws"}},
};
""",
    }

    def command(self):
        return self.tool("webpack"), "serve", "--port", self.port, "--host", "127.0.0.1"

    def edit(self):
        path = self.directory / "src" / "index.js"
        path.write_text(path.read_text().replace("one", "two"))


class Next(App):
    npm = ("next@16.4.6", "react@19", "react-dom@19")
    files = {
        "package.json": '{"private": true}',
        "app/layout.js": "export default ({children}) => <html><body>{children}</body></html>",
        "app/page.js": """\
import Form from "./form";
async function add(state, data) { "use server"; return "added " + data.get("x"); }
export default function Page() { return <Form add={add} />; }
""",
        "app/form.js": """\
"use client";
import { useActionState, useEffect, useState } from "react";
export default function Form({add}) {
    const [said, go] = useActionState(add, "none");
    const [life, live] = useState("raw");
    useEffect(() => live("live"), []);
    return <form action={go}><p id="a">one</p><p id="s">{said}</p><p id="l">{life}</p>
        <input name="x" defaultValue="1" /><button id="b">add</button></form>;
}
""",
    }

    def command(self):
        return self.tool("next"), "dev", "-p", self.port, "-H", "127.0.0.1"

    def is_ready(self):
        """Compiles the page, which may take longer than a browser is waited for."""
        try:
            return listens(self.port) and fetch(self.port, "localhost", timeout_s=START_S)
        except OSError:
            return False

    def edit(self):
        path = self.directory / "app" / "form.js"
        path.write_text(path.read_text().replace("one", "two"))


class SocketIo(App):
    npm = ("socket.io@4.8.4",)
    files = {
        "server.js": """\
const http = require("http").createServer((ask, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end("<p id=a>raw</p><p id=t></p><script src=/socket.io/socket.io.js></script>" +
        "<script>const s = io();" +
        "s.on('hello', text => { document.getElementById('a').textContent = text });" +
        "s.on('connect', () => s.io.engine.on('upgrade', t => " +
        "document.getElementById('t').textContent = t.name))</script>");
});
new (require("socket.io").Server)(http).on("connection", s => s.emit("hello", "one"));
http.listen(+process.argv[2], "127.0.0.1");
""",
    }

    def command(self):
        return "node", "server.js", self.port


class Django(App):
    pip = ("django==5.2.*",)

    def prepare(self):
        env = {**os.environ, "HOME": str(self.directory)}
        manage = [self.tool("python"), "manage.py"]

        def run(*argv, **more):
            subprocess.run(
                argv, cwd=self.directory, check=True, capture_output=True, env=env | more
            )

        run(self.tool("django-admin"), "startproject", "site1", ".")
        run(*manage, "migrate")
        user = {"DJANGO_SUPERUSER_PASSWORD": "secret"}
        run(*manage, "createsuperuser", "--noinput", "--username=a", "--email=a@a.test", **user)

    def command(self):
        return self.tool("python"), "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"


class Flask(App):
    pip = ("flask",)
    files = {
        "app.py": """\
from flask import Flask, redirect, request, session, url_for
app = Flask(__name__)
app.secret_key = "x"

@app.route("/", methods=["GET", "POST"])
def index():
    if request.method == "POST":
        session["said"] = request.form["x"]
        return redirect(url_for("index", _external=True))
    said = session.get("said", "none")
    form = "<form method=post><input name=x value=1><button id=b>go</button></form>"
    return f"<p id=s>{said}</p>{form}"
"""
    }

    def command(self):
        return self.tool("flask"), "run", "-p", self.port


class Jupyter(App):
    pip = ("jupyterlab",)

    def command(self):
        options = ("--no-browser", "--allow-root", "--IdentityProvider.token=", "--port-retries=0")
        return self.tool("jupyter"), "lab", *options, f"--port={self.port}"


class Streamlit(App):
    pip = ("streamlit",)
    files = {
        "app.py": """\
import streamlit as st
if st.button("more"):
    st.session_state.n = st.session_state.get("n", 0) + 1
st.write("pressed", st.session_state.get("n", 0), "times")
"""
    }

    def command(self):
        options = ("--server.headless=true", "--browser.gatherUsageStats=false")
        return self.tool("streamlit"), "run", "app.py", f"--server.port={self.port}", *options


class Gradio(App):
    pip = ("gradio",)
    files = {
        "app.py": """\
import sys
import gradio as gr
gr.Interface(lambda x: "hello " + x, gr.Textbox("Ada", elem_id="x"), gr.Textbox(elem_id="s"),
             flagging_mode="never").launch(server_port=int(sys.argv[1]))
"""
    }

    def command(self):
        return self.tool("python"), "app.py", self.port


class Wave(App):
    pip = ("h2o-wave",)
    files = {
        "app.py": """\
from h2o_wave import Q, app, main, ui

@app("/")
async def serve(q: Q):
    if not q.client.there:
        q.client.there = True
        q.page["form"] = ui.form_card(box="1 1 4 4", items=[
            ui.textbox(name="x", label="Text"), ui.button(name="b", label="Send")])
    elif q.args.b:
        q.page["form"].items = [ui.text(f"got {q.args.x}")]
    await q.page.save()
"""
    }

    def command(self):
        self.app_port = free_port()
        address = f"127.0.0.1:{self.port}"
        venv = self.installed / "venv"
        self.run(venv / "waved", "-listen", address, "-data-dir", self.directory, where=venv)
        wait_until(lambda: listens(self.port), START_S, "waved to listen")
        server = f"http://{address}"
        return (
            "env",
            f"H2O_WAVE_ADDRESS={server}",
            f"H2O_WAVE_APP_ADDRESS=http://127.0.0.1:{self.app_port}",
            self.tool("uvicorn"),
            "app:main",
            f"--port={self.app_port}",
        )


class Nitro(App):
    pip = ("h2o-nitro[web]", "flask", "simple-websocket")
    files = {
        "app.py": """\
from flask import Flask, send_from_directory
from h2o_nitro import View, box
from h2o_nitro_web import web_directory
from simple_websocket import ConnectionClosed, Server

def hello(view: View):
    name = view(box("Your name?", value="Ada"))
    view(f"Hello {name}")

nitro = View(hello, title="n", caption="n")
app = Flask(__name__, static_folder=web_directory, static_url_path="")

@app.route("/")
def home():
    return send_from_directory(web_directory, "index.html")

@app.route("/nitro", websocket=True)
def socket():
    from flask import request
    ws = Server.accept(request.environ)
    try:
        nitro.serve(ws.send, ws.receive)
    except ConnectionClosed:
        ws.close()
    return ""
"""
    }

    def command(self):
        return self.tool("flask"), "run", "-p", self.port


class NoVnc(App):
    """Shows a screen of this machine in the page."""

    needs = ("Xvnc", "websockify")

    def command(self):
        port = free_port()
        options = ("-SecurityTypes", "None", "-localhost", "-geometry", "400x300")
        self.run("Xvnc", f":{port}", "-rfbport", port, *options)
        wait_until(lambda: listens(port), START_S, "Xvnc to listen")
        address = f"127.0.0.1:{self.port}"
        return "websockify", "--web", "/usr/share/novnc", address, f"127.0.0.1:{port}"


class WsgiDav(App):
    pip = ("wsgidav", "cheroot")

    def command(self):
        options = ("--host=127.0.0.1", "--auth=anonymous", "--root=.", "--no-config")
        return self.tool("wsgidav"), *options, f"--port={self.port}"


class Nginx(App):
    """Redirects to a directory, and moves by its own WebDAV."""

    needs = ("nginx",)
    files = {"d/index.html": "one", "f": "file"}

    def prepare(self):
        (self.directory / "nginx.conf").write_text(
            "daemon off; user root; worker_processes 1; error_log stderr; pid nginx.pid;"
            "events {} http { access_log off; client_body_temp_path .b; proxy_temp_path .p;"
            "fastcgi_temp_path .f; uwsgi_temp_path .u; scgi_temp_path .s;"
            f"server {{ listen 127.0.0.1:{self.port}; root {self.directory};"
            " location / { dav_methods PUT MOVE COPY DELETE; } } }"
        )

    def command(self):
        return "nginx", "-p", self.directory, "-c", "nginx.conf"


class Git(App):
    """Is a bare repository behind git's own CGI program."""

    files = {
        "server.py": """\
import http.server, os, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if not self.headers.get("Transfer-Encoding"):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size + 2)[:-2])
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        sent = self.body()
        got = subprocess.run(["git", "http-backend"], input=sent, capture_output=True, env={
            **os.environ, "GIT_PROJECT_ROOT": os.getcwd(), "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "a", "REQUEST_METHOD": self.command, "PATH_INFO": path,
            "QUERY_STRING": query, "CONTENT_LENGTH": str(len(sent)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")}).stdout
        head, _, body = got.partition(b"\\r\\n\\r\\n")
        fields = [line.partition(": ")[::2] for line in head.decode().split("\\r\\n")]
        self.send_response(int(dict(fields).get("Status", "200")[:3]))
        for name, value in [*fields, ("Content-Length", str(len(body)))]:
            if name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    }

    def prepare(self):
        repository = self.directory / "r.git"
        subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
        subprocess.run(["git", "config", "http.receivepack", "true"], cwd=repository, check=True)

    def command(self):
        return sys.executable, "server.py", self.port
