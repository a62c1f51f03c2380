/* SPDX-License-Identifier: MIT */
/* peer_sign.h - judges by what the kernel knows of a TCP connection whether its peer is gone. Pure.
 *
 * A peer that lives and reads nothing is never gone: its system answers each probe of the zero
 * window (RFC 9293 3.8.6.1), and an answer resets the kernel's count of probes. TCP_USER_TIMEOUT
 * and the kernel's own limit take no account of that. */
#ifndef H2MUX_IO_PEER_SIGN_H
#define H2MUX_IO_PEER_SIGN_H

#include <stdbool.h>
#include <stdint.h>

enum { PEER_LOOK_MS = 10 * 1000 };

/* What TCP_INFO says (tcp(7)). */
struct peer_sign {
    unsigned retransmits; /* of the oldest bytes, without an acknowledgement since */
    unsigned probes;      /* likewise: of a window of zero */
    uint64_t quiet_ms;    /* since the peer's last acknowledgement, of bytes or of a probe */
};

/* Returns whether something is amiss: the oldest bytes were sent four times, or two probes have no
 * answer. */
bool peer_sign_is_bad(const struct peer_sign *s);

/* Returns how long the peer has kept silent for bytes of ours. @waiting_ms is the time since a look
 * found nothing amiss, or since the bytes were sent. */
uint64_t peer_sign_silence_ms(const struct peer_sign *s, uint64_t waiting_ms);

/* Returns when to look next, after a look that found @silence_ms. @timeout_ms is the silence after
 * which a peer is gone. */
uint64_t peer_sign_next_ms(uint64_t silence_ms, uint64_t timeout_ms);

#endif
