/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. */
#include "src/stage.h"

int stage_run(const struct stage *stages, size_t count, void *program)
{
    size_t begun = 0;
    int status = 0;
    while (begun < count && status == 0) {
        const struct stage *s = &stages[begun++];
        if (s->start)
            status = s->start(program);
    }
    while (begun > 0) {
        const struct stage *s = &stages[--begun];
        if (s->stop)
            s->stop(program);
    }
    return status;
}
