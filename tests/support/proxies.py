# SPDX-License-Identifier: MIT
"""Runs the proxies by which a client leaves an office: tinyproxy, squid with Basic and microsocks,
which is a SOCKS 5 server. All listen on loopback and connect to whatever they are asked for."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from .programs import Program, free_port
from .wait import wait_until

USER, PASSWORD = "ann", "s3cr:t@x"
# The login as a part of a URL.
LOGIN = "ann:s3cr%3At%40x@"

BASIC_HELPER = "/usr/lib/squid/basic_ncsa_auth"
PATH = "/usr/sbin:/usr/bin:/usr/local/bin"

TINYPROXY = """\
Listen 127.0.0.1
Port {port}
Timeout {timeout_s}
MaxClients 50
{more}
"""

SQUID = """\
http_port 127.0.0.1:{port}
auth_param basic program {helper} {passwords}
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
cache_mem 1 MB
access_log none
cache_log {directory}/cache.log
pid_filename none
coredump_dir {directory}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname localhost
max_filedescriptors 1024
"""


class Proxy:
    """Is a running proxy. .url names it without a login."""

    scheme, code = "http", 0

    def __init__(self, directory, port=0, **how):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.start(**how)
        wait_until(self._listens, what=f"{type(self).__name__} on port {self.port}")

    def _listens(self):
        assert self.program.running, self.program.tail()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def login_url(self):
        return f"{self.scheme}://{LOGIN}127.0.0.1:{self.port}"

    def stop(self):
        self.program.signal(signal.SIGCONT)
        self.program.stop(self.code)


class Tinyproxy(Proxy):
    """@more are lines of its configuration; @timeout_s ends a connection that is silent."""

    def start(self, timeout_s=600, more=""):
        conf = self.directory / "tinyproxy.conf"
        conf.write_text(TINYPROXY.format(port=self.port, timeout_s=timeout_s, more=more))
        self.program = Program(
            [shutil.which("tinyproxy", path=PATH), "-d", "-c", conf], self.directory, "tinyproxy"
        )


class Squid(Proxy):
    """Wants the login by Basic."""

    def start(self):
        # squid gives up root, so the directory of a test would be closed to it
        self.open = pathlib.Path(tempfile.mkdtemp(prefix="oneport-squid-"))
        passwords, conf = self.open / "passwords", self.open / "squid.conf"
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True
        ).stdout
        passwords.write_text(f"{USER}:{hashed}")
        conf.write_text(
            SQUID.format(
                port=self.port, helper=BASIC_HELPER, passwords=passwords, directory=self.open
            )
        )
        for path in (self.open, passwords, conf):
            path.chmod(0o755)
            if os.geteuid() == 0:
                shutil.chown(path, "proxy")
        self.program = Program(
            [shutil.which("squid", path=PATH), "-N", "-f", conf], self.directory, "squid"
        )

    def stop(self):
        super().stop()
        shutil.rmtree(self.open)


class Microsocks(Proxy):
    """Wants the login of SOCKS if @login."""

    scheme, code = "socks5h", -signal.SIGTERM

    def start(self, login=False):
        how = ["-u", USER, "-P", PASSWORD] if login else []
        self.program = Program(
            [
                shutil.which("microsocks", path=PATH),
                *("-i", "127.0.0.1", "-p", self.port, *how),
            ],
            self.directory,
            "microsocks",
        )
