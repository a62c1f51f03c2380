# SPDX-License-Identifier: MIT
"""Tests what is made of the tables of options: manual pages, and completions in real shells."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from support.programs import BIN, SLOW, TOP, clean_environment, run

PROGRAMS = ("oneport", "oneportd")


def options_of(program):
    """Returns the long options of --help."""
    _, out, _ = run(program, "--help")
    return set(re.findall(r"^  (?:-\w, |    )--([\w-]+)", out, re.M))


def tool(name):
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


@pytest.fixture
def shell(tmp_path):
    """Writes the completions of both programs, as a shell finds them."""
    for program in PROGRAMS:
        for kind, path in (("bash", program), ("zsh", f"_{program}"), ("fish", f"{program}.fish")):
            folder = tmp_path / kind
            folder.mkdir(exist_ok=True)
            (folder / path).write_text(run(program, f"--generate={kind}")[1])
    (tmp_path / "here.pem").touch()
    (tmp_path / "config").write_text("[tunnel web]\nport = 1\n[tunnel wiki]\nport = 2\n")
    return tmp_path


def environment(tmp_path):
    extra = {"HOME": tmp_path, "TERM": "xterm", "ONEPORT_CONFIG": tmp_path / "config"}
    path = f"{BIN}:{os.environ['PATH']}"
    return clean_environment({**extra, "PATH": path, "PS1": "ready> ", "PROMPT": "ready> "})


class Terminal:
    """Runs a shell on a terminal."""

    def __init__(self, argv, cwd):
        self.pid, self.fd = pty.fork()
        self.seen = ""
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, environment(cwd))

    def type(self, text, wanted):
        """Types @text, and waits until the pattern @wanted is seen behind it."""
        end = time.monotonic() + 10 * SLOW
        self.seen = ""
        os.write(self.fd, text.encode())
        while not re.search(wanted, re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self.seen)):
            left = end - time.monotonic()
            assert left > 0, f"{wanted!r} is not in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(shell, ended):
    def start(*argv):
        terminal = Terminal(argv, shell)
        ended.callback(terminal.close)
        return terminal

    return start


# What is typed, without the TAB, and what must appear.
TYPED = [
    ("oneport --subd", r"--subdomain"),
    ("oneport --log-level de", r"debug"),
    ("oneport --ca he", r"here\.pem"),
    ("oneport log", r"login"),
    ("oneport start wi", r"wiki"),
    ("oneportd --access", r"--access-log"),
    ("oneportd --early-hints of", r"off"),
    ("oneportd nam", r"names"),
]


@pytest.mark.rule("O109")
def test_bash_completes(terminal):
    bash = terminal(tool("bash"), "--norc", "--noprofile", "-i")
    bash.type("bind 'set enable-bracketed-paste off'; echo beg''un\n", r"begun\r\n")
    bash.type("for f in bash/*; do . $f; done; echo load''ed\n", r"loaded\r\n")
    for typed, wanted in TYPED:
        bash.type(f"{typed}\t", wanted)
        bash.type("\x15", "")  # Ctrl-U
    bash.type("oneport --log-level=wa\t", r"=warn")


@pytest.mark.rule("O109")
def test_zsh_completes(terminal):
    zsh = terminal(tool("zsh"), "-f", "-i")
    zsh.type("fpath=($PWD/zsh $fpath); autoload -U compinit; compinit -u -D; echo load''ed\n",
             r"loaded\r\n")  # fmt: skip
    for typed, wanted in TYPED:
        zsh.type(f"{typed}\t", wanted)
        zsh.type("\x15", "")
    zsh.type("oneport --log-level=wa\t", r"warn")


@pytest.mark.rule("O109")
@pytest.mark.parametrize("typed, wanted", [*TYPED, ("oneport --log-level=wa", r"warn")])
def test_fish_completes(typed, wanted, shell):
    done = subprocess.run(
        [tool("fish"), "--no-config", "-c", f"source fish/{typed.split()[0]}.fish; "
         f"complete -C '{typed}'"],
        cwd=shell,
        env=environment(shell),
        capture_output=True,
        text=True,
        timeout=20 * SLOW,
    )  # fmt: skip
    assert re.search(wanted, done.stdout), done.stdout + done.stderr


@pytest.mark.rule("O109")
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("kind", ["man", "bash", "zsh", "fish"])
def test_every_option_is_there(program, kind):
    code, out, err = run(program, f"--generate={kind}")
    assert (code, err) == (0, "")
    mark = {"man": r"\*--(?:\[no-\])?%s\*", "fish": r"-l %s\s"}.get(kind, r"--%s[ =\['\)}]")
    assert not [name for name in options_of(program) if not re.search(mark % re.escape(name), out)]


@pytest.mark.rule("O109")
@pytest.mark.parametrize("page", ["oneport.1", "oneportd.8"])
def test_manual_pages(page, tmp_path):
    """man shows each option of the page that `make man` makes."""
    made = f"{tmp_path}/share/{page}"
    done = subprocess.run(
        [tool("make"), "-o", BIN / page[:-2], f"BIN={BIN}", f"BUILD={tmp_path}", made],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    env = clean_environment({"MANWIDTH": "500", "LC_ALL": "C.UTF-8"})
    shown = subprocess.run([tool("man"), "--warnings", "-l", made], capture_output=True, text=True,
                           env=env)  # fmt: skip
    assert shown.returncode == 0 and shown.stderr == "", shown.stderr
    text = re.sub(".\x08", "", shown.stdout)
    missing = [
        name for name in options_of(page[:-2]) if not re.search(rf"--(\[no-\])?{name}\b", text)
    ]
    assert not missing and "@OPTIONS@" not in text and "@VERSION@" not in text


@pytest.mark.rule("O109")
@pytest.mark.parametrize("program", PROGRAMS)
def test_another_kind_is_no_option(program):
    code, out, err = run(program, "--generate=html")
    assert (code, out) == (1, "") and "unknown option --generate" in err
