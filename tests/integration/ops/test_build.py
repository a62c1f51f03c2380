# SPDX-License-Identifier: MIT
"""Tests how the programs are built: the flags that harden them, and what `make deps` upgrades."""

import os
import pathlib
import platform
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("ONEPORT_BIN", ROOT / "build"))
RELEASE = os.environ.get("ONEPORT_VARIANT", "release") == "release"

FAKE_DPKG_QUERY = """#!/bin/sh
case "$*" in *Version*) echo 1.52.0-1+deb12u3 ;; *) echo installed ;; esac
"""

FAKE_APT_GET = """#!/bin/sh
echo "$*" >>"$APT_LOG"
case " $* " in
*" -s "*) [ -z "$APT_OLD" ] || echo "$APT_OLD" ;;
*" update "*) [ -z "$APT_OFFLINE" ] || exit 100 ;;
*) [ -z "$APT_OFFLINE" ] || exit 100 ;;
esac
"""

FAKE_SUDO = """#!/bin/sh
exec "$@"
"""


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True).stdout


@pytest.mark.skipif(not RELEASE, reason="the flags are the release build's")
@pytest.mark.parametrize("program", ["oneportd", "oneport"])
def test_programs_are_hardened(program):
    path = BIN / program
    segments = [line.split() for line in readelf("-l", path).splitlines()]
    stack = next(s for s in segments if s[:1] == ["GNU_STACK"])
    loads = [s for s in segments if s[:1] == ["LOAD"]]
    assert "E" not in " ".join(stack[6:]), "the stack is executable"
    assert "E" not in " ".join(loads[0][6:-1]), "code shares a page with the headers"
    assert any(s[:1] == ["GNU_RELRO"] for s in segments)
    dynamic = readelf("-d", path)
    assert "BIND_NOW" in dynamic and "PIE" in dynamic
    symbols = readelf("--dyn-syms", path)
    assert "__stack_chk_fail" in symbols
    assert "__memcpy_chk" in symbols or "__snprintf_chk" in symbols
    # gcc notes in the debug data how it generated the code.
    producers = readelf("--debug-dump=info", "--dwarf-depth=1", path)
    if "GNU GIMPLE" in producers:
        assert "-fstack-clash-protection" in producers
        if platform.machine() == "x86_64":
            assert "-fcf-protection" in producers


@pytest.mark.parametrize(
    "arguments,said",
    [
        (["IPSEC_MB=maybe"], "IPSEC_MB is yes or no"),
        (["IPSEC_MB=yes"], "is for OpenSSL before 3.1; OpenSSL 3.1.4 has such code itself"),
    ],
)
def test_ipsec_mb_is_a_choice_that_is_refused_in_words(tmp_path, arguments, said):
    """With a pkg-config that tells of OpenSSL 3.1."""
    fake = tmp_path / "pkg-config"
    fake.write_text(
        '#!/bin/sh\ncase "$*" in *modversion*) echo 3.1.4 ;; *exists*) exit 1 ;; esac\n'
    )
    fake.chmod(0o755)
    done = subprocess.run(
        ["make", "-n", *arguments, "all"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and said in done.stderr


@pytest.mark.skipif(not RELEASE, reason="the release build's")
@pytest.mark.parametrize("program", ["oneportd", "oneport"])
def test_the_default_build_is_without_ipsec_mb(program):
    assert "IPSec_MB" not in readelf("-d", BIN / program)


def run_deps(tmp_path, groups, **environment):
    """Runs deps.sh with commands that only note what they are asked. Returns the notes and what
    was printed."""
    for name, text in (
        ("dpkg-query", FAKE_DPKG_QUERY),
        ("apt-get", FAKE_APT_GET),
        ("sudo", FAKE_SUDO),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    log.write_text("")
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "APT_LOG": str(log)}
    done = subprocess.run(
        [ROOT / "tests/support/deps.sh", *groups],
        env={**env, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines(), done.stdout + done.stderr


def test_deps_upgrades_every_linked_library(tmp_path):
    old = "Inst libssl3 [3.0.19-1~deb12u2] (3.0.22-1~deb12u2 Debian-Security:12 [amd64])"
    asked, said = run_deps(tmp_path, ["build", "newest"], APT_OLD=old)
    assert "update -q" in asked[0]  # before the lists are read
    upgrade = asked[-1]
    assert "--only-upgrade" in upgrade and "-s" not in upgrade.split()
    for library in ("libc6", "libnghttp2", "libssl", "libevent", "libcjson", "libinih"):
        assert f"{library}-dev" in upgrade
    assert "upgrading: libssl3" in said


def test_deps_changes_nothing_where_nothing_is_old(tmp_path):
    asked, said = run_deps(tmp_path, ["build"])
    assert [a for a in asked if " -s " not in f" {a} "] == []
    assert said == ""


def test_deps_without_a_network_warns_and_goes_on(tmp_path):
    old = "Inst libssl3 [3.0.19] (3.0.22 Debian:12 [amd64])"
    _, said = run_deps(tmp_path, ["build", "newest"], APT_OLD=old, APT_OFFLINE="1")
    assert "could not be fetched" in said and "could not be upgraded" in said


MINIMAL = "bash awk cat dpkg env grep mktemp rm sed sleep true".split()


def in_words(tmp_path, *groups, **environment):
    """Runs deps.sh with the commands of @tmp_path and a few more. Returns what it did."""
    for name in MINIMAL:
        if not (tmp_path / name).exists():
            (tmp_path / name).symlink_to(shutil.which(name))
    return subprocess.run(
        [tmp_path / "bash", ROOT / "tests/support/deps.sh", *groups],
        env={"PATH": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def command(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def test_deps_names_what_is_missing_where_nobody_can_install(tmp_path):
    command(tmp_path / "id", "echo 1000")
    command(tmp_path / "dpkg-query", "exit 1")
    command(tmp_path / "apt-get", "echo $* >>$0.log")
    done = in_words(tmp_path, "build")
    assert done.returncode == 1
    assert "no sudo" in done.stderr
    assert "apt-get install --no-install-recommends gcc make" in done.stderr
    assert not (tmp_path / "apt-get.log").exists()


def test_deps_waits_for_another_apt_and_shows_what_it_does(tmp_path):
    command(tmp_path / "id", "echo 0")
    command(tmp_path / "dpkg-query", 'case "$*" in *make*) exit 1 ;; *) echo installed ;; esac')
    lock = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt)"
    command(
        tmp_path / "apt-get",
        'case " $* " in *" -s "*) exit 0 ;; esac',
        f'if mkdir "$0.seen" 2>/dev/null; then echo "{lock}" >&2; exit 100; fi',
        'case " $* " in *" update "*) exit 0 ;; esac',
        'echo "Get:1 http://deb.debian.org/debian bookworm/main amd64 make amd64 4.3 [396 kB]"',
        'echo "Setting up make (4.3-4.1) ..."',
    )
    (tmp_path / "mkdir").symlink_to(shutil.which("mkdir"))
    done = in_words(tmp_path, "build")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:5] == [
        "installing with apt-get: make",
        "waiting for another program that installs packages",
        "  fetching make (396 kB)",
        "  setting up make",
    ]


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "cannot be built without these packages: 'make deps' installs them."),
        (["PKG_LIBS=-lc", "CC=no-such-cc"], "without a C compiler (no-such-cc): 'make deps'"),
    ],
)
def test_a_build_without_its_packages_says_what_to_do(arguments, said, tmp_path):
    """With a pkg-config that knows no library. What it says is shown, too."""
    command(tmp_path / "pkg-config", "echo 'Package libnghttp2 was not found' >&2", "exit 1")
    done = subprocess.run(
        ["make", f"BUILD={tmp_path}/build", *arguments, "all"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and said in done.stderr
    assert arguments or "Package libnghttp2 was not found" in done.stderr
