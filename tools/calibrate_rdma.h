/* calibrate_rdma - `calibrate rdma`: measures an RDMA path from both ends, and
 * makes a wire card of what it found. */
#ifndef TOOLS_CALIBRATE_RDMA_H
#define TOOLS_CALIBRATE_RDMA_H

/* argv[0] is the whole name for the usage line; returns an exit code. */
int calibrate_rdma(int argc, char **argv);

#endif
