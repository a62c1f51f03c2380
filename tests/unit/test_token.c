/* SPDX-License-Identifier: MIT */
/* test_token.c - tests lines of the tokens file and patterns of names: protocol.md#tokens */
#include "src/names/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "h2mux/base/err.h"
#include "src/names/name_index.h"
#include "src/names/name_pattern.h"

#define HEX64 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */
#define ANN "ann sha256:" HEX64

/* What a line is refused for; NULL: it is accepted. */
static const struct {
    const char *line, *want;
} lines[] = {
    {ANN, NULL},
    {ANN " names=demo-*,app", NULL},
    {"\tann   sha256:" HEX64 "  max=5 ", NULL},
    {"ann cert", NULL},
    {"a.b_c@example.org sha256:" HEX64, NULL},
    {ANN " the laptop of Ann", NULL},
    {ANN " max=5 links=4 streams=100 until=2027-01-01 reserve=team-* domains=app.example.org",
     NULL},
    {ANN " until=2027-01-01T12:30:00Z", NULL},
    {ANN " domains=app.example.org,b.example.org", NULL},
    {"", "ID"},
    {"ann", "sha256:"},
    {"ann " HEX64, "sha256:"},
    {"ann sha256:" HEX64 "00", "sha256:"},
    {"ann sha256:abc", "sha256:"},
    {"ann sha256:zz" HEX64, "sha256:"},
    {"ann md5:" HEX64, "sha256:"},
    {"-ann sha256:" HEX64, "ID"},
    {"@ann sha256:" HEX64, "ID"},
    {"an/n sha256:" HEX64, "ID"},
    {"leap sha256:" HEX64, "ID"},
    {ANN " polcy=x", "not known"},
    {ANN " policy=x", NULL},
    {ANN " policy=", "policy"},
    {ANN " policy=a/b", "policy"},
    {ANN " policy=a policy=b", "twice"},
    {ANN " names=", "patterns"},
    {ANN " names=,a", "patterns"},
    {ANN " names=a,", "patterns"},
    {ANN " names=A*", "patterns"},
    {ANN " reserve=a b", NULL}, /* "b" is the comment */
    {ANN " max=0", "number"},
    {ANN " max=many", "number"},
    {ANN " links=1000001", "number"},
    {ANN " max=1 max=2", "twice"},
    {ANN " names=a names=b", "twice"},
    {ANN " until=2027-01-01 until=2028-01-01", "twice"},
    {ANN " until=tomorrow", "day"},
    {ANN " until=2027-02-31", "day"},
    {ANN " until=2027-1-1", "day"},
    {ANN " until=1969-01-01", "day"},
    {ANN " until=2027-01-01T12:30:00", "day"},
    {ANN " domains=localhost", "hosts"},
    {ANN " domains=App.example.org", "hosts"},
    {ANN " domains=*.example.org", "hosts"},
    {ANN " domains=a.example.org,", "hosts"},
    {ANN " domains=a..example.org", "hosts"},
    {ANN " domains=-a.example.org", "hosts"},
    {ANN " for Ann until=2027-01-01", "behind the comment"},
    {ANN " =x", NULL}, /* no key: the comment */
};

/* T3 */
static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct token t;
        const char *why = NULL;
        int err = token_parse(slice_str(lines[i].line), &t, &why);
        if ((err == 0) != !lines[i].want || (err < 0 && !strstr(why, lines[i].want)))
            fail_msg("'%s': %d, %s", lines[i].line, err, why ? why : "accepted");
    }
}

/* T1 T2 T7: what a line says is what the token has. */
static void test_members(void **state)
{
    struct token t;
    const char *why;
    uint8_t hash[TOKEN_HASH_LEN];
    struct slice line = SLICE(ANN " names=demo-*,app reserve=team-? max=5 links=4 streams=9 "
                                  "until=2027-01-01 x");
    assert_int_equal(token_parse(line, &t, &why), ERR_SYNTAX); /* '?' is no wildcard */
    line = SLICE(ANN " names=demo-*,app reserve=team-* max=5 links=4 streams=9 until=2027-01-01 x "
                     "domains");
    assert_int_equal(token_parse(line, &t, &why), 0);
    assert_string_equal(t.id, "ann");
    assert_int_equal(token_hash(SLICE("hello"), hash), 0);
    assert_memory_equal(t.hash, hash, TOKEN_HASH_LEN);
    assert_true(t.secret);
    assert_int_equal(t.max, 5);
    assert_int_equal(t.links, 4);
    assert_int_equal(t.streams, 9);
    assert_int_equal(t.until, 1798761600);
    assert_false(token_is_over(&t, t.until - 1));
    assert_true(token_is_over(&t, t.until));
    assert_true(token_permits(&t, SLICE("demo-1")) && token_permits(&t, SLICE("app")));
    assert_true(token_permits(&t, SLICE("team-a"))); /* what is reserved is permitted */
    assert_false(token_permits(&t, SLICE("apps")) || token_permits(&t, SLICE("demo")));
    assert_false(token_has_domain(&t, SLICE("app.example.org")));
    assert_int_equal(token_parse(SLICE("ann cert domains=a.example.org,b.example.org"), &t, &why),
                     0);
    assert_false(t.secret);
    assert_true(token_permits(&t, SLICE("anything")));
    assert_true(token_has_domain(&t, SLICE("b.example.org")));
    assert_false(token_has_domain(&t, SLICE("example.org")));
    assert_false(token_has_domain(&t, SLICE("a.example.org,b.example.org")));
}

static const struct {
    const char *list, *name;
    bool want;
} matches[] = {
    {"app", "app", true},
    {"app", "apps", false},
    {"app", "ap", false},
    {"*", "app", true},
    {"demo-*", "demo-1", true},
    {"demo-*", "demo-", true},
    {"demo-*", "demo", false},
    {"*-demo", "x-demo", true},
    {"*-demo", "x-demos", false},
    {"a*b*c", "abc", true},
    {"a*b*c", "a-b-b-c", true},
    {"a*b*c", "a-c-b", false},
    {"a**c", "ac", true},
    {"x,demo-*", "demo-1", true},
    {"demo-*,x", "x", true},
    {"x,y", "x,y", false},
    {"", "app", false},
    {"*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

/* T2 */
static void test_patterns(void **state)
{
    for (size_t i = 0; i < sizeof matches / sizeof *matches; i++)
        if (name_patterns_match(slice_str(matches[i].list), slice_str(matches[i].name)) !=
            matches[i].want)
            fail_msg("%s, %s", matches[i].list, matches[i].name);
}

/* T2: a random name takes the place of the first '*'. */
static void test_fill(void **state)
{
    char out[NAME_MAX_LEN + 1], word[NAME_MAX_LEN + 1] = "";
    assert_int_equal(name_patterns_fill(SLICE("app,a-*-b*"), SLICE("x"), out), 0);
    assert_string_equal(out, "a-x-b");
    assert_int_equal(name_patterns_fill(SLICE("app,b"), SLICE("x"), out), ERR_NOT_FOUND);
    assert_int_equal(name_patterns_fill(SLICE(""), SLICE("x"), out), ERR_NOT_FOUND);
    memset(word, 'w', NAME_MAX_LEN);
    assert_int_equal(name_patterns_fill(SLICE("*"), slice_str(word), out), 0);
    assert_int_equal(name_patterns_fill(SLICE("a*"), slice_str(word), out), ERR_LIMIT);
}

/* T1: new tokens differ and are texts that a field can carry. */
static void test_new(void **state)
{
    char a[TOKEN_TEXT_LEN + 1], b[TOKEN_TEXT_LEN + 1];
    assert_int_equal(token_new(a), 0);
    assert_int_equal(token_new(b), 0);
    assert_int_equal(strlen(a), TOKEN_TEXT_LEN);
    assert_string_not_equal(a, b);
    assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
                     TOKEN_TEXT_LEN);
}

/* T2: an index of patterns finds what they match one by one. */
static void test_index(void **state)
{
    static const char *const lists[] = {"app", "team-*,x", "*-ann", "a*b*", "*", "te*"};
    static const char *const names[] = {"",     "a",     "app", "apps", "team-", "team-x",
                                        "team", "x-ann", "ann", "ab",   "axbx",  "*",
                                        "te",   "x",     "tea", "t",    "-ann"};
    for (size_t set = 0; set < 1 << (sizeof lists / sizeof *lists); set++) {
        struct name_index index;
        name_index_init(&index);
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            if (set >> i & 1)
                name_index_add(&index, slice_str(lists[i]));
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            bool any = false;
            for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
                any |=
                    (set >> i & 1) && name_patterns_match(slice_str(lists[i]), slice_str(names[n]));
            if (name_index_match(&index, slice_str(names[n])) != any)
                fail_msg("%zu %s", set, names[n]);
        }
        name_index_deinit(&index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_members),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_fill),
        cmocka_unit_test(test_new),      cmocka_unit_test(test_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
