/* SPDX-License-Identifier: MIT */
/* badge.h - finds the ID that the certificate of a sharer proves: on this server's own TLS, or in
 * the field of --client-id-field, which a trusted proxy that has verified the certificate sends.
 * protocol.md#certificates-of-sharers */
#ifndef SRC_EDGE_BADGE_H
#define SRC_EDGE_BADGE_H

#include "h2mux/io/sock.h"
#include "src/names/call.h"
#include "src/worker/worker.h"

/* Sets the viewer @v of @c, which comes by @sock. Notes the ID of its certificate, if it is a
 * register or an attach call. */
void badge_find(struct call *c, const struct worker *w, const struct viewer *v,
                const struct sock *sock);

#endif
