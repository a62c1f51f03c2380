/* SPDX-License-Identifier: MIT */
/* refusal.h - reads an answer of the server that does not grant what was asked for: its status, its
 * body and its fields. */
#ifndef CLIENT_SERVER_REFUSAL_H
#define CLIENT_SERVER_REFUSAL_H

#include "client/server/call.h"

struct refusal {
    int status;
    char error[64];     /* "name_taken", "bad_ticket"…; empty when the body is no oneportd's */
    char message[256];  /* for people */
    char location[256]; /* where a redirect points to */
    uint64_t retry_after_ms;
};

enum { REFUSAL_RETRY_MAX_MS = 60 * 1000 }; /* a server may not ask for more patience */

/* Reads @r from the answer @a. */
void refusal_from_answer(struct refusal *r, const struct call_answer *a);
/* Returns whether the operator of the server has ended the tunnel, so that there is nothing to try
 * again. */
bool refusal_is_final(const struct refusal *r);

bool refusal_is_redirect(const struct refusal *r);

#endif
