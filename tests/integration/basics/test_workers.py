# SPDX-License-Identifier: MIT
"""Tests several workers: a viewer's connection moves to the worker that has the tunnel it asks
for."""

import json
import ssl

import pytest
from support.origins import OriginProgram
from support.programs import Client, Server
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until

WORKERS = 4
TUNNELS = 6


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, certificate):
    """Starts a server with more workers than cores, and more tunnels than workers."""
    server = Server(tmp_path_factory.mktemp("server"), certificate, "--workers", WORKERS)
    origin = OriginProgram("http_origin", tmp_path_factory.mktemp("origin"))
    clients = [
        Client(server, origin.port, tmp_path_factory.mktemp("client"), name=f"w{number}-name")
        for number in range(TUNNELS)
    ]
    yield server, [client.host for client in clients]
    for thing in (*clients, origin, server):
        thing.stop()


def status(server):
    return json.loads(fetch(server.port, "localhost", "/api/status").body)


def ask(viewer, host, path):
    viewer.send(head("GET", path, host))
    return viewer.response()


def test_a_connection_follows_the_names(crowd):
    server, hosts = crowd
    before = status(server)["handoffs"]
    with Viewer(server.port) as viewer:
        for number in range(60):
            answer = ask(viewer, hosts[number % TUNNELS], f"/echo?n={number}")
            assert answer.status == 200 and f"n={number}".encode() in answer.body
    assert status(server)["handoffs"] > before


def test_pipelined_requests_are_answered_in_order(crowd):
    server, hosts = crowd
    with Viewer(server.port) as viewer:
        viewer.send(
            b"".join(
                head("GET", f"/echo?n={number}", hosts[number % TUNNELS]) for number in range(60)
            )
        )
        for number in range(60):
            answer = viewer.response()
            assert answer.status == 200 and f'n={number}"'.encode() in answer.body.replace(
                b" ", b""
            )


def test_a_tls_connection_follows_the_names(crowd, certificate):
    server, hosts = crowd
    context = ssl.create_default_context(cafile=certificate.ca)
    with Viewer(server.port, tls=context) as viewer:
        for number in range(24):
            assert ask(viewer, hosts[number % TUNNELS], f"/echo?n={number}").status == 200


def test_built_ins_about_a_name_are_answered_by_its_worker(crowd):
    server, hosts = crowd
    for host in hosts:
        name = host.split(".")[0]
        for _ in range(WORKERS * 2):
            assert links(server, name) == 1


def test_every_worker_takes_connections(crowd):
    server, hosts = crowd
    assert status(server)["workers"] == WORKERS
    answers = [fetch(server.port, hosts[number % TUNNELS], "/echo").status for number in range(100)]
    assert set(answers) == {200}


def test_a_restart_keeps_the_names_of_all_workers(crowd):
    server, hosts = crowd
    server.restart()
    for host in hosts:
        wait_until(lambda: links(server, host.split(".")[0]) == 1, 20, f"{host} to be back")
        assert fetch(server.port, host, "/echo").status == 200
