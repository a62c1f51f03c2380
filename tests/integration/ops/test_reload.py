# SPDX-License-Identifier: MIT
"""Tests row 23. SIGHUP loads a new certificate, or keeps the old one if the new pair is bad. SIGHUP
and SIGUSR1 open the access log again."""

import asyncio
import contextlib
import shutil
import signal
import ssl
import threading
import time

import pytest
from support.programs import BIN, SLOW, VARIANT, Program, Server, stable
from support.viewer import Viewer, fetch
from support.wait import wait_until
from support.websocket_viewer import connect, echoes

MIB = 1 << 20
KEPT, TAKEN = "certificate_not_reloaded", "certificate_reloaded"


class Pair:
    """This has the files that the server was given, and pairs to copy there. Server uses it as a
    certificate."""

    def __init__(self, directory, authority):
        self.cert, self.key, self.ca = (
            directory / "used.crt",
            directory / "used.key",
            authority.cert,
        )
        self.pairs = [
            authority.issue(label, "localhost", "*.localhost", "IP:127.0.0.1")
            for label in ("one", "two")
        ]
        self.put(0)

    def put(self, number, key=None):
        """Copies pair @number, or its certificate with the key of another pair."""
        shutil.copy(self.pairs[number].cert, self.cert)
        shutil.copy(self.pairs[number if key is None else key].key, self.key)

    def client_context(self, alpn=None):
        return self.pairs[0].client_context(alpn)

    def der(self, number):
        return ssl.PEM_cert_to_DER_cert(self.pairs[number].cert.read_text())


@pytest.fixture
def pair(tmp_path_factory, authority):
    return Pair(tmp_path_factory.mktemp("pair"), authority)


@pytest.fixture
def reloading(tmp_path_factory, pair, ended):
    server = Server(tmp_path_factory.mktemp("reloading"), pair, "--workers", "2")
    ended.callback(server.stop)
    return server


def shown(server):
    """Returns the certificate that a new connection sees."""
    with Viewer(server.port, server.certificate.client_context()) as viewer:
        return viewer.socket.getpeercert(binary_form=True)


def hup(server, rounds=None):
    """Sends SIGHUP and waits until the server has reloaded."""
    done = rounds if rounds is not None else server.log.count("reloaded signal=1")
    server.program.signal(signal.SIGHUP)
    server.wait_log("reloaded signal=1", count=done + 1)


def test_row_23_new_connections_see_the_new_certificate_on_all_workers(
    reloading, pair, new_client, http_origin
):
    client = new_client(http_origin.port, server=reloading)
    with Viewer(reloading.port, pair.client_context()) as old:
        assert old.get(client.host, "/echo").status == 200
        pair.put(1)
        start = time.monotonic()
        reloading.program.signal(signal.SIGHUP)
        wait_until(lambda: shown(reloading) == pair.der(1), 1.0 * SLOW, "the new certificate")
        assert time.monotonic() - start < 1.0 * SLOW
        assert {shown(reloading) for _ in range(20)} == {pair.der(1)}
        # The old connection and the old link still work.
        assert old.get(client.host, "/echo").status == 200
    assert "link_lost" not in reloading.log


def mismatch(pair):
    pair.put(1, key=0)


def garbage(pair):
    pair.put(1)
    pair.cert.write_bytes(bytes(range(256)) * 4)


def no_key(pair):
    pair.put(1)
    pair.key.unlink()


def a_directory(pair):
    pair.put(1)
    pair.cert.unlink()
    pair.cert.mkdir()


def half_a_key(pair):
    pair.put(1)
    pair.key.write_bytes(pair.key.read_bytes()[:100])


@pytest.mark.parametrize(
    "spoil,what",
    [
        (mismatch, r"key \S*used\.key: key values mismatch"),
        (garbage, r"certificate \S*used\.crt: it holds no"),
        (no_key, r"key \S*used\.key: No such file"),
        (a_directory, r"certificate \S*used\.crt: "),
        (half_a_key, r"key \S*used\.key: it holds no"),
    ],
)
def test_row_23_a_bad_pair_keeps_the_old_one(reloading, pair, spoil, what):
    """One log line says which file is wrong, and why. The server takes the next good pair."""
    spoil(pair)
    hup(reloading)
    assert {shown(reloading) for _ in range(4)} == {pair.der(0)}
    assert reloading.log.count(KEPT) == 1
    reloading.wait_log(rf"error {KEPT} reason=.*{what}")
    if pair.cert.is_dir():
        pair.cert.rmdir()
    pair.put(1)
    hup(reloading)
    assert shown(reloading) == pair.der(1)


class Load:
    """Sends requests without pause, on kept connections and on new ones over TLS."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.done, self.bad, self.stopping = 0, [], threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(work,))
            for work in (self.kept, self.kept, self.fresh, self.fresh)
        ]

    def run(self, work):
        try:
            work()
        except Exception as error:  # the test looks for any failure
            self.bad.append(repr(error))

    def kept(self):
        with Viewer(self.server.port, self.server.certificate.client_context()) as viewer:
            while not self.stopping.is_set():
                self.judge(viewer.get(self.client.host, "/echo"))

    def fresh(self):
        tls = self.server.certificate.client_context()
        while not self.stopping.is_set():
            self.judge(fetch(self.server.port, self.client.host, "/echo", tls=tls))

    def judge(self, got):
        self.done += 1
        if got.status != 200:
            self.bad.append(got.status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *why):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


@pytest.mark.parametrize(
    "times", [100, pytest.param(1000, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_row_23_many_times_under_load(
    reloading, pair, new_client, http_origin, websocket_origin, times
):
    """Good and bad pairs take turns. No request fails, no link and no WebSocket is lost, and
    nothing leaks."""
    client = new_client(http_origin.port, server=reloading)
    sockets = new_client(websocket_origin.port, server=reloading)
    assert fetch(reloading.port, client.host, "/echo").status == 200
    fds, settled = stable(reloading.fds), None

    async def run():
        async with connect(sockets) as opened:
            with Load(reloading, client) as load:
                for number in range(times):
                    pair.put(number // 2 % 2, key=None if number % 2 == 0 else 1 - number // 2 % 2)
                    await asyncio.to_thread(hup, reloading, number)
                    if number == times // 4:
                        nonlocal settled
                        settled = reloading.rss()
            await echoes(opened)
        return load

    load = asyncio.run(run())
    assert load.bad == [] and load.done > times
    assert "link_lost" not in reloading.log
    assert (
        reloading.log.count(f"{TAKEN} ") == times // 2
        and reloading.log.count(f"{KEPT} ") == times // 2
    )
    wait_until(lambda: reloading.fds() <= fds, 10, "the descriptors of before")
    if VARIANT == "release":
        assert reloading.rss() - settled < 2 * MIB


# ---- logs ----
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_the_access_log_is_opened_anew(new_server, number):
    """The log is rotated: the file that was moved away gets no further lines, and no line is
    lost."""
    server = new_server()
    path, moved = server.directory / "access.log", server.directory / "access.log.1"

    def ask(target):
        assert fetch(server.port, "nobody.localhost", target).status == 404

    ask("/before")
    wait_until(lambda: "/before" in path.read_text(), what="the line")
    path.rename(moved)
    ask("/between")
    server.program.signal(number)
    server.wait_log("reloaded|logs_reopened")
    ask("/after")
    wait_until(lambda: "/after" in path.read_text(), what="the line in the new file")
    assert "/between" in moved.read_text() and "/after" not in moved.read_text()


def test_a_signal_that_comes_early_waits(tmp_path_factory, pair, ended):
    """The server handles signals from its first moment, since a supervisor may send them early."""
    server = Server(tmp_path_factory.mktemp("early"), pair)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.program.signal(signal.SIGHUP)
        server.program.signal(signal.SIGUSR1)
        server.wait_log("reloaded signal=1")
        server.wait_log("logs_reopened signal=10")


# ---- options ----
@pytest.fixture
def options(tmp_path):
    """Is a configuration file, written by options(line...)."""

    def write(*lines):
        write.path.write_text("".join(f"{line}\n" for line in lines))
        return write.path

    write.path = tmp_path / "oneportd.conf"
    return write


@pytest.mark.rule("O108")
def test_options_that_can_change_are_applied(new_server, options):
    """All workers see the new value; the connections that are open stay."""
    before = "https://before.example/", "https://after.example/"
    options(f"landing = {before[0]}", "workers = 2", "log-level = info")
    server = new_server("--config", options.path)
    host = f"localhost:{server.port}"
    with contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(Viewer(server.port)) for _ in range(8)]
        for viewer in viewers:
            assert viewer.get(host, "/").get("location") == before[0]
        options(f"landing = {before[1]}", "workers = 3", "log-level = debug")
        hup(server)
        for viewer in viewers:
            assert viewer.get(host, "/").get("location") == before[1]
    server.wait_log(r"options_reloaded options=landing,log-level")
    server.wait_log(r"options_need_restart options=workers")
    hup(server)
    assert server.log.count("options_reloaded") == 1
    assert server.log.count("options_need_restart") == 2


@pytest.mark.rule("O107")
def test_a_fault_keeps_the_old_options(new_server, options):
    """The line of the log names file and line, and the server has none of the new values."""
    landing = "https://kept.example/"
    options(f"landing = {landing}")
    server = new_server("--config", options.path)
    options("landing = https://lost.example/", "hold = soon")
    hup(server)
    server.wait_log(rf"options_not_reloaded reason=.*{options.path}:2: hold: 'soon' is not a dur")
    answer = fetch(server.port, f"localhost:{server.port}", "/")
    assert answer.get("location") == landing
    options.path.unlink()
    hup(server)
    server.wait_log(rf"options_not_reloaded reason=.*{options.path}: No such file")
    options(f"landing = {landing}")
    hup(server)
    assert server.log.count("options_not_reloaded") == 2
    assert "options_reloaded" not in server.log


@pytest.mark.rule("O108")
def test_a_certificate_that_the_file_names(tmp_path_factory, pair, options, ended, certificate):
    """The file gets the path of another certificate, and new connections see that."""

    def lines(number):
        return f"cert = {pair.pairs[number].cert}", f"key = {pair.pairs[number].key}"

    directory = tmp_path_factory.mktemp("named")
    options("domain = localhost", "listen = 127.0.0.1:0", f"state-dir = {directory}", *lines(0))
    server = Program([BIN / "oneportd", "--config", options.path], directory, "oneportd")
    ended.callback(server.stop)
    port = int(server.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1))

    def shown():
        return ssl.get_server_certificate(("127.0.0.1", port))

    assert ssl.PEM_cert_to_DER_cert(shown()) == pair.der(0)
    options("domain = localhost", "listen = 127.0.0.1:0", f"state-dir = {directory}", *lines(1))
    server.signal(signal.SIGHUP)
    server.wait_output("reloaded signal=1")
    assert ssl.PEM_cert_to_DER_cert(shown()) == pair.der(1)
    assert "options_reloaded options=cert,key" in server.log
