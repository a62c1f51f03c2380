/* SPDX-License-Identifier: MIT */
/* names_command.c - reads, prints and changes the files of names; see names_command.h. */
#include "src/names_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/map.h"
#include "h2mux/base/opt.h"
#include "src/names/held_name.h"
#include "src/names/label.h"
#include "src/names/reserve.h"
#include "src/names/state.h"
#include "src/names/state_lock.h"
#include "src/worker/config.h"

enum { FILE_MAX = 16 * 1024 * 1024, WAIT_US = 15 * 1000000, LOOK_US = 50 * 1000, REASON_MAX = 512 };

struct options {
    const char *state_dir;
};

static const struct opt rows[] = {
    {.name = "state-dir",
     .type = OPT_TEXT,
     .offset = offsetof(struct options, state_dir),
     .value = "DIR",
     .help = "the server's state directory (default as for oneportd)",
     .wants = "a folder"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "oneportd names",
    .env_prefix = "ONEPORTD_",
    .usage = "oneportd names [--state-dir DIR] list | release NAME",
    .about = "Shows the names that are held and reserved, or releases one to everybody.",
    .rows = rows,
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program.name, what, why);
    return EXIT_FAILURE;
}

/* Takes the rights of the owner of @dir when root runs the command, so that the server, which may
 * be somebody else, can read what is written. Returns false, with errno set, when that fails. */
static bool become_owner(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) < 0)
        return false;
    if (geteuid() != 0 || st.st_uid == 0)
        return true;
    return setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0;
}

/* Takes the first line from @text, without its line feed. */
static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end);
    *text = slice_skip(*text, line.len + (end >= 0));
    return line;
}

/* Reads a file that may be missing. Returns 0, or 1 after a complaint. */
static int read_file(const char *dir, const char *file, struct buf *out)
{
    const char *why;
    int err = state_read(dir, file, out, &why);
    return err == 0 || err == ERR_NOT_FOUND ? EXIT_SUCCESS : complain(file, why);
}

/* ---- list */

static void show(const char *name, const char *state, int64_t until)
{
    char text[CLOCK_ISO_MAX] = "-";
    if (until > 0)
        clock_iso(until, text);
    printf("%-32s %-9s %s\n", name, state, text);
}

/* Shows the names that are held, and notes them in @seen. */
static void show_held(struct slice text, struct map *seen)
{
    while (text.len > 0) {
        struct held_name h;
        if (held_name_parse(take_line(&text), &h) < 0 ||
            (h.until > 0 && h.until <= clock_wall_s()) || map_get(seen, slice_str(h.name)))
            continue;
        map_set(seen, slice_str(h.name), seen);
        show(h.name, h.until == 0 ? "live" : "held", h.until);
    }
}

static void show_reserved(struct slice text, const struct map *seen)
{
    while (text.len > 0) {
        struct reservation v;
        if (reservation_parse(take_line(&text), &v) == 0 && v.until > clock_wall_s() &&
            !map_get(seen, slice_str(v.name)))
            show(v.name, "reserved", v.until);
    }
}

static int list(const char *dir)
{
    struct buf held, reserved;
    struct map seen;
    buf_init(&held, FILE_MAX);
    buf_init(&reserved, FILE_MAX);
    map_init(&seen);
    int status = read_file(dir, STATE_NAMES, &held);
    if (status == EXIT_SUCCESS)
        status = read_file(dir, STATE_RESERVED, &reserved);
    if (status == EXIT_SUCCESS) {
        show_held(buf_slice(&held), &seen);
        show_reserved(buf_slice(&reserved), &seen);
    }
    map_deinit(&seen);
    buf_release(&held);
    buf_release(&reserved);
    return status;
}

/* ---- release */

/* Removes the line of @name from a file. Returns 0, or 1 after a complaint. */
static int strike(const char *dir, const char *file, struct slice name, bool *found)
{
    struct buf before, after;
    const char *why = NULL;
    int err = 0;
    bool here = false;
    buf_init(&before, FILE_MAX);
    buf_init(&after, FILE_MAX);
    int status = read_file(dir, file, &before);
    for (struct slice rest = buf_slice(&before); rest.len > 0;) {
        struct slice line = take_line(&rest);
        bool is_it = slice_starts(line, name) && line.len > name.len && line.ptr[name.len] == ' ';
        here |= is_it;
        if (!is_it && err == 0)
            err = buf_printf(&after, "%.*s\n", SLICE_FMT(line));
    }
    if (status == EXIT_SUCCESS && here && err == 0)
        err = state_write(dir, file, buf_slice(&after), &why);
    *found |= here;
    buf_release(&before);
    buf_release(&after);
    return err < 0 ? complain(file, why ? why : err_text(err)) : status;
}

/* Waits until the file `release` is gone. Returns false when it is still there after WAIT_US. */
static bool wait_done(const char *dir)
{
    const struct timespec pause = {.tv_nsec = LOOK_US * 1000};
    uint64_t until = clock_now_us() + WAIT_US;
    const char *why;
    for (;;) {
        struct buf b;
        buf_init(&b, FILE_MAX);
        int err = state_read(dir, STATE_RELEASE, &b, &why);
        buf_release(&b);
        if (err == ERR_NOT_FOUND)
            return true;
        if (clock_now_us() > until)
            return false;
        nanosleep(&pause, NULL);
    }
}

/* Orders the server that runs to release @name. */
static int order(const char *dir, const char *name)
{
    char text[NAME_MAX_LEN + 2];
    const char *why;
    int len = snprintf(text, sizeof text, "%s\n", name);
    if (!wait_done(dir)) /* an order of somebody else */
        return complain(STATE_RELEASE, "the server does not take orders");
    int err = state_create(dir, STATE_RELEASE, slice_make(text, (size_t)len), &why);
    if (err < 0)
        return complain(STATE_RELEASE, why);
    if (wait_done(dir))
        return EXIT_SUCCESS;
    state_remove(dir, STATE_RELEASE);
    return complain(STATE_RELEASE, "the server does not take orders");
}

static int release(const char *dir, const char *name)
{
    char reason[REASON_MAX];
    bool found = false;
    int fd;
    if (!label_valid(slice_str(name)))
        return complain(name, "is no name of a tunnel");
    int err = state_lock_take(dir, &fd, reason, sizeof reason);
    if (err == ERR_TAKEN)
        return order(dir, name);
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", program.name, reason);
        return EXIT_FAILURE;
    }
    int status = strike(dir, STATE_RESERVED, slice_str(name), &found);
    if (status == EXIT_SUCCESS)
        status = strike(dir, STATE_NAMES, slice_str(name), &found);
    state_lock_give(fd);
    if (status == EXIT_SUCCESS && !found)
        return complain(name, "is neither held nor reserved");
    return status;
}

/* ---- the command */

static int run(const char *dir, const char *const *operands, size_t n)
{
    const char *verb = n > 0 ? operands[0] : "";
    if (!become_owner(dir))
        return complain(dir, strerrordesc_np(errno));
    if (n == 1 && strcmp(verb, "list") == 0)
        return list(dir);
    if (n == 2 && strcmp(verb, "release") == 0)
        return release(dir, operands[1]);
    fprintf(stderr, "usage: %s\n", program.usage);
    return EXIT_FAILURE;
}

int names_command_run(int argc, char **argv)
{
    struct options o = {NULL};
    const char *operands[2];
    size_t n = 0;
    switch (opt_parse(&program, argc, argv, &o, operands, 2, &n)) {
    case OPT_SHOWN:
        return EXIT_SUCCESS;
    case OPT_WRONG:
        return EXIT_FAILURE;
    case OPT_RUN:
        break;
    }
    char *dir = o.state_dir ? xstrdup(o.state_dir) : config_default_state_dir();
    int status = dir ? run(dir, operands, n) : complain("--state-dir", "is required without HOME");
    free(dir);
    return status;
}
