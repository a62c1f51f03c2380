/* SPDX-License-Identifier: MIT */
/* answer.c - makes answers; see answer.h. All error pages come from one HTML template, and cJSON
 * prints the JSON. The template shows one text that a peer has chosen, the tunnel's name, and the
 * name is escaped. */
#include "src/http/answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/http/grpc.h"

/* What a tunnel carries is up to its origin; these are the methods that no rule refuses. */
#define METHODS_OF_TUNNELS "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

enum { BODY_MAX = 16 * 1024 * 1024, Q_ONE = 1000, NAME_HTML_MAX = 512, REFRESH_MAX = 64 };

static void answer_check(const struct answer *a)
{
    CHECK_THAT(a->head.status >= 200 && a->head.status <= 599);
    CHECK_THAT(a->head.length == (int64_t)buf_len(&a->body));
    CHECK_THAT(a->head.has_body == (a->head.length > 0));
    CHECK_THAT(fields_count(&a->head.fields, SLICE("cache-control")) == 1);
}

void answer_init(struct answer *a, int status)
{
    message_init(&a->head);
    a->head.status = status;
    a->head.length = 0;
    fields_add(&a->head.fields, SLICE("Cache-Control"), SLICE("no-store"));
    buf_init(&a->body, BODY_MAX);
    if (CHECKING)
        answer_check(a);
}

void answer_deinit(struct answer *a)
{
    message_deinit(&a->head);
    buf_release(&a->body);
}

/* ---- bodies */

static void set_body(struct answer *a, struct slice type, struct slice body)
{
    buf_truncate(&a->body, 0);
    int err = buf_append(&a->body, body);
    assert(err == 0); /* every body that oneportd makes is shorter than BODY_MAX */
    (void)err;
    fields_add(&a->head.fields, SLICE("Content-Type"), type);
    fields_add(&a->head.fields, SLICE("X-Content-Type-Options"), SLICE("nosniff"));
    fields_add(&a->head.fields, SLICE("Referrer-Policy"), SLICE("no-referrer"));
    a->head.length = (int64_t)body.len;
    a->head.has_body = body.len > 0;
    if (CHECKING)
        answer_check(a);
}

void answer_json(struct answer *a, cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    fields_add(&a->head.fields, SLICE("Content-Security-Policy"),
               SLICE("default-src 'none'; frame-ancestors 'none'"));
    set_body(a, SLICE("application/json"), slice_str(text));
    cJSON_free(text);
}

/* What a page may load and run: nothing but its style, even if an attacker managed to get markup
 * into it. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; style-src 'sha256-PH3AmNPxYwyQJfndF1Q76H0POfqtmTMCjQoBIQ5XIo0='; "        \
    "base-uri 'none'; "                                                                            \
    "form-action 'none'"

void answer_html(struct answer *a, struct slice html, bool in_frames)
{
    fields_add(&a->head.fields, SLICE("Content-Security-Policy"),
               in_frames ? SLICE(PAGE_POLICY) : SLICE(PAGE_POLICY "; frame-ancestors 'none'"));
    set_body(a, SLICE("text/html; charset=utf-8"), html);
}

void answer_own_html(struct answer *a, struct slice html)
{
    static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                                 "base-uri 'none'; form-action 'none'";
    struct fields *f = &a->head.fields;
    struct slice before = fields_value(f, SLICE("content-security-policy"));
    bool in_frames = !slice_ends(before, SLICE("frame-ancestors 'none'"));
    fields_remove(f, SLICE("content-security-policy"));
    fields_remove(f, SLICE("content-type"));
    fields_remove(f, SLICE("x-content-type-options"));
    fields_remove(f, SLICE("referrer-policy"));
    fields_add_printf(f, SLICE("Content-Security-Policy"), "%s%s", policy,
                      in_frames ? "" : "; frame-ancestors 'none'");
    set_body(a, SLICE("text/html; charset=utf-8"), html);
}

void answer_file(struct answer *a, struct slice type, struct slice body)
{
    set_body(a, type, body);
}

void answer_redirect(struct answer *a, int status, struct slice where)
{
    answer_init(a, status);
    fields_add_copy(&a->head.fields, SLICE("Location"), where);
}

void answer_allow(struct answer *a, const char *methods)
{
    fields_remove(&a->head.fields, SLICE("Allow"));
    fields_add(&a->head.fields, SLICE("Allow"), slice_str(methods ? methods : METHODS_OF_TUNNELS));
}

void answer_options(struct answer *a, const char *methods)
{
    answer_init(a, 204);
    answer_allow(a, methods);
}

void answer_refusal(struct answer *a, int status, const char *error, const char *message,
                    unsigned retry_after_s)
{
    answer_refusal_until(a, status, error, message, retry_after_s, NULL);
}

void answer_refusal_until(struct answer *a, int status, const char *error, const char *message,
                          unsigned retry_after_s, const char *until)
{
    struct fields *f = &a->head.fields;
    cJSON *json = cJSON_CreateObject();
    answer_init(a, status);
    a->error = error;
    cJSON_AddStringToObject(json, "error", error);
    cJSON_AddStringToObject(json, "message", message);
    if (retry_after_s > 0) {
        cJSON_AddNumberToObject(json, "retry_after", retry_after_s);
        fields_add_printf(f, SLICE("Retry-After"), "%u", retry_after_s);
    }
    if (until)
        cJSON_AddStringToObject(json, "until", until);
    if (status == 401) /* RFC 9110 11.6.1 */
        fields_add(f, SLICE("WWW-Authenticate"), SLICE("Bearer"));
    answer_json(a, json);
}

/* ---- what the viewer prefers */

/* Reads a weight of an Accept field, like "0.85" (RFC 9110 12.4.2). Returns the weight in
 * thousandths. Returns 0, which means "not acceptable", when the text is malformed. */
static unsigned parse_q(struct slice text)
{
    unsigned q = 0, scale = Q_ONE;
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[1] != '.'))
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1)
            continue;
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        q += (unsigned)(text.ptr[i] - '0') * scale;
        scale /= 10;
    }
    return q > Q_ONE ? 0 : q;
}

/* Splits a media range of an Accept field, like "text/html;level=1;q=0.5". Returns the type in it,
 * and sets @q to its weight in thousandths (1,000 if the range has none). */
static struct slice range_type(struct slice range, unsigned *q)
{
    ptrdiff_t semicolon = slice_find(range, ';');
    struct slice type = range;
    *q = Q_ONE;
    if (semicolon < 0)
        return type;
    type.len = (size_t)semicolon;
    while (semicolon >= 0) {
        range = slice_skip(range, (size_t)semicolon + 1);
        semicolon = slice_find(range, ';');
        struct slice param =
            slice_trim(slice_make(range.ptr, semicolon < 0 ? range.len : (size_t)semicolon));
        if (slice_istarts(param, SLICE("q=")))
            *q = parse_q(slice_skip(param, 2));
    }
    return slice_trim(type);
}

/* Text/html must have a weight above 0 that is at least the weight of application/json. Wildcards
 * do not count for HTML, since programs send wildcards. The weight of JSON comes from the most
 * specific range that includes application/json. */
bool answer_prefers_html(struct slice accept)
{
    unsigned html = 0, json = 0;
    /* The range that gave JSON its weight: 1 is any type, 2 any subtype of application, 3 JSON
     * itself; 0: no range so far. */
    int json_rank = 0;
    for (struct slice range; slice_next_token(&accept, &range);) {
        unsigned q;
        struct slice type = range_type(range, &q);
        int rank = slice_ieq(type, SLICE("application/json")) ? 3
                   : slice_ieq(type, SLICE("application/*"))  ? 2
                   : slice_eq(type, SLICE("*/*"))             ? 1
                                                              : 0;
        if (slice_ieq(type, SLICE("text/html")) && q > html)
            html = q;
        if (rank > json_rank) {
            json_rank = rank;
            json = q;
        }
    }
    return html > 0 && html >= json;
}

/* ---- the page */

static void html_escape(struct slice in, char out[static NAME_HTML_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < in.len && at + sizeof "&#255;" <= NAME_HTML_MAX; i++) {
        unsigned char c = (unsigned char)in.ptr[i];
        if (strchr("<>&\"'", c))
            at += (size_t)snprintf(out + at, NAME_HTML_MAX - at, "&#%u;", c);
        else
            out[at++] = (char)c;
    }
    out[at] = '\0';
}

static const char page_format[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<meta name=\"robots\" content=\"noindex\">%s\n<title>%s</title>\n" ANSWER_STYLE "</head>\n"
    "<body><main><h1>%s</h1>\n%s%s%s<p>%s</p>\n%s<p><small>%d &middot; %s &middot; oneport"
    "</small></p></main></body></html>\n";

/* Returns whether the error page of @row reloads by itself: for 502, 503 and 504, since such a
 * failure may soon be over. */
static bool reloads(const struct failure_row *row)
{
    return row->status >= 502 && row->status <= 504;
}

unsigned answer_reload_s(uint64_t away_us, uint32_t random)
{
    uint64_t away_s = away_us / 1000000;
    unsigned d = away_s < ANSWER_RELOAD_MIN_S   ? ANSWER_RELOAD_MIN_S
                 : away_s > ANSWER_RELOAD_MAX_S ? ANSWER_RELOAD_MAX_S
                                                : (unsigned)away_s;
    return d + random % (d + 1);
}

static void failure_html(struct answer *a, const struct failure_row *row, struct slice name,
                         unsigned reload_s)
{
    char escaped[NAME_HTML_MAX], refresh[REFRESH_MAX] = "";
    struct buf page;
    buf_init(&page, BODY_MAX);
    html_escape(name, escaped);
    if (reloads(row))
        snprintf(refresh, sizeof refresh, "\n<meta http-equiv=\"refresh\" content=\"%u\">",
                 reload_s);
    int err = buf_printf(&page, page_format, refresh, row->title, row->title,
                         name.len > 0 ? "<p><b>" : "", escaped, name.len > 0 ? "</b></p>\n" : "",
                         row->message, reloads(row) ? "<p>This page reloads by itself.</p>\n" : "",
                         row->status, row->type[0] ? row->type : "not_found");
    assert(err == 0);
    (void)err;
    answer_html(a, buf_slice(&page), true);
    buf_release(&page);
}

static void failure_json(struct answer *a, const struct failure_row *row)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "error", row->type[0] ? row->type : "not_found");
    cJSON_AddStringToObject(json, "message", row->message);
    answer_json(a, json);
}

static void make_failure(struct answer *a, enum failure why, const struct failure_row *row,
                         struct slice accept, struct slice name, unsigned reload_s)
{
    struct fields *f = &a->head.fields;
    answer_init(a, row->status);
    if (row->type[0])
        fields_add_printf(f, SLICE("Proxy-Status"), "oneport; error=%s", row->type);
    if (row->retry_after_s > 0)
        fields_add_printf(f, SLICE("Retry-After"), "%u", row->retry_after_s);
    if (why == FAIL_UPGRADE_VERSION) /* RFC 6455 4.4 */
        fields_add(f, SLICE("Sec-WebSocket-Version"), SLICE("13"));
    if (row->status == 426) /* RFC 9110 15.5.22 */
        fields_add(f, SLICE("Upgrade"), SLICE("websocket"));
    if (why == FAIL_METHOD)
        answer_allow(a, NULL);
    if (answer_prefers_html(accept))
        failure_html(a, row, name, reload_s);
    else
        failure_json(a, row);
}

void answer_failure(struct answer *a, enum failure why, struct slice accept, struct slice name,
                    unsigned reload_s)
{
    make_failure(a, why, failure_row(why), accept, name, reload_s);
}

/* Takes the place of the row's message. */
#define NO_SOCKET                                                                                  \
    "The program that shares this address has %u sockets, one for each request and each "          \
    "WebSocket, and all of them are in use. The oneport client has no such limit. Please try "     \
    "again."

void answer_no_socket(struct answer *a, struct slice accept, struct slice name, unsigned reload_s,
                      unsigned sockets)
{
    struct failure_row row = *failure_row(FAIL_SOCKETS);
    char *message = xasprintf(NO_SOCKET, sockets);
    row.message = message;
    make_failure(a, FAIL_SOCKETS, &row, accept, name, reload_s);
    free(message);
}

void answer_grpc(struct answer *a, enum failure why)
{
    const struct failure_row *row = failure_row(why);
    answer_init(a, row->status);
    grpc_fail(&a->head, grpc_status_of(row->status), slice_str(row->message));
    if (row->type[0])
        fields_add_printf(&a->head.fields, SLICE("Proxy-Status"), "oneport; error=%s", row->type);
    if (CHECKING)
        answer_check(a);
}
