# SPDX-License-Identifier: MIT
"""Sends the corpus of smuggling.py to a RecordingOrigin, with one viewer per case, and judges the
results."""

import contextlib
from dataclasses import dataclass, field

from .recording_origin import ANSWER
from .smuggling import NOBODY
from .viewer import Broken, head
from .wait import wait_until

# Ends a connection on which no bytes are left.
PROBE = head("GET", "/probe", NOBODY, "Connection: close")
NO_HEAD = "0.9"  # the name of a head without a version: its refusal has no status
CANARY_LASTS = 500  # requests on one connection; proxies close theirs after 1,000 or so


@dataclass
class Outcome:
    case: object
    statuses: list = field(default_factory=list)  # of the answers, that of the probe included
    probed: bool = False  # the viewer sent one more request
    hung: bool = False  # neither an answer nor the end arrived


class Run:
    def __init__(self, recorder, connect, host, strictly, piece=None):
        """@connect() makes a Viewer whose requests for @host reach @recorder. @strictly means that
        no proxy in front of oneportd may repair a request, so that one that does not conform must
        be refused. @piece is the number of bytes that are sent at a time."""
        self.piece = piece
        self.strictly = strictly
        self.recorder, self.connect, self.host = recorder, connect, host
        self.canary, self.songs = None, 0

    def sent(self, case):
        """Sends one case and then a good request of another viewer. Returns the Outcome."""
        outcome = Outcome(case)
        with self.connect() as viewer:
            try:
                self._send(viewer, case.raw)
                if case.endless:
                    wait_until(
                        lambda: case.target in self.recorder.begun or answered(viewer),
                        what=f"something of {case}",
                    )
                if not case.endless or case.target not in self.recorder.begun:
                    self._answers(viewer, case, outcome)
            except (EOFError, ConnectionError, Broken):
                pass  # the connection ended, perhaps before the answer
            except TimeoutError:
                outcome.hung = True
        self.sing(case.number)
        return outcome

    def _send(self, viewer, data):
        """Sends the bytes in pieces until the connection is refused. The answer can still be read
        then."""
        step = self.piece or len(data)
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(data), step):
                viewer.send(data[at : at + step])

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
        """Sends a good request of another viewer on its kept connection. It must get its own
        answer, also over the connections that the case has left behind."""
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
        """Returns the host without its port if a proxy may lose that, by taking the host from the
        target."""
        return value if self.strictly else value.partition(":")[0]

    def complaint(self, outcome):
        """Returns what is wrong with an Outcome, or None."""
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
        """Returns all requests that are neither cases nor canaries, and all faults of the
        origin."""
        return self.recorder.faults + sorted(
            target
            for target in self.recorder.begun
            if not target.startswith(("/case/", "/canary/"))
        )


def answered(viewer):
    """Tells whether an answer has arrived. Only reading shows that, because TLS sends bytes of its
    own."""
    patience = viewer.socket.gettimeout()
    viewer.socket.settimeout(0.01)
    try:
        viewer.pending += viewer.socket.recv(65536)
    except TimeoutError:
        pass
    finally:
        viewer.socket.settimeout(patience)
    return viewer.pending.count(b"HTTP/1.1 ") > viewer.pending.count(b"HTTP/1.1 100 ")
