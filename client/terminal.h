/* SPDX-License-Identifier: MIT */
/* terminal.h - what the person at the keyboard sees on standard output: the URL, and a line a
 * request if asked for. */
#ifndef CLIENT_TERMINAL_H
#define CLIENT_TERMINAL_H

#include "h2mux/base/slice.h"

struct terminal;

struct terminal *terminal_new(bool print_requests,
                              bool open_browser) MUSTCHECK; /* NULL: errno says why */
void terminal_free(struct terminal *t);

/* "your url is: URL", when it is new; the first one is opened in a browser if that was asked for.
 * @url is http or https and printable. */
void terminal_show_url(struct terminal *t, const char *url);

/* "METHOD path status ms", escaped. @status 0: it was cut off before an answer. */
void terminal_show_request(struct terminal *t, struct slice method, struct slice path, int status,
                           uint64_t ms);

#endif
