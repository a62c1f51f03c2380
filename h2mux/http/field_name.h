/* SPDX-License-Identifier: MIT */
/* field_name.h - says which rules are about a field, by its name in any spelling. Every function
 * that treats some names apart asks here: for requests, responses and trailers. Pure.
 *
 * Programs behind CGI-like interfaces, and some front ends, take different bytes for the same one:
 * "X_Real_IP", "X.Real.IP" and "X!Real!IP" may all become X-Real-IP. So names are compared folded:
 * upper case is lower case, and every byte that is no letter and no digit is '-' (rule H16). A name
 * that equals one of the table only when folded is an alias. It has the rules of the real name, and
 * FIELD_ALIAS: it is dropped, and nothing is read from it. */
#ifndef H2MUX_HTTP_FIELD_NAME_H
#define H2MUX_HTTP_FIELD_NAME_H

#include "h2mux/base/slice.h"

/* The rules that a name can have, as bits. */
enum field_rule {
    FIELD_HOP = 1,         /* it is meant for one connection (H2, R14) */
    FIELD_PROTECTED = 2,   /* Connection must not name it (H2) */
    FIELD_NOT_TRAILER = 4, /* it is dropped from trailers (R13, Q29) */
    FIELD_SECRET = 8,      /* it never enters a compression table (H11) */
    FIELD_FORWARDED = 16,  /* it says who a viewer is (H7) */
    FIELD_REWRITTEN = 32,  /* of those, the ones that oneportd writes itself (H7) */
    FIELD_PROXY_ONLY = 64, /* only a proxy may say it, so it is dropped by default (H18) */
    FIELD_NEVER = 128,     /* no request may have it (H19) */
    FIELD_ID = 256,        /* X-Request-Id (H10) */
    FIELD_OURS = 512,      /* oneport-*: the two programs speak by it (H10, R14) */
    FIELD_STEERS = 1024,   /* a response's: the hop in front of oneportd obeys it (R14, R19) */
    FIELD_OBEYED = 2048,   /* something is read from it; it has no other rule */
    FIELD_ALIAS = 4096     /* the name is spelled in another way */
};

enum { FIELD_NAME_MAX = 25 /* of the names that are in the table as a whole */ };

/* For each length, the first letters of names that may have a rule, as bits of (byte & 31). The
 * last one is for all longer names. */
extern const uint32_t field_first_letters[FIELD_NAME_MAX + 2];

/* Looks @name, which is not empty, up in the table. For field_rules alone. */
unsigned field_rules_look_up(struct slice name);

/* Returns the rules of @name, or 0. */
static inline unsigned field_rules(struct slice name)
{
    size_t len = name.len <= FIELD_NAME_MAX ? name.len : FIELD_NAME_MAX + 1;
    if (len == 0 || (field_first_letters[len] >> ((unsigned char)name.ptr[0] & 31) & 1) == 0)
        return 0;
    return field_rules_look_up(name);
}

/* Returns whether two names are the same when folded. */
bool field_names_fold_equal(const char *a, const char *b, size_t len);
static inline bool field_name_is(struct slice a, struct slice b)
{
    return a.len == b.len && field_names_fold_equal(a.ptr, b.ptr, a.len);
}

#endif
