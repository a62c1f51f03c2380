/* SPDX-License-Identifier: MIT */
/* stream_head.h - a message's head as HTTP/2 has it: pseudo-fields, then fields in lower case (RFC
 * 9113 8.3). Pure translation; syntax is nghttp2's to validate, and which fields may pass is the
 * programs' to say. */
#ifndef H2MUX_H2_STREAM_HEAD_H
#define H2MUX_H2_STREAM_HEAD_H

#include <nghttp2/nghttp2.h>

#include "h2mux/http/message.h"

/* ---- received */

/* One field of a section goes into @m, which keeps a copy: pseudo-fields and content-length as what
 * the message calls them, all others as they are. ERR_LIMIT: more than a head may have; ERR_SYNTAX:
 * a status that is none. */
int h2_head_take(struct message *m, struct slice name, struct slice value) MUSTCHECK;
/* Host stands in for a missing :authority, and is gone then (RFC 9113 8.3.1, rule D1). false: the
 * two differ, or there are several. */
bool h2_head_settle_authority(struct message *m) MUSTCHECK;

/* ---- to be sent */

enum { H2_HEAD_FEW = 64 };

/* On the caller's stack: most heads fit. Borrows the message's bytes; nghttp2 copies them, so it
 * lives for one call only. */
struct h2_head {
    nghttp2_nv *v; /* `few`, or owned when they are many */
    size_t count;
    nghttp2_nv few[H2_HEAD_FEW];
    char status[3], length[SLICE_U64_MAX];
};

void h2_head_of(struct h2_head *h, const struct message *m);
void h2_head_of_trailers(struct h2_head *h, const struct fields *trailers);
void h2_head_release(struct h2_head *h);

#endif
