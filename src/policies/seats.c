/* SPDX-License-Identifier: MIT */
/* seats.c - keeps the seats and the queue in two short arrays, which grow; see seats.h. */
#include "src/policies/seats.h"

#include <stdlib.h>
#include <string.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/check.h"

enum { FIRST = 8 };

struct seat_taken {
    struct address of;
    size_t open;      /* requests */
    uint64_t idle_us; /* since when there is none */
};

struct waiting {
    struct address of;
    uint64_t asked_us;
};

struct seats {
    size_t n;                 /* seats */
    struct seat_taken *taken; /* owned */
    size_t n_taken, room_taken;
    struct waiting *waiting; /* owned: in the order in which they came */
    size_t n_waiting, room_waiting;
};

struct seats *seats_new(size_t n)
{
    struct seats *s = xcalloc(1, sizeof *s);
    s->n = n;
    return s;
}

void seats_free(struct seats *s)
{
    if (!s)
        return;
    free(s->taken);
    free(s->waiting);
    free(s);
}

size_t seats_bytes(const struct seats *s)
{
    return s ? s->room_taken * sizeof s->taken[0] + s->room_waiting * sizeof s->waiting[0] : 0;
}

static void seats_check(const struct seats *s)
{
    CHECK_THAT(s->n_taken <= s->n);
    CHECK_THAT(s->n_waiting <= SEATS_QUEUE_MAX);
    CHECK_THAT(s->n_taken <= s->room_taken && s->n_waiting <= s->room_waiting);
}

/* Frees the seats of those who have been away for long, and forgets who has not asked again. */
static void sweep(struct seats *s, uint64_t now_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n_taken; i++)
        if (s->taken[i].open > 0 || s->taken[i].idle_us + SEATS_FREE_US > now_us)
            s->taken[kept++] = s->taken[i];
    s->n_taken = kept;
    kept = 0;
    for (size_t i = 0; i < s->n_waiting; i++)
        if (s->waiting[i].asked_us + SEATS_WAIT_US > now_us)
            s->waiting[kept++] = s->waiting[i];
    s->n_waiting = kept;
}

void seats_tidy(struct seats *s, uint64_t now_us)
{
    if (!s)
        return;
    sweep(s, now_us);
    if (s->n_taken == 0) {
        free(s->taken);
        s->taken = NULL;
        s->room_taken = 0;
    }
    if (s->n_waiting == 0) {
        free(s->waiting);
        s->waiting = NULL;
        s->room_waiting = 0;
    }
}

static struct seat_taken *seat_of(struct seats *s, const struct address *of)
{
    for (size_t i = 0; i < s->n_taken; i++)
        if (address_eq(&s->taken[i].of, of))
            return &s->taken[i];
    return NULL;
}

/* Returns the place of @of in the queue, or the one behind the last. */
static size_t place_of(const struct seats *s, const struct address *of)
{
    size_t i = 0;
    while (i < s->n_waiting && !address_eq(&s->waiting[i].of, of))
        i++;
    return i;
}

static void take_out(struct seats *s, size_t place)
{
    if (place >= s->n_waiting)
        return;
    s->n_waiting--;
    memmove(&s->waiting[place], &s->waiting[place + 1],
            (s->n_waiting - place) * sizeof s->waiting[0]);
}

bool seats_enter(struct seats *s, const struct address *of, uint64_t now_us)
{
    struct seat_taken *seat = seat_of(s, of);
    if (seat) {
        seat->open++;
        return true;
    }
    sweep(s, now_us);
    size_t place = place_of(s, of);
    bool enters = place < s->n - s->n_taken; /* each who came before has a seat, too */
    if (enters) {
        take_out(s, place);
        if (s->n_taken == s->room_taken) {
            s->room_taken = s->room_taken > 0 ? 2 * s->room_taken : FIRST;
            s->taken = xrealloc(s->taken, s->room_taken * sizeof s->taken[0]);
        }
        s->taken[s->n_taken++] = (struct seat_taken){.of = *of, .open = 1};
    } else if (place < SEATS_QUEUE_MAX) {
        if (place == s->room_waiting) {
            s->room_waiting = s->room_waiting > 0 ? 2 * s->room_waiting : FIRST;
            s->waiting = xrealloc(s->waiting, s->room_waiting * sizeof s->waiting[0]);
        }
        s->waiting[place] = (struct waiting){*of, now_us};
        s->n_waiting += place == s->n_waiting;
    }
    if (CHECKING)
        seats_check(s);
    return enters;
}

void seats_leave(struct seats *s, const struct address *of, uint64_t now_us)
{
    struct seat_taken *seat = seat_of(s, of);
    CHECK_THAT(seat && seat->open > 0);
    if (seat && --seat->open == 0)
        seat->idle_us = now_us;
}
