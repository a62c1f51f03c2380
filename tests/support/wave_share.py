# SPDX-License-Identifier: MIT
"""Is `wave share` of H2O Wave 1.0 and later, with exactly its habits, as far as a server sees them.

Runs as a program of its own: python3 -m support.wave_share --host H --port N --name NAME --origin N
[--ca FILE] [--source ADDRESS] [--connections N]

It registers by plain HTTP, or by https and with `Host: localhost` on port 443. Then it prints
`shared ID` and the number of sockets. Each socket:

- connects to the service first, then to the server by TLS, without ALPN, and sends the leap line;
- copies bytes both ways until both have ended, so that the end of one side alone reaches nobody;
- is opened again at once when an error ends it, as RST does: after six errors in a row it is lost;
- tells by a line on standard output: `open`, `again` and `lost`.

The program ends when all sockets are lost. SIGUSR1 prints `state OPEN`."""

import argparse
import asyncio
import http.client
import json
import signal
import socket
import ssl

FAILURES = 5
PIECE = 4096


def register(options):
    call = http.client.HTTPConnection(
        options.host, options.port, source_address=(options.source, 0), timeout=30
    )
    fields = {}
    if options.port == 443:
        fields["Host"] = "localhost"
        tls = ssl.create_default_context(cafile=options.ca)
        tls.set_alpn_protocols(["http/1.1"])
        call.connect()
        call.sock = tls.wrap_socket(call.sock, server_hostname="localhost")
    call.request("GET", f"/register/{options.name}", headers=fields)
    answer = call.getresponse()
    if answer.status != 200:
        raise SystemExit("Could not connect to the remote sharing server.")
    return json.loads(answer.read())


async def copy(reader, writer):
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


class Share:
    def __init__(self, options, name):
        self.options, self.name, self.open = options, name, 0
        self.tls = ssl.create_default_context(cafile=options.ca)

    async def both(self, ends):
        options = self.options
        ends.append(await asyncio.open_connection("127.0.0.1", options.origin))
        ends.append(
            await asyncio.open_connection(
                options.host,
                options.port,
                ssl=self.tls,
                server_hostname="localhost",
                local_addr=(options.source, 0) if options.source else None,
            )
        )
        ends[1][1].write(f"__h2o_leap__ {self.name}\n".encode())

    async def socket(self):
        failures = 0
        while failures <= FAILURES:
            ends, opened = [], False
            try:
                await self.both(ends)
                failures, opened = 0, True
                self.open += 1
                print("open", flush=True)
                (service, to_service), (server, to_server) = ends
                await asyncio.gather(copy(service, to_server), copy(server, to_service))
            except Exception:
                failures += 1
            finally:
                self.open -= opened
                for _, writer in ends:
                    writer.close()
            print("again", flush=True)
        print("lost", flush=True)

    async def run(self, count):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        loop.add_signal_handler(signal.SIGUSR1, lambda: print("state", self.open, flush=True))
        loop.add_signal_handler(signal.SIGTERM, lambda: asyncio.current_task().cancel())
        await asyncio.gather(*(self.socket() for _ in range(count)))
        print("Could not establish connection with the server.", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name, kind in (("host", str), ("port", int), ("name", str), ("origin", int)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--ca")
    parser.add_argument("--source", default="")
    parser.add_argument("--connections", type=int, help="in place of max_conn_count")
    options = parser.parse_args()
    answer = register(options)
    count = options.connections or answer["max_conn_count"]
    print("shared", answer["id"], count, flush=True)
    asyncio.run(Share(options, answer["id"]).run(count))


if __name__ == "__main__":
    socket.setdefaulttimeout(30)
    main()
