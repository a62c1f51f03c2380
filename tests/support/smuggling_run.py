# SPDX-License-Identifier: MIT
"""Sends the corpus of smuggling.py, one viewer for each case, and judges what came of it at a
RecordingOrigin."""

import contextlib
from dataclasses import dataclass, field

from .recording_origin import ANSWER
from .smuggling import NOBODY
from .viewer import Broken, head
from .wait import wait_until

PROBE = head(
    "GET", "/probe", NOBODY, "Connection: close"
)  # ends a connection that nothing is left on
NO_HEAD = "0.9"  # has no status to refuse it with
CANARY_LASTS = 500  # requests; proxies end connections after so many and more


@dataclass
class Outcome:
    case: object
    statuses: list = field(default_factory=list)  # of the answers, the probe's among them
    probed: bool = False  # the viewer asked once more
    hung: bool = False  # neither an answer nor an end came


class Run:
    def __init__(self, recorder, connect, host, strictly, piece=None):
        """@connect() makes a Viewer whose requests for @host come to @recorder. @strictly: there is
        no proxy before oneportd that may repair what is not right in every letter, so that it must
        be refused. @piece: octets that are sent at a time."""
        self.piece = piece
        self.strictly = strictly
        self.recorder, self.connect, self.host = recorder, connect, host
        self.canary, self.songs = None, 0

    def sent(self, case):
        """The Outcome of one case; another viewer is served behind it."""
        outcome = Outcome(case)
        with self.connect() as viewer:
            try:
                self._send(viewer, case.octets)
                if case.endless:
                    wait_until(
                        lambda: case.target in self.recorder.begun or answered(viewer),
                        what=f"something of {case}",
                    )
                if not case.endless or case.target not in self.recorder.begun:
                    self._answers(viewer, case, outcome)
            except (EOFError, ConnectionError, Broken):
                pass  # the end, which may come before the answer
            except TimeoutError:
                outcome.hung = True
        self.sing(case.number)
        return outcome

    def _send(self, viewer, octets):
        """In pieces until it is refused: what it says then is still to be read."""
        step = self.piece or len(octets)
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(octets), step):
                viewer.send(octets[at : at + step])

    @staticmethod
    def _answers(viewer, case, outcome):
        got = viewer.response(case.head.method)
        outcome.statuses.append(got.status)
        if not case.surplus and "close" not in (got.get("Connection") or "").lower():
            outcome.probed = True
            viewer.send(PROBE)
        while True:
            outcome.statuses.append(viewer.response().status)

    def sing(self, number):
        """A viewer that has done nothing wrong gets its own answer, on whatever connections the
        case has left."""
        if self.songs % CANARY_LASTS == 0:
            self.close()
            self.canary = self.connect()
        self.songs += 1
        target = f"/canary/{number}"
        got = self.canary.get(self.host, target)
        assert (got.status, got.body) == (
            200,
            ANSWER + target.encode(),
        ), f"behind case {number}: {got}"

    def close(self):
        if self.canary:
            self.canary.close()

    def _host(self, value):
        """A proxy that takes the host from the target may lose the port."""
        return value if self.strictly else value.partition(":")[0]

    def complaint(self, outcome):
        """What is wrong with an Outcome; None: nothing."""
        case, statuses = outcome.case, outcome.statuses
        whole = self.recorder.whole.get(case.target, [])
        if outcome.hung:
            return f"got no end, only {statuses}"
        if len(whole) > 1:
            return f"came {len(whole)} times"
        if whole and (case.intent is None or (self.strictly and not case.strict)):
            return f"was taken as {whole[0]}"
        if whole and (whole[0].method, whole[0].target, whole[0].body) != case.intent:
            return f"became {whole[0]}"
        if whole and (self._host(whole[0].get("Host")), whole[0].get("X-Case")) != (
            self._host(self.host),
            str(case.number),
        ):
            return f"has other fields: {whole[0]}"
        refused = (
            case.endless
            or (statuses and statuses[0] >= 400)
            or (not statuses and case.head.name == NO_HEAD and not self.strictly)
        )
        if not whole and not refused:
            return f"was answered {statuses}, and the origin has not seen it"
        if any(status < 400 for status in statuses[1:]):
            return f"got more than one answer: {statuses}"
        if whole and not case.surplus and len(statuses) != 1 + outcome.probed:
            return (
                f"had {'the probe' if outcome.probed else 'nothing'} behind it, and got {statuses}"
            )
        return None

    def leaked(self):
        """What the origin has seen besides the cases and canaries, and what it could not read."""
        return self.recorder.faults + sorted(
            target
            for target in self.recorder.begun
            if not target.startswith(("/case/", "/canary/"))
        )


def answered(viewer):
    """Whether an answer is to be read. TLS has octets of its own, so that only reading shows it."""
    patience = viewer.socket.gettimeout()
    viewer.socket.settimeout(0.01)
    try:
        viewer.pending += viewer.socket.recv(65536)
    except TimeoutError:
        pass
    finally:
        viewer.socket.settimeout(patience)
    return viewer.pending.count(b"HTTP/1.1 ") > viewer.pending.count(b"HTTP/1.1 100 ")
