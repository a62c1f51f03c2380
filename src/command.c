/* SPDX-License-Identifier: MIT */
/* command.c - see command.h. */
#include "src/command.h"

#include <stddef.h>
#include <string.h>

#include "src/ctl_command.h"
#include "src/names_command.h"
#include "src/token_command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"ctl", ctl_command_run},
    {"names", names_command_run},
    {"token", token_command_run},
};

int command_run(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return COMMAND_NONE;
}
