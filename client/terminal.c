/* SPDX-License-Identifier: MIT */
/* terminal.c - see terminal.h. */
#include "client/terminal.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/opener.h"
#include "client/plain.h"
#include "client/qr.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/log.h"

enum { STATE_MS = 500, QR_MAX = 64 * 1024, PLAIN_MAX = 8 * 1024, ADVICE_COLUMNS = 70 };

/* The URL of a tunnel that was shown last. */
struct shown {
    const char *tunnel; /* borrowed; NULL: there is one */
    char *url;          /* owned */
};

struct terminal {
    struct terminal_options o;
    struct log_file *out; /* owned: it never blocks, even if nobody reads */
    struct live *live;    /* owned; NULL: plain lines or JSON */
    struct shown *shown;  /* owned: one for each tunnel that has a URL */
    size_t n_shown;
    struct timer states; /* --json: looks whether the state has changed */
    struct screen *seen; /* owned; --json: what was looked at last */
};

static void run_states(void *user);

static bool draws(const struct terminal_options *o)
{
    return !o->json && !o->requests && live_possible();
}

bool terminal_takes_log(const struct terminal_options *o)
{
    return draws(o) && isatty(STDERR_FILENO);
}

/* Returns the line of the log without its time and level. */
static struct slice event_of(struct slice line)
{
    for (int i = 0; i < 2; i++) {
        const char *space = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
        line = slice_skip(line, space ? (size_t)(space - line.ptr) : line.len);
        while (line.len > 0 && line.ptr[0] == ' ')
            line = slice_skip(line, 1);
    }
    return line;
}

/* Shows @text with @before in front of it. */
static void show_line(struct terminal *t, const char *before, struct slice text)
{
    char *line = xasprintf("%s%.*s", before, SLICE_FMT(text));
    live_line(t->live, slice_str(line));
    free(line);
}

/* Returns how much of @text fits into a line, up to a blank. */
static size_t fitting(struct slice text)
{
    size_t n = text.len <= ADVICE_COLUMNS ? text.len : ADVICE_COLUMNS;
    while (n > 0 && n < text.len && text.ptr[n] != ' ')
        n--;
    return n > 0 ? n : text.len;
}

/* Shows an error above the drawing, where it stays. A warning about the same is over then. */
static void show_error(struct terminal *t, struct slice said, struct slice advice)
{
    live_notice(t->live, SLICE(""), SLICE(""));
    show_line(t, "oneport: ", said);
    while (advice.len > 0) {
        size_t n = fitting(advice);
        show_line(t, "         ", slice_make(advice.ptr, n));
        advice = slice_skip(advice, n + 1);
    }
}

/* Shows in plain words what a line of the log says. */
static void show_plainly(struct terminal *t, enum log_level level, struct slice line)
{
    struct buf said, advice;
    buf_init(&said, PLAIN_MAX);
    buf_init(&advice, PLAIN_MAX);
    if (plain_event(line, &said) < 0 || plain_advice(line, &advice) < 0)
        live_line(t->live, line);
    else if (level == LOG_ERROR)
        show_error(t, buf_slice(&said), buf_slice(&advice));
    else
        live_notice(t->live, buf_slice(&said), buf_slice(&advice));
    buf_release(&said);
    buf_release(&advice);
}

static void on_log(void *user, enum log_level level, struct slice line)
{
    struct terminal *t = user;
    bool json = line.len > 0 && line.ptr[0] == '{';
    if (t->o.all_log || json)
        live_line(t->live, line);
    else
        show_plainly(t, level, event_of(line));
}

struct terminal *terminal_new(const struct terminal_options *o)
{
    struct terminal *t = xcalloc(1, sizeof *t);
    struct live_options live = {.loop = o->loop, .look = o->look, .user = o->user};
    t->o = *o;
    timer_init(&t->states, o->loop, run_states, t);
    t->out = log_file_open("-");
    if (t->out && draws(o))
        t->live = live_new(&live);
    if (t->live && terminal_takes_log(o))
        log_divert(on_log, t);
    if (!t->out) {
        free(t);
        return NULL;
    }
    if (o->json) {
        t->seen = xcalloc(1, sizeof *t->seen);
        timer_arm(&t->states, STATE_MS);
    }
    return t;
}

void terminal_free(struct terminal *t)
{
    if (!t)
        return;
    timer_stop(&t->states);
    log_divert(NULL, NULL);
    live_free(t->live);
    log_file_close(t->out);
    if (t->o.opener >= 0)
        close(t->o.opener);
    free(t->seen);
    for (size_t i = 0; i < t->n_shown; i++)
        free(t->shown[i].url);
    free(t->shown);
    free(t);
}

/* ---- what is told */

static void print(struct terminal *t, struct slice line)
{
    if (t->live)
        live_line(t->live, line);
    else
        log_file_line(t->out, line);
}

/* Writes @event, which it frees, as one line. */
static void print_json(struct terminal *t, cJSON *event)
{
    char *line = cJSON_PrintUnformatted(event);
    if (line)
        print(t, slice_str(line));
    cJSON_free(line);
    cJSON_Delete(event);
}

static cJSON *new_event(const char *name, const char *tunnel)
{
    char now[CLOCK_ISO_MAX];
    cJSON *event = cJSON_CreateObject();
    clock_iso(clock_wall_s(), now);
    cJSON_AddStringToObject(event, "event", name);
    cJSON_AddStringToObject(event, "time", now);
    if (tunnel)
        cJSON_AddStringToObject(event, "tunnel", tunnel);
    return event;
}

static const char *state_name(enum screen_state state)
{
    static const char *const names[] = {[SCREEN_CONNECTING] = "connecting",
                                        [SCREEN_UP] = "online",
                                        [SCREEN_RETRYING] = "reconnecting",
                                        [SCREEN_LEAVING] = "leaving"};
    return names[state];
}

static void tell_state(struct terminal *t, const struct screen_share *s)
{
    cJSON *event = new_event("state", s->tunnel);
    cJSON_AddStringToObject(event, "state", state_name(s->state));
    cJSON_AddStringToObject(event, "origin", s->origin);
    print_json(t, event);
}

static void tell_host(struct terminal *t, const struct screen_share *s)
{
    cJSON *event = new_event("host_header", s->tunnel);
    cJSON_AddStringToObject(event, "mode", "rewrite");
    print_json(t, event);
}

static void tell_health(struct terminal *t, const struct screen_share *s)
{
    static const char *const names[] = {[HEALTH_UNKNOWN] = "",
                                        [HEALTH_GOOD] = "answers",
                                        [HEALTH_BAD] = "fails",
                                        [HEALTH_AWAY] = "away"};
    cJSON *event = new_event("health", s->tunnel);
    cJSON_AddStringToObject(event, "app", names[s->app.state]);
    if (s->app.state == HEALTH_AWAY)
        cJSON_AddStringToObject(event, "reason", s->app.reason);
    else
        cJSON_AddNumberToObject(event, "status", s->app.status);
    print_json(t, event);
}

/* Tells what has changed of each share: its state, the name that its service is asked by, and
 * whether that answers. */
static void run_states(void *user)
{
    struct terminal *t = user;
    struct screen now = {.n_shares = 0};
    t->o.look(t->o.user, &now);
    for (size_t i = 0; i < now.n_shares && i < SCREEN_SHARES; i++) {
        const struct screen_share *s = &now.share[i], *before = &t->seen->share[i];
        bool known = i < t->seen->n_shares;
        if (!known || before->state != s->state)
            tell_state(t, s);
        if (s->own_host && (!known || !before->own_host))
            tell_host(t, s);
        if (s->app.state != (known ? before->app.state : HEALTH_UNKNOWN))
            tell_health(t, s);
    }
    *t->seen = now;
    timer_arm(&t->states, STATE_MS);
}

/* Writes the URL and a newline to its file, whose old content is there until the new one is
 * complete. */
static void write_url(const struct terminal_url *u)
{
    char *temporary = xasprintf("%s.new", u->file), *line = xasprintf("%s\n", u->url);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    int err = fd < 0 ? ERR_IO : file_write_all(fd, slice_str(line));
    if (fd >= 0 && close(fd) < 0)
        err = ERR_IO;
    if (err == 0 && rename(temporary, u->file) < 0)
        err = ERR_IO;
    if (err < 0)
        LOG(WARN, "url_file_not_written", LOG_STR("path", u->file),
            LOG_STR("reason", strerrordesc_np(errno)));
    free(temporary);
    free(line);
}

static void print_qr(struct terminal *t, const char *url)
{
    struct buf code;
    buf_init(&code, QR_MAX);
    if (qr_draw(url, &code) == 0) {
        buf_truncate(&code, buf_len(&code) - 2); /* the last CR LF */
        print(t, buf_slice(&code));
    } else {
        LOG(WARN, "qr_code_not_drawn", LOG_STR("url", url));
    }
    buf_release(&code);
}

/* Prints the text with the tunnel before it. */
static void print_of(struct terminal *t, const char *tunnel, const char *text)
{
    char *line = xasprintf("%s%s%s", tunnel ? tunnel : "", tunnel ? ": " : "", text);
    print(t, slice_str(line));
    free(line);
}

static void print_url(struct terminal *t, const struct terminal_url *u)
{
    if (t->o.json) {
        cJSON *event = new_event("url", u->tunnel);
        cJSON_AddStringToObject(event, "url", u->url);
        print_json(t, event);
        return;
    }
    char *text = xasprintf("your url is: %s", u->url);
    print_of(t, u->tunnel, text);
    free(text);
}

/* Returns what was shown of @tunnel; a new one has no URL. */
static struct shown *find_shown(struct terminal *t, const char *tunnel)
{
    for (size_t i = 0; i < t->n_shown; i++)
        if (!tunnel || strcmp(t->shown[i].tunnel, tunnel) == 0)
            return &t->shown[i];
    t->shown = xrealloc(t->shown, (t->n_shown + 1) * sizeof *t->shown);
    t->shown[t->n_shown] = (struct shown){.tunnel = tunnel};
    return &t->shown[t->n_shown++];
}

static void open_first(const struct terminal *t, const struct terminal_url *u)
{
    if (u->own)
        opener_open(t->o.opener, u->url);
    else
        LOG(WARN, "browser_not_opened", LOG_STR("url", u->url),
            LOG_STR("reason", "its host is neither the server's nor below it; see --attach-host"));
}

/* Prints the links that let their holders in. */
static void print_keys(struct terminal *t, const struct terminal_url *u)
{
    for (size_t i = 0; u->keys && i < u->keys->n; i++) {
        char *link = xasprintf("%s/.oneport/key/%s", u->url, u->keys->v[i].key);
        char *text = xasprintf("the link for %s is: %s", u->keys->v[i].name, link);
        if (t->o.json) {
            cJSON *event = new_event("key", u->tunnel);
            cJSON_AddStringToObject(event, "name", u->keys->v[i].name);
            cJSON_AddStringToObject(event, "url", link);
            print_json(t, event);
        } else {
            print_of(t, u->tunnel, text);
        }
        free(text);
        free(link);
    }
}

void terminal_show_url(struct terminal *t, const struct terminal_url *u)
{
    struct shown *s = find_shown(t, u->tunnel);
    bool first = !s->url;
    if (t->live)
        live_touch(t->live);
    if (!first && strcmp(s->url, u->url) == 0)
        return;
    free(s->url);
    s->url = xstrdup(u->url);
    if (u->file)
        write_url(u);
    print_url(t, u);
    print_keys(t, u);
    if (first && t->o.qr && !t->o.json)
        print_qr(t, s->url);
    if (first && t->o.opener >= 0)
        open_first(t, u);
}

static void print_request(struct terminal *t, const char *tunnel, struct slice method,
                          struct slice path, int status, uint64_t ms)
{
    char quoted_method[LOG_QUOTED_MAX], quoted_path[LOG_QUOTED_MAX];
    log_quote(method, quoted_method);
    log_quote(path, quoted_path);
    char *text =
        xasprintf("%s %s %d %llu", quoted_method, quoted_path, status, (unsigned long long)ms);
    print_of(t, tunnel, text);
    free(text);
}

/* Adds @value, with bytes that are not ASCII as `?`: JSON has no others than UTF-8. */
static void add_text(cJSON *event, const char *name, struct slice value)
{
    char *text = xasprintf("%.*s", SLICE_FMT(value));
    for (char *at = text; *at; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    cJSON_AddStringToObject(event, name, text);
    free(text);
}

void terminal_show_request(struct terminal *t, const char *tunnel, struct slice method,
                           struct slice path, int status, uint64_t ms, uint64_t bytes)
{
    if (t->live) {
        live_note(t->live, method, path, status, ms, bytes);
    } else if (t->o.json) {
        cJSON *event = new_event("request", tunnel);
        add_text(event, "method", method);
        add_text(event, "path", path);
        cJSON_AddNumberToObject(event, "status", status);
        cJSON_AddNumberToObject(event, "ms", (double)ms);
        cJSON_AddNumberToObject(event, "bytes", (double)bytes);
        print_json(t, event);
    } else if (t->o.requests) {
        print_request(t, tunnel, method, path, status, ms);
    }
}
