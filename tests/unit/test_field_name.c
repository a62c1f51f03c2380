/* SPDX-License-Identifier: MIT */
/* test_field_name.c - tests which rules a name has, in which spelling: rule H16. */
#include "h2mux/http/field_name.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    HOP = FIELD_HOP | FIELD_NOT_TRAILER,
    FORWARDED = FIELD_FORWARDED | FIELD_NOT_TRAILER,
    REWRITTEN = FORWARDED | FIELD_REWRITTEN | FIELD_PROTECTED,
    SECRET = FIELD_SECRET | FIELD_NOT_TRAILER,
    FRAMING = FIELD_OBEYED | FIELD_PROTECTED | FIELD_NOT_TRAILER
};

/* Each name of the table, and some that begin as a rule says, in the spelling that has a dash. */
static const struct {
    const char *name;
    unsigned rules;
} rows[] = {
    {"te", HOP},
    {"via", FIELD_NOT_TRAILER},
    {"host", FRAMING},
    {"proxy", FIELD_NEVER},
    {"range", FIELD_NOT_TRAILER},
    {"cookie", SECRET | FIELD_PROTECTED},
    {"expect", FIELD_NOT_TRAILER},
    {"alt-svc", FIELD_STEERS},
    {"trailer", FIELD_NOT_TRAILER},
    {"upgrade", HOP},
    {"location", FIELD_NOT_TRAILER},
    {"client-ip", FIELD_PROXY_ONLY},
    {"x-api-key", FIELD_SECRET},
    {"x-real-ip", FORWARDED},
    {"connection", HOP},
    {"keep-alive", HOP},
    {"set-cookie", SECRET},
    {"x-client-ip", FIELD_PROXY_ONLY},
    {"content-type", FIELD_NOT_TRAILER},
    {"max-forwards", FIELD_NOT_TRAILER},
    {"x-auth-token", FIELD_SECRET},
    {"x-csrf-token", FIELD_SECRET},
    {"x-request-id", FIELD_ID},
    {"x-xsrf-token", FIELD_SECRET},
    {"authorization", SECRET | FIELD_PROTECTED},
    {"cache-control", FIELD_NOT_TRAILER},
    {"content-range", FIELD_NOT_TRAILER},
    {"x-rewrite-url", FIELD_PROXY_ONLY},
    {"content-length", FRAMING},
    {"http2-settings", HOP},
    {"true-client-ip", FIELD_PROXY_ONLY},
    {"x-original-url", FIELD_PROXY_ONLY},
    {"x-accel-mapping", FIELD_PROXY_ONLY | FIELD_STEERS},
    {"x-forwarded-for", REWRITTEN},
    {"x-sendfile-type", FIELD_PROXY_ONLY | FIELD_STEERS},
    {"cf-connecting-ip", FIELD_PROXY_ONLY},
    {"content-encoding", FIELD_NOT_TRAILER},
    {"proxy-connection", HOP},
    {"www-authenticate", FIELD_NOT_TRAILER},
    {"x-forwarded-host", REWRITTEN},
    {"x-forwarded-port", REWRITTEN},
    {"sec-websocket-key", FIELD_OBEYED},
    {"transfer-encoding", HOP | FIELD_PROTECTED},
    {"x-forwarded-proto", REWRITTEN},
    {"proxy-authenticate", FIELD_NOT_TRAILER},
    {"authentication-info", FIELD_NOT_TRAILER},
    {"proxy-authorization", SECRET},
    {"sec-websocket-accept", FIELD_OBEYED},
    {"sec-websocket-version", FIELD_OBEYED},
    {"sec-websocket-protocol", FIELD_OBEYED},
    {"x-middleware-subrequest", FIELD_PROXY_ONLY},
    {"sec-websocket-extensions", FIELD_OBEYED},
    {"proxy-authentication-info", FIELD_NOT_TRAILER},
    {"forwarded", FORWARDED},
    {"forwarded-for", FORWARDED},
    {"oneport-error", FIELD_OURS | FIELD_NOT_TRAILER},
    {"x-accel-redirect", FIELD_STEERS},
    {"x-accel-buffering", FIELD_STEERS},
    {"x-forwarded", FORWARDED | FIELD_PROTECTED},
    {"x-forwarded-prefix", FORWARDED | FIELD_PROTECTED},
    {"x-forwarded-a-name-that-is-longer-than-all-others", FORWARDED | FIELD_PROTECTED},
    {"x-lighttpd-send-file", FIELD_STEERS},
    {"x-litespeed-location", FIELD_STEERS},
    {"x-reproxy-url", FIELD_STEERS},
    {"x-sendfile", FIELD_STEERS},
    {"x-sendfile2", FIELD_STEERS},
    {"accept", 0},
    {"cookies", 0},
    {"content-lengths", 0},
    {"contentxlength", 0},
    {"x-real-i", 0},
    {"x-reals-ip", 0},
    {"oneport", 0},
    {"x-accel", 0},
    {"x-forwarde", 0},
    {"content--length", 0},
    {"x", 0},
    {"", 0},
};

static void check(const char *name, unsigned want)
{
    char *exact = xstrdup(name); /* so that ASan sees a byte too many */
    unsigned got = field_rules(slice_make(exact, strlen(exact)));
    if (got != want)
        fail_msg("H16 %s: %#x, want %#x", name, got, want);
    free(exact);
}

static void rules_are_known(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(rows[i].name, rows[i].rules);
}

/* H16: case changes nothing. Any byte that is no letter and no digit stands for '-'; the name is
 * then an alias, if the dash is one that the table has. */
static void spellings_are_one(void **state)
{
    char text[80];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].name);
        for (size_t at = 0; at <= len; at++)
            text[at] = (char)toupper((unsigned char)rows[i].name[at]);
        check(text, rows[i].rules);
        memcpy(text, rows[i].name, len + 1);
        char *dash = strchr(text, '-');
        for (int c = 1; dash && c < 256; c++) {
            if (isalnum(c) || c == '-' || c == ('-' & ~0x20))
                continue; /* CR is in no name: it would be taken for '-' */
            *dash = (char)c;
            check(text, rows[i].rules == 0 ? 0
                        : strncmp(rows[i].name, "forwarded", 9) == 0
                            ? rows[i].rules /* the dash is behind what the table has */
                            : rows[i].rules | FIELD_ALIAS);
        }
    }
}

static void names_are_compared_folded(void **state)
{
    assert_true(field_name_is(SLICE("X-Own_Name.1"), SLICE("x.own-name!1")));
    assert_false(field_name_is(SLICE("x-own"), SLICE("x-own-")));
    assert_false(field_name_is(SLICE("x1own"), SLICE("x-own")));
    assert_true(field_name_is(SLICE(""), SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_known),
        cmocka_unit_test(spellings_are_one),
        cmocka_unit_test(names_are_compared_folded),
    };
    return cmocka_run_group_tests_name("field_name", tests, NULL, NULL);
}
