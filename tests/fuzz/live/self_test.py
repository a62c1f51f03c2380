# SPDX-License-Identifier: MIT
"""Shows that the oracle fails when it should. Each case makes the server look wrong: the oracle is
told of other bytes than those that were sent, or the answerer is a wrong one."""

import contextlib

from support.frames import headers
from support.origins import ScriptedOrigin, reply
from support.programs import Client

from .oracle import NEIGHBOUR
from .plan import Plan, make
from .stage import Neighbour


def with_bytes(plan, change):
    """Returns the plan with other bytes on each link."""
    steps = [list(step) for step in plan.steps if step[0] != "send"]
    for link in range(len(plan.settings)):
        steps.append(["send", link, change(plan.sent(link)).hex()])
    return Plan(plan.asks, plan.join, plan.settings, steps, plan.linger)


def swapped(data):
    """Exchanges the streams 1 and 3, as a server would that mixes up two viewers."""
    made, at, other = bytearray(data), 0, {1: 3, 3: 1}
    while at < len(made):
        stream = int.from_bytes(made[at + 5 : at + 9], "big")
        made[at + 5 : at + 9] = other.get(stream, stream).to_bytes(4, "big")
        at += 9 + int.from_bytes(made[at : at + 3], "big")
    return bytes(made)


def answers(count, body):
    """Returns right answers to the first requests of a link."""
    return b"".join(
        headers(2 * n + 1, (":status", "200"), ("content-length", str(len(body))))
        + len(body).to_bytes(3, "big")
        + b"\x00\x01"
        + (2 * n + 1).to_bytes(4, "big")
        + body
        for n in range(count)
    )


def cases(stage, plan, key):
    """Yields (what is wrong, the faults that were found)."""
    count = len(plan.asks)
    yield "two viewers are mixed up", stage.run(with_bytes(plan, swapped), key + "a", believed=plan)
    yield "an answer is cut and looks complete", stage.run(
        with_bytes(plan, lambda data: answers(count, b"short")),
        key + "b",
        believed=with_bytes(plan, lambda data: answers(count, b"shorter")),
    )
    yield "an answer has bytes of the neighbour", stage.run(
        with_bytes(plan, lambda data: answers(count, NEIGHBOUR)), key + "c"
    )
    silent = Plan(plan.asks, plan.join, plan.settings, plan.steps[: count + 1], linger=True)
    yield "a viewer waits without end", stage.run(silent, key + "d", patience_s=0.1)


def late_by_one(stage):
    """Returns the faults of a neighbour whose origin gives each viewer the answer to the request
    before."""
    before = [b'{"target": "/", "body": ""}']

    def serve(connection):
        while True:
            line, _ = connection.request()
            body = connection.body().decode()
            before.append(
                b'{"target": "%b", "body": "%b"}' % (line.split()[1].encode(), body.encode())
            )
            connection.send(reply(before.pop(0)))

    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(contextlib.closing(ScriptedOrigin(serve)))
        client = Client(stage.server, origin.port, stage.directory / "wrong", name="wrong")
        stack.callback(client.stop)
        neighbour = Neighbour(stage.server.port, client.host, "wrong")
        neighbour.thread.start()
        neighbour.thread.join()
        return neighbour.faults


def run(stage, seed):
    """Runs all cases. Returns the exit code."""
    plan = make(f"{seed}/self-test", wrong=False)
    failed = stage.run(plan, "self")  # nothing is wrong
    for why in failed:
        print(f"FAILED: there is a fault without a reason: {why[:1000]}")
    found = [*cases(stage, plan, "self"), ("the neighbour gets other answers", late_by_one(stage))]
    for what, faults in found:
        print(f"{'found' if faults else 'FAILED: not found'}: {what}: {faults[:1]!r:.300}")
        failed += [] if faults else [what]
    print(f"{len(found) + 1 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0
