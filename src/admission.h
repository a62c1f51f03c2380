/* SPDX-License-Identifier: MIT */
/* admission.h - opens, reads again and closes what says who may share: the tokens file.
 * protocol.md#tokens */
#ifndef SRC_ADMISSION_H
#define SRC_ADMISSION_H

#include "src/names/tokens.h"
#include "src/worker/server.h"

/* Reads the file of --tokens into @s. Without the option one line of the log says that everybody
 * may share. Returns 0, or ERR_SYNTAX with a sentence in @reason. */
int admission_open(struct server *s, char reason[static TOKENS_REASON_MAX]) MUSTCHECK;

/* Reads the file again, and logs what came of it. */
void admission_reload(struct server *s);

void admission_close(struct server *s);

#endif
