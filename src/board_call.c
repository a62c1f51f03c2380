/* SPDX-License-Identifier: MIT */
/* board_call.c - see board_call.h. The board closes the connection behind its answer, so the end of
 * the bytes is the end of the body. */
#include "src/board_call.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/kernel.h"
#include "src/worker/listen_address.h"

enum { WAIT_S = 15, HEAD_MAX = 8192, STATUS_AT = 9 };

/* A server that listens at any address is on this machine. */
static void settle(struct sockaddr_storage *a)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)a;
    if (a->ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (a->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

/* Returns a connection to @address, or -1 with a sentence in @reason. */
static int connect_to(const char *address, char reason[static BOARD_CALL_REASON_MAX])
{
    struct listen_addresses found;
    const struct timeval patience = {.tv_sec = WAIT_S};
    if (listen_address_parse(address, &found) < 0) {
        snprintf(reason, BOARD_CALL_REASON_MAX, "'%s' is not unix:/PATH or ADDR:PORT", address);
        return -1;
    }
    struct listen_address *a = &found.v[0];
    settle(&a->addr);
    int fd = kernel_socket(a->addr.ss_family, SOCK_STREAM, false);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(fd, (const struct sockaddr *)&a->addr, a->len) == 0)
            return fd;
    }
    snprintf(reason, BOARD_CALL_REASON_MAX,
             "no board at %s: %s; is oneportd running with --admin %s?", address,
             strerrordesc_np(errno), address);
    if (fd >= 0)
        close(fd);
    return -1;
}

static char *request_of(const struct board_ask *ask)
{
    const char *body = ask->body ? ask->body : "";
    return xasprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s",
                     ask->method, ask->path, ask->token ? "Authorization: Bearer " : "",
                     ask->token ? ask->token : "", ask->token ? "\r\n" : "",
                     ask->body ? "Content-Type: application/json\r\n" : "", strlen(body), body);
}

/* Returns the status of the answer @all, and takes its head off; 0 when it is no whole answer. */
static int take_head(struct slice *all)
{
    static const char end[] = "\r\n\r\n";
    uint64_t status = 0, length = 0;
    const char *at = memmem(all->ptr, all->len, end, sizeof end - 1);
    if (!slice_starts(*all, SLICE("HTTP/1.1 ")) || !at || all->len < STATUS_AT + 3 ||
        slice_to_u64(slice_make(all->ptr + STATUS_AT, 3), 999, &status) < 0)
        return 0;
    struct slice head = slice_make(all->ptr, (size_t)(at - all->ptr));
    const char *field = memmem(head.ptr, head.len, "\r\nContent-Length: ", 18);
    if (field) {
        struct slice text = slice_make(field + 18, (size_t)(at - field - 18));
        const char *line = memchr(text.ptr, '\r', text.len);
        text.len = line ? (size_t)(line - text.ptr) : text.len;
        if (slice_to_u64(text, SIZE_MAX / 2, &length) < 0)
            return 0;
    }
    *all = slice_skip(*all, head.len + sizeof end - 1);
    return !field || all->len == length ? (int)status : 0;
}

int board_call(const struct board_ask *ask, struct buf *out,
               char reason[static BOARD_CALL_REASON_MAX])
{
    struct buf answer;
    int fd = connect_to(ask->address, reason), status = -1;
    if (fd < 0)
        return -1;
    buf_init(&answer, out->limit + HEAD_MAX);
    char *request = request_of(ask);
    bool asked = file_write_all(fd, slice_str(request)) == 0;
    struct slice rest = SLICE("");
    if (asked && file_read_all(fd, &answer) == 0) {
        rest = buf_slice(&answer);
        status = take_head(&rest);
    }
    if (status > 0 && buf_append(out, rest) < 0)
        status = 0;
    if (status <= 0) {
        snprintf(reason, BOARD_CALL_REASON_MAX, "what listens at %s gives no answer of a board",
                 ask->address);
        status = -1;
    }
    free(request);
    buf_release(&answer);
    close(fd);
    return status;
}
