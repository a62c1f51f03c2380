# SPDX-License-Identifier: MIT
"""This module has the fixtures of all tests. A fixture that is expensive and harmless to share (a
server, or a tunnel to an origin that answers by path) lives as long as its test file. A test that
breaks a program starts its own with new_server, new_client or scripted.

Each program is judged when it stops: a wrong exit code or a sanitizer's report fails the test or
the file."""

import contextlib
import fcntl
import itertools

import other_clients
import pytest
from support import nginx, over_http2, programs
from support.certs import Authority
from support.faultproxy import FaultProxy
from support.nginx import Behind
from support.origins import OriginProgram, ScriptedOrigin
from support.over_http2 import OverHttp2
from support.programs import VARIANT, Client, Server, stopping

names = (f"t{number}-name" for number in itertools.count(1))


def pytest_addoption(parser):
    parser.addoption(
        "--client",
        choices=("oneport", *other_clients.KINDS),
        default="oneport",
        help="the client that shares the origins; with another one than oneport, "
        "only the tests that use a client run",
    )


@pytest.hookimpl(trylast=True)  # so that the way is the last word of a test's id
def pytest_generate_tests(metafunc):
    """Runs the tests of a module that has WAYS once for each of them, if they use a server."""
    ways = getattr(metafunc.module, "WAYS", ())
    if "way" in metafunc.fixturenames and ways:
        if metafunc.config.getoption("--client") != "oneport":
            ways = ("direct",)
        metafunc.parametrize("way", ways, indirect=True, scope="module")


def pytest_collection_modifyitems(config, items):
    dropped = [
        item
        for item in items
        if (item.get_closest_marker("direct") and way_of(item) not in (None, "direct"))
        or (item.get_closest_marker("http1") and way_of(item) == "http2")
    ]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
    other_clients.sort_out(config, items)
    if VARIANT == "release":
        return
    for item in items:
        if item.get_closest_marker("release_only"):
            item.add_marker(pytest.mark.skip(reason=f"means nothing with VARIANT={VARIANT}"))


def way_of(item):
    """Returns the way by which a test's viewers reach the server, or None if there is no choice."""
    return item.callspec.params.get("way") if hasattr(item, "callspec") else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of each running or recent program's output when a test fails."""
    report = (yield).get_result()
    if report.failed:
        for program in programs.started[-8:]:
            state = "running" if program.running else f"ended with {program.process.returncode}"
            report.sections.append((f"{program.name} {program.pid} ({state})", program.tail(25)))


def pytest_sessionfinish():
    """Kills the programs that no fixture stops, because they never came up."""
    for program in programs.started:
        if program.running:
            program.process.kill()


@pytest.fixture(scope="session")
def lock_directory(tmp_path_factory):
    """Returns a directory that all workers of one run share."""
    return tmp_path_factory.getbasetemp().parent


@pytest.fixture(autouse=True)
def quiet(request, lock_directory):
    """Lets a test marked `alone` run while no other test runs.

    Such a test waits until the others are done and keeps new ones waiting. The first lock is a
    turnstile: without it a waiting test would never get its turn."""
    alone = request.node.get_closest_marker("alone") is not None
    with open(lock_directory / "turnstile", "w") as turnstile, open(
        lock_directory / "running", "w"
    ) as running:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(turnstile, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def forget_old_programs(quiet):
    programs.started[:] = [program for program in programs.started if program.running]


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("server", "localhost", "*.localhost", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def client_kind(pytestconfig):
    """Names the client program that shares the origins of this file's tests."""
    return pytestconfig.getoption("--client")


@pytest.fixture(scope="module")
def make_client(client_kind):
    """Returns make_client(server, origin, directory, ...), which starts a Client or another
    author's client in its place."""
    return Client if client_kind == "oneport" else other_clients.maker(client_kind)


@pytest.fixture(scope="module")
def way(request):
    """Is the way by which viewers reach the server: `direct`, over `http2` (HAProxy translates), or
    through `nginx`, which clients use as well."""
    way = getattr(request, "param", "direct")
    if way == "http2" and not over_http2.PROGRAM:
        pytest.skip("haproxy is not installed")
    if way == "nginx" and not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    return way


@pytest.fixture(scope="module")
def start_server(tmp_path_factory, certificate, way):
    """Returns a function that starts a server, and nginx in front of it if that is the way."""

    def start(*options, **keywords):
        if way == "nginx":  # which names an address, so that it counts
            options += ("--max-tunnels-per-address", "1000", "--register-rate", "10000")
        server = Server(tmp_path_factory.mktemp("server"), certificate, *options, **keywords)
        if way == "http2":
            return OverHttp2(server, tmp_path_factory.mktemp("http2"))
        return Behind(server, tmp_path_factory.mktemp("nginx")) if way == "nginx" else server

    return start


@pytest.fixture(scope="module")
def server(start_server):
    with stopping(start_server()) as running:
        yield running


@pytest.fixture(scope="module")
def http_origin(tmp_path_factory):
    with stopping(OriginProgram("http_origin", tmp_path_factory.mktemp("http-origin"))) as running:
        yield running


@pytest.fixture(scope="module")
def websocket_origin(tmp_path_factory):
    with stopping(
        OriginProgram("websocket_origin", tmp_path_factory.mktemp("websocket-origin"))
    ) as running:
        yield running


@pytest.fixture(scope="module")
def tunnel(server, http_origin, tmp_path_factory, make_client):
    """Starts a client of the file's server. The client shares the origin that answers by path."""
    with stopping(
        make_client(server, http_origin.port, tmp_path_factory.mktemp("tunnel"), name=next(names))
    ) as running:
        yield running


@pytest.fixture(scope="module")
def websocket_tunnel(server, websocket_origin, tmp_path_factory, make_client):
    with stopping(
        make_client(
            server, websocket_origin.port, tmp_path_factory.mktemp("tunnel"), name=next(names)
        )
    ) as running:
        yield running


@pytest.fixture
def name():
    """Returns a tunnel name that no other test of this server has had."""
    return next(names)


@pytest.fixture
def ended():
    """Stops and closes what a test started, in reverse order, even if one of the stops fails."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def new_server(ended, start_server):
    return lambda *options, **keywords: ended.enter_context(
        stopping(start_server(*options, **keywords))
    )


@pytest.fixture
def new_client(ended, tmp_path_factory, request, make_client):
    """Returns a function that starts a client under a name of its own. The client uses the file's
    server unless the test gives another one."""

    def start(origin, *options, server=None, **keywords):
        server = server or request.getfixturevalue("server")
        keywords.setdefault("name", next(names))
        return ended.enter_context(
            stopping(
                make_client(server, origin, tmp_path_factory.mktemp("client"), *options, **keywords)
            )
        )

    return start


@pytest.fixture
def new_origin(ended, tmp_path_factory):
    def start(module="http_origin"):
        return ended.enter_context(stopping(OriginProgram(module, tmp_path_factory.mktemp(module))))

    return start


@pytest.fixture
def scripted(ended):
    """Returns scripted(serve), which starts an origin that runs serve(connection) for each
    connection."""
    return lambda *given, **keywords: ended.enter_context(
        contextlib.closing(ScriptedOrigin(*given, **keywords))
    )


@pytest.fixture
def new_proxy(ended):
    return lambda *given, **keywords: ended.enter_context(
        contextlib.closing(FaultProxy(*given, **keywords))
    )


@pytest.fixture
def shared(new_client, scripted):
    """Returns shared(serve), which starts a client of the file's server that shares a scripted
    origin. The client has the origin as .origin."""

    def start(serve, *options, **keywords):
        origin = scripted(serve)
        client = new_client(origin.port, *options, **keywords)
        client.origin = origin
        return client

    return start


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory, make_client, pytestconfig):
    """Starts a client of the file's server that shares a scripted origin. The client has the origin
    as .origin. oneport asks nothing a second time, so the origin sees what the viewer asked."""
    options = ["--host-header", "keep"] if pytestconfig.getoption("--client") == "oneport" else []
    directory = tmp_path_factory.mktemp("stage")
    with contextlib.closing(ScriptedOrigin(None)) as origin:
        with stopping(
            make_client(server, origin.port, directory, *options, name=next(names))
        ) as client:
            client.origin = origin
            yield client


@pytest.fixture
def played(stage):
    """Returns played(serve), which gives the origin of the stage client another script.

    Unlike shared() it starts no client, so the test must leave the client as it was."""

    def start(serve):
        stage.origin.play(serve)
        return stage

    yield start
    assert not stage.origin.errors
