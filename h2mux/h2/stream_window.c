/* SPDX-License-Identifier: MIT */
/* stream_window.c - gives the credit of streams and sizes their windows. RFC 9113 6.9.
 * docs/flow-control.md has the whole policy as one formula. */
#include "h2mux/h2/stream_int.h"

enum {
    /* A window of four turns of the schedule. A stream with this window waits for its turn and
     * never for credit, so streams side by side get the same share of the line. */
    TURNS = 4 * SCHEDULE_RUN,
    /* Credit of a start goes back when this part of the window is kept, and at least so much. */
    EARLY_PARTS = 8,
    EARLY_LEAST = WINDOW_INITIAL / 2
};

/* Returns the window to which @st may grow so that its party has as much as others: a line whose
 * queue nobody bounds is shared as windows are. 0: no more than it has. */
static uint32_t fair_window(const struct h2_stream *st)
{
    if (st->host->parties.count == 0) /* all streams are alike */
        return 0;
    uint64_t size = h2_stream_fair_window(st), most = WINDOW_START_MAX;
    size = size < most ? size : most;
    return size > st->flow.window.size ? (uint32_t)size : 0;
}

/* Returns the round trip (microseconds) that window_credit uses for the window of @st. For a large
 * window this is the shortest round trip, which the line has when idle. For a small window this is
 * the last round trip, which includes the time that a busy peer needs: the window grows and saves
 * WINDOW_UPDATEs, and the queue on the line stays short all the same. A window is small below
 * TURNS, or if windows of this size for all bodies like this one would be at most WINDOW_BUSY
 * together, or beside larger ones of others. */
static uint64_t round_trip(const struct h2_stream *st)
{
    const struct stream_host *h = st->host;
    bool small = st->flow.window.size < TURNS ||
                 (uint64_t)st->flow.window.size * (h2_stream_movers(st) + 1) <= WINDOW_BUSY ||
                 fair_window(st) > 0;
    return small ? h->flow.rtt_us : h->flow.rtt_least_us;
}

/* Returns how full the link's budget is for the readers that move. The bytes held for readers that
 * stand still are taken off the used bytes, and four thirds of them off the limit. The additional
 * third keeps all held bytes together below three quarters of the budget, from which on readers are
 * given up. */
static struct fill of_moving(const struct stream_host *h)
{
    uint64_t off = h->flow.still_held / 3 * 4;
    uint64_t left = h->flow.fill.limit > off ? h->flow.fill.limit - off : 0;
    return (struct fill){.used = h->flow.fill.used - h->flow.still_held, .limit = left};
}

static bool windows_may_grow(const struct stream_host *h)
{
    struct fill process = budget_fill(h->flow.share), link = of_moving(h);
    return fill_may_grow(&link) && fill_may_grow(&process);
}

/* Returns the budget (bytes) that the bodies of this link share: the link's or the process's,
 * whichever is smaller. The needs of other links are not known in advance; windows_may_grow counts
 * the bytes that other links hold already. */
static uint64_t shared(const struct stream_host *h)
{
    uint64_t link = of_moving(h).limit, process = budget_fill(h->flow.share).limit;
    return process < link ? process : link;
}

/* Returns the largest window (bytes) that a body can use beside others: the bytes that a line of 10
 * Gbit/s (WINDOW_LINE_BEST) carries in the shortest round trip, or its part of WINDOW_BUSY, or
 * TURNS, whichever is largest. A window that has grown larger shows only that a peer was busy for a
 * moment, or that a body was alone. */
static uint64_t useful_window(const struct h2_stream *st)
{
    uint64_t most = st->host->flow.rtt_least_us * WINDOW_LINE_BEST;
    uint64_t busy = WINDOW_BUSY / (h2_stream_movers(st) + 1);
    most = most > busy ? most : busy;
    return most > TURNS ? most : TURNS;
}

/* Returns the largest window that a stream of this link has doubled to, but at most useful_window,
 * and 0 while no window may grow. */
static uint32_t known_window(const struct h2_stream *st)
{
    const struct stream_host *h = st->host;
    uint64_t most = windows_may_grow(h) ? useful_window(st) : 0;
    return h->flow.learned < most ? h->flow.learned : (uint32_t)most;
}

/* Returns the window that a body is to have beside @others, because the line is long or because
 * other streams of the link have grown to it, which is @known. A stream with a smaller window than
 * others would get a smaller share of the line. */
static uint32_t common_window(const struct stream_host *h, uint32_t known, uint32_t others)
{
    uint32_t line = stream_host_line(h, stream_host_rate(h));
    return window_start(known, line, others, shared(h));
}

/* Returns the window that @st may have when it has used up the one that it has: twice as much, as
 * long as that is useful, or as much as others have. Returns 0 if it may have no more. */
static uint32_t next_window(const struct h2_stream *st)
{
    const struct stream_host *h = st->host;
    uint32_t movers = h2_stream_movers(st), twice = window_double(&st->flow.window);
    uint64_t share = window_share(movers > 0 ? movers - 1 : 0, shared(h));
    bool useful = movers <= 1 || st->flow.window.size < useful_window(st);
    uint32_t size = useful ? twice : fair_window(st);
    size = size < twice ? size : twice;
    return windows_may_grow(h) && size <= share ? size : 0;
}

/* Returns by how much all windows of nghttp2 will have changed when the peer has acknowledged every
 * SETTINGS: G20. */
static int32_t unacknowledged_step(const struct stream_host *h)
{
    uint32_t acknowledged =
        nghttp2_session_get_local_settings(h->ng, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    return (int32_t)(h->flow.initial - acknowledged);
}

/* Tells nghttp2 the size of the window: the peer has it at once, as SETTINGS go ahead of the
 * WINDOW_UPDATE, and nghttp2 with the acknowledgement of the last SETTINGS. */
static void tell_library(const struct h2_stream *st)
{
    int32_t size = (int32_t)st->flow.window.size - unacknowledged_step(st->host);
    nghttp2_session_set_local_window_size(st->host->ng, NGHTTP2_FLAG_NONE, st->id, size);
}

/* Returns the credit that nghttp2 keeps for padding, and the one that came before the
 * acknowledgement of SETTINGS. flow.kept is all other that was not given back. */
static int64_t rest_of_credit(const struct h2_stream *st)
{
    int64_t received = nghttp2_session_get_stream_effective_recv_data_length(st->host->ng, st->id);
    return received - (int64_t)st->reader.held - (int64_t)st->flow.kept;
}

/* Returns whether credit is to go back before half of the window is kept: a start is what the line
 * carries in a round trip, so its sender would wait for that. nghttp2 does not count well what is
 * given early from a window that was made smaller (G21). */
static bool is_early(const struct h2_stream *st)
{
    uint32_t part = st->flow.window.size / EARLY_PARTS;
    return st->flow.granted > 0 && st->flow.reduced == 0 && st->flow.owed == 0 &&
           st->flow.kept >= (part > EARLY_LEAST ? part : EARLY_LEAST);
}

/* Gives the credit back that is kept, if it is at least half of the window, or less on a long line
 * (G23). */
static void return_credit(struct h2_stream *st)
{
    size_t kept = st->flow.kept;
    int64_t rest = 0;
    if (kept > 0 && kept >= st->flow.window.size / 2)
        nghttp2_session_consume_stream(st->host->ng, st->id, kept);
    else if (is_early(st) && (rest = rest_of_credit(st)) >= 0) /* for padding, too */
        nghttp2_submit_window_update(st->host->ng, NGHTTP2_FLAG_NONE, st->id,
                                     (int32_t)((int64_t)kept + rest));
    else
        return;
    h2_stream_note_grant(st, kept);
    st->flow.kept = 0;
}

/* Enlarges the window; @now and window_resize say when its next round begins. Credit that was
 * withheld to make it smaller comes first: nghttp2 sends no WINDOW_UPDATE for it, but takes it for
 * bytes that are to be consumed (G21). */
static void grow_by(struct h2_stream *st, uint32_t size, uint32_t more, uint64_t now)
{
    uint32_t back = more < st->flow.reduced ? more : st->flow.reduced;
    uint32_t unpaid = back < st->flow.owed ? back : st->flow.owed;
    h2_stream_count_window(st, size);
    window_resize(&st->flow.window, size, now);
    h2_stream_note_grant(st, more);
    st->flow.reduced -= back;
    st->flow.owed -= unpaid;
    st->flow.kept += back - unpaid;
    tell_library(st);
    return_credit(st);
}

static void grow(struct h2_stream *st, uint32_t size, uint64_t now)
{
    grow_by(st, size, size - st->flow.window.size, now);
}

/* Only a window that was made smaller can be less than the one that is announced. */
void h2_stream_step_window(struct h2_stream *st, int64_t step)
{
    int64_t size = st->flow.window.size + step, least = stream_host_least(st->host);
    if (size < least) {
        grow_by(st, (uint32_t)least, (uint32_t)(least - size), 0);
        return;
    }
    h2_stream_count_window(st, (uint32_t)size);
    st->flow.window.size = (uint32_t)size;
    return_credit(st);
}

/* Counts @bytes of credit. The part that is owed is withheld for good. With the last part of it
 * nghttp2 is called in any case, because it may keep credit of its own for padding. */
static void count_credit(struct h2_stream *st, size_t bytes)
{
    uint32_t owed = st->flow.owed;
    uint32_t paid = bytes < owed ? (uint32_t)bytes : owed;
    st->flow.owed -= paid;
    st->flow.kept += bytes - paid;
    if (paid > 0 && paid == owed)
        nghttp2_session_consume_stream(st->host->ng, st->id, 0);
    return_credit(st);
}

/* ---- growth is earned */

/* Returns the window that @st is to have: the next one if it was @used up, or what other streams
 * have. Returns 0 if the window stays. */
static uint32_t wanted(const struct h2_stream *st, bool used)
{
    const struct stream_host *h = st->host;
    uint32_t next = used ? next_window(st) : 0;
    if (next > st->flow.window.size)
        return next;
    uint32_t movers = h2_stream_movers(st), others = movers > 0 ? movers - 1 : 0;
    uint32_t size = windows_may_grow(h) ? common_window(h, known_window(st), others) : 0;
    return size > st->flow.window.size ? size : 0;
}

/* Returns whether the reader's system has acknowledged enough for a larger window, if it is time to
 * ask. A reader that no kernel stands for has taken what was credited. */
static bool earned(struct h2_stream *st, bool wanted, uint64_t now)
{
    uint64_t taken;
    if (!window_asks(&st->flow.window, wanted))
        return false;
    if (!h2_stream_taken(st, &taken))
        return true;
    return window_earned(&st->flow.window, taken, now, st->host->flow.rtt_us);
}

void h2_stream_credit(struct leg *leg, size_t bytes)
{
    struct h2_stream *st = h2_stream_of(leg);
    struct stream_host *h = st->host;
    uint64_t now = loop_now_us(h->loop);
    h2_stream_give_back(st, bytes);
    st->reader.moved_us = now;
    if (h->over || st->reset.sent)
        return;
    bool used = window_credit(&st->flow.window, bytes, now, round_trip(st));
    uint32_t size = wanted(st, used);
    bool doubles = size == window_double(&st->flow.window);
    if (earned(st, size > 0, now) && size > 0) {
        grow(st, size, used ? now : 0);
        if (doubles && size > h->flow.learned)
            h->flow.learned = size;
    }
    count_credit(st, bytes);
    h2_stream_count_promise(st);
    stream_host_mark(h);
}

/* ---- starts: granted before the reader has earned anything */

void h2_stream_count_promise(struct h2_stream *st)
{
    struct stream_flow *f = &st->host->flow;
    uint64_t window = (uint64_t)st->flow.window.size + st->flow.owed;
    uint32_t granted = st->flow.granted, promised = 0;
    if (granted == 0 && st->flow.promised == 0)
        return;
    if (granted > window) /* it was made smaller, and that is paid */
        granted = (uint32_t)window;
    if (granted > st->reader.held)
        promised = granted - (uint32_t)st->reader.held;
    f->granted -= st->flow.granted - granted;
    f->promised = f->promised - st->flow.promised + promised;
    budget_promise(f->share, (int64_t)promised - st->flow.promised);
    st->flow.granted = granted;
    st->flow.promised = promised;
}

void h2_stream_forget_grant(struct h2_stream *st)
{
    struct stream_flow *f = &st->host->flow;
    f->granted -= st->flow.granted;
    f->promised -= st->flow.promised;
    budget_promise(f->share, -(int64_t)st->flow.promised);
    st->flow.granted = st->flow.promised = 0;
}

/* Returns how much may be granted at once: a quarter of either budget stays free if everything
 * comes that was promised, and half of the link's is kept for what is not granted, such as the
 * first windows of a crowd. */
static uint64_t grantable(const struct stream_host *h)
{
    const struct stream_flow *f = &h->flow;
    struct fill process = budget_promised_fill(f->share);
    struct fill link = {.used = f->fill.used + f->promised, .limit = f->fill.limit};
    uint64_t all = f->granted < link.limit / 2 ? link.limit / 2 - f->granted : 0;
    uint64_t in_link = fill_promisable(&link), in_process = fill_promisable(&process);
    uint64_t room = in_link < in_process ? in_link : in_process;
    return all < room ? all : room;
}

/* Returns the window that others have grown to, or 0 if a body has nobody to keep up with and the
 * line is known: a window grows beyond what the line needs. */
static uint32_t to_keep_up_with(const struct h2_stream *st)
{
    bool alone = st->host->flow.movers == 0;
    return alone && stream_host_learned(st->host) > 0 ? 0 : known_window(st);
}

/* Returns the window that @st starts with because other parties have as much, of which
 * WINDOW_LEARNED_MAX counts. */
static uint32_t fair_start(const struct h2_stream *st)
{
    const struct stream_host *h = st->host;
    uint32_t askers = h2_stream_askers(st), fair = fair_window(st);
    if (fair == 0 || !windows_may_grow(h))
        return 0;
    uint64_t share = window_share(askers > 0 ? askers - 1 : 0, shared(h));
    uint64_t most = share < WINDOW_LEARNED_MAX ? share : WINDOW_LEARNED_MAX;
    return fair < most ? fair : (uint32_t)most;
}

/* Opens the window of @st as far as the line is long or other streams have grown. Every open
 * request of its party counts as a body that gets the same, and every party as one with as many. */
static void start(struct h2_stream *st)
{
    struct stream_host *h = st->host;
    uint32_t askers = h2_stream_askers(st), now = st->flow.window.size;
    uint32_t size = common_window(h, to_keep_up_with(st), askers > 0 ? askers - 1 : 0);
    uint32_t fair = fair_start(st);
    uint64_t room = grantable(h);
    size = size > fair ? size : fair;
    if (size <= now || room == 0)
        return;
    uint32_t more = size - now < room ? size - now : (uint32_t)room;
    grow(st, now + more, 0);
    st->flow.granted += more;
    h->flow.granted += more;
    h2_stream_count_promise(st);
}

/* In a crowd, whose windows begin lower, a body has to show first that it is long; unless others
 * are the crowd. */
void h2_stream_start(struct h2_stream *st)
{
    struct stream_host *h = st->host;
    bool crowd = h->flow.initial < WINDOW_INITIAL && h2_stream_askers(st) > WINDOW_FEW;
    if (!st->connect && !st->bodiless && !crowd && st->leg.events)
        start(st);
}

/* Takes back the promise of what is beyond the length of the body: nghttp2 takes no longer one
 * (G10). */
static void keep_to_length(struct h2_stream *st, int64_t length)
{
    if (length == MESSAGE_LENGTH_UNKNOWN || length >= (int64_t)st->flow.granted)
        return;
    uint32_t granted = (uint32_t)length;
    st->host->flow.granted -= st->flow.granted - granted;
    st->flow.granted = granted;
    h2_stream_count_promise(st);
}

/* Counts what SETTINGS grant to an upload on a long line. */
static void count_first(struct h2_stream *st)
{
    if (st->flow.window.size <= WINDOW_INITIAL)
        return;
    st->flow.granted = st->flow.window.size - WINDOW_INITIAL;
    st->host->flow.granted += st->flow.granted;
    h2_stream_count_promise(st);
}

void h2_stream_open_window(struct h2_stream *st, const struct message *m, bool end)
{
    int64_t window = st->flow.window.size;
    if (!end && st->host->role == H2_SERVER)
        count_first(st);
    if (end)
        h2_stream_forget_grant(st);
    else if (m->length == MESSAGE_LENGTH_UNKNOWN || m->length > window)
        start(st);
    if (!end)
        keep_to_length(st, m->length);
}

/* ---- slow readers */

/* Gives the peer the rest of the credit, so that flow.kept is all that was not given back. */
static void return_rest(struct h2_stream *st)
{
    int64_t rest = rest_of_credit(st);
    if (st->flow.owed == 0 && rest > 0)
        nghttp2_submit_window_update(st->host->ng, NGHTTP2_FLAG_NONE, st->id, (int32_t)rest);
}

/* Takes the window of @st down to that of a new stream. The credit that the peer has cannot be
 * taken back (RFC 9113 6.9.1), so as much of the credit to come is owed, and withheld. */
static void shrink(struct h2_stream *st)
{
    uint32_t size = stream_host_least(st->host), less = st->flow.window.size - size;
    return_rest(st);
    h2_stream_count_window(st, size);
    window_resize(&st->flow.window, size, 0);
    tell_library(st);
    st->flow.reduced += less;
    uint32_t paid = st->flow.kept < less ? (uint32_t)st->flow.kept : less;
    st->flow.kept -= paid;
    st->flow.owed += less - paid;
    stream_host_mark(st->host);
}

/* Returns whether @st has to be looked at again. */
static bool look_at(struct h2_stream *st, uint64_t now, bool late)
{
    uint64_t taken;
    bool waits = st->reader.held > 0 && !st->reset.sent;
    if (st->flow.window.size <= stream_host_least(st->host))
        return false;
    if (window_slow_asks(&st->flow.window, waits && !late, now) && h2_stream_taken(st, &taken) &&
        window_slow(&st->flow.window, taken, now))
        shrink(st);
    return waits && st->flow.window.size > stream_host_least(st->host);
}

void stream_host_look_for_slow(struct stream_host *h, uint64_t now, bool late)
{
    bool again = false;
    if (!h->flow.looks)
        return;
    LIST_FOREACH (it, &h->streams)
        again |= look_at(CONTAINER_OF(it, struct h2_stream, node), now, late);
    h->flow.looks = again;
}
