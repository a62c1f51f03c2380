# SPDX-License-Identifier: MIT
"""Tests wrong usage and refusals: the program prints one clear line on standard error, ends with
the documented exit code and prints nothing else."""

import contextlib
import os
import pty
import re
import socket
import subprocess
import termios

import pytest
from support.certs import Authority
from support.foreign import register
from support.origins import answering, reply
from support.programs import BIN, SLOW, Program, Server, free_port, run
from support.viewer import fetch, links
from support.wait import wait_until

USAGE, REFUSED, CERTIFICATE, RETRIES = 1, 2, 3, 4


def one_line(text):
    """Returns the only line of @text. It leaves out the warnings about the machine's descriptor
    limit, about root, and about an origin that is not there."""
    warnings = re.compile("few_descriptors|stays_root|nothing_listens")
    lines = [line for line in text.strip().splitlines() if not warnings.search(line)]
    assert len(lines) == 1, text
    return lines[0]


def wrong(program, *arguments, code=USAGE, env=None):
    """Runs a program that must end with an error. Returns its error line."""
    actual, out, err = run(program, *arguments, env=env)
    assert (actual, out) == (code, ""), err
    return one_line(err)


# ---- both ----
@pytest.mark.parametrize("program", ["oneportd", "oneport"])
def test_help_and_version(program):
    code, out, err = run(program, "--help")
    assert (code, err) == (0, "") and out.startswith("usage: ")
    code, out, err = run(program, "--version")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"{program} \d+\.\d+\.\d+\S*\n"
        r"OpenSSL \d.*\nnghttp2 \d.*\nlibevent \d.*\ncJSON \d.*\n"
        r"AES-GCM of TLS: (OpenSSL|ipsec-mb \d.*)\nlinked in: none\n"
        + (r"trusted authorities: /.*\n" if program == "oneport" else ""),
        out,
    )


@pytest.mark.rule("O143")
def test_the_version_says_whom_the_client_trusts():
    _, out, _ = run("oneport", "--version", env={"SSL_CERT_FILE": "/x.pem", "SSL_CERT_DIR": "/y"})
    assert "trusted authorities: /x.pem and /y\n" in out


@pytest.mark.parametrize("program", ["oneportd", "oneport"])
def test_who_encrypts_is_auto_or_openssl(program):
    assert "auto or openssl" in wrong(program, "--crypto", "mine")


@pytest.mark.parametrize("program", ["oneportd", "oneport"])
@pytest.mark.parametrize("option", ["--no-such-option", "--configuration=x", "-Z"])
def test_an_option_that_does_not_exist_is_named(program, option):
    assert option.split("=")[0] in wrong(program, option)


@pytest.mark.parametrize("program", ["oneportd", "oneport"])
def test_every_option_in_help_has_a_line(program):
    _, out, _ = run(program, "--help")
    rows = [line for line in out.splitlines() if re.match(r"\s+(-\w, )?--\w", line)]
    assert len(rows) > 10
    assert all(re.search(r"\S  +\S|--\S+ .*\S{3}", line) for line in rows)


@pytest.mark.rule("O175")
@pytest.mark.parametrize("program", ["oneportd", "oneport"])
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_help_fits_the_terminal(program, columns):
    """Each option and each word is there, as without a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen([BIN / program, "--help"], stdout=theirs) as started:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 65536):
                shown += data
    os.close(ours)
    assert started.returncode == 0
    _, plain, _ = run(program, "--help")
    assert shown.decode().split() == plain.split()
    lines = shown.decode().replace("\r", "").splitlines()
    listed = lines[lines.index("options:") + 1 :]
    help_of_options = listed[: listed.index("")]
    assert max(map(len, help_of_options)) < columns or columns == 60  # a name may be longer


# ---- oneportd ----
@pytest.fixture
def usual(tmp_path):
    return ["--domain", "localhost", "--state-dir", tmp_path / "state"]


def test_server_needs_a_domain(tmp_path):
    assert "--domain" in wrong("oneportd", "--state-dir", tmp_path)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1", "nonsense:1", ""]
)
def test_server_with_a_bad_listener(usual, listen):
    assert "listen" in wrong("oneportd", *usual, "--listen", listen)


@pytest.mark.parametrize(
    "option,value",
    [
        ("--hold", "4"),
        ("--hold", "4x"),
        ("--hold", "-1s"),
        ("--max-streams", "many"),
        ("--public-url", "http://elsewhere.example"),
        ("--public-url", "localhost"),
        ("--attach-url", "http://localhost"),
        ("--trusted-proxy", "10.0.0.0/33"),
        ("--accept-proxy", "10.0.0.0/33"),
        ("--domain", "not a name"),
        ("--log-level", "loud"),
    ],
)
def test_server_with_a_malformed_value(usual, option, value):
    line = wrong("oneportd", *usual, "--listen", "127.0.0.1:0", option, value)
    assert option.lstrip("-") in line


def test_port_in_use(usual):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = wrong("oneportd", *usual, "--listen", f"127.0.0.1:{port}")
    assert str(port) in line and "in use" in line


def test_port_of_a_running_server(server, usual):
    assert str(server.port) in wrong("oneportd", *usual, "--listen", f"127.0.0.1:{server.port}")


def test_unreadable_certificate(usual, tmp_path, certificate):
    absent = tmp_path / "absent.crt"
    assert str(absent) in wrong(
        "oneportd", *usual, "--listen", "127.0.0.1:0", "--cert", absent, "--key", certificate.key
    )
    absent.write_text("no certificate at all\n")
    assert str(absent) in wrong(
        "oneportd", *usual, "--listen", "127.0.0.1:0", "--cert", absent, "--key", certificate.key
    )


def test_key_of_another_certificate(usual, certificate, authority):
    other = authority.issue("other", "localhost")
    assert str(other.key) in wrong(
        "oneportd",
        *usual,
        "--listen",
        "127.0.0.1:0",
        "--cert",
        certificate.cert,
        "--key",
        other.key,
    )


def test_certificate_without_key(usual, certificate):
    assert "--key" in wrong(
        "oneportd", *usual, "--listen", "127.0.0.1:0", "--cert", certificate.cert
    )


def test_state_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert "state" in wrong(
        "oneportd",
        "--domain",
        "localhost",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        tmp_path / "file" / "state",
    )


def test_values_come_from_the_environment_too(usual):
    assert "soon" in wrong("oneportd", *usual, env={"ONEPORTD_HOLD": "soon"})
    assert "127.0.0.1:x" in wrong("oneportd", *usual, env={"ONEPORTD_LISTEN": "127.0.0.1:x"})


# ---- oneport ----
def test_no_host():
    assert "--host" in wrong("oneport", "8080")


def test_no_origin():
    line = wrong("oneport", "--host", "https://localhost:1")
    assert "PORT" in line or "port" in line


@pytest.mark.parametrize(
    "origin",
    [
        "0",
        "65536",
        "80x",
        "-5",
        "http://",
        "ftp://localhost",
        "http://h:99999",
        "http://u@h",
        "a b",
    ],
)
def test_bad_origin(origin):
    assert origin in wrong("oneport", "--host", "https://localhost:1", "--", origin)


@pytest.mark.parametrize(
    "host", ["http://example.org", "ftp://localhost", "https://", "https://h:x"]
)
def test_bad_host(host):
    assert host.split("//")[1] in wrong("oneport", "--host", host, "8080")


@pytest.mark.parametrize("name", ["ab", "Not_A_Name", "-x-", "www"])
def test_name_that_is_malformed(server, name, tmp_path):
    line = wrong(
        "oneport",
        "-h",
        server.url,
        "--ca",
        server.certificate.ca,
        "-s",
        name,
        "8080",
        code=REFUSED,
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert name.lower() in line


@pytest.mark.rule("O16")
def test_name_that_is_taken(server, name, tmp_path):
    register(server, name)
    line = wrong(
        "oneport",
        "-h",
        server.url,
        "--ca",
        server.certificate.ca,
        "-s",
        name,
        "8080",
        code=REFUSED,
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert name in line and "taken" in line


def test_refused_connection(certificate, tmp_path):
    port = free_port()
    code, out, err = run(
        "oneport",
        "-h",
        f"https://localhost:{port}",
        "--ca",
        certificate.ca,
        "--max-retries",
        "1",
        "8080",
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert (code, out) == (RETRIES, "")
    assert "refused" in err.lower() and str(port) in err


def test_name_that_does_not_resolve(certificate, tmp_path):
    code, _, err = run(
        "oneport",
        "-h",
        "https://no-such-host.invalid",
        "--ca",
        certificate.ca,
        "--max-retries",
        "1",
        "8080",
        env={"XDG_STATE_HOME": tmp_path},
        deadline_s=30,
    )
    assert code == RETRIES and "dns" in err.lower() and "no-such-host.invalid" in err


def refused_certificate(server, *options, tmp_path):
    return wrong(
        "oneport",
        "-h",
        server.url,
        *options,
        "8080",
        code=CERTIFICATE,
        env={"XDG_STATE_HOME": tmp_path},
    ).lower()


def test_certificate_of_an_unknown_authority(server, tmp_path):
    assert "certificate" in refused_certificate(server, tmp_path=tmp_path)


def test_certificate_of_another_authority(server, tmp_path_factory, tmp_path):
    other = Authority(tmp_path_factory.mktemp("other-ca"), "another CA")
    assert "certificate" in refused_certificate(server, "--ca", other.cert, tmp_path=tmp_path)


def test_certificate_for_another_name(tmp_path_factory, authority, tmp_path):
    elsewhere = authority.issue("elsewhere", "elsewhere.example")
    server = Server(tmp_path_factory.mktemp("server"), elsewhere)
    try:
        assert "certificate" in refused_certificate(server, "--ca", elsewhere.ca, tmp_path=tmp_path)
    finally:
        server.stop()


def test_nothing_is_sent_to_a_server_that_is_not_verified(certificate, scripted, tmp_path):
    """The TLS handshake fails before the client sends the register call."""
    got = []
    impostor = scripted(
        lambda connection: got.append(connection.some()), tls=certificate.server_context()
    )
    wrong(
        "oneport",
        "-h",
        f"https://localhost:{impostor.port}",
        "8080",
        code=CERTIFICATE,
        env={"XDG_STATE_HOME": tmp_path},
    )
    impostor.wait_connections(1)
    assert got == []


def test_insecure_is_possible_when_asked_for(server, http_origin, tmp_path, ended):
    client = Program(
        [BIN / "oneport", "-h", server.url, "--insecure", http_origin.port],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path},
    )
    ended.callback(client.stop)
    client.wait_output(r"\Ayour url is: https://\S+$", stream="stdout")


def test_unreadable_ca(server, tmp_path):
    absent = tmp_path / "absent.crt"
    assert str(absent) in wrong("oneport", "-h", server.url, "--ca", absent, "8080")


def test_a_redirect_is_not_followed(scripted, tmp_path):
    origin = scripted(
        lambda c: (
            c.request(),
            c.send(reply(b"", "Location: https://elsewhere.example/", status=302)),
        )
    )
    line = wrong(
        "oneport",
        "-h",
        f"http://127.0.0.1:{origin.port}",
        "8080",
        code=REFUSED,
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert "https://elsewhere.example/" in line


def test_something_that_is_no_oneport_server(scripted, tmp_path):
    origin = scripted(lambda c: (c.request(), c.send(reply(b"<html>hello"))))
    code, out, err = run(
        "oneport",
        "-h",
        f"http://127.0.0.1:{origin.port}",
        "--max-retries",
        "1",
        "8080",
        env={"XDG_STATE_HOME": tmp_path},
    )
    assert code in (REFUSED, RETRIES) and out == "" and "register" in err


# ---- oneport in use ----
def test_first_line_and_nothing_else(server, new_client, http_origin):
    client = new_client(http_origin.port)
    assert client.program.stdout == f"your url is: https://{client.name}.localhost:{server.port}\n"


def test_a_random_name_without_subdomain(server, new_client, http_origin):
    client = new_client(http_origin.port, name=None)
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", client.name)
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("O17")
def test_a_random_name_is_free_at_once(server, new_client, http_origin):
    client = new_client(http_origin.port, name=None)
    client.stop()
    wait_until(lambda: register(server, client.name)["id"] == client.name, 5, "the name to be free")


def test_print_requests(server, new_client, http_origin):
    client = new_client(http_origin.port, "--print-requests")
    fetch(server.port, client.host, "/echo/printed")
    client.program.wait_output(r"GET.*/echo/printed", stream="stdout")


@pytest.mark.rule("O17")
def test_tickets_are_kept_for_names_asked_for(server, new_client, http_origin):
    client = new_client(http_origin.port)
    tickets = client.state / "oneport" / "tickets.json"
    assert os.stat(tickets).st_mode & 0o777 == 0o600 and client.name in tickets.read_text()
    client.stop()
    client.start()
    assert links(server, client.name) == 1


def test_a_name_and_its_ticket_ignore_case(server, new_client, http_origin):
    """Names and their tickets ignore case: the client finds its ticket however the name is
    written."""
    client = new_client(http_origin.port, server=server, name="Cased-Name")
    assert client.name == "cased-name"
    client.kill9()
    again = new_client(http_origin.port, server=server, name="cased-NAME", state=client.state)
    assert again.name == "cased-name"


@pytest.mark.parametrize(
    "form",
    [
        "{port}",
        "127.0.0.1:{port}",
        "localhost:{port}",
        "http://127.0.0.1:{port}",
        "http://localhost:{port}",
    ],
)
def test_forms_of_an_origin(server, new_client, http_origin, form):
    client = new_client(form.format(port=http_origin.port))
    assert fetch(server.port, client.host, "/echo").status == 200


def test_localtunnels_client_options(server, new_client, http_origin):
    """The options -p and -l name the port and the host of the origin."""
    client = new_client(None, "-p", http_origin.port, "-l", "127.0.0.1")
    assert fetch(server.port, client.host, "/echo").status == 200


def test_unix_origin(server, new_client, scripted, tmp_path):
    path = tmp_path / "origin.sock"
    scripted(answering(reply(b"from a unix socket")), path=path)
    assert fetch(server.port, new_client(f"unix:{path}").host).body == b"from a unix socket"


def test_https_origin(server, new_client, certificate, scripted):
    tls = certificate.server_context()
    origin = f"https://localhost:{scripted(answering(reply(b'over tls')), tls=tls).port}"
    verified = new_client(origin, "--local-ca", certificate.ca)
    assert fetch(server.port, verified.host).body == b"over tls"
    assert fetch(server.port, new_client(origin, "--allow-invalid-cert").host).body == b"over tls"
    refused = fetch(server.port, new_client(origin).host)
    assert refused.status == 502 and "tls" in refused.get("Proxy-Status")


def test_ends_when_its_goodbye_was_heard(server, new_client, http_origin):
    """The client leaves as soon as the server has read its goodbye. It does not wait for a timer
    that is no longer needed."""
    client = new_client(http_origin.port)
    assert fetch(server.port, client.host, "/echo").status == 200
    client.program.stop(deadline_s=1.2 * SLOW)
    server.wait_log(f"client_leaves name={client.name} ")


def test_certificates_for_an_origin_without_tls(server, new_client, http_origin, certificate):
    """The TLS options have no effect on such an origin, and the log says so."""
    client = new_client(http_origin.port, "--local-ca", certificate.ca)
    assert fetch(server.port, client.host, "/echo").status == 200
    assert f"local_tls_options_unused origin=localhost:{http_origin.port}" in client.log
    assert "local_tls_options_unused" not in new_client(http_origin.port).log


@pytest.mark.rule("R15")
def test_host_header_rewrite(server, new_client, http_origin):
    client = new_client(http_origin.port, "--host-header", "rewrite")
    seen = fetch(server.port, client.host, "/echo", f"Origin: http://{client.host}").json()
    fields = {name.lower(): value for name, value in seen["fields"]}
    assert (
        fields["host"] == f"localhost:{http_origin.port}"
        and fields["origin"] == f"http://localhost:{http_origin.port}"
    )


@pytest.mark.rule("Q19")
def test_host_header_value(server, new_client, http_origin):
    client = new_client(http_origin.port, "--host-header", "app.example")
    seen = fetch(server.port, client.host, "/echo").json()
    assert ["app.example"] == [value for name, value in seen["fields"] if name.lower() == "host"]


def test_localtunnels_server_options(usual):
    """The options --port and --address mean the same as --listen."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in wrong("oneportd", *usual, "--address", "127.0.0.1", "--port", port)


# ---- the environment ----
def of_service(name, address="10.0.0.1", port=3000):
    """Returns the variables that Kubernetes sets in each pod for a Service of this name."""
    upper = name.upper().replace("-", "_")
    url = f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
    return {
        f"{upper}_SERVICE_HOST": address,
        f"{upper}_SERVICE_PORT": port,
        f"{upper}_SERVICE_PORT_HTTP": port,
        f"{upper}_PORT": url,
        f"{upper}_PORT_{port}_TCP": url,
        f"{upper}_PORT_{port}_TCP_PROTO": "tcp",
        f"{upper}_PORT_{port}_TCP_PORT": port,
        f"{upper}_PORT_{port}_TCP_ADDR": address,
    }


@pytest.mark.rule("O27")
@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
def test_beside_services_of_the_same_names(address, new_server, new_client, http_origin):
    """Both programs run in a Kubernetes namespace that has Services of their names."""
    env = {**of_service("oneport", address), **of_service("oneportd", address, 443)}
    server = new_server(env=env)
    client = new_client(http_origin.port, server=server, env=env)
    assert fetch(server.port, client.host, "/echo").status == 200
    for program, name in ((server.program, "ONEPORTD_PORT"), (client.program, "ONEPORT_PORT")):
        assert program.log.count("environment_ignored") == 1
        assert f"environment_ignored name={name} value=" in program.log


@pytest.mark.rule("O27")
@pytest.mark.parametrize(
    "env",
    [
        {"ONEPORTD_PORT": "1", "ONEPORTD_ADDRESS": "192.0.2.1"},
        {"ONEPORTD_PUBLIC_URL": "https://elsewhere.example"},
        {"ONEPORTD_HOLD": "soon", "ONEPORTD_DOMAIN": "192.0.2.1"},
    ],
)
def test_the_servers_command_line_beats_the_environment(env, new_server):
    """The second case has --domain, the last one a value for --hold that is malformed."""
    server = new_server("--hold", "1s", env=env)
    assert fetch(server.port, f"localhost:{server.port}", "/healthz").status == 200
    assert server.log.count(" listening ") == 1


@pytest.mark.rule("O27")
@pytest.mark.parametrize(
    "env",
    [
        {"ONEPORT_PORT": "1"},
        {"ONEPORT_HOST": "192.0.2.1", "ONEPORT_SUBDOMAIN": "a b"},
        {"ONEPORT_LOCAL_HOST": "192.0.2.1", "ONEPORT_LOCAL_HTTPS": "1"},
    ],
)
def test_the_clients_command_line_beats_the_environment(env, new_client, http_origin, server):
    client = new_client(f"http://localhost:{http_origin.port}", env=env)
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("O27")
def test_a_flag_of_the_environment_is_turned_off(new_client, http_origin, server):
    client = new_client(
        http_origin.port, "--no-print-requests", env={"ONEPORT_PRINT_REQUESTS": "1"}
    )
    assert fetch(server.port, client.host, "/echo").status == 200
    client.program.stop()
    assert len(client.program.stdout.splitlines()) == 1
