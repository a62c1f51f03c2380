/* SPDX-License-Identifier: MIT */
/* test_access.c - tests the lines of the access log: all fields are there, a viewer's texts are
 * escaped, and no line is too long. */
#include "src/http/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "h2mux/base/log.h"

enum { LARGE = 40000 /* more than any line shows */, ROOM = 4096 };

static char path[64];

static int make_path(void **state)
{
    snprintf(path, sizeof path, "/tmp/test_access.XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    return unlink(path);
}

/* Writes one entry and returns the content of the file, until the next call. */
static const char *written(bool json, const struct access_entry *e)
{
    static char text[65536];
    assert_int_equal(truncate(path, 0), 0);
    struct log_file *f = log_file_open(path);
    assert_non_null(f);
    access_write(f, json, e);
    log_file_close(f);
    FILE *in = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    return text;
}

static struct access_entry entry_make(void)
{
    return (struct access_entry){
        .viewer = "203.0.113.9",
        .request = {.host = SLICE("my-app.example.com:8080"),
                    .method = SLICE("GET"),
                    .path = SLICE("/a?b=c"),
                    .user_agent = SLICE("curl 1.0"),
                    .referer = SLICE("https://x/"),
                    .minor_version = 1},
        .tunnel = "my-app",
        .status = 200,
        .rx_bytes = 5,
        .tx_bytes = 1234,
        .duration_us = 12345,
        .wait_us = 678,
    };
}

static void test_text(void **state)
{
    struct access_entry e = entry_make();
    const char *line = written(false, &e);
    assert_int_equal(strncmp(line, "203.0.113.9 - - [", 17), 0);
    assert_non_null(strstr(line, " +0000] \"GET /a?b=c HTTP/1.1\" 200 1234 \"https://x/\" "
                                 "\"curl 1.0\" tunnel=my-app host=my-app.example.com:8080 "
                                 "ms=12.345 wait_ms=0.678 rx=5 error=-\n"));
}

static void test_text_failed(void **state)
{
    struct access_entry e = entry_make();
    e.status = 0;
    e.request.minor_version = 0;
    e.tunnel = "-";
    e.websocket = e.aborted = true;
    e.error = "connection_terminated";
    e.request.referer = SLICE("");
    const char *line = written(false, &e);
    assert_non_null(strstr(line, " HTTP/1.0\" 499 1234 \"-\" \"curl 1.0\" tunnel=- "));
    assert_non_null(strstr(line, " rx=5 websocket error=connection_terminated aborted\n"));
}

static void test_text_escapes(void **state)
{
    struct access_entry e = entry_make();
    e.request.path = SLICE("/\"\\\n\x80\x7f x");
    e.request.host = SLICE("a b=c");
    e.request.user_agent = SLICE("x\" 200 \r\n");
    const char *line = written(false, &e);
    assert_non_null(strstr(line, "\"GET /\\x22\\x5c\\x0a\\x80\\x7f\\x20x HTTP/1.1\""));
    assert_non_null(strstr(line, "\"x\\x22 200 \\x0d\\x0a\""));
    assert_non_null(strstr(line, " host=a\\x20b=c "));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* With all texts too long, the line still fits into one atomic write to a pipe, with the fields at
 * its end. */
static void test_bound(void **state)
{
    struct access_entry e = entry_make();
    char *large = calloc(1, 40000);
    memset(large, '"', 40000);
    struct access_request *r = &e.request;
    r->method = r->path = r->host = r->user_agent = r->referer = slice_make(large, 40000);
    e.error = "http_response_header_section_size";
    e.aborted = true;
    const char *line = written(false, &e);
    assert_in_range(strlen(line), 1000, 4096);
    assert_non_null(strstr(line, " error=http_response_header_section_size aborted\n"));
    line = written(true, &e);
    assert_in_range(strlen(line), 1000, 4096);
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    cJSON_Delete(json);
    free(large);
}

static void test_json(void **state)
{
    struct access_entry e = entry_make();
    e.request.path = SLICE("/\"\xff");
    cJSON *json = cJSON_Parse(written(true, &e));
    assert_non_null(json);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "viewer")), "203.0.113.9");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "path")), "/\\x22\\xff");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "protocol")), "HTTP/1.1");
    assert_int_equal(cJSON_GetObjectItem(json, "status")->valueint, 200);
    assert_int_equal(cJSON_GetObjectItem(json, "tx_octets")->valueint, 1234);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(json, "websocket")));
    assert_null(cJSON_GetObjectItem(json, "error"));
    cJSON_Delete(json);
}

/* The line of a request that was kept is the same as the line of its head. */
static void test_kept(void **state)
{
    struct access_entry e = entry_make();
    char head[] = "/of/the/head", want[ROOM];
    char *large = xmalloc(LARGE);
    memset(large, 'a', LARGE);
    e.request.path = slice_str(head);
    e.request.referer = SLICE("");
    e.request.user_agent = slice_make(large, LARGE);
    snprintf(want, sizeof want, "%s", strchr(written(false, &e), '"'));
    char *kept = access_request_keep(&e.request);
    memset(head, 'x', sizeof head);
    memset(large, 'x', LARGE);
    assert_string_equal(strchr(written(false, &e), '"'), want);
    free(kept);
    free(large);
}

static void test_kept_of_nothing(void **state)
{
    struct access_request r = {.minor_version = 1};
    char *kept = access_request_keep(&r);
    assert_int_equal(r.host.len + r.method.len + r.path.len + r.user_agent.len + r.referer.len, 0);
    free(kept);
}

/* P26, T37: a key is not shown, and nothing else is hidden. */
static const struct {
    const char *what, *url, *shown;
} urls[] = {
    {"P26 a path", "/.oneport/key/abc", "/.oneport/key/..."},
    {"P26 nothing behind", "/.oneport/key/", "/.oneport/key/..."},
    {"P26 a page behind", "/.oneport/key/abc/docs?a=b", "/.oneport/key/.../docs?a=b"},
    {"P26 a query behind", "/.oneport/key/abc?a=b", "/.oneport/key/...?a=b"},
    {"P26 a URL", "https://app.example.com:8443/.oneport/key/abc/docs",
     "https://app.example.com:8443/.oneport/key/.../docs"},
    {"P26 a fragment", "http://x/.oneport/key/abc#top", "http://x/.oneport/key/...#top"},
    {"T37 in a query", "/admin/x?a=/.oneport/key/", "/admin/x?a=/.oneport/key/"},
    {"T37 further behind", "/a/.oneport/key/abc", "/a/.oneport/key/abc"},
    {"T37 in the query of a URL", "https://x/a?/.oneport/key/b", "https://x/a?/.oneport/key/b"},
    {"T37 behind a host", "https://x?/.oneport/key/b", "https://x?/.oneport/key/b"},
    {"T37 a URL in a query", "/a?b=https://x/.oneport/key/c", "/a?b=https://x/.oneport/key/c"},
    {"T37 another word", "/.oneport/keys/abc", "/.oneport/keys/abc"},
    {"T37 twice", "/.oneport/key/a/.oneport/key/b", "/.oneport/key/.../.oneport/key/b"},
};

static void test_keys(void **state)
{
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct access_entry e = entry_make();
        e.request.path = e.request.referer = slice_str(urls[i].url);
        cJSON *json = cJSON_Parse(written(true, &e));
        const char *target = cJSON_GetStringValue(cJSON_GetObjectItem(json, "path"));
        const char *referer = cJSON_GetStringValue(cJSON_GetObjectItem(json, "referer"));
        if (strcmp(target, urls[i].shown) != 0 || strcmp(referer, urls[i].shown) != 0)
            fail_msg("%s: %s %s", urls[i].what, target, referer);
        cJSON_Delete(json);
        assert_non_null(strstr(written(false, &e), urls[i].shown));
    }
}

static void test_off(void **state)
{
    struct access_entry e = entry_make();
    access_write(NULL, false, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_failed),
        cmocka_unit_test(test_text_escapes),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_kept_of_nothing),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests_name("access", tests, make_path, remove_path);
}
