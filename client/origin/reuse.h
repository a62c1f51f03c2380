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

/* The same for a connection that serves one viewer's connection alone. A 401 or 407 is a step of
 * its sign-in, whose requests may all have the body (rule D20). */
bool reuse_own_behind_answer(int status, bool body, bool early) MUSTCHECK;

/* How sure a request must be that its connection still lives. */
enum reuse_need {
    REUSE_ANY,  /* it can be sent again */
    REUSE_SURE, /* it must not be sent twice: a connection that the origin may just close will not
                   do */
    REUSE_NONE  /* a fresh connection alone will do */
};

/* Returns whether the request @m may be sent a second time, when nobody can tell whether the first
 * one was read (RFC 9110 9.2.2). @bodyless: it was complete with its head, or asks for a
 * WebSocket. */
bool reuse_repeatable(const struct message *m, bool bodyless) MUSTCHECK;

/* Returns for how many ms an idle connection is kept behind a response with the fields @f, at most
 * @ours: a second less than `Keep-Alive: timeout=N` says; 0: it is not kept. Values that are no
 * numbers are ignored. */
uint64_t reuse_keep_ms(const struct fields *f, uint64_t ours) MUSTCHECK;

#endif
