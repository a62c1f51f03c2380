/* SPDX-License-Identifier: MIT */
/* reuse.c - see reuse.h. */
#include "client/origin/reuse.h"

#include "h2mux/http/bytes.h"

int reuse_parse(const char *value, enum reuse_policy *out)
{
    static const struct {
        const char *name;
        enum reuse_policy policy;
    } values[] = {{"safe", REUSE_SAFE}, {"always", REUSE_ALWAYS}, {"never", REUSE_NEVER}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(value, values[i].name) == 0) {
            *out = values[i].policy;
            return 0;
        }
    return ERR_SYNTAX;
}

bool reuse_has_body(const struct message *m, bool bodyless)
{
    return !bodyless && m->length != 0;
}

/* Returns whether servers often leave the body of such a request unread. */
static bool is_often_unread(struct slice method)
{
    return slice_eq(method, SLICE("GET")) || slice_eq(method, SLICE("HEAD")) ||
           slice_eq(method, SLICE("OPTIONS")) || slice_eq(method, SLICE("DELETE")) ||
           slice_eq(method, SLICE("TRACE"));
}

bool reuse_behind_request(enum reuse_policy p, const struct message *m, bool body)
{
    switch (p) {
    case REUSE_SAFE:
        return !body;
    case REUSE_ALWAYS:
        return !body || !is_often_unread(m->method);
    case REUSE_NEVER:
        break;
    }
    return false;
}

/* A server that refuses a request has often not read it. */
bool reuse_behind_answer(int status, bool body, bool early)
{
    return !body || (!early && status < 400);
}

bool reuse_own_behind_answer(int status, bool body, bool early)
{
    return reuse_behind_answer(status == 401 || status == 407 ? 200 : status, body, early);
}

bool reuse_repeatable(const struct message *m, bool bodyless)
{
    return bodyless && method_is_idempotent(m->method);
}

/* Reads the number of `name=digits` or `name="digits"`. A part behind the digits, as in "5s", is
 * ignored. Returns false if @parameter is another one. */
static bool read_parameter(struct slice parameter, struct slice name, uint64_t *number)
{
    ptrdiff_t eq = slice_find(parameter, '=');
    if (eq < 0 || !slice_ieq(slice_trim(slice_make(parameter.ptr, (size_t)eq)), name))
        return false;
    struct slice value = slice_trim(slice_skip(parameter, (size_t)eq + 1));
    if (slice_starts(value, SLICE("\"")))
        value = slice_skip(value, 1);
    size_t digits = 0;
    while (digits < value.len && byte_is_digit((unsigned char)value.ptr[digits]))
        digits++;
    int err = slice_to_u64(slice_make(value.ptr, digits), UINT32_MAX, number);
    return err == 0;
}

uint64_t reuse_keep_ms(const struct fields *f, uint64_t ours)
{
    uint64_t keep_ms = ours, number;
    for (size_t i = 0; i < f->count; i++) {
        struct slice list = f->v[i].value, parameter;
        if (!slice_ieq(f->v[i].name, SLICE("keep-alive")))
            continue;
        while (slice_next_token(&list, &parameter)) {
            if (read_parameter(parameter, SLICE("max"), &number) && number == 0)
                return 0;
            if (!read_parameter(parameter, SLICE("timeout"), &number))
                continue;
            uint64_t theirs = number > 0 ? (number - 1) * 1000 : 0;
            keep_ms = theirs < keep_ms ? theirs : keep_ms;
        }
    }
    return keep_ms;
}
