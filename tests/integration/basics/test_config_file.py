# SPDX-License-Identifier: MIT
"""Tests configuration files: where they are looked for, what beats what, and the errors, which name
file and line."""

import pytest
from support.programs import BIN, Program, run
from support.viewer import fetch

USAGE = 1


@pytest.fixture
def home(tmp_path):
    """Is a home directory with an empty folder for oneport's file."""
    (tmp_path / ".config" / "oneport").mkdir(parents=True)
    return tmp_path


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path


def environment(home, **more):
    """Returns an environment in which oneport looks for its file below @home."""
    return {"HOME": home, "ONEPORT_CONFIG": "", **more}


@pytest.fixture
def share(ended, tmp_path):
    """Returns a function that starts oneport and returns it when the URL is there, with the name
    that it has got."""

    def start(*arguments, env):
        program = Program(
            [BIN / "oneport", *arguments],
            tmp_path / "client",
            "oneport",
            env={"XDG_STATE_HOME": tmp_path / "state", **env},
        )
        ended.callback(program.stop)
        found = program.wait_output(r"your url is: https://([^.]+)\.\S+$", 10, "stdout")
        return program, found.group(1)

    return start


def server_lines(server):
    return f"host = {server.url}", f"ca = {server.certificate.ca}"


def wrong(program, *arguments, env=None):
    """Runs a program that must end with an error. Returns its only line."""
    code, out, err = run(program, *arguments, env=env)
    assert (code, out) == (USAGE, ""), err
    assert err.count("\n") == 1, err
    return err.rstrip("\n")


# ---- where options come from ----
@pytest.mark.rule("O100")
@pytest.mark.parametrize("place", ["home", "xdg", "option", "variable"])
def test_the_client_finds_its_file(place, home, server, http_origin, share, name):
    """The file has everything but the port."""
    lines = [*server_lines(server), f"subdomain = {name}", "print-requests = 1"]
    path, env, options = home / ".config" / "oneport" / "config", environment(home), []
    if place == "xdg":
        path = home / "elsewhere" / "oneport" / "config"
        path.parent.mkdir(parents=True)
        env = environment(home, XDG_CONFIG_HOME=home / "elsewhere")
    elif place == "option":
        path = home / "some.conf"
        options = ["--config", path]
    elif place == "variable":
        path = home / "some.conf"
        env["ONEPORT_CONFIG"] = path
    write(path, *lines)
    program, got = share(*options, http_origin.port, env=env)
    assert got == name
    assert fetch(server.port, f"{name}.localhost:{server.port}", "/echo").status == 200
    program.wait_output(r"^GET /echo 200", 10, "stdout")


@pytest.mark.rule("O100")
def test_none_is_no_file(home):
    write(home / ".config" / "oneport" / "config", "nonsense = 1")
    error = wrong("oneport", "--config", "none", 3000, env=environment(home))
    assert "no server" in error


@pytest.mark.rule("O100")
def test_the_server_has_everything_from_a_file(tmp_path, certificate, ended):
    """Lists in two ways, blanks and comments, as people write such a file."""
    path = write(
        tmp_path / "oneportd.conf",
        "# the server of our office",
        "domain = localhost",
        "listen = 127.0.0.1:0 ; a port that is free",
        f"cert   = {certificate.cert}",
        f"key    = {certificate.key}",
        f"state-dir = {tmp_path / 'state'}",
        "access-log = off",
        "drain-timeout = 2s",
        "trusted-proxy = 192.0.2.1, 192.0.2.2",
        "trusted-proxy = 198.51.100.0/24",
    )
    server = Program([BIN / "oneportd", "--config", path], tmp_path, "oneportd")
    ended.callback(server.stop)
    port = int(server.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1))
    assert fetch(port, f"localhost:{port}", "/healthz").status == 200


# ---- errors ----
FAULTS = [
    ("hold = soon", "hold: 'soon' is not"),
    ("holdd = 4s", "unknown option 'holdd'"),
    ("hold = 4s\nhold = 5s", "hold stands in line 2 already"),
    ("[tunnel web]\nhold = 4s", "unknown section [tunnel web]"),
    ("hold", "is neither OPTION = VALUE nor [SECTION]"),
]


@pytest.mark.rule("O101")
@pytest.mark.parametrize("text, error", FAULTS)
def test_a_fault_in_the_servers_file(text, error, tmp_path):
    """The last line of the text has the fault. That the command line says --hold too hides
    nothing."""
    path = write(tmp_path / "oneportd.conf", "domain = localhost", text)
    line = wrong("oneportd", "--config", path, "--hold", "1s", "--state-dir", tmp_path / "state")
    assert line.startswith(f"oneportd: {path}:{2 + text.count(chr(10))}: ") and error in line
    assert not (tmp_path / "state").exists()


@pytest.mark.rule("O101")
@pytest.mark.parametrize(
    "text, error",
    [
        ("links = 99", "links: '99' is out of range (1 to 16)"),
        ("[tunnels web]\nport = 3000", "unknown section [tunnels web]"),
        ("[tunnel web]\nlog-level = debug", "belongs above the sections"),
        ("[tunnel web]\nport = 70000", "port: '70000' is out of range"),
        ("config = other", "config has no place in a file"),
    ],
)
def test_a_fault_in_the_clients_file(text, error, home):
    path = write(home / ".config" / "oneport" / "config", "host = example.com", text)
    line = wrong("oneport", 3000, env=environment(home))
    assert line.startswith(f"oneport: {path}:{2 + text.count(chr(10))}: ") and error in line


@pytest.mark.rule("O101")
@pytest.mark.parametrize("program", ["oneport", "oneportd"])
def test_a_file_that_is_missing(program, tmp_path):
    path = tmp_path / "absent.conf"
    assert wrong(program, "--config", path) == f"{program}: {path}: No such file or directory"


# ---- what beats what ----
@pytest.mark.rule("O27", "O102")
def test_the_command_line_and_the_environment_beat_the_file(home, server, http_origin, share, name):
    """The server is that of the environment, the name that of the command line, and the authority
    that of the file."""
    write(
        home / ".config" / "oneport" / "config",
        "host = https://192.0.2.1",
        f"ca = {server.certificate.ca}",
        "subdomain = of-the-file",
        "port = 1",
        "local-https = 1",
    )
    env = environment(home, ONEPORT_HOST=server.url, ONEPORT_SUBDOMAIN="of-the-environment")
    _, got = share("-s", name, f"http://localhost:{http_origin.port}", env=env)
    assert got == name
    assert fetch(server.port, f"{name}.localhost:{server.port}", "/echo").status == 200


@pytest.mark.rule("O102")
def test_the_servers_command_line_beats_its_file(tmp_path, new_server):
    """What the file says of listeners and of the domain is contradicted by the command line."""
    path = write(
        tmp_path / "oneportd.conf",
        "port = 1",
        "address = 192.0.2.1",
        "domain = example.org",
        "public-url = https://example.org",
    )
    server = new_server("--config", path)
    assert fetch(server.port, f"localhost:{server.port}", "/healthz").status == 200
    assert server.log.count(" listening ") == 1


# ---- whose file ----
@pytest.mark.rule("O103")
@pytest.mark.parametrize("program", ["oneport", "oneportd"])
def test_a_file_that_others_may_write(program, tmp_path):
    path = write(tmp_path / "some.conf", "log-level = info")
    path.chmod(0o666)
    line = wrong(program, "--config", path)
    assert str(path) in line and "may be written by other users" in line
    path.chmod(0o644)
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    line = wrong(program, "--config", link)
    assert "may be written" not in line  # the next error: there is nothing to do
