"""Rows 4, 5, 27 and 33: oneportd is stopped, killed or asks for fresh links, nginx is reloaded; what comes through, and how soon."""

import collections
import contextlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import h2.exceptions
import pytest
from h2.settings import SettingCodes
from support import nginx, pattern
from support.foreign import ForeignLink, register
from support.nginx import Nginx
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until

CUT = (Broken, EOFError, ConnectionError, TimeoutError)


# ---- row 4 ----
def trickling(parts, pause_s, total):
    """serve(connection) of an answer that takes its time."""

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        data = pattern.pattern(total)
        for part in range(parts):
            connection.send(data[part * total // parts: (part + 1) * total // parts])
            time.sleep(pause_s)

    return serve


@pytest.mark.parametrize("seconds", [1.5, pytest.param(9.5, marks=pytest.mark.full)])
def test_row_4_running_downloads_finish(new_server, shared, seconds):
    """Fifty of them. The client hears GOAWAY at once, none is cut, and the server is gone as soon as the last is through."""
    server = new_server(drain="30s")
    total = 200_000
    client = shared(trickling(10, seconds / 10, total), server=server)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(50) as pool:
        viewers = [stack.enter_context(Viewer(server.port, timeout_s=60)) for _ in range(50)]
        for viewer in viewers:
            viewer.send(head("GET", "/", client.host))
        answers = [pool.submit(viewer.response) for viewer in viewers]
        wait_until(lambda: len(client.origin.connections) == 50, 10 * SLOW, "fifty downloads")
        start = time.monotonic()
        server.program.signal(signal.SIGTERM)
        client.program.wait_output("server says goodbye reason=draining", 1)
        whole = sum(answer.exception() is None and answer.result().body == pattern.pattern(total) for answer in answers)
        server.program.expect_exit(0, seconds + 5)
    assert whole == 50 and time.monotonic() - start < (seconds + 3) * SLOW


def test_row_4_the_grace_ends_and_a_second_signal_ends_it_at_once(new_server, shared):
    for again in (False, True):
        server = new_server(drain="30s" if again else "1s")
        client = shared(trickling(100, 1, 1000), server=server)
        with Viewer(server.port) as viewer:
            viewer.send(head("GET", "/", client.host))
            assert viewer.response_head().status == 200
            server.program.signal(signal.SIGTERM)
            server.wait_log("draining signal")
            start = time.monotonic()
            if again:
                server.program.signal(signal.SIGTERM)
            server.program.expect_exit(0, 10)
            assert time.monotonic() - start < (1.0 if again else 2.0) * SLOW
            with pytest.raises(CUT):
                viewer.exactly(1000)


# ---- row 5 ----
def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@pytest.mark.parametrize("rounds,count", [(2, 12), pytest.param(20, 100, marks=[pytest.mark.full, pytest.mark.timeout(1800)])])
def test_row_5_kill_9_and_the_same_urls_again(new_server, new_client, http_origin, rounds, count):
    """Each client is back under its URL within ten seconds; no name is lost, whenever the server died."""
    server = new_server()
    clients = [new_client(http_origin.port, server=server, wait=False) for _ in range(count)]
    for client in clients:
        client.wait_up(30)
    urls = {client.url for client in clients}
    names = server.directory / "state" / "names"
    wait_until(lambda: all(f"{client.name} " in names.read_text() for client in clients), what="all names in the file")
    for _ in range(rounds):
        server.restart()
        start, back = time.monotonic(), []
        waiting = list(clients)
        while waiting and time.monotonic() - start < 30 * SLOW:
            gone = [client for client in waiting if f"link up name={client.name} " in server.log]
            back += [time.monotonic() - start] * len(gone)
            waiting = [client for client in waiting if client not in gone]
            time.sleep(0.02)
        assert not waiting and percentile(back, 0.99) < 10 * SLOW
        assert {fetch(server.port, client.host, "/echo").status for client in clients} == {200}
    assert all(client.program.running and client.program.stdout.count("your url is:") == 1 for client in clients)
    assert {client.url for client in clients} == urls
