/* SPDX-License-Identifier: MIT */
/* edit.c - see edit.h. */
#include "src/policies/edit.h"

#include <stdlib.h>

#include "h2mux/base/alloc.h"
#include "h2mux/http/field_name.h"

/* Names that field_name.h has no such rule for. */
static const char *const ours[] = {
    "alt-svc",
    "content-encoding",
    "content-length",
    "content-range",
    "date",
    "expect",
    "host",
    "max-forwards",
    "proxy-status",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "via",
};

/* Returns whether the field @name, in lower case, may be added (@adds) or removed. A cookie that is
 * added would pass by the rule that confines cookies to their name. */
static bool may_touch(struct slice name, bool adds)
{
    enum {
        FORBIDDEN = FIELD_HOP | FIELD_FORWARDED | FIELD_REWRITTEN | FIELD_PROXY_ONLY | FIELD_NEVER |
                    FIELD_ID | FIELD_OURS | FIELD_STEERS | FIELD_ALIAS
    };
    if (field_rules(name) & FORBIDDEN)
        return false;
    if (slice_starts(name, SLICE("sec-")) || slice_starts(name, SLICE("proxy-")))
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (field_name_is(name, slice_str(ours[i])))
            return false;
    return !adds || !field_name_is(name, SLICE("set-cookie"));
}

static bool is_printable(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return false;
    return value.len <= EDIT_VALUE_MAX && field_value_valid(value);
}

/* Returns an owned copy of @name in lower case, or NULL with static text in @why. */
static char *take_name(struct slice name, bool adds, const char **why)
{
    if (name.len == 0 || name.len > EDIT_VALUE_MAX || !field_name_valid(name)) {
        *why = "wants names of fields";
        return NULL;
    }
    char *lower = slice_dup(name);
    ascii_lower(lower, name.len);
    if (may_touch(slice_str(lower), adds))
        return lower;
    *why = "names a field that cannot be touched";
    free(lower);
    return NULL;
}

int edits_add(struct edits *e, struct slice name, struct slice value, const char **why)
{
    if (e->n_added == EDITS_MAX || !is_printable(value)) {
        *why = "wants values of printable ASCII, and at most 32 fields";
        return ERR_SYNTAX;
    }
    char *lower = take_name(name, true, why);
    if (!lower)
        return ERR_SYNTAX;
    e->added[e->n_added++] = (struct edit){lower, slice_dup(value)};
    return 0;
}

int edits_remove(struct edits *e, struct slice name, const char **why)
{
    if (e->n_removed == EDITS_MAX) {
        *why = "wants at most 32 fields";
        return ERR_SYNTAX;
    }
    char *lower = take_name(name, false, why);
    if (!lower)
        return ERR_SYNTAX;
    e->removed[e->n_removed++] = lower;
    return 0;
}

void edits_free(struct edits *e)
{
    for (size_t i = 0; i < e->n_added; i++) {
        free(e->added[i].name);
        free(e->added[i].value);
    }
    for (size_t i = 0; i < e->n_removed; i++)
        free(e->removed[i]);
}

/* Removes the field in all its spellings, since a program behind CGI takes them for the same. */
static bool is_named(const struct field *field, void *name)
{
    return field_name_is(field->name, slice_str(name));
}

void edits_apply(const struct edits *e, struct fields *f, bool adds)
{
    for (size_t i = 0; i < e->n_removed; i++)
        fields_remove_if(f, is_named, e->removed[i]);
    for (size_t i = 0; adds && i < e->n_added; i++)
        fields_remove_if(f, is_named, e->added[i].name);
    for (size_t i = 0; adds && i < e->n_added; i++)
        fields_add_copy(f, slice_str(e->added[i].name), slice_str(e->added[i].value));
}
