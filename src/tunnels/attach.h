/* SPDX-License-Identifier: MIT */
/* attach.h - whether a PTTH upgrade is accepted: head, ticket, name, place. protocol.md#attach */
#ifndef SRC_TUNNELS_ATTACH_H
#define SRC_TUNNELS_ATTACH_H

#include "src/names/ticket.h"
#include "src/tunnels/register.h"
#include "src/tunnels/tunnel.h"

struct attach {
    struct ticket ticket;
    struct place place; /* its instance is borrowed from the head */
};

/* false: @refusal is made and says why. @head_bytes: of the request as it came. */
bool attach_accept(struct worker *w, const struct call *c, struct slice name, size_t head_bytes,
                   struct attach *out, struct answer *refusal) MUSTCHECK;
/* The 101 that the link's bytes follow. */
void attach_response(struct message *m);

#endif
