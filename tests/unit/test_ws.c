/* SPDX-License-Identifier: MIT */
/* test_ws.c - ws.c: keys, accepts, and where frames end. RFC 6455 4, 5; http-rules.md#websockets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/ws.h"
#include "pieces.h"

#define IN(text)                                                                                   \
    {                                                                                              \
        (text), sizeof text - 1                                                                    \
    }
#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

static const struct {
    const char *id;
    struct slice in;
    bool want;
} keys[] = {
    {"W1 RFC 6455 1.3", IN("dGhlIHNhbXBsZSBub25jZQ=="), true},
    {"W1 zeros", IN("AAAAAAAAAAAAAAAAAAAAAA=="), true},
    {"W1 + and /", IN("+/+/+/+/+/+/+/+/+/+/+w=="), true},
    {"W1 empty", IN(""), false},
    {"W1 15 octets", IN("AAAAAAAAAAAAAAAAAAAA"), false},
    {"W1 17 octets", IN("AAAAAAAAAAAAAAAAAAAAAAA="), false},
    {"W1 18 octets", IN("AAAAAAAAAAAAAAAAAAAAAAAA"), false},
    {"W1 23 characters", IN("AAAAAAAAAAAAAAAAAAAAAA="), false},
    {"W1 25 characters", IN("AAAAAAAAAAAAAAAAAAAAAA==="), false},
    {"W1 padding inside", IN("AAAA=AAAAAAAAAAAAAAAAA=="), false},
    {"W1 padding of three", IN("AAAAAAAAAAAAAAAAAAAAA==="), false},
    {"W1 space before", IN(" AAAAAAAAAAAAAAAAAAAAA=="), false},
    {"W1 space inside", IN("AAAAAAAAAA AAAAAAAAAAA=="), false},
    {"W1 LF inside", IN("AAAAAAAAAA\nAAAAAAAAAAA=="), false},
    {"W1 base64url", IN("AAAAAAAAAA-_AAAAAAAAAA=="), false},
    {"W1 NUL", IN("AAAAAAAAAA\0AAAAAAAAAAA=="), false},
    {"W1 0x80",
     IN("AAAAAAAAAA\x80"
        "AAAAAAAAAAA=="),
     false},
};

static void keys_are_judged(void **state)
{
    for (size_t i = 0; i < COUNT(keys); i++)
        if (ws_key_valid(keys[i].in) != keys[i].want)
            fail_msg("%s", keys[i].id);
}

/* W5 */
static void keys_are_made(void **state)
{
    char one[WS_KEY_LEN + 1], two[WS_KEY_LEN + 1];
    assert_int_equal(ws_key_new(one), ERR_OK); /* W5: it is ours, and fresh */
    assert_int_equal(ws_key_new(two), ERR_OK);
    assert_true(ws_key_valid(slice_str(one)));
    assert_true(ws_key_valid(slice_str(two)));
    assert_string_not_equal(one, two);
}

static const struct {
    const char *key, *accept;
} accepts[] = {
    {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455 1.3 */
    {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
};

/* W6 */
static void accepts_are_computed(void **state)
{
    for (size_t i = 0; i < COUNT(accepts); i++) {
        char out[WS_ACCEPT_LEN + 1];
        ws_accept(slice_str(accepts[i].key), out);
        assert_string_equal(out, accepts[i].accept);
    }
}

static const struct {
    const char *id;
    struct slice in;
    uint64_t tail; /* bytes behind the last boundary */
    bool close_seen, broken;
} frames[] = {
    {"5.2 nothing", IN(""), 0, false, false},
    {"5.7 text", IN("\x81\x05Hello"), 0, false, false},
    {"5.7 masked text", IN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 0, false, false},
    {"5.7 fragments", IN("\x01\x03Hel\x80\x02lo"), 0, false, false},
    {"5.2 empty", IN("\x82\x00"), 0, false, false},
    {"5.2 empty, masked", IN("\x82\x80mask"), 0, false, false},
    {"5.2 half a header", IN("\x81\x05Hello\x81"), 1, false, false},
    {"5.2 cut in mask", IN("\x81\x85\x37\xfa"), 4, false, false},
    {"5.2 cut in payload", IN("\x81\x05Hel"), 5, false, false},
    {"5.2 16-bit length",
     IN("\x82\x7e\x00\x7e"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345678901234567890123456789012345"),
     0, false, false},
    {"5.2 16-bit length, not minimal", IN("\x82\x7e\x00\x01x"), 0, false, false},
    {"5.2 64-bit length", IN("\x82\x7f\0\0\0\0\0\0\0\x03xyz\x81"), 1, false, false},
    {"5.2 64-bit length, cut", IN("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffxyz"), 13, false, false},
    {"5.2 64-bit length with top bit", IN("\x82\x7f\x80\0\0\0\0\0\0\0xyz"), 13, false, true},
    {"W10 RSV1", IN("\xc1\x02xy"), 0, false, false},
    {"5.5 ping", IN("\x89\x00\x8a\x02hi"), 0, false, false},
    {"5.5.1 close", IN("\x88\x02\x03\xe8"), 0, true, false},
    {"5.5.1 close begun", IN("\x81\x01x\x88"), 1, true, false},
    {"5.5.1 after a close", IN("\x88\x00\x81\x01x"), 0, true, false},
    {"5.2 opcode 3", IN("\x81\x00\x83\x00"), 2, false, true},
    {"5.2 opcode 7", IN("\x87"), 1, false, true},
    {"5.2 opcode 11", IN("\x8b\x00"), 2, false, true},
    {"5.2 opcode 15", IN("\x8f\x00"), 2, false, true},
    {"5.5 control over 125", IN("\x89\x7e\x00\x7e"), 4, false, true},
    {"5.5 close over 125", IN("\x88\x7f"), 2, true, true},
};

static void feed_exact(struct ws_frames *f, struct slice data)
{
    char *exact = xcalloc(1, data.len ? data.len : 1);
    memcpy(exact, data.ptr, data.len);
    ws_frames_feed(f, slice_make(exact, data.len));
    free(exact);
}

static void check_frames(size_t i, size_t cut, const struct ws_frames *f)
{
    if (f->tail != frames[i].tail || f->close_seen != frames[i].close_seen ||
        f->broken != frames[i].broken)
        fail_msg("%s: cut at %zu: tail %llu close %d broken %d", frames[i].id, cut,
                 (unsigned long long)f->tail, f->close_seen, f->broken);
    assert_int_equal(f->tail == 0 && !f->broken, frames[i].tail == 0);
}

/* W7, W8 */
static void frames_are_followed(void **state)
{
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct slice in = frames[i].in;
        struct ws_frames f;
        for (size_t cut = 0; cut <= in.len; cut++) {
            ws_frames_init(&f);
            feed_exact(&f, slice_make(in.ptr, cut));
            feed_exact(&f, slice_skip(in, cut));
            check_frames(i, cut, &f);
        }
        ws_frames_init(&f);
        for (size_t at = 0; at < in.len; at++)
            feed_exact(&f, slice_make(in.ptr + at, 1));
        check_frames(i, in.len + 1, &f);
        for (uint32_t round = 1; round <= PIECES_ROUNDS; round++) {
            uint32_t seed = round;
            ws_frames_init(&f);
            for (size_t at = 0, n; at < in.len; at += n) {
                n = next_piece(&seed, in.len - at);
                feed_exact(&f, slice_make(in.ptr + at, n));
            }
            check_frames(i, in.len + 1 + round, &f);
        }
    }
}

static const struct {
    uint16_t code;
    const char *reason;
    struct slice want;
} closes[] = {
    {1012, "", IN("\x88\x02\x03\xf4")}, /* W8 */
    {1000, "bye",
     IN("\x88\x05\x03\xe8"
        "bye")},
};

/* W8 */
static void close_frames_are_written(void **state)
{
    for (size_t i = 0; i < COUNT(closes); i++) {
        char out[WS_CLOSE_MAX];
        size_t n = ws_close_frame(closes[i].code, slice_str(closes[i].reason), out);
        assert_true(slice_eq(slice_make(out, n), closes[i].want));
    }
}

/* RFC 6455 5.5: at most 125 bytes, code included; what we write is one whole frame. */
static void close_frames_keep_their_limit(void **state)
{
    char reason[200], out[WS_CLOSE_MAX];
    memset(reason, 'x', sizeof reason);
    for (size_t len = 0; len <= sizeof reason; len++) {
        struct ws_frames f;
        size_t n = ws_close_frame(WS_SERVICE_RESTART, slice_make(reason, len), out);
        assert_int_equal(n, 4 + (len < 123 ? len : 123));
        ws_frames_init(&f);
        ws_frames_feed(&f, slice_make(out, n));
        assert_true(f.tail == 0 && !f.broken && f.close_seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_judged),          cmocka_unit_test(keys_are_made),
        cmocka_unit_test(accepts_are_computed),     cmocka_unit_test(frames_are_followed),
        cmocka_unit_test(close_frames_are_written), cmocka_unit_test(close_frames_keep_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
