# SPDX-License-Identifier: MIT
"""Runs h2spec (the argument) against both sides that speak HTTP/2, each through a door: against
oneport, and against oneportd's TLS port, where viewers come. Judges the JUnit reports. A case that
fails must be listed in h2spec-known.txt with a reason, and a listed case must fail."""

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True

from support.certs import Authority  # noqa: E402
from support.h2_door import H2Door, TlsDoor, WithoutPings  # noqa: E402
from support.origins import OriginProgram  # noqa: E402
from support.programs import Client, Server, stopping  # noqa: E402

DEADLINE_S = 900
PATH = "/bytes/1000"
NAME = "h2spec.localhost"


def known():
    """Returns {case: reason} of the list. Each of its lines is `case | reason`."""
    lines = (HERE / "h2spec-known.txt").read_text().splitlines()
    return {
        case.strip(): reason.strip()
        for case, _, reason in (line.partition("|") for line in lines if line and line[0] != "#")
    }


NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


def cases(report):
    """Yields (case, whether it failed, whether it was skipped) of a JUnit report. The report may
    have bytes of frames in it that are not XML."""
    text = NOT_XML.sub("?", report.read_text(errors="replace"))
    for suite in xml.fromstring(text.encode()).iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{case.get('package', '')} {case.get('classname', '')}".strip()
            failed = case.find("failure") is not None or case.find("error") is not None
            yield name, failed, case.find("skipped") is not None


def run(command, directory, host, port):
    """Runs h2spec by @command. Returns its cases."""
    report = directory / "report.xml"
    words = ["-h", host, "-p", str(port), "-P", PATH, "-o", "5", "-j", str(report)]
    subprocess.run([*command, *words], timeout=DEADLINE_S, stdout=subprocess.DEVNULL)
    return list(cases(report))


def to_client(h2spec, certificate, origin, directory):
    """Tests oneport, which takes requests from a link."""
    few = ("--max-streams", "200")  # h2spec opens one more than it may, each with a dial
    door = H2Door(certificate, directory / "door", origin.port, *few, filtered=WithoutPings)
    with contextlib.closing(door):
        return run([h2spec], directory, "127.0.0.1", door.port)


def named(directory):
    """Returns a command that runs the program whose words follow, so that it finds NAME. Few
    systems look names below localhost up."""
    try:
        socket.getaddrinfo(NAME, None)
        return []
    except OSError:
        hosts = directory / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {NAME}\n")
        mount = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        return ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", str(hosts)]


def to_server(h2spec, certificate, origin, directory):
    """Tests oneportd, which takes requests from viewers."""
    with stopping(Server(directory / "server", certificate)) as server:
        name = NAME.partition(".")[0]
        with stopping(Client(server, origin.port, directory / "client", name=name)):
            with contextlib.closing(TlsDoor(server, NAME, WithoutPings)) as door:
                return run([*named(directory), h2spec], directory, NAME, door.port)


SIDES = {"oneport": to_client, "oneportd": to_server}


def main(h2spec):
    listed = known()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="oneport-h2spec-") as place:
        directory = pathlib.Path(place)
        certificate = Authority(directory / "ca").issue(
            "server", "localhost", "*.localhost", "IP:127.0.0.1"
        )
        with stopping(OriginProgram("http_origin", directory / "origin")) as origin:
            for side, test in SIDES.items():
                (directory / side).mkdir()
                results = test(h2spec, certificate, origin, directory / side)
                if not any(not skipped for _, _, skipped in results):
                    results.append(("has run no case", True, False))
                for name, failed, skipped in results:
                    if failed and name not in listed:
                        print(f"FAILED: {side}: {name}")
                    if not failed and not skipped and name in listed:
                        print(f"FAILED: {side}: {name} passes although listed: {listed[name]}")
                    wrong = failed != (name in listed) and not skipped
                    counts["skipped" if skipped else "failed" if wrong else "passed"] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")


if __name__ == "__main__":
    main(sys.argv[1])
