/* SPDX-License-Identifier: MIT */
/* control.h - commands on standard input, a line each: how the benchmark tells a program that holds
 * connections what comes next. The end of the input is the end of the program. */
#ifndef TESTS_BENCH_CONTROL_H
#define TESTS_BENCH_CONTROL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "h2mux/base/buf.h"

struct control {
    struct event event;
    struct buf line;
    void (*on_command)(void *user, char *line); /* NULL: the end */
    void *user;                                 /* borrowed */
};

void control_open(struct control *c, struct event_base *base,
                  void (*on_command)(void *user, char *line), void *user);
void control_close(struct control *c);

#endif
