/* SPDX-License-Identifier: MIT */
/* translate_fields.h - reads and prints fields as text, "name: value|" each, for tests of
 * translate.h. */
#ifndef TESTS_UNIT_TRANSLATE_FIELDS_H
#define TESTS_UNIT_TRANSLATE_FIELDS_H

#include "src/http/translate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/h1.h"

enum { TEXT_MAX = 4096 };

#define NODE "oneport-0a1b2c3d"
#define KEY "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==|"
#define UPGRADE "upgrade: websocket|connection: Upgrade|"
/* The fields that each request of a viewer at 192.0.2.7 gets. */
#define ADDED                                                                                      \
    "x-forwarded-for: 192.0.2.7|x-forwarded-proto: http|x-forwarded-host: app.example.com|via: "   \
    "1.1 " NODE "|"

/* Adds the fields of @text to @f. */
static inline void read_fields(struct fields *f, const char *text)
{
    while (*text != '\0') {
        const char *colon = strstr(text, ": "), *bar = strchr(text, '|');
        assert_true(colon && bar > colon);
        fields_add(f, slice_make(text, (size_t)(colon - text)),
                   slice_make(colon + 2, (size_t)(bar - colon) - 2));
        text = bar + 1;
    }
}

/* Returns the fields as text, until the next call. */
static inline const char *show_fields(const struct fields *f)
{
    static char text[TEXT_MAX];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < f->count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s: %.*s|", SLICE_FMT(f->v[i].name),
                               SLICE_FMT(f->v[i].value));
    assert_true(at < sizeof text);
    return text;
}

static inline void check_fields(const char *what, const struct fields *f, const char *want)
{
    const char *got = show_fields(f);
    if (strcmp(got, want) != 0)
        fail_msg("%s:\n got  %s\n want %s", what, got, want);
}

#endif
