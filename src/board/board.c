/* SPDX-License-Identifier: MIT */
/* board.c - the listeners of the board, and its life; see board.h. */
#include "src/board/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/kernel.h"
#include "src/board/board_int.h"
#include "src/edge/binding.h"
#include "src/edge/listener.h"

struct door {
    struct list_node node; /* in board->listeners */
    struct board *board;   /* borrowed */
    int fd;                /* owned */
    struct event event;
};

/* Closes connections that are too many: their peers are the operator's own programs. */
static void on_acceptable(evutil_socket_t listening, short what, void *arg)
{
    struct door *d = arg;
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    int fd = kernel_accept(d->fd, (struct sockaddr *)&peer, &len);
    if (fd < 0)
        return;
    if (d->board->n_connections < BOARD_CONNECTIONS)
        board_conn_new(d->board, fd, (const struct sockaddr *)&peer);
    else
        close(fd);
}

static void open_door(struct board *b, int fd)
{
    struct door *d = xcalloc(1, sizeof *d);
    d->board = b;
    d->fd = fd;
    event_assign(&d->event, loop_base(b->worker->loop), fd, EV_READ | EV_PERSIST, on_acceptable, d);
    event_add(&d->event, NULL);
    list_push(&b->listeners, &d->node);
    listener_announce(fd, false);
}

static void close_door(struct list_node *node)
{
    struct door *d = CONTAINER_OF(node, struct door, node);
    event_del(&d->event);
    listener_remove_file(d->fd);
    close(d->fd);
    list_remove(&d->node);
    free(d);
}

/* Reads the first line of the file @path into b->token. Returns NULL, or what is wrong. */
static const char *read_token(struct board *b, const char *path)
{
    struct buf text;
    const char *why = NULL;
    buf_init(&text, BOARD_TOKEN_MAX + 2);
    int fd = file_open_trusted(path, &why);
    if (fd >= 0 && file_read_all(fd, &text) < 0)
        why = "the token is too long, or cannot be read";
    struct slice line = buf_slice(&text);
    if (slice_ends(line, SLICE("\n")))
        line.len--;
    if (!why && (line.len < BOARD_TOKEN_MIN || slice_find(line, '\n') >= 0))
        why = "one line is wanted, a token of 16 characters or more";
    if (!why)
        b->token = slice_dup(line);
    buf_release(&text);
    if (fd >= 0)
        close(fd);
    return why;
}

struct board *board_new(const struct config_admin *o, char reason[static BOARD_REASON_MAX])
{
    struct board *b = xcalloc(1, sizeof *b);
    const struct opt_list none = {.count = 0};
    char text[BINDING_REASON_MAX];
    list_init(&b->listeners);
    list_init(&b->connections);
    const char *file = o->token, *why = file ? read_token(b, file) : NULL;
    bool bound = !why && binding_open(&b->sockets, o->listen, &none, 1, NULL, text) == 0;
    if (bound)
        return b;
    snprintf(reason, BOARD_REASON_MAX, "%s: %s", why ? file : o->listen, why ? why : text);
    board_free(b);
    return NULL;
}

void board_start(struct board *b, struct worker *w)
{
    b->worker = w;
    w->board = b;
    for (size_t i = 0; i < b->sockets.n; i++)
        open_door(b, b->sockets.fds[i]);
    binding_deinit(&b->sockets);
}

void board_drain(struct board *b)
{
    LIST_FOREACH (it, &b->listeners)
        close_door(it);
}

void board_stop(struct board *b)
{
    board_drain(b);
    LIST_FOREACH (it, &b->connections)
        board_conn_close(it);
}

void board_free(struct board *b)
{
    if (b && b->sockets.fds)
        binding_close(&b->sockets);
    if (b)
        free(b->token);
    free(b);
}
