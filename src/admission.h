/* SPDX-License-Identifier: MIT */
/* admission.h - opens, reads again and closes what says who may share, and how: the files of tokens
 * and of their policies.
 * protocol.md#tokens */
#ifndef SRC_ADMISSION_H
#define SRC_ADMISSION_H

#include "src/names/tokens.h"
#include "src/worker/server.h"

/* Reads the files of --policies and --tokens into @s. Without the latter one line of the log says
 * that everybody may share. Returns 0, or ERR_SYNTAX with a sentence in @reason. */
int admission_open(struct server *s, char reason[static TOKENS_REASON_MAX]) MUSTCHECK;

/* Reads the files again, and logs what came of it. Puts both in place, or neither. */
void admission_reload(struct server *s);

void admission_close(struct server *s);

#endif
