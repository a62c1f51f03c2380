/* SPDX-License-Identifier: MIT */
/* check.h - checks invariants in builds with -DCHECK=1 (make CHECK=1; always in the variants asan,
 * tsan and fuzz).
 *
 * A module that states invariants has a function `x_check(const struct x *)`, which tests each
 * invariant with CHECK_THAT. Callers write `if (CHECKING) x_check(x);` after the state has changed.
 * Without CHECK=1 the checks cost nothing. An assert() tests what release builds have to test,
 * too. */
#ifndef H2MUX_BASE_CHECK_H
#define H2MUX_BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#if defined CHECK && CHECK
enum { CHECKING = 1 };
#else
enum { CHECKING = 0 };
#endif

/* Prints the place and the broken invariant to standard error, and aborts. */
static inline _Noreturn void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
    abort();
}

/* Aborts unless @cond is true. Evaluates nothing without CHECK=1; the compiler still reads the
 * condition, so that a condition which no longer compiles is noticed. */
#define CHECK_THAT(cond)                                                                           \
    do {                                                                                           \
        if (CHECKING && !(cond))                                                                   \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

#endif
