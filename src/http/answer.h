/* SPDX-License-Identifier: MIT */
/* answer.h - makes the answers that oneportd gives itself, without a tunnel: error pages, JSON and
 * redirects. An answer is a head and a body in memory; the caller sends it.
 *
 * Invariants: the head has `Cache-Control: no-store`, and its length is that of the body.
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

/* Makes @a an answer with @status and without a body. The caller frees it by answer_deinit. */
void answer_init(struct answer *a, int status);
void answer_deinit(struct answer *a);

/* Each of the next two functions gives a body and its Content-Type to an answer that answer_init
 * made. answer_json frees @json. */
void answer_json(struct answer *a, cJSON *json);
void answer_html(struct answer *a, struct slice html);

/* Each of the functions below makes @a an answer, as answer_init does. The caller may add
 * fields. */

/* Makes @a a redirect with @status and `Location: @where`. */
void answer_redirect(struct answer *a, int status, struct slice where);

/* Makes @a the 204 to an OPTIONS request, with Allow. @methods is static and lists the methods of
 * the resource; NULL stands for those of tunnels. */
void answer_options(struct answer *a, const char *methods);

/* Sets the Allow of an answer that one of these functions made (RFC 9110 10.2.1). @methods is as
 * for answer_options. */
void answer_allow(struct answer *a, const char *methods);

/* Makes @a the refusal of an API call, with @status and the JSON {"error":…,"message":…}. If
 * @retry_after_s is not 0, adds "retry_after" to the JSON and Retry-After to the head. A 401 also
 * gets WWW-Authenticate. */
void answer_refusal(struct answer *a, int status, const char *error, const char *message,
                    unsigned retry_after_s);

/* Makes @a the error that a viewer gets because of @why, with `Proxy-Status: oneport; error=TYPE`.
 * The body is an HTML page if @accept, the request's Accept field, prefers text/html over
 * application/json, as browsers do for a page. Otherwise the body is the JSON
 * {"error":type,"message":…}. The page of a 502, 503 or 504 reloads by itself. The page shows
 * @name, the name of the tunnel, which may be empty. */
void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name);

#endif
