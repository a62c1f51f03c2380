/* SPDX-License-Identifier: MIT */
/* attach.h - judges a request to attach a link (a PTTH upgrade) by its head, its ticket, its name
 * and its place in the tunnel. request.c makes the link. protocol.md#attach */
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
    bool asks_who;                   /* Oneport-Viewer-Connection */
    bool asks_party;                 /* Oneport-Party */
    struct token_grant token;        /* of the ticket's token */
    char domain[TOKEN_HOST_MAX + 1]; /* Oneport-Domain, in lower case; empty: none was sent */
};

/* Judges the attach call @c, whose viewer is set and whose head had @head_bytes. Returns true and
 * fills @out when the call is accepted. Otherwise returns false and makes @refusal the answer for
 * the client. */
bool attach_accept(struct worker *w, struct call *c, size_t head_bytes, struct attach *out,
                   struct answer *refusal) MUSTCHECK;

/* Returns the place in the tunnel that the client asks for. The place borrows from @at. */
struct place attach_place(const struct attach *at);

/* Makes @m the head of the 101 after which HTTP/2 begins. The caller frees @m by message_deinit. */
void attach_response(struct message *m);

#endif
