# SPDX-License-Identifier: MIT
"""Runs a helper program that takes commands on standard input, one per line. The program ends when
its standard input ends, so it cannot outlive the benchmark."""

import json
import os
import select
import subprocess
import time

from support.programs import TOP, clean_environment

TOOLS = TOP / "build" / "release" / "bench"


class Failed(Exception):
    """A measurement gave no figure worth reporting; the text says why."""


class Held:
    def __init__(self, directory, tool, *arguments):
        self.name = tool
        self.errors = open(directory / f"{tool}.err", "ab+")
        self.process = subprocess.Popen(
            [str(TOOLS / tool), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=clean_environment(),
        )
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, deadline_s=60.0):
        end = time.monotonic() + deadline_s
        while b"\n" not in self.pending:
            ready, _, _ = select.select(
                [self.process.stdout], [], [], max(0, end - time.monotonic())
            )
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise Failed(
                    f"{self.name} {'ended' if ready else 'was silent'}: {self.complaint()}"
                )
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def answer(self, deadline_s=60.0):
        return json.loads(self.line(deadline_s))

    def ask(self, command, deadline_s=60.0):
        self.tell(command)
        return self.answer(deadline_s)

    def complaint(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()
        return "; ".join(lines[-3:]) or "nothing on standard error"


class Listener(Held):
    """Runs one of our servers. `.port` is the port that it listens on."""

    def __init__(self, directory, tool, *arguments):
        super().__init__(directory, tool, *arguments)
        self.port = int(self.line(10).rpartition(" ")[2])
