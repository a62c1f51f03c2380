/* SPDX-License-Identifier: MIT */
/* rewrite.h - --host-header: what the origin is told its name is, and its answers put right for the
 * viewer. Rule R15. Pure.
 *
 *   keep     the viewer's Host; nothing else is touched (default)
 *   rewrite  Host, Origin and Referer name the origin; Location, Set-Cookie's Domain and
 * Access-Control-Allow-Origin name the viewer's side VALUE    this Host; nothing else is touched */
#ifndef CLIENT_ORIGIN_REWRITE_H
#define CLIENT_ORIGIN_REWRITE_H

#include "h2mux/http/message.h"
#include "h2mux/http/url.h"

enum rewrite_mode { REWRITE_KEEP, REWRITE_ALL, REWRITE_VALUE };

struct rewrite {
    enum rewrite_mode mode;
    const char *value;        /* VALUE; borrowed from the options */
    const struct url *origin; /* borrowed: the configured origin */
};

/* ERR_SYNTAX: neither a mode nor a well-formed Host. */
int rewrite_parse(const char *text, struct rewrite *out) MUSTCHECK;

/* @m: a request that was judged already. */
void rewrite_request(const struct rewrite *w, struct message *m);

/* @scheme, @authority: the viewer's, as the request had them before rewrite_request. */
void rewrite_response(const struct rewrite *w, struct message *m, struct slice scheme,
                      struct slice authority);

#endif
