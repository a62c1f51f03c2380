/* SPDX-License-Identifier: MIT */
/* policy_print.c - prints the members of a policy in their one spelling; see policy_int.h. */
#include "src/policies/policy_int.h"

#include <stdarg.h>
#include <stdio.h>

void policy_put(struct buf *to, const char *fmt, ...)
{
    char text[POLICY_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int err = buf_append(to, slice_make(text, (size_t)len < sizeof text ? (size_t)len : 0));
    (void)err; /* a text that does not fit is longer than POLICY_MAX, which is looked at */
}

void policy_put_key(struct buf *to, const char *name)
{
    policy_put(to, "%s\"%s\":", buf_len(to) > 1 ? "," : "", name);
}

void policy_put_networks(struct buf *to, const char *name, const void *member)
{
    const struct networks *from = member;
    const char *before = "";
    if (!from->set)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n; i++) {
        if (strcmp(before, from->text[i]) != 0)
            policy_put(to, "%s\"%s\"", i > 0 ? "," : "[", from->text[i]);
        before = from->text[i];
    }
    policy_put(to, "]");
}

void policy_put_number(struct buf *to, const char *name, const void *member)
{
    uint64_t value = *(const uint64_t *)member;
    if (value == 0)
        return;
    policy_put_key(to, name);
    policy_put(to, "%llu", (unsigned long long)value);
}

/* Puts a text of printable ASCII. The canonical text has no space, so that it is one word of a line
 * of the names file. */
static void put_text(struct buf *to, const char *text)
{
    policy_put(to, "\"");
    for (; *text; text++)
        if (*text == ' ')
            policy_put(to, "\\u0020");
        else
            policy_put(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    policy_put(to, "\"");
}

void policy_put_added(struct buf *to, const char *name, const void *member)
{
    const struct edits *from = member;
    if (from->n_added == 0)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n_added; i++) {
        policy_put(to, "%s", i > 0 ? ",[" : "[[");
        put_text(to, from->added[i].name);
        policy_put(to, ",");
        put_text(to, from->added[i].value);
        policy_put(to, "]");
    }
    policy_put(to, "]");
}

void policy_put_removed(struct buf *to, const char *name, const void *member)
{
    const struct edits *from = member;
    if (from->n_removed == 0)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n_removed; i++)
        policy_put(to, "%s\"%s\"", i > 0 ? "," : "[", from->removed[i]);
    policy_put(to, "]");
}

void policy_put_users(struct buf *to, const char *name, const void *member)
{
    const struct users *from = member;
    if (from->n == 0)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n; i++) {
        policy_put(to, "%s", i > 0 ? ",[" : "[[");
        put_text(to, from->v[i].name);
        policy_put(to, ",\"%s\"]", from->v[i].hash);
    }
    policy_put(to, "]");
}

void policy_put_paths(struct buf *to, const char *name, const void *member)
{
    const struct paths *from = member;
    if (from->n == 0)
        return;
    policy_put_key(to, name);
    for (size_t i = 0; i < from->n; i++)
        policy_put(to, "%s\"%s\"", i > 0 ? "," : "[", from->v[i]);
    policy_put(to, "]");
}

void policy_put_true(struct buf *to, const char *name, const void *member)
{
    if (*(const uint64_t *)member == 0)
        return;
    policy_put_key(to, name);
    policy_put(to, "true");
}
