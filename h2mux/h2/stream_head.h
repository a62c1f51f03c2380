/* SPDX-License-Identifier: MIT */
/* stream_head.h - translates a message's head to and from HTTP/2: pseudo-fields, then fields in
 * lower case (RFC 9113 8.3). nghttp2 validates the syntax, and the programs say which fields may
 * pass. */
#ifndef H2MUX_H2_STREAM_HEAD_H
#define H2MUX_H2_STREAM_HEAD_H

#include <nghttp2/nghttp2.h>

#include "h2mux/http/message.h"

/* ---- received */

/* Adds one field of a section to @m, which keeps a copy: pseudo-fields and content-length as the
 * members that they are in a message, all others as fields. Fails with ERR_LIMIT if that is more
 * than a head may have, and with ERR_SYNTAX for a status that is no number. */
int h2_head_take(struct message *m, struct slice name, struct slice value) MUSTCHECK;

/* Makes Host the :authority if that is missing, and removes Host (RFC 9113 8.3.1, rule D1). Returns
 * false if the two differ, or if there are several Hosts. */
bool h2_head_settle_authority(struct message *m) MUSTCHECK;

/* ---- to be sent */

enum { H2_HEAD_FEW = 64 };

/* A head as nghttp2 takes it, for one call, on the caller's stack: most heads fit. It borrows the
 * message's bytes, and nghttp2 copies them. */
struct h2_head {
    nghttp2_nv *v; /* `few`, or owned when they are many */
    size_t count;
    nghttp2_nv few[H2_HEAD_FEW];
    char status[3], length[SLICE_U64_MAX];
};

/* Fill @h with a head, with trailers; h2_head_release gives back what they allocated. */
void h2_head_of(struct h2_head *h, const struct message *m);
void h2_head_of_trailers(struct h2_head *h, const struct fields *trailers);
void h2_head_release(struct h2_head *h);

#endif
