/* SPDX-License-Identifier: MIT */
/* route.c - matches Host and path; see route.h. The results borrow their slices from the arguments.
 *
 * Paths are compared byte by byte. A path is not normalised before. */
#include "src/http/route.h"

#include "h2mux/base/check.h"
#include "h2mux/base/inet.h"

enum { SEGMENTS_MAX = 4 };

/* ---- by Host */

struct slice route_host_name(struct slice authority)
{
    struct slice host = authority;
    ptrdiff_t bracket = slice_rfind(host, ']');
    ptrdiff_t colon = slice_rfind(host, ':');
    if (colon > bracket)
        host.len = (size_t)colon;
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

static bool is_address(struct slice host)
{
    union inet address;
    return inet_parse_host(host, &address) != AF_UNSPEC;
}

static bool is_label(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX_LEN;
}

/* Returns the part of @host before the dot and @domain. Returns an empty slice when @host is not a
 * subdomain of @domain. */
static struct slice label_of(struct slice host, struct slice domain)
{
    if (host.len < domain.len + 2)
        return SLICE("");
    size_t len = host.len - domain.len - 1;
    if (host.ptr[len] != '.' || !slice_ieq(slice_skip(host, len + 1), domain))
        return SLICE("");
    return slice_make(host.ptr, len);
}

enum route_kind route_host(struct slice domain, struct slice authority,
                           char name[static NAME_MAX_LEN + 1])
{
    struct slice host = route_host_name(authority);
    name[0] = '\0';
    if (slice_ieq(host, domain) || slice_ieq(host, SLICE("localhost")) || is_address(host))
        return ROUTE_BASE;
    struct slice label = label_of(host, domain);
    if (!is_label(label))
        return ROUTE_UNKNOWN;
    memcpy(name, label.ptr, label.len);
    name[label.len] = '\0';
    ascii_lower(name, label.len);
    return ROUTE_TUNNEL;
}

/* ---- by path */

struct target {
    struct slice segment[SEGMENTS_MAX]; /* borrowed */
    size_t n;                           /* SEGMENTS_MAX + 1: more than fit */
    struct slice query;                 /* borrowed */
};

/* Splits "/a/b?c" into the segments a and b and the query c. "/" has one empty segment, and "/a/"
 * has an empty segment at its end. Returns false when @path does not begin with '/'. */
static bool target_split(struct slice path, struct target *t)
{
    *t = (struct target){.query = SLICE("")};
    ptrdiff_t mark = slice_find(path, '?');
    if (mark >= 0) {
        t->query = slice_skip(path, (size_t)mark + 1);
        path.len = (size_t)mark;
    }
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    while (path.len > 0) {
        path = slice_skip(path, 1);
        ptrdiff_t slash = slice_find(path, '/');
        size_t len = slash < 0 ? path.len : (size_t)slash;
        if (t->n++ == SEGMENTS_MAX)
            return true;
        t->segment[t->n - 1] = slice_make(path.ptr, len);
        path = slice_skip(path, len);
    }
    return true;
}

/* Returns whether @query has the parameter "new", as in "new", "new=1" or "a=b&new". Clients of
 * localtunnel ask for a random name by this parameter. */
static bool query_has_new(struct slice query)
{
    while (query.len > 0) {
        ptrdiff_t amp = slice_find(query, '&');
        struct slice pair = slice_make(query.ptr, amp < 0 ? query.len : (size_t)amp);
        ptrdiff_t equals = slice_find(pair, '=');
        if (equals >= 0)
            pair.len = (size_t)equals;
        if (slice_eq(pair, SLICE("new")))
            return true;
        query = slice_skip(query, amp < 0 ? query.len : (size_t)amp + 1);
    }
    return false;
}

static bool segment_is(const struct target *t, size_t i, const char *text)
{
    return i < t->n && slice_eq(t->segment[i], slice_str(text));
}

static struct builtin builtin_make(enum builtin_kind kind, struct slice name)
{
    return (struct builtin){.kind = kind, .name = name};
}

static struct builtin one_segment(const struct target *t)
{
    struct slice only = t->segment[0];
    if (only.len == 0)
        return builtin_make(query_has_new(t->query) ? BUILTIN_OLD_CLIENT : BUILTIN_LANDING,
                            SLICE(""));
    if (segment_is(t, 0, "register"))
        return builtin_make(BUILTIN_REGISTER, SLICE(""));
    if (segment_is(t, 0, "healthz"))
        return builtin_make(BUILTIN_HEALTH, SLICE(""));
    if (segment_is(t, 0, "robots.txt"))
        return builtin_make(BUILTIN_ROBOTS, SLICE(""));
    if (segment_is(t, 0, "favicon.ico"))
        return builtin_make(BUILTIN_ICON, SLICE(""));
    return builtin_make(BUILTIN_OLD_CLIENT, only);
}

static struct builtin two_segments(const struct target *t)
{
    struct slice last = t->segment[1];
    if (segment_is(t, 0, "register")) /* also "/register/", with an empty name */
        return builtin_make(BUILTIN_REGISTER, last);
    if (segment_is(t, 0, "tunnel") && last.len > 0)
        return builtin_make(BUILTIN_ATTACH, last);
    if (segment_is(t, 0, "api") && segment_is(t, 1, "status"))
        return builtin_make(BUILTIN_STATUS, SLICE(""));
    return builtin_make(BUILTIN_NONE, SLICE(""));
}

/* Finds the old client whose server URL ends with a slash: it asks for "//?new" or "//NAME". */
static struct builtin behind_an_empty_segment(const struct target *t)
{
    struct target rest = {.segment = {t->segment[1]}, .n = 1, .query = t->query};
    struct builtin b = one_segment(&rest);
    return b.kind == BUILTIN_OLD_CLIENT ? b : builtin_make(BUILTIN_NONE, SLICE(""));
}

/* ---- proofs of control */

static const struct slice acme = {"/.well-known/acme-challenge/", 28};
static const struct slice validation = {"/.well-known/pki-validation/", 28};

bool route_proves(struct slice path)
{
    return slice_starts(path, acme) || slice_starts(path, validation);
}

/* Returns the built-in of a path that proves. RFC 8555 8.3 has tokens of base64url. */
static struct builtin proof_by_path(struct slice path)
{
    ptrdiff_t mark = slice_find(path, '?');
    struct slice token = slice_skip(path, acme.len);
    if (mark >= 0)
        token.len = (size_t)mark - acme.len;
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] != '_' && !is_label(slice_make(token.ptr + i, 1)))
            return builtin_make(BUILTIN_NONE, SLICE(""));
    if (!slice_starts(path, acme) || token.len == 0 || token.len > TOKEN_MAX_LEN)
        return builtin_make(BUILTIN_NONE, SLICE(""));
    return builtin_make(BUILTIN_CHALLENGE, token);
}

/* ---- the built-ins */

static struct builtin builtin_by_path(const struct target *t)
{
    if (t->n == 1)
        return one_segment(t);
    if (t->n == 2 && t->segment[0].len == 0)
        return behind_an_empty_segment(t);
    if (t->n == 2)
        return two_segments(t);
    if (t->n == 4 && segment_is(t, 0, "api") && segment_is(t, 1, "tunnels") &&
        segment_is(t, 3, "status"))
        return builtin_make(BUILTIN_TUNNEL_STATUS, t->segment[2]);
    return builtin_make(BUILTIN_NONE, SLICE(""));
}

/* Returns the methods that the built-in @kind accepts, as Allow lists them, or NULL. HEAD is
 * accepted only where GET changes nothing, since a HEAD must not register a name. */
static const char *methods_of(enum builtin_kind kind)
{
    switch (kind) {
    case BUILTIN_REGISTER:
        return "GET, POST, OPTIONS";
    case BUILTIN_ATTACH:
        return "GET, OPTIONS";
    case BUILTIN_OLD_CLIENT:
    case BUILTIN_LANDING:
    case BUILTIN_STATUS:
    case BUILTIN_TUNNEL_STATUS:
    case BUILTIN_HEALTH:
    case BUILTIN_ROBOTS:
    case BUILTIN_ICON:
    case BUILTIN_CHALLENGE:
        return "GET, HEAD, OPTIONS";
    case BUILTIN_NONE:
    case BUILTIN_OPTIONS:
    case BUILTIN_METHOD:
        break;
    }
    return NULL;
}

static bool lists_method(struct slice methods, struct slice method)
{
    for (struct slice one; slice_next_token(&methods, &one);)
        if (slice_eq(one, method))
            return true;
    return false;
}

struct builtin route_builtin(struct slice method, struct slice path)
{
    struct target t;
    bool options = slice_eq(method, SLICE("OPTIONS"));
    if (options && slice_eq(path, SLICE("*")))
        return builtin_make(BUILTIN_OPTIONS, SLICE(""));
    if (!target_split(path, &t))
        return builtin_make(BUILTIN_NONE, SLICE(""));
    struct builtin b = route_proves(path) ? proof_by_path(path) : builtin_by_path(&t);
    b.allow = methods_of(b.kind);
    if (b.allow && !lists_method(slice_str(b.allow), method))
        b.kind = BUILTIN_METHOD;
    else if (b.allow && options)
        b.kind = BUILTIN_OPTIONS;
    return b;
}

/* ---- the route */

/* Writes @name into @out in lower case. Writes an empty text when @name has more than NAME_MAX_LEN
 * bytes. */
static void fold_name(struct slice name, char out[static NAME_MAX_LEN + 1])
{
    out[0] = '\0';
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    ascii_lower(out, name.len);
}

static void route_check(const struct route *r)
{
    size_t len = strnlen(r->name, sizeof r->name);
    CHECK_THAT(len <= NAME_MAX_LEN);
    CHECK_THAT((r->kind == ROUTE_TUNNEL) == (len > 0) || r->kind == ROUTE_BASE);
    CHECK_THAT(r->kind == ROUTE_BASE || r->builtin.kind == BUILTIN_NONE);
    for (size_t i = 0; i < len; i++)
        CHECK_THAT(r->name[i] < 'A' || r->name[i] > 'Z');
}

void route_find(struct slice domain, const struct message *m, struct route *out)
{
    out->builtin = builtin_make(BUILTIN_NONE, SLICE(""));
    out->kind = route_host(domain, m->authority, out->name);
    if (route_proves(m->path))
        out->kind = ROUTE_BASE;
    if (out->kind == ROUTE_BASE) {
        out->builtin = route_builtin(m->method, m->path);
        fold_name(out->builtin.name, out->name);
    }
    if (CHECKING)
        route_check(out);
}
