# SPDX-License-Identifier: MIT
"""Runs an authority of ACME (pebble, with the DNS server that comes with it), and dehydrated, which
asks it for certificates."""

import json
import os
import pathlib
import shutil
import subprocess

from .programs import Program, free_port
from .wait import wait_until

HOOK = """#!/bin/sh
# deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE ...
[ "$1" = deploy_cert ] || exit 0
umask 077
cat "$5" "$3" >"$CERT_DIR/.new"
mv "$CERT_DIR/.new" "$CERT_DIR/$2.pem"
kill -HUP "$ONEPORTD"
"""


class Authority:
    """Validates by HTTP at @http_port of 127.0.0.1, where every name leads. @certificate is that of
    its own API."""

    def __init__(self, directory, certificate, http_port):
        self.directory = pathlib.Path(directory)
        self.certificate = certificate
        self.port, dns, manage, other = (free_port() for _ in range(4))
        config = self.directory / "pebble.json"
        config.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{self.port}",
                        "managementListenAddress": f"127.0.0.1:{other}",
                        "certificate": str(certificate.cert),
                        "privateKey": str(certificate.key),
                        "httpPort": http_port,
                        "tlsPort": http_port,
                    }
                }
            )
        )
        self.dns = Program(
            ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
            + ["-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{manage}"]
            + ["-http01", "", "-https01", "", "-tlsalpn01", ""],
            self.directory,
            "dns",
        )
        self.program = Program(
            ["pebble", "-config", config, "-dnsserver", f"127.0.0.1:{dns}"],
            self.directory,
            "pebble",
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        )
        wait_until(lambda: "Listening on" in self.program.stdout, 20, "pebble listens")

    def stop(self):
        for program in (self.program, self.dns):
            program.judged = True
            program.process.kill()
            program.process.wait(10)


def dehydrated(authority, acme_dir, cert_dir, server_pid, name):
    """Asks for a certificate for @name. Returns the process that has ended."""
    base = authority.directory / "dehydrated"
    base.mkdir(exist_ok=True)
    hook, config = base / "hook.sh", base / "config"
    hook.write_text(HOOK)
    hook.chmod(0o700)
    config.write_text(
        f"CA=https://localhost:{authority.port}/dir\n"
        f"BASEDIR={base}\nWELLKNOWN={acme_dir}\nHOOK={hook}\nCHALLENGETYPE=http-01\n"
        "KEY_ALGO=prime256v1\nACCOUNT_KEYSIZE=2048\n"
        f'CURL_OPTS="--cacert {authority.certificate.ca}"\n'
    )
    environment = {**os.environ, "CERT_DIR": str(cert_dir), "ONEPORTD": str(server_pid)}
    words = [shutil.which("dehydrated") or "/usr/bin/dehydrated", "-f", str(config)]
    for more in (["--register", "--accept-terms"], ["-c", "-d", name]):
        result = subprocess.run(
            words + more, env=environment, capture_output=True, text=True, timeout=120
        )
        if result.returncode != 0:
            break
    return result
