# SPDX-License-Identifier: MIT
"""Runs WebSockets that stay open, echo a message now and then, and connect again when the client of
their tunnel was killed."""

import asyncio
import random
import threading
import time

import websockets
from support.programs import SLOW
from support.websocket_viewer import connect

ANSWER_S = 30 * SLOW
OPEN_S = 60 * SLOW
BACK_S = 1.0
AWAY = (502, 503)


class Sockets:
    """Runs @count WebSockets over @tunnels, in a thread of their own. @tunnels are pairs (tunnel,
    Life of its client)."""

    def __init__(self, count, tunnels, tally, stop):
        self.count, self.tunnels, self.tally, self.stop = count, tunnels, tally, stop
        self.heard = {}  # when each one last worked
        self.thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="websockets")

    async def _all(self):
        await asyncio.gather(
            *(
                self._live(number, *self.tunnels[number % len(self.tunnels)])
                for number in range(self.count)
            )
        )

    async def _live(self, number, tunnel, life):
        dice = random.Random(number)
        await asyncio.sleep(dice.uniform(0, 3))
        while not self.stop.is_set():
            self.heard[number] = time.monotonic()
            try:
                await self._talk(dice, number, tunnel)
            except (TimeoutError, asyncio.TimeoutError):
                self.tally.fault("hang", f"WebSocket {number} through {tunnel.name}")
            except (websockets.WebSocketException, OSError, EOFError) as error:
                self._lost(number, tunnel, life, error)
                await asyncio.sleep(dice.uniform(0, BACK_S))

    def _lost(self, number, tunnel, life, error):
        other = isinstance(error, websockets.InvalidStatusCode) and error.status_code not in AWAY
        if (
            life.was_killed(self.heard[number])
            and not other
            and not isinstance(error, websockets.ProtocolError)
        ):
            self.tally.count("WebSocket lost while the client was killed")
        else:
            self.tally.fault("failed", f"WebSocket {number} through {tunnel.name}: {error!r}")

    async def _talk(self, dice, number, tunnel):
        async with connect(tunnel, open_timeout=OPEN_S, close_timeout=ANSWER_S) as socket:
            self.tally.count("WebSocket opened")
            sent = 0
            while not self.stop.is_set():
                message = f"{number} {sent} " + "x" * dice.choice((0, 10, 100, 200, 2000, 70000))
                await socket.send(message)
                got = await asyncio.wait_for(socket.recv(), ANSWER_S)
                if got != message:
                    self.tally.fault(
                        "wrong", f"WebSocket {number}: {got[:40]!r} for {message[:40]!r}"
                    )
                self.tally.count("WebSocket echo")
                self.heard[number] = time.monotonic()
                sent += 1
                await self._pause(dice.uniform(0.2, 4))

    async def _pause(self, seconds):
        while seconds > 0 and not self.stop.is_set():
            await asyncio.sleep(min(seconds, 0.5))
            seconds -= 0.5
