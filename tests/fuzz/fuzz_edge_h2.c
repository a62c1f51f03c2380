/* SPDX-License-Identifier: MIT */
/* fuzz_edge_h2.c - a viewer's HTTP/2 connection (edge_h2.h), from its frames to the client behind a
 * tunnel. An input is a plan: steps of the viewer, of the client and of the server, some of which
 * send any frame or any bytes.
 *
 * Checked: each stream gets the answer to its own request, whole or visibly broken, by frames that
 * may come (h2_reader.h); the client gets well-formed requests only, whose bodies have their
 * lengths (client.h); short answers come when nothing is in their way; nothing is left open or
 * counted at the end. */
#include <arpa/inet.h>

#include "src/crew.h"
#include "src/edge/edge_h2.h"
#include "src/tunnels/registry.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/h2_reader.h"

enum { TURNS_A_STEP = 3, TURNS_AT_END = 60, FIELD_MAX = 200, CALM_BYTES = 60000 };

struct asked {
    bool whole;   /* the request was sent, as it should be */
    bool doubted; /* it was not right, or frames behind it were not */
};

struct fuzz {
    struct server server;
    struct worker *worker;
    struct tunnel *tunnel;
    struct client client;
    struct reader reader;
    struct sock *peer; /* NULL once closed */
    nghttp2_hd_deflater *deflater;
    struct slice plan;
    struct asked asked[READER_STREAMS];
    uint32_t next; /* the next stream */
    bool calm;     /* nothing is in the way of an answer */
    struct task turn;
    int turns;
};

static struct config config;

/* ---- the plan */

static uint8_t take(struct fuzz *f)
{
    if (f->plan.len == 0)
        return 0;
    uint8_t byte = (uint8_t)f->plan.ptr[0];
    f->plan = slice_skip(f->plan, 1);
    return byte;
}

static struct slice take_text(struct fuzz *f, size_t most)
{
    size_t n = take(f) % (most + 1);
    n = n < f->plan.len ? n : f->plan.len;
    struct slice text = slice_make(f->plan.ptr, n);
    f->plan = slice_skip(f->plan, n);
    return text;
}

/* Returns a stream that was asked for, or the next one. */
static uint32_t take_stream(struct fuzz *f)
{
    uint8_t byte = take(f);
    return byte == 0 || f->next == 1 ? f->next : (uint32_t)(byte - 1) % (f->next / 2) * 2 + 1;
}

static struct asked *asked_by(struct fuzz *f, uint32_t stream)
{
    return &f->asked[stream / 2];
}

/* ---- what the viewer sends */

static void say(struct fuzz *f, struct slice bytes)
{
    if (f->peer)
        sock_write(f->peer, bytes);
}

static void send_frame(struct fuzz *f, uint8_t type, uint8_t flags, uint32_t stream,
                       struct slice payload)
{
    const uint8_t head[READER_HEAD] = {(uint8_t)(payload.len >> 16),
                                       (uint8_t)(payload.len >> 8),
                                       (uint8_t)payload.len,
                                       type,
                                       flags,
                                       (uint8_t)(stream >> 24),
                                       (uint8_t)(stream >> 16),
                                       (uint8_t)(stream >> 8),
                                       (uint8_t)stream};
    say(f, slice_make((const char *)head, sizeof head));
    say(f, payload);
}

static void send_number(struct fuzz *f, uint8_t type, uint32_t stream, uint32_t number)
{
    uint32_t wire = htonl(number);
    send_frame(f, type, 0, stream, slice_make((const char *)&wire, sizeof wire));
}

static void send_fields(struct fuzz *f, uint32_t stream, uint8_t flags, nghttp2_nv *fields,
                        size_t count)
{
    uint8_t block[4096];
    ssize_t n = nghttp2_hd_deflate_hd(f->deflater, block, sizeof block, fields, count);
    assert(n >= 0);
    send_frame(f, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
               slice_make((const char *)block, (size_t)n));
}

static nghttp2_nv field(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE};
}

enum { ENDS = 1, HAS_LENGTH = 2, HAS_TE = 4, HAS_EXTRA = 8, HAS_PRIORITY = 16, TO_BASE = 32 };

/* Asks for /KIND/STREAM. The step has a method, a kind, flags and, by HAS_EXTRA, any field. */
static void ask(struct fuzz *f)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT"};
    static const char kinds[] = "s0BtlnrbewhslsBt";
    uint32_t stream = f->next;
    if (stream / 2 >= READER_STREAMS - 1)
        return;
    f->next += 2;
    const char *method = methods[take(f) % (sizeof methods / sizeof *methods)];
    char kind = kinds[take(f) % (sizeof kinds - 1)], path[32], length[8];
    uint8_t flags = take(f);
    snprintf(path, sizeof path, "/%c/%u", kind, stream);
    snprintf(length, sizeof length, "%u", flags & HAS_LENGTH ? take(f) : 0);
    nghttp2_nv fields[10] = {
        field(SLICE(":method"), slice_str(method)),
        field(SLICE(":scheme"), SLICE("https")),
        field(SLICE(":authority"),
              flags & TO_BASE ? SLICE("example.com") : SLICE("app.example.com")),
        field(SLICE(":path"), flags & TO_BASE ? SLICE("/healthz") : slice_str(path)),
    };
    size_t count = 4;
    if (flags & HAS_LENGTH)
        fields[count++] = field(SLICE("content-length"), slice_str(length));
    if (flags & HAS_TE)
        fields[count++] = field(SLICE("te"), SLICE("trailers"));
    if (flags & HAS_PRIORITY)
        fields[count++] = field(SLICE("priority"), take_text(f, 8));
    if (flags & HAS_EXTRA) {
        struct slice name = take_text(f, 40), value = take_text(f, FIELD_MAX);
        fields[count++] = field(name, value);
    }
    struct reader_stream *s = reader_stream(&f->reader, stream);
    s->asked = true;
    s->to_head = slice_eq(slice_str(method), SLICE("HEAD"));
    *asked_by(f, stream) = (struct asked){
        .whole = (flags & ENDS) && slice_starts(SLICE("s0tlw"), slice_make(&kind, 1)),
        .doubted = flags & (HAS_LENGTH | HAS_EXTRA | HAS_PRIORITY)};
    send_fields(f, stream, flags & ENDS ? NGHTTP2_FLAG_END_STREAM : 0, fields, count);
}

static void give_body(struct fuzz *f)
{
    static const char body[4096];
    uint32_t stream = take_stream(f);
    uint8_t flags = take(f) & NGHTTP2_FLAG_END_STREAM;
    asked_by(f, stream)->doubted = true;
    send_frame(f, NGHTTP2_DATA, flags, stream, slice_make(body, take(f) * 16));
}

static void give_trailers(struct fuzz *f)
{
    uint32_t stream = take_stream(f);
    struct slice name = take_text(f, 20), value = take_text(f, 20);
    nghttp2_nv trailer = field(name.len > 0 ? name : SLICE("x-sum"), value);
    asked_by(f, stream)->doubted = true;
    reader_stream(&f->reader, stream)->asked = true;
    send_fields(f, stream, NGHTTP2_FLAG_END_STREAM, &trailer, 1);
}

static void give_window(struct fuzz *f)
{
    uint32_t stream = take(f) % 2 ? take_stream(f) : 0;
    uint32_t more = (uint32_t)take(f) << (take(f) % 24);
    uint64_t *grown = stream ? &reader_stream(&f->reader, stream)->grown : &f->reader.grown;
    *grown += more;
    f->calm = false; /* it may be too much */
    send_number(f, NGHTTP2_WINDOW_UPDATE, stream, more);
}

static void set(struct fuzz *f)
{
    static const uint32_t values[] = {0, 1, 100, 16384, 65535, 1 << 20, INT32_MAX};
    uint16_t id = take(f) % 10;
    uint32_t value = values[take(f) % (sizeof values / sizeof *values)];
    const uint8_t payload[6] = {0,
                                (uint8_t)id,
                                (uint8_t)(value >> 24),
                                (uint8_t)(value >> 16),
                                (uint8_t)(value >> 8),
                                (uint8_t)value};
    if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value > f->reader.largest_window)
        f->reader.largest_window = value;
    if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
        nghttp2_hd_inflate_change_table_size(f->reader.inflater, value < 4096    ? 4096
                                                                 : value < 65536 ? value
                                                                                 : 65536);
    f->calm = false;
    if (id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE)
        return; /* the reader takes no longer frames */
    send_frame(f, NGHTTP2_SETTINGS, 0, 0, slice_make((const char *)payload, sizeof payload));
}

static void prioritize(struct fuzz *f)
{
    uint32_t stream = take_stream(f);
    char payload[32];
    struct slice text = take_text(f, sizeof payload - 4);
    uint32_t wire = htonl(stream);
    memcpy(payload, &wire, sizeof wire);
    if (text.len > 0)
        memcpy(payload + 4, text.ptr, text.len);
    f->calm = false;
    send_frame(f, 0x10, 0, 0, slice_make(payload, 4 + text.len));
}

/* Sends any frame, or any bytes. Nobody knows what the server makes of them. */
static void go_wild(struct fuzz *f, bool framed)
{
    f->reader.wild = true;
    f->calm = false;
    if (framed) {
        uint8_t type = take(f) % 20, flags = take(f);
        uint32_t stream = take(f) % 4 ? take_stream(f) : 0;
        send_frame(f, type, flags, stream, take_text(f, 255));
    } else
        say(f, take_text(f, 255));
}

static void take_back(struct fuzz *f)
{
    uint32_t stream = take_stream(f);
    asked_by(f, stream)->doubted = true;
    if (stream == f->next) /* which ends the connection */
        f->calm = false;
    send_number(f, NGHTTP2_RST_STREAM, stream, take(f) % 14);
}

/* ---- turns */

static void read_all(struct fuzz *f)
{
    ssize_t n;
    while (f->peer && (n = sock_read(f->peer, loop_scratch(f->worker->loop), LOOP_SCRATCH)) > 0)
        reader_feed(&f->reader, slice_make(loop_scratch(f->worker->loop), (size_t)n));
}

static void on_readable(void *user)
{
    read_all(user);
}

static const struct sock_ops peer_ops = {.on_readable = on_readable};

static void on_turn(void *user)
{
    struct fuzz *f = user;
    client_go_on(&f->client);
    if (--f->turns > 0)
        loop_defer(f->worker->loop, &f->turn);
    else
        loop_stop(f->worker->loop);
}

static void run_turns(struct fuzz *f, int turns)
{
    f->turns = turns;
    loop_defer(f->worker->loop, &f->turn);
    loop_run(f->worker->loop);
}

static void drain(struct fuzz *f)
{
    f->calm = false;
    if (!list_empty(&f->worker->h2_edges))
        edge_h2_drain(f->worker->h2_edges.next);
}

static void step(struct fuzz *f)
{
    switch (take(f) % 16) {
    case 0:
        run_turns(f, TURNS_A_STEP);
        break;
    case 1:
        give_body(f);
        break;
    case 2:
        give_trailers(f);
        break;
    case 3:
        take_back(f);
        break;
    case 4:
        give_window(f);
        break;
    case 5:
        set(f);
        break;
    case 6:
        prioritize(f);
        break;
    case 7:
        go_wild(f, true);
        break;
    case 8:
        go_wild(f, false);
        break;
    case 9:
        f->calm = false;
        client_vanish(&f->client);
        break;
    case 10:
        client_join(&f->client, f->tunnel, loop_now_us(f->worker->loop));
        break;
    case 11:
        drain(f);
        break;
    default:
        ask(f);
        break;
    }
}

/* ---- what the viewer sees */

static void on_token(void *user, uint32_t id, int64_t token)
{
    struct fuzz *f = user;
    if (token < 0)
        return; /* the server's own answer */
    assert((size_t)token < f->client.count);
    struct answer *a = &f->client.answers[token];
    assert(a->headed && a->carried_by == 0);
    assert(f->reader.wild || a->number == id);
    a->carried_by = id;
}

static void on_body(void *user, uint32_t id, uint64_t offset, struct slice data, bool end)
{
    struct fuzz *f = user;
    int64_t token = reader_stream(&f->reader, id)->token;
    if (token < 0)
        return;
    const struct answer *a = &f->client.answers[token];
    assert(offset + data.len <= a->sent);
    for (size_t i = 0; i < data.len; i++)
        assert(data.ptr[i] == answer_byte((size_t)token, offset + i));
    assert(!end || (a->said && offset == a->sent));
}

/* Checks that short answers to right requests have come, if nothing is in their way. */
static void check_answered(const struct fuzz *f)
{
    if (!f->calm || f->reader.gone || f->reader.came > CALM_BYTES)
        return;
    for (uint32_t i = 0; i < f->next / 2; i++) {
        const struct reader_stream *s = &f->reader.streams[i];
        assert(!f->asked[i].whole || f->asked[i].doubted || s->over || s->was_reset);
    }
}

/* ---- the world */

static void begin(struct fuzz *f)
{
    static const char first[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    const struct sockaddr *from = (const struct sockaddr *)&address;
    struct sock *ours;
    struct peer peer;
    sock_pair(f->worker->loop, &ours, &f->peer);
    sock_set_peer(ours, from);
    sock_set_ops(f->peer, &peer_ops, f);
    trust_peer(f->server.trust, from, true, &peer);
    edge_h2_new(f->worker, ours, &peer);
    say(f, slice_make(first, sizeof first - 1));
}

static struct fuzz *fuzz_new(struct slice plan)
{
    static const uint8_t owner[OWNER_LEN] = "somebody-with-it";
    char *argv[] = {(char[]){"oneportd"}, (char[]){"--domain=example.com"},
                    (char[]){"--state-dir=/tmp"}, (char[]){"--access-log=off"}, NULL};
    unsigned ignored;
    struct fuzz *f = xcalloc(1, sizeof *f);
    log_threshold = LOG_ERROR;
    if (!config.domain && config_parse(4, argv, &config) != OPT_RUN)
        abort();
    f->plan = plan;
    f->next = 1;
    f->calm = true;
    f->server = (struct server){.config = &config, .node = "oneport-00000001", .n_workers = 1};
    f->server.trust = trust_new_empty();
    f->server.directory = directory_new(0, NULL, NULL);
    f->server.workers = &f->worker;
    budget_init(&f->server.budget, 1 << 30);
    f->worker = crew_worker_new(&f->server, 0);
    int err = registry_claim(f->worker->registry, SLICE("app"), owner,
                             &(struct claim){.asked = true}, &f->tunnel, &ignored);
    err |= nghttp2_hd_deflate_new(&f->deflater, 4096);
    assert(err == 0);
    (void)err;
    tunnel_was_live(f->tunnel, 0);
    client_join(&f->client, f->tunnel, loop_now_us(f->worker->loop));
    f->reader.on_body = on_body;
    f->reader.on_token = on_token;
    f->reader.user = f;
    reader_init(&f->reader);
    task_init(&f->turn, on_turn, f);
    return f;
}

static void fuzz_free(struct fuzz *f)
{
    sock_close(f->peer);
    f->peer = NULL;
    run_turns(f, TURNS_AT_END);
    assert(list_empty(&f->worker->h2_edges) && list_empty(&f->worker->exchanges));
    assert(stat_get(&f->worker->stats.edges_open) == 0);
    for (size_t i = 0; i < f->client.count; i++)
        assert(!f->client.answers[i].open);
    client_vanish(&f->client);
    crew_worker_free(f->worker);
    directory_free(f->server.directory);
    trust_free(f->server.trust);
    reader_deinit(&f->reader);
    nghttp2_hd_deflate_del(f->deflater);
    free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz *f = fuzz_new(fuzz_input(data, size));
    begin(f);
    while (f->plan.len > 0)
        step(f);
    run_turns(f, TURNS_AT_END);
    check_answered(f);
    fuzz_free(f);
    return 0;
}
