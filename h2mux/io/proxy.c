/* SPDX-License-Identifier: MIT */
/* proxy.c - see proxy.h. One byte is taken at a time, so a talk cannot read too far. */
#include "h2mux/io/proxy.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>

#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

#ifndef ONEPORT_VERSION
#define ONEPORT_VERSION "dev"
#endif

enum {
    SOCKS_VERSION = 5,
    LOGIN_VERSION = 1,
    METHOD_NONE = 0,
    METHOD_LOGIN = 2,
    METHOD_REFUSED = 255,
    CONNECT = 1,
    ADDRESS_V4 = 1,
    ADDRESS_NAME = 3,
    ADDRESS_V6 = 4,
    SOCKS_NAME_MAX = 255
};

static enum proxy_verdict fail(struct proxy_talk *t, int err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static enum proxy_verdict fail(struct proxy_talk *t, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->reason, sizeof t->reason, fmt, args);
    va_end(args);
    t->err = err;
    return PROXY_FAILED;
}

static bool has_login(const struct proxy_talk *t)
{
    return t->proxy->user[0] != '\0';
}

/* ---- HTTP */

static void say_login(struct proxy_talk *t)
{
    unsigned char plain[2 * PROXY_LOGIN_MAX + 2], coded[4 * sizeof plain / 3 + 4];
    int len = snprintf((char *)plain, sizeof plain, "%s:%s", t->proxy->user, t->proxy->password);
    EVP_EncodeBlock(coded, plain, len);
    t->say_len += (size_t)snprintf(t->say + t->say_len, sizeof t->say - t->say_len,
                                   "Proxy-Authorization: Basic %s\r\n", (char *)coded);
}

static void say_connect(struct proxy_talk *t)
{
    char place[PROXY_HOST_MAX + 16];
    snprintf(place, sizeof place, strchr(t->host, ':') ? "[%s]:%u" : "%s:%u", t->host,
             (unsigned)t->port);
    t->say_len = (size_t)snprintf(
        t->say, sizeof t->say,
        "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: oneport/" ONEPORT_VERSION "\r\n", place,
        place);
    if (has_login(t))
        say_login(t);
    t->say_len += (size_t)snprintf(t->say + t->say_len, sizeof t->say - t->say_len, "\r\n");
    t->stage = PROXY_STATUS;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Parses "HTTP/1.1 200 reason"; the reason may be missing. Returns 0 if @line is no such line. */
static int parse_status(struct slice line)
{
    const char *c = line.ptr;
    if (line.len < 12 || !slice_starts(line, SLICE("HTTP/1.")) || !is_digit(c[7]) || c[8] != ' ' ||
        c[9] < '1' || c[9] > '5' || !is_digit(c[10]) || !is_digit(c[11]))
        return 0;
    if (line.len > 12 && c[12] != ' ')
        return 0;
    return (c[9] - '0') * 100 + (c[10] - '0') * 10 + (c[11] - '0');
}

static void note_scheme(struct proxy_talk *t, struct slice scheme)
{
    if (slice_ieq(scheme, SLICE("basic")))
        t->basic = true;
    else if (slice_ieq(scheme, SLICE("ntlm")) || slice_ieq(scheme, SLICE("negotiate")))
        t->sealed = true;
    else
        t->other = true;
}

/* Skips a quoted string, of which the quote at @at begins, and returns where it has ended. */
static size_t skip_quoted(struct slice s, size_t at)
{
    for (at++; at < s.len && s.ptr[at] != '"'; at++)
        at += s.ptr[at] == '\\';
    return at;
}

/* Notes the ways to log in that a Proxy-Authenticate field offers (RFC 9110 11.7.1). A word at the
 * beginning of an element is a scheme, unless "=" follows it. */
static void note_challenges(struct proxy_talk *t, struct slice value)
{
    bool fresh = true;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '"') {
            i = skip_quoted(value, i);
        } else if (c == ',') {
            fresh = true;
        } else if (fresh && c != ' ' && c != '\t') {
            size_t end = i;
            while (end < value.len && !strchr(" \t,=\"", value.ptr[end]))
                end++;
            if (end > i && (end == value.len || value.ptr[end] != '='))
                note_scheme(t, slice_make(value.ptr + i, end - i));
            fresh = false;
            i = end > i ? end - 1 : i;
        }
    }
}

static bool is_name_char(char c)
{
    return c > ' ' && c <= '~' && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static enum proxy_verdict read_field(struct proxy_talk *t, struct slice line)
{
    size_t name = 0;
    while (name < line.len && is_name_char(line.ptr[name]))
        name++;
    if (name == 0 || name == line.len || line.ptr[name] != ':')
        return fail(t, ERR_PROTOCOL, "sends a malformed field");
    if (slice_ieq(slice_make(line.ptr, name), SLICE("proxy-authenticate")))
        note_challenges(t, slice_skip(line, name + 1));
    return PROXY_MORE;
}

static enum proxy_verdict refuse_login(struct proxy_talk *t)
{
    if (has_login(t) && (t->basic || !t->sealed))
        return fail(t, ERR_DENIED, "refuses this user or password (407)");
    if (!t->basic && t->sealed)
        return fail(t, ERR_DENIED,
                    "wants a login by NTLM or Negotiate alone (407): run a helper on this machine "
                    "that signs in there, such as cntlm or px, and name that one as the proxy");
    if (!t->basic && t->other)
        return fail(t, ERR_DENIED, "wants a login by another way than Basic (407)");
    return fail(t, ERR_DENIED,
                "wants a login (407): put it into the URL of the proxy, as "
                "http://USER:PASSWORD@HOST:PORT");
}

static enum proxy_verdict judge_status(struct proxy_talk *t)
{
    switch (t->status) {
    case 407:
        return refuse_login(t);
    case 401:
    case 403:
    case 451:
        return fail(t, ERR_DENIED, "forbids a connection to %.80s port %u (%d)", t->host,
                    (unsigned)t->port, t->status);
    case 502:
    case 503:
    case 504:
        return fail(t, ERR_UNREACHABLE, "cannot reach %.80s port %u (%d)", t->host,
                    (unsigned)t->port, t->status);
    default:
        return fail(t, t->status < 500 || t->status == 501 ? ERR_UNSUPPORTED : ERR_UNREACHABLE,
                    "answers CONNECT with %d; is it a proxy?", t->status);
    }
}

static enum proxy_verdict read_line(struct proxy_talk *t)
{
    struct slice line = slice_make(t->line, t->len);
    t->len = 0;
    if (t->stage == PROXY_STATUS) {
        t->status = parse_status(line);
        t->stage = PROXY_FIELDS;
        return t->status == 0 || t->status == 101
                   ? fail(t, ERR_PROTOCOL, "does not answer as an HTTP proxy")
                   : PROXY_MORE;
    }
    if (line.len > 0)
        return read_field(t, line);
    if (t->status >= 200)
        return t->status < 300 ? PROXY_DONE : judge_status(t);
    t->stage = PROXY_STATUS;
    return PROXY_MORE;
}

/* Takes a byte of a head. A line ends with CR LF. The first bytes tell at once who does not speak
 * HTTP, since that peer may send nothing more. */
static enum proxy_verdict read_http(struct proxy_talk *t, char c)
{
    static const char begin[] = "HTTP/1.";
    size_t i = t->len;
    bool after_cr = i > 0 && t->line[i - 1] == '\r';
    if (after_cr && c == '\n') {
        t->len--;
        return read_line(t);
    }
    bool control = ((unsigned char)c < ' ' && c != '\t' && c != '\r') || c == 0x7f;
    bool elsewhere = t->stage == PROXY_STATUS && i < sizeof begin - 1 && c != begin[i];
    if (after_cr || control || elsewhere)
        return fail(t, ERR_PROTOCOL, "does not answer as an HTTP proxy");
    if (i == sizeof t->line)
        return fail(t, ERR_PROTOCOL, "answers with too long a line");
    t->line[t->len++] = c;
    return PROXY_MORE;
}

/* ---- SOCKS */

static void say_bytes(struct proxy_talk *t, const void *bytes, size_t len)
{
    memcpy(t->say + t->say_len, bytes, len);
    t->say_len += len;
}

static void say_byte(struct proxy_talk *t, unsigned byte)
{
    t->say[t->say_len++] = (char)(unsigned char)byte;
}

/* The next message of the proxy has @want bytes, as far as is known. */
static void expect(struct proxy_talk *t, enum proxy_stage stage, size_t want)
{
    t->stage = stage;
    t->want = want;
    t->len = 0;
}

static void say_methods(struct proxy_talk *t)
{
    say_byte(t, SOCKS_VERSION);
    say_byte(t, has_login(t) ? 2 : 1);
    say_byte(t, METHOD_NONE);
    if (has_login(t))
        say_byte(t, METHOD_LOGIN);
    expect(t, PROXY_METHOD, 2);
}

static void say_text(struct proxy_talk *t, const char *text)
{
    say_byte(t, (unsigned)strlen(text));
    say_bytes(t, text, strlen(text));
}

static void say_host(struct proxy_talk *t)
{
    union inet address;
    if (inet_parse(AF_INET, slice_str(t->host), &address)) {
        say_byte(t, ADDRESS_V4);
        say_bytes(t, &address.v4, sizeof address.v4);
    } else if (inet_parse(AF_INET6, slice_str(t->host), &address)) {
        say_byte(t, ADDRESS_V6);
        say_bytes(t, &address.v6, sizeof address.v6);
    } else {
        say_byte(t, ADDRESS_NAME);
        say_text(t, t->host);
    }
}

static enum proxy_verdict ask_socks(struct proxy_talk *t)
{
    t->say_len = 0;
    say_byte(t, SOCKS_VERSION);
    say_byte(t, CONNECT);
    say_byte(t, 0);
    say_host(t);
    say_byte(t, t->port >> 8);
    say_byte(t, t->port & 0xff);
    expect(t, PROXY_REPLY, 5);
    return PROXY_SAYS;
}

static enum proxy_verdict say_socks_login(struct proxy_talk *t)
{
    t->say_len = 0;
    say_byte(t, LOGIN_VERSION);
    say_text(t, t->proxy->user);
    say_text(t, t->proxy->password);
    expect(t, PROXY_LOGIN, 2);
    return PROXY_SAYS;
}

static enum proxy_verdict read_method(struct proxy_talk *t)
{
    switch ((unsigned char)t->line[1]) {
    case METHOD_NONE:
        return ask_socks(t);
    case METHOD_LOGIN:
        if (has_login(t))
            return say_socks_login(t);
        break;
    case METHOD_REFUSED:
        if (has_login(t))
            return fail(t, ERR_DENIED, "accepts no login by user and password");
        return fail(t, ERR_DENIED,
                    "wants a login: put it into the URL of the proxy, as "
                    "socks5h://USER:PASSWORD@HOST:PORT");
    default:
        break;
    }
    return fail(t, ERR_PROTOCOL, "chooses a way to log in that was not offered");
}

/* RFC 1928 6 */
static enum proxy_verdict judge_reply(struct proxy_talk *t, unsigned code)
{
    static const struct {
        int err;
        const char *words;
    } replies[] = {
        [1] = {ERR_UNREACHABLE, "has failed"},
        [2] = {ERR_DENIED, "its rules forbid it"},
        [3] = {ERR_UNREACHABLE, "its network has no way there"},
        [4] = {ERR_UNREACHABLE, "it does not reach the host, or does not know the name"},
        [5] = {ERR_UNREACHABLE, "nobody listens there"},
        [6] = {ERR_UNREACHABLE, "nobody has answered it"},
        [7] = {ERR_UNSUPPORTED, "it does not make connections"},
        [8] = {ERR_UNSUPPORTED, "it does not know names, or not such an address"},
    };
    bool known = code < sizeof replies / sizeof *replies;
    return fail(t, known ? replies[code].err : ERR_UNREACHABLE,
                "does not connect to %.80s port %u: %s (SOCKS %u)", t->host, (unsigned)t->port,
                known ? replies[code].words : "it does not say why", code);
}

/* Reads the beginning of a reply, up to the first byte of the bound address, which says how long a
 * name is. */
static enum proxy_verdict read_reply(struct proxy_talk *t)
{
    const unsigned char *m = (const unsigned char *)t->line;
    if (m[1] != 0)
        return judge_reply(t, m[1]);
    size_t address = m[3] == ADDRESS_V4     ? 4
                     : m[3] == ADDRESS_V6   ? 16
                     : m[3] == ADDRESS_NAME ? (size_t)m[4] + 1
                                            : 0;
    if (address == 0 || m[2] != 0)
        return fail(t, ERR_PROTOCOL, "sends a malformed reply");
    t->stage = PROXY_BOUND;
    t->want = 4 + address + 2;
    return PROXY_MORE;
}

static enum proxy_verdict read_socks(struct proxy_talk *t, char c)
{
    unsigned version = t->stage == PROXY_LOGIN ? LOGIN_VERSION : SOCKS_VERSION;
    if (t->len == 0 && (unsigned char)c != version)
        return fail(t, ERR_PROTOCOL, "does not answer as a SOCKS 5 proxy");
    t->line[t->len++] = c;
    /* A refusal may be shorter than a reply: some proxies leave the address out and close. */
    if (t->stage == PROXY_REPLY && t->len == 2 && c != 0)
        return judge_reply(t, (unsigned char)c);
    if (t->len < t->want)
        return PROXY_MORE;
    if (t->stage == PROXY_METHOD)
        return read_method(t);
    if (t->stage == PROXY_REPLY)
        return read_reply(t);
    if (t->stage == PROXY_BOUND)
        return PROXY_DONE;
    return t->line[1] == 0 ? ask_socks(t) : fail(t, ERR_DENIED, "refuses this user or password");
}

/* ---- both */

int proxy_begin(struct proxy_talk *t, const struct proxy *p, const char *host, uint16_t port)
{
    *t = (struct proxy_talk){.proxy = p, .host = host, .port = port};
    if (strlen(host) > SOCKS_NAME_MAX)
        return ERR_LIMIT;
    if (p->kind == PROXY_HTTP)
        say_connect(t);
    else
        say_methods(t);
    return 0;
}

enum proxy_verdict proxy_read(struct proxy_talk *t, struct slice in, size_t *used)
{
    enum proxy_verdict verdict = PROXY_MORE;
    size_t n = 0;
    while (verdict == PROXY_MORE && n < in.len) {
        if (++t->taken > PROXY_ANSWER_MAX)
            verdict = fail(t, ERR_PROTOCOL, "answers without end");
        else if (t->proxy->kind == PROXY_HTTP)
            verdict = read_http(t, in.ptr[n]);
        else
            verdict = read_socks(t, in.ptr[n]);
        n++;
    }
    *used = n;
    return verdict;
}
