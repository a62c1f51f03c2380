/* SPDX-License-Identifier: MIT */
/* log_format.c - makes the line of an event, as text or as JSON.
 *
 * Invariants: a pair is in the line completely or not at all; no byte of a value can end the line,
 * the value's quotes or its pair; a line of JSON is one valid object in UTF-8. */
#include "h2mux/base/log_int.h"

#include <stdio.h>
#include <time.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"

enum {
    /* the length of `,"omitted":N,"dropped":N}`, for which each line keeps room */
    TAIL_MAX = sizeof ",\"omitted\":,\"dropped\":}" + 2 * SLICE_U64_MAX
};
#define ELLIPSIS "\xe2\x80\xa6"

/* A writer appends pieces to a line. If a piece does not fit, `full` is set, and nothing more is
 * written. */
struct writer {
    char *at, *end;
    bool full;
};

static void put(struct writer *w, const char *bytes, size_t len)
{
    w->full = w->full || len > (size_t)(w->end - w->at);
    if (!w->full)
        w->at = mempcpy(w->at, bytes, len);
}

static void put_str(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_u64(struct writer *w, uint64_t n)
{
    char digits[SLICE_U64_MAX];
    struct slice s = slice_from_u64(n, digits);
    put(w, s.ptr, s.len);
}

static void put_i64(struct writer *w, int64_t n)
{
    if (n < 0)
        put_str(w, "-");
    put_u64(w, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

/* Writes the number or boolean of @p, which looks the same in both formats. Writes nothing for a
 * text. */
static void put_plain(struct writer *w, const struct log_pair *p)
{
    switch (p->type) {
    case LOG_UNSIGNED:
        put_u64(w, p->u);
        return;
    case LOG_SIGNED:
        put_i64(w, p->i);
        return;
    case LOG_BOOL:
        put_str(w, p->b ? "true" : "false");
        return;
    case LOG_TEXT:
        return;
    }
}

/* ---- text */

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || s.ptr[i] == '"' || s.ptr[i] == '\\')
            return false;
    return s.len > 0;
}

static char *escape_byte(char *to, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') {
        *to++ = '\\';
        *to++ = c;
    } else if (c >= ' ' && c <= '~') {
        *to++ = c;
    } else {
        *to++ = '\\';
        *to++ = 'x';
        *to++ = hex[u >> 4];
        *to++ = hex[u & 15];
    }
    return to;
}

size_t log_quote(struct slice s, char out[static LOG_QUOTED_MAX])
{
    char *to = out;
    bool cut = s.len > LOG_VALUE_MAX;
    if (cut)
        s.len = LOG_VALUE_MAX;
    bool plain = is_plain(s);
    if (!plain)
        *to++ = '"';
    for (size_t i = 0; i < s.len; i++)
        to = escape_byte(to, s.ptr[i]);
    if (cut)
        to = mempcpy(to, ELLIPSIS, sizeof ELLIPSIS - 1);
    if (!plain)
        *to++ = '"';
    *to = '\0';
    return (size_t)(to - out);
}

static void put_text_pair(struct writer *w, const struct log_pair *p)
{
    char quoted[LOG_QUOTED_MAX];
    put_str(w, " ");
    put_str(w, p->name);
    put_str(w, "=");
    if (p->type == LOG_TEXT)
        put(w, quoted, log_quote(p->text, quoted));
    else
        put_plain(w, p);
}

/* ---- JSON */

/* Returns the length in bytes of the UTF-8 character at the start of @s, or 0 if the character is
 * malformed (RFC 3629 4) or a zero byte. */
static size_t utf8_span(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80)
        return s[0] != 0;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
        return 0;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Writes the first character of @s, with an escape if JSON needs one, or `?` for a byte that is no
 * UTF-8. Returns how many bytes of @s were used. */
static size_t put_json_char(struct writer *w, struct slice s)
{
    char escape[] = "\\u00XX";
    size_t n = utf8_span((const unsigned char *)s.ptr, s.len);
    if (n == 0) {
        put_str(w, "?");
        return 1;
    }
    if (*s.ptr == '"' || *s.ptr == '\\') {
        put_str(w, "\\");
    } else if (n == 1 && (unsigned char)*s.ptr < ' ') {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*s.ptr);
        put_str(w, escape);
        return 1;
    }
    put(w, s.ptr, n);
    return n;
}

static void put_json_text(struct writer *w, struct slice s)
{
    put_str(w, "\"");
    for (size_t left = LOG_VALUE_MAX; s.len > 0;) {
        size_t span = utf8_span((const unsigned char *)s.ptr, s.len);
        if (span > left || left == 0) {
            put_str(w, ELLIPSIS);
            break;
        }
        size_t n = put_json_char(w, s);
        left -= n;
        s = slice_skip(s, n);
    }
    put_str(w, "\"");
}

static void put_json_pair(struct writer *w, const struct log_pair *p)
{
    put_str(w, ",\"");
    put_str(w, p->name);
    put_str(w, "\":");
    if (p->type == LOG_TEXT)
        put_json_text(w, p->text);
    else
        put_plain(w, p);
}

/* ---- lines */

static void put_time(struct writer *w)
{
    char now[CLOCK_ISO_MAX];
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    clock_iso(ts.tv_sec, now);
    size_t at = strcspn(now, "Z");
    snprintf(now + at, CLOCK_ISO_MAX - at, ".%03uZ", (unsigned)(ts.tv_nsec / 1000000) % 1000);
    put_str(w, now);
}

typedef void put_pair_fn(struct writer *w, const struct log_pair *p);

static void put_count(struct writer *w, put_pair_fn *put_pair, const char *name, uint64_t count)
{
    if (count > 0)
        put_pair(w, &LOG_U(name, count));
}

/* Writes the pairs that fit, then the number of pairs that did not fit (`omitted`) and the number
 * of lines that were lost before this line (`dropped`). */
static void put_pairs(struct writer *w, const struct log_line *l, put_pair_fn *put_pair)
{
    uint64_t omitted = 0;
    w->end -= TAIL_MAX;
    for (size_t i = 0; i < l->n; i++) {
        struct writer before = *w;
        put_pair(w, &l->pairs[i]);
        if (w->full) {
            *w = before;
            omitted++;
        }
    }
    w->end += TAIL_MAX;
    put_count(w, put_pair, "omitted", omitted);
    put_count(w, put_pair, "dropped", l->dropped);
}

/* Returns whether @name has only small letters, digits and `_`, which neither format escapes. */
static bool is_id(const char *name)
{
    return name[0] && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void line_check(const struct log_line *l)
{
    CHECK_THAT(is_id(l->event));
    for (size_t i = 0; i < l->n; i++)
        CHECK_THAT(is_id(l->pairs[i].name));
}

size_t log_format_text(const struct log_line *l, char out[static LOG_LINE_MAX])
{
    struct writer w = {out, out + LOG_LINE_MAX, false};
    char level[sizeof " error "];
    if (CHECKING)
        line_check(l);
    put_time(&w);
    snprintf(level, sizeof level, " %-5s ", log_level_name(l->level));
    put_str(&w, level);
    put_str(&w, l->event);
    put_pairs(&w, l, put_text_pair);
    return (size_t)(w.at - out);
}

size_t log_format_json(const struct log_line *l, char out[static LOG_LINE_MAX])
{
    struct writer w = {out, out + LOG_LINE_MAX, false};
    if (CHECKING)
        line_check(l);
    put_str(&w, "{\"time\":\"");
    put_time(&w);
    put_str(&w, "\",\"level\":\"");
    put_str(&w, log_level_name(l->level));
    put_str(&w, "\",\"event\":\"");
    put_str(&w, l->event);
    put_str(&w, "\"");
    put_pairs(&w, l, put_json_pair);
    put_str(&w, "}");
    return (size_t)(w.at - out);
}
