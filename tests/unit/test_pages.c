/* SPDX-License-Identifier: MIT */
/* test_pages.c - tests the operator's own pages: which file is shown when, and what is no page. */
#include "src/http/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static char dir[] = "/tmp/oneport-pages-XXXXXX";

static void write_page(const char *file, size_t bytes)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%s", file);
    for (size_t i = strlen(file); i < bytes; i++)
        fputc('x', f);
    fclose(f);
}

static void remove_page(const char *file)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    unlink(path);
}

/* O145: the file of the status, or else error.html; JSON and redirects stay. */
static void test_which_page(void **state)
{
    static const struct {
        enum failure why;
        const char *accept, *want;
    } rows[] = {
        {FAIL_NO_TUNNEL, "text/html", "404.html"},
        {FAIL_AWAY, "text/html", "error.html"},
        {FAIL_NO_TUNNEL, "*/*", "{\"error\""},
    };
    char reason[PAGES_REASON_MAX];
    write_page("404.html", 0);
    write_page("error.html", 0);
    struct pages *p = pages_load(dir, reason);
    assert_non_null(p);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a;
        answer_failure(&a, rows[i].why, slice_str(rows[i].accept), SLICE("name"), 2);
        pages_replace(p, &a);
        if (!slice_starts(buf_slice(&a.body), slice_str(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].want, SLICE_FMT(buf_slice(&a.body)));
        assert_int_equal(a.head.length, buf_len(&a.body));
        struct slice policy = fields_value(&a.head.fields, SLICE("content-security-policy"));
        assert_true(slice_starts(policy, SLICE("default-src 'none';")));
        assert_int_equal(fields_count(&a.head.fields, SLICE("content-type")), 1);
        answer_deinit(&a);
    }
    struct answer landing; /* there is no index.html */
    answer_init(&landing, 200);
    answer_html(&landing, SLICE("ours"), false);
    pages_replace(p, &landing);
    assert_true(slice_eq(buf_slice(&landing.body), SLICE("ours")));
    answer_deinit(&landing);
    pages_free(p);
}

static void test_the_rule_of_frames_stays(void **state)
{
    char reason[PAGES_REASON_MAX];
    write_page("index.html", 0);
    struct pages *p = pages_load(dir, reason);
    struct answer a;
    answer_init(&a, 200);
    answer_html(&a, SLICE("ours"), false);
    pages_replace(p, &a);
    assert_true(slice_eq(buf_slice(&a.body), SLICE("index.html")));
    assert_true(slice_ends(fields_value(&a.head.fields, SLICE("content-security-policy")),
                           SLICE("frame-ancestors 'none'")));
    answer_deinit(&a);
    pages_free(p);
}

static void test_pages_that_cannot_be_used(void **state)
{
    char reason[PAGES_REASON_MAX];
    assert_null(pages_load("/nonexistent", reason));
    assert_non_null(strstr(reason, "has no index.html"));
    write_page("502.html", PAGES_MAX + 1);
    assert_null(pages_load(dir, reason));
    assert_non_null(strstr(reason, "502.html: is longer"));
}

static int set_up(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"index.html", "404.html", "error.html", "502.html"};
    for (size_t i = 0; i < COUNT(files); i++)
        remove_page(files[i]);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_page),
        cmocka_unit_test(test_the_rule_of_frames_stays),
        cmocka_unit_test(test_pages_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
