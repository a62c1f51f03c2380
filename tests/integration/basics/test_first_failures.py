# SPDX-License-Identifier: MIT
"""Tests what a person reads at the first failure: one row for each cause, a real one each. oneport
says in one sentence what is wrong and what to do about it, and a first connection that cannot work
ends by itself. Each row shows the words on standard error and the exit code."""

import contextlib
import resource
import socket

import pytest
from support import netns
from support.certs import Authority
from support.foreign import register
from support.origins import ScriptedOrigin, answering, reply
from support.programs import BIN, Program, free_port, run

USAGE, REFUSED, CERTIFICATE, RETRIES = 1, 2, 3, 4
NO_HOST = f"{'x' * 64}.example"  # a label has 63 characters at most: no server needs to be asked


def tried(*words, tmp_path, env=None):
    """Runs oneport to its end. Returns (exit code, standard error)."""
    code, out, err = run(
        "oneport", *words, env={"XDG_STATE_HOME": tmp_path, **(env or {})}, deadline_s=30
    )
    assert out == "", out
    return code, err


def trusting(server, *words, url=None):
    return ("-h", url or server.url, "--ca", server.certificate.ca, *words, "8080")


class Causes:
    """Has a method for each cause: it returns the words of the command line."""

    def __init__(self, server, certificate, authority, ended, tmp_path):
        self.server, self.certificate, self.authority = server, certificate, authority
        self.ended, self.tmp_path = ended, tmp_path

    def peer(self, serve, tls=None):
        return self.ended.enter_context(contextlib.closing(ScriptedOrigin(serve, tls=tls))).port

    def secure(self, answer):
        port = self.peer(answering(answer), self.certificate.server_context())
        return trusting(self.server, url=f"https://localhost:{port}")

    def host_typo(self):
        return trusting(self.server, url=f"https://{NO_HOST}")

    def server_without_a_certificate(self):
        """Its port speaks plain HTTP."""
        plain = Program(
            [
                *(BIN / "oneportd", "--domain", "localhost", "--listen", "127.0.0.1:0"),
                *("--state-dir", self.tmp_path / "plain"),
            ],
            self.tmp_path,
            "oneportd",
        )
        self.ended.callback(plain.stop)
        port = plain.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1)
        return trusting(self.server, url=f"https://localhost:{port}")

    def ssh(self):
        port = self.peer(lambda peer: peer.send("SSH-2.0-OpenSSH_9.2\r\n"))
        return trusting(self.server, url=f"https://localhost:{port}")

    def tls_without_http(self):
        port = self.peer(
            lambda peer: (peer.request(), peer.send("220 mail\r\n")),
            self.certificate.server_context(),
        )
        return trusting(self.server, url=f"https://localhost:{port}")

    def web_server(self):
        page = b"<html>nothing here</html>"
        head = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(page)}\r\n\r\n"
        return self.secure(head.encode() + page)

    def web_page(self):
        return self.secure(reply(b"<html>welcome</html>", "Content-Type: text/html"))

    def redirect(self):
        return self.secure(
            b"HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\nContent-Length: 0\r\n\r\n"
        )

    def unknown_authority(self):
        return ("-h", self.server.url, "8080")

    def other_name(self):
        other = self.authority.issue("other-name", "elsewhere.example")
        port = self.peer(answering(reply(b"")), other.server_context())
        return trusting(self.server, url=f"https://localhost:{port}")

    def expired(self):
        old = self.authority.issue("old", "localhost", at="-9d")
        port = self.peer(answering(reply(b"")), old.server_context())
        return trusting(self.server, url=f"https://localhost:{port}")

    def ca_file_of_another(self):
        other = Authority(self.tmp_path / "other-ca", "another CA")
        return ("-h", self.server.url, "--ca", other.cert, "8080")

    def ca_file_that_is_missing(self):
        return ("-h", self.server.url, "--ca", self.tmp_path / "none.pem", "8080")

    def name_taken(self):
        register(self.server, "first-failure")
        return trusting(self.server, "-s", "first-failure")

    def name_reserved(self):
        return trusting(self.server, "-s", "admin")

    def name_too_short(self):
        return trusting(self.server, "-s", "ab")

    def name_misspelled(self):
        return trusting(self.server, "-s", "my_app")

    def name_with_a_hyphen_at_its_end(self):
        return trusting(self.server, "-s", "my-app-")

    def name_with_a_blank(self):
        return trusting(self.server, "-s", "my app")

    def proxy_that_wants_a_login(self):
        port = self.peer(
            answering(
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
            )
        )
        return trusting(self.server, "--proxy", f"http://127.0.0.1:{port}")

    def proxy_that_is_none(self):
        return trusting(self.server, "--proxy", f"http://127.0.0.1:{self.server.port}")

    def no_host(self):
        return ("8080",)

    def no_origin(self):
        return ("-h", self.server.url)

    def tcp(self):
        return ("-h", self.server.url, "tcp", "22")

    def http_alone(self):
        return ("-h", self.server.url, "http")


ROWS = [
    ("host_typo", RETRIES, [f"{NO_HOST}", "step=DNS", "check the spelling of --host"]),
    (
        "server_without_a_certificate",
        RETRIES,
        ["step=TLS", "does not speak TLS", "https, usually 443"],
    ),
    ("ssh", RETRIES, ["step=TLS", "does not speak TLS"]),
    ("tls_without_http", RETRIES, ["step=register", "this is no oneportd: check --host"]),
    ("web_server", REFUSED, ["status=404", "check --host: a web server answers there"]),
    ("web_page", REFUSED, ["bad_answer", "check --host: this is no oneportd"]),
    ("redirect", REFUSED, ["server_redirects", "www.example.com", "with --host"]),
    ("unknown_authority", CERTIFICATE, ["step=TLS", "name the authority with --ca FILE"]),
    ("ca_file_of_another", CERTIFICATE, ["name the authority with --ca FILE"]),
    ("ca_file_that_is_missing", USAGE, ["none.pem", "No such file"]),
    ("other_name", CERTIFICATE, ["another host: check the spelling of --host"]),
    ("expired", CERTIFICATE, ["expired", "has to renew it, unless the clock"]),
    ("name_taken", REFUSED, ["name_taken", "at least until 2", "another name with --subdomain"]),
    ("name_reserved", REFUSED, ["name=admin", "reserved for the server itself: choose another"]),
    ("name_too_short", REFUSED, ["name=ab", "too short: a name has 3 to 63 characters"]),
    ("name_misspelled", REFUSED, ["name=my_app", "a character that no name may have"]),
    ("name_with_a_hyphen_at_its_end", REFUSED, ["begins or ends with a hyphen"]),
    ("name_with_a_blank", USAGE, ["--subdomain: 'my app' is not letters, digits and hyphens"]),
    ("proxy_that_wants_a_login", REFUSED, ["wants a login (407)", "http://USER:PASSWORD@"]),
    ("proxy_that_is_none", REFUSED, ["step=proxy", "check the URL of the proxy"]),
    ("no_host", USAGE, ["name one with --host HOST or ONEPORT_HOST"]),
    ("no_origin", USAGE, ["nothing to share: give PORT"]),
    ("tcp", USAGE, ['"tcp 22"', "no bare ports", "websocat, wstunnel"]),
    ("http_alone", USAGE, ["what is shared is missing: oneport PORT"]),
]


@pytest.mark.rule("O93", "O94")
@pytest.mark.parametrize("cause,code,words", ROWS, ids=[row[0] for row in ROWS])
def test_a_first_failure(server, certificate, authority, ended, tmp_path, cause, code, words):
    command = getattr(Causes(server, certificate, authority, ended, tmp_path), cause)()
    actual, err = tried(*command, tmp_path=tmp_path)
    last = err.strip().splitlines()[-1]
    assert actual == code, err
    for part in words:
        assert part in last, f"{part!r} is not in {last!r}"
    assert err.count("not_connected") == (3 if code == RETRIES else 0), err


def sharing(server, origin, tmp_path, ended, *words, env=None):
    client = Program(
        [*(BIN / "oneport", "-h", server.url, "--ca", server.certificate.ca, *words), origin],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path, **(env or {})},
    )
    ended.callback(client.stop)
    return client


@pytest.mark.rule("O95")
def test_nothing_on_the_local_port_yet(server, ended, tmp_path):
    """It is said at once, before the URL, and it is no reason to end."""
    port = free_port()
    client = sharing(server, port, tmp_path, ended)
    client.wait_output(rf"nothing_listens origin=localhost:{port} .*start your service there")
    client.wait_output(r"\Ayour url is: ", stream="stdout")
    client.wait_output("link_up")  # a moment after the URL
    assert client.log.index("nothing_listens") < client.log.index("link_up")
    missing = sharing(server, f"unix:{tmp_path}/none.sock", tmp_path / "unix", ended)
    missing.wait_output("nothing_listens origin=unix:")
    missing.wait_output(r"\Ayour url is: ", stream="stdout")


@pytest.mark.rule("O95")
@pytest.mark.parametrize(
    "family,address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_something_on_the_local_port(server, ended, tmp_path, family, address):
    """Nothing is said, and nobody was connected to."""
    with socket.create_server((address, 0), family=family) as listener:
        listener.setblocking(False)
        client = sharing(server, listener.getsockname()[1], tmp_path, ended)
        client.wait_output(r"\Ayour url is: ", stream="stdout")
        assert "nothing_listens" not in client.log
        with pytest.raises(BlockingIOError):
            listener.accept()


PASSING = {
    "nobody": ["step=TCP", "nobody listens on this port", "whether the server runs"],
    "firewall": ["step=TCP", "a firewall may be in between"],
    "cut": ["step=TLS", "does not begin TLS: check the port of --host"],
    "silent": ["step=register", "does not answer: check --host"],
    "front_end_alone": ["502", "check whether oneportd runs"],
    "full": ["503 full", "come back later"],
    "proxy_away": ["step=proxy", "check the URL of the proxy"],
    "proxy_does_not_get_there": [
        "step=proxy",
        "check the host of --host, which the proxy looks up",
    ],
}


class Passing(Causes):
    """Has a method for each cause that may pass by itself."""

    quick = ("--server-timeout", "1s")

    def at(self, port):
        return trusting(self.server, *self.quick, url=f"https://localhost:{port}")

    def nobody(self):
        return self.at(free_port())

    def firewall(self):
        """Nobody answers: the queue of the listener is full."""
        listener = self.ended.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = self.ended.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        return trusting(self.server, *self.quick, url=f"https://127.0.0.1:{port}")

    def cut(self):
        return self.at(self.peer(lambda peer: None))

    def silent(self):
        def serve(peer):
            peer.request()
            peer.ended()

        return self.at(self.peer(serve, self.certificate.server_context()))

    def front_end_alone(self):
        return self.secure(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    def full(self):
        page = b'{"error": "full", "message": "come back later"}'
        head = f"HTTP/1.1 503 x\r\nContent-Length: {len(page)}\r\n\r\n"
        return self.secure(head.encode() + page)

    def proxy_away(self):
        return trusting(self.server, "--proxy", f"http://127.0.0.1:{free_port()}")

    def proxy_does_not_get_there(self):
        answer = b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"
        return trusting(self.server, "--proxy", f"http://127.0.0.1:{self.peer(answering(answer))}")


@pytest.mark.rule("O93", "O172")
def test_what_may_pass_is_tried_for_a_while(server, certificate, authority, ended, tmp_path):
    """oneport says what to look at, tries for a while, and ends: all causes at the same time."""
    causes = Passing(server, certificate, authority, ended, tmp_path)
    clients = {}
    for cause in PASSING:
        words = [BIN / "oneport", *getattr(causes, cause)()]
        client = Program(words, tmp_path, cause, env={"XDG_STATE_HOME": tmp_path / cause})
        clients[cause] = client
        ended.callback(client.stop)
    for cause, client in clients.items():
        client.expect_exit(RETRIES, 60)
        assert client.stdout == "" and client.log.count("not_connected") >= 3, client.log
        last = client.log.strip().splitlines()[-1]
        for part in ["giving_up", *PASSING[cause]]:
            assert part in last, f"{cause}: {part!r} is not in {last!r}"


@pytest.mark.rule("O172")
def test_a_supervisor_may_want_to_wait(server, ended, tmp_path):
    """With --max-retries 0 oneport goes on: also where only somebody else can help."""
    for name, url in (
        ("nobody", f"https://localhost:{free_port()}"),
        ("typo", f"https://{NO_HOST}"),
    ):
        words = trusting(server, "--max-retries", "0", url=url)
        client = Program(
            [BIN / "oneport", *words], tmp_path, name, env={"XDG_STATE_HOME": tmp_path / name}
        )
        ended.callback(client.stop)
        client.wait_output("not_connected", count=6)
        assert client.running and "giving_up" not in client.log


@pytest.mark.rule("O172")
def test_a_link_that_was_up_is_tried_for_again(new_server, ended, http_origin, tmp_path):
    """For longer than a first connection is."""
    server = new_server()
    client = sharing(server, http_origin.port, tmp_path, ended)
    client.wait_output(r"\Ayour url is: ", stream="stdout")
    server.kill9()
    client.wait_output("not_connected .*in_ms=[1-9][0-9]{3}", count=5, deadline_s=120)
    assert client.running
    server.start()
    client.wait_output("link_up", count=2, deadline_s=60)


@pytest.mark.rule("O93")
def test_insecure_says_what_it_costs(server, ended, tmp_path):
    client = Program(
        [BIN / "oneport", "-h", server.url, "--insecure", "8080"],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path},
    )
    ended.callback(client.stop)
    client.wait_output("server_not_verified .*can read and change everything.*--ca FILE")
    client.wait_output(r"\Ayour url is: ", stream="stdout")


@pytest.mark.rule("O93")
def test_few_descriptors_say_what_they_cost(server, ended, tmp_path):
    client = sharing(server, 8080, tmp_path, ended, "--max-streams", "1000000")
    wanted = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if wanted >= 1000000:
        pytest.skip("this machine has a million descriptors")
    client.wait_output("few_descriptors limit=.*no more run at a time: raise the limit .ulimit")
    client.wait_output(r"\Ayour url is: ", stream="stdout")


@pytest.mark.rule("O94")
@pytest.mark.parametrize("words", [["-h"], ["help"], ["--help"], ["-V"], ["--version"]])
def test_what_people_try_first(words):
    for program in ("oneport", "oneportd"):
        code, out, err = run(program, *words)
        assert (code, err) == (0, "")
        assert out.startswith("usage: " if "h" in words[0] else f"{program} ")


@pytest.mark.rule("O94")
@pytest.mark.parametrize(
    "words,path",
    [(["http", "{}"], None), (["{}/app?x=1"], "/app.x=1"), (["http://localhost:{}/app"], "/app")],
    ids=["http PORT", "PORT/PATH", "URL with a path"],
)
def test_an_origin_as_people_write_it(server, http_origin, ended, tmp_path, words, path):
    *first, last = [word.format(http_origin.port) for word in words]
    client = sharing(server, last, tmp_path, ended, *first)
    client.wait_output(r"\Ayour url is: ", stream="stdout")
    if path:
        client.wait_output(rf"path_left_out path=\S*{path}.* put the path behind the URL")
    else:
        assert "path_left_out" not in client.log


@pytest.mark.rule("O93")
def test_a_host_that_a_name_server_does_not_know(ended, certificate, tmp_path):
    """Without any name server the machine is offline."""
    if netns.missing():
        pytest.skip(netns.missing())
    space = ended.enter_context(contextlib.closing(netns.Namespace()))
    with space.inside():
        client = Program(
            [BIN / "oneport", "-h", "example.com", "--ca", certificate.ca, "8080"],
            tmp_path,
            "oneport",
            env={"XDG_STATE_HOME": tmp_path, "RES_OPTIONS": "timeout:1 attempts:1"},
        )
    ended.callback(client.stop)
    client.expect_exit(RETRIES, 90)
    last = client.log.strip().splitlines()[-1]
    assert "step=DNS" in last and "no name server answers" in last
