/* SPDX-License-Identifier: MIT */
/* test_buf.c - growing bytes: the limit, the doubling, the sliding, room in front, consuming from
 * both ends. */
#include "h2mux/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static char filler[4096];
static char pattern[1 << 17]; /* bytes that show where they were */

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
        assert_true(!(buf_reserve(&b, b.limit - buf_len(&b) + 1)));
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

/* What is consumed is made use of by moving what is left, unless that is more: then the buf grows,
 * as long as it may. */
static void test_slide_or_grow(void **state)
{
    static const struct {
        const char *name;
        size_t limit, held, consumed, more, start, cap;
    } rows[] = {
        {"room behind", 8192, 200, 100, 56, 100, 256},
        {"half consumed", 8192, 256, 128, 1, 0, 256},
        {"less than half", 8192, 256, 127, 1, 127, 512},
        {"one octet", 8192, 256, 1, 1, 1, 512},
        {"half, and still too small", 8192, 256, 128, 200, 0, 512},
        {"less, but the limit is reached", 256, 256, 127, 1, 0, 256},
        {"less, up to the limit", 512, 256, 100, 256, 100, 512},
        {"less, one over the limit", 512, 256, 100, 257, 0, 512},
        {"less, all that the limit leaves", 512, 256, 100, 356, 0, 512},
        {"malloc's, half", 65536, 4096, 2048, 100, 0, 4096},
        {"malloc's, less", 65536, 4096, 2047, 100, 2047, 8192},
        {"some KiB, an eighth", 65536, 16384, 1821, 1821, 0, 16384},
        {"some KiB, less than an eighth", 65536, 16384, 1820, 1820, 1820, 32768},
        {"some KiB, still too small", 65536, 16384, 4096, 4097, 4096, 32768},
        {"many KiB, an eighth", 131072, 65536, 8192, 8192, 8192, 131072},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        size_t len = rows[i].held - rows[i].consumed;
        buf_init(&b, rows[i].limit);
        assert_int_equal(buf_append(&b, slice_make(pattern, rows[i].held)), 0);
        buf_consume(&b, rows[i].consumed);
        assert_int_equal(buf_append(&b, slice_make(pattern + rows[i].held, rows[i].more)), 0);
        if (b.start != rows[i].start || b.cap != rows[i].cap)
            fail_msg("%s: start %zu, cap %zu", rows[i].name, b.start, b.cap);
        if (!slice_eq(buf_slice(&b), slice_make(pattern + rows[i].consumed, len + rows[i].more)))
            fail_msg("%s: content", rows[i].name);
        buf_release(&b);
    }
}

/* Small memory is the pool's, large is malloc's: content comes along, both kinds are given back. */
static void test_growth_past_the_pool(void **state)
{
    static const struct {
        const char *name;
        size_t limit, steps[4], cap;
    } rows[] = {
        {"within the pool", 65536, {100, 1000, 1024}, 1024},
        {"largest of the pool", 2047, {100, 2047}, 2047},
        {"smallest of malloc", 2048, {100, 2048}, 2048},
        {"limit beyond, in steps", 65536, {1024, 2047, 2048, 2049}, 4096},
        {"from the pool at once", 1 << 20, {1, 100000}, 131072},
        {"malloc's from the start", 1 << 20, {3000, 5000, 70000}, 131072},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        size_t held = 0;
        buf_init(&b, rows[i].limit);
        for (size_t k = 0; k < 4 && rows[i].steps[k] > 0; k++) {
            size_t more = rows[i].steps[k] - held;
            assert_int_equal(buf_append(&b, slice_make(pattern + held, more)), 0);
            held += more;
            if (!slice_eq(buf_slice(&b), slice_make(pattern, held)))
                fail_msg("%s: content at %zu", rows[i].name, held);
        }
        if (b.cap != rows[i].cap)
            fail_msg("%s: cap %zu", rows[i].name, b.cap);
        b.ptr[b.cap] = '\0'; /* vsnprintf's byte is there */
        buf_release(&b);
    }
}

/* ---- room in front */

/* It stays while content comes, however large, and is used from behind. */
static void test_headroom(void **state)
{
    static const size_t lens[] = {0, 1, 200, 247, 248, 3000, 65536, 100000};
    for (int fresh = 0; fresh < 2; fresh++)
        for (size_t i = 0; i < COUNT(lens); i++) {
            struct buf b;
            buf_init(&b, SIZE_MAX / 2);
            if (!fresh) {
                fill(&b, 500);
                buf_consume(&b, 500);
            }
            buf_headroom(&b, 9);
            assert_int_equal(buf_len(&b), 0);
            assert_non_null(buf_reserve(&b, lens[i]));
            assert_int_equal(buf_append(&b, slice_make(pattern, lens[i])), 0);
            if (!buf_prepend(&b, SLICE("header")))
                fail_msg("%zu octets: the room in front is gone", lens[i]);
            assert_false(buf_prepend(&b, SLICE("four")));
            assert_true(buf_prepend(&b, SLICE("the")));
            assert_false(buf_prepend(&b, SLICE("x")));
            assert_true(slice_starts(buf_slice(&b), SLICE("theheader")));
            buf_consume(&b, 9);
            assert_true(slice_eq(buf_slice(&b), slice_make(pattern, lens[i])));
            buf_release(&b);
        }
}

/* What was consumed is room as well; an empty buf has none but what was asked for. */
static void test_prepend(void **state)
{
    struct buf b;
    buf_init(&b, 1024);
    assert_false(buf_prepend(&b, SLICE("x")));
    assert_int_equal(buf_append(&b, SLICE("hello world")), 0);
    buf_consume(&b, 6);
    assert_false(buf_prepend(&b, SLICE("7 octet")));
    assert_true(buf_prepend(&b, SLICE("small ")));
    assert_true(slice_eq(buf_slice(&b), SLICE("small world")));
    buf_consume(&b, 11);
    assert_false(buf_prepend(&b, SLICE("x")));
    buf_headroom(&b, 4);
    buf_headroom(&b, 2); /* the last word counts */
    assert_false(buf_prepend(&b, SLICE("xyz")));
    assert_true(buf_prepend(&b, SLICE("xy")));
    assert_true(slice_eq(buf_slice(&b), SLICE("xy")));
    buf_truncate(&b, 0);
    assert_int_equal(b.start, 0);
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
    assert_true(!buf_reserve(&b, 61));
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

/* Memory that is a few times too large goes, if it is some KiB; content stays. */
static void test_fit(void **state)
{
    static const struct {
        const char *name;
        size_t held, consumed, left, cap;
    } rows[] = {
        {"a head before much", 16384, 0, 200, 256},
        {"moved on", 16384, 300, 1000, 1024},
        {"a quarter", 16384, 0, 4096, 4096},
        {"more", 16384, 0, 4097, 16384},
        {"nothing", 16384, 0, 0, 0},
        {"small memory", 2048, 0, 10, 2048},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;
        buf_init(&b, 65536);
        assert_int_equal(buf_append(&b, slice_make(pattern, rows[i].held)), 0);
        buf_consume(&b, rows[i].consumed);
        buf_truncate(&b, rows[i].left);
        buf_fit(&b);
        if (b.cap != rows[i].cap)
            fail_msg("%s: cap %zu", rows[i].name, b.cap);
        if (!slice_eq(buf_slice(&b), slice_make(pattern + rows[i].consumed, rows[i].left)))
            fail_msg("%s: content", rows[i].name);
        assert_int_equal(b.limit, 65536);
        buf_release(&b);
    }
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
        cmocka_unit_test(test_slide_or_grow),  cmocka_unit_test(test_growth_past_the_pool),
        cmocka_unit_test(test_headroom),       cmocka_unit_test(test_prepend),
        cmocka_unit_test(test_printf),         cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_truncate),       cmocka_unit_test(test_fit),
    };
    memset(filler, 'f', sizeof filler);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * 31 + (i >> 8) * 7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
