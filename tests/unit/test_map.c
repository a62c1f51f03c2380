/* SPDX-License-Identifier: MIT */
/* test_map.c - ordered map: set, replace, remove, order, keys that are no C strings. */
#include "h2mux/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "h2mux/base/buf.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static int v1, v2, v3;

static void test_steps(void **state)
{
    enum op { SET, GET, REMOVE };
    static const struct {
        const char *name;
        enum op op;
        const char *key;
        void *value, *want;
        size_t count;
    } rows[] = {
        {"get from empty", GET, "a", NULL, NULL, 0},
        {"remove from empty", REMOVE, "a", NULL, NULL, 0},
        {"set new", SET, "a", &v1, NULL, 1},
        {"get", GET, "a", NULL, &v1, 1},
        {"replace gives the old", SET, "a", &v2, &v1, 1},
        {"get the new", GET, "a", NULL, &v2, 1},
        {"case matters", GET, "A", NULL, NULL, 1},
        {"longer key is another", SET, "ab", &v3, NULL, 2},
        {"prefix untouched", GET, "a", NULL, &v2, 2},
        {"empty key is a key", SET, "", &v1, NULL, 3},
        {"get empty key", GET, "", NULL, &v1, 3},
        {"remove", REMOVE, "a", NULL, &v2, 2},
        {"remove again", REMOVE, "a", NULL, NULL, 2},
        {"neighbour stays", GET, "ab", NULL, &v3, 2},
    };
    struct map m;
    map_init(&m);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice key = slice_str(rows[i].key);
        void *got = rows[i].op == SET   ? map_set(&m, key, rows[i].value)
                    : rows[i].op == GET ? map_get(&m, key)
                                        : map_remove(&m, key);
        if (got != rows[i].want || m.count != rows[i].count)
            fail_msg("%s: count %zu", rows[i].name, m.count);
    }
    map_deinit(&m);
    assert_int_equal(m.count, 0);
    assert_null(map_get(&m, SLICE("ab")));
}

static void test_key_is_copied(void **state)
{
    char key[] = "demo";
    struct map m;
    map_init(&m);
    map_set(&m, slice_make(key, 4), &v1);
    key[0] = 'X';
    assert_ptr_equal(map_get(&m, SLICE("demo")), &v1);
    assert_null(map_get(&m, SLICE("Xemo")));
    map_deinit(&m);
}

static void test_key_bytes(void **state)
{
    struct map m;
    map_init(&m);
    map_set(&m, SLICE("a\0b"), &v1);
    map_set(&m, SLICE("a\0c"), &v2);
    assert_ptr_equal(map_get(&m, SLICE("a\0b")), &v1);
    assert_ptr_equal(map_get(&m, SLICE("a\0c")), &v2);
    assert_null(map_get(&m, SLICE("a")));
    map_deinit(&m);
}

static void join_key(struct slice key, void *value, void *user)
{
    assert_ptr_equal(value, &v1);
    assert_int_equal(buf_printf(user, "%.*s ", SLICE_FMT(key)), 0);
}

static void test_order(void **state)
{
    static const char *const keys[] = {"m", "b", "ab", "z", "a", "B", "abc", "\xff"};
    struct buf text;
    struct map m;
    buf_init(&text, 256);
    map_init(&m);
    map_each(&m, join_key, &text);
    assert_int_equal(buf_len(&text), 0);
    for (size_t i = 0; i < COUNT(keys); i++)
        map_set(&m, slice_str(keys[i]), &v1);
    map_each(&m, join_key, &text);
    assert_true(slice_eq(buf_slice(&text), SLICE("B a ab abc b m z \xff ")));
    map_deinit(&m);
    buf_release(&text);
}

static void count_one(struct slice key, void *value, void *user)
{
    size_t *n = user;
    (*n)++;
}

static void test_many(void **state)
{
    enum { MANY = 5000 };
    char key[16];
    size_t seen = 0;
    struct map m;
    map_init(&m);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i * 7919 % MANY);
        assert_null(map_set(&m, slice_str(key), &v1));
    }
    for (int i = 0; i < MANY; i += 2) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_ptr_equal(map_remove(&m, slice_str(key)), &v1);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(!!map_get(&m, slice_str(key)), i % 2);
    }
    map_each(&m, count_one, &seen);
    assert_int_equal(seen, MANY / 2);
    assert_int_equal(m.count, MANY / 2);
    map_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),     cmocka_unit_test(test_key_is_copied),
        cmocka_unit_test(test_key_bytes), cmocka_unit_test(test_order),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
