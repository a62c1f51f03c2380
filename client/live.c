/* SPDX-License-Identifier: MIT */
/* live.c - see live.h.
 *
 * Invariants: between two writes the cursor is on the first character of the drawing; while
 * `pending` has bytes nothing else is written, so no drawing is ever torn by another. */
#include "client/live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

enum {
    SOON_MS = 100,         /* from a change to its drawing */
    NOTICE_MS = 30 * 1000, /* how long a warning is shown */
    REST_MS = 1000,        /* between looks while nothing is told */
    SECONDS = 10,          /* over which the rate of requests is taken */
    PENDING = 256 * 1024,
    COLUMNS = 80, /* of a terminal that does not say */
    ROWS = 24
};

struct live {
    struct live_options o;
    struct screen screen;
    int fd;             /* owned: the terminal, opened anew, so that its flags are ours alone */
    struct buf pending; /* what the terminal has not taken */
    struct buf drawn;   /* the drawing that is there; empty: none */
    struct event writable, resized, stopped, continued;
    struct timer timer;               /* the next look */
    bool soon;                        /* it is armed for SOON_MS */
    uint64_t totals[SECONDS], second; /* requests at the end of the last seconds */
    uint64_t noticed_us;              /* when the notice came; 0: there is none */
    pid_t group;                      /* the process's */
    bool was_down;                    /* a share was, at the last drawing */
    bool colour;
};

bool live_possible(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

/* Returns whether the process may write: a process in the background leaves the terminal to the one
 * in front. */
static bool in_front(const struct live *l)
{
    pid_t front = tcgetpgrp(l->fd);
    return front < 0 || front == l->group;
}

static struct screen_size size_of(const struct live *l)
{
    struct winsize w = {.ws_col = 0};
    struct screen_size size = {.columns = COLUMNS, .rows = ROWS, .colour = l->colour};
    if (ioctl(l->fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
        size.columns = w.ws_col;
        size.rows = w.ws_row;
    }
    return size;
}

/* Writes what is pending, as far as the terminal takes it. */
static void flush(struct live *l)
{
    while (buf_len(&l->pending) > 0) {
        struct slice left = buf_slice(&l->pending);
        ssize_t n = write(l->fd, left.ptr, left.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            event_add(&l->writable, NULL);
            return;
        }
        if (n < 0) { /* the terminal is gone */
            buf_release(&l->pending);
            return;
        }
        buf_consume(&l->pending, (size_t)n);
    }
}

/* Appends @s to what is pending. What finds no room is lost: the terminal stands still. */
static void put(struct live *l, struct slice s)
{
    if (buf_append(&l->pending, s) < 0)
        return;
}

/* Removes the drawing. */
static void erase(struct live *l)
{
    struct buf erased;
    buf_init(&erased, 64);
    if (screen_erase(&erased) == 0)
        put(l, buf_slice(&erased));
    buf_release(&erased);
}

static void arm(struct live *l, uint64_t ms)
{
    l->soon = ms == SOON_MS;
    timer_arm(&l->timer, ms);
}

static void count_second(struct live *l, uint64_t now_us)
{
    uint64_t second = now_us / 1000000;
    uint64_t gone = second - l->second < SECONDS ? second - l->second : SECONDS;
    for (; gone > 0; gone--)
        l->totals[(second - gone + 1) % SECONDS] = l->screen.total;
    l->second = second;
    l->screen.a_second_x10 = l->screen.total - l->totals[(second + 1) % SECONDS];
    l->screen.a_second_x10 = l->screen.a_second_x10 * 10 / (SECONDS - 1);
}

static bool is_down(const struct screen *s)
{
    for (size_t i = 0; i < s->n_shares && i < SCREEN_SHARES; i++)
        if (s->share[i].state != SCREEN_UP)
            return true;
    return false;
}

/* Forgets a warning that is old, or that came while a share was down and none is any more. */
static void forget_notice(struct live *l, uint64_t now_us)
{
    bool down = is_down(&l->screen), back = l->was_down && !down;
    l->was_down = down;
    if (l->noticed_us == 0 || (!back && now_us - l->noticed_us < (uint64_t)NOTICE_MS * 1000))
        return;
    l->noticed_us = 0;
    screen_notice(&l->screen, SLICE(""), SLICE(""));
}

/* Draws, unless the drawing that is there is the same. */
static void draw(struct live *l, bool last)
{
    struct buf drawing;
    count_second(l, loop_now_us(l->o.loop));
    l->o.look(l->o.user, &l->screen);
    forget_notice(l, loop_now_us(l->o.loop));
    buf_init(&drawing, PENDING);
    if (screen_draw(&l->screen, size_of(l), last, &drawing) == 0 &&
        !slice_eq(buf_slice(&drawing), buf_slice(&l->drawn))) {
        put(l, buf_slice(&drawing));
        buf_release(&l->drawn);
        l->drawn = drawing;
        flush(l);
        return;
    }
    buf_release(&drawing);
}

static void run_timer(void *user)
{
    struct live *l = user;
    arm(l, REST_MS);
    if (buf_len(&l->pending) == 0 && in_front(l))
        draw(l, false);
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
    flush(user);
}

/* Draws anew though nothing else has changed: the terminal may have broken or moved lines. */
static void draw_anew(struct live *l)
{
    buf_release(&l->drawn);
    live_touch(l);
}

static void on_resized(evutil_socket_t number, short what, void *user)
{
    draw_anew(user);
}

/* Steps below the drawing, then stops as the shell asks (Ctrl-Z). */
static void on_stopped(evutil_socket_t number, short what, void *user)
{
    struct live *l = user;
    if (buf_len(&l->pending) == 0 && in_front(l))
        draw(l, true);
    raise(SIGSTOP);
}

static void on_continued(evutil_socket_t number, short what, void *user)
{
    draw_anew(user);
}

void live_touch(struct live *l)
{
    if (!l->soon)
        arm(l, SOON_MS);
}

static void watch(struct live *l)
{
    struct event_base *base = loop_base(l->o.loop);
    event_assign(&l->writable, base, l->fd, EV_WRITE, on_writable, l);
    evsignal_assign(&l->resized, base, SIGWINCH, on_resized, l);
    evsignal_assign(&l->stopped, base, SIGTSTP, on_stopped, l);
    evsignal_assign(&l->continued, base, SIGCONT, on_continued, l);
    evsignal_add(&l->resized, NULL);
    evsignal_add(&l->stopped, NULL);
    evsignal_add(&l->continued, NULL);
}

struct live *live_new(const struct live_options *o)
{
    const char *no_colour = getenv("NO_COLOR");
    int fd = kernel_reopen(STDOUT_FILENO, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    struct live *l = xcalloc(1, sizeof *l);
    l->o = *o;
    l->fd = fd;
    l->group = getpgrp();
    l->colour = !no_colour || no_colour[0] == '\0';
    l->second = loop_now_us(o->loop) / 1000000;
    buf_init(&l->pending, PENDING);
    buf_init(&l->drawn, PENDING);
    timer_init(&l->timer, o->loop, run_timer, l);
    tzset(); /* reads its file while that is allowed */
    watch(l);
    live_touch(l);
    return l;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    timer_stop(&l->timer);
    l->o.look(l->o.user, &l->screen);
    if (in_front(l) && screen_has_url(&l->screen)) {
        draw(l, true);
    } else if (in_front(l)) { /* nothing came of it */
        erase(l);
        flush(l);
    }
    event_del(&l->writable);
    event_del(&l->resized);
    event_del(&l->stopped);
    event_del(&l->continued);
    close(l->fd);
    buf_release(&l->pending);
    buf_release(&l->drawn);
    free(l);
}

void live_line(struct live *l, struct slice line)
{
    if (!in_front(l))
        return;
    erase(l);
    put(l, line);
    put(l, SLICE("\r\n"));
    draw_anew(l);
    flush(l);
}

void live_note(struct live *l, struct slice method, struct slice path, int status, uint64_t ms,
               uint64_t bytes)
{
    char clock[16];
    time_t now = time(NULL);
    struct tm tm;
    if (!localtime_r(&now, &tm) || strftime(clock, sizeof clock, "%H:%M:%S", &tm) == 0)
        clock[0] = '\0';
    screen_note(&l->screen, clock, method, path, status, ms, bytes);
    live_touch(l);
}

void live_notice(struct live *l, struct slice text, struct slice advice)
{
    screen_notice(&l->screen, text, advice);
    l->noticed_us = loop_now_us(l->o.loop);
    live_touch(l);
}
