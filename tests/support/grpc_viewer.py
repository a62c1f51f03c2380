# SPDX-License-Identifier: MIT
"""Calls the methods of support/grpc_origin.py by Debian's grpcio, without generated code: messages
are bytes."""

import os

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # the tests start programs beside the calls

import grpc  # noqa: E402

STATUS = grpc.StatusCode
Failed = grpc.RpcError


class Calls:
    """Has a channel to @target, and a callable for each method. With @ca the channel is TLS."""

    def __init__(self, target, ca=None, **options):
        given = {
            "grpc.max_receive_message_length": 16 << 20,
            "grpc.max_send_message_length": 16 << 20,
            "grpc.enable_retries": 0,
            "grpc.use_local_subchannel_pool": 1,
            **{f"grpc.{name}": value for name, value in options.items()},
        }
        if ca:
            trusted = grpc.ssl_channel_credentials(ca.read_bytes())
            self.channel = grpc.secure_channel(target, trusted, list(given.items()))
        else:
            self.channel = grpc.insecure_channel(target, list(given.items()))
        self.unary = self.channel.unary_unary("/test.Echo/Unary")
        self.collect = self.channel.stream_unary("/test.Echo/Collect")
        self.count = self.channel.unary_stream("/test.Echo/Count")
        self.chat = self.channel.stream_stream("/test.Echo/Chat")
        self.fail = self.channel.unary_unary("/test.Echo/Fail")
        self.wait = self.channel.unary_unary("/test.Echo/Wait")

    def close(self):
        self.channel.close()
