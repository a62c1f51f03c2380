# SPDX-License-Identifier: MIT
"""The sample app of `make demo`: one page, whose viewers share a drawing and a chat.

The page (demo_page.html) shows the number of viewers, a drawing that all of them share, and a small
chat. The app is an ordinary local service and knows nothing of tunnels: it can run alone, at
http://localhost:PORT.

    demo_app.py [--port N]      The first line of output is the port. 0, the default, picks a free
                                one.

Messages on the page's WebSocket are JSON objects, told apart by "kind":

    page → app   stroke {points, colour, width} · say {text} · clear
    app → page   hello {you, strokes, chat} · viewers {count} · stroke · say {from, colour, text} ·
                 clear

A page that connects again after a lost connection repeats its old id in the query (?id=…). So the
others do not see one viewer leave and another one come.
"""

import argparse
import asyncio
import http
import json
import logging
import pathlib
import re
import urllib.parse
from collections import deque

import websockets

NEW = int(websockets.__version__.split(".")[0]) >= 14  # Debian 12 has 10, Debian 13 has 15
PAGE = pathlib.Path(__file__).with_name("demo_page.html")
STROKES_KEPT = 2000  # the oldest strokes disappear first
CHAT_KEPT = 50
LEAVE_GRACE_S = 2.0  # a viewer without connections still counts this long, as it may come back
ANIMALS = "otter lynx heron badger gecko tapir marten ibis bison newt puffin quail".split()
COLOURS = "#e4572e #2e86ab #3bb273 #a23b72 #f0a202 #6c5ce7 #00a8a8 #c0392b".split()


class Room:
    """Holds the state that all viewers share."""

    def __init__(self):
        self.connections = set()
        self.viewers = {}  # id -> number of its connections; 0 while it may come back
        self.strokes = deque(maxlen=STROKES_KEPT)
        self.chat = deque(maxlen=CHAT_KEPT)

    def send_all(self, message):
        websockets.broadcast(self.connections, json.dumps(message))

    def tell_count(self):
        self.send_all({"kind": "viewers", "count": len(self.viewers)})

    async def join(self, connection, viewer):
        self.viewers[viewer] = self.viewers.get(viewer, 0) + 1
        hello = {
            "kind": "hello",
            "you": viewer,
            "strokes": list(self.strokes),
            "chat": list(self.chat),
        }
        await connection.send(json.dumps(hello))
        self.connections.add(connection)
        self.tell_count()

    def leave(self, connection, viewer):
        self.connections.discard(connection)
        self.viewers[viewer] -= 1
        asyncio.get_running_loop().call_later(LEAVE_GRACE_S, self.forget, viewer)

    def forget(self, viewer):
        if self.viewers.get(viewer) == 0:
            del self.viewers[viewer]
            self.tell_count()

    def take(self, viewer, message):
        """Handles one message of a viewer. Ignores a malformed one, which the page never sends."""
        kind = message.get("kind")
        if kind == "stroke" and is_stroke(message):
            stroke = {
                "kind": "stroke",
                **{key: message[key] for key in ("points", "colour", "width")},
            }
            self.strokes.append(stroke)
            self.send_all(stroke)
        elif kind == "say" and isinstance(message.get("text"), str) and message["text"].strip():
            line = {
                "kind": "say",
                "from": nickname(viewer),
                "colour": colour(viewer),
                "text": message["text"].strip()[:300],
            }
            self.chat.append(line)
            self.send_all(line)
        elif kind == "clear":
            self.strokes.clear()
            self.send_all({"kind": "clear"})


def is_stroke(message):
    """Returns True for a line of at most 256 points inside the unit square. The page scales the
    points to its own canvas."""
    points, tint, width = message.get("points"), message.get("colour"), message.get("width")
    if not (isinstance(points, list) and 0 < len(points) <= 256):
        return False
    if not (isinstance(tint, str) and re.fullmatch(r"#[0-9a-f]{6}", tint)):
        return False
    if isinstance(width, bool) or not (isinstance(width, (int, float)) and 0 < width <= 64):
        return False
    return all(
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(c, (int, float)) and 0 <= c <= 1 for c in point)
        for point in points
    )


def nickname(viewer):
    number = int(viewer, 16)
    return f"{ANIMALS[number % len(ANIMALS)]} {number // len(ANIMALS) % 90 + 10}"


def colour(viewer):
    return COLOURS[int(viewer, 16) // 7 % len(COLOURS)]


def viewer_id(path):
    """Returns the id that the page chose for itself: eight hex digits."""
    given = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("id", [""])[0]
    return given if re.fullmatch(r"[0-9a-f]{8}", given) else "0" * 8


def path_of(connection):
    return connection.request.path if NEW else connection.path


def answer_of(path):
    """Answers plain HTTP requests. Returns None to let a WebSocket handshake go on."""
    route = urllib.parse.urlsplit(path).path
    if route == "/ws":
        return None
    if route == "/":
        return (
            http.HTTPStatus.OK,
            {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"},
            PAGE.read_bytes(),
        )
    if route == "/favicon.ico":
        return http.HTTPStatus.NO_CONTENT, {}, b""
    return http.HTTPStatus.NOT_FOUND, {"Content-Type": "text/plain"}, b"not here\n"


async def serve_page(path, headers):
    return answer_of(path)


def serve_page_new(connection, request):
    """Does the same in the words of websockets 14 and later."""
    answer = answer_of(request.path)
    if answer is None:
        return None
    status, fields, body = answer
    response = connection.respond(status, "")
    response.body = body
    for name, value in {**fields, "Content-Length": str(len(body))}.items():
        if name in response.headers:
            del response.headers[name]
        response.headers[name] = value
    return response


async def main(port):
    room = Room()

    async def talk(connection):
        viewer = viewer_id(path_of(connection))
        await room.join(connection, viewer)
        try:
            async for text in connection:
                try:
                    message = json.loads(text)
                except ValueError:
                    continue
                if isinstance(message, dict):
                    room.take(viewer, message)
        except websockets.ConnectionClosedError:
            pass  # the viewer's network is gone
        finally:
            room.leave(connection, viewer)

    pages = serve_page_new if NEW else serve_page
    async with websockets.serve(
        talk, "127.0.0.1", port, process_request=pages, max_size=64 * 1024
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    # Keeps quiet about connections that are not WebSockets.
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one"
    )
    try:
        asyncio.run(main(options.parse_args().port))
    except KeyboardInterrupt:
        pass
