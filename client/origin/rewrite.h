/* SPDX-License-Identifier: MIT */
/* rewrite.h - does what --host-header asks for: tells the origin which name it has, and puts its
 * responses right for the viewer. Rules R15, R42, H32, H33. Pure.
 *
 * - keep leaves the viewer's Host.
 * - rewrite makes Host, Origin, Referer and the fields of X-Forwarded name the origin. Location,
 * the Domain of Set-Cookie and Access-Control-Allow-Origin of the response name the viewer's side
 *   again.
 * - VALUE sets this Host.
 * - auto is keep here; host_choice.h makes it rewrite where the origin refuses our public name.
 *
 * In every mode a Location that has our public host with the origin's own port or scheme names the
 * viewer's side again, and Destination and If of WebDAV name what the origin takes for itself. */
#ifndef CLIENT_ORIGIN_REWRITE_H
#define CLIENT_ORIGIN_REWRITE_H

#include "h2mux/http/message.h"
#include "h2mux/http/url.h"

enum rewrite_mode { REWRITE_KEEP, REWRITE_ALL, REWRITE_VALUE, REWRITE_AUTO };

struct rewrite {
    enum rewrite_mode mode;
    const char *value;        /* VALUE; borrowed from the options */
    const struct url *origin; /* borrowed: the configured origin */
};

/* Parses the option. Fails with ERR_SYNTAX when @text is neither a mode nor a well-formed Host. */
int rewrite_parse(const char *text, struct rewrite *out) MUSTCHECK;

/* Rewrites the request @m, which translate_to_origin has judged. */
void rewrite_request(const struct rewrite *w, struct message *m);

/* Rewrites the response @m. @scheme and @authority are the viewer's, as the request had them before
 * rewrite_request. */
void rewrite_response(const struct rewrite *w, struct message *m, struct slice scheme,
                      struct slice authority);

/* Returns whether the response @m, which was rewritten, redirects to the origin's own name all the
 * same: by a scheme that the origin does not have. A viewer would reach nothing there. */
bool rewrite_leads_inside(const struct rewrite *w, const struct message *m) MUSTCHECK;

#endif
