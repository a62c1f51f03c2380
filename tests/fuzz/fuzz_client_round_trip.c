/* SPDX-License-Identifier: MIT */
/* fuzz_client_round_trip.c - valid requests and answers, chosen by the bytes of an input, on the
 * way between server and origin. Checks that head, body and trailers arrive as they were sent.
 *
 * The link is a pair of socks in memory with an HTTP/2 session at each end; one input is a few
 * exchanges on it. A request goes from the opener's session to the server's, through
 * translate_to_origin and h1_write, and is parsed again. An answer is written as an origin would
 * write it, parsed, and goes through translate_from_origin and the two sessions back. */
#include "client/origin/translate.h"
#include "h2mux/h2/h2.h"
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

enum { EXCHANGES = 6, TURNS = 400, BODY_MAX = 200 * 1024, TEXT_MAX = 64 };

struct dice {
    struct slice in;
};

static unsigned roll(struct dice *d, unsigned n)
{
    if (d->in.len == 0)
        return 0;
    unsigned value = (unsigned char)d->in.ptr[0];
    d->in = slice_skip(d->in, 1);
    return value % n;
}

struct trip;

/* One exchange as it was sent, and the parts that have arrived at each end. */
struct exchange {
    struct trip *trip;
    struct message request, answer;
    struct fields request_trailers, answer_trailers;
    struct buf request_body, answer_body;
    struct leg *opener, *server; /* NULL when it is over */
    struct buf wire, back; /* HTTP/1.1 for the origin; the body that the opener has received */
    size_t cut;            /* size of the pieces of the request's body */
    bool chunked, wire_done, back_done, answered;
    bool early; /* the answer comes before the end of the upload */
};

struct trip {
    struct dice dice;
    struct loop *loop;
    struct h2_session *opener, *server;
    struct exchange exchanges[EXCHANGES];
    size_t n;
    struct task turn;
    int turns;
};

/* ---- dice to messages */

static const char tokens[] = "abcdefghijklmnopqrstuvwxyz0123456789-.!#$&'*+^`|~_";
static const char values[] = "abc XYZ\t,;=\"\\()/?@<>{}[]%:\x80\xff";
static const char targets[] = "/abcXYZ09.%;,?&=~!$'()*+:@-_\"<>[]\\^`{|}";
static const char hosts[] = "abcxyz09.-";

static struct slice text(struct dice *d, struct fields *keep, const char *alphabet,
                         size_t n_alphabet, size_t least)
{
    char out[TEXT_MAX];
    size_t len = least + roll(d, TEXT_MAX - (unsigned)least);
    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[roll(d, (unsigned)n_alphabet)];
    return fields_keep(keep, slice_make(out, len));
}

/* Takes a text from the dice. @alphabet is an array. */
#define TEXT(d, keep, alphabet, least) text(d, keep, alphabet, sizeof alphabet - 1, least)

/* Makes the name of a field. The "x-" in front keeps it apart from fields that are hop-by-hop,
 * frame a body or belong to oneport. */
static struct slice field_name(struct dice *d, struct fields *f)
{
    static const char *const known[] = {"accept", "cookie", "cookie", "authorization", "via"};
    char name[TEXT_MAX + sizeof "x-"];
    if (roll(d, 3) == 0)
        return slice_str(known[roll(d, sizeof known / sizeof *known)]);
    struct slice rest = TEXT(d, f, tokens, 1);
    snprintf(name, sizeof name, "x-%.*s", SLICE_FMT(rest));
    return fields_keep(f, slice_str(name));
}

static void add_fields(struct dice *d, struct fields *f)
{
    for (unsigned n = roll(d, 8); n > 0; n--) {
        struct slice name = field_name(d, f), value = slice_trim(TEXT(d, f, values, 0));
        if (slice_eq(name, SLICE("cookie")) && value.len == 0)
            /* Not empty: of an empty cookie only the separator would be left. */
            value = SLICE("a=b");
        fields_add(f, name, value);
    }
}

static void add_trailers(struct dice *d, struct fields *f)
{
    for (unsigned n = roll(d, 4); n > 0; n--)
        fields_add_printf(f, SLICE("x-sum"), "%u", roll(d, 256));
}

static void add_body(struct dice *d, struct buf *b)
{
    static const size_t sizes[] = {0, 1, 17, 4096, 16384, 16385, 65535, 70000, 150000};
    size_t size = sizes[roll(d, sizeof sizes / sizeof *sizes)];
    char *at = buf_reserve(b, size);
    char byte = (char)roll(d, 256);
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(byte + (char)(i * 7 + i / 251));
    buf_commit(b, size);
}

static void make_request(struct dice *d, struct exchange *x)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "OPTIONS", "M-SEARCH", "delete"};
    struct message *m = &x->request;
    unsigned method = roll(d, sizeof methods / sizeof *methods);
    m->method = slice_str(methods[method]);
    m->scheme = roll(d, 2) ? SLICE("http") : SLICE("https");
    m->authority = TEXT(d, &m->fields, hosts, 1);
    m->path = TEXT(d, &m->fields, targets, 1);
    if (!slice_starts(m->path, SLICE("/")))
        m->path = method == 3 && roll(d, 2) ? SLICE("*") : SLICE("/a?b");
    add_fields(d, &m->fields);
    m->has_body = roll(d, 2);
    if (!m->has_body)
        return;
    add_body(d, &x->request_body);
    if (roll(d, 2))
        m->length = (int64_t)buf_len(&x->request_body);
    else
        add_trailers(d, &x->request_trailers);
    x->cut = 1 + 997 * (size_t)roll(d, 64);
}

static void make_answer(struct dice *d, struct exchange *x)
{
    static const int statuses[] = {200, 206, 301, 404, 500, 599, 418};
    struct message *m = &x->answer;
    m->status = statuses[roll(d, sizeof statuses / sizeof *statuses)];
    add_fields(d, &m->fields);
    add_body(d, &x->answer_body);
    if (roll(d, 2))
        m->length = (int64_t)buf_len(&x->answer_body);
    else
        add_trailers(d, &x->answer_trailers);
    m->has_body = true;
}

/* ---- equal */

/* Compares fields. HTTP/1.1 has one cookie line and HTTP/2 may have several, so cookies are joined
 * and compared as one text. */
static void check_same_fields(const struct fields *sent, const struct fields *got)
{
    struct buf a, b;
    const struct fields *both[] = {sent, got};
    struct buf *cookies[] = {&a, &b};
    for (size_t k = 0; k < 2; k++) {
        buf_init(cookies[k], 1 << 20);
        for (size_t i = 0; i < both[k]->count; i++)
            if (slice_ieq(both[k]->v[i].name, SLICE("cookie"))) {
                int err = buf_len(cookies[k]) > 0 ? buf_append(cookies[k], SLICE("; ")) : 0;
                assert(err == 0 && buf_append(cookies[k], both[k]->v[i].value) == 0);
            }
    }
    assert(slice_eq(buf_slice(&a), buf_slice(&b)));
    size_t j = 0;
    for (size_t i = 0; i < sent->count; i++) {
        if (slice_ieq(sent->v[i].name, SLICE("cookie")))
            continue;
        while (j < got->count && slice_ieq(got->v[j].name, SLICE("cookie")))
            j++;
        assert(j < got->count && slice_ieq(sent->v[i].name, got->v[j].name));
        assert(slice_eq(sent->v[i].value, got->v[j].value));
        j++;
    }
    while (j < got->count && slice_ieq(got->v[j].name, SLICE("cookie")))
        j++;
    assert(j == got->count);
    buf_release(&a);
    buf_release(&b);
}

/* Decodes an HTTP/1.1 body from @in, in two pieces. */
static void decode(struct slice in, const struct h1_result *r, int64_t length, struct buf *body,
                   struct fields *trailers, size_t cut)
{
    struct h1_body b;
    struct slice pieces[2] = {slice_make(in.ptr, cut < in.len ? cut : in.len), slice_skip(in, cut)};
    h1_body_init(&b, r->framing, length);
    for (size_t i = 0; i < 2; i++)
        while (pieces[i].len > 0) {
            struct slice run;
            ssize_t n = h1_body_decode(&b, pieces[i], &run);
            assert(n > 0 && buf_append(body, run) == 0);
            pieces[i] = slice_skip(pieces[i], (size_t)n);
        }
    assert(b.done && h1_body_eof(&b) == ERR_OK);
    struct fields found;
    fields_init(&found);
    assert(h1_body_trailers(&b, &found) == ERR_OK);
    fields_copy(trailers, &found);
    fields_deinit(&found);
    h1_body_deinit(&b);
}

static void check_wire(struct exchange *x)
{
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    struct fields trailers;
    struct buf body;
    struct slice wire = buf_slice(&x->wire);
    struct h1_limits wide = {.head = 1 << 20, .fields = 200, .field = 1 << 20, .target = 1 << 20};
    ssize_t n = h1_scan_head(&s, wire, &wide, true);
    assert(n > 0);
    message_init(&m);
    fields_init(&trailers);
    buf_init(&body, BODY_MAX);
    assert(h1_parse_request(slice_make(wire.ptr, (size_t)n), NULL, &m, &r) == ERR_OK);
    assert(slice_eq(m.method, x->request.method) && slice_eq(m.path, x->request.path));
    assert(slice_eq(m.authority, x->request.authority));
    check_same_fields(&x->request.fields, &m.fields);
    decode(slice_skip(wire, (size_t)n), &r, m.length, &body, &trailers, x->cut);
    assert(slice_eq(buf_slice(&body), buf_slice(&x->request_body)));
    check_same_fields(&x->request_trailers, &trailers);
    assert(x->request.length < 0 || m.length == x->request.length || !x->request.has_body);
    buf_release(&body);
    fields_deinit(&trailers);
    message_deinit(&m);
}

/* ---- towards the origin */

static void wire_ended(struct exchange *x)
{
    x->wire_done = true;
    check_wire(x);
}

static void wire_body(struct exchange *x, struct slice data, bool end,
                      const struct fields *trailers)
{
    char head[H1_CHUNK_HEAD_MAX];
    int err = 0;
    if (data.len > 0 && x->chunked)
        err = buf_append(&x->wire, slice_make(head, h1_chunk_head(head, data.len)));
    if (err == 0)
        err = buf_append(&x->wire, data);
    if (err == 0 && data.len > 0 && x->chunked)
        err = buf_append(&x->wire, SLICE("\r\n"));
    if (err == 0 && end && x->chunked)
        err = h1_write_last_chunk(&x->wire, trailers);
    assert(err == 0);
    if (end)
        wire_ended(x);
}

static void wire_head(struct exchange *x, struct message *m, bool end)
{
    const char *reason = NULL;
    bool wants_trailers;
    int err = translate_to_origin(m, &wants_trailers, &reason);
    assert(err == 0);
    x->chunked = !end && m->length == MESSAGE_LENGTH_UNKNOWN;
    const struct h1_write w = {.framing = x->chunked       ? H1_CHUNKED
                                          : m->length >= 0 ? H1_LENGTH
                                                           : H1_NO_BODY};
    assert(h1_write_request(&x->wire, m, &w) == ERR_OK);
    if (end)
        wire_ended(x);
}

/* ---- the origin's answer, back */

static void send_body(struct leg *leg, const struct buf *body, const struct fields *trailers,
                      size_t cut)
{
    struct slice rest = buf_slice(body);
    bool has_trailers = trailers->count > 0;
    cut += rest.len / 64; /* more pieces would only take time */
    do {
        size_t n = rest.len < cut ? rest.len : cut;
        struct slice piece = slice_make(rest.ptr, n);
        rest = slice_skip(rest, n);
        leg->ops->body(leg, piece, rest.len == 0 && !has_trailers);
    } while (rest.len > 0);
    if (has_trailers)
        leg->ops->trailers(leg, trailers);
}

static void answer(struct exchange *x)
{
    struct buf wire;
    struct message m;
    struct h1_result r;
    struct h1_limits wide = {.head = 1 << 20, .fields = 200, .field = 1 << 20, .target = 1 << 20};
    const struct h1_write w = {.framing = x->answer.length >= 0 ? H1_LENGTH : H1_CHUNKED};
    struct leg *leg = x->server;
    x->answered = true;
    message_init(&m);
    buf_init(&wire, 1 << 20);
    assert(h1_write_response(&wire, &x->answer, &w) == ERR_OK);
    assert(h1_parse_response(buf_slice(&wire), &wide, false, &m, &r) == ERR_OK);
    assert(translate_from_origin(&m) == 0 && r.framing == w.framing);
    leg->ops->head(leg, &m, false);
    if (x->wire_done) /* both directions end: the leg is done with the exchange */
        x->server = NULL;
    send_body(leg, &x->answer_body, &x->answer_trailers, 1 + 4 * x->cut);
    message_deinit(&m);
    buf_release(&wire);
}

/* ---- legs */

static void server_head(void *user, struct leg *leg, struct message *m, bool end)
{
}

static void server_over(struct exchange *x)
{
    if (!x->answered)
        answer(x);
}

static void server_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    wire_body(x, data, end, NULL);
    leg->ops->credit(leg, data.len);
    if (end)
        server_over(x);
}

static void server_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    assert(translate_trailers_to_origin(t) == 0);
    wire_body(x, SLICE(""), true, t);
    server_over(x);
}

static void opener_head(void *user, struct leg *leg, struct message *m, bool end)
{
    struct exchange *x = user;
    assert(m->status == x->answer.status && m->length == x->answer.length);
    check_same_fields(&x->answer.fields, &m->fields);
    assert(!end || buf_len(&x->answer_body) == 0);
    x->back_done = end;
}

static void opener_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct exchange *x = user;
    assert(buf_append(&x->back, data) == 0);
    leg->ops->credit(leg, data.len);
    x->back_done = end;
}

static void opener_trailers(void *user, struct leg *leg, struct fields *t)
{
    struct exchange *x = user;
    check_same_fields(&x->answer_trailers, t);
    x->back_done = true;
}

static void sent(void *user, struct leg *leg, size_t bytes)
{
}

/* Takes a reset. A valid exchange is reset only if its answer was complete before the upload (RFC
 * 9113 8.1). */
static void server_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = user;
    assert(x->early && !x->wire_done);
    x->wire_done = true;
}

static void opener_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
    struct exchange *x = user;
    assert(x->early && x->back_done && why->err == ERR_CLOSED);
}

static const struct leg_events server_events = {.on_head = server_head,
                                                .on_body = server_body,
                                                .on_trailers = server_trailers,
                                                .on_sent = sent,
                                                .on_reset = server_reset};
static const struct leg_events opener_events = {.on_head = opener_head,
                                                .on_body = opener_body,
                                                .on_trailers = opener_trailers,
                                                .on_sent = sent,
                                                .on_reset = opener_reset};

/* Takes a stream. Streams arrive in the order in which they were opened. */
static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct trip *t = user;
    size_t i = 0;
    while (i < t->n && (t->exchanges[i].server || t->exchanges[i].answered))
        i++;
    struct exchange *x = &t->exchanges[i];
    assert(i < t->n);
    x->server = leg;
    leg_tie(leg, &server_events, x);
    wire_head(x, m, end);
    x->early = !end && roll(&t->dice, 4) == 0;
    if (end || x->early)
        answer(x);
}

static void open_all(struct trip *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct exchange *x = &t->exchanges[i];
        x->opener = h2_stream_open(t->opener, &x->request, !x->request.has_body, &opener_events, x);
        assert(x->opener);
        if (x->request.has_body)
            send_body(x->opener, &x->request_body, &x->request_trailers, x->cut);
    }
}

static void on_up(void *user)
{
    struct trip *t = user;
    open_all(t);
}

static void server_up(void *user)
{
}

static void on_goaway(void *user, struct slice debug)
{
}

static void on_closed(void *user, int err, const char *reason)
{
    abort(); /* no valid exchange ends a session */
}

static const struct h2_session_ops opener_ops = {
    .on_up = on_up, .on_goaway = on_goaway, .on_closed = on_closed};
static const struct h2_session_ops server_ops = {
    .on_up = server_up, .on_stream = on_stream, .on_goaway = on_goaway, .on_closed = on_closed};

static bool all_arrived(const struct trip *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (!t->exchanges[i].wire_done || !t->exchanges[i].back_done)
            return false;
    return true;
}

static void on_turn(void *user)
{
    struct trip *t = user;
    if (all_arrived(t) || t->turns++ == TURNS)
        loop_stop(t->loop);
    else
        loop_defer(t->loop, &t->turn);
}

static void run_turns(struct trip *t)
{
    loop_defer(t->loop, &t->turn);
    loop_run(t->loop);
}

/* ---- one input */

static void exchange_init(struct trip *t, struct exchange *x)
{
    *x = (struct exchange){.trip = t, .cut = 1};
    message_init(&x->request);
    message_init(&x->answer);
    fields_init(&x->request_trailers);
    fields_init(&x->answer_trailers);
    buf_init(&x->request_body, BODY_MAX);
    buf_init(&x->answer_body, BODY_MAX);
    buf_init(&x->wire, 1 << 22);
    buf_init(&x->back, BODY_MAX);
    make_request(&t->dice, x);
    make_answer(&t->dice, x);
}

static void exchange_deinit(struct exchange *x)
{
    assert(slice_eq(buf_slice(&x->back), buf_slice(&x->answer_body)));
    message_deinit(&x->request);
    message_deinit(&x->answer);
    fields_deinit(&x->request_trailers);
    fields_deinit(&x->answer_trailers);
    buf_release(&x->request_body);
    buf_release(&x->answer_body);
    buf_release(&x->wire);
    buf_release(&x->back);
}

static void open_sessions(struct trip *t)
{
    static const struct h2_options options = {.max_streams = 100,
                                              .ping_timeout_ms = 10000,
                                              .settings_timeout_ms = 10000,
                                              .buffer_limit = 32 << 20,
                                              .stall_ms = 10000};
    struct sock *a, *b;
    sock_pair(t->loop, &a, &b);
    t->opener = h2_session_new(t->loop, a, H2_OPENER, &options, &opener_ops, t);
    t->server = h2_session_new(t->loop, b, H2_SERVER, &options, &server_ops, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trip *t = xcalloc(1, sizeof *t);
    t->dice.in = fuzz_input(data, size);
    t->n = 1 + roll(&t->dice, EXCHANGES);
    t->loop = loop_new();
    task_init(&t->turn, on_turn, t);
    for (size_t i = 0; i < t->n; i++)
        exchange_init(t, &t->exchanges[i]);
    open_sessions(t);
    run_turns(t);
    assert(all_arrived(t));
    h2_session_close(t->opener, H2_NO_ERROR);
    h2_session_close(t->server, H2_NO_ERROR);
    run_turns(t);
    for (size_t i = 0; i < t->n; i++)
        exchange_deinit(&t->exchanges[i]);
    loop_free(t->loop);
    free(t);
    return 0;
}
