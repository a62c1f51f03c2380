# SPDX-License-Identifier: MIT
"""Tests that oneport reaches its server by a proxy, as offices have them: tinyproxy, squid with
Basic, and a SOCKS 5 server. Refusals are named, and nobody sees the login."""

import contextlib
import pathlib
import signal
import time

import pytest
from support import netns
from support.certs import Authority
from support.origins import ScriptedOrigin, answering, reply
from support.programs import BIN, Client, Program, Server, free_port, run
from support.proxies import LOGIN, PASSWORD, Microsocks, Squid, Tinyproxy
from support.viewer import fetch
from support.wait import wait_until

REFUSED, RETRIES = 2, 4
PUBLIC = "203.0.113.1"
QUICK = ("--keepalive", "500ms")


@pytest.fixture(scope="module")
def start_proxy(tmp_path_factory):
    """Returns start_proxy(kind, ...), which starts a proxy that ends with this file."""
    with contextlib.ExitStack() as stack:

        def start(kind, **how):
            proxy = kind(tmp_path_factory.mktemp(kind.__name__), **how)
            stack.callback(proxy.stop)
            return proxy

        yield start


@pytest.fixture(scope="module")
def tinyproxy(start_proxy):
    return start_proxy(Tinyproxy)


@pytest.fixture(scope="module")
def squid(start_proxy):
    return start_proxy(Squid)


@pytest.fixture(scope="module")
def microsocks(start_proxy):
    return start_proxy(Microsocks, login=True)


def goes_by(client, proxy, server):
    """Returns whether the client's link leads to the proxy and to nothing else."""
    program = client.program
    return program.established(proxy.program) == 1 and program.established(server.program) == 0


@pytest.mark.rule("O86", "O87", "O89")
@pytest.mark.parametrize("kind", ["tinyproxy", "squid", "microsocks"])
def test_a_tunnel_by_a_proxy(kind, request, server, new_client, http_origin):
    """Register and link go by the proxy, the origin does not, and the password is nowhere to be
    seen."""
    proxy = request.getfixturevalue(kind)
    url = proxy.url if kind == "tinyproxy" else proxy.login_url
    client = new_client(http_origin.port, "--proxy", url, "--log-level", "debug")
    assert fetch(server.port, client.host, "/echo").status == 200
    assert goes_by(client, proxy, server)
    assert client.program.established(http_origin.program) == 1
    assert f"by_proxy proxy=127.0.0.1 port={proxy.port} from=--proxy" in client.log
    words = pathlib.Path(f"/proc/{client.program.pid}/cmdline").read_bytes()
    for secret in (PASSWORD, LOGIN, LOGIN.partition(":")[2].rstrip("@")):
        assert secret not in client.log and secret.encode() not in words


@pytest.mark.rule("O86", "O89")
def test_a_proxy_of_the_environment_of_oneport(squid, server, new_client, http_origin):
    client = new_client(http_origin.port, env={"ONEPORT_PROXY": squid.login_url})
    assert fetch(server.port, client.host, "/echo").status == 200
    assert goes_by(client, squid, server)


@pytest.mark.rule("O86")
def test_a_secure_origin_goes_by_no_proxy(tinyproxy, server, new_client, certificate, scripted):
    origin = scripted(answering(reply(b"over tls")), tls=certificate.server_context())
    client = new_client(
        f"https://localhost:{origin.port}",
        *("--local-ca", certificate.ca, "--proxy", tinyproxy.url),
        env={"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"},
    )
    assert fetch(server.port, client.host).body == b"over tls"
    assert tinyproxy.program.stdout.count(f"CONNECT localhost:{origin.port} ") == 0


@pytest.mark.rule("O91")
def test_the_authority_of_a_proxy_is_beside_the_systems(server, ended, tmp_path):
    """With --ca for a proxy that inspects TLS, a server with a certificate of the system's
    authorities is believed too, as at home."""
    office = Authority(tmp_path / "office", "the office's CA")
    for system, beside in (
        (server.certificate.ca, office.cert),
        (office.cert, server.certificate.ca),
    ):
        client = Program(
            [BIN / "oneport", "-h", server.url, "--ca", beside, "8080"],
            tmp_path,
            "oneport",
            env={"XDG_STATE_HOME": tmp_path, "SSL_CERT_FILE": system},
        )
        ended.callback(client.stop)
        client.wait_output(r"\Ayour url is: ", stream="stdout")


# ---- what the environment says
@pytest.fixture
def office(ended):
    """Has a namespace whose loopback interface has a public address too."""
    if netns.missing():
        pytest.skip(netns.missing())
    space = ended.enter_context(contextlib.closing(netns.Namespace()))
    space.ip(f"addr add {PUBLIC}/32 dev lo")
    return space


@pytest.mark.rule("O86")
@pytest.mark.parametrize(
    "env,used",
    [
        ({"HTTPS_PROXY": "{}"}, True),
        ({"https_proxy": "{}", "NO_PROXY": "example.com, 10.0.0.0/8"}, True),
        ({"ALL_PROXY": "{}"}, True),
        ({"HTTPS_PROXY": "{}", "no_proxy": PUBLIC}, False),
        ({"HTTPS_PROXY": "{}", "NO_PROXY": "203.0.113.0/24"}, False),
        ({"HTTPS_PROXY": "{}", "NO_PROXY": "*"}, False),
        ({"HTTPS_PROXY": "{}", "ONEPORT_PROXY": "none"}, False),
        ({"http_proxy": "{}"}, False),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(value),
)
def test_the_environment(office, authority, ended, tmp_path, env, used):
    where = authority.issue("office", "localhost", "*.localhost", f"IP:{PUBLIC}")
    with office.inside():
        server, url = public_server(where, tmp_path, ended)
        proxy = Tinyproxy(tmp_path / "proxy")
        ended.callback(proxy.stop)
        client = Client(
            server,
            free_port(),
            tmp_path / "client",
            url=url,
            env={name: value.format(proxy.url) for name, value in env.items()},
        )
        ended.callback(client.stop)
    assert ("by_proxy" in client.log) == used
    assert client.program.established(proxy.program) == (1 if used else 0)


def public_server(certificate, directory, ended):
    """Returns a server that has the public address, and its URL there."""
    port = free_port()
    url = f"https://{PUBLIC}:{port}"
    server = Server(
        directory / "server", certificate, "--listen", f"{PUBLIC}:{port}", "--attach-url", url
    )
    ended.callback(server.stop)
    return server, url


@pytest.mark.rule("O92")
def test_a_link_past_the_proxy_is_judged(office, authority, ended, tmp_path):
    """A server that was reached by a proxy counts as public: a link that goes by no proxy is not
    dialled to a private address, unless that is named."""
    where = authority.issue("inside", "localhost", f"IP:{PUBLIC}")
    with office.inside():
        victim = ended.enter_context(
            contextlib.closing(ScriptedOrigin(lambda peer: None, tls=where.server_context()))
        )
        grant = (
            b'{"id": "my-name", "url": "https://my-name.localhost", "ticket": "e30.e30",'
            b' "attach": "https://localhost:%d/tunnel/my-name"}' % victim.port
        )
        server = ended.enter_context(
            contextlib.closing(
                ScriptedOrigin(
                    answering(reply(grant, "Content-Type: application/json")),
                    tls=where.server_context(),
                    address=PUBLIC,
                )
            )
        )
        proxy = Tinyproxy(tmp_path / "proxy")
        ended.callback(proxy.stop)
        for named, dialled in ((["localhost"], 0), (["localhost", "127.0.0.1", "::1"], 1)):
            options = [word for host in named for word in ("--attach-host", host)]
            client = Client(
                Reached(where, server.port),
                "8080",
                tmp_path / f"client{dialled}",
                *options,
                url=f"https://{PUBLIC}:{server.port}",
                env={"HTTPS_PROXY": proxy.url},
                wait=False,
            )
            ended.callback(client.program.stop)
            if dialled:
                wait_until(lambda: len(victim.connections) > 0, what="a connection")
            else:
                client.program.wait_output("not_connected .*localhost is no public address")
                assert not victim.connections


class Reached:
    """Is what a Client needs to know of a server."""

    def __init__(self, certificate, port):
        self.certificate, self.port = certificate, port


# ---- refusals
def refused(server, proxy_url, tmp_path, *options, code=REFUSED):
    """Runs a client that must end because of its proxy. Returns its last line."""
    actual, out, err = run(
        "oneport",
        *("-h", server.url, "--ca", server.certificate.ca, "--proxy", proxy_url, *options, "8080"),
        env={"XDG_STATE_HOME": tmp_path},
        deadline_s=20,
    )
    assert (actual, out) == (code, ""), err
    assert PASSWORD not in err and LOGIN not in err
    return err.strip().splitlines()[-1]


@pytest.mark.rule("O88")
def test_a_login_that_is_missing_or_wrong(squid, microsocks, server, tmp_path):
    line = refused(server, squid.url, tmp_path)
    assert "proxy_refuses step=proxy" in line and "wants a login (407)" in line
    assert "http://USER:PASSWORD@HOST:PORT" in line
    wrong = refused(server, f"http://ann:no@127.0.0.1:{squid.port}", tmp_path)
    assert "refuses this user or password (407)" in wrong
    assert "wants a login" in refused(server, microsocks.url, tmp_path)
    wrong = refused(server, f"socks5h://ann:no@127.0.0.1:{microsocks.port}", tmp_path)
    assert "refuses this user or password" in wrong


@pytest.mark.rule("O88")
def test_a_proxy_that_forbids_it(start_proxy, server, tmp_path):
    strict = start_proxy(Tinyproxy, more="ConnectPort 443")
    line = refused(server, strict.url, tmp_path)
    assert f"127.0.0.1:{strict.port} forbids a connection to localhost port {server.port}" in line
    assert "(403)" in line


@pytest.mark.rule("O87", "O88")
@pytest.mark.parametrize(
    "answer,words",
    [
        (
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n"
            b"Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
            "NTLM or Negotiate alone (407): run a helper on this machine",
        ),
        (b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n", "is it a proxy?"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer as an HTTP proxy"),
    ],
    ids=["NTLM", "a web server", "SSH"],
)
def test_other_refusals(scripted, server, tmp_path, answer, words):
    proxy = scripted(lambda peer: (peer.request(), peer.send(answer)))
    assert words in refused(server, f"http://127.0.0.1:{proxy.port}", tmp_path)


@pytest.mark.rule("O87", "O88")
def test_what_may_pass_is_tried_again(scripted, microsocks, server, tmp_path):
    """A proxy that is silent, that is away, or that cannot reach the server."""
    silent = scripted(lambda peer: (peer.request(), peer.rest()))
    again = ("--max-retries", "1", "--server-timeout", "1s")
    line = refused(server, f"http://127.0.0.1:{silent.port}", tmp_path, *again, code=RETRIES)
    assert "step=proxy" in line and f"127.0.0.1:{silent.port} does not answer in time" in line
    line = refused(server, f"http://127.0.0.1:{free_port()}", tmp_path, *again, code=RETRIES)
    assert "step=proxy" in line and "onnection refused" in line
    nobody = Reached(server.certificate, free_port())
    nobody.url = f"https://localhost:{nobody.port}"
    line = refused(nobody, microsocks.login_url, tmp_path, *again, code=RETRIES)
    assert "does not connect to localhost" in line and "(SOCKS 5)" in line
    line = refused(server, f"http://{'x' * 64}.invalid:1", tmp_path, code=RETRIES)
    assert "step=proxy" in line and "check the host of the proxy" in line


@pytest.mark.rule("O89")
@pytest.mark.parametrize(
    "value", ["http://ann:s3cr:t@x@proxy", "https://ann:s3cr:t@x@proxy:1", "http://ann:s3cr:t@x@:1"]
)
def test_a_value_that_is_malformed_is_not_printed(value):
    for options, env in ((("--proxy", value), {}), ((), {"HTTPS_PROXY": value})):
        code, out, err = run("oneport", "-h", "localhost", *options, "8080", env=env)
        assert (code, out) == (1, "") and PASSWORD not in err and "proxy" in err


# ---- a link by a proxy, later
@pytest.mark.rule("O90")
@pytest.mark.parametrize("kind", [Tinyproxy, Microsocks])
def test_a_dead_path_is_found(kind, start_proxy, server, new_client, http_origin):
    proxy = start_proxy(kind)
    client = new_client(http_origin.port, "--proxy", proxy.url, "--server-timeout", "2s", *QUICK)
    proxy.program.signal(signal.SIGSTOP)
    client.program.wait_output("not_connected .*reason=.*(no answer to PING|answer|timed out)")
    proxy.program.signal(signal.SIGCONT)
    server.wait_link(client.name, 2)
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("O90")
def test_a_silent_tunnel_lives(start_proxy, server, new_client, http_origin):
    """The proxy ends a connection that is silent for 2 s; the PINGs of the link come sooner."""
    outlives_silence(
        start_proxy(Tinyproxy, timeout_s=2), 5, server, new_client, http_origin, *QUICK
    )


@pytest.mark.full
@pytest.mark.rule("O90")
def test_a_silent_tunnel_lives_for_90_s(start_proxy, server, new_client, http_origin):
    """The same with the default times, and a proxy that waits for 30 s."""
    outlives_silence(start_proxy(Tinyproxy, timeout_s=30), 90, server, new_client, http_origin)


def outlives_silence(proxy, seconds, server, new_client, http_origin, *options):
    client = new_client(http_origin.port, "--proxy", proxy.url, *options)
    time.sleep(seconds)  # time itself is tested
    assert fetch(server.port, client.host, "/echo").status == 200
    assert client.log.count(" link_up ") == 1 and goes_by(client, proxy, server)
