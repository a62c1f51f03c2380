/* SPDX-License-Identifier: MIT */
/* early.h - keeps what comes of a request's body before it can go on: while no far leg is there, or
 * before a WebSocket is open. The sender's window bounds it, since no credit goes back for what is
 * kept. Nothing is allocated until something comes. */
#ifndef H2MUX_HTTP_EARLY_H
#define H2MUX_HTTP_EARLY_H

#include "h2mux/base/err.h"
#include "h2mux/http/relay.h"

struct early;

/* Keeps @data, and the end of the body if @end, in *@e, which is made when it is NULL. Returns 0,
 * or ERR_LIMIT when more than @most bytes would be kept. */
int early_keep_body(struct early **e, size_t most, struct slice data, bool end) MUSTCHECK;

/* Keeps a copy of the trailers @t, which end the body. */
void early_keep_trailers(struct early **e, const struct fields *t);

/* Lets the near side of @r pass, and gives it first what was kept, which is freed. */
void early_pass(struct early **e, struct relay *r);

/* Frees what is kept; *@e is NULL then. */
void early_free(struct early **e);

#endif
