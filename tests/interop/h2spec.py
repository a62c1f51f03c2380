# SPDX-License-Identifier: MIT
"""Runs h2spec (the argument) against oneport through a door, and judges its JUnit report. A case
that fails must be listed in h2spec-known.txt with a reason, and a listed case must fail."""

import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True

from support.certs import Authority  # noqa: E402
from support.h2_door import H2Door, WithoutPings  # noqa: E402
from support.origins import OriginProgram  # noqa: E402

DEADLINE_S = 900


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


def run(h2spec, directory):
    certificate = Authority(directory / "ca").issue(
        "server", "localhost", "*.localhost", "IP:127.0.0.1"
    )
    report = directory / "report.xml"
    origin = OriginProgram("http_origin", directory / "origin")
    with contextlib.closing(
        H2Door(certificate, directory / "door", origin.port, filtered=WithoutPings)
    ) as door:
        subprocess.run(
            [
                h2spec,
                "-h",
                "127.0.0.1",
                "-p",
                str(door.port),
                "-P",
                "/bytes/1000",
                "-o",
                "5",
                "-j",
                str(report),
            ],
            timeout=DEADLINE_S,
            stdout=subprocess.DEVNULL,
        )
    origin.stop()
    return list(cases(report))


def main(h2spec):
    listed = known()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="oneport-h2spec-") as directory:
        for name, failed, skipped in run(h2spec, pathlib.Path(directory)):
            if failed and name not in listed:
                print(f"FAILED: {name}")
            if not failed and not skipped and name in listed:
                print(f"FAILED: {name} passes although it is listed: {listed[name]}")
            wrong = failed != (name in listed) and not skipped
            counts["skipped" if skipped else "failed" if wrong else "passed"] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")


if __name__ == "__main__":
    main(sys.argv[1])
