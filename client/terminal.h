/* SPDX-License-Identifier: MIT */
/* terminal.h - writes to standard output for the person at the keyboard: the URL and, if asked for,
 * a line for each request. */
#ifndef CLIENT_TERMINAL_H
#define CLIENT_TERMINAL_H

#include "h2mux/base/slice.h"

struct terminal;

/* Takes @opener (opener.h), or -1, over. Returns NULL if standard output cannot be used; errno says
 * why. */
struct terminal *terminal_new(bool print_requests, int opener) MUSTCHECK;
void terminal_free(struct terminal *t);

/* Writes "your url is: URL" when @url is new, and "TUNNEL: " before it if @tunnel, which outlives
 * the terminal, is not NULL. Opens the first one of each tunnel in a browser if there is an opener,
 * and if the URL is one of the server's @own. @url is http or https, and printable. */
void terminal_show_url(struct terminal *t, const char *tunnel, const char *url, bool own);

/* Writes "METHOD path status ms", quoted where needed, with "TUNNEL: " as above. @status 0: cut off
 * before a response. */
void terminal_show_request(struct terminal *t, const char *tunnel, struct slice method,
                           struct slice path, int status, uint64_t ms);

#endif
