# SPDX-License-Identifier: MIT
"""Tests names with a domain of their own (rules T20, T21): how viewers reach them, and who gets
which domain."""

import signal

import pytest
from support.foreign import ForeignLink, call, refusal
from support.tokens import ANN, BOB, EVE, bearer, error, line, use
from support.viewer import Viewer, fetch
from support.wait import wait_until

HOST = "app.example.org"
DOMAIN = f"Oneport-Domain: {HOST}"


@pytest.fixture
def folder(tmp_path, authority):
    """Returns a folder for --cert-dir with the certificate of the domain."""
    path = tmp_path / "certificates"
    path.mkdir()
    issued = authority.issue("domain", HOST)
    (path / f"{HOST}.pem").write_bytes(issued.cert.read_bytes() + issued.key.read_bytes())
    (path / f"{HOST}.pem").chmod(0o600)
    return path


@pytest.fixture
def two(guarded, folder):
    """Is a server where Ann and Eve may have the domain, and Bob may not."""
    return guarded(
        line("ann", ANN, f"domains=www.example.org,{HOST}"),
        line("bob", BOB),
        line("eve", EVE, f"domains={HOST}"),
        options=["--cert-dir", folder, "--workers", "2", "--hold", "1s"],
    )


def over_tls(server, *fields):
    """Asks for the domain over TLS, whose certificate is verified."""
    with Viewer(
        server.port, server.certificate.client_context(["http/1.1"]), server_hostname=HOST
    ) as viewer:
        return viewer.get(HOST, "/echo", "Connection: close", *fields)


@pytest.mark.rule("T20")
def test_a_domain_leads_to_the_name(two, new_client, name, http_origin):
    client = new_client(
        http_origin.port, "--domain-name", "App.example.org", server=two, name=name, env=use(ANN)
    )
    assert client.url == f"https://{HOST}:{two.port}"
    for host in HOST, f"APP.example.org:{two.port}", f"{HOST}.", f"{name}.localhost":
        for _ in range(3):  # of two workers
            assert fetch(two.port, host, "/echo").status == 200
    assert over_tls(two).status == 200
    assert fetch(two.port, "www.example.org", "/echo").status == 404
    assert fetch(two.port, "x.app.example.org", "/echo").status == 404
    two.wait_log(f"registered name={name} .*domain={HOST} ")


@pytest.mark.rule("T20")
def test_a_domain_outlives_a_restart(two, new_client, name, http_origin):
    client = new_client(
        http_origin.port, "--domain-name", HOST, server=two, name=name, env=use(ANN)
    )
    wait_until(lambda: HOST in two.saved_names, 10, "the domain to be saved")
    client.kill9()
    two.restart()
    assert fetch(two.port, HOST, "/echo").status == 503  # held, not unknown
    client.start()
    assert over_tls(two).status == 200


@pytest.mark.rule("T21")
def test_who_gets_a_domain(two, new_server):
    denied = (403, "domain_not_permitted")
    assert error(two, "name-1", bearer(BOB), DOMAIN) == denied
    assert error(two, "name-1", bearer(ANN), "Oneport-Domain: example.org") == denied
    assert error(two, "name-1", bearer(ANN), "Oneport-Domain: ") == denied
    got = call(two, "/register/name-1", bearer(ANN), DOMAIN).json()
    assert got["url"] == f"https://{HOST}:{two.port}"
    link = ForeignLink(two, "name-1", got["ticket"], DOMAIN)
    two.wait_link("name-1", 1)
    assert fetch(two.port, HOST).status == 200
    assert error(two, "name-2", bearer(EVE), DOMAIN) == (409, "domain_taken")
    other = call(two, "/register/name-2", bearer(EVE)).json()["ticket"]  # not claimed before
    assert refusal(two, "name-2", other, DOMAIN).json()["error"] == "domain_taken"
    link.close()
    wait_until(lambda: error(two, "name-3", bearer(EVE), DOMAIN) is None, 5, "the domain")
    open_to_all = new_server()
    assert error(open_to_all, "name-1", DOMAIN) == denied


@pytest.mark.rule("T6", "T21")
def test_a_domain_that_is_taken_back(two, tokens, new_client, name, http_origin):
    client = new_client(
        http_origin.port, "--domain-name", HOST, server=two, name=name, env=use(ANN)
    )
    tokens.write(line("ann", ANN))
    two.program.signal(signal.SIGHUP)
    client.program.expect_exit(2)
    two.wait_log(f"link_revoked name={name} token=ann .*domain_not_permitted")


@pytest.mark.rule("T33")
@pytest.mark.parametrize("restarts", [False, True], ids=["held", "restart"])
def test_a_domain_that_is_taken_back_from_one_who_is_away(two, tokens, restarts):
    """Ann comes back with her ticket and does not say the domain, which is not hers any more."""
    ticket = call(two, "/register/name-1", bearer(ANN), DOMAIN).json()["ticket"]
    link = ForeignLink(two, "name-1", ticket)
    two.wait_link("name-1", 1)
    link.close()
    wait_until(lambda: fetch(two.port, HOST).status == 503, 5, "the link to be gone")
    if restarts:
        wait_until(lambda: HOST in two.saved_names, 10, "the domain to be saved")
        tokens.write(line("ann", ANN), line("eve", EVE, f"domains={HOST}"))
        two.restart()
    else:
        tokens.reload(two, line("ann", ANN), line("eve", EVE, f"domains={HOST}"))
    ForeignLink(two, "name-1", ticket)
    two.wait_link("name-1", 1 if restarts else 2)
    assert fetch(two.port, "name-1.localhost").status == 200
    assert fetch(two.port, HOST).status == 404
    assert error(two, "name-2", bearer(EVE), DOMAIN) is None


@pytest.mark.rule("T33")
def test_a_domain_that_another_name_has_got(two):
    """Eve takes the domain while Ann is away; then it is not Ann's, whatever she says."""
    ticket = call(two, "/register/name-1", bearer(ANN), DOMAIN).json()["ticket"]
    theirs = call(two, "/register/name-2", bearer(EVE), DOMAIN).json()["ticket"]
    ForeignLink(two, "name-2", theirs)
    two.wait_link("name-2", 1)
    assert refusal(two, "name-1", ticket, DOMAIN).json()["error"] == "domain_taken"
    ForeignLink(two, "name-1", ticket)
    two.wait_link("name-1", 1)
    assert fetch(two.port, HOST).status == 200


@pytest.mark.rule("T21")
def test_a_client_that_may_not_ends(two, new_client, http_origin):
    client = new_client(
        http_origin.port, "--domain-name", HOST, server=two, wait=False, env=use(BOB)
    )
    client.program.expect_exit(2)
    assert "domain_not_permitted" in client.log
