/* SPDX-License-Identifier: MIT */
/* login.c - see login.h. A doubtful value counts as a sign-in: that costs one connection, and the
 * opposite gives one viewer's rights to another. */
#include "client/origin/login.h"

#include "h2mux/http/bytes.h"
#include "h2mux/http/field_name.h"

/* Nego2 and PKU2U are what IIS and Windows call later versions of Negotiate. */
static const char *const schemes[] = {"NTLM", "Negotiate", "Kerberos", "Nego2", "PKU2U"};

/* Takes the next token that stands outside of quotes off @value. Returns false at the end. A quote
 * that is never closed quotes nothing. */
static bool next_word(struct slice *value, struct slice *word)
{
    size_t i = 0;
    while (i < value->len && !byte_is_token((unsigned char)value->ptr[i])) {
        size_t end = i + 1;
        if (value->ptr[i] == '"') {
            while (end < value->len && value->ptr[end] != '"')
                end += value->ptr[end] == '\\' ? 2 : 1;
            end = end < value->len ? end + 1 : i + 1;
        }
        i = end;
    }
    *value = slice_skip(*value, i);
    for (i = 0; i < value->len && byte_is_token((unsigned char)value->ptr[i]);)
        i++;
    *word = slice_make(value->ptr, i);
    *value = slice_skip(*value, i);
    return i > 0;
}

int login_parse(const char *value, enum login_policy *out)
{
    bool viewer = strcmp(value, "viewer") == 0;
    *out = viewer ? LOGIN_VIEWER : LOGIN_OFF;
    return viewer || strcmp(value, "off") == 0 ? 0 : ERR_SYNTAX;
}

struct slice login_owner(const struct fields *f)
{
    const struct slice name = SLICE("oneport-viewer-connection");
    struct slice owner = fields_value(f, name);
    return fields_count(f, name) == 1 && owner.len <= LOGIN_OWNER_MAX ? owner : SLICE("");
}

static const char *scheme_in(struct slice value)
{
    struct slice word;
    while (next_word(&value, &word))
        for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
            if (slice_ieq(word, slice_str(schemes[i])))
                return schemes[i];
    return NULL;
}

/* Looks at all fields that have one of two names. */
static const char *scheme_among(const struct fields *f, struct slice one, struct slice other)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *it = &f->v[i];
        const char *scheme = NULL;
        if (field_name_is(it->name, one) || field_name_is(it->name, other))
            scheme = scheme_in(it->value);
        if (scheme)
            return scheme;
    }
    return NULL;
}

const char *login_of_request(const struct fields *f)
{
    return scheme_among(f, SLICE("authorization"), SLICE("proxy-authorization"));
}

const char *login_of_response(const struct fields *f)
{
    const char *scheme = scheme_among(f, SLICE("www-authenticate"), SLICE("proxy-authenticate"));
    /* IIS says so of a connection that is signed in. */
    struct slice persistent = fields_value(f, SLICE("persistent-auth"));
    return !scheme && slice_ieq(persistent, SLICE("true")) ? "Negotiate" : scheme;
}
