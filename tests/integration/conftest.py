# SPDX-License-Identifier: MIT
"""Fixtures. What is expensive and harmless to share (a server, a tunnel to an origin that answers
by path) lives as long as its test file; what a test breaks it starts itself with new_server,
new_client and scripted.

Whoever ends is judged: a program that stops with the wrong code or leaves a sanitizer's report
fails the test or the file."""

import contextlib
import fcntl
import itertools

import other_clients
import pytest
from support import programs
from support.certs import Authority
from support.faultproxy import FaultProxy
from support.origins import OriginProgram, ScriptedOrigin
from support.programs import VARIANT, Client, Server

names = (f"t{number}-name" for number in itertools.count(1))


def pytest_addoption(parser):
    parser.addoption(
        "--client",
        choices=("oneport", *other_clients.KINDS),
        default="oneport",
        help=(
            "who shares the origins: with another client than oneport, only the tests that use"
            " one run"
        ),
    )


def pytest_collection_modifyitems(config, items):
    other_clients.sort_out(config, items)
    if VARIANT == "release":
        return
    for item in items:
        if item.get_closest_marker("release_only"):
            item.add_marker(pytest.mark.skip(reason=f"means nothing with VARIANT={VARIANT}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the ends of all programs' output when a test fails."""
    report = (yield).get_result()
    if report.failed:
        for program in programs.started[-8:]:
            state = "running" if program.running else f"ended with {program.process.returncode}"
            report.sections.append((f"{program.name} {program.pid} ({state})", program.tail(25)))


def pytest_sessionfinish():
    """What never came up was never handed to anyone who would stop it."""
    for program in programs.started:
        if program.running:
            program.process.kill()


@pytest.fixture(scope="session")
def lock_directory(tmp_path_factory):
    """Shared by all workers of one run."""
    return tmp_path_factory.getbasetemp().parent


@pytest.fixture(autouse=True)
def quiet(request, lock_directory):
    """A test marked `alone` waits for the others and keeps them waiting. The first lock is a
    turnstile, so that it gets its turn."""
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
    """Who shares the origins of this file's tests."""
    return pytestconfig.getoption("--client")


@pytest.fixture(scope="module")
def make_client(client_kind):
    """make_client(server, origin, directory, ...): a Client, or another author's in its place."""
    return Client if client_kind == "oneport" else other_clients.maker(client_kind)


@contextlib.contextmanager
def stopping(thing):
    try:
        yield thing
    finally:
        thing.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    with stopping(Server(tmp_path_factory.mktemp("server"), certificate)) as running:
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
    """A client of the file's server that shares the origin which answers by path."""
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
    """A tunnel name that no other test of this server has had."""
    return next(names)


@pytest.fixture
def ended():
    """Stops and closes what a test started, the last first; all of it, even if one of them
    fails."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def new_server(ended, tmp_path_factory, certificate):
    def start(*options, **keywords):
        return ended.enter_context(
            stopping(Server(tmp_path_factory.mktemp("server"), certificate, *options, **keywords))
        )

    return start


@pytest.fixture
def new_client(ended, tmp_path_factory, request, make_client):
    """A client with a name of its own, of the file's server unless another one is given."""

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
    """A scripted origin: scripted(serve) runs serve(connection) for each connection."""
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
    """shared(serve): a tunnel to a scripted origin, on the file's server. The origin is .origin."""

    def start(serve, *options, **keywords):
        origin = scripted(serve)
        client = new_client(origin.port, *options, **keywords)
        client.origin = origin
        return client

    return start


@pytest.fixture(scope="module")
def stage(server, tmp_path_factory, make_client):
    """A client of the file's server, and its scripted origin, which is .origin."""
    with contextlib.closing(ScriptedOrigin(None)) as origin:
        with stopping(
            make_client(server, origin.port, tmp_path_factory.mktemp("stage"), name=next(names))
        ) as client:
            client.origin = origin
            yield client


@pytest.fixture
def played(stage):
    """played(serve): like shared(), without a client of its own. What is tried must leave the
    client as it was."""

    def start(serve):
        stage.origin.play(serve)
        return stage

    yield start
    assert not stage.origin.errors
