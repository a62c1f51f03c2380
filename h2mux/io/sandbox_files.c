/* SPDX-License-Identifier: MIT */
/* sandbox_files.c - speaks to Landlock by its system calls, which glibc has no functions for. The
 * constants are those of linux/landlock.h, which may be older than the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "h2mux/io/sandbox_int.h"

struct ruleset_attr {
    uint64_t handled_fs;
    uint64_t handled_net; /* from version 4 on */
    uint64_t scoped;      /* from version 6 on */
};

struct path_attr {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

struct port_attr {
    uint64_t allowed;
    uint64_t port;
};

enum {
    ASK_VERSION = 1 << 0,
    RULE_PATH = 1,
    RULE_PORT = 2,
    NET_BIND = 1 << 0,
    NET_CONNECT = 1 << 1,
    SCOPE_ALL = 1 << 0 | 1 << 1, /* abstract unix sockets and signals of others */
    FS_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15 /* the others are of folders */
};

/* Returns the rights that a version of Landlock can refuse. */
static uint64_t rights_of(int version)
{
    uint64_t rights = (UINT64_C(1) << 13) - 1;
    if (version >= 2)
        rights |= 1 << 13; /* move between folders; version 1 always refuses it */
    if (version >= 3)
        rights |= 1 << 14; /* truncate */
    if (version >= 5)
        rights |= 1 << 15; /* ioctl on devices */
    return rights;
}

int files_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_VERSION);
    return version > 0 ? (int)version : 0;
}

int files_new(int version)
{
    struct ruleset_attr a = {.handled_fs = rights_of(version)};
    if (version >= VERSION_PORTS)
        a.handled_net = NET_BIND | NET_CONNECT;
    if (version >= 6)
        a.scoped = SCOPE_ALL;
    /* An older kernel takes the longer struct as long as what it does not know is 0. */
    return (int)syscall(SYS_landlock_create_ruleset, &a, sizeof a, 0);
}

void files_allow(int ruleset, int version, const char *path, unsigned rights)
{
    struct stat st;
    struct path_attr a = {.allowed = rights & rights_of(version)};
    a.parent = open(path, O_PATH | O_CLOEXEC);
    if (a.parent < 0)
        return;
    if (fstat(a.parent, &st) == 0 && !S_ISDIR(st.st_mode))
        a.allowed &= FS_OF_FILES;
    if (a.allowed != 0)
        syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &a, 0);
    close(a.parent);
}

void files_allow_port(int ruleset, int version, uint16_t port)
{
    struct port_attr a = {.allowed = NET_CONNECT, .port = port};
    if (version >= VERSION_PORTS)
        syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &a, 0);
}

int files_enter(int ruleset)
{
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
