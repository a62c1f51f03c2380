/* SPDX-License-Identifier: MIT */
/* token_command.h - runs `oneportd token`: makes a token, lists and revokes tokens, and checks the
 * tokens file. A change replaces the file as a whole, with its owner and mode, and leaves all other
 * lines as they are. protocol.md#tokens */
#ifndef SRC_TOKEN_COMMAND_H
#define SRC_TOKEN_COMMAND_H

/* Runs the command. @argv[0] is "token". Returns the exit code: 0, or 1 after a line on standard
 * error. */
int token_command_run(int argc, char **argv);

#endif
