/* SPDX-License-Identifier: MIT */
/* page.h - the page of the board and its script. They hold nothing of the server: the script asks
 * for that. */
#ifndef SRC_BOARD_PAGE_H
#define SRC_BOARD_PAGE_H

#include "src/http/answer.h"

/* Makes @a the page, with a policy that allows its own script and styles alone. */
void page_answer(struct answer *a);
struct slice page_script(void);

#endif
