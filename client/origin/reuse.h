/* SPDX-License-Identifier: MIT */
/* reuse.h - says which exchanges leave a connection to the origin fit for another request, and
 * which requests may take a connection that has served others. Pure.
 *
 * An origin that does not read a request's body takes it for the next request, and the viewer of
 * that request gets the wrong answer. Nobody can tell from outside whether the origin has read it
 * (rules D14, D15). */
#ifndef CLIENT_ORIGIN_REUSE_H
#define CLIENT_ORIGIN_REUSE_H

#include "h2mux/http/message.h"

enum reuse_policy {
    REUSE_SAFE,   /* not behind a request that had a body */
    REUSE_ALWAYS, /* behind bodies too, where methods with bodies usually have them */
    REUSE_NEVER
};

/* Parses the value of --origin-reuse. Fails with ERR_SYNTAX. */
int reuse_parse(const char *value, enum reuse_policy *out) MUSTCHECK;

/* Returns whether bytes of a body follow the head of the request @m. @bodyless: the request was
 * complete with its head. A body in chunks counts also when it is empty, as its last chunk is
 * written. */
bool reuse_has_body(const struct message *m, bool bodyless) MUSTCHECK;

/* Returns whether a connection may serve another request behind @m, as far as the request says. */
bool reuse_behind_request(enum reuse_policy p, const struct message *m, bool body) MUSTCHECK;

/* Returns whether a connection may serve another request behind the final response with @status.
 * @body: the request had a body. @early: the response came before all of the body was out. */
bool reuse_behind_answer(int status, bool body, bool early) MUSTCHECK;

#endif
