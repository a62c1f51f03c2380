/* SPDX-License-Identifier: MIT */
/* account.c - looks users up, tries files as a user, and changes the user; see account.h. */
#include "src/account.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/names/state.h"
#include "src/worker/certificate_files.h"

/* ---- who */

static void set_groups(struct account *a)
{
    a->n_groups = 0;
    getgrouplist(a->name, a->gid, NULL, &a->n_groups); /* asks how many there are */
    a->groups = xcalloc((size_t)a->n_groups + 1, sizeof *a->groups);
    if (a->n_groups > 0 && getgrouplist(a->name, a->gid, a->groups, &a->n_groups) >= 0)
        return;
    a->groups[0] = a->gid; /* the list has grown meanwhile, or cannot be had */
    a->n_groups = 1;
}

static void set_user(struct account *a, const struct passwd *p)
{
    snprintf(a->name, sizeof a->name, "%s", p->pw_name);
    a->uid = p->pw_uid;
    a->gid = p->pw_gid;
    set_groups(a);
}

/* Takes the owner of the state directory, which may have no name. */
static void set_owner(struct account *a, const struct stat *st)
{
    const struct passwd *p = getpwuid(st->st_uid);
    if (p) {
        set_user(a, p);
        return;
    }
    snprintf(a->name, sizeof a->name, "%u", (unsigned)st->st_uid);
    a->uid = st->st_uid;
    a->gid = st->st_gid;
    a->groups = xcalloc(1, sizeof *a->groups);
    a->groups[0] = a->gid;
    a->n_groups = 1;
}

static int choose_named(struct account *a, const char *name, char reason[static ACCOUNT_REASON_MAX])
{
    const struct passwd *p = getpwnam(name);
    if (!p) {
        snprintf(reason, ACCOUNT_REASON_MAX, "there is no user %s", name);
        return ERR_NOT_FOUND;
    }
    set_user(a, p);
    a->changes = geteuid() == 0 && a->uid != 0;
    if (a->changes || a->uid == geteuid())
        return 0;
    snprintf(reason, ACCOUNT_REASON_MAX,
             "only root can become %s: start oneportd as root, or as %s", name, name);
    return ERR_DENIED;
}

int account_choose(struct account *a, const struct config *c,
                   char reason[static ACCOUNT_REASON_MAX])
{
    struct stat st;
    *a = (struct account){.uid = geteuid(), .gid = getegid()};
    if (c->user)
        return choose_named(a, c->user, reason);
    if (geteuid() != 0)
        return 0;
    if (stat(c->names.state_dir, &st) == 0 && st.st_uid != 0) {
        set_owner(a, &st);
        a->changes = true;
        return 0;
    }
    LOG(WARN, "stays_root", LOG_STR("want", "--user NAME, or a --state-dir that NAME owns"));
    return 0;
}

void account_deinit(struct account *a)
{
    free(a->groups);
    a->groups = NULL;
}

/* ---- what closes a file to a user */

static bool has_group(const struct account *a, gid_t group)
{
    for (int i = 0; i < a->n_groups; i++)
        if (a->groups[i] == group)
            return true;
    return false;
}

/* Returns whether the mode lets the user @a do @need, of the bits of others (04, 02, 01). */
static bool lets_in(const struct account *a, const struct stat *st, mode_t need)
{
    mode_t bits = st->st_mode & 07;
    if (st->st_uid == a->uid)
        bits = st->st_mode >> 6 & 07;
    else if (has_group(a, st->st_gid))
        bits = st->st_mode >> 3 & 07;
    return (bits & need) == need;
}

/* Says in @reason which group opens @path, to which the user @a has no way. */
static void name_group(const struct account *a, const char *path, const struct stat *st,
                       mode_t need, const char *what, char reason[static ACCOUNT_REASON_MAX])
{
    const struct group *g = getgrgid(st->st_gid);
    if (g && st->st_gid != 0 && (st->st_mode >> 3 & need) == need)
        snprintf(reason, ACCOUNT_REASON_MAX,
                 "%s cannot %s: the group %s may pass %s, so add %s to it (adduser %s %s)", a->name,
                 what, g->gr_name, path, a->name, a->name, g->gr_name);
    else
        snprintf(
            reason, ACCOUNT_REASON_MAX,
            "%s cannot %s: %s is open to no group of %s: give it one that %s is in (chgrp) and "
            "open it to that group (chmod g+%s)",
            a->name, what, path, a->name, a->name,
            need == 01   ? "x"
            : need == 04 ? "r"
                         : "rw");
}

/* Looks for what closes @path to the user: a directory on the way, or the file. Returns whether
 * something was found, and says in @reason what would help. */
static bool find_closed(const struct account *a, const char *path, mode_t need, const char *what,
                        char reason[static ACCOUNT_REASON_MAX])
{
    char *copy = xstrdup(path);
    bool found = false;
    for (char *at = copy + 1; !found && at[-1] != '\0'; at++) {
        struct stat st;
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        mode_t wanted = c == '\0' ? need : 01;
        found = stat(copy, &st) == 0 && !lets_in(a, &st, wanted);
        if (found)
            name_group(a, copy, &st, wanted, what, reason);
        *at = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return found;
}

/* ---- trying */

/* Holds the effective user of the process, which is the account's between begin and end. */
static int begin_trying(const struct account *a)
{
    return setgroups((size_t)a->n_groups, a->groups) == 0 && setegid(a->gid) == 0 &&
                   seteuid(a->uid) == 0
               ? 0
               : ERR_IO;
}

static int end_trying(void)
{
    return seteuid(0) == 0 && setegid(0) == 0 ? 0 : ERR_IO;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : slice_dup(slice_make(path, (size_t)(slash - path)));
}

/* Tries whether the effective user may do @mode (R_OK, W_OK) with @path, or may make it. */
static bool may(const char *path, int mode)
{
    if (eaccess(path, mode) == 0)
        return true;
    if (errno != ENOENT || mode != W_OK)
        return false;
    char *folder = folder_of(path);
    bool can = eaccess(folder, W_OK | X_OK) == 0;
    free(folder);
    return can;
}

/* Says in @reason why @path is closed to the user, of whom the process has the rights no more. */
static void explain(const struct account *a, const char *path, int mode,
                    char reason[static ACCOUNT_REASON_MAX])
{
    bool reads = mode == R_OK, makes = !reads && access(path, F_OK) < 0;
    char *folder = makes ? folder_of(path) : xstrdup(path);
    char *real = realpath(folder, NULL);
    mode_t need = reads ? 04 : makes ? 03 : 02;
    char *what = xasprintf("%s %s", reads ? "read" : makes ? "make" : "write", path);
    if (!find_closed(a, folder, need, what, reason) &&
        !(real && find_closed(a, real, need, what, reason)))
        snprintf(reason, ACCOUNT_REASON_MAX, "%s cannot %s", a->name, what);
    free(what);
    free(real);
    free(folder);
}

/* Returns the first file of certificates that is closed to the effective user; NULL: there is none.
 */
static const char *closed_certificate(const struct certificate_files *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (!may(f->pair[i].cert_file, R_OK))
            return f->pair[i].cert_file;
        if (!may(f->pair[i].key_file, R_OK))
            return f->pair[i].key_file;
    }
    return NULL;
}

/* Returns the first file that a reload needs and that is closed to the effective user, and sets how
 * it is needed in @mode; NULL: there is none. */
static const char *closed_file(const struct config *c, const struct certificate_files *f, int *mode)
{
    bool log_is_file = strcmp(c->log.access, "-") != 0 && strcmp(c->log.access, "off") != 0;
    *mode = R_OK;
    if (c->conf && !may(c->conf->path, R_OK))
        return c->conf->path;
    if (c->urls.acme_dir && !may(c->urls.acme_dir, R_OK))
        return c->urls.acme_dir;
    if (c->listen.cert_dir && !may(c->listen.cert_dir, R_OK))
        return c->listen.cert_dir;
    if (c->names.tokens && !may(c->names.tokens, R_OK))
        return c->names.tokens;
    if (c->names.policies && !may(c->names.policies, R_OK))
        return c->names.policies;
    const char *closed = closed_certificate(f);
    if (closed)
        return closed;
    *mode = W_OK;
    return log_is_file && !may(c->log.access, W_OK) ? c->log.access : NULL;
}

/* Lists the certificates as the process that has read them, before the user is tried. */
static int try_files(const struct account *a, const struct config *c,
                     char reason[static ACCOUNT_REASON_MAX])
{
    struct certificate_files f;
    char why[TLS_REASON_MAX];
    int mode = 0, err = certificate_files_list(&f, c, why);
    if (err < 0) {
        snprintf(reason, ACCOUNT_REASON_MAX, "%s", why);
        return err;
    }
    err = begin_trying(a);
    const char *closed = err == 0 ? closed_file(c, &f, &mode) : NULL;
    int ended = end_trying();
    if (closed && ended == 0)
        explain(a, closed, mode, reason);
    certificate_files_free(&f);
    if (err < 0)
        return err;
    return closed ? ERR_DENIED : ended;
}

/* ---- becoming */

static int become(const struct account *a)
{
    if (setgroups((size_t)a->n_groups, a->groups) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
        setresuid(a->uid, a->uid, a->uid) < 0)
        return ERR_IO;
    if (setuid(0) == 0 || geteuid() != a->uid) { /* there must be no way back */
        errno = EPERM;
        return ERR_IO;
    }
    return 0;
}

int account_become(const struct account *a, const struct config *c,
                   char reason[static ACCOUNT_REASON_MAX])
{
    const char *why = NULL;
    if (!a->changes)
        return 0;
    snprintf(reason, ACCOUNT_REASON_MAX, "cannot become %s", a->name);
    int err = try_files(a, c, reason);
    if (err < 0)
        return err;
    err = state_give(c->names.state_dir, a->uid, a->gid, &why);
    if (err < 0)
        snprintf(reason, ACCOUNT_REASON_MAX, "%s: %s", c->names.state_dir, why);
    else
        err = become(a);
    if (err == 0)
        LOG(INFO, "serves_as", LOG_STR("user", a->name));
    return err;
}
