/* SPDX-License-Identifier: MIT */
/* request_head.c - see request_head.h. */
#include "h2mux/http/request_head.h"

#include "h2mux/http/h1.h"

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_PROTOCOL;
}

int request_head_judge_fields(const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (!field_name_valid(f->v[i].name) || !field_value_valid(f->v[i].value))
            return ERR_PROTOCOL;
    return 0;
}

int request_head_judge(const struct message *m, const char **reason)
{
    if (!h1_method_valid(m->method))
        return wrong(reason, "malformed :method");
    if (!slice_ieq(m->scheme, SLICE("http")) && !slice_ieq(m->scheme, SLICE("https")))
        return wrong(reason, ":scheme is neither http nor https");
    if (!h1_authority_valid(m->authority))
        return wrong(reason, "malformed :authority");
    if (!h1_target_valid(m->path))
        return wrong(reason, "malformed :path");
    if (slice_eq(m->path, SLICE("*")) && !slice_eq(m->method, SLICE("OPTIONS")))
        return wrong(reason, ":path * without OPTIONS");
    if (request_head_judge_fields(&m->fields) < 0)
        return wrong(reason, "malformed field");
    return 0;
}
