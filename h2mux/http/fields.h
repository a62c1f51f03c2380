/* SPDX-License-Identifier: MIT */
/* fields.h - holds an HTTP field section: names and values as slices, in order. A field that is
 * repeated stays repeated. RFC 9110 5. */
#ifndef H2MUX_HTTP_FIELDS_H
#define H2MUX_HTTP_FIELDS_H

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"

struct field {
    struct slice name, value; /* borrowed, or in the section's arena */
};

struct arena_block;

/* A field that fields_add adds borrows its bytes. fields_add_copy puts them into the arena, which
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

    /* Bytes of a head that is sent. nghttp2 takes a larger one and never sends it. */
    FIELDS_SUBMIT_MAX = 60 * 1024
};

void fields_init(struct fields *f);
void fields_deinit(struct fields *f);
void fields_add(struct fields *f, struct slice name, struct slice value);
void fields_add_copy(struct fields *f, struct slice name, struct slice value);
/* Adds a field whose value is printed into the arena. */
void fields_add_printf(struct fields *f, struct slice name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds copies of all fields of @from. */
void fields_copy(struct fields *to, const struct fields *from);

/* Copies @bytes into the arena. Returns the copy. */
struct slice fields_keep(struct fields *f, struct slice bytes);

/* Names are compared without ASCII case. */

/* Returns the first field of that name, or NULL. */
const struct field *fields_find(const struct fields *f, struct slice name);
/* Returns how many fields have that name. */
size_t fields_count(const struct fields *f, struct slice name);
/* Returns the value of the first field of that name, or an empty slice. */
struct slice fields_value(const struct fields *f, struct slice name);
/* Returns whether @token is in the list that all fields of that name make up. */
bool fields_has_token(const struct fields *f, struct slice name, struct slice token);
/* Removes all fields of that name. */
void fields_remove(struct fields *f, struct slice name);
/* Removes each field for which @drop is true. */
void fields_remove_if(struct fields *f, bool (*drop)(const struct field *field, void *user),
                      void *user);

/* Removes the fields that are for one connection only (RFC 9110 7.6.1, RFC 9113 8.2.2; rules H2,
 * R14): connection and the fields that it names, keep-alive, proxy-connection, transfer-encoding,
 * upgrade, http2-settings, te. Also removes every field whose name is another spelling of one that
 * has a rule (H16), and each field for which @also, if there is one, returns true. @also is asked
 * about fields that have a rule; @rules is the result of field_rules. Returns ERR_DENIED, and
 * leaves the section as it was, when Connection names a field that it must not name: host,
 * content-length, transfer-encoding, authorization, cookie, x-forwarded-*. */
typedef bool fields_also(const struct field *field, unsigned rules, void *user);
int fields_strip(struct fields *f, fields_also *also, void *user) MUSTCHECK;

/* Returns whether @name is a token. RFC 9110 5.1. */
bool field_name_valid(struct slice name);
/* Returns whether @value has no CTL but HTAB, and no space or tab at its ends. Bytes from 0x80 on
 * are allowed. */
bool field_value_valid(struct slice value);
/* Returns whether a field of that name must never be indexed (RFC 7541 7.1.3): authorization,
 * proxy-authorization, cookie, set-cookie and others. */
bool field_is_secret(struct slice name);
/* Returns whether a field of that name must not be a trailer. Rules R13, Q29, H16. */
bool field_forbidden_in_trailers(struct slice name);

#endif
