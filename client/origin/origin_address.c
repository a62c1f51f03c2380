/* SPDX-License-Identifier: MIT */
/* origin_address.c - see origin_address.h. */
#include "client/origin/origin_address.h"

#include <stdio.h>

#include "h2mux/base/err.h"

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_SYNTAX;
}

static int parse_unix(struct slice path, struct origin_address *out, const char **reason)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return wrong(reason, "a unix socket is given by an absolute path: unix:/PATH");
    if (path.len >= sizeof out->unix_path)
        return wrong(reason, "the path of the unix socket is too long");
    memcpy(out->unix_path, path.ptr, path.len);
    out->unix_path[path.len] = '\0';
    return url_set_host(&out->url, SLICE("localhost"), 0);
}

/* Returns whether @host may be dialled. An address may have a zone, "fe80::1%eth0", so more is
 * allowed than in a Host field. */
static bool host_is_fit(const char *host)
{
    for (const char *c = host; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("\"#/<>?@[\\]^`{|}", *c))
            return false;
    return true;
}

static int parse_port(struct slice text, const char *local_host, struct origin_address *out,
                      const char **reason)
{
    uint64_t port;
    if (slice_to_u64(text, UINT16_MAX, &port) < 0 || port == 0)
        return wrong(reason, "a port is a number from 1 to 65535");
    if (url_set_host(&out->url, slice_str(local_host), (uint16_t)port) < 0)
        return wrong(reason, "the local host name is empty or too long");
    if (!host_is_fit(local_host))
        return wrong(reason, "the local host is a name or an address, without port or brackets");
    return 0;
}

static const char forms[] =
    "want PORT, HOST:PORT, http(s)://HOST[:PORT], h2c://HOST[:PORT], https+h2://HOST[:PORT] or "
    "unix:/PATH";

/* Takes the scheme of an origin that speaks HTTP/2 off @text, in place of which url_parse gets a
 * scheme that it knows. */
static struct slice parse_h2(struct slice text, struct origin_address *out, char *plain, size_t cap)
{
    static const struct {
        struct slice h2;
        const char *as;
    } schemes[] = {{{"h2c://", 6}, "http://"}, {{"https+h2://", 11}, "https://"}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct slice rest = slice_skip(text, schemes[i].h2.len);
        if (!slice_istarts(text, schemes[i].h2))
            continue;
        int len = snprintf(plain, cap, "%s%.*s", schemes[i].as, SLICE_FMT(rest));
        out->h2 = len > 0 && (size_t)len < cap;
        return out->h2 ? slice_str(plain) : text;
    }
    return text;
}

static int parse_url(struct slice text, struct origin_address *out, const char **reason)
{
    char plain[URL_AUTHORITY_MAX + URL_PATH_MAX];
    if (url_parse(parse_h2(text, out, plain, sizeof plain), &out->url) < 0)
        return wrong(reason, forms);
    if (strcmp(out->url.path, "/") != 0)
        return wrong(reason, "the local address takes no path");
    return 0;
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

static int parse_any(struct slice s, const char *local_host, struct origin_address *out,
                     const char **reason)
{
    if (slice_starts(s, SLICE("unix:")))
        return parse_unix(slice_skip(s, 5), out, reason);
    if (all_digits(s))
        return parse_port(s, local_host, out, reason);
    if (memmem(s.ptr, s.len, "://", 3)) {
        if (out->url.https && slice_istarts(s, SLICE("http://")))
            return wrong(reason, "http:// contradicts --local-https");
        if (out->url.https && slice_istarts(s, SLICE("h2c://")))
            return wrong(reason, "h2c:// contradicts --local-https: want https+h2://");
        return parse_url(s, out, reason);
    }
    if (url_parse_authority(s, &out->url) < 0 || out->url.port == 0)
        return wrong(reason, forms);
    return 0;
}

static void write_text(struct origin_address *a)
{
    bool v6 = strchr(a->url.host, ':');
    if (a->unix_path[0] != '\0')
        snprintf(a->text, sizeof a->text, "unix:%s", a->unix_path);
    else
        snprintf(a->text, sizeof a->text, v6 ? "[%s]:%u" : "%s:%u", a->url.host, a->url.port);
}

int origin_address_parse(const char *text, const char *local_host, bool https,
                         struct origin_address *out, const char **reason)
{
    *out = (struct origin_address){.url = {.https = https, .path = "/"}};
    int err = parse_any(slice_str(text), local_host, out, reason);
    if (err == 0)
        write_text(out);
    return err;
}

const char *origin_address_scheme(const struct origin_address *a)
{
    if (a->h2)
        return a->url.https ? "https+h2" : "h2c";
    return a->url.https ? "https" : "http";
}
