/* test_buf.c - growing bytes: the limit, the doubling, the sliding, consuming from both ends. */
#include "h2mux/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static char filler[4096];

static void fill(struct buf *b, size_t len)
{
    assert_int_equal(buf_append(b, slice_make(filler, len)), 0);
}

static void test_growth(void **state)
{
    static const struct {
        const char *name;
        size_t limit, len, cap;
    } rows[] = {
        {"first step", 4096, 1, 256},       {"fits exactly", 4096, 256, 256},
        {"doubles", 4096, 257, 512},        {"doubles twice", 4096, 1000, 1024},
        {"up to the limit", 300, 257, 300}, {"small limit", 10, 1, 10},
        {"odd limit", 1000, 600, 1000},     {"limit exactly", 4096, 4096, 4096},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, rows[i].limit);
        assert_null(b.ptr);
        fill(&b, rows[i].len);
        if (b.cap != rows[i].cap || buf_len(&b) != rows[i].len)
            fail_msg("%s: cap %zu", rows[i].name, b.cap);
        buf_release(&b);
        assert_null(b.ptr);
        assert_int_equal(b.limit, rows[i].limit);
    }
}

static void test_limit(void **state)
{
    static const struct {
        const char *name;
        size_t limit, held, more;
        int want;
    } rows[] = {
        {"exactly", 8, 5, 3, 0},
        {"one over", 8, 5, 4, ERR_LIMIT},
        {"full", 8, 8, 1, ERR_LIMIT},
        {"nothing into full", 8, 8, 0, 0},
        {"none allowed", 0, 0, 1, ERR_LIMIT},
        {"huge", 8, 5, SIZE_MAX, ERR_LIMIT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, rows[i].limit);
        fill(&b, rows[i].held);
        int err = buf_append(&b, slice_make(filler, rows[i].more));
        if (err != rows[i].want || buf_len(&b) != rows[i].held + (err ? 0 : rows[i].more))
            fail_msg("%s: err %d, len %zu", rows[i].name, err, buf_len(&b));
        assert_true((buf_reserve(&b, b.limit - buf_len(&b) + 1)) == NULL);
        buf_release(&b);
    }
}

static void test_consume(void **state)
{
    struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(buf_append(&b, SLICE("hello world")), 0);
    buf_consume(&b, 6);
    assert_true(slice_eq(buf_slice(&b), SLICE("world")));
    buf_consume(&b, 0);
    assert_int_equal(b.start, 6);
    buf_consume(&b, 5);
    assert_int_equal(b.start, 0);
    assert_int_equal(b.end, 0);
    assert_non_null(b.ptr); /* emptied, but the memory stays */
    assert_int_equal(b.cap, 256);
    buf_release(&b);
    assert_int_equal(buf_slice(&b).len, 0);
}

static void test_slide_before_growing(void **state)
{
    struct buf b;
    buf_init(&b, 256);
    fill(&b, 250);
    assert_int_equal(buf_append(&b, SLICE("tail")), 0);
    buf_consume(&b, 250);
    fill(&b, 252); /* only fits after sliding */
    assert_int_equal(b.start, 0);
    assert_int_equal(b.cap, 256);
    assert_true(slice_starts(buf_slice(&b), SLICE("tail")));
    assert_int_equal(buf_len(&b), 256);
    buf_release(&b);
}

static void test_slide_and_grow(void **state)
{
    struct buf b;
    buf_init(&b, 1024);
    fill(&b, 200);
    assert_int_equal(buf_append(&b, SLICE("tail")), 0);
    buf_consume(&b, 200);
    fill(&b, 400);
    assert_int_equal(b.start, 0);
    assert_int_equal(b.cap, 512);
    assert_true(slice_starts(buf_slice(&b), SLICE("tail")));
    buf_release(&b);
}

static void test_reserve_commit(void **state)
{
    struct buf b;
    buf_init(&b, 64);
    char *to = buf_reserve(&b, 10);
    assert_non_null(to);
    memcpy(to, "0123456789", 10);
    assert_int_equal(buf_len(&b), 0);
    buf_commit(&b, 4);
    assert_true(slice_eq(buf_slice(&b), SLICE("0123")));
    assert_non_null(buf_reserve(&b, 60));
    assert_true(buf_reserve(&b, 61) == NULL);
    assert_true(slice_eq(buf_slice(&b), SLICE("0123")));
    buf_release(&b);
    to = buf_reserve(&b, 0);
    assert_non_null(to);
    buf_release(&b);
}

static void test_printf(void **state)
{
    static const struct {
        const char *name;
        size_t limit;
        const char *text;
        int want;
    } rows[] = {
        {"fits", 64, "abc", 0},
        {"exactly the limit", 7, "abc", 0}, /* the trailing zero is no content */
        {"one over", 6, "abc", ERR_LIMIT},
        {"empty", 4, "", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, rows[i].limit);
        assert_int_equal(buf_append(&b, SLICE("x: ")), 0);
        int err = buf_printf(&b, "%s%s", rows[i].text, rows[i].text[0] ? "!" : "");
        if (err != rows[i].want)
            fail_msg("%s: err %d", rows[i].name, err);
        assert_int_equal(buf_len(&b), err || !rows[i].text[0] ? 3 : 7);
        buf_release(&b);
    }
}

static void test_printf_grows(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buf_printf(&b, "%09d,", i), 0);
    assert_int_equal(buf_len(&b), 1000);
    assert_true(slice_ends(buf_slice(&b), SLICE("000000098,000000099,")));
    assert_true(slice_starts(buf_slice(&b), SLICE("000000000,000000001,")));
    buf_release(&b);
}

static void test_truncate(void **state)
{
    static const struct {
        size_t to;
        const char *want;
    } rows[] = {{9, "llo"}, {3, "llo"}, {2, "ll"}, {0, ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 64);
        assert_int_equal(buf_append(&b, SLICE("hello")), 0);
        buf_consume(&b, 2);
        buf_truncate(&b, rows[i].to);
        assert_true(slice_eq(buf_slice(&b), slice_str(rows[i].want)));
        assert_true(buf_len(&b) > 0 || b.start == 0);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),         cmocka_unit_test(test_limit),
        cmocka_unit_test(test_consume),        cmocka_unit_test(test_slide_before_growing),
        cmocka_unit_test(test_slide_and_grow), cmocka_unit_test(test_reserve_commit),
        cmocka_unit_test(test_printf),         cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_truncate),
    };
    memset(filler, 'f', sizeof(filler));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
