/* SPDX-License-Identifier: MIT */
/* test_tokens.c - tests the tokens file as a whole, and what it permits whom: protocol.md#tokens */
#include "src/names/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define WORLD "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"
enum { NOW = 1700000000, LATER = 1798761600 /* 2027-01-01 */ };

static const char text[] = "# who may share\n"
                           "\n"
                           "ann sha256:" HELLO " names=demo-* max=2 until=2027-01-01\r\n"
                           "  bob sha256:" WORLD " reserve=team-* links=1 streams=7\n"
                           "eve cert domains=app.example.org\n"
                           "leap names=pub-*,team-x\n";

static struct tokens *make(const char *content)
{
    char reason[TOKENS_REASON_MAX] = "";
    struct tokens *t = tokens_of_text(slice_str(content), reason);
    if (!t)
        fail_msg("%s", reason);
    return t;
}

/* T1 */
static void test_find(void **state)
{
    struct tokens *t = make(text);
    struct token_grant g;
    assert_int_equal(tokens_count(t), 3);
    assert_int_equal(tokens_find(t, SLICE("hello"), NOW, &g), TOKEN_GOOD);
    assert_string_equal(g.id, "ann");
    assert_int_equal(g.max, 2);
    assert_int_equal(tokens_find(t, SLICE("world"), NOW, &g), TOKEN_GOOD);
    assert_string_equal(g.id, "bob");
    assert_int_equal(g.links, 1);
    assert_int_equal(g.streams, 7);
    assert_int_equal(tokens_find(t, SLICE("hello"), LATER, &g), TOKEN_OVER);
    assert_int_equal(tokens_find(t, SLICE("Hello"), NOW, &g), TOKEN_UNKNOWN);
    assert_string_equal(g.id, "");
    assert_int_equal(tokens_find(t, SLICE(""), NOW, &g), TOKEN_UNKNOWN);
    assert_int_equal(tokens_find(t, SLICE(HELLO), NOW, &g), TOKEN_UNKNOWN); /* the hash is none */
    char large[TOKEN_TEXT_MAX + 1];
    memset(large, 'a', sizeof large);
    assert_int_equal(tokens_find(t, slice_make(large, sizeof large), NOW, &g), TOKEN_UNKNOWN);
    tokens_free(t);
}

static const struct {
    const char *id, *name;
    int64_t now;
    enum token_verdict want;
} permits[] = {
    {"ann", "demo-1", NOW, TOKEN_GOOD},    {"ann", "app", NOW, TOKEN_NAME},
    {"ann", "team-a", NOW, TOKEN_NAME},    {"ann", "demo-1", LATER, TOKEN_OVER},
    {"bob", "team-a", NOW, TOKEN_GOOD},    {"bob", "anything", NOW, TOKEN_GOOD},
    {"eve", "anything", NOW, TOKEN_GOOD},  {"eve", "team-a", NOW, TOKEN_RESERVED},
    {"joe", "demo-1", NOW, TOKEN_UNKNOWN}, {"", "demo-1", NOW, TOKEN_NONE},
};

/* T1 T2 T4 */
static void test_permit(void **state)
{
    struct tokens *t = make(text);
    struct token_grant g;
    for (size_t i = 0; i < sizeof permits / sizeof *permits; i++) {
        enum token_verdict got =
            tokens_permit(t, slice_str(permits[i].id), slice_str(permits[i].name), permits[i].now);
        if (got != permits[i].want)
            fail_msg("%s, %s: %d", permits[i].id, permits[i].name, (int)got);
    }
    assert_int_equal(tokens_look(t, SLICE("ann"), LATER, &g), TOKEN_OVER);
    assert_int_equal(tokens_look(t, SLICE(""), NOW, &g), TOKEN_NONE);
    assert_int_equal(tokens_permit_domain(t, SLICE("eve"), SLICE("app.example.org"), NOW),
                     TOKEN_GOOD);
    assert_int_equal(tokens_permit_domain(t, SLICE("ann"), SLICE("app.example.org"), NOW),
                     TOKEN_DOMAIN);
    assert_true(tokens_permit_leap(t, SLICE("pub-1")));
    assert_false(tokens_permit_leap(t, SLICE("demo-1")));
    assert_false(tokens_permit_leap(t, SLICE("team-x"))); /* bob has it reserved */
    tokens_free(t);
}

/* T2: a random name fits the patterns of the token. */
static void test_fit(void **state)
{
    struct tokens *t = make("ann cert names=app,demo-*\nbob cert\njoe cert names=app\n");
    char out[NAME_MAX_LEN + 1];
    assert_int_equal(tokens_fit(t, SLICE("ann"), SLICE("word"), out), 0);
    assert_string_equal(out, "demo-word");
    assert_int_equal(tokens_fit(t, SLICE("bob"), SLICE("word"), out), 0);
    assert_string_equal(out, "word");
    assert_int_equal(tokens_fit(t, SLICE("joe"), SLICE("word"), out), ERR_DENIED);
    assert_int_equal(tokens_fit(NULL, SLICE(""), SLICE("word"), out), 0);
    assert_string_equal(out, "word");
    tokens_free(t);
}

/* T10: without a file everybody may share everything but domains. */
static void test_none(void **state)
{
    struct token_grant g;
    assert_int_equal(tokens_find(NULL, SLICE(""), NOW, &g), TOKEN_GOOD);
    assert_int_equal(tokens_look(NULL, SLICE(""), NOW, &g), TOKEN_GOOD);
    assert_int_equal(tokens_permit(NULL, SLICE(""), SLICE("app"), NOW), TOKEN_GOOD);
    assert_int_equal(tokens_permit_domain(NULL, SLICE(""), SLICE("a.org"), NOW), TOKEN_DOMAIN);
    assert_true(tokens_permit_leap(NULL, SLICE("app")));
    assert_int_equal(tokens_epoch(NULL, NOW), 0);
    assert_int_equal(tokens_count(NULL), 0);
    tokens_free(NULL);
}

static const struct {
    const char *content, *want;
} wrong[] = {
    {"ann cert\n\nbob\n", "tokens:3: "},
    {"ann cert\nann sha256:" HELLO "\n", "'ann' stands there twice"},
    {"ann sha256:" HELLO "\nbob sha256:" HELLO "\n", "'bob' stands there twice"},
    {"leap\n", "tokens:1: "},
    {"leap names=\n", "tokens:1: "},
    {"leap names=a b\n", "tokens:1: "},
    {"leap names=a\nleap names=b\n", "second one"},
    {"ann cert polcy=a\n", "not known"},
};

/* T3 */
static void test_wrong(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char reason[TOKENS_REASON_MAX] = "";
        struct tokens *t = tokens_of_text(slice_str(wrong[i].content), reason);
        if (t || !strstr(reason, wrong[i].want))
            fail_msg("'%s': '%s'", wrong[i].content, reason);
    }
    char reason[TOKENS_REASON_MAX] = "";
    assert_null(tokens_of_text(slice_make("ann cert\0names=a\n", 17), reason));
    assert_non_null(strstr(reason, "no text"));
}

static void put(const char *path, const char *content)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(content, f);
    assert_int_equal(fclose(f), 0);
}

static void note_call(void *user)
{
    *(bool *)user = true;
}

/* T3 T6: a reload takes the whole new file, or leaves the old one in use. The epoch changes with a
 * reload and with the end of a token's time. */
static void test_reload(void **state)
{
    char dir[] = "/tmp/test_tokens.XXXXXX", path[64], reason[TOKENS_REASON_MAX] = "";
    struct token_grant g;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/tokens", dir);
    assert_null(tokens_open(path, reason));
    assert_non_null(strstr(reason, path));
    put(path, text);
    struct tokens *t = tokens_open(path, reason);
    assert_non_null(t);
    uint64_t first = tokens_epoch(t, NOW);
    assert_true(tokens_epoch(t, NOW + 1) == first);
    assert_true(tokens_epoch(t, LATER) != first);
    put(path, "ann cert\nbob\n");
    assert_null(tokens_open(path, reason));
    assert_non_null(strstr(reason, ":2: "));
    assert_int_equal(tokens_find(t, SLICE("hello"), NOW, &g), TOKEN_GOOD);
    assert_true(tokens_epoch(t, NOW) == first);
    put(path, "bob sha256:" WORLD "\n");
    struct tokens *fresh = tokens_open(path, reason);
    assert_non_null(fresh);
    bool called = false;
    tokens_take(t, fresh, note_call, &called);
    assert_true(called);
    assert_int_equal(tokens_find(t, SLICE("hello"), NOW, &g), TOKEN_UNKNOWN);
    assert_int_equal(tokens_find(t, SLICE("world"), NOW, &g), TOKEN_GOOD);
    assert_true(tokens_epoch(t, NOW) != first);
    assert_int_equal(chmod(path, 0666), 0);
    assert_null(tokens_open(path, reason));
    assert_int_equal(unlink(path), 0);
    assert_null(tokens_open(path, reason));
    assert_int_equal(tokens_find(t, SLICE("world"), NOW, &g), TOKEN_GOOD);
    tokens_free(t);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find), cmocka_unit_test(test_permit), cmocka_unit_test(test_fit),
        cmocka_unit_test(test_none), cmocka_unit_test(test_wrong),  cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
