/* SPDX-License-Identifier: MIT */
/* fuzz_client_translate.c - the head of a stream, one field as ":method: GET" on each line and
 * possibly malformed, then after an empty line the origin's answer.
 *
 * Checks that the origin reads an accepted request as exactly one request with the same meaning,
 * that a refused one is not written, and that a WebSocket opens only by the answer that its key
 * asks for. */
#include "client/origin/rewrite.h"
#include "client/origin/translate.h"
#include "h2mux/http/h1.h"
#include "h2mux/http/upgrade.h"
#include "tests/fuzz/fuzz.h"

static const struct h1_limits wide = {
    .head = 1 << 20, .fields = 200, .field = 1 << 20, .target = 1 << 20};

/* Replaces "\\r" and "\\n" by the bytes themselves, which would end the line in an input. */
static struct slice unescape(struct fields *f, struct slice text)
{
    struct slice kept = fields_keep(f, text);
    char *at = (char *)(uintptr_t)kept.ptr;
    size_t len = 0;
    for (size_t i = 0; i < kept.len; i++, len++) {
        bool escape = kept.ptr[i] == '\\' && i + 1 < kept.len &&
                      (kept.ptr[i + 1] == 'r' || kept.ptr[i + 1] == 'n');
        at[len] = !escape ? kept.ptr[i] : kept.ptr[i + 1] == 'r' ? '\r' : '\n';
        i += escape;
    }
    return slice_make(kept.ptr, len);
}

static void add_line(struct message *m, struct slice line)
{
    const struct {
        const char *name;
        struct slice *to;
    } pseudo[] = {{":method", &m->method},       {":scheme", &m->scheme},
                  {":authority", &m->authority}, {":path", &m->path},
                  {":protocol", &m->protocol},   {":body", NULL}};
    ptrdiff_t colon = slice_find(line.len ? slice_skip(line, 1) : line, ':') + 1;
    struct slice name = slice_make(line.ptr, colon > 0 ? (size_t)colon : line.len);
    struct slice value = unescape(&m->fields, slice_skip(line, name.len + 1));
    for (size_t i = 0; i < sizeof pseudo / sizeof *pseudo; i++) {
        if (!slice_eq(name, slice_str(pseudo[i].name)))
            continue;
        if (pseudo[i].to)
            *pseudo[i].to = value;
        else
            m->has_body = true;
        return;
    }
    fields_add(&m->fields, unescape(&m->fields, name), value);
}

static void check_origin_reads(const struct message *m)
{
    const struct h1_write w = {.framing = m->has_body ? H1_CHUNKED : H1_NO_BODY};
    struct message again;
    struct h1_result r;
    struct buf out;
    message_init(&again);
    buf_init(&out, 1 << 20);
    assert(h1_write_request(&out, m, &w) == ERR_OK);
    assert(h1_parse_request(buf_slice(&out), &wide, &again, &r) == ERR_OK);
    assert(slice_eq(again.method, m->method) && slice_eq(again.path, m->path));
    assert(slice_eq(again.authority, m->authority) && r.framing == w.framing);
    buf_release(&out);
    message_deinit(&again);
}

static void check_rewritten(const struct message *m, const struct rewrite *w)
{
    struct slice scheme = m->scheme, authority = m->authority;
    struct message copy;
    message_init(&copy);
    copy.method = m->method;
    copy.scheme = m->scheme;
    copy.authority = m->authority;
    copy.path = m->path;
    fields_copy(&copy.fields, &m->fields);
    rewrite_request(w, &copy);
    assert(w->mode != REWRITE_ALL || slice_eq(copy.authority, slice_str(w->origin->authority)));
    assert(w->mode != REWRITE_VALUE || slice_eq(copy.authority, slice_str(w->value)));
    check_origin_reads(&copy);
    rewrite_response(w, &copy, scheme, authority);
    for (size_t i = 0; i < copy.fields.count; i++)
        assert(field_value_valid(copy.fields.v[i].value));
    message_deinit(&copy);
}

static void check_rewrites(const struct message *m)
{
    static const char *const modes[] = {"auto", "keep", "rewrite", "a.test:80"};
    static const char *const origins[] = {"http://localhost:3000", "https://localhost"};
    for (size_t i = 0; i < 8; i++) {
        struct url origin;
        struct rewrite w;
        int err = url_parse(slice_str(origins[i % 2]), &origin);
        assert(err == 0 && rewrite_parse(modes[i / 2], &w) == 0);
        w.origin = &origin;
        check_rewritten(m, &w);
    }
}

/* Checks that the writer refuses a request that was refused, or writes it as one head. */
static void check_refused(const struct message *m)
{
    const struct h1_write w = {.framing = H1_NO_BODY};
    struct h1_scan s = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (h1_write_request(&out, m, &w) == ERR_OK) {
        ssize_t n = h1_scan_head(&s, buf_slice(&out), &wide, true);
        assert(n < 0 || n == (ssize_t)buf_len(&out));
    }
    buf_release(&out);
}

/* Replaces "@accept" by the value that the key asks for, which no input could guess. */
static void sign_accept(const struct message *request, struct message *answer)
{
    char accept[WS_ACCEPT_LEN + 1];
    ws_accept(fields_value(&request->fields, SLICE("sec-websocket-key")), accept);
    for (size_t i = 0; i < answer->fields.count; i++)
        if (slice_eq(answer->fields.v[i].value, SLICE("@accept")))
            answer->fields.v[i].value = fields_keep(&answer->fields, slice_str(accept));
}

static void check_upgrade(struct message *request, struct message *answer)
{
    const char *reason = NULL;
    int status = answer->status;
    assert(upgrade_request(request) == 0);
    sign_accept(request, answer);
    switch (upgrade_judge(request, answer, &reason)) {
    case UPGRADE_OPEN:
        assert(status == 101 && answer->status == 200 && answer->length < 0);
        break;
    case UPGRADE_REFUSED:
        assert(status >= 300 && answer->status == status);
        break;
    case UPGRADE_BROKEN:
        assert(status < 300 && reason);
        break;
    }
}

static void check_answer(struct message *request, struct slice in)
{
    struct message m;
    struct h1_result r;
    message_init(&m);
    if (h1_parse_response(in, &h1_default_limits, false, &m, &r) == ERR_OK) {
        if (message_is_websocket(request))
            check_upgrade(request, &m);
        if (translate_from_origin(&m) == 0) {
            assert(!fields_find(&m.fields, SLICE("connection")));
            assert((m.status >= 200 && m.status != 204) || m.length == MESSAGE_LENGTH_UNKNOWN);
            for (size_t i = 0; i < m.fields.count; i++)
                assert(!slice_istarts(m.fields.v[i].name, SLICE("oneport-")));
        }
    }
    message_deinit(&m);
}

static void check_trailers(const struct fields *f)
{
    struct fields t;
    struct buf out;
    fields_init(&t);
    fields_copy(&t, f);
    buf_init(&out, 1 << 20);
    if (translate_trailers_to_origin(&t) == 0)
        assert(h1_write_last_chunk(&out, &t) == ERR_OK);
    buf_release(&out);
    fields_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size), line;
    struct message m;
    bool wants_trailers;
    const char *reason = NULL;
    message_init(&m);
    while ((line = fuzz_line(&in)).len > 0 && m.fields.count < FIELDS_HEAD_MAX)
        add_line(&m, line);
    check_trailers(&m.fields);
    if (translate_to_origin(&m, &wants_trailers, &reason) == 0) {
        check_origin_reads(&m);
        check_rewrites(&m);
        check_answer(&m, in);
    } else {
        assert(reason);
        check_refused(&m);
    }
    message_deinit(&m);
    return 0;
}
