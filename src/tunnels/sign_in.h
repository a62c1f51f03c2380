/* SPDX-License-Identifier: MIT */
/* sign_in.h - lets a request wait until the password of its viewer was checked, on the helper's
 * thread. Meanwhile its exchange is HELD, and no tunnel knows it. http-rules.md#policies */
#ifndef SRC_TUNNELS_SIGN_IN_H
#define SRC_TUNNELS_SIGN_IN_H

#include "src/policies/login.h"
#include "src/tunnels/exchange.h"

enum { SIGN_INS_MAX = 64 }; /* checks that may wait or be under way */

/* Makes the pool of the checks of the process, for server->sign_ins. Its places are shared by
 * viewers and by names; those that wait may be given up (http-rules.md#pools). */
struct commons *sign_in_pool_new(void) MUSTCHECK;

/* Starts the exchange @x with the tunnel @t when the password of @look is good; ends it by
 * exchange_refuse when it is not, when the tunnel is guarded in another way by then, or when there
 * is no place for it. A password that is being checked already is not checked twice. @x may be over
 * when the call returns. */
void sign_in_start(struct exchange *x, const struct tunnel *t, const struct login_look *look);

#endif
