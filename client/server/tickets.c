/* SPDX-License-Identifier: MIT */
/* tickets.c - see tickets.h. */
#include "client/server/tickets.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/log.h"

char *tickets_default_path(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state && state[0] == '/')
        return xasprintf("%s/oneport/tickets.json", state);
    if (home && home[0] == '/')
        return xasprintf("%s/.local/state/oneport/tickets.json", home);
    return NULL;
}

/* Closes the file to others, and says so in the log: they may have read it before. */
static void close_to_others(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0 && fchmod(fd, 0600) == 0)
        LOG(WARN, "ticket_file_was_open", LOG_STR("path", path), LOG_STR("now", "0600"));
}

/* Returns whether the file holds nothing: no byte, or only such as a crash of the machine leaves.
 */
static bool is_empty(struct slice text)
{
    size_t n = 0;
    while (n < text.len && (text.ptr[n] == '\0' || strchr(" \t\r\n", text.ptr[n])))
        n++;
    return n == text.len;
}

/* Sets @out to the whole file as an object, which is empty when the file is, or does not exist.
 * After a failure @why is static text. */
static int load(const char *path, cJSON **out, const char **why)
{
    struct buf text;
    int fd = file_open_own(AT_FDCWD, path, O_RDONLY, why);
    *out = fd == ERR_NOT_FOUND ? cJSON_CreateObject() : NULL;
    if (fd < 0)
        return *out ? 0 : fd;
    close_to_others(fd, path);
    buf_init(&text, TICKETS_FILE_MAX);
    int err = file_read_all(fd, &text);
    close(fd);
    if (err == 0) {
        *out = is_empty(buf_slice(&text))
                   ? cJSON_CreateObject()
                   : cJSON_ParseWithLength(buf_slice(&text).ptr, buf_len(&text));
        err = cJSON_IsObject(*out) ? 0 : ERR_SYNTAX;
    }
    buf_release(&text);
    *why = err_text(err);
    if (err < 0) {
        cJSON_Delete(*out);
        *out = NULL;
    }
    return err;
}

char *tickets_get(const char *path, const char *server, const char *name)
{
    cJSON *all;
    const char *why;
    if (load(path, &all, &why) < 0) {
        LOG(WARN, "ticket_file_not_usable", LOG_STR("path", path), LOG_STR("reason", why));
        return NULL;
    }
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(all, server);
    const char *ticket = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(names, name));
    char *copy = ticket ? xstrdup(ticket) : NULL;
    cJSON_Delete(all);
    return copy;
}

static int save(const char *path, const cJSON *all)
{
    char *text = cJSON_Print(all);
    char *temporary = xasprintf("%s.new", path); /* nobody else writes: the lock is held */
    int err = text ? file_replace(path, temporary, slice_str(text)) : ERR_LIMIT;
    free(temporary);
    cJSON_free(text);
    return err;
}

static void change(cJSON *all, const char *server, const char *name, const char *ticket)
{
    cJSON *names = cJSON_GetObjectItemCaseSensitive(all, server);
    if (!cJSON_IsObject(names)) {
        cJSON_DeleteItemFromObjectCaseSensitive(all, server);
        names = cJSON_AddObjectToObject(all, server);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(names, name);
    if (ticket)
        cJSON_AddStringToObject(names, name, ticket);
    if (!names->child)
        cJSON_DeleteItemFromObjectCaseSensitive(all, server);
}

static int put_locked(const char *path, const char *server, const char *name, const char *ticket)
{
    cJSON *all;
    const char *why;
    int err = load(path, &all, &why);
    if (err < 0)
        return err;
    change(all, server, name, ticket);
    err = save(path, all);
    cJSON_Delete(all);
    return err;
}

/* Opens the file beside @path whose name has @suffix too, and makes it if it is missing. Returns
 * the descriptor, or a negative number. */
static int open_beside(const char *path, const char *suffix)
{
    if (file_make_directories(path) < 0)
        return ERR_IO;
    char *name = xasprintf("%s%s", path, suffix);
    int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    free(name);
    return fd;
}

int tickets_put(const char *path, const char *server, const char *name, const char *ticket)
{
    int lock = open_beside(path, ".lock");
    if (lock < 0)
        return ERR_IO;
    int err = flock(lock, LOCK_EX) < 0 ? ERR_IO : put_locked(path, server, name, ticket);
    close(lock);
    return err;
}

/* Returns the place of @server and @key in the file of locks. Two of them at one place cost a
 * process its old name, and nothing else. */
static off_t place_of(const char *server, const char *key)
{
    uint64_t hash = slice_hash(SLICE_HASH_START, slice_str(server));
    hash = slice_hash(hash, SLICE("\n"));
    return (off_t)(slice_hash(hash, slice_str(key)) >> 2);
}

int tickets_hold(const char *path, const char *server, const char *key)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(server, key), .l_len = 1};
    int fd = open_beside(path, ".held");
    if (fd < 0)
        return ERR_IO;
    if (fcntl(fd, F_OFD_SETLK, &range) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return error == EAGAIN || error == EACCES ? ERR_TAKEN : ERR_IO;
}
