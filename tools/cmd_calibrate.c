/* tandem calibrate: hands over to what measures one kind of hardware. */
#include "tools/calibrate_rdma.h"
#include "tools/cmd.h"

#if __has_include("tools/calibrate_gpu.h")
#include "tools/calibrate_gpu.h"
#define WITH_GPU 1
#else
#define WITH_GPU 0
#endif

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} verbs[] = {
#if WITH_GPU
    {"gpu", "times kernels on a GPU", calibrate_gpu},
#endif
    {"rdma", "times transfers between two hosts", calibrate_rdma},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void calibrate_help(FILE *f)
{
    fprintf(f, "Usage: tandem calibrate WHAT [OPTION...]\n"
               "Measure this hardware, for laws that predict with it.\n\n");
    for (int i = 0; i < VERBS; i++)
        fprintf(f, "  %-6s %s\n", verbs[i].name, verbs[i].what);
    fprintf(f, "\n`tandem calibrate WHAT --help` prints its options.\n");
}

static int calibrate_main(int argc, char **argv)
{
    char name[64];
    if (argc > 1
        && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
        calibrate_help(stdout);
        return fflush(stdout) == 0 ? 0 : ERR_SYSTEM;
    }
    for (int i = 0; argc > 1 && i < VERBS; i++)
        if (strcmp(verbs[i].name, argv[1]) == 0) {
            snprintf(name, sizeof name, "%s %s", argv[0], argv[1]);
            argv[1] = name;
            return verbs[i].run(argc - 1, argv + 1);
        }
    if (argc > 1)
        fprintf(stderr, "tandem: calibrate: unknown \"%s\"\n", argv[1]);
    calibrate_help(stderr);
    return ERR_USAGE;
}

const struct cmd cmd_calibrate = {"calibrate", "measure hardware",
                                  calibrate_main};
