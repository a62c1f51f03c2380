/* SPDX-License-Identifier: MIT */
/* test_fields.c - fields.c: the section as a container, and the rules of names and values. RFC 9110
 * 5, 7.6.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/bytes.h"
#include "h2mux/http/fields.h"

#define IN(text)                                                                                   \
    {                                                                                              \
        (text), sizeof text - 1                                                                    \
    }
#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

/* "name=value|…" into @f and back. */
static void fields_from(struct fields *f, const char *text)
{
    struct slice rest = slice_str(text);
    fields_init(f);
    for (ptrdiff_t end; (end = slice_find(rest, '|')) >= 0;
         rest = slice_skip(rest, (size_t)end + 1)) {
        struct slice pair = slice_make(rest.ptr, (size_t)end);
        size_t name = (size_t)slice_find(pair, '=');
        fields_add(f, slice_make(pair.ptr, name), slice_skip(pair, name + 1));
    }
}

static void check_fields(const char *id, const struct fields *f, const char *want)
{
    char got[1024] = "";
    int n = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < f->count; i++) {
        n += snprintf(got + n, sizeof got - (size_t)n, "%.*s=%.*s|", SLICE_FMT(f->v[i].name),
                      SLICE_FMT(f->v[i].value));
        bytes += f->v[i].name.len + f->v[i].value.len + 32;
    }
    if (strcmp(got, want) != 0)
        fail_msg("%s: \"%s\", want \"%s\"", id, got, want);
    assert_int_equal(f->bytes, bytes);
}

static const struct {
    const char *id, *in, *want; /* want NULL: ERR_DENIED, nothing changed */
} strips[] = {
    {"H2 nothing to do", "a=b|", "a=b|"},
    {"H2 fixed names",
     "Connection=close|Keep-Alive=1|a=b|Proxy-Connection=x|Transfer-Encoding=chunked|Upgrade=h2c|"
     "HTTP2-Settings=x|TE=trailers|",
     "a=b|"},
    {"H2 named", "X-Hop=1|connection=x-hop, Close|a=b|x-hop=2|", "a=b|"},
    {"H2 named on two lines", "c=1|connection=b|connection=c|a=1|b=2|", "a=1|"},
    {"H2 named but absent", "connection=x-hop|a=b|", "a=b|"},
    {"H2 empty elements", "connection=, ,x,|x=1|a=b|", "a=b|"},
    {"H2 prefix is not the name", "connection=ab|a=1|abc=2|", "a=1|abc=2|"},
    {"H2 host", "connection=Host|a=b|", NULL},
    {"H2 content-length", "connection=content-length|a=b|", NULL},
    {"H2 transfer-encoding", "connection=close, Transfer-Encoding|a=b|", NULL},
    {"H2 authorization", "connection=Authorization|authorization=x|", NULL},
    {"H2 cookie", "connection=a|connection=COOKIE|a=b|cookie=x|", NULL},
    {"H2 x-forwarded-for", "connection=X-Forwarded-For|a=b|", NULL},
    {"H2 x-forwarded-anything", "connection=x-forwarded-new|a=b|", NULL},
    {"H16 other spellings",
     "a=1|Content.Length=5|Transfer_Encoding=chunked|Keep.Alive=1|Proxy_Connection=x|"
     "Content_Type=x|Set_Cookie=a|X!Real!IP=x|Sec_WebSocket_Key=k|",
     "a=1|"},
    {"H16 secrets have no reader", "X_Api_Key=1|", "X_Api_Key=1|"},
    {"H16 no rule is about it", "X_Own.Field!=1|", "X_Own.Field!=1|"},
    {"H16 named in another spelling", "connection=x_hop|X.Hop=1|a=b|", "a=b|"},
    {"H16 a protected name in another spelling", "connection=content_length|a=b|", NULL},
    {"H16 of forwarding fields", "connection=X.Forwarded.For|a=b|", NULL},
    {"R14 upgrade advert", "Upgrade=h2|Connection=Upgrade|server=x|date=y|", "server=x|date=y|"},
};

static void hop_by_hop_fields_go(void **state)
{
    for (size_t i = 0; i < COUNT(strips); i++) {
        struct fields f;
        fields_from(&f, strips[i].in);
        assert_int_equal(fields_strip(&f, NULL, NULL), strips[i].want ? ERR_OK : ERR_DENIED);
        check_fields(strips[i].id, &f, strips[i].want ? strips[i].want : strips[i].in);
        fields_deinit(&f);
    }
}

/* Options are looked for in every field: their number is bounded. */
static void connection_options_are_bounded(void **state)
{
    for (size_t options = 64; options <= 65; options++) {
        struct fields f;
        fields_init(&f);
        for (size_t i = 0; i < options; i++)
            fields_add(&f, SLICE("connection"), SLICE("x"));
        assert_int_equal(fields_strip(&f, NULL, NULL), options == 64 ? ERR_OK : ERR_DENIED);
        assert_int_equal(f.count, options == 64 ? 0 : options);
        fields_deinit(&f);
    }
}

static const struct {
    const char *id;
    struct slice in;
    bool want;
} names[] = {
    {"5.1 token", IN("a-Z_0.9!#$%&'*+^`|~"), true},
    {"5.1 empty", IN(""), false},
    {"5.1 colon", IN(":a"), false},
    {"5.1 space", IN("a b"), false},
    {"5.1 NUL", IN("a\0"), false},
    {"5.1 0x80", IN("a\x80"), false},
    {"5.1 DEL", IN("a\x7f"), false},
    {"5.1 CR", IN("a\r"), false},
    {"5.1 comma", IN("a,b"), false},
    {"5.1 quote", IN("\"a\""), false},
    {"5.1 slash", IN("a/b"), false},
    {"5.1 brace", IN("a{b"), false},
};

static const struct {
    const char *id;
    struct slice in;
    bool want;
} values[] = {
    {"5.5 empty", IN(""), true},
    {"5.5 text", IN("a b\tc"), true},
    {"Q37 obs-text", IN("\x80\xff"), true},
    {"5.5 CR", IN("a\rb"), false},
    {"5.5 LF", IN("a\nb"), false},
    {"5.5 NUL", IN("a\0b"), false},
    {"5.5 CTL", IN("a\x01"), false},
    {"5.5 ESC", IN("\x1b[0m"), false},
    {"5.5 DEL", IN("a\x7f"), false},
    {"5.5 space before", IN(" a"), false},
    {"5.5 tab after", IN("a\t"), false},
    {"5.5 only space", IN(" "), false},
};

static void names_and_values_are_judged(void **state)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (field_name_valid(names[i].in) != names[i].want)
            fail_msg("%s", names[i].id);
    for (size_t i = 0; i < COUNT(values); i++)
        if (field_value_valid(values[i].in) != values[i].want)
            fail_msg("%s", values[i].id);
}

/* Every byte at every place: what is skipped is whole words of bytes that are values, and only a
 * word with one that may be none ends it (HTAB is looked at by itself). RFC 9110 5.5. */
static void printable_bytes_are_skipped_among(char others)
{
    char text[24];
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof text; at++)
            for (size_t len = 0; len <= sizeof text; len++) {
                memset(text, others, sizeof text);
                text[at] = (char)c;
                bool plain = byte_is_value((unsigned char)c) && c != '\t';
                size_t stop = plain || at >= len ? len : at;
                if (byte_skip_printable(text, len) != stop / 8 * 8)
                    fail_msg("0x%02x at %zu of %zu", c, at, len);
            }
}

static void printable_bytes_are_skipped(void **state)
{
    static const char others[] = {'a', ' ', '~', '\x80', '\xff'};
    for (size_t i = 0; i < COUNT(others); i++)
        printable_bytes_are_skipped_among(others[i]);
}

static const struct {
    const char *name;
    bool secret, no_trailer;
} kinds[] = {
    {"authorization", true, true},
    {"Proxy-Authorization", true, true},
    {"Cookie", true, true},
    {"set-cookie", true, true},
    {"x-api-key", true, false},
    {"host", false, true},
    {"Content-Length", false, true},
    {"transfer-encoding", false, true},
    {"te", false, true},
    {"trailer", false, true},
    {"x-forwarded-for", false, true},
    {"X-Forwarded-Proto", false, true},
    {"forwarded", false, true},
    {"via", false, true},
    {"connection", false, true},
    {"content-type", false, true},
    {"grpc-status", false, false},
    {"etag", false, false},
    {"cookies", false, false},
    {"x-forwarded", false, true},
    {"Content_Length", false, true},
    {"Content.Type", false, true},
    {"X_Api_Key", true, false},
    {"Proxy.Authorization", true, true},
    {"max_forwards", false, true},
    {"oneport-error", false, true},
    {"", false, false},
};

static void names_are_classed(void **state)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct slice name = slice_str(kinds[i].name);
        if (field_is_secret(name) != kinds[i].secret ||
            field_forbidden_in_trailers(name) != kinds[i].no_trailer)
            fail_msg("H11 R13 Q29: %s", kinds[i].name);
    }
}

static void fields_are_found_and_removed(void **state)
{
    struct fields f;
    fields_from(&f, "A=1|b=2|a=x, Y|c=|");
    assert_ptr_equal(fields_find(&f, SLICE("a")), &f.v[0]);
    assert_null(fields_find(&f, SLICE("d")));
    assert_int_equal(fields_count(&f, SLICE("a")), 2);
    assert_int_equal(fields_count(&f, SLICE("d")), 0);
    assert_true(slice_eq(fields_value(&f, SLICE("B")), SLICE("2")));
    assert_int_equal(fields_value(&f, SLICE("d")).len, 0);
    assert_true(fields_has_token(&f, SLICE("a"), SLICE("y")));
    assert_true(fields_has_token(&f, SLICE("A"), SLICE("1")));
    assert_false(fields_has_token(&f, SLICE("b"), SLICE("y")));
    fields_remove(&f, SLICE("a"));
    check_fields("5.2 removed", &f, "b=2|c=|");
    fields_remove(&f, SLICE("a"));
    check_fields("5.2 removed again", &f, "b=2|c=|");
    fields_deinit(&f);
    check_fields("5.2 empty", &f, "");
}

/* Slices stay good while the arena and the table grow. */
static void kept_bytes_stay(void **state)
{
    struct fields f, copy;
    char text[2048];
    fields_init(&f);
    for (int i = 0; i < 200; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "%d%*s", i, i * 10, "");
        fields_add_copy(&f, SLICE("n"), slice_make(text, len));
    }
    fields_init(&copy);
    fields_copy(&copy, &f);
    fields_deinit(&f);
    for (int i = 0; i < 200; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "%d%*s", i, i * 10, "");
        assert_true(slice_eq(copy.v[i].value, slice_make(text, len)));
    }
    fields_deinit(&copy);
}

static void values_are_printed(void **state)
{
    struct fields f;
    fields_init(&f);
    fields_add_printf(&f, SLICE("via"), "1.1 %s-%08x", "oneport", 0xabcu);
    fields_add_printf(&f, SLICE("empty"), "%s", "");
    check_fields("H1", &f, "via=1.1 oneport-00000abc|empty=|");
    fields_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hop_by_hop_fields_go),
        cmocka_unit_test(connection_options_are_bounded),
        cmocka_unit_test(names_and_values_are_judged),
        cmocka_unit_test(printable_bytes_are_skipped),
        cmocka_unit_test(names_are_classed),
        cmocka_unit_test(fields_are_found_and_removed),
        cmocka_unit_test(kept_bytes_stay),
        cmocka_unit_test(values_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
