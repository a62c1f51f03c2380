/* SPDX-License-Identifier: MIT */
/* config_commands.c - the options of `oneport start` and `oneport login`; see config.h. */
#include "client/config_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- login */

enum opt_result config_load_login(int argc, char **argv, struct config *c)
{
    struct opt_program login = config_program;
    const char *host = NULL;
    size_t n_operands = 0;
    login.name = "oneport login";
    login.usage = "oneport login [OPTIONS] HOST";
    login.about = "Asks whether HOST is an oneportd, and remembers it in your configuration file; "
                  "then `oneport PORT` is enough.";
    login.beats = "host";
    login.epilogue = "Exit codes: 0 remembered, 1 usage, 2 HOST is no oneportd, 3 its certificate "
                     "was refused, 4 it cannot be reached.";
    *c = (struct config){.makes_file = true};
    enum opt_result result = opt_parse(&login, argc, argv, c, &host, 1, &n_operands);
    if (result != OPT_RUN)
        return result;
    if (!host)
        return REFUSE("login needs the name of a server: oneport login HOST\n");
    c->remote.host = host;
    result = config_judge_proxy(c);
    config_hide_secrets(argc, argv, c);
    return result == OPT_RUN ? config_judge_server(c) : result;
}

/* ---- start */

/* The names of tunnels, borrowed from the command line or the files. */
struct names {
    const char *name[CONFIG_TUNNELS_MAX];
    size_t count;
};

static struct opt_program start_program(void)
{
    struct opt_program start = config_program;
    start.name = "oneport start";
    start.usage = "oneport start [OPTIONS] TUNNEL... | --all";
    start.about = "Shares the services of the sections [tunnel TUNNEL] of the configuration files, "
                  "or those of all sections. Options are for each of them.";
    start.beats = NULL;
    return start;
}

static bool has_name(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->name[i], name) == 0)
            return true;
    return false;
}

/* Adds the tunnels of the files of @c. Returns false if there are too many. */
static bool take_all(const struct config *c, struct names *n)
{
    for (size_t f = 0; f < 2 && c->files[f]; f++) {
        for (size_t i = 0; i < c->files[f]->count; i++) {
            const char *name = config_tunnel_of(c->files[f]->entries[i].section);
            if (!name || has_name(n, name))
                continue;
            if (n->count == CONFIG_TUNNELS_MAX)
                return false;
            n->name[n->count++] = name;
        }
    }
    return true;
}

/* Prints which tunnels there are, and the end of the line. */
static enum opt_result say_known(const struct names *known)
{
    fprintf(stderr, "; the files have");
    for (size_t i = 0; i < known->count; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", known->name[i]);
    fprintf(stderr, "%s\n", known->count > 0 ? "" : " no section [tunnel NAME]");
    return OPT_WRONG;
}

static enum opt_result refuse_nameless(const struct names *known)
{
    fprintf(stderr, "oneport: start needs the names of tunnels, or --all");
    return say_known(known);
}

static enum opt_result refuse_unknown(const char *name, const struct names *known)
{
    fprintf(stderr, "oneport: no file has options in a section [tunnel %s]", name);
    return say_known(known);
}

/* Sets @out to the tunnels that are meant. */
static enum opt_result choose(const struct config *c, bool all, const struct names *named,
                              struct names *out)
{
    struct names known = {.count = 0};
    if (!take_all(c, &known))
        return REFUSE("the files have more than %d tunnels\n", CONFIG_TUNNELS_MAX);
    if (all && named->count > 0)
        return REFUSE("start: give names or --all, not both\n");
    *out = all ? known : *named;
    if (out->count == 0)
        return refuse_nameless(&known);
    for (size_t i = 0; i < named->count; i++)
        if (!has_name(&known, named->name[i]))
            return refuse_unknown(named->name[i], &known);
    return OPT_RUN;
}

/* Loads the options of one tunnel. */
static enum opt_result load_one(int argc, char **argv, const char *name, struct config *c)
{
    struct opt_program start = start_program();
    const char *ignored[CONFIG_TUNNELS_MAX];
    size_t n;
    *c = (struct config){.section = xasprintf("tunnel %s", name)};
    enum opt_result result = opt_parse(&start, argc, argv, c, ignored, CONFIG_TUNNELS_MAX, &n);
    if (result == OPT_RUN)
        result = config_judge(c, NULL);
    if (result != OPT_RUN)
        fprintf(stderr, "oneport: this is about the tunnel %s\n", name);
    c->tunnel = config_tunnel_of(c->section);
    return result;
}

/* Refuses two tunnels that ask one server for one name: the second would throw the first out. */
static enum opt_result judge_names(const struct config_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct config *a = &set->each[k], *b = &set->each[i];
            bool one_server = strcmp(a->server.authority, b->server.authority) == 0;
            if (strcmp(a->tunnel, b->tunnel) == 0)
                return REFUSE("start: %s is named twice\n", a->tunnel);
            if (one_server && a->remote.name && b->remote.name &&
                slice_ieq(slice_str(a->remote.name), slice_str(b->remote.name)))
                return REFUSE("the tunnels %s and %s ask for the same name, %s\n", a->tunnel,
                              b->tunnel, b->remote.name);
        }
    }
    return OPT_RUN;
}

static enum opt_result load_each(int argc, char **argv, const struct names *names,
                                 struct config_set *out)
{
    enum opt_result result = OPT_RUN;
    out->each = xcalloc(names->count, sizeof *out->each);
    while (out->count < names->count && result == OPT_RUN) {
        result = load_one(argc, argv, names->name[out->count], &out->each[out->count]);
        out->count++;
    }
    return result == OPT_RUN ? judge_names(out) : result;
}

/* Takes the words "--all" off @argv. Returns whether there was one. */
static bool take_off_all(int *argc, char **argv)
{
    bool all = false;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            all = true;
        else
            argv[kept++] = argv[i];
    }
    *argc = kept;
    return all;
}

enum opt_result config_load_start(int argc, char **argv, struct config_set *out)
{
    struct opt_program start = start_program();
    struct config first = {.makes_file = false};
    struct names named = {.count = 0}, chosen = {.count = 0};
    *out = (struct config_set){.count = 0};
    bool all = take_off_all(&argc, argv);
    enum opt_result result =
        opt_parse(&start, argc, argv, &first, named.name, CONFIG_TUNNELS_MAX, &named.count);
    if (result == OPT_RUN)
        result = choose(&first, all, &named, &chosen);
    if (result == OPT_RUN)
        result = load_each(argc, argv, &chosen, out);
    for (size_t i = 0; i < out->count; i++)
        out->each[i].remote.proxy = NULL; /* what it points to is overwritten next */
    for (size_t i = 0; i < out->count; i++)
        out->each[i].policy.auth.count = 0; /* likewise */
    config_hide_secrets(argc, argv, &first);
    config_deinit(&first);
    return result;
}

void config_print_tunnels(void)
{
    struct opt_program start = start_program();
    struct config c = {.makes_file = false};
    struct names all = {.count = 0};
    char *argv[] = {NULL};
    if (opt_parse(&start, 0, argv, &c, NULL, 0, NULL) == OPT_RUN && take_all(&c, &all))
        for (size_t i = 0; i < all.count; i++)
            puts(all.name[i]);
    config_deinit(&c);
}

void config_set_deinit(struct config_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        config_deinit(&set->each[i]);
    free(set->each);
    *set = (struct config_set){.count = 0};
}
