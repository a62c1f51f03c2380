/* SPDX-License-Identifier: MIT */
/* sandbox.c - collects what is allowed, and enters; see sandbox.h. */
#include "h2mux/io/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/io/sandbox_int.h"

#ifdef NO_SANDBOX
enum { IN_BUILD = 0 };
#else
enum { IN_BUILD = 1 };
#endif

enum { LINKS_MAX = 40 /* of one path, as for the kernel */ };

struct sandbox {
    int version; /* of Landlock; 0: the kernel has none */
    int ruleset; /* owned; -1: none */
    bool sockets, code;
};

/* ---- the mode */

int sandbox_mode_parse(const char *text, enum sandbox_mode *out)
{
    static const char *const names[] = {"auto", "on", "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum sandbox_mode)i;
            return 0;
        }
    return ERR_SYNTAX;
}

int sandbox_mode_check(const char *text)
{
    enum sandbox_mode mode;
    return sandbox_mode_parse(text, &mode);
}

void sandbox_harden(enum sandbox_mode mode)
{
    if (!IN_BUILD || mode == SANDBOX_OFF)
        return;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Returns what the kernel or the build lacks of what @s needs, or NULL. */
static const char *missing_part(const struct sandbox *s)
{
    if (!IN_BUILD)
        return "this build has no sandbox";
    if (!calls_possible())
        return "the kernel has no seccomp filters";
    if (s->version < VERSION_FILES)
        return "the kernel has no Landlock (Linux 5.13, and lsm=landlock)";
    if (s->sockets && s->version < VERSION_PORTS)
        return "the kernel's Landlock knows no TCP ports (Linux 6.7)";
    return NULL;
}

int sandbox_possible(const struct sandbox *s, enum sandbox_mode mode,
                     char reason[static SANDBOX_REASON_MAX])
{
    const char *missing = mode == SANDBOX_ON ? missing_part(s) : NULL;
    if (!missing)
        return 0;
    snprintf(reason, SANDBOX_REASON_MAX, "%s", missing);
    return ERR_DENIED;
}

/* ---- what is allowed */

struct sandbox *sandbox_new(void)
{
    struct sandbox *s = xcalloc(1, sizeof *s);
    s->version = IN_BUILD ? files_version() : 0;
    s->ruleset = s->version > 0 ? files_new(s->version) : -1;
    return s;
}

void sandbox_free(struct sandbox *s)
{
    if (s && s->ruleset >= 0)
        close(s->ruleset);
    free(s);
}

static void allow(struct sandbox *s, const char *path, unsigned rights)
{
    if (s->ruleset >= 0)
        files_allow(s->ruleset, s->version, path, rights);
}

void sandbox_allow_read(struct sandbox *s, const char *path)
{
    allow(s, path, FILES_READ);
}

/* For a folder that is missing, takes the one above it that is there. */
void sandbox_allow_write(struct sandbox *s, const char *folder)
{
    unsigned rights = FILES_WRITE;
    char *at = xstrdup(folder);
    while (access(at, F_OK) < 0 && errno == ENOENT) {
        char *slash = strrchr(at, '/');
        if (!slash || slash == at)
            break;
        *slash = '\0';
        rights |= FILES_MAKE_FOLDER;
    }
    allow(s, at, rights);
    free(at);
}

/* Returns the folder of @path, which the caller frees; NULL: it is the root folder. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? NULL : slice_dup(slice_make(path, (size_t)(slash - path)));
}

/* Returns what the symbolic link @path points to, as a path that the caller frees; NULL: it is no
 * link. */
static char *target_of(const char *path)
{
    char text[PATH_MAX];
    ssize_t len = readlink(path, text, sizeof text - 1);
    if (len <= 0)
        return NULL;
    text[len] = '\0';
    char *folder = text[0] == '/' ? NULL : folder_of(path);
    char *target = folder ? xasprintf("%s/%s", folder, text) : xasprintf("%s", text);
    free(folder);
    return target;
}

/* Returns whether a right in @folder would be a right on all that there is, or on devices. */
static bool is_too_much(const char *folder)
{
    return !folder || strcmp(folder, "/dev") == 0 || strncmp(folder, "/proc/", 6) == 0;
}

/* Allows @rights in the folder of @path, and in those of what its links point to; in the root
 * folder and the like, on the file alone. Does the same for a folder that is itself a link. */
static void allow_around(struct sandbox *s, const char *path, unsigned rights)
{
    char *at = xstrdup(path);
    for (int links = 0; at && links < LINKS_MAX; links++) {
        char *folder = folder_of(at), *target = target_of(at);
        char *moved = folder ? target_of(folder) : NULL;
        char *outside = moved ? folder_of(folder) : NULL;
        allow(s, is_too_much(folder) ? at : folder, rights);
        if (outside) /* /etc/cert/now/s.pem, where `now` is made to point to another folder */
            allow(s, outside, rights);
        free(outside);
        free(moved);
        free(folder);
        free(at);
        at = target;
    }
    free(at);
}

void sandbox_allow_append(struct sandbox *s, const char *path)
{
    allow_around(s, path, FILES_APPEND);
}

void sandbox_allow_replace(struct sandbox *s, const char *path)
{
    char *folder = folder_of(path);
    sandbox_allow_write(s, is_too_much(folder) ? path : folder);
    free(folder);
}

void sandbox_allow_remove(struct sandbox *s, const char *path)
{
    char *folder = folder_of(path);
    allow(s, folder ? folder : "/", FILES_REMOVE);
    free(folder);
}

void sandbox_allow_renewed(struct sandbox *s, const char *path)
{
    allow_around(s, path, FILES_READ);
}

void sandbox_allow_port(struct sandbox *s, uint16_t port)
{
    s->sockets = true;
    if (s->ruleset >= 0)
        files_allow_port(s->ruleset, s->version, port);
}

void sandbox_allow_names(struct sandbox *s)
{
    static const char *const read[] = {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve"};
    static const char *const renewed[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        sandbox_allow_read(s, read[i]);
    for (size_t i = 0; i < sizeof renewed / sizeof *renewed; i++)
        sandbox_allow_renewed(s, renewed[i]);
    sandbox_allow_port(s, 53);
    s->code = true;
}

/* ---- entering */

/* Takes the capabilities of root from the calling thread, but those of files, which Landlock
 * bounds. With others it could look into processes that Landlock hides from it. */
static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    const uint32_t kept = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER;
    if (syscall(SYS_capget, &header, data) < 0)
        return;
    data[0] =
        (struct __user_cap_data_struct){data[0].effective & kept, data[0].permitted & kept, 0};
    data[1] = (struct __user_cap_data_struct){0, 0, 0};
    (void)!syscall(SYS_capset, &header, data);
}

/* What libc reads by itself: its own use of memory, the number of cores, random bytes. The folder
 * /proc stands for the files of the process there, which the kernel makes anew at will; of other
 * processes Landlock hides memory and environment. */
static void allow_libc(struct sandbox *s)
{
    sandbox_allow_read(s, "/proc");
    sandbox_allow_read(s, "/sys/fs/cgroup");
    sandbox_allow_read(s, "/sys/devices/system/cpu");
    sandbox_allow_read(s, "/dev/urandom");
    allow(s, "/dev/null", FILES_READ | FILES_APPEND);
}

static void tell(bool files, bool ports, bool calls, const char *missing)
{
    if (files && ports && calls)
        LOG(INFO, "sandbox", LOG_B("files", files), LOG_B("ports", ports), LOG_B("calls", calls));
    else if (!IN_BUILD)
        LOG(INFO, "sandbox_off", LOG_STR("reason", missing));
    else
        LOG(WARN, "sandbox", LOG_B("files", files), LOG_B("ports", ports), LOG_B("calls", calls),
            LOG_STR("missing", missing));
}

int sandbox_enter(struct sandbox *s, enum sandbox_mode mode, char reason[static SANDBOX_REASON_MAX])
{
    const char *missing = missing_part(s);
    if (mode == SANDBOX_OFF)
        return 0;
    sandbox_harden(mode);
    if (IN_BUILD)
        drop_capabilities();
    allow_libc(s);
    bool files = s->ruleset >= 0 && files_enter(s->ruleset) == 0;
    int err = IN_BUILD ? calls_enter(s->sockets, s->code) : ENOSYS;
    bool ports = (files && s->version >= VERSION_PORTS) || (err == 0 && !s->sockets);
    if (!missing && !files)
        missing = "Landlock refused";
    if (!missing && err != 0)
        missing = strerrordesc_np(err);
    tell(files, ports, err == 0, missing);
    if (mode != SANDBOX_ON || !missing)
        return 0;
    snprintf(reason, SANDBOX_REASON_MAX, "%s", missing);
    return ERR_DENIED;
}

void sandbox_enter_thread(const struct sandbox *s)
{
    if (IN_BUILD)
        drop_capabilities();
    if (s->ruleset >= 0 && files_enter(s->ruleset) < 0)
        LOG(WARN, "sandbox_thread", LOG_STR("reason", strerrordesc_np(errno)));
}
