/* SPDX-License-Identifier: MIT */
/* sign_in.h - lets a request wait until the password of its viewer was checked, on the helper's
 * thread. Meanwhile its exchange is HELD, and no tunnel knows it. http-rules.md#policies */
#ifndef SRC_TUNNELS_SIGN_IN_H
#define SRC_TUNNELS_SIGN_IN_H

#include "src/policies/login.h"
#include "src/tunnels/exchange.h"

/* Starts the exchange @x with the tunnel @t when the password of @look is good; ends it by
 * exchange_refuse when it is not, when the tunnel is guarded in another way by then, or when too
 * many wait. @x may be over when the call returns. */
void sign_in_start(struct exchange *x, const struct tunnel *t, const struct login_look *look);

#endif
