/* SPDX-License-Identifier: MIT */
/* test_spelling.c - spelling.c: what becomes of field names towards HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/alloc.h"
#include "h2mux/http/spelling.h"

static const struct {
    const char *id, *name, *want;
} rows[] = {
    {"D35 R28 parts", "content-type", "Content-Type"},
    {"D35 R28 one part", "host", "Host"},
    {"D35 R28 a letter", "x", "X"},
    {"D35 R28 digits", "x-hub-signature-256", "X-Hub-Signature-256"},
    {"D35 R28 digit first", "2fa-token", "2fa-Token"},
    {"D35 R28 other bytes are no hyphens", "x_a!b.c-d", "X_a!b.c-D"},
    {"D35 R28 hyphens alone", "--a--b-", "--A--B-"},
    {"D35 R28 as it was", "Content-Type", "Content-Type"},
    {"D35 R28 capitals stay", "X-CamelCase-HTTP", "X-CamelCase-HTTP"},
    {"D35 R28 known, with capitals", "Etag", "ETag"},
    {"D35 R28 known, in capitals", "WWW-AUTHENTICATE", "WWW-Authenticate"},
    {"R28 ETag", "etag", "ETag"},
    {"R28 longer than a known one", "etags", "Etags"},
    {"R28 begins as a known one", "etag-x", "Etag-X"},
    {"R28 WWW-Authenticate", "www-authenticate", "WWW-Authenticate"},
    {"R28 Content-MD5", "content-md5", "Content-MD5"},
    {"R28 X-XSS-Protection", "x-xss-protection", "X-XSS-Protection"},
    {"R28 X-UA-Compatible", "x-ua-compatible", "X-UA-Compatible"},
    {"R28 X-DNS-Prefetch-Control", "x-dns-prefetch-control", "X-DNS-Prefetch-Control"},
    {"R28 SourceMap", "sourcemap", "SourceMap"},
    {"R28 NEL", "nel", "NEL"},
    {"R28 P3P", "p3p", "P3P"},
    {"R28 Expect-CT", "expect-ct", "Expect-CT"},
    {"R28 Accept-CH", "accept-ch", "Accept-CH"},
    {"R28 DAV", "dav", "DAV"},
    {"R28 small letters", "icy-metaint", "icy-metaint"},
    {"D35 TE", "te", "TE"},
    {"D35 DNT", "dnt", "DNT"},
    {"D35 DPoP", "dpop", "DPoP"},
    {"D35 SOAPAction", "soapaction", "SOAPAction"},
    {"D35 MIME-Version", "mime-version", "MIME-Version"},
    {"D35 ALPN", "alpn", "ALPN"},
    {"D35 HTTP2-Settings", "http2-settings", "HTTP2-Settings"},
    {"D35 Sec-CH-UA", "sec-ch-ua", "Sec-CH-UA"},
    {"D35 Sec-CH-UA-Full-Version-List", "sec-ch-ua-full-version-list",
     "Sec-CH-UA-Full-Version-List"},
    {"D35 Sec-CH-Prefers-Reduced-Transparency", "sec-ch-prefers-reduced-transparency",
     "Sec-CH-Prefers-Reduced-Transparency"},
    {"D35 X-Request-ID", "x-request-id", "X-Request-ID"},
    {"D35 X-Real-IP", "x-real-ip", "X-Real-IP"},
    {"D35 Last-Event-ID", "last-event-id", "Last-Event-ID"},
    {"D35 X-GitHub-Event", "x-github-event", "X-GitHub-Event"},
    {"W12 key", "sec-websocket-key", "Sec-WebSocket-Key"},
    {"W12 accept", "sec-websocket-accept", "Sec-WebSocket-Accept"},
    {"W12 version", "sec-websocket-version", "Sec-WebSocket-Version"},
    {"W12 protocol", "sec-websocket-protocol", "Sec-WebSocket-Protocol"},
    {"W12 extensions", "sec-websocket-extensions", "Sec-WebSocket-Extensions"},
    {"W12 upgrade", "upgrade", "Upgrade"},
};

/* Into memory that ends with the name, from memory that ends with it. */
static void names_are_spelled(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].name);
        char *from = xmalloc(len), *to = xmalloc(len);
        memcpy(from, rows[i].name, len);
        spelling_write(to, slice_make(from, len));
        if (!slice_eq(slice_make(to, len), slice_str(rows[i].want)))
            fail_msg("%s: \"%.*s\"", rows[i].id, (int)len, to);
        free(from);
        free(to);
    }
}

/* No length, and no byte, leads out of the table, and the name means the same. */
static void any_name_keeps_its_meaning(void **state)
{
    char from[64], to[64];
    for (size_t len = 0; len <= sizeof from; len++)
        for (int c = '!'; c <= '~'; c++) {
            memset(from, c, sizeof from);
            spelling_write(to, slice_make(from, len));
            assert_true(slice_ieq(slice_make(to, len), slice_make(from, len)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_spelled),
        cmocka_unit_test(any_name_keeps_its_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
