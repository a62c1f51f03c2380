# SPDX-License-Identifier: MIT
"""Serves gRPC by Debian's grpcio, without generated code: messages are bytes.

    /test.Echo/Unary      answers with the message, and gives the metadata asked-bin back
    /test.Echo/Collect    counts the messages of a stream and their bytes
    /test.Echo/Count      sends as many messages as the message says; without end for -1
    /test.Echo/Chat       answers each message of a stream as it comes
    /test.Echo/Fail       fails with the code and the text of the message
    /test.Echo/Wait       waits until the call is cancelled or its deadline passes

The first line of standard output is the port. A Count that is not sent to its end, and each Wait,
add the line "cancelled METHOD" when they end."""

import argparse
import concurrent.futures
import threading

import grpc


def say(text):
    print(text, flush=True)


def noted(context, method):
    """Says when the call has ended by a cancellation, whatever the handler does."""
    state = {"done": False}

    def over():
        if not state["done"]:
            say(f"cancelled {method}")

    context.add_callback(over)
    return state


def unary(message, context):
    given = dict(context.invocation_metadata())
    trailing = [("trailing-bin", given["asked-bin"])] if "asked-bin" in given else []
    left = context.time_remaining()
    if left is not None:
        trailing.append(("time-left", f"{left:.1f}"))
    context.set_trailing_metadata(tuple(trailing))
    return message


def collect(messages, context):
    count = size = 0
    for message in messages:
        count, size = count + 1, size + len(message)
    return f"{count} {size}".encode()


def count(message, context):
    state = noted(context, "Count")
    most = int(message)
    number = 0
    while number != most:
        yield f"message {number}".encode()
        number += 1
    state["done"] = True


def chat(messages, context):
    for message in messages:
        if message == b"stop":
            break
        yield b"echo " + message


def fail(message, context):
    code, _, text = message.decode().partition(" ")
    context.abort(getattr(grpc.StatusCode, code), text)


def wait(message, context):
    gone = threading.Event()
    noted(context, "Wait")
    context.add_callback(gone.set)
    say("waits")
    gone.wait(60)
    return b""


class Handlers(grpc.GenericRpcHandler):
    METHODS = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Wait": grpc.unary_unary_rpc_method_handler(wait),
    }

    def service(self, details):
        return self.METHODS.get(details.method.rpartition("/")[2])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--streams", type=int, help="most streams of a connection")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    limits = [("grpc.max_concurrent_streams", options.streams)] if options.streams else []
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(64),
        handlers=(Handlers(),),
        options=[
            ("grpc.max_receive_message_length", 16 << 20),
            ("grpc.max_send_message_length", 16 << 20),
            *limits,
        ],
    )
    address = f"127.0.0.1:{options.port}"
    if options.cert:
        with open(options.cert, "rb") as cert, open(options.key, "rb") as key:
            pair = grpc.ssl_server_credentials([(key.read(), cert.read())])
        port = server.add_secure_port(address, pair)
    else:
        port = server.add_insecure_port(address)
    server.start()
    say(port)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
