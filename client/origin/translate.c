/* SPDX-License-Identifier: MIT */
/* translate.c - see translate.h. */
#include "client/origin/translate.h"

#include "h2mux/http/field_name.h"
#include "h2mux/http/request_head.h"

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_PROTOCOL;
}

static bool is_ours(const struct field *f, unsigned rules, void *user)
{
    return rules & FIELD_OURS;
}

int translate_to_origin(struct message *m, bool *wants_trailers, const char **reason)
{
    int err = request_head_judge(m, reason);
    if (err < 0)
        return err;
    *wants_trailers = fields_has_token(&m->fields, SLICE("te"), SLICE("trailers"));
    if (fields_strip(&m->fields, is_ours, NULL) < 0)
        return wrong(reason, "connection names an end-to-end field");
    return 0;
}

void translate_to_stream(struct message *m, bool https, bool wants_trailers)
{
    m->scheme = https ? SLICE("https") : SLICE("http");
    if (wants_trailers)
        fields_add(&m->fields, SLICE("te"), SLICE("trailers"));
}

static bool is_forbidden_trailer(const struct field *f, void *user)
{
    return field_forbidden_in_trailers(f->name);
}

int translate_trailers_to_origin(struct fields *t)
{
    int err = request_head_judge_fields(t);
    if (err == 0)
        fields_remove_if(t, is_forbidden_trailer, NULL);
    return err;
}

static bool is_ours_or_dead(const struct field *f, unsigned rules, void *user)
{
    return (rules & FIELD_OURS) || slice_ieq(f->name, SLICE("alt-svc"));
}

int translate_from_origin(struct message *m)
{
    if (fields_strip(&m->fields, is_ours_or_dead, NULL) < 0)
        return ERR_PROTOCOL;
    if (m->status < 200 || m->status == 204) /* R6 */
        m->length = MESSAGE_LENGTH_UNKNOWN;
    if (m->status == 205) /* R8 */
        m->length = 0;
    return 0;
}
