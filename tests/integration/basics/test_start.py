# SPDX-License-Identifier: MIT
"""Tests `oneport start`: several tunnels of the configuration file in one process."""

import signal

import pytest
from support.origins import answering, reply
from support.programs import BIN, Program, run
from support.viewer import fetch

USAGE, REFUSED = 1, 2


@pytest.fixture
def file(tmp_path, server, names, scripted):
    """Is a file with the tunnels web and api. The origin of each answers with the tunnel's name."""
    lines = [f"host = {server.url}", f"ca = {server.certificate.ca}"]
    for tunnel, name in names.items():
        port = scripted(answering(reply(tunnel.encode()))).port
        lines += [f"[tunnel {tunnel}]", f"port = {port}", f"subdomain = {name}"]
    path = tmp_path / "config"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def names(name):
    """Returns {tunnel: the name that it asks for}."""
    return {"web": f"{name}-web", "api": f"{name}-api"}


@pytest.fixture
def start(tmp_path, file, ended):
    def start(*words):
        program = Program(
            [BIN / "oneport", "start", "--config", file, *words],
            tmp_path,
            "oneport",
            env={"XDG_STATE_HOME": tmp_path / "state"},
        )
        ended.callback(program.stop)
        return program

    return start


def answer(server, name):
    return fetch(server.port, f"{name}.localhost:{server.port}", "/").body


def wait_url(program, tunnel, name):
    program.wait_output(rf"^{tunnel}: your url is: https://{name}\.", 10, "stdout")


def wrong(file, *words):
    code, out, err = run("oneport", "start", "--config", file, *words)
    assert (code, out) == (USAGE, ""), err
    return err


@pytest.mark.rule("O105")
@pytest.mark.parametrize("words", [("web", "api"), ("--all",)])
def test_tunnels_of_one_process(words, start, server, names):
    """Each line of standard output says which tunnel it is about."""
    program = start(*words, "--print-requests")
    for tunnel, name in names.items():
        wait_url(program, tunnel, name)
        assert answer(server, name) == tunnel.encode()
        program.wait_output(rf"^{tunnel}: GET / 200 \d+$", 10, "stdout")
    program.stop()
    lines = program.stdout.splitlines()
    assert len(lines) == 4 and all(line.split(": ")[0] in names for line in lines)


@pytest.mark.rule("O105")
def test_one_of_the_tunnels(start, server, names):
    program = start("api")
    wait_url(program, "api", names["api"])
    assert answer(server, names["api"]) == b"api"
    assert fetch(server.port, f"{names['web']}.localhost:{server.port}", "/").status == 404


@pytest.mark.rule("O105")
def test_an_option_is_for_each_tunnel(start, server, names):
    """The command line beats the sections, and changes both tunnels."""
    program = start("--all", "--links", "2")
    for tunnel, name in names.items():
        wait_url(program, tunnel, name)
        server.wait_link(name, 2)


@pytest.mark.rule("O106")
def test_a_tunnel_that_is_refused_ends_alone(start, server, names, new_client, http_origin):
    """The other tunnel serves on. When it is stopped, the exit code is that of the first one."""
    new_client(http_origin.port, name=names["web"])
    program = start("--all")
    program.wait_output(r"server_refuses name=\S+-web")
    program.wait_output(r"tunnel_ended tunnel=web code=2 left=1")
    wait_url(program, "api", names["api"])
    assert answer(server, names["api"]) == b"api"
    program.stop(code=REFUSED)


@pytest.mark.rule("O106")
def test_the_process_ends_with_its_last_tunnel(start, names, new_client, http_origin):
    for name in names.values():
        new_client(http_origin.port, name=name)
    program = start("--all")
    program.expect_exit(REFUSED)
    assert program.log.count("tunnel_ended") == 2 and program.stdout == ""


@pytest.mark.rule("O106")
def test_a_stop_ends_all(start, server, names):
    program = start("web", "api")
    for tunnel, name in names.items():
        wait_url(program, tunnel, name)
    program.signal(signal.SIGINT)
    program.expect_exit(0)
    assert program.log.count("tunnel_ended") == 2


@pytest.mark.rule("O105")
def test_wrong_words(file, names):
    assert "the files have web, api" in wrong(file)
    assert "[tunnel wbe]; the files have web, api" in wrong(file, "wbe")
    assert "not both" in wrong(file, "web", "--all")
    assert "web is named twice" in wrong(file, "web", "web")
    assert "ask for the same name, x" in wrong(file, "--all", "--subdomain", "x")
    file.write_text(file.read_text().replace("port = ", "links = 1 ; port = ", 1))
    error = wrong(file, "--all")
    assert "nothing to share" in error and "this is about the tunnel web" in error
    file.write_text("host = example.com\n")
    assert "the files have no section [tunnel NAME]" in wrong(file)
    assert "the files have no section [tunnel NAME]" in wrong(file, "--all")
