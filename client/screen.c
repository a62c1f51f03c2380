/* SPDX-License-Identifier: MIT */
/* screen.c - see screen.h. A painter cuts each line at the terminal's width and counts the lines.
 */
#include "client/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "h2mux/base/err.h"

#define ERASE "\r\x1b[J"

enum { LEAST_COLUMNS = 20, LEAST_ROWS = 4, ADVICE_LINES = 4, SECOND_MS = 1000, SIZE_TEXT = 32 };

/* Names of colours, as SGR parameters (ECMA-48 8.3.117). */
#define BOLD "1"
#define FAINT "2"
#define RED "31"
#define GREEN "32"
#define YELLOW "33"
#define CYAN "36"

struct painter {
    struct buf *out;
    unsigned columns; /* a line may have */
    unsigned used;    /* of this line */
    unsigned lines;   /* that have begun */
    unsigned most;    /* lines that may begin */
    bool colour;
    bool last; /* nothing is drawn after this */
    int err;
};

static void raw(struct painter *p, const char *text)
{
    if (p->err == 0)
        p->err = buf_append(p->out, slice_str(text));
}

/* Writes @text in @colour (NULL: none), as far as the line has room. */
static void text(struct painter *p, const char *colour, struct slice s)
{
    char start[16];
    size_t room = p->columns - p->used;
    if (s.len > room)
        s.len = room;
    if (s.len == 0)
        return;
    p->used += (unsigned)s.len;
    if (p->colour && colour) {
        snprintf(start, sizeof start, "\x1b[%sm", colour);
        raw(p, start);
    }
    if (p->err == 0)
        p->err = buf_append(p->out, s);
    if (p->colour && colour)
        raw(p, "\x1b[m");
}

static void print(struct painter *p, const char *colour, const char *format, ...) PRINTF_LIKE(3, 4);

static void print(struct painter *p, const char *colour, const char *format, ...)
{
    char line[2 * SCREEN_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text(p, colour, slice_str(line));
}

/* Begins a line. Returns false when there is no room for one. */
static bool begin(struct painter *p)
{
    if (p->lines >= p->most)
        return false;
    if (p->lines > 0)
        raw(p, "\r\n");
    p->lines++;
    p->used = 0;
    return true;
}

static void print_state(struct painter *p, const struct screen_share *s)
{
    switch (s->state) {
    case SCREEN_CONNECTING:
        print(p, YELLOW, "connecting");
        break;
    case SCREEN_UP:
        print(p, GREEN, "online");
        if (s->links > 1)
            print(p, NULL, ", %u connections", s->links);
        if (s->round_trip_us > 0)
            print(p, NULL, ", round trip %llu ms",
                  (unsigned long long)((s->round_trip_us + SECOND_MS / 2) / SECOND_MS));
        break;
    case SCREEN_RETRYING:
        print(p, RED, "reconnecting");
        if (s->retry_ms > 0)
            print(p, NULL, ", next try in %llu s",
                  (unsigned long long)((s->retry_ms + SECOND_MS - 1) / SECOND_MS));
        break;
    case SCREEN_LEAVING:
        print(p, YELLOW, p->last ? "ended" : "ending: running requests have a few seconds");
        break;
    }
}

static void print_app(struct painter *p, const struct health_look *app)
{
    switch (app->state) {
    case HEALTH_UNKNOWN:
        break;
    case HEALTH_GOOD:
        print(p, GREEN, ", the app answers (%d, %llu ms)", app->status,
              (unsigned long long)app->ms);
        break;
    case HEALTH_BAD:
        print(p, RED, ", the app fails (%d)", app->status);
        break;
    case HEALTH_AWAY:
        print(p, RED, ", the app does not answer: %s", app->reason);
        break;
    }
}

static void draw_share(struct painter *p, const struct screen_share *s)
{
    if (!begin(p))
        return;
    if (s->tunnel)
        print(p, FAINT, "%s  ", s->tunnel);
    print(p, s->url ? BOLD : FAINT, "%s", s->url ? s->url : "(no URL yet)");
    print(p, FAINT, "  shares %s%s  ", s->origin, s->own_host ? " by its own name" : "");
    print_state(p, s);
    print_app(p, &s->app);
}

static void draw_shares(struct painter *p, const struct screen *s)
{
    size_t drawn = s->n_shares < SCREEN_SHARES ? s->n_shares : SCREEN_SHARES;
    for (size_t i = 0; i < drawn; i++)
        draw_share(p, &s->share[i]);
    if (s->n_shares > drawn && begin(p))
        print(p, FAINT, "and %zu more", s->n_shares - drawn);
}

static void draw_counts(struct painter *p, const struct screen *s)
{
    if (!begin(p))
        return;
    print(p, NULL, "%zu viewer%s, %zu WebSocket%s, %zu request%s under way, %llu.%llu a second",
          s->viewers, s->viewers == 1 ? "" : "s", s->websockets, s->websockets == 1 ? "" : "s",
          s->running, s->running == 1 ? "" : "s", (unsigned long long)(s->a_second_x10 / 10),
          (unsigned long long)(s->a_second_x10 % 10));
    print(p, FAINT, ", %llu in all", (unsigned long long)s->total);
}

static const char *colour_of(int status)
{
    return status == 0 || status >= 500 ? RED
           : status >= 400              ? YELLOW
           : status >= 300              ? CYAN
                                        : GREEN;
}

static void size_text(uint64_t bytes, char out[static SIZE_TEXT])
{
    static const char units[] = "kMGT";
    uint64_t tenths = bytes * 10;
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(out, SIZE_TEXT, "%llu B", (unsigned long long)bytes);
        return;
    }
    for (tenths /= 1000; tenths >= 10000 && units[unit + 1]; unit++)
        tenths /= 1000;
    snprintf(out, SIZE_TEXT, "%llu.%llu %cB", (unsigned long long)(tenths / 10),
             (unsigned long long)(tenths % 10), units[unit]);
}

/* Draws the time, status, duration and size in front of the path, which may be cut. */
static void draw_request(struct painter *p, const struct screen_request *r)
{
    char size[SIZE_TEXT], status[12] = "cut";
    if (!begin(p))
        return;
    size_text(r->bytes, size);
    if (r->status > 0)
        snprintf(status, sizeof status, "%d", r->status);
    print(p, FAINT, "%s ", r->clock);
    print(p, colour_of(r->status), "%-4s", status);
    print(p, FAINT, "%7llu ms %9s  ", (unsigned long long)r->ms, size);
    print(p, NULL, "%s %s", r->method, r->path);
}

static void draw_requests(struct painter *p, const struct screen *s)
{
    size_t n = s->n_requests < SCREEN_REQUESTS ? s->n_requests : SCREEN_REQUESTS;
    size_t room = p->most > p->lines ? p->most - p->lines : 0;
    if (n > room)
        n = room;
    for (size_t i = s->n_requests - n; i < s->n_requests; i++)
        draw_request(p, &s->request[i % SCREEN_REQUESTS]);
}

/* Draws @rest over as many lines as it needs, at most ADVICE_LINES, and breaks it at blanks. */
static void draw_wrapped(struct painter *p, const char *colour, struct slice rest)
{
    for (int i = 0; i < ADVICE_LINES && rest.len > 0 && begin(p); i++) {
        size_t take = rest.len < p->columns ? rest.len : p->columns;
        while (take < rest.len && take > 0 && rest.ptr[take] != ' ')
            take--;
        if (take == 0)
            take = rest.len < p->columns ? rest.len : p->columns;
        text(p, colour, slice_make(rest.ptr, take));
        rest = slice_skip(rest, take < rest.len && rest.ptr[take] == ' ' ? take + 1 : take);
    }
}

/* Draws the last warning. What it advises stands below it in full, because a line is cut. */
static void draw_notice(struct painter *p, const struct screen *s)
{
    if (s->notice[0] != '\0' && begin(p))
        text(p, YELLOW, slice_str(s->notice));
    draw_wrapped(p, NULL, slice_str(s->advice));
}

bool screen_has_url(const struct screen *s)
{
    for (size_t i = 0; i < s->n_shares && i < SCREEN_SHARES; i++)
        if (s->share[i].url)
            return true;
    return false;
}

/* Draws what there is to say of viewers, once there can be any. */
static void draw_public(struct painter *p, const struct screen *s)
{
    if (!screen_has_url(s)) {
        if (begin(p))
            print(p, FAINT, "Ctrl-C ends it.");
        return;
    }
    draw_counts(p, s);
    if (begin(p))
        print(p, FAINT, "Anybody who has the URL can open it. Ctrl-C ends the share.");
}

static void draw_all(struct painter *p, const struct screen *s)
{
    draw_shares(p, s);
    draw_public(p, s);
    draw_notice(p, s);
    draw_requests(p, s);
}

int screen_erase(struct buf *out)
{
    return buf_append(out, SLICE(ERASE));
}

int screen_draw(const struct screen *s, struct screen_size size, bool last, struct buf *out)
{
    char up[24];
    struct painter p = {
        .out = out,
        .columns = (size.columns > LEAST_COLUMNS ? size.columns : LEAST_COLUMNS) - 1,
        .most = (size.rows > LEAST_ROWS ? size.rows : LEAST_ROWS) - 1,
        .colour = size.colour,
        .last = last,
    };
    raw(&p, ERASE);
    draw_all(&p, s);
    if (last) {
        raw(&p, "\r\n");
    } else if (p.lines > 1) {
        snprintf(up, sizeof up, "\r\x1b[%uA", p.lines - 1);
        raw(&p, up);
    } else {
        raw(&p, "\r");
    }
    return p.err;
}

static void copy_plain(char *to, size_t cap, struct slice from)
{
    size_t n = from.len < cap - 1 ? from.len : cap - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = from.ptr[i] >= ' ' && from.ptr[i] <= '~' ? from.ptr[i] : '?';
    to[n] = '\0';
}

void screen_note(struct screen *s, const char *clock, struct slice method, struct slice path,
                 int status, uint64_t ms, uint64_t bytes)
{
    struct screen_request *r = &s->request[s->n_requests++ % SCREEN_REQUESTS];
    *r = (struct screen_request){.status = status, .ms = ms, .bytes = bytes};
    snprintf(r->clock, sizeof r->clock, "%s", clock);
    copy_plain(r->method, sizeof r->method, method);
    copy_plain(r->path, sizeof r->path, path);
    s->total++;
}

void screen_notice(struct screen *s, struct slice text_of_it, struct slice advice)
{
    copy_plain(s->notice, sizeof s->notice, text_of_it);
    copy_plain(s->advice, sizeof s->advice, advice);
}
