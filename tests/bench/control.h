/* SPDX-License-Identifier: MIT */
/* control.h - reads commands from standard input, one on each line. The benchmark steers a program
 * that holds connections by them; the end of the input ends the program. */
#ifndef TESTS_BENCH_CONTROL_H
#define TESTS_BENCH_CONTROL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "h2mux/base/buf.h"

struct control {
    struct event event;
    struct buf line;
    void (*on_command)(void *user, char *line); /* NULL at the end of the input */
    void *user;                                 /* borrowed */
};

void control_open(struct control *c, struct event_base *base,
                  void (*on_command)(void *user, char *line), void *user);
void control_close(struct control *c);

#endif
