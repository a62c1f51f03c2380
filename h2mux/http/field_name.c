/* SPDX-License-Identifier: MIT */
/* field_name.c - the table of names that have rules; see field_name.h. */
#include "h2mux/http/field_name.h"

#include "h2mux/http/bytes.h"

enum { SAME_LENGTH_MAX = 7 };

/* A name, or the beginning of names, in lower case. */
struct row {
    const char *name;
    unsigned rules;
};

#define HOP (FIELD_HOP | FIELD_NOT_TRAILER)
#define FORWARDED (FIELD_FORWARDED | FIELD_NOT_TRAILER)
#define REWRITTEN (FORWARDED | FIELD_REWRITTEN | FIELD_PROTECTED)
#define SECRET (FIELD_SECRET | FIELD_NOT_TRAILER)
#define LENGTH (FIELD_OBEYED | FIELD_PROTECTED | FIELD_NOT_TRAILER)

/* Whole names, by their length. An array that is not full ends with a NULL. */
static const struct row names[FIELD_NAME_MAX + 1][SAME_LENGTH_MAX] = {
    [2] = {{"te", HOP}},
    [3] = {{"via", FIELD_NOT_TRAILER}},
    [4] = {{"host", LENGTH}},
    [5] = {{"proxy", FIELD_NEVER}, {"range", FIELD_NOT_TRAILER}},
    [6] = {{"cookie", SECRET | FIELD_PROTECTED}, {"expect", FIELD_NOT_TRAILER}},
    [7] = {{"alt-svc", FIELD_STEERS}, {"trailer", FIELD_NOT_TRAILER}, {"upgrade", HOP}},
    [8] = {{"location", FIELD_NOT_TRAILER}},
    [9] = {{"client-ip", FIELD_PROXY_ONLY}, {"x-api-key", FIELD_SECRET}, {"x-real-ip", FORWARDED}},
    [10] = {{"connection", HOP}, {"keep-alive", HOP}, {"set-cookie", SECRET}},
    [11] = {{"x-client-ip", FIELD_PROXY_ONLY}},
    [12] = {{"content-type", FIELD_NOT_TRAILER},
            {"max-forwards", FIELD_NOT_TRAILER},
            {"x-auth-token", FIELD_SECRET},
            {"x-csrf-token", FIELD_SECRET},
            {"x-request-id", FIELD_ID},
            {"x-xsrf-token", FIELD_SECRET}},
    [13] = {{"authorization", SECRET | FIELD_PROTECTED},
            {"cache-control", FIELD_NOT_TRAILER},
            {"content-range", FIELD_NOT_TRAILER},
            {"x-rewrite-url", FIELD_PROXY_ONLY}},
    [14] = {{"content-length", LENGTH},
            {"http2-settings", HOP},
            {"true-client-ip", FIELD_PROXY_ONLY},
            {"x-original-url", FIELD_PROXY_ONLY}},
    [15] = {{"x-accel-mapping", FIELD_PROXY_ONLY | FIELD_STEERS},
            {"x-forwarded-for", REWRITTEN},
            {"x-sendfile-type", FIELD_PROXY_ONLY | FIELD_STEERS}},
    [16] = {{"cf-connecting-ip", FIELD_PROXY_ONLY},
            {"content-encoding", FIELD_NOT_TRAILER},
            {"proxy-connection", HOP},
            {"www-authenticate", FIELD_NOT_TRAILER},
            {"x-forwarded-host", REWRITTEN},
            {"x-forwarded-port", REWRITTEN}},
    [17] = {{"sec-websocket-key", FIELD_OBEYED},
            {"transfer-encoding", HOP | FIELD_PROTECTED},
            {"x-forwarded-proto", REWRITTEN}},
    [18] = {{"proxy-authenticate", FIELD_NOT_TRAILER}},
    [19] = {{"authentication-info", FIELD_NOT_TRAILER}, {"proxy-authorization", SECRET}},
    [20] = {{"sec-websocket-accept", FIELD_OBEYED}},
    [21] = {{"sec-websocket-version", FIELD_OBEYED}},
    [22] = {{"sec-websocket-protocol", FIELD_OBEYED}},
    [23] = {{"x-middleware-subrequest", FIELD_PROXY_ONLY}},
    [24] = {{"sec-websocket-extensions", FIELD_OBEYED}},
    [25] = {{"proxy-authentication-info", FIELD_NOT_TRAILER}},
};

/* Beginnings of names that are not in the table as a whole. */
static const struct {
    struct row row;
    size_t len;
} prefixes[] = {
    {{"forwarded", FORWARDED}, 9},       {{"oneport-", FIELD_OURS | FIELD_NOT_TRAILER}, 8},
    {{"x-accel-", FIELD_STEERS}, 8},     {{"x-forwarded", FORWARDED | FIELD_PROTECTED}, 11},
    {{"x-lighttpd-", FIELD_STEERS}, 11}, {{"x-litespeed-", FIELD_STEERS}, 12},
    {{"x-reproxy-", FIELD_STEERS}, 10},  {{"x-sendfile", FIELD_STEERS}, 10},
};

#define L(letter) (UINT32_C(1) << ((letter)&31))
#define PREFIXED (L('f') | L('o') | L('x'))

const uint32_t field_first_letters[FIELD_NAME_MAX + 2] = {
    [2] = L('t'),
    [3] = L('v'),
    [4] = L('h'),
    [5] = L('p') | L('r'),
    [6] = L('c') | L('e'),
    [7] = L('a') | L('t') | L('u'),
    [8] = PREFIXED | L('l'),
    [9] = PREFIXED | L('c'),
    [10] = PREFIXED | L('c') | L('k') | L('s'),
    [11] = PREFIXED,
    [12] = PREFIXED | L('c') | L('m'),
    [13] = PREFIXED | L('a') | L('c'),
    [14] = PREFIXED | L('c') | L('h') | L('t'),
    [15] = PREFIXED,
    [16] = PREFIXED | L('c') | L('p') | L('w'),
    [17] = PREFIXED | L('s') | L('t'),
    [18] = PREFIXED | L('p'),
    [19] = PREFIXED | L('a') | L('p'),
    [20] = PREFIXED | L('s'),
    [21] = PREFIXED | L('s'),
    [22] = PREFIXED | L('s'),
    [23] = PREFIXED,
    [24] = PREFIXED | L('s'),
    [25] = PREFIXED | L('p'),
    [26] = PREFIXED,
};

/* Returns @c as names are compared. */
static unsigned char fold(unsigned char c)
{
    if (byte_is_alpha(c))
        return c | 0x20;
    return byte_is_digit(c) ? c : '-';
}

bool field_names_fold_equal(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (fold((unsigned char)a[i]) != fold((unsigned char)b[i]))
            return false;
    return true;
}

/* Returns whether eight bytes are the same but for bit 5, which is the case of a letter. No two
 * other bytes of a token differ in that bit alone, if one of them is a digit or '-'. */
static bool same_eight(const char *a, const char *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return ((x ^ y) & ~UINT64_C(0x2020202020202020)) == 0;
}

/* Returns whether @name is that of the table but for case. */
static bool same(const char *name, const char *row, size_t len)
{
    if (len < 8)
        return ascii_ieq(name, row, len);
    for (size_t i = 0; i + 8 < len; i += 8)
        if (!same_eight(name + i, row + i))
            return false;
    return same_eight(name + len - 8, row + len - 8);
}

/* Returns the rules of @row for a name whose first @len bytes are @name, or 0 when they differ. */
static unsigned match(const struct row *row, const char *name, size_t len)
{
    if (same(name, row->name, len))
        return row->rules;
    return field_names_fold_equal(name, row->name, len) ? row->rules | FIELD_ALIAS : 0;
}

/* Returns whether two bytes are the same but for case. */
static bool same_letter(char a, char b)
{
    return ((a ^ b) & 31) == 0;
}

/* The second byte is not compared, since it is '-' in most of these names. */
static unsigned look_up_prefix(struct slice name)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct row *row = &prefixes[i].row;
        if (name.len < prefixes[i].len || !same_letter(name.ptr[3], row->name[3]) ||
            !same_letter(name.ptr[2], row->name[2]) || !same_letter(name.ptr[0], row->name[0]))
            continue;
        unsigned rules = match(row, name.ptr, prefixes[i].len);
        if (rules != 0)
            return rules;
    }
    return 0;
}

/* The names of the table begin and end with a letter, so a byte that is folded stands between. */
static unsigned look_up_whole(struct slice name)
{
    const struct row *rows = names[name.len];
    for (size_t i = 0; i < SAME_LENGTH_MAX && rows[i].name; i++) {
        if (!same_letter(rows[i].name[0], name.ptr[0]) ||
            !same_letter(rows[i].name[name.len - 1], name.ptr[name.len - 1]))
            continue;
        unsigned rules = match(&rows[i], name.ptr, name.len);
        if (rules != 0)
            return rules;
    }
    return 0;
}

unsigned field_rules_look_up(struct slice name)
{
    unsigned rules = name.len <= FIELD_NAME_MAX ? look_up_whole(name) : 0;
    bool prefixed = PREFIXED >> ((unsigned char)name.ptr[0] & 31) & 1;
    return rules == 0 && prefixed ? look_up_prefix(name) : rules;
}
