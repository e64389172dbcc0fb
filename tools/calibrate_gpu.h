/* calibrate_gpu - `calibrate gpu`: times an engine's operators on a GPU, into
 * tables that `fit` makes laws of, and into the store. */
#ifndef TOOLS_CALIBRATE_GPU_H
#define TOOLS_CALIBRATE_GPU_H

/* argv[0] is the whole name for the usage line; returns an exit code. */
int calibrate_gpu(int argc, char **argv);

#endif
