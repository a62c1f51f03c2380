# SPDX-License-Identifier: MIT
"""Tests the start and the stop of both programs. Each step of the start fails once, by a cause that
machines really have, and signals come in one turn. Behind every failure stands a names file that is
full of names, and no name may be lost."""

import itertools
import pathlib
import signal
import socket
import time

import pytest
from support.foreign import EMPTY_SETTINGS, attach, register
from support.programs import BIN, SLOW, Client, Program, free_port
from support.viewer import fetch
from support.wait import wait_until

NAMES = 300
HELD = {f"held-{number}" for number in range(NAMES)}
STOPPED, USAGE, INTERNAL = 0, 1, 70


@pytest.fixture
def state(tmp_path):
    """Returns a state directory with a full names file. A third of its names were live."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    until = int(time.time()) + 3600
    lines = [f"held-{n} {n:032x} {until if n % 3 else 0} 1\n" for n in range(NAMES)]
    (directory / "names").write_text("".join(lines))
    return directory


@pytest.fixture(scope="module")
def taken():
    """Returns the address of a port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def held(state):
    return {line.split()[0] for line in (state / "names").read_text().splitlines()}


# A leak check at the end needs descriptors of its own.
WITHOUT_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


def server_words(state, *options, workers=3):
    return [
        *[BIN / "oneportd", "--domain", "localhost", "--state-dir", state],
        *["--workers", workers, "--listen", "127.0.0.1:0", "--drain-timeout", "1s", *options],
    ]


# ---- each step of oneportd's start fails ----
def bad_access_log(tmp_path, state, taken):
    return ["--access-log", tmp_path]


def no_certificate(tmp_path, state, taken):
    return ["--cert", tmp_path / "absent.pem", "--key", tmp_path / "absent.key"]


def garbage_certificate(tmp_path, state, taken):
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    return ["--cert", tmp_path / "bad.pem", "--key", tmp_path / "bad.pem"]


def file_in_place_of_the_state(tmp_path, state, taken):
    (tmp_path / "file").write_text("")
    return ["--state-dir", tmp_path / "file"]


def bad_secret(tmp_path, state, taken):
    (state / "secret").write_text("no key\n")
    return []


def bad_names_file(tmp_path, state, taken):
    (state / "names").unlink()
    (state / "names").mkdir()
    return []


def port_in_use(tmp_path, state, taken):
    return ["--listen", taken]


def foreign_address(tmp_path, state, taken):
    return ["--listen", "192.0.2.1:0"]


def socket_without_a_directory(tmp_path, state, taken):
    return ["--listen", f"unix:{tmp_path}/absent/x.sock"]


def last_of_many(tmp_path, state, taken):
    good = [word for n in range(8) for word in ("--listen", f"unix:{tmp_path}/{n}.sock")]
    return [*good, "--listen", taken]


FAULTS = [
    bad_access_log,
    no_certificate,
    garbage_certificate,
    file_in_place_of_the_state,
    bad_secret,
    bad_names_file,
    port_in_use,
    foreign_address,
    socket_without_a_directory,
    last_of_many,
]


@pytest.mark.rule("O25")
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_of_the_start_fails(fault, workers, tmp_path, state, taken):
    """The program says why, ends with exit code 1 and without a memory error, keeps every name and
    leaves no socket behind."""
    options = fault(tmp_path, state, taken)
    program = Program(server_words(state, *options, workers=workers), tmp_path, "oneportd")
    program.expect_exit(USAGE)
    assert "oneportd: " in program.log
    assert fault is bad_names_file or held(state) == HELD
    assert not list(tmp_path.glob("*.sock"))


@pytest.mark.rule("O25")
def test_a_names_file_that_cannot_be_replaced(tmp_path, state):
    """Files may have 4 KiB: the names are read, and cannot be written. The server serves."""
    words = ["prlimit", "--fsize=4096:4096", *server_words(state)]
    program = Program(["env", "--ignore-signal=XFSZ", *words], tmp_path, "oneportd")
    program.wait_output(" listening ")
    program.wait_output("state_not_written .*File too large")
    program.stop(STOPPED)
    assert program.log.count("state_not_written") == 1 and held(state) == HELD


@pytest.mark.rule("O25")
def test_threads_do_not_start(tmp_path, state):
    """The stack of a thread would be larger than the address space. The first thread is that of the
    names file."""
    words = ["prlimit", f"--stack={1 << 47}", *server_words(state)]
    program = Program(words, tmp_path, "oneportd")
    program.expect_exit(INTERNAL)
    assert "its thread cannot be started" in program.log and held(state) == HELD


def ends_well(program, codes):
    """Waits until @program has ended by itself or listens, and stops it then. Fails unless the exit
    code is one of @codes."""
    while program.running and " listening " not in program.log:
        time.sleep(0.01)
    program.signal(signal.SIGTERM)
    code = program.wait()
    program.expect_exit(code)
    assert code in codes, program.tail()
    return code


@pytest.mark.rule("O25")
def test_without_descriptors(tmp_path, state, certificate):
    """One descriptor fewer with each start. However far the start comes, it fails in order."""
    words = server_words(state, "--cert", certificate.cert, "--key", certificate.key)
    codes = set()
    for count in range(4, 44, 1):
        limited = ["prlimit", f"--nofile={count}:{count}", *words]
        program = Program(limited, tmp_path, "oneportd", env=WITHOUT_LEAKS)
        codes.add(ends_well(program, (STOPPED, USAGE, INTERNAL)))
        assert held(state) == HELD, f"with {count} descriptors"
    assert {STOPPED, USAGE} <= codes


# ---- each step of oneport's start fails ----
@pytest.mark.rule("O25")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--ca", "{tmp}/absent"], id="no authority"),
        pytest.param(["--local-https", "--local-ca", "{tmp}/absent"], id="no local authority"),
        pytest.param(["--local-https", "--local-cert", "{tmp}"], id="bad local certificate"),
    ],
)
def test_a_step_of_the_clients_start_fails(options, tmp_path, server):
    options = [one.format(tmp=tmp_path) for one in options]
    words = [BIN / "oneport", "-h", server.url, *options, "1"]
    program = Program(words, tmp_path, "oneport", env={"XDG_STATE_HOME": tmp_path})
    program.expect_exit(USAGE)
    assert "oneport: " in program.log


@pytest.mark.rule("O25")
def test_the_client_without_descriptors(tmp_path, server):
    words = [BIN / "oneport", "-h", server.url, "--ca", server.certificate.ca]
    codes = set()
    for count in range(4, 24, 1):
        limited = ["prlimit", f"--nofile={count}:{count}", *words, "--max-retries", "1", "1"]
        env = {"XDG_STATE_HOME": tmp_path, **WITHOUT_LEAKS}
        program = Program(limited, tmp_path, "oneport", env=env)
        while program.running and not program.stdout:
            time.sleep(0.01)
        program.signal(signal.SIGTERM)
        codes.add(program.wait())
        program.expect_exit(program.process.returncode)
    assert codes <= {0, 1, 4, 70} and 0 in codes


# ---- signals in one turn ----
def in_one_turn(program, *numbers):
    """Stops the program, sends the signals and lets it go on, so that one turn of its loop finds
    all of them."""
    program.signal(signal.SIGSTOP)
    for number in numbers:
        program.signal(number)
    program.signal(signal.SIGCONT)


TURNS = [
    (signal.SIGTERM, signal.SIGINT),
    (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1),
]


@pytest.mark.rule("O25")
@pytest.mark.parametrize("numbers", TURNS)
def test_signals_in_one_turn(numbers, new_server, state):
    """Links on every worker end at once. Each end changes the names file while the program
    stops."""
    server = new_server("--workers", "4", "--state-dir", state)
    links = []
    for number in range(24):
        got = register(server, f"linked-{number}")
        link, answer = attach(server, got["id"], got["ticket"])
        assert answer.status == 101
        link.send(EMPTY_SETTINGS)
        links.append(link)
    server.wait_log("link_up", count=len(links))
    in_one_turn(server.program, *numbers)
    server.program.expect_exit(STOPPED)
    assert held(state) == HELD | {f"linked-{number}" for number in range(24)}
    for link in links:
        link.close()


@pytest.mark.rule("O25")
@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGTERM, signal.SIGINT)])
def test_signals_right_behind_the_start(numbers, tmp_path, state):
    """Signals come as soon as there is a listener, and more of them while the program ends."""
    for _ in range(5):
        program = Program(server_words(state), tmp_path, "oneportd")
        program.wait_output(" listening ")
        while program.running:
            for number in numbers:
                program.signal(number)
            time.sleep(0.001)
        assert program.process.returncode in (STOPPED, *(-number for number in numbers))
        program.expect_exit(program.process.returncode)
        assert held(state) == HELD


@pytest.mark.rule("O25")
def test_the_client_gets_signals_in_one_turn(server, http_origin, tmp_path):
    client = Client(server, http_origin.port, tmp_path, name="one-turn")
    in_one_turn(client.program, *TURNS[0])
    client.program.expect_exit(STOPPED)


# ---- descriptors 0 to 2 ----
CLOSED = [" ".join(part) for part in itertools.product(["", "<&-"], ["", ">&-"], ["", "2>&-"])]


def without(closed, words):
    """Returns the command that runs @words with these descriptors closed."""
    return ["sh", "-c", f'exec "$@" {closed}', "sh", *words]


def answers(port, host=None, path="/healthz"):
    """Waits until a request is answered 200."""

    def ask():
        try:
            return fetch(port, host or f"localhost:{port}", path).status == 200
        except OSError:
            return False

    wait_until(ask, 10 * SLOW, f"an answer at {port}")


def idle(program):
    """Fails if the program uses a core while it has nothing to do."""
    before = program.cpu_s()
    time.sleep(0.5)
    assert program.cpu_s() - before < 0.25


@pytest.mark.rule("O26")
@pytest.mark.parametrize("access", ["-", "off", "{tmp}/access.log"])
@pytest.mark.parametrize("closed", CLOSED)
def test_the_server_without_standard_descriptors(closed, access, tmp_path, state):
    """It serves, sleeps while nobody asks, writes its logs where they belong and obeys signals."""
    port = free_port()
    access = access.format(tmp=tmp_path)
    options = ["--listen", f"127.0.0.1:{port}", "--access-log", access, "--log-level", "debug"]
    words = without(closed, server_words(state, *options))
    program = Program(words, tmp_path, "oneportd")
    answers(port)
    idle(program)
    program.signal(signal.SIGHUP)
    program.signal(signal.SIGUSR1)
    answers(port)
    program.stop()
    if access not in ("-", "off"):
        assert "/healthz" in pathlib.Path(access).read_text()
    assert ("/healthz" in program.stdout) == (access == "-" and ">&-" not in closed.split())
    assert bool(program.log) == ("2>&-" not in closed)


@pytest.mark.rule("O26")
@pytest.mark.parametrize("closed", CLOSED)
def test_the_client_without_standard_descriptors(closed, tmp_path, server, http_origin, name):
    words = [BIN / "oneport", "-h", server.url, "--ca", server.certificate.ca, "-s", name]
    words = without(closed, [*words, "--print-requests", http_origin.port])
    program = Program(words, tmp_path, "oneport", env={"XDG_STATE_HOME": tmp_path})
    answers(server.port, f"{name}.localhost:{server.port}", "/echo")
    idle(program)
    program.stop()
    assert bool(program.stdout) == (">&-" not in closed.split())


@pytest.mark.rule("O26")
@pytest.mark.parametrize("program", ["oneportd", "oneport"])
@pytest.mark.parametrize("closed", CLOSED)
def test_wrong_usage_without_standard_descriptors(program, closed, tmp_path):
    Program(without(closed, [BIN / program, "--no-such-option"]), tmp_path, program).expect_exit(1)
    Program(without(closed, [BIN / program, "--help"]), tmp_path, program).expect_exit(0)
