# SPDX-License-Identifier: MIT
"""Makes roots of Debian (12, unless asked for another) with nothing but its essential packages, and
machines that systemd has booted in such a root.

`missing()` says what is missing for them: root, mmdebstrap, namespaces. The first root of a
checkout is fetched from Debian's archive; build/roots keeps it for later ones. Mounts are made in
namespaces that end with the programs in them, so that a root can be removed when these have
ended."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

from .netns import Namespace
from .wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
KEPT = TOP / "build/roots"
SUITE = "bookworm"

# What each program in a root sees of the kernel. $root is the root.
MOUNT = """
set -e
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
"""
RUN = MOUNT + 'exec chroot "$root" "$@"\n'

# A machine has the control groups that systemd wants. apt-get finds the network of this machine.
BOOT = (
    MOUNT
    + """
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs tmp "$root/tmp"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 groups "$root/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=755 groups "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
    mount -t cgroup -o none,name=systemd groups "$root/sys/fs/cgroup/systemd"
    mount -t cgroup2 groups "$root/sys/fs/cgroup/unified"
fi
touch "$root/run/internet"
mount --bind "$internet" "$root/run/internet"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=oneport-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --unit=multi-user.target
"""
)

APT_GET = """#!/bin/sh
# Of the tests: gives apt-get the network of the machine that the tests run on.
exec nsenter --net=/run/internet unshare --mount sh -c '
    mount --bind /etc/resolv.internet /etc/resolv.conf
    exec /usr/bin/apt-get "$@"' - "$@"
"""


def missing():
    """Returns why there can be no roots here, or None."""
    if os.geteuid() != 0:
        return "roots of Debian need root"
    for program in ("mmdebstrap", "unshare", "nsenter", "chroot", "ip"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return f"there is no {program} here"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--uts", "--cgroup", "--net", "true"],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"no namespaces: {tried.stderr.strip()}"


def minimal(suite=SUITE):
    """Returns the archive of a root with the essential packages. Makes it the first time."""
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"{suite}.tar"
    with open(KEPT / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = kept.with_suffix(".part.tar")
            done = subprocess.run(
                ["mmdebstrap", "--variant=minbase", suite, made], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            made.rename(kept)
    return kept


class Root:
    """Is a root with the essential packages of @suite and those of @packages. Its programs run in
    the network namespace of their caller."""

    def __init__(self, directory, *packages, suite=SUITE):
        self.path = pathlib.Path(directory)
        self.path.mkdir()
        subprocess.run(["tar", "-x", "-C", self.path, "-f", minimal(suite)], check=True)
        for file in ("etc/resolv.conf", "etc/hosts"):
            shutil.copy(f"/{file}", self.path / file)
        self.write("etc/apt/apt.conf.d/90tests", 'APT::Install-Recommends "false";\n')
        if packages:
            self.run(f"apt-get update -q && apt-get install -y -q {' '.join(packages)}")

    def write(self, file, text, mode=0o644):
        place = self.path / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def command(self, *words):
        """Returns the words that run a command in this root."""
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child=TERM"]
        return [*apart, "env", f"root={self.path}", "sh", "-c", RUN, "-", *words]

    def run(self, script, expect=0, directory="/root"):
        """Runs @script by bash and returns what it prints."""
        words = self.command("env", "-i", "HOME=/root", f"PATH={PATH}", "bash", "-euc")
        return finish([*words, f"cd {directory}\n{script}"], expect, script)

    def close(self):
        shutil.rmtree(self.path)


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def finish(words, expect, script):
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == expect, f"{script}\n---- {done.returncode}:\n{done.stdout}"
    return done.stdout


class Machine:
    """Is a machine that systemd has booted in @root, which has the package systemd-sysv. A cable
    leads from its eth0 to the namespace `outside`, which has the address before the machine's."""

    ADDRESS, OUTSIDE = "10.78.0.2", "10.78.0.1"

    def __init__(self, root):
        self.root = root
        self.ends = contextlib.ExitStack()
        root.path.joinpath("etc/resolv.conf").rename(root.path / "etc/resolv.internet")
        root.write("etc/resolv.conf", f"nameserver {self.OUTSIDE}\n")
        root.write("usr/local/bin/apt-get", APT_GET, 0o755)
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self):
        self.outside = self.ends.enter_context(contextlib.closing(Namespace()))
        self.space = self.ends.enter_context(contextlib.closing(Namespace()))
        self.outside.ip(f"link add left type veth peer name eth0 netns {self.space.holder.pid}")
        for space, device, address in (
            (self.outside, "left", self.OUTSIDE),
            (self.space, "eth0", self.ADDRESS),
        ):
            space.ip(f"addr add {address}/24 dev {device}")
            space.ip(f"link set {device} up")
        apart = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork"]
        internet = f"internet=/proc/{os.getpid()}/ns/net"
        with self.space.inside():
            self.init = subprocess.Popen(
                [
                    *apart,
                    "--kill-child",
                    "env",
                    f"root={self.root.path}",
                    internet,
                    "sh",
                    "-c",
                    BOOT,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.ends.callback(self._switch_off)
        self.pid = wait_until(self._pid, 20, "the init of the machine")
        wait_until(self._is_up, 90, "a booted machine")

    def _pid(self):
        assert self.init.poll() is None, "the machine cannot be booted here"
        children = pathlib.Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text()
        for pid in children.split():
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            if name == "systemd":
                return pid
        return None

    def _is_up(self):
        words = ["nsenter", "--target", self.pid, "--all", "systemctl", "is-system-running"]
        done = subprocess.run(words, capture_output=True, text=True)
        return re.search("running|degraded", done.stdout)

    def run(self, script, expect=0, directory="/root"):
        """Runs @script by bash on the machine and returns what it prints."""
        words = ["nsenter", "--target", self.pid, "--all", "env", "-i", "HOME=/root"]
        script = f"cd {directory}\n{script}"
        return finish([*words, f"PATH={PATH}", "bash", "-euc", script], expect, script)

    def _switch_off(self):
        self.init.kill()  # unshare, whose end kills the first process, and so all of them
        self.init.wait(20)

    def close(self):
        self.ends.close()
