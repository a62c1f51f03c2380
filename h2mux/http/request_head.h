/* SPDX-License-Identifier: MIT */
/* request_head.h - judges the head and the trailers of a request that came over HTTP/2 as strictly
 * as HTTP/1.1 would be, since nghttp2 lets pass what HTTP/1.1 cannot carry (fact G9). Rules D2, D9.
 * Pure.
 *
 * oneportd judges what viewers send, and oneport what comes by a link, whoever has judged it
 * before. */
#ifndef H2MUX_HTTP_REQUEST_HEAD_H
#define H2MUX_HTTP_REQUEST_HEAD_H

#include "h2mux/http/message.h"

/* Returns 0, or ERR_PROTOCOL if method, scheme, authority, path, a name or a value is malformed.
 * Sets
 * @reason, a static text, then. */
int request_head_judge(const struct message *m, const char **reason) MUSTCHECK;

/* Returns 0, or ERR_PROTOCOL if a name or a value of @f is malformed. */
int request_head_judge_fields(const struct fields *f) MUSTCHECK;

#endif
