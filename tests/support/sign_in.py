# SPDX-License-Identifier: MIT
"""Plays an origin that signs in a connection, as NTLM and Negotiate do."""

from .origins import reply


def signing_in(challenges, scheme="NTLM", legs=("one", "three"), challenge=None):
    """Returns a script that signs a connection in, as NTLM does: after the words of @legs in their
    order, each in an Authorization field, the connection is Alice's. @challenges are the lines of
    a 401 that asks for the first, @challenge is one that answers the others."""

    def serve(connection):
        done = 0
        while True:
            connection.request()
            connection.body()
            given = (connection.get("Authorization") or "").split(" ")
            if done < len(legs) and given[0].lower() == scheme.lower() and given[1] == legs[done]:
                done += 1
                if 0 < done < len(legs):
                    connection.send(reply(b"go on", challenge or challenges[0], status=401))
                    continue
            if done == len(legs):
                connection.send(reply(b"hello alice"))
            else:
                connection.send(reply(b"who are you", *challenges, status=401))

    return serve
