/* SPDX-License-Identifier: MIT */
/* test_grpc.c - requests of gRPC, and failures as its clients read them; rule D42. */
#include "h2mux/http/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name, *type;
    bool is;
} types[] = {
    {"D42 plain", "application/grpc", true},
    {"D42 with a format", "application/grpc+proto", true},
    {"D42 capitals", "Application/gRPC; charset=x", true},
    {"D42 of a browser", "application/grpc-web+proto", true},
    {"D42 none", NULL, false},
    {"D42 another", "application/json", false},
    {"D42 shorter", "application/grp", false},
};

static void test_types(void **state)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct message m;
        print_message("%s\n", types[i].name);
        message_init(&m);
        if (types[i].type)
            fields_add(&m.fields, SLICE("Content-Type"), slice_str(types[i].type));
        assert_int_equal(grpc_is(&m.fields), types[i].is);
        message_deinit(&m);
    }
}

/* D42: the codes. */
static void test_codes(void **state)
{
    static const int pairs[][2] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {405, 2},
                                   {408, 2},  {413, 8},  {429, 14}, {431, 13}, {501, 12},
                                   {502, 14}, {503, 14}, {504, 14}, {508, 2}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_int_equal(grpc_status_of(pairs[i][0]), pairs[i][1]);
}

/* D42: the text is escaped, and cut at 512 bytes. */
static void test_texts(void **state)
{
    static const struct {
        const char *text, *escaped;
    } rows[] = {
        {"The service is not running.", "The service is not running."},
        {"100 %\r\n", "100 %25%0D%0A"},
        {"caf\xc3\xa9", "caf%C3%A9"},
        {"", ""},
    };
    char much[2000];
    struct message m;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        message_init(&m);
        grpc_fail(&m, GRPC_UNAVAILABLE, slice_str(rows[i].text));
        assert_int_equal(m.status, 200);
        assert_true(grpc_is(&m.fields));
        assert_true(slice_eq(fields_value(&m.fields, SLICE("grpc-status")), SLICE("14")));
        assert_true(
            slice_eq(fields_value(&m.fields, SLICE("grpc-message")), slice_str(rows[i].escaped)));
        message_deinit(&m);
    }
    memset(much, '%', sizeof much);
    message_init(&m);
    grpc_fail(&m, GRPC_INTERNAL, slice_make(much, sizeof much));
    assert_int_equal(fields_value(&m.fields, SLICE("grpc-message")).len, 3 * 512);
    message_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types), cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
