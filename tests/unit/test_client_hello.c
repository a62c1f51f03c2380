/* SPDX-License-Identifier: MIT */
/* test_client_hello.c - what is read out of a ClientHello, wherever it is cut and however it is
 * split over records. RFC 8446 4.1.2, 5.1, RFC 6066 3, RFC 7301 3.1; rules E50 to E52. */
#include "h2mux/io/client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/buf.h"

enum { ROOM = 2 * CLIENT_HELLO_MAX };

/* ---- making hellos */

static void put(struct buf *b, struct slice bytes)
{
    assert_int_equal(buf_append(b, bytes), 0);
}

static void put_number(struct buf *b, size_t n, size_t bytes)
{
    while (bytes-- > 0) {
        char c = (char)(n >> (8 * bytes));
        put(b, slice_make(&c, 1));
    }
}

/* Appends @body with its length before it, in @bytes bytes. */
static void put_vector(struct buf *b, size_t bytes, struct slice body)
{
    put_number(b, body.len, bytes);
    put(b, body);
}

/* Appends a hello with @extensions, as a message. Without extensions (ptr NULL) it ends before
 * their length. */
static void put_message(struct buf *b, struct slice extensions)
{
    struct buf body;
    buf_init(&body, ROOM);
    put_number(&body, 0x0303, 2);
    for (int i = 0; i < 32; i++)
        put_number(&body, (size_t)i, 1);
    put_vector(&body, 1, SLICE("0123456789abcdef0123456789abcdef"));
    put_vector(&body, 2, SLICE("\x1a\x1a\x13\x01\x13\x02")); /* GREASE, and two ciphers */
    put_vector(&body, 1, SLICE("\0"));
    if (extensions.ptr)
        put_vector(&body, 2, extensions);
    put_number(b, 1, 1);
    put_vector(b, 3, buf_slice(&body));
    buf_release(&body);
}

/* Appends records of @size bytes with @message. */
static void put_records(struct buf *b, struct slice message, size_t size)
{
    while (message.len > 0) {
        size_t n = message.len < size ? message.len : size;
        put_number(b, 0x160301, 3);
        put_vector(b, 2, slice_make(message.ptr, n));
        message = slice_skip(message, n);
    }
}

/* Makes the bytes of a hello with @extensions in records of @size bytes. */
static struct buf hello(struct slice extensions, size_t size)
{
    struct buf message, out;
    buf_init(&message, 4 * ROOM);
    buf_init(&out, 4 * ROOM);
    put_message(&message, extensions);
    put_records(&out, buf_slice(&message), size);
    buf_release(&message);
    return out;
}

/* Reads @bytes in steps of @step. */
static int read_in_steps(struct slice bytes, size_t step, struct client_hello *out)
{
    struct client_hello_reader r = {.record = 0};
    int err = ERR_AGAIN;
    for (size_t have = 0; err == ERR_AGAIN && have < bytes.len;) {
        have = have + step < bytes.len ? have + step : bytes.len;
        err = client_hello_read(&r, slice_make(bytes.ptr, have), out);
    }
    return err;
}

/* ---- extensions */

#define SNI(list) "\0\0" list
#define NAME_A                                                                                     \
    "\0\x0d\0\x0b\0\0\x08"                                                                         \
    "a.b-c_d9"
#define GREASE_EMPTY "\x2a\x2a\0\0"
#define GREASE_FULL "\x5a\x5a\0\x01\0"
#define ECH "\xfe\x0d\0\x04\0\x01\x02\x03"
#define H2_H1 "\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1"

static const struct {
    const char *what;
    struct slice extensions;
    int err;
    const char *name;
    bool has_alpn, h2, http1;
} rows[] = {
    {"E50 nothing at all", {NULL, 0}, 0, "", false, false, false},
    {"E50 no extension", SLICE(""), 0, "", false, false, false},
    {"E50 a name", SLICE(SNI(NAME_A)), 0, "a.b-c_d9", false, false, false},
    {"E50 a name in upper case, with a dot",
     SLICE("\0\0\0\x09\0\x07\0\0\x04"
           "A.b."),
     0, "a.b", false, false, false},
    {"E50 a dot alone", SLICE("\0\0\0\x06\0\x04\0\0\x01."), 0, "", false, false, false},
    {"E50 a space in a name",
     SLICE("\0\0\0\x08\0\x06\0\0\x03"
           "a b"),
     0, "", false, false, false},
    {"E50 a zero in a name",
     SLICE("\0\0\0\x08\0\x06\0\0\x03"
           "a\0b"),
     0, "", false, false, false},
    {"E50 another type of name",
     SLICE("\0\0\0\x08\0\x06\x07\0\x03"
           "abc"),
     0, "", false, false, false},
    {"E50 h2 and http/1.1", SLICE(H2_H1), 0, "", true, true, true},
    {"E50 http/1.0 alone", SLICE("\0\x10\0\x0b\0\x09\x08http/1.0"), 0, "", true, false, false},
    {"E50 GREASE in ALPN", SLICE("\0\x10\0\x08\0\x06\x02\x0a\x0a\x02h2"), 0, "", true, true, false},
    {"E50 GREASE around a name and ALPN", SLICE(GREASE_EMPTY SNI(NAME_A) H2_H1 GREASE_FULL), 0,
     "a.b-c_d9", true, true, true},
    {"E50 ECH has the outer name", SLICE(ECH SNI(NAME_A)), 0, "a.b-c_d9", false, false, false},
    {"E50 unknown extensions twice", SLICE(ECH ECH), 0, "", false, false, false},
    {"E51 two lists of names", SLICE(SNI(NAME_A) SNI(NAME_A)), ERR_SYNTAX, "", false, false, false},
    {"E51 two lists of protocols", SLICE(H2_H1 H2_H1), ERR_SYNTAX, "", false, false, false},
    {"E51 two names",
     SLICE("\0\0\0\x0a\0\x08\0\0\x01"
           "a"
           "\0\0\x01"
           "b"),
     ERR_SYNTAX, "", false, false, false},
    {"E51 an empty name", SLICE("\0\0\0\x05\0\x03\0\0\0"), ERR_SYNTAX, "", false, false, false},
    {"E51 an empty list of names", SLICE("\0\0\0\x02\0\0"), ERR_SYNTAX, "", false, false, false},
    {"E51 bytes behind the names",
     SLICE("\0\0\0\x07\0\x04\0\0\x01"
           "a"
           "x"),
     ERR_SYNTAX, "", false, false, false},
    {"E51 an empty list of protocols", SLICE("\0\x10\0\x02\0\0"), ERR_SYNTAX, "", false, false,
     false},
    {"E51 an empty protocol", SLICE("\0\x10\0\x03\0\x01\0"), ERR_SYNTAX, "", false, false, false},
    {"E51 a protocol that is too long", SLICE("\0\x10\0\x04\0\x02\x03h"), ERR_SYNTAX, "", false,
     false, false},
    {"E51 an extension that is too long",
     SLICE("\x12\x34\0\x05"
           "abc"),
     ERR_SYNTAX, "", false, false, false},
    {"E51 half a head of an extension", SLICE("\x12\x34\0"), ERR_SYNTAX, "", false, false, false},
};

/* Each row in one record, in records of a few bytes and of one byte; whole and byte by byte. */
static void test_rows(void **state)
{
    static const size_t sizes[] = {CLIENT_HELLO_MAX, 7, 1}, steps[] = {SIZE_MAX / 2, 1};
    for (size_t i = 0; i < 6 * sizeof rows / sizeof *rows; i++) {
        size_t row = i / 6;
        struct buf bytes = hello(rows[row].extensions, sizes[i % 3]);
        struct client_hello got;
        print_message("%s\n", rows[row].what);
        int err = read_in_steps(buf_slice(&bytes), steps[i / 3 % 2], &got);
        assert_int_equal(err, rows[row].err);
        if (err == 0) {
            assert_string_equal(got.name, rows[row].name);
            assert_int_equal(got.has_alpn, rows[row].has_alpn);
            assert_int_equal(got.offers_h2, rows[row].h2);
            assert_int_equal(got.offers_http1, rows[row].http1);
        }
        buf_release(&bytes);
    }
}

/* E50: a hello is whole with its last byte and not before; what follows it does not matter. */
static void test_every_cut(void **state)
{
    for (size_t size = 1; size < 80; size += 13) {
        struct buf bytes = hello(SLICE(SNI(NAME_A) H2_H1), size);
        struct slice all = buf_slice(&bytes);
        struct client_hello got;
        for (size_t len = 0; len < all.len; len++) {
            struct client_hello_reader r = {.record = 0};
            assert_int_equal(client_hello_read(&r, slice_make(all.ptr, len), &got), ERR_AGAIN);
        }
        put(&bytes, SLICE("anything"));
        assert_int_equal(read_in_steps(buf_slice(&bytes), 1000, &got), 0);
        assert_string_equal(got.name, "a.b-c_d9");
        buf_release(&bytes);
    }
}

/* ---- what is no hello */

static const struct {
    const char *what;
    struct slice bytes;
    int err;
} wrong[] = {
    {"E51 HTTP", SLICE("GET /"), ERR_SYNTAX},
    {"E51 an alert", SLICE("\x15\x03\x01\0\x02\x02\x28"), ERR_SYNTAX},
    {"E51 another version", SLICE("\x16\x04"), ERR_SYNTAX},
    {"E51 an empty record", SLICE("\x16\x03\x01\0\0"), ERR_SYNTAX},
    {"E51 a record that is too long", SLICE("\x16\x03\x01\x40\x01"), ERR_SYNTAX},
    {"E51 a ServerHello", SLICE("\x16\x03\x01\0\x04\x02\0\0\0"), ERR_SYNTAX},
    {"E51 a hello of no bytes", SLICE("\x16\x03\x01\0\x04\x01\0\0\0"), ERR_SYNTAX},
    {"E51 an alert within a hello", SLICE("\x16\x03\x01\0\x05\x01\0\0\x09\0\x15"), ERR_SYNTAX},
    {"E52 a long record", SLICE("\x16\x03\x01\x40\0"), ERR_LIMIT},
    {"E52 a long message", SLICE("\x16\x03\x01\0\x04\x01\0\x40\x01"), ERR_LIMIT},
    {"E52 a very long message", SLICE("\x16\x03\x01\0\x04\x01\xff\xff\xff"), ERR_LIMIT},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct client_hello got;
        print_message("%s\n", wrong[i].what);
        assert_int_equal(read_in_steps(wrong[i].bytes, 1000, &got), wrong[i].err);
        assert_int_equal(read_in_steps(wrong[i].bytes, 1, &got), wrong[i].err);
    }
}

/* Returns the error for a hello of @len bytes on the wire, in one record. */
static int read_padded(size_t len)
{
    static const size_t head = 5;
    struct buf bytes = hello(SLICE(""), CLIENT_HELLO_MAX);
    size_t pad = len - buf_len(&bytes) - 4;
    char *extension = xcalloc(1, pad + 4);
    struct client_hello got;
    memcpy(extension, (char[]){0, 21, (char)(pad >> 8), (char)pad}, 4);
    buf_release(&bytes);
    bytes = hello(slice_make(extension, pad + 4), CLIENT_HELLO_MAX);
    assert_int_equal(buf_len(&bytes), len > CLIENT_HELLO_MAX + head ? len + head : len);
    int err = read_in_steps(buf_slice(&bytes), 1000, &got);
    buf_release(&bytes);
    free(extension);
    return err;
}

/* E52: the largest hello that is read, and the smallest that is not. */
static void test_largest(void **state)
{
    assert_int_equal(read_padded(CLIENT_HELLO_MAX), 0);
    assert_int_equal(read_padded(CLIENT_HELLO_MAX + 1), ERR_LIMIT);
}

/* E52: a long hello in small records costs no more than its bytes allow. */
static void test_largest_in_pieces(void **state)
{
    char *zeros = xcalloc(1, CLIENT_HELLO_MAX);
    struct buf bytes;
    struct client_hello got;
    buf_init(&bytes, 4 * ROOM);
    put_number(&bytes, 0x160301, 3);
    put_vector(&bytes, 2, SLICE("\x01\0\x3f\xff"));
    for (int i = 0; i < 3000; i++) {
        put_number(&bytes, 0x160301, 3);
        put_vector(&bytes, 2, slice_make(zeros, 1));
    }
    assert_int_equal(read_in_steps(buf_slice(&bytes), 1, &got), ERR_LIMIT);
    buf_release(&bytes);
    free(zeros);
}

/* E50: a name of the greatest length, and a longer one. */
static void test_long_names(void **state)
{
    for (size_t len = 254; len <= 257; len++) {
        char text[300];
        struct buf extension;
        struct client_hello got;
        memset(text, 'x', sizeof text);
        buf_init(&extension, ROOM);
        put_number(&extension, 0, 2);
        put_number(&extension, len + 5, 2);
        put_number(&extension, len + 3, 2);
        put_number(&extension, 0, 1);
        put_vector(&extension, 2, slice_make(text, len));
        struct buf bytes = hello(buf_slice(&extension), 100);
        assert_int_equal(read_in_steps(buf_slice(&bytes), 50, &got), 0);
        assert_int_equal(strlen(got.name), len <= CLIENT_HELLO_NAME_MAX ? len : 0);
        buf_release(&bytes);
        buf_release(&extension);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_wrong),      cmocka_unit_test(test_largest),
        cmocka_unit_test(test_long_names), cmocka_unit_test(test_largest_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
