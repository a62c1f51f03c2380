/* SPDX-License-Identifier: MIT */
/* check_command.c - see check_command.h. */
#include "src/check_command.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/kernel.h"
#include "h2mux/io/tls.h"
#include "src/account.h"
#include "src/edge/binding.h"
#include "src/http/pages.h"
#include "src/names/state.h"
#include "src/names/state_lock.h"
#include "src/worker/certificate.h"
#include "src/worker/certificate_files.h"

enum {
    NAME_MAX_BYTES = 512,
    ADDRESSES_MAX = 512,
    ANSWER_MAX = 4096,
    WAIT_S = 5, /* for a connection, and for each byte of an answer */
    DAY_S = 86400,
    HTTPS = 443
};

enum verdict { FINE, NOTE, WARNING, FAULT };

struct check {
    const struct config *config;
    bool faulty;  /* a line was a FAULT */
    bool serving; /* another process serves from the state directory */
};

__attribute__((format(printf, 4, 5))) static void say(struct check *k, enum verdict v,
                                                      const char *what, const char *format, ...)
{
    static const char *const words[] = {"ok", "note", "warning", "FAULT"};
    va_list args;
    printf("%-8s %-12s ", words[v], what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    k->faulty |= v == FAULT;
}

/* ---- the certificate */

static void check_times(struct check *k, const struct tls_certificate *c)
{
    int64_t now_s = clock_wall_s();
    char end[CLOCK_ISO_MAX];
    clock_iso(c->not_after_s, end);
    if (now_s > c->not_after_s)
        say(k, FAULT, "certificate", "%s ended at %s: renew it", c->cert_file, end);
    else if (now_s < c->not_before_s)
        say(k, FAULT, "certificate", "%s is not valid yet: is the clock of this machine right?",
            c->cert_file);
    else if (c->not_after_s - now_s <= (int64_t)CERTIFICATE_WARN_DAYS * DAY_S)
        say(k, WARNING, "certificate", "%s ends soon, at %s: renew it", c->cert_file, end);
    else
        say(k, FINE, "certificate", "%s is valid until %s", c->cert_file, end);
}

static void check_one(const struct tls_certificate *c, void *user)
{
    struct check *k = user;
    char name[NAME_MAX_BYTES];
    check_times(k, c);
    if (certificate_files_name(k->config, c->cert_file, name, sizeof name) &&
        !tls_certificate_covers(c, slice_str(name)))
        say(k, WARNING, "certificate", "%s is not for %s", c->cert_file, name);
    if (tls_key_exposed(c->key_file))
        say(k, WARNING, "key", "everybody on this machine can read %s: chmod o-r it", c->key_file);
}

/* Looks for the names that every server needs, in all certificates. */
static void check_names(struct check *k, struct tls *t)
{
    const char *domain = k->config->domain;
    const struct opt_list *certs = &k->config->listen.certs;
    const char *where = certs->count > 0 ? certs->item[0] : k->config->listen.cert_dir;
    char wildcard[NAME_MAX_BYTES];
    snprintf(wildcard, sizeof wildcard, "*.%s", domain);
    if (!tls_server_covers(t, slice_str(domain)))
        say(k, FAULT, "certificate", "%s is not for %s", where, domain);
    if (!tls_server_covers(t, slice_str(wildcard)))
        say(k, FAULT, "certificate", "%s is not for %s: tunnels need it", where, wildcard);
}

static void check_certificate(struct check *k)
{
    const struct config *c = k->config;
    struct certificate_files files;
    char reason[TLS_REASON_MAX];
    if (!config_has_tls(c)) {
        say(k, NOTE, "certificate",
            "none: clients need a front end that has one (nginx/README.md)");
        return;
    }
    if (certificate_files_list(&files, c, reason) < 0) {
        say(k, FAULT, "certificate", "%s", reason);
        return;
    }
    struct tls *t = tls_server_new(files.pair, files.count);
    for (size_t i = 0; i < files.count; i++)
        if (files.pair[i].reason[0])
            say(k, FAULT, "certificate", "%s", files.pair[i].reason);
    tls_server_each(t, check_one, k);
    if (tls_server_ready(t))
        check_names(k, t);
    else if (files.count == 0)
        say(k, WARNING, "certificate", "%s is empty: nobody can attach", c->listen.cert_dir);
    tls_free(t);
    certificate_files_free(&files);
}

/* ---- what the server opens */

/* Becomes, for a while, the user that root would serve as, if the state directory is that user's.
 * Returns whether it did. */
static bool become_owner(const struct check *k)
{
    char reason[ACCOUNT_REASON_MAX];
    struct account a;
    struct stat st;
    if (geteuid() != 0 || stat(k->config->names.state_dir, &st) < 0 || st.st_uid == 0 ||
        account_choose(&a, k->config, reason) < 0)
        return false;
    bool became = a.uid == st.st_uid && setegid(a.gid) == 0 && seteuid(a.uid) == 0;
    account_deinit(&a);
    return became;
}

static void judge_state(struct check *k)
{
    const char *dir = k->config->names.state_dir, *why = NULL;
    char reason[NAME_MAX_BYTES];
    int fd = state_open(dir, &why);
    if (fd == ERR_NOT_FOUND) {
        say(k, NOTE, "state", "%s is not there: the first start makes it", dir);
        return;
    }
    if (fd < 0) {
        say(k, FAULT, "state", "%s: %s", dir, why);
        return;
    }
    bool writable = faccessat(fd, ".", W_OK, AT_EACCESS) == 0;
    bool used = faccessat(fd, STATE_LOCK, W_OK, AT_EACCESS) == 0; /* a lock is not made here */
    close(fd);
    int err = used ? state_lock_take(dir, &fd, reason, sizeof reason) : 0;
    k->serving = err == ERR_TAKEN;
    if (used && err == 0)
        state_lock_give(fd);
    if (!writable)
        say(k, WARNING, "state", "%s cannot be written by this user", dir);
    else if (k->serving)
        say(k, FINE, "state", "%s is in use: oneportd runs", dir);
    else
        say(k, err < 0 ? FAULT : FINE, "state", "%s", err < 0 ? reason : dir);
}

static void check_state(struct check *k)
{
    bool became = become_owner(k);
    judge_state(k);
    if (became && (seteuid(0) < 0 || setegid(0) < 0))
        say(k, FAULT, "user", "root cannot be root again: %s", strerror(errno));
}

static void check_pages(struct check *k)
{
    char reason[PAGES_REASON_MAX];
    if (!k->config->urls.pages)
        return;
    struct pages *p = pages_load(k->config->urls.pages, reason);
    say(k, p ? FINE : FAULT, "pages", "%s", p ? k->config->urls.pages : reason);
    pages_free(p);
}

static void check_acme_dir(struct check *k)
{
    const char *dir = k->config->urls.acme_dir;
    struct stat st;
    if (!dir)
        return;
    if (stat(dir, &st) < 0)
        say(k, FAULT, "acme-dir", "%s: %s", dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        say(k, FAULT, "acme-dir", "%s is no folder", dir);
    else if (faccessat(AT_FDCWD, dir, R_OK | X_OK, AT_EACCESS) < 0)
        say(k, FAULT, "acme-dir", "%s cannot be read by this user", dir);
    else
        say(k, FINE, "acme-dir", "%s", dir);
}

static void check_listeners(struct check *k, const struct opt_list *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct binding b;
        char reason[BINDING_REASON_MAX];
        if (strncmp(all->item[i], "unix:", 5) == 0)
            continue; /* its file is not for this program to replace */
        if (binding_open(&b, all->item[i], all, 1, NULL, reason) == 0) {
            binding_close(&b);
            say(k, FINE, "listen", "%s is free", all->item[i]);
        } else if (k->serving) {
            say(k, FINE, "listen", "%s is in use: oneportd runs", all->item[i]);
        } else {
            say(k, FAULT, "listen", "%s: %s", all->item[i], reason);
        }
    }
}

/* ---- DNS */

/* Asks for the addresses of @name. Writes them to @text, and returns the list, or NULL after a
 * FAULT. */
static struct addrinfo *look_up(struct check *k, const char *name, char text[static ADDRESSES_MAX])
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int err = getaddrinfo(name, NULL, &want, &found);
    size_t at = 0;
    if (err != 0) {
        say(k, FAULT, "DNS", "%s: %s", name, gai_strerror(err));
        return NULL;
    }
    text[0] = '\0';
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        char host[NI_MAXHOST];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) ==
                0 &&
            at < ADDRESSES_MAX)
            at += (size_t)snprintf(text + at, ADDRESSES_MAX - at, " %s", host);
    }
    return found;
}

/* Looks up the domain and a name below it that nobody has. Returns the addresses of the domain,
 * which the caller frees, or NULL. */
static struct addrinfo *check_dns(struct check *k)
{
    char below[NAME_MAX_BYTES], of_domain[ADDRESSES_MAX], of_below[ADDRESSES_MAX];
    struct addrinfo *domain = look_up(k, k->config->domain, of_domain);
    snprintf(below, sizeof below, "oneport-check.%s", k->config->domain);
    if (domain)
        say(k, FINE, "DNS", "%s is%s", k->config->domain, of_domain);
    struct addrinfo *wild = look_up(k, below, of_below);
    if (!wild) {
        say(k, NOTE, "DNS", "an A or AAAA record of *.%s is missing", k->config->domain);
        return domain;
    }
    bool same = domain && strcmp(of_domain, of_below) == 0;
    say(k, same || !domain ? FINE : WARNING, "DNS", "*.%s is%s%s", k->config->domain, of_below,
        same || !domain ? "" : ", which is another machine");
    freeaddrinfo(wild);
    return domain;
}

/* ---- what answers at the domain */

static int connect_to(const struct addrinfo *a, uint16_t port)
{
    struct sockaddr_storage to;
    const struct timeval patience = {.tv_sec = WAIT_S};
    memcpy(&to, a->ai_addr, a->ai_addrlen);
    if (to.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&to)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)&to)->sin_port = htons(port);
    int fd = kernel_socket(to.ss_family, SOCK_STREAM, false);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&to, a->ai_addrlen) == 0)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* Sends the request for the status over @ssl, and reads the answer to @out as a text. */
static void ask_status(SSL *ssl, const char *host, char out[static ANSWER_MAX])
{
    char request[NAME_MAX_BYTES];
    int len = snprintf(request, sizeof request,
                       "GET /api/status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    int at = 0, n = SSL_write(ssl, request, len);
    while (n > 0 && at < ANSWER_MAX - 1 && (n = SSL_read(ssl, out + at, ANSWER_MAX - 1 - at)) > 0)
        at += n;
    out[at] = '\0';
}

static void judge_answer(struct check *k, const char *answer)
{
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0 && strstr(answer, "\"uptime_s\""))
        say(k, FINE, "front", "oneportd answers at https://%s", k->config->domain);
    else if (!k->serving && strncmp(answer, "HTTP/1.1 50", 11) == 0)
        say(k, NOTE, "front", "a front end answers, and waits for oneportd: %.12s", answer);
    else
        say(k, FAULT, "front", "what answers at https://%s is no oneportd: %.*s", k->config->domain,
            (int)strcspn(answer, "\r\n"), answer[0] ? answer : "nothing");
}

/* Asks what has the domain's port of TLS for the status of oneportd, as a client would. */
static void ask_front(struct check *k, int fd)
{
    const char *domain = k->config->domain;
    char reason[TLS_REASON_MAX], answer[ANSWER_MAX];
    struct tls_client_options system = {.ca_file = NULL};
    struct tls *t = tls_client_new(&system, reason);
    SSL *ssl = t ? tls_ssl_client(t, domain) : NULL;
    if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1) {
        ask_status(ssl, domain, answer);
        judge_answer(k, answer);
    } else {
        if (t)
            tls_reason(reason);
        say(k, FAULT, "front", "https://%s: clients refuse its TLS: %s", domain, reason);
    }
    SSL_free(ssl);
    tls_free(t);
}

static void check_front(struct check *k, const struct addrinfo *addresses)
{
    struct base_url url;
    uint16_t port = HTTPS;
    if (k->config->urls.public && base_url_parse(k->config->urls.public, &url) == 0 && url.https &&
        url.port != 0)
        port = url.port;
    for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
        int fd = connect_to(a, port);
        if (fd < 0)
            continue;
        ask_front(k, fd);
        close(fd);
        return;
    }
    say(k, k->serving ? FAULT : NOTE, "front", "nothing listens on port %u of %s: %s%s",
        (unsigned)port, k->config->domain, strerrordesc_np(errno),
        k->serving ? ", or a firewall is in the way" : "");
}

int check_command_run(const struct config *c)
{
    struct check k = {.config = c};
    say(&k, FINE, "options", "can be used together");
    check_certificate(&k);
    check_state(&k);
    check_pages(&k);
    check_listeners(&k, &c->listen.addresses);
    check_listeners(&k, &c->listen.redirects);
    check_acme_dir(&k);
    struct addrinfo *addresses = check_dns(&k);
    if (addresses) {
        check_front(&k, addresses);
        freeaddrinfo(addresses);
    }
    return k.faulty ? EXIT_FAILURE : EXIT_SUCCESS;
}
