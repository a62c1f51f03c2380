/* SPDX-License-Identifier: MIT */
/* doubt.c - see doubt.h. */
#include "client/origin/doubt.h"

#include "client/origin/base.h"

bool doubt_may_be(const struct message *m)
{
    return m->status == 400 || m->status == 403;
}

static bool is_readable(const struct message *m)
{
    struct slice coding = fields_value(&m->fields, SLICE("content-encoding"));
    return coding.len == 0 || slice_ieq(coding, SLICE("identity"));
}

/* Returns @s without the blanks and line ends around it. */
static struct slice trimmed(struct slice s)
{
    static const char blanks[] = " \t\r\n";
    while (s.len > 0 && memchr(blanks, s.ptr[0], sizeof blanks - 1))
        s = slice_skip(s, 1);
    while (s.len > 0 && memchr(blanks, s.ptr[s.len - 1], sizeof blanks - 1))
        s.len--;
    return s;
}

static bool contains(struct slice text, struct slice part)
{
    for (; text.len >= part.len && part.len > 0; text = slice_skip(text, 1))
        if (slice_istarts(text, part))
            return true;
    return false;
}

/* Whole texts, without the blanks around them. */
static bool is_known(struct slice text)
{
    static const char *const texts[] = {
        "Unauthorized",                                   /* Next.js: what its pages need */
        "Bad Request",                                    /* Vite: the WebSocket of its pages */
        "{\"message\": \"Forbidden\", \"reason\": null}", /* Jupyter's API */
        NULL,
    };
    for (const char *const *t = texts; *t; t++)
        if (slice_ieq(text, slice_str(*t)))
            return true;
    return false;
}

static bool speaks_of_hosts(struct slice text)
{
    static const char *const parts[] = {
        "host header",       /* webpack's server, Angular, Starlette */
        "blocked host",      /* Rails */
        "untrusted host",    /* Symfony */
        "invalid host",      /* ASP.NET, HTTP.sys */
        "disallowedhost",    /* Django, with DEBUG */
        "bad request (400)", /* Django, without it */
        "403 : forbidden",   /* Jupyter */
        NULL,
    };
    for (const char *const *p = parts; *p; p++)
        if (contains(text, slice_str(*p)))
            return true;
    return false;
}

enum doubt doubt_judge(const struct message *m, struct slice body, struct slice authority)
{
    struct slice text = trimmed(body);
    if (text.len == 0 || !is_readable(m))
        return DOUBT_SILENT;
    if (is_known(text) || speaks_of_hosts(text) || contains(text, base_host(authority)))
        return DOUBT_READ;
    return DOUBT_NONE;
}
