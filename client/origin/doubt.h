/* SPDX-License-Identifier: MIT */
/* doubt.h - says which answers may mean that the local service refuses the name by which it was
 * asked. Development servers and frameworks do so to keep foreign pages out (DNS rebinding). Only
 * asking by another name can prove it; this says whether that is worth a try. Pure.
 *
 * An answer of 400 or 403 is looked at when its text can be read: it names the host that it was
 * asked for, or is one of those that are known. The known ones were seen with Vite 8, webpack's
 * server 5, Next.js 16, JupyterLab 4 and Django 6, or are what Rails, Symfony, Starlette and
 * ASP.NET say. */
#ifndef CLIENT_ORIGIN_DOUBT_H
#define CLIENT_ORIGIN_DOUBT_H

#include "h2mux/http/message.h"

enum doubt {
    DOUBT_NONE,   /* the answer is about something else */
    DOUBT_SILENT, /* it gives no reason that can be read */
    DOUBT_READ    /* its text says so, as far as a text can */
};

/* Returns whether the answer with the head @m may be a refusal, so that its body is worth keeping.
 */
bool doubt_may_be(const struct message *m) MUSTCHECK;

/* Judges the answer with the head @m and the whole body @body to a request for @authority. */
enum doubt doubt_judge(const struct message *m, struct slice body,
                       struct slice authority) MUSTCHECK;

#endif
