/* SPDX-License-Identifier: MIT */
/* test_client_host_choice.c - which answers are doubted, and what is learned from asking again.
 * doubt.h, host_choice.h; rules R43, R44. */
#include "client/origin/host_choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct url local = {.port = 3000, .host = "localhost", .authority = "localhost:3000"};
static const struct rewrite automatic = {.mode = REWRITE_AUTO, .origin = &local};

static const struct {
    const char *what;
    int status;
    const char *name, *value; /* a field, or NULL */
    const char *body;
    bool may_be;
    enum doubt kind;
} answers[] = {
    {"R43 Vite", 403, NULL, NULL,
     "Blocked request. This host (\"app.example.com\") is not allowed.", true, DOUBT_READ},
    {"R43 Vite's WebSocket", 400, NULL, NULL, "Bad Request", true, DOUBT_READ},
    {"R43 webpack", 403, NULL, NULL, "Invalid Host header", true, DOUBT_READ},
    {"R43 Next.js", 403, NULL, NULL, "Unauthorized", true, DOUBT_READ},
    {"R43 Jupyter", 403, NULL, NULL, "<h1>403 : Forbidden</h1>", true, DOUBT_READ},
    {"R43 Jupyter's API", 403, NULL, NULL, "{\"message\": \"Forbidden\", \"reason\": null}", true,
     DOUBT_READ},
    {"R43 Django", 400, NULL, NULL, "<h1>Bad Request (400)</h1>", true, DOUBT_READ},
    {"R43 Django with DEBUG", 400, NULL, NULL, "<title>DisallowedHost\n at /</title>", true,
     DOUBT_READ},
    {"R43 Rails", 403, NULL, NULL, "<h1>Blocked hosts: a</h1>", true, DOUBT_READ},
    {"R43 it names the host", 403, NULL, NULL, "APP.example.com? Never heard of it.", true,
     DOUBT_READ},
    {"R43 no text", 403, NULL, NULL, "", true, DOUBT_SILENT},
    {"R43 blanks", 403, NULL, NULL, " \r\n", true, DOUBT_SILENT},
    {"R43 compressed", 403, "content-encoding", "gzip", "Invalid Host header", true, DOUBT_SILENT},
    {"R43 not compressed", 403, "content-encoding", "identity", "x", true, DOUBT_NONE},
    {"R44 another reason", 403, NULL, NULL, "You may not see this.", true, DOUBT_NONE},
    {"R44 more than the known text", 403, NULL, NULL, "Unauthorized: sign in first", true,
     DOUBT_NONE},
    {"R44 another status", 401, NULL, NULL, "Invalid Host header", false, DOUBT_READ},
    {"R44 not found", 404, NULL, NULL, "Invalid Host header", false, DOUBT_READ},
    {"R44 served", 200, NULL, NULL, "app.example.com", false, DOUBT_READ},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct message m;
        message_init(&m);
        m.status = answers[i].status;
        if (answers[i].name)
            fields_add(&m.fields, slice_str(answers[i].name), slice_str(answers[i].value));
        enum doubt kind =
            doubt_judge(&m, slice_str(answers[i].body), SLICE("app.example.com:8443"));
        if (doubt_may_be(&m) != answers[i].may_be || kind != answers[i].kind)
            fail_msg("%s: %d", answers[i].what, (int)kind);
        message_deinit(&m);
    }
}

/* R44: three tries, and one more for each that was given back. */
static void test_tries(void **state)
{
    struct host_choice c;
    host_choice_init(&c, &automatic);
    for (int i = 0; i < 3; i++)
        assert_true(host_choice_take(&c, &c.given));
    assert_false(host_choice_take(&c, &c.given));
    host_choice_give_back(&c);
    assert_true(host_choice_take(&c, &c.given));
    assert_false(host_choice_take(&c, &c.given));
    for (int i = 0; i < 5; i++)
        host_choice_give_back(&c);
    for (int i = 0; i < 3; i++)
        assert_true(host_choice_take(&c, &c.given));
    assert_false(host_choice_take(&c, &c.given));
}

/* R43: what is served by the service's own name decides, once. */
static void test_learning(void **state)
{
    struct host_choice c;
    host_choice_init(&c, &automatic);
    assert_ptr_equal(host_choice_now(&c), &c.given);
    assert_false(host_choice_note(&c, &c.given, 200, false));
    assert_ptr_equal(host_choice_now(&c), &c.given);
    assert_true(host_choice_note(&c, &c.local, 302, false));
    assert_false(host_choice_note(&c, &c.local, 200, false));
    assert_ptr_equal(host_choice_now(&c), &c.local);
    assert_int_equal(host_choice_now(&c)->mode, REWRITE_ALL);
    for (int i = 0; i < 5; i++) /* it is known now: no tries are counted */
        assert_true(host_choice_take(&c, &c.given));
    assert_false(host_choice_take(&c, &c.local));
}

/* R44: without a reason only what was never served is doubted. */
static void test_silence(void **state)
{
    struct host_choice c;
    host_choice_init(&c, &automatic);
    assert_true(host_choice_is_worth(&c, DOUBT_SILENT, false));
    assert_true(host_choice_is_worth(&c, DOUBT_NONE, true));
    assert_false(host_choice_is_worth(&c, DOUBT_NONE, false));
    host_choice_note(&c, &c.given, 302, false); /* a redirect serves nothing yet */
    assert_true(host_choice_is_worth(&c, DOUBT_SILENT, false));
    host_choice_note(&c, &c.given, 200, false);
    assert_false(host_choice_is_worth(&c, DOUBT_SILENT, false));
    assert_true(host_choice_is_worth(&c, DOUBT_READ, false));
    assert_true(host_choice_is_worth(&c, DOUBT_SILENT, true));
    host_choice_note(&c, &c.given, 101, true);
    assert_false(host_choice_is_worth(&c, DOUBT_SILENT, true));
}

/* R43: the other modes choose nothing. */
static void test_other_modes(void **state)
{
    static const enum rewrite_mode modes[] = {REWRITE_KEEP, REWRITE_VALUE, REWRITE_ALL};
    for (size_t i = 0; i < 3; i++) {
        const struct rewrite w = {.mode = modes[i], .value = "v.test", .origin = &local};
        struct host_choice c;
        host_choice_init(&c, &w);
        assert_false(host_choice_take(&c, &c.given));
        assert_int_equal(host_choice_now(&c)->mode, modes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_tries),
        cmocka_unit_test(test_learning),    cmocka_unit_test(test_silence),
        cmocka_unit_test(test_other_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
