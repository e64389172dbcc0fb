/* tandem - the front door: finds the command and hands over. */
#include "tools/cmd.h"

#include "sim/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TANDEM_VERSION "0.1"

static void tandem_help(FILE *f)
{
    fprintf(f, "Usage: tandem COMMAND [OPTION...] [FILE...]\n"
               "Predict how an LLM serving cluster performs before it is "
               "built or configured.\n\nCommands:\n");
    for (const struct cmd *const *c = cmd_table; *c; c++)
        fprintf(f, "  %-10s %s\n", (*c)->name, (*c)->what);
    fprintf(f, "\n`tandem COMMAND --help` prints the options of a command.\n\n"
               "Exit status: 0 done, 1 the answer is no, 2 usage, 3 bad input, "
               "4 absent\n(device, store, endpoint, package), 5 system.\n");
}

static int tandem_unknown(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (const struct cmd *const *c = cmd_table; *c && n < 63; c++)
        names[n++] = (*c)->name;
    names[n] = NULL;
    const char *near = str_nearest(name, names);
    fprintf(stderr, "tandem: unknown command \"%s\"%s%s%s; see tandem --help\n",
            name, near ? ", did you mean \"" : "", near ? near : "",
            near ? "\"?" : "");
    return ERR_USAGE;
}

int main(int argc, char **argv)
{
    char name[64];
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like any other */
    argp_err_exit_status = ERR_USAGE;
    if (argc < 2) {
        tandem_help(stderr);
        return ERR_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        tandem_help(stdout);
        return fflush(stdout) == 0 ? 0 : ERR_SYSTEM;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("tandem %s\n", TANDEM_VERSION);
        return fflush(stdout) == 0 ? 0 : ERR_SYSTEM;
    }
    for (const struct cmd *const *c = cmd_table; *c; c++)
        if (strcmp((*c)->name, argv[1]) == 0) {
            snprintf(name, sizeof name, "tandem %s", argv[1]);
            argv[1] = name;
            return (*c)->run(argc - 1, argv + 1);
        }
    return tandem_unknown(argv[1]);
}
