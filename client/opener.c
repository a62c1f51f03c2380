/* SPDX-License-Identifier: MIT */
/* opener.c - has a process wait for URLs, one a line, and open each; see opener.h. */
#include "client/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"
#include "h2mux/base/log.h"

enum { URL_MAX = 4096 };

/* Starts a program with default signals, and with nothing to read or write. */
static int spawn_quietly(char *const argv[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, standard;
    pid_t pid;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    sigaddset(&standard, SIGCHLD);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &standard);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int err = posix_spawnp(&pid, argv[0], &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static void open_in_browser(char *url)
{
    char program[] = "xdg-open";
    char *argv[] = {program, url, NULL};
    int err = spawn_quietly(argv);
    if (err != 0)
        LOG(WARN, "browser_not_opened", LOG_STR("program", program),
            LOG_STR("reason", strerror(err)));
}

/* Takes what is said to oneport alone, tokens and passwords too, out of the environment: it is no
 * business of a browser. */
static void forget_options(void)
{
    static const char prefix[] = "ONEPORT_";
    char **kept = environ;
    for (char **each = environ; *each; each++)
        if (strncmp(*each, prefix, sizeof prefix - 1) != 0)
            *kept++ = *each;
    *kept = NULL;
}

/* Is the process: opens what comes until the other end is closed. */
static _Noreturn void serve(int fd)
{
    char url[URL_MAX];
    forget_options();
    FILE *urls = fdopen(fd, "re");
    while (urls && fgets(url, sizeof url, urls)) {
        url[strcspn(url, "\n")] = '\0';
        open_in_browser(url);
    }
    _exit(EXIT_SUCCESS);
}

int opener_start(void)
{
    int ends[2];
    pid_t child = -1;
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps children, also the process's own */
    if (kernel_pipe(ends) == 0) {
        child = fork();
        if (child == 0) {
            close(ends[1]);
            serve(ends[0]);
        }
        int error = errno;
        close(ends[0]);
        if (child > 0)
            return ends[1];
        close(ends[1]);
        errno = error;
    }
    LOG(WARN, "browser_not_opened", LOG_STR("reason", strerror(errno)));
    return -1;
}

void opener_open(int opener, const char *url)
{
    struct iovec parts[] = {{(char *)(uintptr_t)url, strlen(url)}, {(char[]){'\n'}, 1}};
    if (writev(opener, parts, 2) < 0)
        LOG(WARN, "browser_not_opened", LOG_STR("reason", strerror(errno)));
}
