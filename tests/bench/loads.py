# SPDX-License-Identifier: MIT
"""The loads as calls: wrk for throughput, our own generator for everything that waits, holds or
shares."""

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
    """--port, --host and one option per keyword; True is a flag."""
    argv = ["--port", path.port, "--host", path.host]
    for key, value in keywords.items():
        option = "--" + key
        argv += [option] if value is True else [option, value]
    return [str(word) for word in argv]


def milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"


def _finished(process, what):
    """Its result. Whatever comes between, the process does not stay."""
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
    """The same load from @count processes at a time, for servers that one process cannot keep busy:
    their results."""
    processes = [_start(mode, path, {"path": target, **keywords}) for _ in range(count)]
    try:
        return [_finished(process, mode) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def rate(path, target, **keywords):
    """Requests on a constant schedule."""
    return several(1, "rate", path, target, **keywords)[0]


def typical(slices, measure):
    """Each figure of @measure(), the median over so many calls: one hiccup of the machine is no
    tail of a program."""
    taken = [measure() for _ in range(slices)]
    return {
        key: statistics.median(one[key] for one in taken)
        for key, value in taken[0].items()
        if isinstance(value, (int, float))
    }


def bulk(path, target, **keywords):
    """Bodies, one after the other on each connection."""
    return several(1, "bulk", path, target, **keywords)[0]


@contextlib.contextmanager
def bulk_meanwhile(path, target, into, **keywords):
    """The same while something else is measured; what came of it is put into @into."""
    process = _start("bulk", path, {"path": target, **keywords})
    try:
        yield process
        into.update(_finished(process, "bulk"))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class WebSockets(Held):
    """@count WebSockets that stay open for a `with` block; with @least, as many as there can be."""

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
        """On how many an echo comes back, when each gets a message."""
        rate = max(1, round(self.opened / seconds))
        return self._echo(rate, self.opened / rate, size)["answered"]

    def echo(self, rate, seconds, size):
        """Latencies of messages on a constant schedule."""
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
    """@count viewers that ask for @target and read no further than its head."""

    def __init__(self, directory, path, target, count):
        super().__init__(
            directory, "load", "stall", *_options(path, {"path": target, "connections": count})
        )
        self.answer()


def wrk(path, target, seconds, connections=64):
    """As many requests as one thread gets through on @connections: (requests, requests a
    second)."""
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
