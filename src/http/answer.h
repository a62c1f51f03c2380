/* SPDX-License-Identifier: MIT */
/* answer.h - makes the answers that oneportd gives itself, without a tunnel: error pages, JSON and
 * redirects. An answer is a head and a body in memory; sending it is not done here.
 *
 * Invariants: the head has `Cache-Control: no-store`, and its length is the body's.
 * protocol.md#errors-that-viewers-see */
#ifndef SRC_HTTP_ANSWER_H
#define SRC_HTTP_ANSWER_H

#include <cjson/cJSON.h>

#include "h2mux/http/message.h"
#include "src/http/failure.h"

struct answer {
    struct message head;
    struct buf body; /* owned */
};

/* Makes an answer without a body. */
void answer_init(struct answer *a, int status);
void answer_deinit(struct answer *a);

/* Each gives a body and its Content-Type to an answer that answer_init made. answer_json frees
 * @json. */
void answer_json(struct answer *a, cJSON *json);
void answer_html(struct answer *a, struct slice html);

/* Each of the following makes an answer, as answer_init does. Fields may be added to it. */

/* A redirect: @status with the Location @where. */
void answer_redirect(struct answer *a, int status, struct slice where);

/* The 204 to OPTIONS, with Allow. @methods: static, those of the resource; NULL: those of tunnels.
 */
void answer_options(struct answer *a, const char *methods);

/* Sets the Allow of an answer that one of these functions made (RFC 9110 10.2.1). @methods: as for
 * answer_options. */
void answer_allow(struct answer *a, const char *methods);

/* A refusal of an API call, in JSON: {"error":…,"message":…}. If @retry_after_s is not 0, also
 * "retry_after" and the field Retry-After. */
void answer_refusal(struct answer *a, int status, const char *error, const char *message,
                    unsigned retry_after_s);

/* The error that a viewer gets because of @why, with `Proxy-Status: oneport; error=TYPE`. The body
 * is an HTML page if the request's @accept prefers text/html over application/json, as browsers do
 * for a page, and otherwise the JSON {"error":type,"message":…}. The page of a 502, 503 or 504
 * reloads by itself. @name: the name of the tunnel, which the page shows; may be empty. */
void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name);

#endif
