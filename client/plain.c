/* SPDX-License-Identifier: MIT */
/* plain.c - see plain.h. A row of the table has the words for an event. */
#include "client/plain.h"

#include <string.h>

static const struct {
    const char *event, *words;
    const char *of; /* the pair behind the words */
} phrases[] = {
    {"giving_up", "there is no connection to ", "server"},
    {"not_connected", "not connected to ", "server"},
    {"link_missing", "a connection is missing to ", "server"},
    {"server_certificate_refused", "not connected, because of the certificate of ", "server"},
    {"server_not_verified", "nobody knows who answers as ", "server"},
    {"proxy_refuses", "the proxy does not lead to ", "server"},
    {"server_redirects", "sent elsewhere by ", "server"},
    {"server_refuses", "refused by ", "server"},
    {"nothing_listens", "nobody listens at ", "origin"},
    {"path_left_out", "only the whole service can be shared, without ", "path"},
    {"name_lost", "this name is lost: ", "name"},
};

/* The pairs that may say why; the first that is not empty does. */
static const char *const causes[] = {"message", "reason", "location", "status"};

/* ---- reading */

static struct slice take_until(struct slice *rest, char end)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, end, rest->len) : NULL;
    struct slice taken = slice_make(rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len);
    *rest = slice_skip(*rest, taken.len + 1);
    return taken;
}

/* Takes a bare or a quoted value and the blank behind it off @rest. Returns it without quotes;
 * escapes stay. */
static struct slice take_value(struct slice *rest)
{
    size_t n = 0;
    if (rest->len == 0 || rest->ptr[0] != '"')
        return take_until(rest, ' ');
    *rest = slice_skip(*rest, 1);
    while (n < rest->len && rest->ptr[n] != '"')
        n += rest->ptr[n] == '\\' && n + 1 < rest->len ? 2 : 1;
    struct slice value = slice_make(rest->ptr, n);
    *rest = slice_skip(*rest, n + 2);
    return value;
}

/* Returns the value of the pair @name of @line; empty: there is none. */
static struct slice value_of(struct slice line, const char *name)
{
    take_until(&line, ' ');
    while (line.len > 0) {
        struct slice found = take_until(&line, '=');
        struct slice value = take_value(&line);
        if (slice_eq(found, slice_str(name)))
            return value;
    }
    return line;
}

/* ---- saying */

/* Appends @s without the escapes of quotes and of the escape itself. */
static int say(struct buf *out, struct slice s)
{
    int err = 0;
    for (size_t i = 0; i < s.len && err == 0; i++) {
        bool escaped = s.ptr[i] == '\\' && i + 1 < s.len && strchr("\"\\", s.ptr[i + 1]);
        i += escaped;
        err = buf_append(out, slice_make(s.ptr + i, 1));
    }
    return err;
}

/* Appends why it happened, and in which step if nobody has put it into a message. */
static int say_cause(struct buf *out, struct slice line)
{
    struct slice cause = {.len = 0}, step = value_of(line, "step");
    size_t i = 0;
    for (; i < sizeof causes / sizeof *causes && cause.len == 0; i++)
        cause = value_of(line, causes[i]);
    int err = cause.len > 0 ? buf_append(out, SLICE(": ")) : 0;
    if (err == 0)
        err = say(out, cause);
    return err == 0 && i > 1 && step.len > 0 ? buf_printf(out, " (%.*s)", SLICE_FMT(step)) : err;
}

/* Appends an event that has no words, and its pairs but the advice, as they are. */
static int say_as_it_is(struct buf *out, struct slice line)
{
    static const char mark[] = " advice=";
    const char *advice = line.len > 0 ? memmem(line.ptr, line.len, mark, sizeof mark - 1) : NULL;
    struct slice rest = advice ? slice_make(line.ptr, (size_t)(advice - line.ptr)) : line;
    struct slice event = take_until(&rest, ' ');
    int err = 0;
    for (size_t i = 0; i < event.len && err == 0; i++)
        err = buf_append(out, event.ptr[i] == '_' ? SLICE(" ") : slice_make(event.ptr + i, 1));
    if (err == 0 && rest.len > 0)
        err = buf_append(out, SLICE(" "));
    return err == 0 ? buf_append(out, rest) : err;
}

int plain_event(struct slice line, struct buf *out)
{
    struct slice rest = line, event = take_until(&rest, ' ');
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (!slice_eq(event, slice_str(phrases[i].event)))
            continue;
        int err = buf_append(out, slice_str(phrases[i].words));
        if (err == 0)
            err = say(out, value_of(line, phrases[i].of));
        return err == 0 ? say_cause(out, line) : err;
    }
    return say_as_it_is(out, line);
}

int plain_advice(struct slice line, struct buf *out)
{
    return say(out, value_of(line, "advice"));
}
