/* SPDX-License-Identifier: MIT */
/* proxy_choice.c - see proxy_choice.h. */
#include "client/server/proxy_choice.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"
#include "h2mux/http/bytes.h"

enum { SOCKS_PORT = 1080 };

/* ---- the proxy's URL */

static int wrong(const char **reason, const char *text)
{
    *reason = text;
    return ERR_SYNTAX;
}

/* Decodes %XX. What comes out is a part of a header field, so it has no control characters. */
static int decode(struct slice in, char to[static PROXY_LOGIN_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%') {
            int high = i + 2 < in.len ? byte_hex((unsigned char)in.ptr[i + 1]) : -1;
            int low = high >= 0 ? byte_hex((unsigned char)in.ptr[i + 2]) : -1;
            if (low < 0)
                return ERR_SYNTAX;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n == PROXY_LOGIN_MAX || (unsigned char)c < ' ' || c == 0x7f)
            return ERR_SYNTAX;
        to[n++] = c;
    }
    to[n] = '\0';
    return 0;
}

static int parse_login(struct slice text, struct proxy *out, const char **reason)
{
    ptrdiff_t colon = slice_find(text, ':');
    struct slice user = colon < 0 ? text : slice_make(text.ptr, (size_t)colon);
    struct slice password = slice_skip(text, colon < 0 ? text.len : (size_t)colon + 1);
    if (decode(user, out->user) < 0 || decode(password, out->password) < 0)
        return wrong(reason, "the user or the password is too long, or has a % that does not stand "
                             "before two hexadecimal digits (a % of its own is written %25)");
    if (out->user[0] == '\0' || strchr(out->user, ':'))
        return wrong(reason, "the user is empty, or has a colon");
    if (out->kind == PROXY_SOCKS && out->password[0] == '\0')
        return wrong(reason, "SOCKS needs a password beside the user");
    return 0;
}

static int parse_kind(struct slice *text, struct proxy *out, const char **reason)
{
    static const struct {
        struct slice scheme;
        enum proxy_kind kind;
    } kinds[] = {
        {SLICE("http://"), PROXY_HTTP},
        {SLICE("socks5h://"), PROXY_SOCKS},
        {SLICE("socks5://"), PROXY_SOCKS},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!slice_istarts(*text, kinds[i].scheme))
            continue;
        *text = slice_skip(*text, kinds[i].scheme.len);
        out->kind = kinds[i].kind;
        return 0;
    }
    out->kind = PROXY_HTTP;
    if (!memmem(text->ptr, text->len, "://", 3))
        return 0;
    *reason = "this kind of proxy is not known; want http://HOST:PORT or socks5h://HOST:PORT";
    return ERR_UNSUPPORTED;
}

int proxy_parse(const char *given, struct proxy *out, const char **reason)
{
    struct slice text = slice_str(given);
    struct url url = {.https = true};
    *out = (struct proxy){.port = 0};
    int err = parse_kind(&text, out, reason);
    if (err < 0)
        return err;
    ptrdiff_t at = slice_rfind(text, '@');
    if (at >= 0 && (err = parse_login(slice_make(text.ptr, (size_t)at), out, reason)) < 0)
        return err;
    text = slice_skip(text, (size_t)(at + 1));
    if (slice_ends(text, SLICE("/")))
        text.len--;
    if (url_parse_authority(text, &url) < 0)
        return wrong(reason, "the host or the port of the proxy is malformed; want "
                             "http://HOST:PORT or socks5h://HOST:PORT");
    out->port = url.port != 0 ? url.port : out->kind == PROXY_SOCKS ? SOCKS_PORT : 0;
    if (out->port == 0)
        return wrong(reason, "the port of the proxy is missing; want http://HOST:PORT");
    snprintf(out->host, sizeof out->host, "%s", url.host);
    return 0;
}

void proxy_hide(char *text)
{
    char *end = strrchr(text, '@');
    char *scheme = text + strcspn(text, ":@");
    for (char *c = strncmp(scheme, "://", 3) == 0 ? scheme + 3 : text; end && c < end; c++)
        *c = '*';
}

/* ---- the environment */

static const char *variable(const char *low, const char *high)
{
    const char *value = getenv(low);
    if (!value || !value[0])
        value = getenv(high);
    return value && value[0] ? value : NULL;
}

int proxy_choice_load(struct proxy_choice *out, const char *given, const char **reason)
{
    *out = (struct proxy_choice){
        .given = given,
        .from = "--proxy",
        .spared = variable("no_proxy", "NO_PROXY"),
    };
    if (!given) {
        out->from = "HTTPS_PROXY";
        given = variable("https_proxy", "HTTPS_PROXY");
    }
    if (!given) {
        out->from = "ALL_PROXY";
        given = variable("all_proxy", "ALL_PROXY");
    }
    if (!given || (out->given && strcmp(given, "none") == 0))
        return 0;
    return proxy_parse(given, &out->proxy, reason);
}

/* ---- which hosts go by it */

static struct slice without_dot(struct slice name)
{
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

static bool covers_name(struct slice rule, struct slice host)
{
    rule = without_dot(rule);
    while (rule.len > 0 && rule.ptr[0] == '.')
        rule = slice_skip(rule, 1);
    if (rule.len == 0 || host.len < rule.len)
        return false;
    struct slice end = slice_skip(host, host.len - rule.len);
    return slice_ieq(end, rule) && (host.len == rule.len || end.ptr[-1] == '.');
}

static bool same_bits(const void *a, const void *b, size_t bits)
{
    const unsigned char *x = a, *y = b;
    unsigned mask = 0xff00u >> bits % 8 & 0xff;
    return memcmp(x, y, bits / 8) == 0 && ((x[bits / 8] ^ y[bits / 8]) & mask) == 0;
}

/* @rule: an address, or ADDRESS/BITS. */
static bool covers_address(struct slice rule, int family, const union inet *host)
{
    size_t whole = family == AF_INET ? 32 : 128;
    uint64_t bits = whole;
    union inet network;
    unsigned char a[17] = {0}, b[17] = {0}; /* one byte more, for a mask of all bits */
    ptrdiff_t slash = slice_find(rule, '/');
    if (slash >= 0 && slice_to_u64(slice_skip(rule, (size_t)slash + 1), whole, &bits) < 0)
        return false;
    rule.len = slash >= 0 ? (size_t)slash : rule.len;
    if (rule.len > 2 && rule.ptr[0] == '[' && rule.ptr[rule.len - 1] == ']')
        rule = slice_make(rule.ptr + 1, rule.len - 2);
    if (!inet_parse(family, rule, &network))
        return false;
    memcpy(a, &network, whole / 8);
    memcpy(b, host, whole / 8);
    return same_bits(a, b, bits);
}

/* Takes the next word of a list with commas and blanks. */
static bool next_word(struct slice *rest, struct slice *word)
{
    size_t skip = 0, len = 0;
    while (skip < rest->len && strchr(", \t", rest->ptr[skip]))
        skip++;
    *rest = slice_skip(*rest, skip);
    while (len < rest->len && !strchr(", \t", rest->ptr[len]))
        len++;
    *word = slice_make(rest->ptr, len);
    *rest = slice_skip(*rest, len);
    return len > 0;
}

bool proxy_spares(const char *list, const char *given)
{
    struct slice host = without_dot(slice_str(given)), rest = slice_str(list), word;
    union inet address;
    int family = inet_parse(AF_INET, host, &address)    ? AF_INET
                 : inet_parse(AF_INET6, host, &address) ? AF_INET6
                                                        : AF_UNSPEC;
    if (list && strcmp(list, "*") == 0)
        return true;
    while (next_word(&rest, &word))
        if (family == AF_UNSPEC ? covers_name(word, host) : covers_address(word, family, &address))
            return true;
    return false;
}

const struct proxy *proxy_for(const struct proxy_choice *c, const struct url *to)
{
    if (c->proxy.host[0] == '\0' || !to->https || (!c->given && url_is_loopback(to)) ||
        proxy_spares(c->spared, to->host))
        return NULL;
    return &c->proxy;
}
