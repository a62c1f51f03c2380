/* SPDX-License-Identifier: MIT */
/* test_anchors.c - tests where the system's authorities are looked for. */
#include "h2mux/io/anchors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void test_the_environment_decides(void **state)
{
    static const struct {
        const char *name, *file, *folder, *want;
    } rows[] = {
        {"O143 a file", "/some/file.pem", NULL, "/some/file.pem"},
        {"O143 a folder", NULL, "/some/folder", "/some/folder"},
        {"O143 both", "/some/file.pem", "/a", "/some/file.pem and /a"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char where[64];
        set("SSL_CERT_FILE", rows[i].file);
        set("SSL_CERT_DIR", rows[i].folder);
        if (anchors_find(where, sizeof where) || strcmp(where, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].name, where);
    }
}

/* O143: without the variables, what is named exists. */
static void test_the_system_decides(void **state)
{
    char where[64];
    set("SSL_CERT_FILE", NULL);
    set("SSL_CERT_DIR", NULL);
    const char *file = anchors_find(where, sizeof where);
    if (file)
        assert_string_equal(file, where);
    if (strcmp(where, "none found") != 0)
        assert_int_equal(access(where, R_OK), 0);
}

static void test_a_long_value_is_cut(void **state)
{
    char where[8];
    set("SSL_CERT_FILE", "/a/long/path");
    assert_null(anchors_find(where, sizeof where));
    assert_string_equal(where, "/a/long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_environment_decides),
        cmocka_unit_test(test_the_system_decides),
        cmocka_unit_test(test_a_long_value_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
