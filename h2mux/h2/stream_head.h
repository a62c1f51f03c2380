/* SPDX-License-Identifier: MIT */
/* stream_head.h - translates a message's head to and from HTTP/2, where pseudo-fields come first
 * and field names are in lower case (RFC 9113 8.3). nghttp2 checks the syntax; the programs decide
 * which fields may pass. */
#ifndef H2MUX_H2_STREAM_HEAD_H
#define H2MUX_H2_STREAM_HEAD_H

#include <nghttp2/nghttp2.h>

#include "h2mux/http/message.h"

/* ---- received */

/* Copies one received field to @m: a pseudo-field and content-length to their members of the
 * message, all others to its list of fields. Returns 0; ERR_LIMIT if the head would have more than
 * 128 fields or 64 KiB; ERR_SYNTAX if :status is no number. */
int h2_head_take(struct message *m, struct slice name, struct slice value) MUSTCHECK;

/* Makes Host the :authority if there is no :authority, and removes Host (RFC 9113 8.3.1; rule D1:
 * the next hop gets one Host). Returns false if the two differ, or if there are several Hosts. */
bool h2_head_settle_authority(struct message *m) MUSTCHECK;

/* ---- to be sent */

enum { H2_HEAD_FEW = 64 };

/* A head in the form that nghttp2 takes, on the caller's stack for one call. Most heads fit without
 * an allocation. A head borrows the message's bytes, and nghttp2 copies them. */
struct h2_head {
    nghttp2_nv *v; /* `few`, or owned if the fields do not fit */
    size_t count;
    nghttp2_nv few[H2_HEAD_FEW];
    char status[3], length[SLICE_U64_MAX];
};

/* h2_head_of fills @h with a head, h2_head_of_trailers with trailers. h2_head_release frees the
 * memory of both. */
void h2_head_of(struct h2_head *h, const struct message *m);
void h2_head_of_trailers(struct h2_head *h, const struct fields *trailers);
void h2_head_release(struct h2_head *h);

#endif
