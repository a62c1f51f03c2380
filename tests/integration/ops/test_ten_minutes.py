# SPDX-License-Identifier: MIT
"""Runs the commands of docs/ten-minutes.md from top to bottom: those of the server on a machine
that systemd has booted, those of the laptop in another root, outside of that machine's firewall.
The page says what stands in for the internet: pebble, its server of DNS records, and the network of
this machine for apt-get."""

import contextlib
import http.client
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from support import machine
from support.certs import Authority
from support.machine import TOP, Machine, Root
from support.programs import Program
from support.wait import wait_until

PAGE = (TOP / "docs/ten-minutes.md").read_text()
pytestmark = pytest.mark.release_only  # packages are built without sanitizers

DOMAIN, INTERNET = "example.com", Machine.OUTSIDE
# What the test writes in the place of words of the page. Each is there so many times.
SUBSTITUTES = [
    ("--dns hetzner", "--dns exec", 1),
    ("HETZNER_API_KEY=the-key-of-your-account", "EXEC_PATH=/usr/local/bin/provider", 1),
]
# lego, with the test's server for certificates in place of Let's Encrypt.
LEGO = f"""#!/bin/sh
export LEGO_CA_CERTIFICATES=/usr/local/share/ca-certificates/pebble-https.crt
exec /usr/bin/lego --server https://{INTERNET}:14000/dir --dns.disable-cp \\
    --dns.resolvers {INTERNET}:53 "$@"
"""
# What the API of a provider of DNS does: present or cleanup, a name and the content of its TXT.
PROVIDER = f"""#!/bin/bash
case $1 in present) path=set-txt ;; *) path=clear-txt ;; esac
body="{{\\"host\\": \\"$2\\", \\"value\\": \\"$3\\"}}"
exec 3<>/dev/tcp/{INTERNET}/8055
printf 'POST /%s HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "$path" "${{#body}}" "$body" >&3
grep -q ' 200 OK' <&3
"""


def blocks(kind):
    """Returns the blocks of @kind, with the substitutes."""
    found = re.findall(rf"^```sh {kind}\n(.*?)^```$", PAGE, re.M | re.S)
    for old, new, _ in SUBSTITUTES:
        found = [block.replace(old, new) for block in found]
    return found


def test_the_page_has_what_is_substituted():
    kinds = re.findall(r"^```(.+)$", PAGE, re.M)
    assert {kind.removeprefix("sh ") for kind in kinds} == {"server", "laptop", "nginx", "docker"}
    text = "".join(re.findall(r"^```sh \w+\n(.*?)^```$", PAGE, re.M | re.S))
    for old, _, count in SUBSTITUTES:
        assert text.count(old) == count


def test_docker_compose_reads_its_file():
    """As the page calls it; no engine is asked."""
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    (block,) = blocks("docker")
    command = re.search(r"docker-compose (-f \S+)", block)[1].split()
    done = subprocess.run(
        ["docker-compose", *command, "config"],
        cwd=TOP,
        capture_output=True,
        text=True,
        env={"PATH": machine.PATH, "DOMAIN": DOMAIN},
    )
    assert done.returncode == 0 and DOMAIN in done.stdout, done.stderr


class Internet:
    """Is what the machine finds outside: DNS, an authority that gives certificates for records in
    DNS, and the API that writes such records."""

    def __init__(self, directory):
        authority = Authority(directory / "authority", "oneport test HTTPS of pebble")
        own = authority.issue("pebble", f"IP:{INTERNET}")
        self.https = pathlib.Path(own.ca).read_text()
        settings = {
            "listenAddress": f"{INTERNET}:14000",
            "managementListenAddress": f"{INTERNET}:15000",
            "certificate": str(own.cert),
            "privateKey": str(own.key),
            "httpPort": 80,
            "tlsPort": 443,
        }
        (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
        self.dns = Program(
            ["pebble-challtestsrv", "-defaultIPv4", Machine.ADDRESS, "-defaultIPv6", ""]
            + ["-dns01", f"{INTERNET}:53", "-management", f"{INTERNET}:8055"]
            + ["-http01", "", "-https01", "", "-tlsalpn01", ""],
            directory,
            "dns",
        )
        self.pebble = Program(
            ["pebble", "-config", directory / "pebble.json", "-dnsserver", f"{INTERNET}:53"],
            directory,
            "pebble",
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )
        self.context = own.client_context()
        wait_until(self._is_up, 20, "pebble and its DNS")

    def _is_up(self):
        with contextlib.suppress(OSError):
            self.trusted = self._ask("/roots/0")
            socket.create_connection((INTERNET, 8055), 5).close()
            return True
        return False

    def _ask(self, path):
        asked = http.client.HTTPSConnection(INTERNET, 15000, timeout=5, context=self.context)
        with contextlib.closing(asked):
            asked.request("GET", path)
            return asked.getresponse().read().decode()

    def close(self):
        for program in (self.pebble, self.dns):
            program.kill9()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    why = machine.missing()
    if not why and not (shutil.which("pebble") and shutil.which("pebble-challtestsrv")):
        why = "pebble is not installed"
    if not why and not (TOP / ".git").exists():
        why = "this tree is no git checkout"
    if why:
        pytest.skip(why)
    return tmp_path_factory.mktemp("ten-minutes")


@pytest.fixture(scope="module")
def server(place):
    """Is the machine of the page, as its reader gets it: booted, with the checkout."""
    with contextlib.ExitStack() as ends:
        root = Root(place / "server", "systemd-sysv", "ca-certificates")
        ends.callback(root.close)
        subprocess.run(["git", "clone", "-q", TOP, root.path / "root/oneport"], check=True)
        root.write("usr/local/bin/lego", LEGO, 0o755)
        root.write("usr/local/bin/provider", PROVIDER, 0o755)
        running = ends.enter_context(contextlib.closing(Machine(root)))
        with running.outside.inside():
            running.internet = ends.enter_context(contextlib.closing(Internet(place / "internet")))
        trust(root, running.internet)
        yield running


def trust(root, internet):
    root.write("usr/local/share/ca-certificates/pebble-https.crt", internet.https)
    root.write("usr/local/share/ca-certificates/pebble.crt", internet.trusted)
    root.run("update-ca-certificates")


@pytest.fixture(scope="module")
def laptop(place, server):
    root = Root(place / "laptop", "ca-certificates")
    trust(root, server.internet)
    (root.path / "etc/resolv.conf").write_text(f"nameserver {INTERNET}\n")
    yield root
    root.close()


def run_all(running, kind):
    """Runs the blocks in one shell after the other, which keep variables and folder. Returns what
    each has printed."""
    return [
        running.run(
            'set -a; [ ! -e ~/page ] || . ~/page; cd "$PWD"; set +a\n'
            f"{block}\nset +u; declare -x PWD; export -p >~/page; declare -p DOMAIN >>~/page"
        )
        for block in blocks(kind)
    ]


def get(server, path, host=DOMAIN, port=443):
    """Asks the machine from outside of its firewall, as a viewer does."""
    context = ssl.create_default_context(cadata=server.internet.trusted)
    with server.outside.inside():
        raw = socket.create_connection((Machine.ADDRESS, port), 10)
    with raw, context.wrap_socket(raw, server_hostname=host) as wrapped:
        wrapped.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        with wrapped.makefile("rb") as answer:
            return answer.read()


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_the_commands_of_the_page(server, laptop):
    *_, checked = run_all(server, "server")
    assert "FAULT" not in checked and "oneportd answers at https://example.com" in checked
    assert get(server, "/").startswith(b"HTTP/1.1 200")
    assert "tcp dport { 22, 443 } accept" in server.run("nft list ruleset")
    with server.outside.inside(), pytest.raises(OSError):
        socket.create_connection((Machine.ADDRESS, 80), 1)

    share_from(server, laptop)
    renewed(server)

    *_, checked = run_all(server, "nginx")
    assert "oneportd answers at https://example.com" in checked
    assert "listen" in checked and "FAULT" not in checked
    assert get(server, "/").startswith(b"HTTP/1.1 200")
    share_again(server, laptop)
    renewed(server)


def share_from(server, laptop):
    """Runs the block of the laptop: installs, logs in, and shares a page of the laptop."""
    for deb in (server.root.path / "root/oneport/build/deb").glob("oneport_*.deb"):
        shutil.copy(deb, laptop.path / "root")
    (block,) = blocks("laptop")
    install, login, _ = block.splitlines()
    resolv = laptop.path / "etc/resolv.conf"
    shutil.copy("/etc/resolv.conf", resolv)
    laptop.run(install)
    resolv.write_text(f"nameserver {INTERNET}\n")
    with server.outside.inside():
        assert DOMAIN in laptop.run(login)
    share_again(server, laptop)


def share_again(server, laptop):
    """Runs the last command of the laptop with an app of this test, and asks its URL."""
    *_, share = blocks("laptop")[0].splitlines()
    with server.outside.inside():
        app = socket.create_server(("127.0.0.1", 3000))
        words = ["env", "-i", "HOME=/root", f"PATH={machine.PATH}", *share.split()]
        client = Program(laptop.command(*words), server.root.path.parent, "share")
    with app, contextlib.ExitStack() as ends:
        ends.callback(client.kill9)
        client.wait_output(f"^your url is: https://my-app.{DOMAIN}$", 30, "stdout")
        answered = server_side(app, ends)
        answer = get(server, "/", f"my-app.{DOMAIN}")
        answered()
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello\n")


def server_side(app, ends):
    """Answers one request in a thread. Returns a function that waits for it."""

    def answer():
        connection, _ = app.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")

    thread = threading.Thread(target=answer)
    thread.start()
    return lambda: thread.join(20)


def renewed(server):
    """Makes lego renew at once, as the timer does near the end of the certificate. The new one is
    served without a restart."""
    pid = server.run("systemctl show --property MainPID oneportd")
    before = serial(server)
    script = "/usr/local/sbin/oneport-lego renew --days 10000 --no-random-sleep"
    server.run(f"{script} --renew-hook /usr/local/sbin/oneport-certificate")
    wait_until(lambda: serial(server) != before, 20, "the renewed certificate")
    assert server.run("systemctl show --property MainPID oneportd") == pid


def serial(server):
    context = ssl.create_default_context(cadata=server.internet.trusted)
    with server.outside.inside():
        raw = socket.create_connection((Machine.ADDRESS, 443), 10)
    with raw, context.wrap_socket(raw, server_hostname=DOMAIN) as wrapped:
        return wrapped.getpeercert()["serialNumber"]
