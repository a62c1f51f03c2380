/* SPDX-License-Identifier: MIT */
/* opt_file.c - judges configuration files by a table of options, and takes values from them.
 *
 * A file is judged as a whole before any of its values counts, whatever else says the same option:
 * a fault that hides today would stop the program on another day. */
#include "h2mux/base/opt_int.h"

#include <stdlib.h>

/* A field of any type. */
union any_field {
    bool flag;
    uint64_t number;
    const char *text;
    struct opt_list list;
};

/* Returns the label of an entry's errors, "FILE:LINE: KEY", which the caller frees. */
static char *label_of(const struct conf *conf, const struct conf_entry *e)
{
    return xasprintf("%s:%u: %s", conf->path, e->line, e->key);
}

/* Returns whether the value of @e fits into a field of @row. */
static bool judge_value(const struct opt_program *p, const struct conf *conf,
                        const struct conf_entry *e, const struct opt *row)
{
    union any_field field = {.list = {.count = 0}};
    struct opt probe = *row;
    probe.offset = 0;
    char *label = label_of(conf, e);
    enum opt_result result = row->type == OPT_LIST && e->value[0]
                                 ? opt_set_elements(p, &probe, &field, label, e->value)
                                 : opt_set(p, &probe, &field, label, e->value);
    if (row->type == OPT_LIST)
        free(field.list.copy);
    free(label);
    return result == OPT_RUN;
}

/* Judges where @e stands. */
static enum opt_result judge_place(const struct opt_program *p, const struct conf *conf,
                                   const struct conf_entry *e, const struct opt *row)
{
    const struct conf_entry *first = conf_find(conf, e->section, e->key, NULL);
    if (row->traits & OPT_NO_FILE)
        return opt_refuse(p, "%s:%u: %s has no place in a file", conf->path, e->line, e->key);
    if (e->section[0] && (row->traits & OPT_AT_TOP))
        return opt_refuse(p, "%s:%u: %s is for the whole program: it belongs above the sections",
                          conf->path, e->line, e->key);
    if (first != e && row->type != OPT_LIST)
        return opt_refuse(p, "%s:%u: %s stands in line %u already", conf->path, e->line, e->key,
                          first->line);
    return OPT_RUN;
}

bool opt_judge_conf(const struct opt_program *p, const struct conf *conf,
                    bool (*fits)(const char *section))
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct conf_entry *e = &conf->entries[i];
        const struct opt *row = opt_find_name(p, slice_str(e->key));
        if (e->section[0] && (!fits || !fits(e->section)))
            opt_refuse(p, "%s:%u: unknown section [%s]", conf->path, e->line, e->section);
        else if (!row)
            opt_refuse(p, "%s:%u: unknown option '%s'", conf->path, e->line, e->key);
        else if (judge_place(p, conf, e, row) == OPT_RUN && judge_value(p, conf, e, row))
            continue;
        return false;
    }
    return true;
}

/* Returns the values of all entries of a list, with separators; the caller frees it. */
static char *join_list(const struct opt_layer *l, const struct conf_entry *e, char separator)
{
    char *all = xstrdup(e->value);
    while ((e = conf_find(l->conf, l->section, e->key, e))) {
        char *longer = xasprintf("%s%c%s", all, separator, e->value);
        free(all);
        all = longer;
    }
    return all;
}

static enum opt_result take_entry(struct opt_parse_state *ps, const struct opt_layer *l,
                                  const struct conf_entry *e, const struct opt *row)
{
    char *label = label_of(l->conf, e);
    char *all = row->type == OPT_LIST ? join_list(l, e, opt_separator(row)) : NULL;
    enum opt_result result = all ? opt_set_elements(ps->program, row, ps->into, label, all)
                                 : opt_set(ps->program, row, ps->into, label, e->value);
    const struct opt_list *list = (const void *)((const char *)ps->into + row->offset);
    if (result == OPT_RUN && (!all || list->count > 0))
        ps->ranks[row - ps->program->rows] = ps->rank;
    free(all);
    free(label);
    return result;
}

enum opt_result opt_parse_layers(struct opt_parse_state *ps)
{
    const struct opt *rows = ps->program->rows;
    struct opt_layers layers = {.count = 0};
    if (!ps->program->find_layers(ps->into, &layers))
        return OPT_WRONG;
    for (size_t i = 0; i < layers.count; i++) {
        const struct opt_layer *l = &layers.layer[i];
        ps->rank = (unsigned char)(OPT_RANK_LAYER + layers.count - i);
        for (const struct opt *row = rows; row->name; row++) {
            const struct conf_entry *e = conf_find(l->conf, l->section, row->name, NULL);
            if (!e || ps->ranks[row - rows] != OPT_RANK_NONE || opt_is_beaten(ps, row))
                continue;
            if (take_entry(ps, l, e, row) != OPT_RUN)
                return OPT_WRONG;
        }
    }
    return OPT_RUN;
}
