# SPDX-License-Identifier: MIT
"""Tests the packages that `make deb` and its like build: each is built from a clean clone, in a
network namespace that leads nowhere, and its programs run."""

import fcntl
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import pytest
from support import machine, programs
from support.viewer import fetch

TOP = pathlib.Path(__file__).resolve().parents[3]
VERSION = re.search(r"(?m)^VERSION := (.*)$", (TOP / "Makefile").read_text())[1]
pytestmark = pytest.mark.release_only  # packages are built without sanitizers


def clone(directory):
    """Makes a clean clone of the last commit."""
    if not (TOP / ".git").exists():
        pytest.skip("this tree is no git checkout")
    subprocess.run(["git", "clone", "--quiet", TOP, directory], check=True)
    return directory


def run_make(directory, *words, **variables):
    """Runs make in @directory, without a network where this user may take it away."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else []
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [*alone, "make", "--no-print-directory", *words],
        cwd=directory,
        env={**env, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def first_line(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def test_every_version_is_the_same():
    changelog = (TOP / "debian/changelog").read_text()
    assert changelog.startswith(f"oneport ({VERSION}) ")


@pytest.fixture(scope="module", params=["portable", "static"])
def one_file(request, lock_directory):
    """Makes the client in one file, in this tree: it may have to fetch the source of cJSON once.
    Returns the folder of the program."""
    with open(lock_directory / "one_file", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "--no-print-directory", request.param],
            cwd=TOP,
            capture_output=True,
            text=True,
        )
    if "could not be fetched" in done.stderr:
        pytest.skip("the source of cJSON cannot be fetched here")
    assert done.returncode == 0, done.stdout + done.stderr
    return TOP / "build" / request.param


def newest_glibc(program):
    """Returns the newest version of glibc that a symbol of @program asks for."""
    symbols = subprocess.run(["objdump", "-T", program], capture_output=True, text=True).stdout
    asked = re.findall(r"GLIBC_([\d.]+)", symbols)
    return max([tuple(map(int, version.split("."))) for version in asked], default=(0,))


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_client_in_one_file(one_file, server, new_client, http_origin, tmp_path):
    program = one_file / "oneport"
    headers = subprocess.run(["objdump", "-p", program], capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED +(\S+)", headers)
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if one_file.name == "portable":
        assert needed == ["libc.so.6"] and newest_glibc(program) <= (2, 34)
        assert "linked in: its libraries, but not libc\n" in said
    else:
        assert needed == [] and "from /etc/hosts and DNS alone" in said
    client = new_client(http_origin.port, programs=one_file)
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may chroot")
@pytest.mark.parametrize("one_file", ["static"], indirect=True)
@pytest.mark.parametrize(
    "place",
    [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/ssl/cert.pem",
        None,
    ],
)
def test_authorities_of_other_systems(place, one_file, tmp_path):
    """With the static client in a root that has nothing but the authorities of such a system."""
    shutil.copy(one_file / "oneport", tmp_path / "oneport")
    if place:
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text("")
    done = subprocess.run(
        ["/usr/sbin/chroot", tmp_path, "/oneport", "--version"],
        capture_output=True,
        text=True,
        env={},
    )
    assert f"trusted authorities: {'/' + place if place else 'none found'}\n" in done.stdout


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("one_file", ["portable"], indirect=True)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_tunnel_from_an_empty_root(suite, one_file, server, http_origin, tmp_path):
    """The file alone, in a root with the essential packages of Debian 12, or of the next one: it
    has no libraries but libc, no authorities and no python. A name is looked up by its libc."""
    if why := machine.missing():
        pytest.skip(why)
    root = machine.Root(tmp_path / "root", suite=suite)
    shutil.copy(one_file / "oneport", root.path / "usr/local/bin/oneport")
    shutil.copy(server.certificate.ca, root.path / "etc/ca.crt")
    assert "trusted authorities: none found" in root.run("oneport --version")
    words = ["env", "-i", "HOME=/root", f"PATH={machine.PATH}", "oneport", "-s", f"from-{suite}"]
    words += ["--host", server.url, "--ca", "/etc/ca.crt", http_origin.port]
    client = programs.Program(root.command(*words), tmp_path, "share")
    try:
        client.wait_output(f"^your url is: https://from-{suite}.localhost", 30, "stdout")
        assert fetch(server.port, f"from-{suite}.localhost", "/echo/x").status == 200
    finally:
        client.kill9()
        root.close()


SCRIPT = """
import sys, urllib.request
import oneport
port, host, ca = sys.argv[1:]
with oneport.share(port, host=host, options=["--ca", ca]) as url:
    print(url, flush=True)
    assert url.startswith("https://")
try:
    with oneport.share(port, host=host, options=["--no-such-option"]):
        pass
except oneport.ShareError as why:
    print(why)
"""


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("one_file", ["portable"], indirect=True)
def test_the_wheel(one_file, server, http_origin, tmp_path):
    """Installed from its file, into a folder of its own."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode != 0:
        pytest.skip("pip is not installed")
    kind, place = platform.machine(), tmp_path / "site"
    words = [VERSION, one_file / "oneport", kind, tmp_path]
    subprocess.run([TOP / "packaging/wheel/make", *words], check=True)
    wheel = tmp_path / f"oneport-{VERSION}-py3-none-manylinux_2_34_{kind}.whl"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--target", place, wheel]
    subprocess.run([*pip, *install], check=True)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(http_origin.port), server.url, server.certificate.ca],
        env={**programs.clean_environment(), "PYTHONPATH": str(place), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    url, why = done.stdout.splitlines()[:2]
    assert url.startswith("https://") and "no-such-option" in why
    assert (place / "oneport/bin/oneport").stat().st_mode & 0o111


def test_no_page_installs_what_belongs_to_others():
    """The name oneport is another project's in the indexes of Python and Node."""
    pages = subprocess.run(
        ["git", "ls-files", "*.md", "debian", "docker", "packaging"],
        cwd=TOP,
        capture_output=True,
        text=True,
    ).stdout.split()
    wrong = re.compile(r"(pip3?|pipx|uv pip) install oneport|(npx|npm i|npm install) oneport")
    assert pages or not (TOP / ".git").exists()
    assert [page for page in pages if wrong.search((TOP / page).read_text())] == []


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_debian_packages(tmp_path):
    for tool in ("dh", "dpkg-buildpackage", "lintian"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    tree = clone(tmp_path / "tree")
    run_make(tree, "deb")
    out = tree / "build/deb"
    done = subprocess.run(
        [
            "lintian",
            "--allow-root",
            "--fail-on",
            "error,warning",
            *out.glob("*.changes"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    for package, program in (("oneport", "usr/bin/oneport"), ("oneportd", "usr/sbin/oneportd")):
        (deb,) = out.glob(f"{package}_{VERSION}_*.deb")
        subprocess.run(["dpkg-deb", "-x", deb, tmp_path / package], check=True)
        assert first_line(tmp_path / package / program, "--version") == f"{package} {VERSION}"
    scripts = subprocess.run(
        ["dpkg-deb", "--ctrl-tarfile", next(out.glob("oneportd_*.deb"))],
        capture_output=True,
        check=True,
    ).stdout
    assert b"systemd-sysusers" in scripts and b"systemd-tmpfiles" in scripts
