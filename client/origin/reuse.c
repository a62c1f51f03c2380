/* SPDX-License-Identifier: MIT */
/* reuse.c - see reuse.h. */
#include "client/origin/reuse.h"

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
