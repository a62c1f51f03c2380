/* tunnel.c - see tunnel.h.
 *
 *                ┌────────────── 401, 404, bad ticket ──────────────┐
 *                ▼                                                  │
 *   START ─▶ REGISTERING ──granted──▶ ATTACHING ──acked──▶ UP ──lost┤
 *                │  ▲                    │  ▲                       │
 *                ▼  │                    ▼  └──── PAUSING ◀─────────┘
 *              PAUSING (backoff)       PAUSING
 *
 *   any ──tunnel_leave──▶ LEAVING ──▶ OVER      UP ──taken over──▶ LEAVING ──streams done──▶ OVER
 *
 * UP stays the state while links that drain finish beside the current one (make before break).
 * Until a URL was shown, what cannot get better ends the program; from then on everything is
 * retried, because viewers know the URL.
 *
 * Invariants: link is the newest, attaching or up; `call` is set iff REGISTERING; the retry timer
 * is armed iff PAUSING. */
#include "client/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/backoff.h"
#include "client/holding.h"
#include "h2mux/base/log.h"

enum { OLD_LINKS_MAX = 8, INSTANCE_OCTETS = 16 };

enum tunnel_state {
    TUNNEL_START,
    TUNNEL_REGISTERING,
    TUNNEL_ATTACHING,
    TUNNEL_UP,
    TUNNEL_PAUSING,
    TUNNEL_LEAVING,
    TUNNEL_OVER
};

struct tunnel {
    struct tunnel_options o;
    enum tunnel_state state;
    enum exit_code code; /* of LEAVING */
    char instance[2 * INSTANCE_OCTETS + 1];
    struct holding holding;
    struct register_call *call;      /* weak: it ends with its answer */
    struct link *link;               /* owned until it tells its end */
    struct link *old[OLD_LINKS_MAX]; /* owned likewise: draining; NULL: free slot */
    struct backoff backoff;
    uint64_t retries; /* since the link was last up */
    struct timer retry, leave;
};

static const struct register_ops register_ops;
static const struct link_ops link_ops;

/* ---- the end
 * ------------------------------------------------------------------------------------------------------------
 */

static void stop_working(struct tunnel *t)
{
    timer_stop(&t->retry);
    timer_stop(&t->leave);
    register_cancel(t->call);
    t->call = NULL;
    holding_stop_renewing(&t->holding);
}

static void close_links(struct tunnel *t)
{
    link_close(t->link);
    t->link = NULL;
    for (size_t i = 0; i < OLD_LINKS_MAX; i++) {
        link_close(t->old[i]);
        t->old[i] = NULL;
    }
}

static void finish(struct tunnel *t, enum exit_code code)
{
    if (t->state == TUNNEL_OVER)
        return;
    t->state = TUNNEL_OVER;
    stop_working(t);
    close_links(t);
    t->o.on_exit(t->o.user, code);
}

static bool all_idle(const struct tunnel *t)
{
    if (t->link && !link_is_idle(t->link))
        return false;
    for (size_t i = 0; i < OLD_LINKS_MAX; i++)
        if (t->old[i] && !link_is_idle(t->old[i]))
            return false;
    return true;
}

static void begin_leaving(struct tunnel *t, enum exit_code code)
{
    t->state = TUNNEL_LEAVING;
    t->code = code;
    stop_working(t);
    if (t->link && !link_is_up(t->link)) {
        link_close(t->link);
        t->link = NULL;
    }
}

/* ---- trying, and trying again
 * -------------------------------------------------------------------------------------------- */

static void attach(struct tunnel *t)
{
    struct link_options o = {
        .env = t->o.env,
        .exchanges = t->o.exchanges,
        .instance = t->instance,
        .h2 = t->o.h2,
    };

    t->state = TUNNEL_ATTACHING;
    t->link = link_open(&o, &t->holding.grant.attach, t->holding.ticket, &link_ops, t);
}

static void do_register(struct tunnel *t)
{
    struct register_ask ask = holding_ask(&t->holding);

    t->state = TUNNEL_REGISTERING;
    t->call = register_start(t->o.env, t->o.server, &ask, &register_ops, t);
}

/* The ticket is enough to attach; only without one, or when it was no good, is the name asked for.
 */
static void proceed(struct tunnel *t)
{
    if (holding_can_attach(&t->holding))
        attach(t);
    else
        do_register(t);
}

static void run_retry(void *user)
{
    proceed(user);
}

static uint32_t roll_dice(void)
{
    uint32_t dice = 0;

    if (getentropy(&dice, sizeof(dice)) < 0)
        return UINT32_MAX / 2;
    return dice;
}

static void pause_and_retry(struct tunnel *t, uint64_t at_least_ms, const char *step,
                            const char *reason)
{
    uint64_t ms = backoff_next_ms(&t->backoff, loop_now_us(t->o.env->loop), roll_dice());

    if (t->o.max_retries > 0 && t->retries >= t->o.max_retries) {
        LOG(ERROR, "giving up", "server=%s step=%s reason=%s retries=%llu", t->holding.server, step,
            log_value(slice_str(reason)), (unsigned long long)t->retries);
        finish(t, EXIT_RETRIES);
        return;
    }
    t->retries++;
    ms = ms > at_least_ms ? ms : at_least_ms;
    LOG(WARN, "not connected, trying again", "server=%s step=%s reason=%s in_ms=%llu",
        t->holding.server, step, log_value(slice_str(reason)), (unsigned long long)ms);
    t->state = TUNNEL_PAUSING;
    timer_arm(&t->retry, ms);
}

/* A failure of network or TLS. */
static void handle_failure(struct tunnel *t, const char *step, int err, const char *reason)
{
    if (err == ERR_CERT && !terminal_has_url(t->o.terminal)) {
        LOG(ERROR, "server certificate refused", "step=%s server=%s reason=%s", step,
            t->holding.server, log_value(slice_str(reason)));
        finish(t, EXIT_CERTIFICATE);
        return;
    }
    pause_and_retry(t, 0, step, reason);
}

static bool is_passing(const struct refusal *r)
{
    return r->status >= 500 || r->status == 408 || r->status == 425 || r->status == 429;
}

static void log_refusal(const struct tunnel *t, const char *step, const struct refusal *r)
{
    const char *name = t->o.name ? t->o.name : "-";

    if (refusal_is_redirect(r))
        LOG(ERROR, "server redirects, which is not followed",
            "server=%s step=%s status=%d location=%s", t->holding.server, step, r->status,
            log_value(slice_str(r->location)));
    else
        LOG(ERROR, "server refuses", "name=%s server=%s step=%s status=%d error=%s message=%s",
            name, t->holding.server, step, r->status, log_value(slice_str(r->error)),
            log_value(slice_str(r->message)));
}

static void handle_refusal(struct tunnel *t, const char *step, const struct refusal *r)
{
    char reason[128];

    if (!is_passing(r) && !terminal_has_url(t->o.terminal)) {
        log_refusal(t, step, r);
        finish(t, EXIT_REFUSED);
        return;
    }
    snprintf(reason, sizeof(reason), "%d %s", r->status, r->error);
    pause_and_retry(t, r->retry_after_ms, step, reason);
}

/* ---- registering
 * ------------------------------------------------------------------------------------------------------------
 */

static void on_granted(void *user, const struct grant *g)
{
    struct tunnel *t = user;

    t->call = NULL;
    holding_take(&t->holding, g);
    LOG(INFO, "name granted", "name=%s server=%s", g->id, t->holding.server);
    attach(t);
}

static void on_register_refused(void *user, const struct refusal *r)
{
    struct tunnel *t = user;

    t->call = NULL;
    if (t->holding.ticket && r->status == 403 && strcmp(r->error, "bad_ticket") == 0) {
        holding_drop_ticket(&t->holding);
        do_register(t);
        return;
    }
    handle_refusal(t, "register", r);
}

static void on_register_failed(void *user, const char *step, int err, const char *reason)
{
    struct tunnel *t = user;

    t->call = NULL;
    handle_failure(t, step, err, reason);
}

static const struct register_ops register_ops = {
    .on_granted = on_granted,
    .on_refused = on_register_refused,
    .on_failed = on_register_failed,
};

/* ---- links
 * --------------------------------------------------------------------------------------------------------------------
 */

static bool is_current(const struct tunnel *t, const struct link *l)
{
    return t->link == l;
}

static void forget_link(struct tunnel *t, const struct link *l)
{
    if (t->link == l)
        t->link = NULL;
    for (size_t i = 0; i < OLD_LINKS_MAX; i++)
        if (t->old[i] == l)
            t->old[i] = NULL;
}

/* It finishes beside its successor. With no slot free the one in the last goes: a server that
 * drains so often gains nothing by it. */
static void set_aside(struct tunnel *t, struct link *l)
{
    size_t i = 0;

    while (i < OLD_LINKS_MAX - 1 && t->old[i])
        i++;
    link_close(t->old[i]);
    t->old[i] = l;
    t->link = NULL;
    holding_stop_renewing(&t->holding);
}

static void close_idle_links(struct tunnel *t)
{
    for (size_t i = 0; i < OLD_LINKS_MAX; i++) {
        if (!t->old[i] || !link_is_idle(t->old[i]))
            continue;
        link_close(t->old[i]);
        t->old[i] = NULL;
    }
}

static void on_link_up(void *user, struct link *l)
{
    struct tunnel *t = user;

    t->state = TUNNEL_UP;
    t->retries = 0;
    backoff_up(&t->backoff, loop_now_us(t->o.env->loop));
    LOG(INFO, "link up", "name=%s attach=%s", t->holding.grant.id,
        t->holding.grant.attach.authority);
    terminal_show_url(t->o.terminal, t->holding.grant.url);
    holding_renew_in_time(&t->holding);
    close_idle_links(t);
}

/* 401 and 404: the server has forgotten us, or the ticket's time is over: register tells. */
static void on_link_refused(void *user, struct link *l, const struct refusal *r)
{
    struct tunnel *t = user;

    forget_link(t, l);
    if (r->status == 401 || r->status == 404)
        holding_forget_grant(&t->holding);
    if (r->status == 403 && strcmp(r->error, "bad_ticket") == 0)
        holding_drop_ticket(&t->holding);
    if (r->status == 404)
        pause_and_retry(t, r->retry_after_ms, "attach", "404");
    else
        handle_refusal(t, "attach", r);
}

static void say_taken_over(struct tunnel *t, enum link_farewell why)
{
    LOG(ERROR, "name lost", "name=%s reason=%s", t->holding.grant.id,
        why == LINK_TAKEN_OVER ? "another client took it over with the same ticket"
                               : "another owner holds it");
}

static void on_link_goaway(void *user, struct link *l)
{
    struct tunnel *t = user;
    enum link_farewell why = link_goaway_reason(l);

    if (t->state == TUNNEL_LEAVING || !is_current(t, l))
        return;
    set_aside(t, l);
    if (why == LINK_DRAINING) {
        proceed(t);
        return;
    }
    say_taken_over(t, why);
    begin_leaving(t, EXIT_REFUSED);
    if (all_idle(t))
        finish(t, EXIT_REFUSED);
}

static void on_link_idle(void *user, struct link *l)
{
    struct tunnel *t = user;

    if (t->state == TUNNEL_LEAVING && all_idle(t))
        finish(t, t->code);
    else if (t->state == TUNNEL_UP && !is_current(t, l))
        close_idle_links(t);
}

static void on_link_down(void *user, struct link *l, const char *step, int err, const char *reason)
{
    struct tunnel *t = user;
    bool current = is_current(t, l);

    forget_link(t, l);
    if (t->state == TUNNEL_LEAVING) {
        if (all_idle(t))
            finish(t, t->code);
    } else if (current) {
        holding_stop_renewing(&t->holding);
        handle_failure(t, step, err, reason);
    } else {
        LOG(INFO, "old link ended", "reason=%s", log_value(slice_str(reason)));
    }
}

static const struct link_ops link_ops = {
    .on_up = on_link_up,
    .on_refused = on_link_refused,
    .on_goaway = on_link_goaway,
    .on_idle = on_link_idle,
    .on_down = on_link_down,
};

/* ---- for main
 * --------------------------------------------------------------------------------------------------------------------
 */

static void run_leave(void *user)
{
    struct tunnel *t = user;

    finish(t, t->code);
}

static int make_instance(char to[static 2 * INSTANCE_OCTETS + 1])
{
    unsigned char octets[INSTANCE_OCTETS];

    if (getentropy(octets, sizeof(octets)) < 0)
        return ERR_IO;
    for (size_t i = 0; i < sizeof(octets); i++)
        snprintf(to + 2 * i, 3, "%02x", octets[i]);
    return 0;
}

struct tunnel *tunnel_new(const struct tunnel_options *o)
{
    struct tunnel *t = xcalloc(1, sizeof(*t));

    if (make_instance(t->instance) < 0) {
        free(t);
        return NULL;
    }
    t->o = *o;
    struct holding_options holding = {
        .env = o->env, .server = o->server, .name = o->name, .ticket_file = o->ticket_file};
    holding_init(&t->holding, &holding);
    timer_init(&t->retry, o->env->loop, run_retry, t);
    timer_init(&t->leave, o->env->loop, run_leave, t);
    return t;
}

void tunnel_free(struct tunnel *t)
{
    if (!t)
        return;
    stop_working(t);
    close_links(t);
    holding_deinit(&t->holding);
    free(t);
}

void tunnel_start(struct tunnel *t)
{
    do_register(t);
}

void tunnel_leave(struct tunnel *t)
{
    if (t->state == TUNNEL_OVER)
        return;
    begin_leaving(t, EXIT_STOPPED);
    if (t->link)
        link_goaway(t->link);
    for (size_t i = 0; i < OLD_LINKS_MAX; i++)
        if (t->old[i])
            link_goaway(t->old[i]);
    timer_arm(&t->leave, t->o.leave_ms);
    if (exchanges_ordinary(t->o.exchanges) == 0)
        finish(t, EXIT_STOPPED);
}

void tunnel_quiet(struct tunnel *t)
{
    if (t->state == TUNNEL_LEAVING && t->code == EXIT_STOPPED)
        finish(t, EXIT_STOPPED);
}
