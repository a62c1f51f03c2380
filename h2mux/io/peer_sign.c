/* SPDX-License-Identifier: MIT */
/* peer_sign.c - see peer_sign.h. */
#include "h2mux/io/peer_sign.h"

enum { RETRANSMITS = 3, PROBES = 2, SHORT_MS = 20 };

bool peer_sign_is_bad(const struct peer_sign *s)
{
    return s->retransmits >= RETRANSMITS || s->probes >= PROBES;
}

uint64_t peer_sign_silence_ms(const struct peer_sign *s, uint64_t waiting_ms)
{
    return s->quiet_ms < waiting_ms ? s->quiet_ms : waiting_ms;
}

uint64_t peer_sign_next_ms(uint64_t silence_ms, uint64_t timeout_ms)
{
    uint64_t look = timeout_ms / 3 < PEER_LOOK_MS ? timeout_ms / 3 : PEER_LOOK_MS;
    uint64_t left = timeout_ms > silence_ms ? timeout_ms - silence_ms : 0;
    uint64_t ms = left > 0 && left < look ? left : look;
    return ms > SHORT_MS ? ms : SHORT_MS;
}
