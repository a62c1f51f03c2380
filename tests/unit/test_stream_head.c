/* SPDX-License-Identifier: MIT */
/* test_stream_head.c - heads between messages and HTTP/2's field lists: what is taken, what is
 * refused, what goes out in which order. stream_head.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/h2/stream_head.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

static struct slice text(const char *s)
{
    return slice_str(s);
}

static void assert_slice(struct slice got, const char *want)
{
    if (!slice_eq(got, text(want)))
        fail_msg("'%.*s', want '%s'", SLICE_FMT(got), want);
}

/* ---- received */

static int take(struct message *m, const char *name, const char *value)
{
    return h2_head_take(m, text(name), text(value));
}

static void pseudo_fields_become_parts(void **state)
{
    struct message m;
    message_init(&m);
    assert_int_equal(take(&m, ":method", "CONNECT"), ERR_OK);
    assert_int_equal(take(&m, ":scheme", "https"), ERR_OK);
    assert_int_equal(take(&m, ":authority", "name.example"), ERR_OK);
    assert_int_equal(take(&m, ":path", "/a?b"), ERR_OK);
    assert_int_equal(take(&m, ":protocol", "websocket"), ERR_OK);
    assert_int_equal(take(&m, ":unheard-of", "x"), ERR_OK);
    assert_slice(m.method, "CONNECT");
    assert_slice(m.scheme, "https");
    assert_slice(m.authority, "name.example");
    assert_slice(m.path, "/a?b");
    assert_slice(m.protocol, "websocket");
    assert_int_equal(m.fields.count, 0);
    message_deinit(&m);
}

static const struct {
    const char *value;
    int want; /* the status; or an error */
} statuses[] = {
    {"200", 200},         {"099", 99},
    {"999", 999},         {"1000", ERR_SYNTAX},
    {"", ERR_SYNTAX},     {"2x0", ERR_SYNTAX},
    {"-200", ERR_SYNTAX}, {" 200", ERR_SYNTAX},
    {"+20", ERR_SYNTAX},  {"0200", 200} /* three digits are nghttp2's to ask for */,
};

static void a_status_is_a_number(void **state)
{
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct message m;
        message_init(&m);
        int err = take(&m, ":status", statuses[i].value);
        int got = err < 0 ? err : m.status;
        if (got != statuses[i].want)
            fail_msg("'%s': %d, want %d", statuses[i].value, got, statuses[i].want);
        message_deinit(&m);
    }
}

/* What is no length stays a field, for whoever judges it. */
static void content_length_is_the_length(void **state)
{
    struct message m;
    message_init(&m);
    assert_int_equal(m.length, MESSAGE_LENGTH_UNKNOWN);
    assert_int_equal(take(&m, "content-length", "9223372036854775808"), ERR_OK);
    assert_int_equal(m.length, MESSAGE_LENGTH_UNKNOWN);
    assert_int_equal(fields_count(&m.fields, SLICE("content-length")), 1);
    assert_int_equal(take(&m, "content-length", "9223372036854775807"), ERR_OK);
    assert_true(m.length == INT64_MAX);
    message_deinit(&m);
}

static void others_are_kept_in_order_and_copied(void **state)
{
    struct message m;
    char name[] = "x-one", value[] = "first";
    message_init(&m);
    assert_int_equal(h2_head_take(&m, text(name), text(value)), ERR_OK);
    assert_int_equal(take(&m, "x-one", "second"), ERR_OK);
    memset(name, '!', sizeof name - 1);
    memset(value, '!', sizeof value - 1);
    assert_int_equal(m.fields.count, 2);
    assert_slice(m.fields.v[0].name, "x-one");
    assert_slice(m.fields.v[0].value, "first");
    assert_slice(m.fields.v[1].value, "second");
    message_deinit(&m);
}

static void a_head_is_bounded(void **state)
{
    struct message m;
    message_init(&m);
    for (int i = 0; i < FIELDS_HEAD_MAX; i++)
        assert_int_equal(take(&m, "x", "y"), ERR_OK);
    assert_int_equal(take(&m, "x", "y"), ERR_LIMIT);
    assert_int_equal(take(&m, ":path", "/"), ERR_LIMIT);
    message_deinit(&m);

    char *long_value = malloc(FIELDS_BYTES_MAX + 1);
    memset(long_value, 'a', FIELDS_BYTES_MAX);
    long_value[FIELDS_BYTES_MAX] = 0;
    message_init(&m);
    assert_int_equal(take(&m, "x", long_value), ERR_LIMIT);
    long_value[FIELDS_BYTES_MAX - 33] = 0; /* 32 a field count too: RFC 9113 6.5.2 */
    assert_int_equal(take(&m, "x", long_value), ERR_OK);
    assert_int_equal(take(&m, "x", ""), ERR_LIMIT);
    message_deinit(&m);
    free(long_value);
}

static const struct {
    const char *authority, *hosts[2];
    bool want;
    const char *settled;
} authorities[] = {
    {"a.example", {NULL}, true, "a.example"},
    {NULL, {NULL}, true, ""},
    {NULL, {"a.example"}, true, "a.example"},
    {"a.example", {"A.Example"}, true, "A.Example"},
    {"a.example", {"b.example"}, false, "a.example"},
    {"a.example", {"a.example:80"}, false, "a.example"},
    {NULL, {"a.example", "a.example"}, false, ""},
    {"a.example", {"a.example", "b.example"}, false, "a.example"},
};

static void host_and_authority_are_one(void **state)
{
    for (size_t i = 0; i < COUNT(authorities); i++) {
        struct message m;
        message_init(&m);
        if (authorities[i].authority)
            assert_int_equal(take(&m, ":authority", authorities[i].authority), ERR_OK);
        for (int n = 0; n < 2 && authorities[i].hosts[n]; n++)
            assert_int_equal(take(&m, "host", authorities[i].hosts[n]), ERR_OK);
        assert_int_equal(h2_head_settle_authority(&m), authorities[i].want);
        assert_slice(m.authority, authorities[i].settled);
        if (authorities[i].want)
            assert_null(fields_find(&m.fields, SLICE("host")));
        message_deinit(&m);
    }
}

/* ---- to be sent */

static void assert_nv(const struct h2_head *h, size_t i, const char *name, const char *value)
{
    assert_true(i < h->count);
    assert_slice(slice_make((const char *)h->v[i].name, h->v[i].namelen), name);
    assert_slice(slice_make((const char *)h->v[i].value, h->v[i].valuelen), value);
}

static void a_request_begins_with_its_pseudo_fields(void **state)
{
    struct h2_head h;
    struct message m;
    message_init(&m);
    m.method = SLICE("POST");
    m.scheme = SLICE("https");
    m.authority = SLICE("name.example");
    m.path = SLICE("/");
    m.length = 0;
    fields_add(&m.fields, SLICE("accept"), SLICE("*/*"));
    fields_add(&m.fields, SLICE("cookie"), SLICE("a=b"));
    h2_head_of(&h, &m);
    assert_int_equal(h.count, 7);
    assert_nv(&h, 0, ":method", "POST");
    assert_nv(&h, 1, ":scheme", "https");
    assert_nv(&h, 2, ":authority", "name.example");
    assert_nv(&h, 3, ":path", "/");
    assert_nv(&h, 4, "accept", "*/*");
    assert_int_equal(h.v[4].flags, NGHTTP2_NV_FLAG_NONE);
    assert_nv(&h, 5, "cookie", "a=b"); /* never in the other end's table: RFC 7541 7.1.3 */
    assert_int_equal(h.v[5].flags, NGHTTP2_NV_FLAG_NO_INDEX);
    assert_nv(&h, 6, "content-length", "0");
    h2_head_release(&h);
    message_deinit(&m);
}

/* RFC 8441 4: a WebSocket is a CONNECT with a protocol, and has no length. */
static void a_websocket_has_a_protocol_and_no_length(void **state)
{
    struct h2_head h;
    struct message m;
    message_init(&m);
    m.method = SLICE("CONNECT");
    m.protocol = SLICE("websocket");
    m.scheme = SLICE("https");
    m.path = SLICE("/ws");
    m.length = 5;
    h2_head_of(&h, &m);
    assert_int_equal(h.count, 4);
    assert_nv(&h, 0, ":method", "CONNECT");
    assert_nv(&h, 1, ":protocol", "websocket");
    assert_nv(&h, 2, ":scheme", "https");
    assert_nv(&h, 3, ":path", "/ws");
    h2_head_release(&h);
    message_deinit(&m);
}

static void a_response_has_three_digits(void **state)
{
    static const struct {
        int status;
        const char *want;
    } digits[] = {{200, "200"}, {101, "101"}, {99, "099"}, {999, "999"}};
    for (size_t i = 0; i < COUNT(digits); i++) {
        struct h2_head h;
        struct message m;
        message_init(&m);
        m.status = digits[i].status;
        h2_head_of(&h, &m);
        assert_int_equal(h.count, 1);
        assert_nv(&h, 0, ":status", digits[i].want);
        h2_head_release(&h);
        message_deinit(&m);
    }
}

/* Around the number that fits on the stack, and far beyond it. */
static void many_fields_all_go_out(void **state)
{
    static const size_t counts[] = {H2_HEAD_FEW - 8, H2_HEAD_FEW - 7, H2_HEAD_FEW - 6, H2_HEAD_FEW,
                                    1000};
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct h2_head h;
        struct message m;
        message_init(&m);
        m.method = m.protocol = m.scheme = m.authority = m.path = SLICE("x");
        for (size_t n = 0; n < counts[i]; n++)
            fields_add(&m.fields, SLICE("x-field"), SLICE("value"));
        h2_head_of(&h, &m);
        assert_int_equal(h.count, counts[i] + 5);
        assert_nv(&h, h.count - 1, "x-field", "value");
        h2_head_release(&h);
        h2_head_of_trailers(&h, &m.fields);
        assert_int_equal(h.count, counts[i]);
        assert_nv(&h, 0, "x-field", "value");
        h2_head_release(&h);
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pseudo_fields_become_parts),
        cmocka_unit_test(a_status_is_a_number),
        cmocka_unit_test(content_length_is_the_length),
        cmocka_unit_test(others_are_kept_in_order_and_copied),
        cmocka_unit_test(a_head_is_bounded),
        cmocka_unit_test(host_and_authority_are_one),
        cmocka_unit_test(a_request_begins_with_its_pseudo_fields),
        cmocka_unit_test(a_websocket_has_a_protocol_and_no_length),
        cmocka_unit_test(a_response_has_three_digits),
        cmocka_unit_test(many_fields_all_go_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
