/* SPDX-License-Identifier: MIT */
/* ticket.h - signs and verifies tickets. A ticket proves that its holder owns a name. A ticket is
 * the text base64url(claims) "." base64url(HMAC-SHA256 of the claims). protocol.md#tickets */
#ifndef SRC_NAMES_TICKET_H
#define SRC_NAMES_TICKET_H

#include "src/http/route.h"
#include "src/names/owner.h"
#include "src/names/token.h"

struct keyring;

enum {
    TICKET_MAX = 1024,   /* the longest text, with its zero */
    TICKET_POL_LEN = 32, /* a SHA-256 */
    TICKET_POL_TEXT = 44 /* the same in base64url, with its zero */
};

struct ticket {
    char name[NAME_MAX_LEN + 1];
    uint8_t owner[OWNER_LEN];

    /* Wall-clock seconds: when the owner was made, and when the ticket expires. */
    int64_t since, exp;

    /* When it was issued, which is later than any ticket of the name before. 0: by a version that
     * did not say. */
    int64_t rev;

    char tok[TOKEN_ID_MAX + 1]; /* the ID of the token that it was issued for; empty: none */

    /* The hash of the policy that the name has (src/policies/policy.h); all zeros: none. */
    uint8_t pol[TICKET_POL_LEN];
};

/* Signs @t for the base domain @domain with the first key of @k, and writes the text into @out.
 * Returns 0, ERR_LIMIT when the text does not fit (no valid name is that long), or ERR_IO when
 * OpenSSL fails. */
int ticket_sign(struct keyring *k, struct slice domain, const struct ticket *t,
                char out[static TICKET_MAX]) MUSTCHECK;

/* Verifies the ticket @text, and fills @t with its claims. The signature is compared in constant
 * time before any claim is read. Returns 0; ERR_EXPIRED, with @t filled, when the ticket is good
 * but for its time; or ERR_DENIED when the signature, the version or the domain is wrong, or when a
 * claim is missing, malformed or unknown: a claim of a newer version may guard the name. */
int ticket_verify(struct keyring *k, struct slice domain, struct slice text, int64_t now_s,
                  struct ticket *t) MUSTCHECK;

#endif
