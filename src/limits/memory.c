/* SPDX-License-Identifier: MIT */
/* memory.c - reads the limits of memory from /proc and /sys; see memory.h. A file that is missing,
 * or that has no number, sets no limit. */
#include "src/limits/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "h2mux/base/slice.h"

enum { PATH_ROOM = 4096 };

#define MOST_BUDGET (UINT64_C(512) << 20)
#define LEAST_BUDGET (UINT64_C(1) << 20)

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Returns the number that is the first line of the file @path, or UINT64_MAX. */
static uint64_t read_number(const char *path)
{
    char line[32];
    uint64_t number = UINT64_MAX;
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    if (!fgets(line, sizeof line, f) ||
        slice_to_u64(slice_trim(slice_make(line, strcspn(line, "\n"))), UINT64_MAX, &number) < 0)
        number = UINT64_MAX;
    fclose(f);
    return number;
}

/* Returns the least number in the files @file of the group @group and of the groups above it, whose
 * folders are below @mount. Shortens @group to nothing. */
static uint64_t least_above(const char *root, const char *mount, char *group, const char *file)
{
    char path[PATH_ROOM];
    uint64_t least = UINT64_MAX;
    for (char *slash = group + strlen(group); slash; slash = strrchr(group, '/')) {
        *slash = '\0';
        int len = snprintf(path, sizeof path, "%s%s%s/%s", root, mount, group, file);
        if (len > 0 && (size_t)len < sizeof path)
            least = lesser(least, read_number(path));
    }
    return least;
}

/* Returns the limit by the line @line of /proc/self/cgroup: `ID:CONTROLLERS:/GROUP`. */
static uint64_t limit_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *group++ = '\0';
    struct slice list = slice_str(controllers + 1);
    if (list.len == 0)
        return least_above(root, "/sys/fs/cgroup", group, "memory.max");
    for (struct slice one; slice_next_token(&list, &one);)
        if (slice_eq(one, SLICE("memory")))
            return least_above(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    return UINT64_MAX;
}

static uint64_t limit_of_groups(const char *root)
{
    char path[PATH_ROOM], line[PATH_ROOM];
    uint64_t least = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (!f)
        return UINT64_MAX;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        least = lesser(least, limit_of_line(root, line));
    }
    fclose(f);
    return least;
}

/* Reads how many bytes of the process are mapped, and how many of them are in memory. */
static void read_use(const char *root, uint64_t *mapped, uint64_t *resident)
{
    char path[PATH_ROOM], line[PATH_ROOM], *end = line;
    uint64_t all = 0, some = 0;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    snprintf(path, sizeof path, "%s/proc/self/statm", root);
    FILE *f = fopen(path, "re");
    if (f && fgets(line, sizeof line, f)) {
        all = strtoull(line, &end, 10);
        some = strtoull(end, NULL, 10);
    }
    if (f)
        fclose(f);
    *mapped = all * page;
    *resident = some * page;
}

/* Returns the limit of addresses less @mapped, or UINT64_MAX. */
static uint64_t limit_of_addresses(uint64_t mapped)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) < 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return r.rlim_cur > mapped ? r.rlim_cur - mapped : 0;
}

uint64_t memory_mapped(const char *root)
{
    uint64_t mapped, resident;
    read_use(root, &mapped, &resident);
    return mapped;
}

uint64_t memory_limit(const char *root)
{
    return lesser(limit_of_groups(root), limit_of_addresses(memory_mapped(root)));
}

uint64_t memory_default_budget(void)
{
    uint64_t half = memory_limit("") / 2;
    return half < LEAST_BUDGET ? LEAST_BUDGET : lesser(half, MOST_BUDGET);
}

static bool is_fuller(const struct fill *a, const struct fill *b)
{
    return (double)a->used * (double)b->limit > (double)b->used * (double)a->limit;
}

struct fill memory_use(const char *root, uint64_t base)
{
    uint64_t mapped, resident;
    read_use(root, &mapped, &resident);
    struct fill group = {resident, limit_of_groups(root)};
    struct fill addresses = {mapped > base ? mapped - base : 0, limit_of_addresses(base)};
    if (addresses.limit == 0) /* the limit was lowered below what the process had at its start */
        addresses = (struct fill){1, 1};
    return is_fuller(&addresses, &group) ? addresses : group;
}

bool memory_is_short(bool was_short, const struct fill *use)
{
    return was_short ? use->used >= use->limit / 4 * 3 : use->used >= use->limit / 20 * 17;
}
