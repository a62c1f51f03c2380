/* SPDX-License-Identifier: MIT */
/* translate.c - see translate.h. */
#include "client/origin/translate.h"

#include "h2mux/http/field_name.h"
#include "h2mux/http/h1.h"

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_PROTOCOL;
}

static bool field_malformed(const struct field *f)
{
    return !field_name_valid(f->name) || !field_value_valid(f->value);
}

static bool is_ours(const struct field *f, unsigned rules, void *user)
{
    return rules & FIELD_OURS;
}

static int check_fields(const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (field_malformed(&f->v[i]))
            return ERR_PROTOCOL;
    return 0;
}

/* D2, D9. */
static int check_line(const struct message *m, const char **reason)
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
    return 0;
}

int translate_to_origin(struct message *m, bool *wants_trailers, const char **reason)
{
    int err = check_line(m, reason);
    if (err < 0)
        return err;
    if (check_fields(&m->fields) < 0)
        return wrong(reason, "malformed field");
    *wants_trailers = fields_has_token(&m->fields, SLICE("te"), SLICE("trailers"));
    if (fields_strip(&m->fields, is_ours, NULL) < 0)
        return wrong(reason, "connection names an end-to-end field");
    return 0;
}

static bool is_forbidden_trailer(const struct field *f, void *user)
{
    return field_forbidden_in_trailers(f->name);
}

int translate_trailers_to_origin(struct fields *t)
{
    int err = check_fields(t);
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
