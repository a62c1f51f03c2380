# SPDX-License-Identifier: MIT
"""Tests `make install` and `make uninstall`, and what they install beside the programs."""

import grp
import os
import pathlib
import pwd
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.release_only  # both builds install the same files

UNITS = ("oneportd.service", "oneport@.service")
FILES = {
    "usr/sbin/oneportd",
    "usr/share/man/man1/oneport.1",
    "usr/share/man/man8/oneportd.8",
    *(f"usr/share/bash-completion/completions/{name}" for name in ("oneport", "oneportd")),
    *(f"usr/share/zsh/vendor-completions/_{name}" for name in ("oneport", "oneportd")),
    *(f"usr/share/fish/vendor_completions.d/{name}.fish" for name in ("oneport", "oneportd")),
    "usr/bin/oneport",
    *(f"usr/lib/systemd/system/{unit}" for unit in UNITS),
    "usr/lib/sysusers.d/oneport.conf",
    "usr/lib/tmpfiles.d/oneport.conf",
    "etc/logrotate.d/oneportd",
    "etc/default/oneportd",
}


def make(target, root):
    done = subprocess.run(
        ["make", "--no-print-directory", target, f"DESTDIR={root}", "prefix=/usr"],
        cwd=TOP,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )
    assert done.returncode == 0, done.stderr


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def tool(name):
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    directory = tmp_path_factory.mktemp("root")
    make("install", directory)
    return directory


def test_everything_is_there(root):
    assert FILES <= files(root)
    for program in ("usr/sbin/oneportd", "usr/bin/oneport"):
        said = subprocess.run([root / program, "--version"], capture_output=True, text=True)
        assert said.stdout.startswith(program.rpartition("/")[2])
    texts = [(root / file).read_text() for file in FILES if "bin/" not in file]
    assert not any(f"@{word}dir@" in text for text in texts for word in ("bin", "sbin", "sysconf"))
    assert (root / "etc/oneport/tls").stat().st_mode & 0o777 == 0o750


def test_settings_outlive_uninstall_and_install(tmp_path):
    settings = tmp_path / "etc/default/oneportd"
    make("install", tmp_path)
    settings.write_text("ONEPORTD_DOMAIN=example.com\n")
    make("install", tmp_path)
    make("uninstall", tmp_path)
    assert files(tmp_path) == {"etc/default/oneportd"}
    assert settings.read_text() == "ONEPORTD_DOMAIN=example.com\n"


@pytest.mark.rule("O142")
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_hardened(unit, root):
    path = root / "usr/lib/systemd/system" / unit
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_understood(unit, root):
    """systemd reads the unit without a complaint, in a root that has the program it starts."""
    os.makedirs(root / "bin", exist_ok=True)
    shutil.copy("/bin/sh", root / "bin/sh")
    targets = ("network-online", "basic", "sysinit", "multi-user", "shutdown")
    for name in (f"{target}.target" for target in targets):
        shutil.copy(f"/lib/systemd/system/{name}", root / "usr/lib/systemd/system")
    name = unit.replace("@", "@web")
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", f"--root={root}", name],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if unit.split(".")[0] in line]


@pytest.mark.rule("O232")
def test_the_socket_unit_of_the_page_is_understood(root):
    """systemd reads it without a complaint, beside the installed unit."""
    page = (TOP / "docs" / "server.md").read_text()
    block = page.partition("`/etc/systemd/system/oneportd.socket`")[2].partition("`systemctl")[0]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    assert lines[0] == "[Socket]"
    (root / "usr/lib/systemd/system/oneportd.socket").write_text("\n".join(lines) + "\n")
    shutil.copy("/lib/systemd/system/sockets.target", root / "usr/lib/systemd/system")
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", f"--root={root}", "oneportd.socket"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "oneportd.socket" not in done.stderr, done.stderr


def test_users_and_folders_are_understood(root, tmp_path):
    (tmp_path / "etc").mkdir()
    subprocess.run(
        [tool("systemd-sysusers"), f"--root={tmp_path}", root / "usr/lib/sysusers.d/oneport.conf"],
        check=True,
    )
    assert "oneport:" in (tmp_path / "etc/passwd").read_text()
    if os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    subprocess.run(
        [
            tool("systemd-tmpfiles"),
            "--create",
            f"--root={tmp_path}",
            root / "usr/lib/tmpfiles.d/oneport.conf",
        ],
        check=True,
    )
    assert (tmp_path / "var/lib/oneport").stat().st_mode & 0o777 == 0o700


def test_logrotate_follows_its_file(root, tmp_path):
    """With the folder and the user of this test in place of the server's."""
    logrotate = shutil.which("logrotate", path="/usr/sbin:/sbin:" + os.environ["PATH"])
    if not logrotate:
        pytest.skip("logrotate is not installed")
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    rules = (root / "etc/logrotate.d/oneportd").read_text()
    rules = rules.replace("/var/log/oneport", str(tmp_path))
    rules = rules.replace("oneport oneport", f"{user} {group}")
    (tmp_path / "rules").write_text(rules)
    (tmp_path / "rules").chmod(0o644)
    (tmp_path / "access.log").write_text("a line\n")
    subprocess.run(
        [logrotate, "--force", "--state", tmp_path / "state", tmp_path / "rules"], check=True
    )
    assert (tmp_path / "access.log").read_text() == ""
    assert (tmp_path / "access.log.1").read_text() == "a line\n"
