/* SPDX-License-Identifier: MIT */
/* terminal.h - tells the person at the keyboard, or the script in their place, how the share goes:
 * its URL, its state, and the requests.
 *
 * On a terminal it draws them (live.h). Otherwise, and with --print-requests, it writes plain lines
 * to standard output, which begin with the tunnel where there are several; with --json one JSON
 * object a line. */
#ifndef CLIENT_TERMINAL_H
#define CLIENT_TERMINAL_H

#include "client/live.h"
#include "client/share_keys.h"

struct terminal;

struct terminal_options {
    struct loop *loop; /* borrowed: outlives the terminal */
    bool requests;     /* --print-requests */
    bool json;
    int opener;   /* taken over: of --open (opener.h); -1: no browser */
    bool qr;      /* --qr: the first URL */
    bool all_log; /* print every line of the log above the drawing */

    /* As live_options.look; also asked for the states that --json tells. */
    void (*look)(void *user, struct screen *s);
    void *user;
};

/* Returns NULL if standard output cannot be used; errno says why. */
struct terminal *terminal_new(const struct terminal_options *o) MUSTCHECK;
void terminal_free(struct terminal *t);

/* Returns whether the terminal takes the lines of the log, because it draws where they would be
 * written. It shows the last warning, and errors above the drawing. */
bool terminal_takes_log(const struct terminal_options *o);

/* A URL under which viewers are served from now on; http or https, and printable. */
struct terminal_url {
    const char *tunnel; /* its section; outlives the terminal; NULL: it is the only one */
    const char *url;
    const char *file;              /* of --url-file; NULL: none */
    bool own;                      /* it is the server's, or below it */
    const struct share_keys *keys; /* whose links are shown beside it */
};

/* Tells the URL when it is another one than before: on the terminal, and in the file. Opens the
 * first one of each tunnel in a browser if that was asked for and it is the server's own. */
void terminal_show_url(struct terminal *t, const struct terminal_url *u);

/* Tells of a request of @tunnel that has ended. @status 0: cut off before a response; @bytes are
 * the body's. */
void terminal_show_request(struct terminal *t, const char *tunnel, struct slice method,
                           struct slice path, int status, uint64_t ms, uint64_t bytes);

#endif
