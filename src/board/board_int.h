/* SPDX-License-Identifier: MIT */
/* board_int.h - what the files of the board share; no other file includes it. */
#ifndef SRC_BOARD_BOARD_INT_H
#define SRC_BOARD_BOARD_INT_H

#include "h2mux/http/h1_conn.h"
#include "src/board/board.h"
#include "src/board/judge.h"
#include "src/board/roll.h"
#include "src/edge/binding.h"
#include "src/http/answer.h"

struct board {
    struct worker *worker;        /* borrowed */
    char *token;                  /* owned; NULL: the listener is a unix socket */
    struct binding sockets;       /* until board_start */
    struct list_node listeners;   /* of board.c */
    struct list_node connections; /* of board_conn.c */
    size_t n_connections;
};

/* A connection, which has one request. */
struct board_conn {
    struct list_node node; /* in board->connections until its end */
    struct board *board;   /* borrowed */
    struct h1_conn *conn;  /* owned until the end */
    struct board_door door;
    struct message *m; /* borrowed from `conn`; NULL: no head has come */
    struct buf body;   /* owned */
    struct roll *roll; /* weak: an answer is awaited */
    struct timer timer;
    struct reap reap;
};

/* Makes a connection of @fd, which it owns. */
void board_conn_new(struct board *b, int fd, const struct sockaddr *peer);
/* Ends a connection. @node is of board->connections. */
void board_conn_close(struct list_node *node);
/* Sends the answer @a, which it frees, and ends the connection. */
void board_conn_answer(struct board_conn *c, struct answer *a);
/* Refuses with @status and the sentence @message. */
void board_conn_refuse(struct board_conn *c, int status, const char *error, const char *message);

/* What a call is, by its method and path. */
struct board_call {
    const char *method, *path;
    bool open; /* it shows nothing of the server, so it needs no token */
    void (*run)(struct board_conn *c, struct slice rest);
};

/* Finds the call of @m. Sets @rest to the part of the path that the call's path leaves open.
 * Returns NULL, and sets @allow to the method that the path takes or to NULL. */
const struct board_call *board_call_find(const struct message *m, struct slice *rest,
                                         const char **allow);

#endif
