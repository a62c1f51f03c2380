# SPDX-License-Identifier: MIT
"""Runs the two programs under test. They are started on free loopback ports, watched, stopped, and
judged when they have stopped."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from .wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ONEPORT_BIN", TOP / "build")).resolve()
VARIANT = os.environ.get("ONEPORT_VARIANT", "release")
SLOW = 1 if VARIANT == "release" else 4  # the factor for the time that a sanitized program may take
STOP_S = 15 * SLOW

SANITIZER = re.compile(r"ERROR: AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer")
# Every Program of this worker that the running test can use. Their output is shown when it fails.
started = []


class Program:
    """Runs one process. Its output goes to files, so that it never blocks on a pipe that nobody
    reads."""

    def __init__(self, argv, directory, name, env=None):
        self.name = name
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        run = sum(1 for _ in directory.glob(f"{name}.*.err"))
        self.stdout_path = directory / f"{name}.{run}.out"
        self.stderr_path = directory / f"{name}.{run}.err"
        self.argv = [str(word) for word in argv]
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=clean_environment(env),
                start_new_session=True,
            )
        self.judged = False
        started.append(self)

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    @property
    def log(self):
        return self.stderr_path.read_text(errors="replace")

    def wait_output(self, pattern, deadline_s=10.0, stream="log", count=1):
        """Waits for the @count-th match of @pattern in the log or on standard output and returns
        it. Fails at once when the program has ended."""

        def search():
            alive = self.running
            found = list(re.finditer(pattern, getattr(self, stream), re.M))
            if len(found) >= count:
                return found[count - 1]
            assert alive, (
                f"{self.name} ended with {self.process.returncode} before"
                f" {pattern!r}:\n{self.tail()}"
            )
            return None

        return wait_until(search, deadline_s * SLOW, f"{pattern!r} from {self.name}")

    def tail(self, lines=40):
        return "\n".join((self.stdout + self.log).splitlines()[-lines:])

    def rss(self):
        """Returns the resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"{self.name} has ended and has no memory")

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_s(self):
        """Returns the CPU time that the program has used."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def established(self, peer):
        """Returns the number of this program's established TCP descriptors whose other end belongs
        to Program @peer."""
        mine, theirs = _established(self.pid), _established(peer.pid)
        ends = {(local, remote) for local, remote in theirs}
        return sum(1 for local, remote in mine if (remote, local) in ends)

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def wait(self, deadline_s=STOP_S):
        """Waits for the end. Returns the exit code, which is negative for a signal."""
        return self.process.wait(deadline_s)

    def kill9(self):
        self.judged = True  # a killed program is judged by its memory errors only
        self.signal(signal.SIGKILL)
        self.process.wait(10)
        self._no_sanitizer_report()

    def stop(self, code=0, deadline_s=STOP_S):
        """Sends SIGTERM, waits for the end and judges it. Fails unless the exit code is @code, also
        when the program had ended before."""
        if self.judged:
            return
        self.judged = True
        self.signal(signal.SIGTERM)
        try:
            actual = self.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(
                f"{self.name} did not stop within {deadline_s} s:\n{self.tail()}"
            ) from None
        self._no_sanitizer_report()
        assert actual == code, f"{self.name} ended with {actual}, not {code}:\n{self.tail()}"

    def expect_exit(self, code, deadline_s=10.0):
        """Waits until the program ends by itself. Fails unless the exit code is @code."""
        self.judged = True
        try:
            actual = self.wait(deadline_s * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"{self.name} did not end by itself:\n{self.tail()}") from None
        self._no_sanitizer_report()
        assert actual == code, f"{self.name} ended with {actual}, not {code}:\n{self.tail()}"

    def _no_sanitizer_report(self):
        assert not SANITIZER.search(self.log), f"{self.name}:\n{self.tail(120)}"


class Kept:
    """Keeps the parts of a server or a client that stay when its Program is killed and started
    again. start() puts the new Program into .program."""

    code = 0  # the exit code after SIGTERM

    @property
    def log(self):
        return self.program.log

    def kill9(self):
        self.program.kill9()

    def restart(self, **how):
        """Kills the program with SIGKILL and starts it again."""
        self.kill9()
        return self.start(**how)

    def stop(self):
        self.program.stop(self.code)

    def rss(self):
        return self.program.rss()

    def fds(self):
        return self.program.fds()


class Server(Kept):
    """Runs oneportd for the base domain `localhost`, or @domain, with one listener for everything.
    The port stays the same over restarts."""

    def __init__(
        self,
        directory,
        certificate,
        *options,
        domain="localhost",
        drain="2s",
        env=None,
        within=(),
        programs=BIN,
    ):
        """@within is a command that executes the program whose words follow it."""
        self.directory = pathlib.Path(directory)
        self.certificate = certificate
        self.options = options
        self.domain = domain
        self.drain = drain
        self.env = env
        self.within = within
        self.programs = programs
        self.port = 0
        self.start()

    def start(self):
        argv = [
            *self.within,
            self.programs / "oneportd",
            "--domain",
            self.domain,
            "--listen",
            f"127.0.0.1:{self.port}",
            "--cert",
            self.certificate.cert,
            "--key",
            self.certificate.key,
            "--state-dir",
            self.directory / "state",
            "--access-log",
            self.directory / "access.log",
            "--drain-timeout",
            self.drain,
            *self.options,
        ]
        self.program = Program(argv, self.directory, "oneportd", env=self.env)
        self.port = int(self.program.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1))
        return self

    @property
    def url(self):
        """The https URL at which clients register."""
        return f"https://{self.domain}:{self.port}"

    @property
    def saved_names(self):
        """The names file's content; empty until the server has written it, a second after a
        change."""
        path = self.directory / "state" / "names"
        return path.read_text() if path.exists() else ""

    @property
    def front(self):
        """What has the TLS port: this server itself, or the nginx in front of it."""
        return self

    @property
    def access_log(self):
        path = self.directory / "access.log"
        return path.read_text() if path.exists() else ""

    def wait_log(self, pattern, deadline_s=10.0, count=1):
        return self.program.wait_output(pattern, deadline_s, count=count)

    def wait_link(self, name, count, deadline_s=10.0):
        """Waits for the @count-th link of a name that this run has seen."""
        self.wait_log(rf"link_up.*name={name} ", deadline_s, count)


class AnyClient(Kept):
    """Is a client that shares an origin under .name at .server."""

    keeps_origins = True  # uses connections to the origin again
    holds_link = True  # the link is a descriptor of its own program

    @property
    def host(self):
        """The value of viewers' Host field."""
        return f"{self.name}.localhost:{self.server.port}"


class Client(AnyClient):
    """Runs oneport, which shares @origin with @server. @origin is the last argument, or None when
    an option names the origin. The tickets outlive restarts of the client."""

    def __init__(
        self,
        server,
        origin,
        directory,
        *options,
        name=None,
        url=None,
        wait=True,
        state=None,
        env=None,
        within=(),
        programs=BIN,
    ):
        """@state is another Client's state with its tickets; by default the client has its own.
        @within is a command that executes the program whose words follow it."""
        self.server = server
        self.directory = pathlib.Path(directory)
        self.state = state or self.directory / "client-state"
        where = ["-h", url or server.url, "--ca", server.certificate.ca]
        asked = ["-s", name] if name else []
        self.argv = [
            *within,
            programs / "oneport",
            *where,
            *asked,
            *options,
            *([] if origin is None else [origin]),
        ]
        self.env = {"XDG_STATE_HOME": self.state, **(env or {})}
        self.program = None
        self.name = name
        self.start(wait)

    def start(self, wait=True):
        self.program = Program(self.argv, self.directory, "oneport", env=self.env)
        if wait:
            self.wait_up()
        return self

    def wait_up(self, deadline_s=10.0):
        """Waits until the link is up. The URL appears before, while viewers are held."""
        self.wait_url(deadline_s)
        if not {"warn", "error"} & set(self.argv):  # levels of --log-level
            self.program.wait_output("link_up", deadline_s)

    def wait_url(self, deadline_s=10.0):
        """Waits for the first line of output."""
        self.url = self.program.wait_output(r"\Ayour url is: (\S+)$", deadline_s, "stdout").group(1)
        self.name = re.match(r"https?://([^.]+)\.", self.url).group(1)


@contextlib.contextmanager
def stopping(thing):
    try:
        yield thing
    finally:
        thing.stop()


def run(program, *arguments, env=None, deadline_s=10.0):
    """Runs a program under test to its end. Returns (exit code, standard output, standard
    error)."""
    result = subprocess.run(
        [str(BIN / program), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s * SLOW,
        env=clean_environment(env),
    )
    assert not SANITIZER.search(result.stderr), result.stderr
    return result.returncode, result.stdout, result.stderr


def clean_environment(extra=None):
    """Returns the environment without variables that would configure the programs or give them a
    proxy, and without this machine's configuration files."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ONEPORT", "XDG_")) and not key.lower().endswith("_proxy")
    }
    kept.update(ONEPORT_CONFIG="none", ONEPORTD_CONFIG="none")
    kept.update({key: str(value) for key, value in (extra or {}).items()})
    return kept


def free_port():
    """Returns a port that was free a moment ago, for programs that cannot take port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stable(measure, deadline_s=10.0, still_s=0.3):
    """Calls @measure() until its value has not changed for @still_s, and returns the value.
    Descriptors and memory take a while to settle after the last connection."""
    end = time.monotonic() + deadline_s
    value, since = measure(), time.monotonic()
    while time.monotonic() - since < still_s and time.monotonic() < end:
        time.sleep(0.02)
        now = measure()
        if now != value:
            value, since = now, time.monotonic()
    return value


def peers(program):
    """Returns the IPv4 addresses that a Program is connected to."""
    remote = (
        int(end.partition(":")[0], 16) for _, end in _established(program.pid) if len(end) == 13
    )
    return {socket.inet_ntoa(address.to_bytes(4, "little")) for address in remote}


def _established(pid):
    """Returns (local, remote) of each established TCP descriptor of a process, as the kernel prints
    them."""
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue  # it was closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    pairs = []
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            word = line.split()
            if word[3] == "01" and word[9] in inodes:
                pairs.append((word[1], word[2]))
    return pairs
