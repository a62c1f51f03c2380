/* SPDX-License-Identifier: MIT */
/* proxy.h - the talk with a proxy that is asked for a connection: CONNECT of HTTP/1.1 (RFC 9110
 * 9.3.6, RFC 7617), or SOCKS 5 (RFC 1928, RFC 1929). Pure: who owns the connection moves the bytes.
 *
 * The proxy looks the host up. The reader takes exactly the bytes of the answer, so whatever comes
 * behind belongs to who speaks next on the connection. */

/* draw: a talk
 *
 *   HTTP     STATUS ──▶ FIELDS ──2xx──▶ done       (1xx: STATUS again)
 *   SOCKS    METHOD ──▶ [LOGIN] ──▶ REPLY ──▶ BOUND ──▶ done
 *   any ──another answer──▶ failed */
#ifndef H2MUX_IO_PROXY_H
#define H2MUX_IO_PROXY_H

#include <stdint.h>

#include "h2mux/base/slice.h"

enum proxy_kind { PROXY_HTTP, PROXY_SOCKS };

enum {
    PROXY_HOST_MAX = 256,
    PROXY_LOGIN_MAX = 255, /* bytes of a user's name and of a password (RFC 1929 2) */
    PROXY_LINE_MAX = 4096, /* bytes of one line of an HTTP answer */
    PROXY_ANSWER_MAX = 16384,
    PROXY_SAY_MAX = 2048,
    PROXY_REASON_MAX = 256
};

/* A proxy, and how it is asked. */
struct proxy {
    enum proxy_kind kind;
    uint16_t port;
    char host[PROXY_HOST_MAX]; /* an IPv6 address without brackets */
    char user[PROXY_LOGIN_MAX + 1], password[PROXY_LOGIN_MAX + 1]; /* user is empty: no login */
};

enum proxy_stage {
    PROXY_STATUS,
    PROXY_FIELDS,
    PROXY_METHOD,
    PROXY_LOGIN,
    PROXY_REPLY,
    PROXY_BOUND
};

/* What one talk needs. Its members are those of proxy.c but `say`, `err` and `reason`. */
struct proxy_talk {
    const struct proxy *proxy; /* borrowed, as is the host */
    const char *host;
    uint16_t port;
    enum proxy_stage stage;
    size_t taken; /* bytes of the answer so far */
    size_t len;   /* of what is in `line` */
    size_t want;  /* SOCKS: length of this message, as far as it is known */
    int status;
    bool basic, other, sealed;     /* ways to log in that are offered; sealed: NTLM or Negotiate */
    char line[PROXY_LINE_MAX];     /* HTTP: the line that has begun; SOCKS: the message */
    char say[PROXY_SAY_MAX];       /* what is sent next */
    char reason[PROXY_REASON_MAX]; /* of a failure, behind the name of the proxy: "forbids …" */
    size_t say_len;
    int err; /* of a failure; see proxy_read */
};

enum proxy_verdict {
    PROXY_MORE,  /* the answer goes on */
    PROXY_SAYS,  /* send t->say, and read on */
    PROXY_DONE,  /* the connection to the host is there */
    PROXY_FAILED /* t->err and t->reason say why */
};

/* Begins the talk by which @p is asked for a connection to @host, a name or an address without
 * brackets. t->say is to be sent. Both are borrowed. Fails with ERR_LIMIT if @host is too long. */
int proxy_begin(struct proxy_talk *t, const struct proxy *p, const char *host,
                uint16_t port) MUSTCHECK;

/* Reads @in, the next bytes of the proxy, and stores in @used how many of them belong to the
 * answer: all of them, unless the verdict is DONE. The verdict does not depend on how the bytes are
 * cut. t->err is ERR_DENIED if the proxy does not want to, by 401, 403, 407 or a rule of SOCKS;
 * ERR_UNREACHABLE if it cannot reach the host; ERR_UNSUPPORTED if it does not do this for anyone;
 * ERR_PROTOCOL if this is no answer, so that no such proxy is there. */
enum proxy_verdict proxy_read(struct proxy_talk *t, struct slice in, size_t *used) MUSTCHECK;

#endif
