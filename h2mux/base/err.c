/* SPDX-License-Identifier: MIT */
/* err.c - returns the texts of the error codes, which the table in err.h holds. */
#include "h2mux/base/err.h"

#include <errno.h>

#define ERR_CASE(name, value, text)                                                                \
    case name:                                                                                     \
        return text;

const char *err_text(int err)
{
    switch (err) {
    case ERR_OK:
        return "ok";
        ERR_TABLE(ERR_CASE)
    }
    return "unknown error";
}

bool errno_is_shortage(int e)
{
    switch (e) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
        return true;
    default:
        return false;
    }
}
