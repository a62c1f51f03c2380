/* SPDX-License-Identifier: MIT */
/* login.h - says which heads belong to a sign-in that counts for a whole connection. Pure.
 *
 * NTLM (MS-NTHT) and Negotiate (RFC 4559) sign in the connection, not the request: whoever sends
 * the next request on it is the one who signed in. So viewers must not share such a connection
 * (rule D13). */
#ifndef CLIENT_ORIGIN_LOGIN_H
#define CLIENT_ORIGIN_LOGIN_H

#include "h2mux/http/fields.h"

enum login_policy {
    LOGIN_OFF,   /* a connection that is signed in serves nobody any more */
    LOGIN_VIEWER /* it serves the same viewer's connection (rule D19) */
};

/* Parses the value of --origin-login. Fails with ERR_SYNTAX. */
int login_parse(const char *value, enum login_policy *out) MUSTCHECK;

enum { LOGIN_OWNER_MAX = 64 };

/* Returns the name of the viewer's connection that the request came by, as the server gave it, or
 * an empty slice if it gave none. A name of more than LOGIN_OWNER_MAX bytes, or one of two, is none
 * (rule D21). The slice is borrowed from @f. */
struct slice login_owner(const struct fields *f) MUSTCHECK;

/* Return the name of the scheme by which a request asks, or a response is about, a sign-in of the
 * connection: "NTLM", "Negotiate" and their like, in their usual spelling. Return NULL if there is
 * none. All lines and all challenges of a line count, in any letter case, with or without data.
 * Names of fields are compared as rule H16 says. */
const char *login_of_request(const struct fields *f);
const char *login_of_response(const struct fields *f);

#endif
