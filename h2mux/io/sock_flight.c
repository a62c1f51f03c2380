/* SPDX-License-Identifier: MIT */
/* sock_flight.c - asks the kernel how many bytes of a sock are under way, and how long its line
 * is. */
#include "h2mux/base/kernel.h"
#include "h2mux/io/sock_int.h"

bool sock_flight(const struct sock *s, struct sock_flight *out)
{
    int waiting = s->fd < 0 ? -1 : kernel_unacknowledged(s->fd);
    if (waiting < 0 || kernel_tcp_trip(s->fd, &out->rtt_us, &out->least_us) < 0)
        return false;
    out->bytes = (uint64_t)waiting;
    out->acked = s->tx.total - out->bytes;
    return true;
}
