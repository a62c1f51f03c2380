# SPDX-License-Identifier: MIT
"""Plays a TLS end that Python's ssl module cannot be: it sends KeyUpdate and renegotiates. It uses
OpenSSL's library by its C interface.

A Context stands in for an ssl.SSLContext in tests (`wrap_socket`). The TlsPeer that it returns
stands in for a socket, and also has `key_update` and `renegotiate`. One thread at a time may use
it, except that another one may wait in `recv`."""

import ctypes
import ctypes.util
import select
import threading

from .certs import Certificate

TLS1_2 = 0x0303
_SET_MAX_PROTO_VERSION = 124
_ERROR_SSL, _ERROR_WANT_READ, _ERROR_WANT_WRITE, _ERROR_ZERO_RETURN = 1, 2, 3, 6


def _load():
    lib = ctypes.CDLL(ctypes.util.find_library("ssl"))
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    for name, result, arguments in (
        ("TLS_client_method", pointer, []),
        ("TLS_server_method", pointer, []),
        ("SSL_CTX_new", pointer, [pointer]),
        ("SSL_CTX_free", None, [pointer]),
        ("SSL_CTX_ctrl", ctypes.c_long, [pointer, number, ctypes.c_long, pointer]),
        ("SSL_CTX_use_certificate_chain_file", number, [pointer, text]),
        ("SSL_CTX_use_PrivateKey_file", number, [pointer, text, number]),
        ("SSL_new", pointer, [pointer]),
        ("SSL_free", None, [pointer]),
        ("SSL_set_fd", number, [pointer, number]),
        ("SSL_connect", number, [pointer]),
        ("SSL_accept", number, [pointer]),
        ("SSL_read", number, [pointer, pointer, number]),
        ("SSL_write", number, [pointer, pointer, number]),
        ("SSL_pending", number, [pointer]),
        ("SSL_get_error", number, [pointer, number]),
        ("SSL_key_update", number, [pointer, number]),
        ("SSL_renegotiate", number, [pointer]),
        ("SSL_do_handshake", number, [pointer]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


class Context:
    """Is a client that accepts any certificate, or a server with @certificate."""

    def __init__(self, certificate=None, version=None):
        self.ctx = _lib.SSL_CTX_new(
            _lib.TLS_server_method() if certificate else _lib.TLS_client_method()
        )
        if certificate:
            assert (
                _lib.SSL_CTX_use_certificate_chain_file(self.ctx, str(certificate.cert).encode())
                == 1
            )
            assert _lib.SSL_CTX_use_PrivateKey_file(self.ctx, str(certificate.key).encode(), 1) == 1
        if version:
            assert _lib.SSL_CTX_ctrl(self.ctx, _SET_MAX_PROTO_VERSION, version, None) == 1

    def wrap_socket(self, connected, server_side=False, server_hostname=None):
        return TlsPeer(self.ctx, connected, server_side)


class PeerCertificate(Certificate):
    """Is a certificate whose two sides are Contexts."""

    def __init__(self, usual):
        super().__init__(usual.cert, usual.key, usual.ca)

    def client_context(self, alpn=None):
        return Context()

    def server_context(self):
        return Context(self)


class TlsPeer:
    def __init__(self, ctx, connected, server_side):
        self.socket = connected
        self.timeout_s = connected.gettimeout()
        self.lock = threading.Lock()
        connected.setblocking(False)
        self.ssl = _lib.SSL_new(ctx)
        assert _lib.SSL_set_fd(self.ssl, connected.fileno()) == 1
        self._until_done(_lib.SSL_accept if server_side else _lib.SSL_connect)

    def _until_done(self, call, *arguments):
        """Repeats an OpenSSL call as long as it waits for the socket. Returns its result, or 0 at
        the peer's end."""
        while True:
            with self.lock:
                done = call(self.ssl, *arguments)
                if done > 0:
                    return done
                why = _lib.SSL_get_error(self.ssl, done)
            if why == _ERROR_ZERO_RETURN:
                return 0
            if why not in (_ERROR_WANT_READ, _ERROR_WANT_WRITE):
                raise ConnectionError(f"OpenSSL's error {why}")
            reading = why == _ERROR_WANT_READ
            ready = select.select(
                [self.socket] if reading else [],
                [] if reading else [self.socket],
                [],
                self.timeout_s,
            )
            if not any(ready):
                raise TimeoutError

    def recv(self, limit):
        room = ctypes.create_string_buffer(limit)
        got = self._until_done(_lib.SSL_read, room, limit)
        return room.raw[:got]

    def sendall(self, data):
        if data:
            self._until_done(_lib.SSL_write, bytes(data), len(data))

    def pending(self):
        return _lib.SSL_pending(self.ssl)

    def key_update(self, answer=False):
        """Sends a KeyUpdate record. With @answer the peer is asked to change its key as well."""
        with self.lock:
            if _lib.SSL_key_update(self.ssl, 1 if answer else 0) != 1:
                # Another thread has read the end of the connection.
                raise ConnectionError("no KeyUpdate: the connection is over")
        self._until_done(_lib.SSL_do_handshake)

    def renegotiate(self):
        """TLS 1.2: sends a ClientHello and does the handshake that follows if the peer agrees."""
        with self.lock:
            assert _lib.SSL_renegotiate(self.ssl) == 1
        self._until_done(_lib.SSL_do_handshake)

    def fileno(self):
        return self.socket.fileno()

    def settimeout(self, seconds):
        self.timeout_s = seconds

    def gettimeout(self):
        return self.timeout_s

    def shutdown(self, how):
        self.socket.shutdown(how)

    def close(self):
        self.socket.close()

    def __del__(self):
        if getattr(self, "ssl", None):
            _lib.SSL_free(self.ssl)
