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
    struct buf body;   /* owned */
    const char *error; /* the code of a refusal, borrowed from its maker; NULL: it is none */
};

/* Makes @a an answer with @status and without a body. The caller frees it by answer_deinit. */
void answer_init(struct answer *a, int status);
void answer_deinit(struct answer *a);

/* Each of the next two functions gives a body and its Content-Type to an answer that answer_init
 * made, and the fields that keep a browser from doing more with it than to show it. answer_json
 * frees @json. */
void answer_json(struct answer *a, cJSON *json);

/* The page @html has ANSWER_STYLE and no other style, script or picture: its
 * Content-Security-Policy lets it load and run nothing else. Without @in_frames no other site may
 * show it in a frame. */
void answer_html(struct answer *a, struct slice html, bool in_frames);

/* Replaces the page that answer_html gave by the operator's page @html. It may have styles and
 * pictures in itself, and runs and loads nothing. The rule of frames stays. */
void answer_own_html(struct answer *a, struct slice html);

/* Gives the answer the body @body of the media type @type. */
void answer_file(struct answer *a, struct slice type, struct slice body);

/* The style element of a page. The policy of answer_html has the hash of its text. */
#define ANSWER_STYLE                                                                               \
    "<style>:root{color-scheme:light dark}body{font:17px/1.5 system-ui,sans-serif;margin:0;"       \
    "min-height:100vh;display:grid;align-items:center;justify-content:center;"                     \
    "grid-template-columns:minmax(0,34em)}main{padding:2em 1.2em;overflow-wrap:anywhere}"          \
    "h1{font-size:1.6em;margin:0 0 .4em}p{margin:.4em 0}small{opacity:.6}"                         \
    "pre{padding:1em;border:1px solid;border-radius:.5em;overflow-x:auto}</style>"

/* Each of the functions below makes @a an answer, as answer_init does. The caller may add
 * fields. */

/* Returns whether @accept, the request's Accept field, prefers text/html over application/json, as
 * browsers do for a page. Programs, which say any type or nothing, do not. */
bool answer_prefers_html(struct slice accept);

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

/* Does what answer_refusal does, and adds "until", unless @until is NULL: an ISO date. */
void answer_refusal_until(struct answer *a, int status, const char *error, const char *message,
                          unsigned retry_after_s, const char *until);

/* Makes @a the error that a viewer gets because of @why, with `Proxy-Status: oneport; error=TYPE`.
 * The body is an HTML page if @accept, the request's Accept field, prefers text/html over
 * application/json, as browsers do for a page. Otherwise the body is the JSON
 * {"error":type,"message":…}. The page of a 502, 503 or 504 reloads by itself after @reload_s. The
 * page shows @name, the name of the tunnel, which may be empty. */
void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name,
                    unsigned reload_s);

/* Does what answer_failure does for FAIL_SOCKETS, and says that the client has @sockets sockets. */
void answer_no_socket(struct answer *a, struct slice accept, struct slice name, unsigned reload_s,
                      unsigned sockets);

/* Makes @a the whole answer to a call of gRPC that fails because of @why: 200 with grpc-status, the
 * row's message as grpc-message, and Proxy-Status, without a body (rule D42). */
void answer_grpc(struct answer *a, enum failure why);

enum { ANSWER_RELOAD_MIN_S = 3, ANSWER_RELOAD_MAX_S = 30 };

/* Returns after how many seconds the page of a tunnel reloads that has been away for @away_us,
 * which is 0 if it is not away. It is from d to 2 d by the random number @random, where d is the
 * time away within the two limits above. So viewers who lost a tunnel together do not come back
 * together, and come less often the longer it is away. */
unsigned answer_reload_s(uint64_t away_us, uint32_t random);

#endif
