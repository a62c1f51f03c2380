/* SPDX-License-Identifier: MIT */
/* fuzz_client_addresses.c - an input as a URL, an authority, an origin (with its second line as
 * --local-host) and a --host-header.
 *
 * Checks that what is accepted is well formed, and that its printed form is accepted and means the
 * same. */
#include "client/origin/origin_address.h"
#include "client/origin/rewrite.h"
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

static void check_same(const struct url *a, const struct url *b)
{
    assert(a->https == b->https && a->port == b->port);
    assert(strcmp(a->host, b->host) == 0 && strcmp(a->authority, b->authority) == 0);
}

static void check_url(struct slice text)
{
    struct url url, again;
    if (url_parse(text, &url) < 0)
        return;
    assert(url.host[0] && url.port != 0 && h1_authority_valid(slice_str(url.authority)));
    assert(h1_target_valid(slice_str(url.path)) && !strpbrk(url.path, "?#"));
    for (const char *c = url.host; *c; c++)
        assert(*c < 'A' || *c > 'Z');
    char *plain = xasprintf("http%s://%s%s", url.https ? "s" : "", url.authority, url.path);
    assert(url_parse(slice_str(plain), &again) == 0 && strcmp(url.path, again.path) == 0);
    check_same(&url, &again);
    assert(url_is_loopback(&url) == url_is_loopback(&again));
    free(plain);
}

static void check_authority(struct slice text)
{
    struct url url = {.https = true}, again = {.https = true};
    if (url_parse_authority(text, &url) < 0)
        return;
    assert(h1_authority_valid(text));
    assert(url_parse_authority(slice_str(url.authority), &again) == 0);
    assert(again.port == (url.port == 443 ? 0 : url.port) && strcmp(url.host, again.host) == 0);
}

static void check_origin(const char *text, const char *local_host, bool https)
{
    struct origin_address a, again;
    const char *reason = NULL;
    if (origin_address_parse(text, local_host, https, &a, &reason) < 0) {
        assert(reason && reason[0]);
        return;
    }
    assert(a.url.host[0] && strcmp(a.url.path, "/") == 0);
    assert(a.unix_path[0] ? a.unix_path[0] == '/' : a.url.port != 0);
    assert(memchr(a.text, '\0', sizeof a.text));
    bool named_unix = !a.unix_path[0] && slice_starts(slice_str(a.text), SLICE("unix:"));
    if (!named_unix && h1_authority_valid(slice_str(
                           a.url.authority))) { /* an address with a zone is no valid authority */
        assert(origin_address_parse(a.text, "localhost", a.url.https, &again, &reason) == 0);
        check_same(&a.url, &again.url);
        assert(strcmp(a.unix_path, again.unix_path) == 0);
    }
}

static void check_host_header(const char *text)
{
    struct rewrite w;
    if (rewrite_parse(text, &w) == 0 && w.mode == REWRITE_VALUE)
        assert(h1_authority_valid(slice_str(w.value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct slice first = fuzz_line(&in);
    char *text = slice_dup(first), *local_host = slice_dup(in);
    check_url(first);
    check_authority(first);
    check_origin(text, local_host, false);
    check_origin(text, local_host, true);
    check_host_header(text);
    free(text);
    free(local_host);
    return 0;
}
