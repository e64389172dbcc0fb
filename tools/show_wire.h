/* show_wire - runs a scenario's topology once, and says where its KV transfers
 * waited and for what. */
#ifndef TOOLS_SHOW_WIRE_H
#define TOOLS_SHOW_WIRE_H

#include "tools/cmd.h"

bool show_wire(struct cmd_session *s, const char *path, struct err *e);

#endif
