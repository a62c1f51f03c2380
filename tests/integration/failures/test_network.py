# SPDX-License-Identifier: MIT
"""Tests a network that fails silently (rows 2, 19 and 30), the small segments of row 28, and
viewers that the server does not trust. The programs run in network namespaces. Between them is a
router that loses the packets that a test chooses."""

import contextlib
import datetime
import hashlib
import select
import time

import pytest
from support import netns, pattern
from support.netns import (
    CLIENT,
    DEAD,
    DEAD6,
    DEAD6_TOO,
    DEAD_TOO,
    OTHER,
    SERVER,
    TO_CLIENT,
    TO_SERVER,
    Network,
)
from support.programs import SLOW, peers
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

PORT = 8443  # every port is free in a new namespace
NAME = "tunnel.test"
MIB = 1 << 20

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("network", NAME)


class Apart:
    """This has a server and a client with the network between them. The client finds the server by
    a name, and the test chooses the addresses of the name."""

    def __init__(self, net, directory):
        self.net = net
        self.hosts = directory / "hosts"
        self.multi = directory / "host.conf"
        self.multi.write_text("multi on\n")  # takes every line of a name
        self.resolve_to(SERVER)

    def resolve_to(self, *addresses):
        self.hosts.write_text(
            "127.0.0.1 localhost\n" + "".join(f"{address} {NAME}\n" for address in addresses)
        )

    @property
    def within(self):
        """Returns the words of a command that runs a program with these files in place of those in
        /etc."""
        mount = (
            'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/host.conf '
            '&& shift 2 && exec "$@"'
        )
        return ("unshare", "--mount", "sh", "-c", mount, "sh", self.hosts, self.multi)

    def viewer(self, path="/echo"):
        """Opens a viewer in the server's namespace."""
        with self.net.server.inside():
            viewer = Viewer(self.server.port, timeout_s=60)
        viewer.send(head("GET", path, f"{self.client.name}.{NAME}"))
        return viewer

    def status(self):
        with self.viewer() as viewer:
            return viewer.response().status


@pytest.fixture
def apart(ended, new_server, new_client, new_origin, tmp_path):
    """Returns apart(), which starts an Apart. @both are options of both programs, @of_server those
    of the server."""

    def start(*both, mtu=None, addresses=(SERVER,), of_server=()):
        apart = Apart(ended.enter_context(contextlib.closing(Network(mtu))), tmp_path)
        apart.resolve_to(*addresses)
        with apart.net.server.inside():
            apart.server = new_server(
                "--domain",
                NAME,
                "--listen",
                f"{SERVER}:{PORT}",
                "--listen",
                f"{OTHER}:{PORT}",
                *both,
                *of_server,
            )
        with apart.net.client.inside():
            url = f"https://{NAME}:{PORT}"
            apart.client = new_client(
                new_origin().port, *both, server=apart.server, url=url, within=apart.within
            )
        return apart

    return start


# ---- row 2 ----
def part(apart, lost, load, server_s, client_s, longer_s=0.0):
    """Loses packets, and checks that both ends notice it in time. Then it stops losing them, and
    checks that the ends soon find each other."""
    with contextlib.ExitStack() as stack:
        if load:
            stack.enter_context(apart.viewer("/hang"))
            apart.download = stack.enter_context(apart.viewer(f"/bytes/{1 << 30}"))
            apart.download.exactly(MIB)
        apart.net.lose(*lost)
        start = time.monotonic()
        noticed = {}
        apart.server.wait_log(rf"link_lost name={apart.client.name} .*", server_s / SLOW + 5)
        noticed["server"] = time.monotonic() - start
        apart.client.program.wait_output("link_missing|not_connected", client_s / SLOW + 10)
        noticed["client"] = time.monotonic() - start
        time.sleep(longer_s)  # the test measures how late the next try is after such a time
        apart.net.heal()
        start = time.monotonic()
        apart.server.wait_link(apart.client.name, 2, 10)
        back = time.monotonic() - start
    print(f"noticed {noticed}, back after {back:.2f} s")
    assert noticed["server"] <= server_s and noticed["client"] <= client_s
    assert back <= 5 * SLOW
    assert apart.status() == 200
    assert (
        apart.client.program.stdout == f"your url is: {apart.client.url}\n"
    )  # the one URL, said once


EACH = {
    "both ways": (*TO_SERVER, *TO_CLIENT),
    "to the client": TO_CLIENT,
    "to the server": TO_SERVER,
}


@pytest.mark.parametrize("lost,load", [("both ways", True), ("to the client", False)])
def test_row_2_a_network_that_loses_everything(apart, lost, load):
    part(apart("--keepalive", "500ms"), EACH[lost], load, 2.0 * SLOW, 2.0 * SLOW)


def test_row_2_the_server_tells_the_client(apart):
    """Only packets to the server are lost. The server notices this and resets the connection. Its
    RST tells the client, while a FIN would wait behind the PING that nobody acknowledges."""
    part(
        apart(of_server=("--keepalive", "500ms")),
        EACH["to the server"],
        False,
        2.0 * SLOW,
        2.0 * SLOW,
    )


@pytest.mark.full
@pytest.mark.timeout(180)
@pytest.mark.parametrize("load", [True, False], ids=["load", "idle"])
@pytest.mark.parametrize("lost", EACH)
def test_row_2_with_the_documented_times(apart, lost, load):
    """Both ends send a PING after 15 s of silence and wait 10 s for its answer. A server that waits
    for a response does so after 5 s and waits 5 s."""
    part(apart(), EACH[lost], load, 10.5 if load else 30, 30, longer_s=10)


# ---- row 30 ----
def logged_at(program, event):
    """Returns when the program logged @event, in seconds. What namespaces and programs need to
    start is not in such times."""
    line = program.wait_output(rf"^(\S+) +\S+ +{event}( |$)")
    at = datetime.datetime.fromisoformat(line.group(1).removesuffix("Z"))
    return at.replace(tzinfo=datetime.timezone.utc).timestamp()


def test_row_30_every_address_of_the_server_is_tried(apart):
    """An address that does not answer costs 250 ms at the register call. The attach goes on with
    the connection of that call (O80)."""
    start = time.time()
    apart = apart(addresses=(DEAD6, DEAD, DEAD6_TOO, DEAD_TOO, SERVER))
    took = logged_at(apart.client.program, "link_up") - start
    assert apart.status() == 200
    assert 0.249 <= took <= 4 * 0.25 + 1.0 * SLOW, took  # the log has milliseconds


def test_row_30_an_address_that_has_changed_is_found(apart):
    """The client resolves the name again at each try. It finds the server that has moved as soon as
    the old link is dead."""
    apart = apart("--keepalive", "500ms")
    assert peers(apart.client.program) == {SERVER}
    apart.resolve_to(DEAD6, OTHER)
    apart.net.lose(SERVER)
    start = time.monotonic()
    apart.server.wait_link(apart.client.name, 2, 10)
    took = time.monotonic() - start
    # This is the time of keepalive and PING, of the dead address and of the pause before a try.
    assert took <= (1.0 + 0.25 + 1.0) * SLOW, took
    wait_until(lambda: peers(apart.client.program) == {OTHER}, what="the new address alone")
    assert apart.status() == 200


# ---- row 28 ----
def test_row_28_small_segments(apart):
    """Packets have 252 bytes on every hop. Bodies arrive as they were sent in both directions."""
    apart = apart(mtu=252)
    before = apart.net.passed()
    with apart.net.server.inside():
        host = f"{apart.client.name}.{NAME}"
        down = fetch(apart.server.port, host, f"/bytes/{MIB}")
        up = fetch(apart.server.port, host, "/upload", method="POST", body=pattern.pattern(MIB))
    assert hashlib.sha256(down.body).hexdigest() == pattern.digest(MIB) == up.json()["sha256"]
    assert apart.net.passed() - before > 2 * MIB / 252


# ---- viewers that the server does not trust ----
FORGED = [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 666",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
    "X-Request-Id: forged",
    "Via: 1.1 theirs",
]


@pytest.mark.rule("H5", "H7", "H8", "H10", "O13")
@pytest.mark.parametrize("trusted", [False, True])
def test_forwarded_fields_count_only_from_a_trusted_address(apart, trusted):
    """A request comes in plain HTTP from another address than loopback. The server ignores these
    fields unless --trusted-proxy names that address. The same fields decide whether a call is
    secure."""
    apart = apart(of_server=("--trusted-proxy", CLIENT) if trusted else ())
    host = f"{apart.client.name}.{NAME}"
    with apart.net.client.inside():
        with Viewer(PORT, address=SERVER) as viewer:
            lines = viewer.get(host, "/echo", *FORGED).json()["fields"]
        with Viewer(PORT, address=SERVER) as viewer:
            grant = viewer.get(
                NAME, "/register", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"
            ).json()
    seen = {}
    for key, value in lines:
        seen.setdefault(key.lower(), []).append(value)
    assert ("ticket" in grant) == trusted
    assert not {"x-real-ip", "forwarded", "x_forwarded_for"} & set(seen)
    if trusted:
        assert seen["x-forwarded-for"] == [f"6.6.6.6, {CLIENT}"] and seen["x-forwarded-proto"] == [
            "https"
        ]
        assert seen["x-request-id"] == ["forged"]
    else:
        assert seen["x-forwarded-for"] == [CLIENT] and seen["x-forwarded-proto"] == ["http"]
        assert seen["x-forwarded-host"] == [host] and "x-request-id" not in seen
        assert not [
            value
            for values in seen.values()
            for value in values
            if "6.6.6.6" in value or "evil" in value or "666" in value
        ]


# ---- row 19 ----
HANDSHAKES = 64  # under way, in all
HALF_A_RECORD = bytes([0x16, 3, 1, 2, 0, 1])


@pytest.mark.rule("F50", "F53")
def test_row_19_handshakes_that_are_not_finished(apart):
    """An address begins more handshakes than there are places, and loses its own oldest ones.
    Viewers of the same address and from elsewhere, and the tunnel, are not affected. The others are
    given up in time."""
    apart = apart(of_server=("--attach-timeout", "3s", "--max-handshakes", str(HANDSHAKES)))
    host, certificate = f"{apart.client.name}.{NAME}", apart.server.certificate
    with contextlib.ExitStack() as stack, apart.net.client.inside():
        crowd = [stack.enter_context(Viewer(PORT, address=SERVER)) for _ in range(HANDSHAKES + 36)]

        def closed():
            return select.select([viewer.socket for viewer in crowd], [], [], 0)[0]

        start = time.monotonic()
        for viewer in crowd:
            viewer.send(HALF_A_RECORD)
        least = len(crowd) - HANDSHAKES * 3 // 4  # nobody has the last quarter
        wait_until(lambda: len(closed()) == least, 1 * SLOW, "the end of those that are too many")
        with Viewer(
            PORT, certificate.client_context(), server_hostname=NAME, address=SERVER
        ) as viewer:
            assert viewer.get(host, "/echo").status == 200
        with Viewer(PORT, address=SERVER) as plain:
            assert plain.get(host, "/echo").status == 200
        with apart.net.server.inside(), Viewer(
            apart.server.port, certificate.client_context(), server_hostname=NAME
        ) as viewer:
            assert viewer.get(host, "/echo").status == 200
        assert len(closed()) == least + 1 and time.monotonic() - start < 3
        wait_until(lambda: len(closed()) == len(crowd), 3 + 2 * SLOW, "the end of the others")
    apart.server.wait_log(f"handshake_evicted viewer={CLIENT} ")
    assert apart.server.log.count("handshake_evicted") <= 4  # a line a second
    assert apart.server.log.count("link_up") == 1 and "link_lost" not in apart.server.log
