/* SPDX-License-Identifier: MIT */
/* check.h - checks of invariants, compiled in with -DCHECK=1 (make CHECK=1; on under asan, tsan and
 * fuzz).
 *
 * A module that states invariants has a function `x_check(const struct x *)` which tests each of
 * them with CHECK_THAT. Callers write `if (CHECKING) x_check(x);` where the state has just changed.
 * Without CHECK neither costs anything. An assert() is for what release has to test too. */
#ifndef H2MUX_BASE_CHECK_H
#define H2MUX_BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#if defined CHECK && CHECK
enum { CHECKING = 1 };
#else
enum { CHECKING = 0 };
#endif

/* Prints where and which invariant is broken, and aborts. */
static inline _Noreturn void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
    abort();
}

/* Aborts unless @cond holds. Evaluates nothing when CHECKING is 0; the compiler still reads the
 * condition, so that it cannot rot. */
#define CHECK_THAT(cond)                                                                           \
    do {                                                                                           \
        if (CHECKING && !(cond))                                                                   \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

#endif
