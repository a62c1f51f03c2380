# SPDX-License-Identifier: MIT
"""Tests gRPC through oneport, with Debian's grpcio on both ends: as a viewer of oneportd, and on
the link alone, through support/h2_door.py."""

import contextlib
import queue

import pytest
from support.grpc_viewer import STATUS, Calls, Failed
from support.h2_door import H2Door
from support.origins import OriginProgram
from support.programs import SLOW, Client, Server, free_port, stopping
from support.wait import wait_until

NAMES = ("calls", "down", "nobody", "restarts")
DEADLINE_S = 20 * SLOW
MESSAGE = bytes(range(256)) * (4 << 12)  # 4 MiB


@pytest.fixture(scope="module")
def grpc_origin(tmp_path_factory):
    origin = OriginProgram("grpc_origin", tmp_path_factory.mktemp("grpc-origin"))
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def target(grpc_origin):
    return f"h2c://127.0.0.1:{grpc_origin.port}"


@pytest.fixture(scope="module")
def by_link(certificate, target, tmp_path_factory):
    """Has calls that reach oneport's link without oneportd."""
    with contextlib.closing(H2Door(certificate, tmp_path_factory.mktemp("door"), target)) as door:
        with contextlib.closing(Calls(f"127.0.0.1:{door.port}")) as made:
            yield made


@pytest.fixture(scope="module")
def server(authority, tmp_path_factory):
    """Has a certificate for the names of this file, since grpcio takes *.localhost for none."""
    pair = authority.issue("grpc", "localhost", *(f"{name}.localhost" for name in NAMES))
    with stopping(Server(tmp_path_factory.mktemp("server"), pair)) as running:
        yield running


@pytest.fixture(scope="module")
def by_server(server, target, tmp_path_factory):
    """Has calls of a viewer of oneportd."""
    with stopping(Client(server, target, tmp_path_factory.mktemp("client"), name="calls")):
        with contextlib.closing(viewer(server, "calls")) as made:
            yield made


def viewer(server, name):
    return Calls(
        f"127.0.0.1:{server.port}",
        ca=server.certificate.ca,
        ssl_target_name_override=f"{name}.localhost",
    )


@pytest.fixture(params=["link", "server"])
def calls(request):
    return request.getfixturevalue(f"by_{request.param}")


def failure_of(call):
    """Returns (code, text) by which @call() fails."""
    with pytest.raises(Failed) as failed:
        call()
    return failed.value.code(), failed.value.details()


# ---- calls ----
@pytest.mark.rule("D36")
@pytest.mark.parametrize("message", [b"", b"hello", MESSAGE], ids=["empty", "small", "4 MiB"])
def test_unary(calls, message):
    """Binary metadata reaches the service, and comes back in trailers."""
    answer, call = calls.unary.with_call(
        message, metadata=(("asked-bin", bytes(range(256))),), timeout=DEADLINE_S
    )
    assert answer == message
    assert call.code() == STATUS.OK
    assert dict(call.trailing_metadata())["trailing-bin"] == bytes(range(256))


@pytest.mark.rule("D36")
def test_streams_of_the_client_and_of_the_server(calls):
    messages = [b"x" * size for size in (0, 1, 1000, 100_000)] * 25
    total = f"{len(messages)} {sum(map(len, messages))}".encode()
    assert calls.collect(iter(messages), timeout=DEADLINE_S) == total
    counted = list(calls.count(b"1000", timeout=DEADLINE_S))
    assert counted == [f"message {number}".encode() for number in range(1000)]


@pytest.mark.rule("D36")
def test_both_ways_at_once(calls):
    """Each answer comes before the next message is sent, so nothing waits for the end."""
    said = queue.Queue()
    answers = calls.chat(iter(said.get, None), timeout=DEADLINE_S)
    for number in range(50):
        said.put(f"{number}".encode())
        assert next(answers) == f"echo {number}".encode()
    said.put(None)
    assert list(answers) == [] and answers.code() == STATUS.OK


@pytest.mark.rule("D36")
def test_the_service_ends_first(calls):
    said = queue.Queue()
    answers = calls.chat(iter(said.get, None), timeout=DEADLINE_S)
    said.put(b"a")
    assert next(answers) == b"echo a"
    said.put(b"stop")
    assert list(answers) == [] and answers.code() == STATUS.OK
    said.put(None)


@pytest.mark.rule("D36")
def test_trailers_only(calls):
    """A call that fails without a message is answered by one head, which ends the stream."""
    assert failure_of(lambda: calls.fail(b"NOT_FOUND no caf\xc3\xa9", timeout=DEADLINE_S)) == (
        STATUS.NOT_FOUND,
        "no café",
    )
    assert failure_of(lambda: calls.channel.unary_unary("/test.Echo/Nothing")(b"", timeout=9))[
        0
    ] == (STATUS.UNIMPLEMENTED)


@pytest.mark.rule("D36")
def test_a_deadline_reaches_the_service(calls, grpc_origin):
    _, call = calls.unary.with_call(b"", timeout=500)
    assert 400 < float(dict(call.trailing_metadata())["time-left"]) <= 502
    before = grpc_origin.program.stdout.count("cancelled Wait")
    assert failure_of(lambda: calls.wait(b"", timeout=1 * SLOW))[0] == STATUS.DEADLINE_EXCEEDED
    wait_until(
        lambda: grpc_origin.program.stdout.count("cancelled Wait") > before,
        DEADLINE_S,
        "the end of the call at the service",
    )


# ---- cancels ----
@pytest.mark.rule("D38")
def test_a_viewer_cancels(calls, grpc_origin):
    """The service hears of it, before the head of its answer and behind."""
    said = grpc_origin.program
    waits, counts = said.stdout.count("cancelled Wait"), said.stdout.count("cancelled Count")
    waiting, endless = calls.wait.future(b"", timeout=DEADLINE_S), calls.count(b"-1", timeout=60)
    said.wait_output("waits", stream="stdout", count=waits + 1)
    next(endless)
    waiting.cancel()
    endless.cancel()
    said.wait_output("cancelled Wait", DEADLINE_S, "stdout", waits + 1)
    said.wait_output("cancelled Count", DEADLINE_S, "stdout", counts + 1)
    assert calls.unary(b"next", timeout=DEADLINE_S) == b"next"


@pytest.mark.rule("D36")
def test_many_calls_side_by_side(calls):
    """A hundred streams, among them some that a slow reader holds up."""
    slow = [calls.count(b"200000", timeout=DEADLINE_S) for _ in range(4)]
    for stream in slow:
        next(stream)
    futures = [calls.unary.future(f"{n}".encode(), timeout=DEADLINE_S) for n in range(100)]
    assert [future.result() for future in futures] == [f"{n}".encode() for n in range(100)]
    for stream in slow:
        stream.cancel()


# ---- failures ----
@pytest.mark.rule("D42")
def test_failures_are_statuses(server, new_client, ended):
    """Nobody has the name; the service is down; the client is gone."""
    nobody = ended.enter_context(contextlib.closing(viewer(server, "nobody")))
    code, text = failure_of(lambda: nobody.unary(b"", timeout=DEADLINE_S))
    assert (code, text[:24]) == (STATUS.UNIMPLEMENTED, "There is no tunnel of th")
    client = new_client(f"h2c://127.0.0.1:{free_port()}", name="down")
    down = ended.enter_context(contextlib.closing(viewer(server, "down")))
    code, text = failure_of(lambda: down.unary(b"", timeout=DEADLINE_S))
    assert (code, text[:18]) == (STATUS.UNAVAILABLE, "The computer that ")
    client.stop()
    code, text = failure_of(lambda: down.unary(b"", timeout=DEADLINE_S))
    assert code in (STATUS.UNAVAILABLE, STATUS.UNIMPLEMENTED)


@pytest.mark.rule("D39", "D42")
def test_the_service_restarts(server, new_client, ended, tmp_path_factory):
    origin = OriginProgram("grpc_origin", tmp_path_factory.mktemp("restarts"))
    ended.callback(origin.stop)
    new_client(f"h2c://127.0.0.1:{origin.port}", name="restarts")
    calls = ended.enter_context(contextlib.closing(viewer(server, "restarts")))
    assert calls.unary(b"a", timeout=DEADLINE_S) == b"a"
    waiting = calls.wait.future(b"", timeout=DEADLINE_S)
    origin.program.wait_output("waits", stream="stdout")
    origin.program.kill9()
    assert failure_of(waiting.result)[0] == STATUS.UNAVAILABLE
    assert failure_of(lambda: calls.unary(b"b", timeout=DEADLINE_S))[0] == STATUS.UNAVAILABLE
    origin.start()
    assert calls.unary(b"c", timeout=DEADLINE_S) == b"c"
