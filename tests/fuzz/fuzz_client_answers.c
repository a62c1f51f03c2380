/* SPDX-License-Identifier: MIT */
/* fuzz_client_answers.c - an input as the server's answer, head and body, to an attach request or
 * to a register call; the first byte selects which. The bytes alone are also read as the JSON of an
 * answer.
 *
 * Checks that a grant can be shown on a terminal, put into a header field and sent where it
 * belongs, and that its plain JSON grants the same. */
#include <cjson/cJSON.h>

#include "client/server/register.h"
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

static bool is_visible(const char *text, size_t cap)
{
    size_t len = strnlen(text, cap);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len < cap;
}

static char *grant_print(const struct grant *g)
{
    cJSON *json = cJSON_CreateObject();
    char *attach = xasprintf("https://%s%s", g->attach.authority, g->attach.path);
    cJSON_AddStringToObject(json, "id", g->id);
    cJSON_AddStringToObject(json, "url", g->url);
    cJSON_AddStringToObject(json, "ticket", g->ticket);
    cJSON_AddStringToObject(json, "attach", attach);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(json, "limits"), "links", g->links);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    free(attach);
    return text;
}

static void check_grant(const struct grant *g)
{
    struct grant again;
    struct url url;
    const char *reason = NULL;
    assert(is_visible(g->id, sizeof g->id) && is_visible(g->url, sizeof g->url));
    assert(is_visible(g->ticket, sizeof g->ticket));
    assert(g->attach.https && g->attach.port != 0 && g->attach.host[0]);
    assert(h1_target_valid(slice_str(g->attach.path)) && g->links >= 1 && g->links <= UINT16_MAX);
    assert(url_parse(slice_str(g->url), &url) == 0);
    char *text = grant_print(g);
    assert(register_parse(slice_str(text), &again, &reason) == 0);
    assert(strcmp(g->id, again.id) == 0 && strcmp(g->url, again.url) == 0);
    assert(strcmp(g->ticket, again.ticket) == 0 && g->links == again.links);
    assert(strcmp(g->attach.authority, again.attach.authority) == 0);
    assert(strcmp(g->attach.path, again.attach.path) == 0 && g->attach.port == again.attach.port);
    cJSON_free(text);
}

static void check_register(struct slice body)
{
    struct grant g;
    const char *reason = NULL;
    if (register_parse(body, &g, &reason) == 0)
        check_grant(&g);
    else
        assert(reason && reason[0]);
}

static void check_refusal(const struct message *m, struct slice body)
{
    struct refusal r;
    struct call_answer a = {.status = m->status, .fields = &m->fields, .body = body};
    refusal_from_answer(&r, &a);
    assert(memchr(r.error, '\0', sizeof r.error) && memchr(r.message, '\0', sizeof r.message));
    assert(memchr(r.location, '\0', sizeof r.location));
    assert(r.retry_after_ms <= REFUSAL_RETRY_MAX_MS && r.status == m->status);
    assert(!refusal_is_redirect(&r) || (m->status >= 300 && m->status < 400));
}

static void check_head(const struct message *m, struct slice body, bool registering)
{
    const struct call_wish nothing = {0}, link = {.upgrade = SLICE("ptth"), .alpn = SLICE("h2")};
    const char *reason = NULL;
    switch (call_judge(registering ? &nothing : &link, m, &reason)) {
    case CALL_UPGRADED:
        assert(m->status == 101 && !registering);
        assert(fields_has_token(&m->fields, SLICE("upgrade"), SLICE("ptth")));
        assert(fields_has_token(&m->fields, SLICE("connection"), SLICE("upgrade")));
        assert(slice_eq(fields_value(&m->fields, SLICE("alpn")), SLICE("h2")));
        return;
    case CALL_WRONG:
        assert(m->status == 101 && reason);
        return;
    case CALL_INTERIM:
        assert(m->status < 200 && m->status != 101);
        return;
    case CALL_FINAL:
        assert(m->status >= 200);
        if (registering && m->status == 200)
            check_register(body);
        else
            check_refusal(m, body);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    check_register(in);
    if (size == 0)
        return 0;
    in = slice_skip(in, 1);
    ssize_t n = h1_scan_head(&s, in, &h1_default_limits, false);
    if (n <= 0)
        return 0;
    message_init(&m);
    if (h1_parse_response(slice_make(in.ptr, (size_t)n), NULL, false, &m, &r) == ERR_OK)
        check_head(&m, slice_skip(in, (size_t)n), data[0] & 1);
    message_deinit(&m);
    return 0;
}
