/* SPDX-License-Identifier: MIT */
/* test_client_policy.c - tests what the client's options say to the server: rule P5. */
#include "client/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/alloc.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static const struct {
    const char *name;
    struct policy_options o;
    int64_t until_s;
    const char *want;
} rows[] = {
    {"P5 nothing", {.rate = 0}, 0, NULL},
    {"P5 networks",
     {.allow = {.item = {"192.0.2.0/24", "::1"}, .count = 2},
      .deny = {.item = {"192.0.2.7"}, .count = 1}},
     0,
     "{\"allow\":[\"192.0.2.0/24\",\"::1\"],\"deny\":[\"192.0.2.7\"]}"},
    {"P5 numbers",
     {.rate = 5, .viewers = 20},
     1800000000,
     "{\"rate\":5,\"until\":1800000000,\"viewers\":20}"},
    {"P5 both ways",
     {.header_add = {.item = {"X-A:  b \"c\""}, .count = 1}},
     0,
     "{\"request_add\":[[\"X-A\",\"b \\\"c\\\"\"]],\"response_add\":[[\"X-A\",\"b \\\"c\\\"\"]]}"},
    {"P5 one way",
     {.header_add = {.item = {"request X-A: b", "response X-B:"}, .count = 2},
      .header_remove = {.item = {"response Server", "request: "}, .count = 1}},
     0,
     "{\"request_add\":[[\"X-A\",\"b\"]],\"response_add\":[[\"X-B\",\"\"]],"
     "\"response_remove\":[\"Server\"]}"},
    {"P5 a field named request",
     {.header_add = {.item = {"request: b"}, .count = 1}},
     0,
     "{\"request_add\":[[\"request\",\"b\"]],\"response_add\":[[\"request\",\"b\"]]}"},
};

static const struct users nobody;
static const struct share_keys no_keys;

/* P5 */
static void test_users(void **state)
{
    char ann[] = "ann", hash[] = "$y$x";
    struct users users = {.v = {{ann, hash}}, .n = 1};
    struct policy_options o = {.cors = true, .public = {.item = {"/a", "/b/"}, .count = 2}};
    char *text = policy_write(&o, &users, &no_keys, 0);
    assert_string_equal(
        text, "{\"cors\":true,\"public\":[\"/a\",\"/b/\"],\"users\":[[\"ann\",\"$y$x\"]]}");
    free(text);
}

/* P24: the hash is one that the server takes, another one each time. */
static void test_hashes(void **state)
{
    struct opt_list list = {.item = {"ann:a:b", "bob:c"}, .count = 2};
    struct users one, two;
    char why[USERS_WHY_MAX];
    assert_int_equal(users_read(&list, NULL, &one, why), 0);
    assert_int_equal(users_read(&list, NULL, &two, why), 0);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.v[0].name, "ann");
    assert_int_equal(strncmp(one.v[0].hash, "$y$j9T$", 7), 0);
    assert_string_not_equal(one.v[0].hash, two.v[0].hash);
    users_free(&one);
    users_free(&two);
    assert_true(users_read(&list, "/nonexistent", &one, why) < 0 && strstr(why, "/nonexistent"));
    users_free(&one);
}

/* P26: other keys each time, whose hashes alone are said. */
static void test_keys(void **state)
{
    struct opt_list list = {.item = {"ann:2h:1", "bob"}, .count = 2};
    struct policy_options o = {.rate = 0};
    struct share_keys one, two;
    assert_int_equal(share_keys_make(&list, 1000, &one), 0);
    assert_int_equal(share_keys_make(&list, 1000, &two), 0);
    assert_int_equal(strlen(one.v[0].key), 43);
    assert_string_not_equal(one.v[0].key, two.v[0].key);
    assert_int_equal(one.v[0].until_s, 1000 + 7200);
    char *text = policy_write(&o, &nobody, &one, 0);
    assert_null(strstr(text, one.v[0].key));
    assert_non_null(strstr(text, one.v[1].hash));
    assert_non_null(strstr(text, ",8200,1],[\"bob\","));
    free(text);
    share_keys_free(&one);
    share_keys_free(&two);
}

/* P24: ps shows no password. */
static void test_hiding(void **state)
{
    char program[] = "oneport", option[] = "--auth=ann:secret", word[] = "bob:secret:too";
    char *argv[] = {program, option, word};
    struct opt_list list = {.item = {option + 7, word, "eve:of-a-file"}, .count = 3};
    users_hide(3, argv, &list);
    assert_string_equal(option, "--auth=ann:xxxxxx");
    assert_string_equal(word, "bob:xxxxxxxxxx");
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = policy_write(&rows[i].o, &nobody, &no_keys, rows[i].until_s);
        if (!text != !rows[i].want || (text && strcmp(text, rows[i].want) != 0))
            fail_msg("%s: %s", rows[i].name, text ? text : "nothing");
        free(text);
    }
}

static const struct {
    const char *name, *value;
    int (*check)(const char *value);
    bool good;
} values[] = {
    {"P5 address", "192.0.2.1", policy_check_network, true},
    {"P5 network", "2001:db8::/32", policy_check_network, true},
    {"P5 many bits", "192.0.2.0/33", policy_check_network, false},
    {"P5 a name", "example.com", policy_check_network, false},
    {"P5 a field", "X-A: b", policy_check_add, true},
    {"P5 of requests", "request X-A: b", policy_check_add, true},
    {"P5 no value", "X-A", policy_check_add, false},
    {"P5 no field", ": b", policy_check_add, false},
    {"P5 a blank in the name", "X A: b", policy_check_add, false},
    {"P5 another letter", "X-A: \xc3\xa4", policy_check_add, false},
    {"P5 a path", "/healthz", policy_check_path, true},
    {"P5 a tree", "/assets/", policy_check_path, true},
    {"P5 no path", "healthz", policy_check_path, false},
    {"P5 a path with dots", "/a/../b", policy_check_path, false},
    {"P5 a path with an escape", "/a%2f", policy_check_path, false},
    {"P5 a user", "ann:a:b c", users_check, true},
    {"P5 no password", "ann:", users_check, false},
    {"P5 no user", ":a", users_check, false},
    {"P5 no colon", "ann", users_check, false},
    {"P26 a key", "ann:2h:1", share_keys_check, true},
    {"P26 a key for ever", "ann", share_keys_check, true},
    {"P26 any number", "ann:2h", share_keys_check, true},
    {"P26 no time", "ann::1", share_keys_check, false},
    {"P26 no number", "ann:2h:x", share_keys_check, false},
    {"P26 no name", ":2h:1", share_keys_check, false},
    {"P26 half a time", "ann:", share_keys_check, false},
    {"P26 half a number", "ann:2h:", share_keys_check, false},
    {"P26 never", "ann:2h:0", share_keys_check, false},
    {"P26 a number for ever", "ann:0:1", share_keys_check, true},
    {"P26 two numbers", "ann:2h:1:1", share_keys_check, false},
    {"P26 too often", "ann:2h:1000001", share_keys_check, false},
    {"P5 removed", "response Server", policy_check_remove, true},
    {"P5 a value", "Server: a", policy_check_remove, false},
};

static void test_values(void **state)
{
    for (size_t i = 0; i < COUNT(values); i++)
        if ((values[i].check(values[i].value) == 0) != values[i].good)
            fail_msg("%s", values[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_users), cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_hiding), cmocka_unit_test(test_keys),  cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests_name("client policy", tests, NULL, NULL);
}
