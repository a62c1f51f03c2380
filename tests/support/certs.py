# SPDX-License-Identifier: MIT
"""Makes a certificate authority for one run, and certificates that it signs, with the openssl
program."""

import pathlib
import ssl
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Is a certificate authority with a directory of its own."""

    def __init__(self, directory, name="oneport test CA"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.cert = self.directory / "ca.crt"
        self.key = self.directory / "ca.key"
        _openssl(
            "req",
            "-x509",
            *KEY,
            "-days",
            "90",
            "-subj",
            f"/CN={name}",
            "-keyout",
            self.key,
            "-out",
            self.cert,
        )

    def issue(self, label, *names, at=None, days=None, subject=None):
        """Returns a Certificate for DNS names and addresses ("IP:127.0.0.1"). The certificate is
        valid for 80 days from now on, or for two days from @at on ("-5d"), or for @days. Its
        subject is the first name, or @subject."""
        days = days or (2 if at else 80)
        stem = self.directory / label
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        cert, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
        alternatives = ",".join(name if ":" in name else f"DNS:{name}" for name in names)
        extensions.write_text(f"subjectAltName={alternatives}\n")
        subject = "/CN=" + (subject or names[0].rpartition(":")[2])
        _openssl("req", *KEY, "-subj", subject, "-keyout", key, "-out", request)
        _openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.cert,
            "-CAkey",
            self.key,
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            extensions,
            "-out",
            cert,
            before=["faketime", "-f", at] if at else [],
        )
        return Certificate(cert, key, self.cert)


class Certificate:
    def __init__(self, cert, key, ca):
        self.cert, self.key, self.ca = cert, key, ca

    def client_context(self, alpn=None):
        """Returns the context of a TLS client that trusts this certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def _openssl(*arguments, before=()):
    result = subprocess.run(
        [*before, "openssl", *map(str, arguments)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
