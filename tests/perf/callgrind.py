# SPDX-License-Identifier: MIT
"""Runs a program under valgrind's callgrind and counts the instructions that each of its functions
spends between two moments."""

import collections
import pathlib
import shutil
import subprocess

from support.programs import Program, clean_environment

START_S = 60.0  # time to start under valgrind, also on a busy machine
ANSWER_S = 30.0


class Unavailable(Exception):
    """This machine cannot count instructions; the text says why."""


def check():
    """Raises Unavailable unless a program runs under callgrind here."""
    if missing := [name for name in ("valgrind", "vgdb") if not shutil.which(name)]:
        raise Unavailable(f"{missing[0]} is not installed")
    tried = _call(
        "valgrind", "-q", "--tool=callgrind", "--vgdb=no", "--callgrind-out-file=/dev/null", "true"
    )
    if tried.returncode:
        raise Unavailable(
            f"valgrind does not run: {tried.stderr.strip()[-300:] or tried.returncode}"
        )


def _call(*argv):
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            env=clean_environment(),
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{argv[0]} did not answer within {ANSWER_S:.0f} s") from None


class Counted:
    """Runs @argv under callgrind. Counts the instructions between reset() and counts()."""

    def __init__(self, argv, directory, name, env=None):
        self.out = pathlib.Path(directory) / f"{name}.callgrind"
        self.door = f"--vgdb-prefix={directory}/vgdb"
        wrapped = [
            "valgrind",
            "-q",
            "--tool=callgrind",
            self.door,
            f"--callgrind-out-file={self.out}",
            *argv,
        ]
        self.program = Program(wrapped, directory, name, env)

    def wait_output(self, pattern, stream="log"):
        return self.program.wait_output(pattern, START_S, stream)

    def reset(self):
        self._tell("zero")

    def counts(self):
        """Returns {(object, function): instructions} since reset(). May be called once."""
        self._tell("dump")
        return self_costs(pathlib.Path(f"{self.out}.1").read_text())

    def _tell(self, command):
        said = _call("vgdb", self.door, f"--pid={self.program.pid}", command)
        if said.returncode:
            raise Unavailable(
                f"vgdb cannot reach {self.program.name}: {said.stderr.strip()[-300:]}"
            )

    def stop(self):
        self.program.stop(deadline_s=START_S)


def self_costs(text):
    """Reads callgrind's file. Returns {(object, function): instructions} that each function spent
    itself, without the functions that it called.

    The format is described at https://valgrind.org/docs/manual/cl-format.html. A name is written
    once with a number, and later as that number alone. A line of costs is `LINE COSTS`, where LINE
    may be relative or `*`. The line after `calls=` has the costs of the called function."""
    names, costs = {}, collections.Counter()
    holder = function = ""
    called = False

    def name(kind, value):
        number, _, given = value.partition(" ")
        if not number.startswith("("):
            return value
        if given:
            names[kind, number] = given
        return names[kind, number]

    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in ("ob", "cob"):
            found = name("ob", value)
            holder = found if key == "ob" else holder
        elif key in ("fn", "cfn"):
            found = name("fn", value)
            function = found if key == "fn" else function
        elif key == "calls":
            called = True
        elif line[:1] in tuple("0123456789+-*"):
            words = line.split()
            if not called and len(words) > 1:
                costs[pathlib.PurePath(holder).name, function] += int(words[1])
            called = False
    return costs
