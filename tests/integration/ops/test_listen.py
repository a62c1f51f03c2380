# SPDX-License-Identifier: MIT
"""Tests where oneportd listens: both families by one value or by two, and machines that lack one of
them. IPv4 addresses that are mapped into IPv6 count as what they stand for."""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket

import pytest
from support import preload
from support.kept_port import KeptPort
from support.programs import BIN, TOP, Program, free_port
from support.viewer import Viewer, fetch, head

HOSTS = {4: "127.0.0.1", 6: "::1"}
BOTH = [4, 6]
ACTIVATE = "systemd-socket-activate"


@contextlib.contextmanager
def listening(tmp_path, *options, workers=2, env=None, within=()):
    """Starts a server that listens as @options say. Gives it as a Program."""
    words = [*within, BIN / "oneportd", "--domain", "localhost"]
    words += ["--state-dir", tmp_path / "state"]
    words += ["--workers", workers, "--access-log", tmp_path / "access.log", *options]
    program = Program(words, tmp_path, "oneportd", env=env)
    try:
        yield program
    finally:
        program.stop()


def ports(program, count):
    """Waits for @count lines about listeners. Returns the set of their ports."""
    program.wait_output(" listening ", count=count)
    return set(map(int, re.findall(r" listening addr=\S+:(\d+)$", program.log, re.M)))


def served(port, family):
    """Tells whether the server answers at the loopback address of @family."""
    connection = http.client.HTTPConnection(HOSTS[family], port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def families(port):
    return [family for family in BOTH if served(port, family)]


@pytest.mark.rule("O28")
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("order", [1, -1])
def test_both_wildcards(order, workers, tmp_path):
    port = free_port()
    options = ["--listen", f"0.0.0.0:{port}", "--listen", f"[::]:{port}"]
    if order < 0:
        options = options[2:] + options[:2]
    with listening(tmp_path, *options, workers=workers) as program:
        assert ports(program, 2) == {port} and families(port) == BOTH


@pytest.mark.rule("O28")
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("value", [":{}", "*:{}", "{}", "localhost:{}", "LocalHost:{}"])
@pytest.mark.parametrize("number", ["given", "0"])
def test_one_value_for_both_families(value, number, workers, tmp_path):
    """Port 0 becomes the same port in both."""
    port = free_port() if number == "given" else 0
    with listening(tmp_path, "--listen", value.format(port), workers=workers) as program:
        found = ports(program, 2)
        assert len(found) == 1 and families(*found) == BOTH
        assert port in (0, *found)


@pytest.mark.rule("O28")
@pytest.mark.parametrize(
    "options, wanted",
    [
        (["--listen", "[::1]:{}"], [6]),
        (["--listen", "127.0.0.1:{}"], [4]),
        (["--listen", "[::]:{}"], BOTH),
        (["--listen", "[::1]:{}", "--listen", "127.0.0.1:{}"], BOTH),
        (["--listen", "[::]:{}", "--listen", "127.0.0.1:{}"], BOTH),
        (["--listen", "[::]:{}", "--listen", "unix:{tmp}/x.sock"], BOTH),
        (["--port", "{}"], [4]),
        (["--port", "{}", "--address", "localhost"], BOTH),
        (["--port", "{}", "--address", "*"], BOTH),
        (["--port", "{}", "--address", "::1"], [6]),
        (["--port", "{}", "--address", "[::1]"], [6]),
        (["--port", "{}", "--address", "::"], BOTH),
    ],
)
def test_other_values(options, wanted, tmp_path):
    port = free_port()
    words = [word.format(port, tmp=tmp_path) for word in options]
    with listening(tmp_path, *words) as program:
        program.wait_output(" listening ")
        assert families(port) == wanted


@pytest.mark.rule("O28")
@pytest.mark.parametrize("value", [":{}", "localhost:{}"])
def test_a_port_in_use_in_one_family(value, tmp_path):
    """The other family alone would hide that."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        words = [BIN / "oneportd", "--domain", "localhost", "--state-dir", tmp_path / "state"]
        program = Program([*words, "--listen", value.format(port)], tmp_path, "oneportd")
        program.expect_exit(1)
        assert "in use" in program.log


UNABLE = ["setpriv", "--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service"]


@pytest.mark.rule("O174")
@pytest.mark.parametrize(
    "value,within,said",
    [
        ("taken", [], "Address already in use; `ss -ltnp` shows who has it"),
        ("198.51.100.1:0", [], "this machine has no such address: `ip address` shows"),
        ("127.0.0.1:1", UNABLE, "Permission denied; root may bind it: start oneportd as root"),
    ],
)
def test_what_to_do_where_it_cannot_listen(value, within, said, tmp_path):
    start = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
    if within and (os.geteuid() != 0 or int(start) <= 1):
        pytest.skip("everybody may bind each port here, or this user may not give rights up")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        value = value.replace("taken", f"127.0.0.1:{taken.getsockname()[1]}")
        words = [BIN / "oneportd", "--domain", "localhost", "--state-dir", tmp_path / "state"]
        program = Program([*within, *words, "--listen", value], tmp_path, "oneportd")
        program.expect_exit(1)
    last = program.log.splitlines()[-1]
    assert last.startswith(f"oneportd: {value}: ") and said in last


@pytest.mark.rule("O174")
def test_few_descriptors_say_what_to_do(tmp_path):
    with listening(tmp_path, "--listen", "127.0.0.1:0", "--max-streams", "1000000") as program:
        program.wait_output(" listening ")
        if "few_descriptors" not in program.log:
            pytest.skip("this machine has two million descriptors")
        assert re.search("few_descriptors .*raise the limit .*or lower --max-streams", program.log)


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """Returns without(family, at): the environment of a program on a machine without @family."""
    if preload.missing():
        pytest.skip(preload.missing())
    source = pathlib.Path(TOP) / "tests" / "support" / "no_family.c"
    library = preload.build(source, tmp_path_factory.mktemp("no-family"))
    return lambda family, at: preload.environment(library, NO_FAMILY=str(family), NO_FAMILY_AT=at)


@pytest.mark.rule("O28")
@pytest.mark.parametrize("at", ["socket", "bind"])
@pytest.mark.parametrize("value", [":0", "*:0", "0", "localhost:0"])
@pytest.mark.parametrize("family", BOTH)
def test_on_a_machine_without_a_family(family, value, at, without, tmp_path):
    with listening(tmp_path, "--listen", value, env=without(family, at)) as program:
        (port,) = ports(program, 1)
        assert families(port) == [other for other in BOTH if other != family]
        assert f"one_family listen={value} " in program.log


@pytest.mark.rule("O28")
@pytest.mark.parametrize("at", ["socket", "bind"])
def test_an_address_that_the_machine_lacks_is_an_error(at, without, tmp_path):
    words = [BIN / "oneportd", "--domain", "localhost", "--state-dir", tmp_path / "state"]
    words += ["--listen", "127.0.0.1:0", "--listen", "[::]:0"]
    program = Program(words, tmp_path, "oneportd", env=without(6, at))
    program.expect_exit(1)
    assert "oneportd: [::]:0: " in program.log


# ---- mapped addresses ----
@pytest.mark.rule("O29")
def test_a_mapped_loopback_is_loopback(new_server, new_client, http_origin):
    """The socket of [::] sees 127.0.0.1 as ::ffff:127.0.0.1. A plain register call from there gets
    a ticket, the peer may say who its viewer is, and the log has the IPv4 address."""
    port = free_port()
    server = new_server("--listen", f"[::]:{port}")
    got = fetch(port, f"localhost:{port}", "/register").json()
    assert "ticket" in got
    client = new_client(http_origin.port, server=server)
    fields = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"]
    seen = fetch(port, f"{client.name}.localhost:{port}", "/echo", *fields).json()
    seen = {name.lower(): value for name, value in seen["fields"]}
    assert seen["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert "ffff" not in server.access_log and "ffff" not in server.log


@pytest.mark.rule("O29")
@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "127.0.0.1"])
def test_the_client_takes_plain_http_to_loopback(host, new_server, new_client, http_origin):
    port = free_port()
    server = new_server("--listen", f"[::]:{port}")
    options = ["--attach-host", "localhost"]
    client = new_client(http_origin.port, *options, server=server, url=f"http://{host}:{port}")
    assert fetch(server.port, client.host, "/echo").status == 200


# ---- sockets that a supervisor keeps ----
@pytest.fixture
def kept(tmp_path, ended):
    """Returns kept(address, ...): a port that is kept at these addresses."""
    return lambda *addresses: ended.enter_context(
        contextlib.closing(KeptPort(tmp_path / "kept", *addresses))
    )


@pytest.mark.rule("O232")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_port_that_a_supervisor_keeps(workers, kept, new_server):
    """Who connects while no server runs is served by the next one, also after a kill."""
    port = kept("127.0.0.1")
    given = ("--listen", f"127.0.0.1:{port.port}", "--workers", workers)
    server = new_server(*given, within=port.within, env=port.env)
    assert fetch(port.port, "localhost", "/healthz").status == 200
    for end in (server.stop, server.kill9):
        end()
        with Viewer(port.port) as viewer:
            viewer.send(head("GET", "/healthz", "localhost"))
            server.start()
            assert viewer.response().status == 200


@pytest.mark.rule("O232")
def test_both_families_of_a_kept_port(kept, tmp_path):
    port = kept("127.0.0.1", "::1")
    words = ("--listen", f"localhost:{port.port}")
    with listening(tmp_path, *words, within=port.within, env=port.env) as program:
        assert ports(program, 2) == {port.port} and families(port.port) == [4, 6]


@pytest.mark.rule("O232")
def test_a_kept_port_that_nothing_names(kept, tmp_path):
    port = kept("127.0.0.1")
    words = [*port.within, BIN / "oneportd", "--domain", "localhost", "--listen", "127.0.0.1:0"]
    program = Program([*words, "--state-dir", tmp_path / "state"], tmp_path, "o", env=port.env)
    program.expect_exit(1)
    assert f"LISTEN_FDS: no --listen and no --redirect names 127.0.0.1:{port.port}" in program.log


@pytest.mark.rule("O232")
@pytest.mark.skipif(not shutil.which(ACTIVATE), reason=f"{ACTIVATE} is not installed")
def test_a_port_that_systemd_keeps(tmp_path):
    """The sockets come as systemd's own program passes them, which starts the server when the first
    viewer connects."""
    port = free_port()
    at = [f"127.0.0.1:{port}", f"[::1]:{port}"]
    passed = [ACTIVATE, *(f"--listen={one}" for one in at), "--setenv=ONEPORTD_CONFIG"]
    words = ("--listen", f"localhost:{port}")
    with listening(tmp_path, *words, within=passed) as program:
        program.wait_output(r"Listening on \S+ as 4")
        with Viewer(port) as viewer:
            assert viewer.get("localhost", "/healthz").status == 200
        assert ports(program, 2) == {port} and families(port) == [4, 6]
