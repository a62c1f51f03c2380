/* SPDX-License-Identifier: MIT */
/* test_page_call.c - tests which register calls a web page has caused. */
#include "src/http/page_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *what, *name, *value;
    bool plain, tls; /* a page has caused it, over plain HTTP and over TLS */
} rows[] = {
    {"Q60 a program", "User-Agent", "curl/7.88", false, false},
    {"Q60 an image of another site", "Sec-Fetch-Site", "cross-site", true, true},
    {"Q60 a sibling domain, as a tunnel is", "sec-fetch-site", "Same-Site", true, true},
    {"Q60 fetch() of the own site", "Sec-Fetch-Site", "same-origin", false, false},
    {"Q60 a user's own doing", "Sec-Fetch-Site", "none", false, false},
    {"Q60 a link or the address bar", "Sec-Fetch-Dest", "document", true, true},
    {"Q60 an image", "Sec-Fetch-Dest", "image", true, true},
    {"Q60 fetch()", "Sec-Fetch-Dest", "empty", false, false},
    {"Q60 another origin", "Origin", "https://evil.example", true, true},
    {"Q60 an origin that begins alike", "Origin", "https://example.com.evil.org", true, true},
    {"Q60 another port", "Origin", "https://example.com:8443", true, true},
    {"Q60 a page without an origin", "Origin", "null", true, true},
    {"Q60 the own origin", "Origin", "https://EXAMPLE.com", false, false},
    {"Q60 Purpose", "Purpose", "prefetch", true, true},
    {"Q60 Sec-Purpose", "Sec-Purpose", "prefetch;prerender", true, true},
    {"Q60 an old Firefox", "X-moz", "prefetch", true, true},
    {"Q60 languages", "Accept-Language", "de-DE,de;q=0.9", true, false},
    {"Q60 fetch() of Node", "Accept-Language", "*", false, false},
    {"Q60 a page", "Referer", "http://evil.example/", true, false},
    {"Q60 a cookie", "Cookie", "a=b", true, false},
};

static void test_page_call(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message m;
        message_init(&m);
        m.authority = SLICE("example.com");
        fields_add(&m.fields, slice_str(rows[i].name), slice_str(rows[i].value));
        if (page_call(&m, false) != rows[i].plain || page_call(&m, true) != rows[i].tls)
            fail_msg("%s", rows[i].what);
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
