/* SPDX-License-Identifier: MIT */
/* screen.h - draws what a person at the terminal sees of the shares: their URLs, whether they are
 * up, who looks at them, and the last requests. Pure: knows no clock, no descriptor and no
 * terminal.
 *
 * A drawing is a few lines. No line is as wide as the terminal, so a terminal that becomes narrower
 * breaks none in two unless it had to. The drawing begins by erasing all below the cursor, and ends
 * with the cursor where it began. So the next drawing replaces it, wherever the terminal has moved
 * the lines meanwhile, and no mode of the terminal is changed that would have to be set back. */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include "client/origin/health.h"
#include "h2mux/base/buf.h"

enum {
    SCREEN_REQUESTS = 8, /* of the last ones */
    SCREEN_SHARES = 16,  /* that are drawn; the number of the others is said */
    SCREEN_TEXT = 192,   /* bytes of a path or a reason, with a zero byte */
    SCREEN_NOTICE = 512  /* bytes of a warning or its advice, with a zero byte */
};

enum screen_state { SCREEN_CONNECTING, SCREEN_UP, SCREEN_RETRYING, SCREEN_LEAVING };

/* A name that is shared. All texts are borrowed for the drawing. */
struct screen_share {
    const char *tunnel; /* its section; NULL: it is the only one */
    const char *url;    /* NULL: not granted yet */
    const char *origin; /* what is shared */
    bool own_host;      /* it is asked by its own name, which --host-header auto has learned */
    struct health_look app;
    enum screen_state state;
    unsigned links;         /* that are up */
    uint64_t round_trip_us; /* to the server and back, the least of late; 0: not known yet */
    uint64_t retry_ms;      /* RETRYING: until the next try; 0: under way */
};

struct screen_request {
    char clock[sizeof "23:59:59"]; /* when it ended, local time */
    char method[12], path[SCREEN_TEXT];
    int status;     /* what the viewer was told; 0: cut off before a response */
    uint64_t ms;    /* from the request's head to the end */
    uint64_t bytes; /* of the response's body */
};

/* What is drawn. All zero: nothing is known yet. */
struct screen {
    struct screen_share share[SCREEN_SHARES];
    size_t n_shares;
    size_t viewers;             /* addresses that asked in the last minute, or have a WebSocket */
    size_t running;             /* requests under way */
    size_t websockets;          /* open */
    uint64_t a_second_x10;      /* requests a second over the last ten seconds, times 10 */
    uint64_t total;             /* requests since the start */
    char notice[SCREEN_NOTICE]; /* the last warning; empty: none */
    char advice[SCREEN_NOTICE]; /* what to do about it; empty: nothing is known */
    struct screen_request request[SCREEN_REQUESTS]; /* a ring */
    size_t n_requests;                              /* that were noted; the newest is the last */
};

struct screen_size {
    unsigned columns, rows; /* of the terminal */
    bool colour;            /* whether colours may be used (NO_COLOR forbids them) */
};

/* Notes a request that has ended. Cuts @method and @path, and shows what is no plain character as
 * `?`. @clock is a time as 23:59:59. */
void screen_note(struct screen *s, const char *clock, struct slice method, struct slice path,
                 int status, uint64_t ms, uint64_t bytes);

/* Stores @text as the notice and @advice as what to do about it, with characters that are not plain
 * as `?`. */
void screen_notice(struct screen *s, struct slice text, struct slice advice);

/* Returns whether a share that is drawn has a URL. */
bool screen_has_url(const struct screen *s) MUSTCHECK;

/* Appends a drawing to @out: at most @size.rows - 1 lines, each of less than @size.columns
 * characters. @last: the cursor stays on the line below the drawing, which is the last one. Returns
 * 0, or ERR_LIMIT when @out has no room. */
int screen_draw(const struct screen *s, struct screen_size size, bool last,
                struct buf *out) MUSTCHECK;

/* Appends what erases the drawing whose first character the cursor is on. */
int screen_erase(struct buf *out) MUSTCHECK;

#endif
