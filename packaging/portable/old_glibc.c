/* SPDX-License-Identifier: MIT */
/* old_glibc.c - functions that Debian's static libraries call and that glibc has from 2.36 on. A
 * portable program runs with 2.34. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

uint32_t arc4random(void);
void arc4random_buf(void *out, size_t size);
uint32_t arc4random_uniform(uint32_t bound);

/* Fills @out with random bytes. The end of the process is better than bytes that can be guessed. */
void arc4random_buf(void *out, size_t size)
{
    unsigned char *at = out;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno != EINTR)
            abort();
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

uint32_t arc4random(void)
{
    uint32_t n;
    arc4random_buf(&n, sizeof n);
    return n;
}

/* Returns a number below @bound, each as likely as the others. */
uint32_t arc4random_uniform(uint32_t bound)
{
    uint32_t n, least = bound > 1 ? -bound % bound : 0; /* 2^32 mod bound */
    do
        n = arc4random();
    while (n < least);
    return bound > 1 ? n % bound : 0;
}
