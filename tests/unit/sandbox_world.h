/* SPDX-License-Identifier: MIT */
/* sandbox_world.h - a folder, two ports, and a way to try things in a child that has entered. */
#ifndef TESTS_UNIT_SANDBOX_WORLD_H
#define TESTS_UNIT_SANDBOX_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/io/sandbox.h"

enum { OTHER_PROTOCOL = 132 /* SCTP */, WRONG = 99 };

static char dir[64];
static int listening = -1; /* a TCP socket that listens */
static uint16_t port, other_port;

static const char *at(const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return path;
}

static void put(const char *file)
{
    int fd = open(at(file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int listen_on(uint16_t *out)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *out = ntohs(a.sin_port);
    return fd;
}

static int set_up(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_sandbox.XXXXXX");
    if (log_open(NULL, LOG_WARN, false) < 0 || !mkdtemp(dir))
        return -1;
    const char *const folders[] = {"state", "live", "live2", "archive", "log", "out"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    put("state/names");
    put("archive/cert1.pem");
    put("archive/cert2.pem");
    put("out/other");
    put("live2/now.pem");
    char real[128];
    snprintf(real, sizeof real, "%s", at("live/cert.pem"));
    assert_int_equal(symlink("../archive/cert1.pem", real), 0);
    listening = listen_on(&port);
    listen_on(&other_port);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static bool can_enter(void)
{
    char reason[SANDBOX_REASON_MAX];
    struct sandbox *s = sandbox_new();
    sandbox_allow_port(s, 1);
    bool can = sandbox_possible(s, SANDBOX_ON, reason) == 0;
    sandbox_free(s);
    return can;
}

/* Enters as a server does, or as a client does, which makes sockets and loads code. */
static void enter(bool client)
{
    char reason[SANDBOX_REASON_MAX], path[128];
    struct sandbox *s = sandbox_new();
    sandbox_allow_write(s, at("state"));
    sandbox_allow_renewed(s, at("live/cert.pem"));
    snprintf(path, sizeof path, "%s", at("log/access.log"));
    sandbox_allow_append(s, path);
    if (client) {
        sandbox_allow_port(s, port);
        sandbox_allow_names(s);
    }
    if (sandbox_enter(s, SANDBOX_ON, reason) < 0) {
        fprintf(stderr, "%s\n", reason);
        _exit(WRONG);
    }
    sandbox_free(s);
}

/* Enters in a child process and calls @act there. Returns the errno of @act, 0 when it succeeded,
 * or minus the signal that ended the child. */
static int tried(bool client, int (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        enter(client);
        errno = 0;
        _exit(act() < 0 ? errno : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd;
}

struct attempt {
    const char *what;
    int (*act)(void);
    int server, client; /* errno, or minus a signal */
};

static void judge(const struct attempt *t, size_t n)
{
    if (!can_enter())
        skip();
    for (size_t i = 0; i < n; i++) {
        print_message("%s\n", t[i].what);
        assert_int_equal(tried(false, t[i].act), t[i].server);
        assert_int_equal(tried(true, t[i].act), t[i].client);
    }
}

#endif
