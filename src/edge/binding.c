/* SPDX-License-Identifier: MIT */
/* binding.c - see binding.h. */
#include "src/edge/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"
#include "h2mux/base/log.h"
#include "h2mux/io/sock.h"

enum { BACKLOG = 1024, PORT_TRIES = 20 };

/* ---- one address */

/* Removes the socket file @addr when no process listens on it: when a connection is refused. */
static void remove_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = kernel_socket(AF_UNIX, SOCK_STREAM, false);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 &&
        errno == ECONNREFUSED)
        unlink(addr->sun_path);
    if (fd >= 0)
        close(fd);
}

static int bind_to(const struct listen_address *a, bool v6only, bool shared)
{
    const struct sockaddr *addr = (const struct sockaddr *)&a->addr;
    int one = 1;
    int fd = kernel_socket(addr->sa_family, SOCK_STREAM, true);
    if (fd < 0)
        return -1;
    if (addr->sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (addr->sa_family != AF_UNIX)
        sock_keep_alive(fd);
    if (v6only)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, addr, a->len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void close_all(int *fds, size_t count)
{
    int why = errno;
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    errno = why;
}

/* Binds up to @count sockets to one address. Returns the number of sockets that were bound. */
static unsigned bind_shared(const struct listen_address *a, bool v6only, int *fds, unsigned count)
{
    unsigned made = 0;
    while (made < count && (fds[made] = bind_to(a, v6only, true)) >= 0)
        made++;
    return made;
}

static unsigned duplicate(int first, int *fds, unsigned count)
{
    unsigned made = 1;
    fds[0] = first;
    while (made < count && (fds[made] = fcntl(first, F_DUPFD_CLOEXEC, 0)) >= 0)
        made++;
    return made;
}

/* Takes the socket of @passed at the address @a, for each of @count workers. Returns 1; 0 when
 * there is none; or -1 with errno set. */
static int take_passed(struct passed *passed, const struct listen_address *a, int *fds,
                       unsigned count)
{
    int first = passed ? passed_take(passed, a) : -1;
    if (first < 0)
        return 0;
    unsigned made = duplicate(first, fds, count);
    if (made == count)
        return 1;
    close_all(fds, made);
    return -1;
}

/* Makes a listening descriptor for each of @count workers. Sets the port in @a when the system has
 * chosen it. Returns 0, or -1 with errno set and nothing left behind. The first bind is without
 * SO_REUSEPORT, since otherwise a port that another process shares would look free. */
static int bind_each(struct listen_address *a, bool v6only, int *fds, unsigned count)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->addr;
    bool local = a->addr.ss_family == AF_UNIX;
    if (local)
        remove_stale(un);
    int first = bind_to(a, v6only, false);
    if (first < 0)
        return -1;
    socklen_t len = sizeof a->addr;
    if (!local)
        getsockname(first, (struct sockaddr *)&a->addr, &len);
    unsigned made;
    if (count == 1 || local) {
        made = duplicate(first, fds, count);
    } else {
        close(first);
        made = bind_shared(a, v6only, fds, count);
    }
    if (made == count)
        return 0;
    close_all(fds, made);
    if (local)
        unlink(un->sun_path);
    return -1;
}

/* ---- the addresses of one value */

/* Returns whether the error says that the machine has no addresses of this family. */
static bool lacks_family(int why)
{
    return why == EAFNOSUPPORT || why == EADDRNOTAVAIL || why == EPROTONOSUPPORT;
}

/* Returns whether @a is [::] and must leave IPv4 alone. */
static bool leaves_v4(const struct listen_addresses *given, const struct listen_address *a,
                      const struct opt_list *all)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)&a->addr;
    if (a->addr.ss_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
        return false;
    uint16_t port = listen_address_port(a);
    return given->n > 1 || (port != 0 && listen_address_has_v4(all, port));
}

/* Binds all of @given that the machine has the family of. Returns 0, or -1 with errno set. */
static int bind_given(struct binding *b, const struct listen_addresses *given,
                      const struct opt_list *all, struct passed *passed)
{
    uint16_t port = 0; /* that the first address has got */
    int missing = 0;
    b->n = 0;
    for (size_t i = 0; i < given->n; i++) {
        struct listen_address a = given->v[i];
        bool v6only = leaves_v4(given, &a, all);
        if (b->n > 0)
            listen_address_set_port(&a, port);
        int *fds = b->fds + b->n * b->count;
        int taken = take_passed(passed, &a, fds, b->count);
        if (taken > 0 || (taken == 0 && bind_each(&a, v6only, fds, b->count) == 0)) {
            b->passed |= taken > 0;
            b->n++;
            port = listen_address_port(&a);
        } else if (given->n > 1 && lacks_family(errno)) {
            missing = errno;
        } else {
            close_all(b->fds, b->n * b->count);
            return -1;
        }
    }
    errno = missing;
    return b->n > 0 ? 0 : -1;
}

/* Returns what a person can do about a failed bind. */
static const char *advice_on(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "; `ss -ltnp` shows who has it";
    case EACCES:
        return "; root may bind it: start oneportd as root with --user NAME, or by its unit";
    case EADDRNOTAVAIL:
        return "; this machine has no such address: `ip address` shows those that it has";
    default:
        return "";
    }
}

int binding_open(struct binding *b, const char *text, const struct opt_list *all, unsigned count,
                 struct passed *passed, char reason[static BINDING_REASON_MAX])
{
    struct listen_addresses given;
    *b = (struct binding){.count = count};
    if (listen_address_parse(text, &given) < 0) {
        snprintf(reason, BINDING_REASON_MAX, "not an address");
        return -1;
    }
    b->fds = xcalloc(LISTEN_ADDRESSES_MAX * (size_t)count, sizeof *b->fds);
    bool chosen = given.n > 1 && listen_address_port(&given.v[0]) == 0;
    int err = bind_given(b, &given, all, passed);
    /* A port that the system chose in one family may be in use in the other. */
    for (int i = 1; i < PORT_TRIES && err < 0 && chosen && errno == EADDRINUSE; i++)
        err = bind_given(b, &given, all, passed);
    if (err == 0 && b->n < given.n)
        LOG(INFO, "one_family", LOG_STR("listen", text), LOG_STR("missing", strerror(errno)));
    if (err == 0)
        return 0;
    int why = errno;
    snprintf(reason, BINDING_REASON_MAX, "%s%s", strerror(why), advice_on(why));
    binding_deinit(b);
    return -1;
}

void binding_close(struct binding *b)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    getsockname(b->fds[0], (struct sockaddr *)&addr, &len);
    if (addr.ss_family == AF_UNIX)
        unlink(((const struct sockaddr_un *)(const void *)&addr)->sun_path);
    close_all(b->fds, b->n * b->count);
    binding_deinit(b);
}

void binding_deinit(struct binding *b)
{
    free(b->fds);
    b->fds = NULL;
}
