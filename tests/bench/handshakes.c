/* SPDX-License-Identifier: MIT */
/* handshakes.c - opens TLS connections one after the other, in several threads, and prints their
 * number as JSON. Each one agrees on h2, sends the preface and waits for the first bytes of the
 * server, with which the session's ticket has come.
 *
 * `handshakes --port PORT --name NAME [--resume] [OPTIONS]` */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/opt.h"
#include "tests/bench/conn.h"

#define FIELD(member) .offset = offsetof(struct handshakes, member)

enum { MAX_THREADS = 64, MINUTE_MS = 60000 };

/* The options, and what all threads share. */
struct handshakes {
    uint64_t port, threads, milliseconds;
    const char *name;
    bool resume;
    uint64_t end_us;
};

struct thread {
    const struct handshakes *all;
    pthread_t id;
    SSL_CTX *tls;
    SSL_SESSION *session; /* owned: the latest, if sessions are to be resumed */
    uint64_t count, resumed, failed;
};

static const struct opt rows[] = {
    {"port", 'p', OPT_UINT, FIELD(port), .min = 1, .max = 65535, .value = "PORT",
     .help = "where to, on 127.0.0.1"},
    {"name", 0, OPT_TEXT, FIELD(name), .fallback = "localhost", .value = "NAME",
     .help = "the name that the hello asks for"},
    {"threads", 0, OPT_UINT, FIELD(threads), .fallback = "4", .min = 1, .max = MAX_THREADS,
     .value = "N", .help = "connections at a time"},
    {"time", 't', OPT_MSEC, FIELD(milliseconds), .fallback = "4s", .min = 1, .max = MINUTE_MS,
     .value = "T", .help = "how long"},
    {"resume", 0, OPT_FLAG, FIELD(resume), .help = "resume the session of the connection before"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "handshakes",
    .env_prefix = "BENCH_HANDSHAKES_",
    .usage = "handshakes --port PORT [OPTIONS]",
    .about = "Opens TLS connections to a server on loopback and counts them, as JSON.",
    .rows = rows,
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct thread *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(t->session);
    t->session = session;
    return 1; /* the session is kept */
}

static bool thread_init(struct thread *t, const struct handshakes *all)
{
    static const unsigned char h2[] = "\x02h2";
    *t = (struct thread){.all = all, .tls = SSL_CTX_new(TLS_client_method())};
    if (!t->tls)
        return false;
    SSL_CTX_set_app_data(t->tls, t);
    SSL_CTX_set_alpn_protos(t->tls, h2, sizeof h2 - 1);
    if (all->resume) {
        SSL_CTX_set_session_cache_mode(t->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(t->tls, on_session);
    }
    return true;
}

/* Returns a connected socket, or -1. It is closed by RST, since closed ports would run out. */
static int dial(const struct handshakes *all)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)all->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger now = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return fd;
}

/* Speaks to the server on @ssl. Returns whether it has answered. */
static bool speak(SSL *ssl)
{
    static const char first[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    char answer[512];
    return SSL_connect(ssl) == 1 && SSL_write(ssl, first, sizeof first - 1) > 0 &&
           SSL_read(ssl, answer, sizeof answer) > 0;
}

static void open_one(struct thread *t)
{
    int fd = dial(t->all);
    SSL *ssl = SSL_new(t->tls);
    if (fd < 0 || !ssl) {
        t->failed++;
    } else {
        SSL_set_fd(ssl, fd);
        SSL_set_tlsext_host_name(ssl, t->all->name);
        if (t->session)
            SSL_set_session(ssl, t->session);
        bool answered = speak(ssl);
        t->count += answered;
        t->failed += !answered;
        t->resumed += answered && SSL_session_reused(ssl);
        SSL_set_quiet_shutdown(ssl, 1);
        SSL_shutdown(ssl); /* otherwise OpenSSL does not resume the session */
    }
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
}

static void *run(void *user)
{
    struct thread *t = user;
    while (clock_now_us() < t->all->end_us)
        open_one(t);
    return NULL;
}

static int run_all(const struct handshakes *all, struct thread *threads)
{
    uint64_t count = 0, resumed = 0, failed = 0, began_us = clock_now_us(), started = 0;
    for (; started < all->threads; started++)
        if (!thread_init(&threads[started], all) ||
            pthread_create(&threads[started].id, NULL, run, &threads[started]) != 0)
            break;
    for (uint64_t i = 0; i < started; i++) {
        struct thread *t = &threads[i];
        pthread_join(t->id, NULL);
        count += t->count;
        resumed += t->resumed;
        failed += t->failed;
        SSL_SESSION_free(t->session);
        SSL_CTX_free(t->tls);
    }
    printf("{\"connections\": %llu, \"resumed\": %llu, \"errors\": %llu, \"seconds\": %.3f}\n",
           (unsigned long long)count, (unsigned long long)resumed, (unsigned long long)failed,
           (double)(clock_now_us() - began_us) / 1e6);
    return started == all->threads ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct handshakes all = {.port = 0};
    struct thread threads[MAX_THREADS];
    enum opt_result parsed = opt_parse(&program, argc, argv, &all, NULL, 0, NULL);
    if (parsed != OPT_RUN)
        return parsed == OPT_SHOWN ? 0 : 1;
    if (all.port == 0) {
        opt_help(&program, stderr);
        return 1;
    }
    conn_prepare_process();
    all.end_us = clock_now_us() + all.milliseconds * 1000;
    return run_all(&all, threads);
}
