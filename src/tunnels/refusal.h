/* SPDX-License-Identifier: MIT */
/* refusal.h - makes the refusals that register and attach have in common. A refusal because of the
 * viewer's address is logged at most once a second. protocol.md#register-refusals,
 * protocol.md#attach-refusals */
#ifndef SRC_TUNNELS_REFUSAL_H
#define SRC_TUNNELS_REFUSAL_H

#include "src/http/answer.h"
#include "src/http/trust.h"
#include "src/names/tokens.h"
#include "src/worker/worker.h"

/* Refuses a bad ticket with 403 and @message. If @forged is set, the ticket has not merely expired,
 * and counts against the viewer's address. When the quota of that address is used up, the answer is
 * 429. */
void refusal_bad_ticket(struct answer *a, struct worker *w, const struct viewer *v, bool forged,
                        const char *message);

/* Refuses a register call because of its token: 401 `token_required`, or 403. TOKEN_UNKNOWN counts
 * against the viewer's address as a forged ticket does. @verdict is not TOKEN_GOOD. */
void refusal_token(struct answer *a, struct worker *w, const struct viewer *v,
                   enum token_verdict verdict);

/* Refuses, with 429, a new name for a token that holds as many as it may. */
void refusal_too_many_of_token(struct answer *a);

/* Refuses, with 409, a domain that another name has. */
void refusal_domain_taken(struct answer *a);

/* Takes the domain that @f asks for (Oneport-Domain) into @out, in lower case; an empty text when
 * it asks for none. Judges whether the token @id permits it. */
enum token_verdict domain_wanted(const struct fields *f, struct tokens *tokens, struct slice id,
                                 char out[static TOKEN_HOST_MAX + 1]) MUSTCHECK;

/* Refuses, with 409, a name that another owner holds or has reserved, and says until when: for
 * @retry_after_s seconds, if the name does not come back before. */
void refusal_name_taken(struct answer *a, unsigned retry_after_s);

/* Refuses, with 429, a new name for an address that holds the most names that an address may. */
void refusal_too_many_names(struct answer *a, struct worker *w, const struct viewer *v);

/* Refuses, with 429, a register call of an address that has made too many such calls. The client
 * may try again after @retry_after_s. */
void refusal_too_many_registers(struct answer *a, struct worker *w, const struct viewer *v,
                                unsigned retry_after_s);

/* Refuses, with 403, the viewer @v or the name @name that the operator has shut out, and says until
 * when. Returns whether it did; without a ban @a stays as it is. @name may be empty: a random
 * one. */
bool refusal_banned(struct answer *a, struct worker *w, struct slice name, const struct viewer *v);

/* Refuses, with 503, a new name because the process holds DIRECTORY_MAX names. */
void refusal_full(struct answer *a, unsigned retry_after_s);

#endif
