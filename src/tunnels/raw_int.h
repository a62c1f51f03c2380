/* SPDX-License-Identifier: MIT */
/* raw_int.h - is shared by the files of raw. Nobody else includes it. */
#ifndef SRC_TUNNELS_RAW_INT_H
#define SRC_TUNNELS_RAW_INT_H

#include "h2mux/http/h1_conn.h"
#include "h2mux/http/ws.h"
#include "src/tunnels/raw.h"
#include "src/tunnels/tunnel.h"

enum {
    RAW_REST_US = 1000000, /* a socket that has not served is doubtful after this time */
    RAW_KNOCKS = 3,        /* empty lines to a socket whose service may be gone */
    RAW_KNOCK_MS = 200     /* between two: the client's second write shows what the first one met */
};

enum raw_state { RAW_IDLE, RAW_BUSY, RAW_WORN };

/* Whether the client's service is there, as far as sockets tell. */
enum raw_health {
    RAW_WELL,    /* the last socket that was reset has come back */
    RAW_AWAITED, /* one was reset, and has not come back yet */
    RAW_DOWN     /* one did not come back in time */
};

struct raw {
    struct backend backend;     /* as its tunnel and exchanges see it */
    struct list_node in_worker; /* linked until `over` */
    struct worker *worker;      /* borrowed: outlives its raws */
    char name[NAME_MAX_LEN + 1];
    struct list_node idle, busy, worn; /* of raw_socket.node; the last came last */
    size_t count;                      /* of all three */
    size_t websockets;                 /* busy with one */
    struct shares *viewers;            /* owned: the sockets of viewers */
    bool draining;
    bool over;
    struct {
        enum raw_health health;
        uint64_t pause_ms;  /* DOWN: until the next try */
        struct timer timer; /* WELL: before a reset; AWAITED, DOWN: until that is over */
    } heal;
    struct task wake;
    struct reap reap;
};

struct raw_socket {
    struct list_node node;  /* in one of the lists of `raw` */
    struct raw *raw;        /* borrowed: outlives its sockets */
    struct h1_conn *h1;     /* owned; NULL: `bare` has the connection, or it is over */
    struct sock *bare;      /* owned: WORN and relayed, while it is knocked at; or NULL */
    struct leg leg;         /* as the exchange sees the socket */
    struct seat descriptor; /* in server->descriptors */
    enum raw_state state;
    bool relayed;            /* a front end is between: it is never closed first */
    bool lost;               /* relayed: nothing brings it back */
    unsigned knocks;         /* empty lines that were sent to it, BUSY or WORN */
    bool used;               /* has served a request */
    uint64_t since_us;       /* monotonic: IDLE since */
    size_t memory;           /* that counts in the budget */
    struct message asked;    /* BUSY: the request, as it went out */
    bool repeatable;         /* D8 lets the request be sent again */
    bool doubtful;           /* the service may have closed its end unseen */
    bool websocket;          /* the request asks for one */
    bool open;               /* the WebSocket is open */
    bool begun;              /* a head of the answer has come */
    unsigned interim;        /* interim heads so far */
    bool spent;              /* it serves no more after this request */
    bool left;               /* its exchange has given it up, and settle() has seen that */
    bool complete;           /* both directions of the exchange are complete */
    bool gone;               /* the client has ended its direction */
    struct ws_frames frames; /* open: what comes from the service */
    struct timer timer;      /* IDLE: until it is worn; BUSY: as raw_socket.c says; WORN: knocks */
    struct reap reap;
};

/* raw.c */

/* Looks for requests that wait, in the next turn of the loop. */
void raw_wake(struct raw *r);
/* Ends the raw when it has no socket and awaits none. */
void raw_check_over(struct raw *r);

/* raw_socket.c */

/* Makes an idle socket of @r of the connection @sock. Returns false, and leaves @sock to the
 * caller, when no descriptor is left for it. */
bool raw_socket_new(struct raw *r, struct sock *sock, const struct peer *peer) MUSTCHECK;
/* Sends the request @m on the idle socket @s, and ties its leg. */
struct leg *raw_socket_ask(struct raw_socket *s, const struct message *m, bool end,
                           const struct leg_events *events, void *exchange) MUSTCHECK;
/* Makes a socket idle that was knocked at, and whose service is there. */
void raw_socket_revive(struct raw_socket *s);
/* Settles what an exchange has left behind that has given the socket up. */
void raw_socket_settle(struct raw_socket *s);
/* Closes the socket and frees it. @reset: by RST, otherwise by FIN. An exchange on it is told. */
void raw_socket_close(struct raw_socket *s, bool reset);

/* Tells the exchange, if there is one, that the socket has ended because of @err. @begun: bytes of
 * an answer had come. */
void raw_socket_lose(struct raw_socket *s, int err, bool begun, const char *reason);
/* Takes a busy socket out of service, with whatever is under way on it. */
void raw_socket_cut(struct raw_socket *s);
/* Returns whether @err means that the connection is gone. */
bool raw_socket_is_loss(int err);

/* raw_answer.c */

extern const struct leg_events raw_inner_events;

/* raw_heal.c */

void raw_heal_init(struct raw *r);
/* Takes the socket out of service. It is reset when its turn comes, or knocked at if it is relayed.
 */
void raw_heal_retire(struct raw_socket *s);
/* Does so with the idle sockets that may be reset, and have served or rested for @us. */
void raw_heal_doubt(struct raw *r, uint64_t us);
/* Notes that a socket has joined: the service is there. */
void raw_heal_joined(struct raw *r);
/* Notes that a client has ended a socket because of its service: until it is back, or not, none
 * other is reset. */
void raw_heal_ended(struct raw *r);
/* Notes that the client has not ended the socket that was knocked at. */
void raw_heal_spared(struct raw *r);

/* raw_knock.c */

/* Knocks at a worn socket that is relayed. raw_knock_go_on follows when its timer runs out. */
void raw_knock_begin(struct raw_socket *s);
void raw_knock_go_on(struct raw_socket *s);

#endif
