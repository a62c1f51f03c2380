/* SPDX-License-Identifier: MIT */
/* builtin.h - serves the calls of the base domain (register, attach, status, health, landing page)
 * by calling the module for each call. This module writes nothing to the connection.
 * protocol.md#other-calls */
#ifndef SRC_EDGE_BUILTIN_H
#define SRC_EDGE_BUILTIN_H

#include "src/http/answer.h"
#include "src/names/call.h"
#include "src/tunnels/attach.h"
#include "src/worker/worker.h"

enum builtin_verdict {
    BUILTIN_ANSWER,  /* `answer` is made, and the caller releases it */
    BUILTIN_FAILURE, /* the call gets the error page of `failure` */
    BUILTIN_ATTACHES /* `attach` is filled: the connection becomes a link */
};

struct builtin_result {
    struct answer answer;
    const char *error; /* for the access log; NULL: none */
    bool close;        /* the connection closes after the answer */
    enum failure failure;
    const char *allow; /* of FAIL_METHOD: the methods that the built-in takes, static */
    struct attach attach;
};

/* Serves the call @c, whose viewer is set and whose head had @head_bytes. The verdict tells which
 * part of @out is filled. */
enum builtin_verdict builtin_serve(struct worker *w, struct call *c, size_t head_bytes,
                                   struct builtin_result *out) MUSTCHECK;

/* Makes @a the answer to the request @m at --redirect: the same target over https, at the port of
 * --public-url (rule O200). A request of HTTP/1.0 may name no host; then the base domain is meant.
 */
void builtin_redirect(const struct worker *w, const struct message *m, struct answer *a);

#endif
