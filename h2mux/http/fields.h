/* SPDX-License-Identifier: MIT */
/* fields.h - an HTTP field section: names and values as slices, in order, repeated ones apart. RFC
 * 9110 5. */
#ifndef H2MUX_HTTP_FIELDS_H
#define H2MUX_HTTP_FIELDS_H

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"

struct field {
    struct slice name, value; /* borrowed, or in the section's arena */
};

struct arena_block;

/* Fields added by fields_add borrow their bytes; fields_add_copy puts them into the arena, which
 * lives and dies with the section. */
struct fields {
    struct field *v; /* owned */
    size_t count, cap;
    size_t bytes;              /* names + values + 32 each, as RFC 9113 10.5.1 counts */
    struct arena_block *arena; /* owned */
};

/* The limits of one head: http-rules.md#links */
enum {
    FIELDS_HEAD_MAX = 128,    /* fields of a head from HTTP/2 */
    FIELDS_BYTES_MAX = 65536, /* and their bytes */
    FIELDS_SUBMIT_MAX =
        60 * 1024 /* bytes of a head that we send: nghttp2 takes more and never sends it */
};

void fields_init(struct fields *f);
void fields_deinit(struct fields *f);
void fields_add(struct fields *f, struct slice name, struct slice value);
void fields_add_copy(struct fields *f, struct slice name, struct slice value);
/* "name: printf…" with the value in the arena. */
void fields_add_printf(struct fields *f, struct slice name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void fields_copy(struct fields *to, const struct fields *from); /* deep */

/* Bytes kept as long as the section. */
struct slice fields_keep(struct fields *f, struct slice bytes);
struct slice fields_keep_lower(struct fields *f, struct slice bytes); /* in ASCII lower case */

/* Names are compared without ASCII case. NULL or 0 when absent. */
const struct field *fields_find(const struct fields *f, struct slice name);
size_t fields_count(const struct fields *f, struct slice name);
struct slice fields_value(const struct fields *f,
                          struct slice name); /* of the first; empty when absent */
bool fields_has_token(const struct fields *f, struct slice name,
                      struct slice token); /* over all lines of a list field */
void fields_remove(struct fields *f, struct slice name);
/* Removes each field for which @drop is true. */
void fields_remove_if(struct fields *f, bool (*drop)(const struct field *field, void *user),
                      void *user);

/* Removes what is meant for one connection only (RFC 9110 7.6.1, RFC 9113 8.2.2; rules H2, R14):
 * connection and what it names, keep-alive, proxy-connection, transfer-encoding, upgrade,
 * http2-settings, te. Also removes other spellings of every name that a rule is about (H16).
 * ERR_DENIED when Connection names a field that it must not (host,
 * content-length, transfer-encoding, authorization, cookie, x-forwarded-*); the section is then as
 * it was. */
int fields_strip_hop_by_hop(struct fields *f) MUSTCHECK;

/* Does the same, and in the same pass removes each field for which @also is true. @also is asked
 * about fields that have a rule; @rules: of field_rules. */
typedef bool fields_also(const struct field *field, unsigned rules, void *user);
int fields_strip(struct fields *f, fields_also *also, void *user) MUSTCHECK;

bool field_name_valid(struct slice name); /* token, RFC 9110 5.1 */
bool field_value_valid(
    struct slice value); /* no CTL but HTAB; >= 0x80 allowed; no space or tab at the ends */
bool field_is_secret(struct slice name); /* authorization, proxy-authorization, cookie, set-cookie…:
                                            never indexed (RFC 7541 7.1.3) */
bool field_forbidden_in_trailers(struct slice name); /* rules R13, Q29 */

#endif
