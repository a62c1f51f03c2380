# SPDX-License-Identifier: MIT
"""Puts load on a path. wrk measures throughput; our own generator does every load that waits, holds
connections or shares."""

import contextlib
import json
import math
import re
import shutil
import statistics
import subprocess

from support.programs import clean_environment

from .held import TOOLS, Failed, Held

OPEN_S = 240


def _options(path, keywords):
    """Returns --port, --host and one option per keyword. A keyword with the value True is a
    flag."""
    argv = ["--port", path.port, "--host", path.host]
    for key, value in keywords.items():
        option = "--" + key
        argv += [option] if value is True else [option, value]
    return [str(word) for word in argv]


def milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"


def _finished(process, what):
    """Waits for a load generator and returns its result. Ends the process, whatever happens."""
    try:
        out, err = process.communicate(timeout=300)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode or not out:
        raise Failed(f"{what}: {err.strip()[-300:] or process.returncode}")
    result = json.loads(out)
    if result.get("errors"):
        raise Failed(f"{what}: {result['errors']} errors: {err.strip()[-300:]}")
    return result


def _start(mode, path, keywords):
    return subprocess.Popen(
        [str(TOOLS / "load"), mode, *_options(path, keywords)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )


def several(count, mode, path, target, **keywords):
    """Runs the same load from @count processes at a time, for servers that one process cannot keep
    busy. Returns the result of each."""
    processes = [_start(mode, path, {"path": target, **keywords}) for _ in range(count)]
    try:
        return [_finished(process, mode) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def rate(path, target, **keywords):
    """Sends requests on a constant schedule and returns their latencies."""
    return several(1, "rate", path, target, **keywords)[0]


def typical(slices, measure):
    """Calls @measure() @slices times and returns the median of each figure. A single hiccup of the
    machine then does not count as a program's tail."""
    taken = [measure() for _ in range(slices)]
    return {
        key: statistics.median(one[key] for one in taken)
        for key, value in taken[0].items()
        if isinstance(value, (int, float))
    }


def bulk(path, target, **keywords):
    """Transfers bodies, one after the other on each connection, and returns the rates."""
    return several(1, "bulk", path, target, **keywords)[0]


@contextlib.contextmanager
def bulk_meanwhile(path, target, into, **keywords):
    """Runs bulk() while the caller measures something else. Puts the result into @into at the
    end."""
    process = _start("bulk", path, {"path": target, **keywords})
    try:
        yield process
        into.update(_finished(process, "bulk"))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class WebSockets(Held):
    """Holds @count WebSockets open for a `with` block. Raises Failed if fewer than @least opened;
    without @least all of them have to."""

    def __init__(self, directory, path, count, least=None):
        super().__init__(
            directory, "load", "websockets", *_options(path, {"path": "/ws", "connections": count})
        )
        said = self.answer(OPEN_S)
        self.opened, self.open_s = said["opened"] - said["lost"], said["seconds"]
        if self.opened < (count if least is None else least):
            complaint = self.complaint()
            self.close()
            raise Failed(f"only {self.opened} of {count} WebSockets opened: {complaint}")

    def sweep(self, seconds, size):
        """Sends one message on each WebSocket. Returns how many echoes came back."""
        rate = max(1, round(self.opened / seconds))
        return self._echo(rate, self.opened / rate, size)["answered"]

    def echo(self, rate, seconds, size):
        """Sends messages on a constant schedule and returns the latencies of their echoes."""
        result = self._echo(rate, seconds, size)
        if result["errors"]:
            raise Failed(
                f"{result['errors']} of {result['sent']} messages did not come back:"
                f" {self.complaint()}"
            )
        return result

    def _echo(self, rate, seconds, size):
        return self.ask(f"echo {rate} {math.ceil(seconds * 1000)} {size}", seconds + 30)


class Stalled(Held):
    """Holds @count viewers that ask for @target, read its head and then stop reading."""

    def __init__(self, directory, path, target, count):
        super().__init__(
            directory, "load", "stall", *_options(path, {"path": target, "connections": count})
        )
        self.answer()


def wrk(path, target, seconds, connections=64):
    """Runs wrk with one thread on @connections. Returns (requests, requests per second)."""
    program = shutil.which("wrk") or "wrk"
    argv = [
        program,
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "-H",
        f"Host: {path.host}",
        f"http://127.0.0.1:{path.port}{target}",
    ]
    result = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds + 60, env=clean_environment()
    )
    bad = re.search(r"(Socket errors|Non-2xx).*", result.stdout)
    total = re.search(r"(\d+) requests in", result.stdout)
    speed = re.search(r"Requests/sec:\s*([\d.]+)", result.stdout)
    if bad or not speed or int(total.group(1)) == 0:
        raise Failed(f"wrk: {bad.group(0) if bad else result.stderr.strip()}")
    return int(total.group(1)), float(speed.group(1))


def h2load(path, target, seconds, connections, streams):
    """Runs h2load with one thread against the TLS port, with so many connections and open streams
    on each. Returns (requests, requests per second)."""
    port, seconds = path.tls_port, max(1, round(seconds))
    argv = ["h2load", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "-t1"]
    argv += [f"--connect-to=127.0.0.1:{port}", f"https://{path.host.split(':')[0]}:{port}{target}"]
    result = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds + 60, env=clean_environment()
    )
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", result.stdout)
    fine = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", result.stdout)
    if not done or not fine or int(done.group(1)) == 0 or done.group(2) != "0":
        raise Failed(f"h2load: {(result.stdout + result.stderr).strip()[-300:]}")
    return int(done.group(1)), int(done.group(1)) / seconds
