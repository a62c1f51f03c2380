# SPDX-License-Identifier: MIT
"""Tests sharers who show a certificate (rules T30 to T32): on oneportd's own TLS, and through an
nginx that verifies it."""

import socket
import ssl

import pytest
from support import moved_clock, nginx
from support.certs import Authority
from support.foreign import call, proxied, refusal, register
from support.programs import run
from support.tokens import ANN, bearer, error, line
from support.viewer import Viewer, fetch, head


@pytest.fixture(scope="module")
def sharers(tmp_path_factory):
    """Is the authority of the sharers, which is not the server's."""
    return Authority(tmp_path_factory.mktemp("sharers"), "sharers")


@pytest.fixture(scope="module")
def ann(sharers):
    return sharers.issue("ann", "ann.invalid", subject="ann")


@pytest.fixture
def asking(guarded, sharers):
    """Is a server that asks for certificates. Eve has nothing but hers."""
    return guarded(line("ann", ANN, "names=a*"), "eve cert", options=["--client-ca", sharers.cert])


def shown(server, who, name, *fields, host="localhost"):
    """Registers with a certificate. Returns (status, error or id)."""
    context = server.certificate.client_context(["http/1.1"])
    context.check_hostname = host == "localhost"
    context.load_cert_chain(who.cert, who.key)
    with Viewer(server.port, context, server_hostname=host) as viewer:
        viewer.send(head("GET", f"/register/{name}", f"localhost:{server.port}", *fields))
        got = viewer.response()
    return got.status, got.json().get("error") or got.json()["id"]


@pytest.mark.rule("T30")
def test_a_certificate_is_as_good_as_a_token(asking, sharers, ann):
    assert shown(asking, ann, "app-1") == (200, "app-1")
    assert shown(asking, ann, "other") == (403, "name_not_permitted")
    assert shown(asking, ann, "app-2", bearer(ANN)) == (200, "app-2")
    eve = sharers.issue("eve", "eve.invalid", subject="eve")
    assert shown(asking, eve, "app-3", bearer(ANN)) == (403, "bad_token")  # two IDs
    joe = sharers.issue("joe", "joe.invalid", subject="joe")
    assert shown(asking, joe, "app-3") == (403, "bad_token")
    assert error(asking, "app-3") == (401, "token_required")
    assert error(asking, "app-3", bearer(ANN)) is None
    asking.wait_log("registered name=app-1 .*token=ann ")


@pytest.mark.rule("T30")
def test_another_authority_is_none(asking, authority):
    forged = authority.issue("forged", "ann.invalid", subject="ann")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(asking, forged, "app-1")


@pytest.mark.rule("T30")
def test_viewers_are_not_asked(asking, ann):
    """Viewers of names and pages: the server asks at the base domain alone, and names its
    authorities."""
    context = asking.certificate.client_context(["http/1.1"])
    context.check_hostname = False  # Python takes no wildcard below a top-level name
    context.load_cert_chain(ann.cert, ann.key)
    for host in "app-9.localhost", "localhost":
        with Viewer(asking.port, context, server_hostname=host) as viewer:
            status = viewer.get(host, "/", "Connection: close").status
        assert status == (404 if host.startswith("app") else 200)
    # A certificate that was never asked for proves nothing.
    assert shown(asking, ann, "app-9", host="app-9.localhost") == (401, "token_required")


@pytest.mark.rule("T30", "O192")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_does_not_outlive_the_certificate(asking, sharers, tmp_path, version):
    ends = sharers.issue("ends", "ann.invalid", at="-2878m", subject="ann")  # in two minutes
    clock = moved_clock.Clock(tmp_path)
    asking.env = clock.environment
    asking.restart()
    context = asking.certificate.client_context(["http/1.1"])
    context.maximum_version = version
    context.load_cert_chain(ends.cert, ends.key)

    def ask(session):
        with socket.create_connection(("127.0.0.1", asking.port), 20) as plain:
            with context.wrap_socket(plain, session=session, server_hostname="localhost") as tls:
                tls.sendall(head("GET", "/register/app-1", f"localhost:{asking.port}"))
                status = int(tls.recv(64).split()[1])
                return tls.session, tls.session_reused, status

    session, _, status = ask(None)
    assert status == 200
    assert ask(session)[1:] == (True, 200)
    clock.set(300)
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        ask(session)


@pytest.mark.rule("T9", "T30")
def test_a_page_has_the_browsers_certificate(asking, ann):
    page = ["Sec-Fetch-Site: cross-site"]
    assert shown(asking, ann, "app-1", *page) == (403, "not_for_pages")
    assert shown(asking, ann, "app-1", *page, bearer(ANN)) == (200, "app-1")


@pytest.mark.rule("T31")
def test_a_client_with_a_certificate(asking, new_client, sharers, http_origin, name):
    eve = sharers.issue("eve", "eve.invalid", subject="eve")
    client = new_client(
        http_origin.port, "--cert", eve.cert, "--key", eve.key, server=asking, name=name
    )
    assert fetch(asking.port, f"{name}.localhost", "/echo").status == 200
    asking.wait_log(f"registered name={name} .*token=eve ")
    # The ticket of an ID that a certificate alone proves attaches with the certificate alone.
    tickets = (client.state / "oneport" / "tickets.json").read_text()
    ticket = tickets.split(f'"{name}":')[1].split('"')[1]
    assert refusal(asking, name, ticket).json()["error"] == "token_revoked"
    client.restart()
    assert fetch(asking.port, f"{name}.localhost", "/echo").status == 200


MAP = (
    'map $ssl_client_verify:$ssl_client_s_dn $client_id { default ""; '
    '"~^SUCCESS:(.*,)?CN=(?<cn>[^,]+)" $cn; } map $server_protocol'
)


@pytest.fixture
def behind(guarded, sharers, tmp_path, ended):
    """Is an nginx that verifies certificates, before a server that believes it."""
    if not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    server = guarded("ann cert", options=["--client-id-field", "X-Client-Id"])
    asks = f"ssl_verify_client optional; ssl_client_certificate {sharers.cert};"
    front = nginx.Nginx(
        server,
        tmp_path / "nginx",
        [
            ("map $server_protocol", MAP),
            ("server_name example.com;", f"server_name example.com; {asks}"),
            (
                "proxy_set_header X-Forwarded-For $remote_addr;",
                "proxy_set_header X-Forwarded-For $remote_addr; "
                "proxy_set_header X-Client-Id $client_id;",
            ),
        ],
    )
    ended.callback(front.stop)
    return front


@pytest.mark.rule("T32")
def test_nginx_verifies_the_certificate(behind, new_client, ann, http_origin, name):
    new_client(
        http_origin.port,
        *("--cert", ann.cert, "--key", ann.key),
        server=behind.server,
        url=behind.url,
        name=name,
    )
    behind.server.wait_log(f"registered name={name} .*token=ann ")
    got = fetch(behind.server.port, f"{name}.localhost", "/echo", "X-Client-Id: ann")
    assert got.status == 200 and "x-client-id" not in got.body.decode().lower()
    # What a stranger sends itself, nginx replaces.
    context = behind.certificate.client_context(["http/1.1"])
    with Viewer(behind.port, context) as viewer:
        got = viewer.get(f"localhost:{behind.port}", "/register/app-7", "X-Client-Id: ann")
    assert (got.status, got.json()["error"]) == (401, "token_required")


@pytest.mark.rule("T32")
def test_only_a_proxy_is_believed(guarded):
    server = guarded("ann cert", options=["--client-id-field", "X-Client-Id"])
    says = "X-Client-Id: ann"
    assert error(server, "app-1", says) == (401, "token_required")  # no proxy
    assert error(server, "app-1", *proxied("http"), says) == (401, "token_required")
    assert error(server, "app-1", *proxied("https"), says, says) == (401, "token_required")
    assert error(server, "app-1", *proxied("https"), "X-Client-Id: joe") == (403, "bad_token")
    assert error(server, "app-1", *proxied("https"), "X-Client-Id: a b") == (401, "token_required")
    assert register(server, "app-1", *proxied("https"), says)["id"] == "app-1"
    assert call(server, "/register/app-2", *proxied("https")).status == 401


@pytest.mark.rule("T30", "T32")
@pytest.mark.parametrize(
    "words, message",
    [
        (["--client-ca", "f"], "need --tokens"),
        (["--client-id-field", "X-Id"], "need --tokens"),
        (["--client-ca", "f", "--tokens", "f"], "--client-ca needs --cert or --cert-dir"),
        (["--client-id-field", "Host", "--tokens", "f"], "--client-id-field"),
    ],
)
def test_options_that_do_not_fit(words, message):
    code, _, err = run("oneportd", "--domain", "localhost", *words)
    assert code == 1 and message in err
