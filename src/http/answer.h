/* SPDX-License-Identifier: MIT */
/* answer.h - what oneportd answers itself: error pages, JSON, redirects. Every one has
 * Cache-Control: no-store. protocol.md#errors-that-viewers-see */
#ifndef SRC_HTTP_ANSWER_H
#define SRC_HTTP_ANSWER_H

#include <cjson/cJSON.h>

#include "h2mux/http/message.h"
#include "src/http/failure.h"

struct answer {
    struct message head; /* status, fields; length is the body's */
    struct buf body;     /* owned */
};
/* Each function that gives @a a status initialises it, those of admin.h and register.h too;
 * answer_json and answer_html are for one that answer_init made. Fields may be added afterwards. */
void answer_init(struct answer *a, int status);
void answer_deinit(struct answer *a);
void answer_json(struct answer *a, cJSON *json);       /* takes @json; sets Content-Type */
void answer_html(struct answer *a, struct slice html); /* likewise text/html; charset=utf-8 */
void answer_redirect(struct answer *a, int status, struct slice where);
/* {"error":…,"message":…} with @status: the API's refusals. @retry_after_s 0: none (also
 * "retry_after" in the JSON). */
void answer_refusal(struct answer *a, int status, const char *error, const char *message,
                    unsigned retry_after_s);

/* HTML when @accept prefers text/html over application/json (a browser's navigation: 502, 503 and
 * 504 reload by themselves), else JSON
 * {"error":type,"message":…}. Proxy-Status: oneport; error=TYPE. @name: the tunnel's, for the
 * words; may be empty. */
void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name);

#endif
