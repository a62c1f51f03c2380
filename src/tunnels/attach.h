/* SPDX-License-Identifier: MIT */
/* attach.h - judges a request to attach a link (PTTH upgrade): its head, ticket, name and place.
 * protocol.md#attach */
#ifndef SRC_TUNNELS_ATTACH_H
#define SRC_TUNNELS_ATTACH_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/tunnels/backend.h"
#include "src/worker/worker.h"

/* An attach request that was accepted. */
struct attach {
    struct ticket ticket;
    char instance[INSTANCE_LEN + 1]; /* Oneport-Instance; empty: none was sent */
    unsigned slot;                   /* Oneport-Link */
    bool pool;                       /* Oneport-Pool */
};

/* Judges the attach call @c, whose viewer is set. @head_bytes: the length of its head as it came.
 * Returns true and fills @out; otherwise makes @refusal, which says why. */
bool attach_accept(struct worker *w, struct call *c, size_t head_bytes, struct attach *out,
                   struct answer *refusal) MUSTCHECK;

/* Returns the place that was asked for; it borrows from @at. */
struct place attach_place(const struct attach *at);

/* Makes the head of the 101, which HTTP/2 follows. The caller deinits it. */
void attach_response(struct message *m);

#endif
