/* SPDX-License-Identifier: MIT */
/* ticket.h - signed proof of owning a name: base64url(claims) "." base64url(HMAC-SHA256).
 * protocol.md#tickets */
#ifndef SRC_NAMES_TICKET_H
#define SRC_NAMES_TICKET_H

#include "src/http/route.h"
#include "src/names/owner.h"

struct keyring;

enum { TICKET_MAX = 1024 };

struct ticket {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN]; /* 128 random bits: who holds the name */
    int64_t since, exp;       /* wall-clock seconds */
};

/* @domain goes into the claims. ERR_LIMIT never for valid names. */
int ticket_sign(const struct keyring *k, struct slice domain, const struct ticket *t,
                char out[static TICKET_MAX]) MUSTCHECK;
/* ERR_DENIED: signature, version, domain, or a claim that is not known here (the whole `pol` too:
 * nothing enforces it yet). ERR_EXPIRED: all is well but for exp, and @t is filled. The signature
 * is compared in constant time, before anything is parsed. */
int ticket_verify(const struct keyring *k, struct slice domain, struct slice text, int64_t now_s,
                  struct ticket *t) MUSTCHECK;

#endif
