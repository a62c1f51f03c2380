/* SPDX-License-Identifier: MIT */
/* control.c - see control.h. */
#include "tests/bench/control.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINE_LIMIT = 4096 };

static void take_lines(struct control *c)
{
    ptrdiff_t end;
    while ((end = slice_find(buf_slice(&c->line), '\n')) >= 0) {
        char *line = slice_dup(slice_make(buf_slice(&c->line).ptr, (size_t)end));
        buf_consume(&c->line, (size_t)end + 1);
        c->on_command(c->user, line);
        free(line);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
    struct control *c = user;
    char bytes[512];
    ssize_t got = read(fd, bytes, sizeof bytes);
    if (got > 0 && buf_append(&c->line, slice_make(bytes, (size_t)got)) == 0) {
        take_lines(c);
        return;
    }
    event_del(&c->event);
    c->on_command(c->user, NULL);
}

void control_open(struct control *c, struct event_base *base,
                  void (*on_command)(void *user, char *line), void *user)
{
    *c = (struct control){.on_command = on_command, .user = user};
    buf_init(&c->line, LINE_LIMIT);
    event_assign(&c->event, base, STDIN_FILENO, EV_READ | EV_PERSIST, on_readable, c);
    event_add(&c->event, NULL);
}

void control_close(struct control *c)
{
    event_del(&c->event);
    buf_release(&c->line);
}
