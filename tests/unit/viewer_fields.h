/* SPDX-License-Identifier: MIT */
/* viewer_fields.h - does to a request's fields what src/http/translate.c does to those that say who
 * the viewer is. For the unit test and the fuzz target of trust.h. */
#ifndef TESTS_UNIT_VIEWER_FIELDS_H
#define TESTS_UNIT_VIEWER_FIELDS_H

#include "h2mux/http/field_name.h"
#include "src/http/trust.h"

static inline bool viewer_field_is_dropped(const struct field *f, void *user)
{
    return trust_drops(user, f->name, field_rules(f->name));
}

/* Removes what the viewer @v may not say, and adds what oneportd says of it. */
static inline void viewer_fields_rewrite(struct fields *f, const struct viewer *v,
                                         const struct peer *peer, struct slice host)
{
    struct buf list;
    trust_list(f, v, peer, &list);
    fields_remove_if(f, viewer_field_is_dropped, (void *)(uintptr_t)v);
    trust_drop_fields(v, f);
    trust_add_fields(f, v, buf_slice(&list), host);
    buf_release(&list);
}

#endif
