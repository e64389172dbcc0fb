/* side - the TCP channel between the two ends of a ladder: who they are, which
 * queue pairs belong together, whose turn it is.  No measured byte goes there.
 * Both ends begin with a hello that holds SIDE_VERSION; then frames of a kind
 * and at most SIDE_BYTES bytes, numbers in network order.  A failure of one end
 * is told to the other as a sentence and comes out of its side_get.
 * A peer that hangs up or does not answer is ERR_ABSENT, one that speaks
 * another version or no version ERR_INPUT.  One thread a channel. */
#ifndef CALIBRATE_RDMA_SIDE_H
#define CALIBRATE_RDMA_SIDE_H

#include "sim/base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIDE_VERSION = 1, /* of frames and their meaning */
    SIDE_BYTES = 4096,
    SIDE_PORT = 18515, /* what RDMA examples use */
};

enum side_kind { /* on the wire: never renumbered */
                 SIDE_HELLO = 1,
                 SIDE_SORRY, /* a sentence: the sender gives up */
                 SIDE_PORTS, /* the peer's ports */
                 SIDE_OPEN,  /* open a lane */
                 SIDE_ENDS,  /* an end of a lane */
                 SIDE_JOIN,
                 SIDE_OK,
                 SIDE_FILL, /* write a pattern into the lane's memory */
                 SIDE_SUM,  /* the checksum of the lane's memory */
                 SIDE_RUN,  /* move, until told to stop */
                 SIDE_STOP,
                 SIDE_TOOK,
                 SIDE_CLOSE, /* a lane */
                 SIDE_BYE,
};

struct side {
    int fd; /* -1: closed */
    char who[160];
    const volatile sig_atomic_t *stop; /* ends a wait when set; may be NULL */
    bool patient; /* waits as long as the peer lives, else two minutes */
};

/* A listening socket on the port, of all addresses or of one. */
bool side_listen(const char *address, int port, int *fd, struct err *e);
/* Waits for the next caller and its hello; ERR_NO: told to stop. */
bool side_accept(int fd, struct side *s, struct err *e);
/* "host", "host:port" or "[v6 address]:port"; keeps calling for patience_s. */
bool side_call(const char *peer, double patience_s, struct side *s,
               struct err *e);
void side_close(struct side *s); /* fine after close */

/* A frame in the making, or one being taken apart.  Overrunning either is
 * noticed at the end: side_put stops the program, side_end gives false. */
struct side_frame {
    enum side_kind kind;
    size_t n, at;
    bool torn;
    uint8_t b[SIDE_BYTES];
};
void side_begin(struct side_frame *f, enum side_kind kind);
void side_u64(struct side_frame *f, uint64_t v);
void side_f64(struct side_frame *f, double v);
void side_bytes(struct side_frame *f, const void *b, size_t n);
uint64_t side_get_u64(struct side_frame *f);
double side_get_f64(struct side_frame *f);
void side_get_bytes(struct side_frame *f, void *b, size_t n);
/* Text of at most n - 1 characters, terminated. */
void side_get_text(struct side_frame *f, char *text, size_t n);
/* Was all of it there? */
bool side_end(const struct side *s, const struct side_frame *f, struct err *e);

bool side_put(struct side *s, const struct side_frame *f, struct err *e);
/* The next frame, of whatever kind but SIDE_SORRY. */
bool side_get(struct side *s, struct side_frame *f, struct err *e);
/* The next frame, which must be of that kind. */
bool side_want(struct side *s, enum side_kind kind, struct side_frame *f,
               struct err *e);
/* Tells the other end why this one gives up; failures to do so are lost. */
void side_sorry(struct side *s, const struct err *e);
/* Something is there to be read, or the peer has gone. */
bool side_has(const struct side *s);

#endif
