/* ref - what the kernels compute, in plain C and double precision, a few
 * outputs at a time, from inputs that are made again by formula (fill.h). A
 * kernel is timed only after its outputs agree.  Outputs of a call are
 * numbered; out o has ref_out.n elements in consecutive spans of ref_out.span
 * that are cheapest to compute together. Pure functions but for arena-less
 * scratch of the caller's; any thread.  Cost of a span: gemm k; attention keys
 * x head size; moe topk x inter x hidden. */
#ifndef KERNELS_REF_H
#define KERNELS_REF_H

#include "kernels/call.h"

enum ref_type { REF_BF16, REF_FP8, REF_F32 };

struct ref_out {
    const void *at; /* on the device */
    enum ref_type type;
    uint64_t n;
    int span;
};

/* value, and how far a correct kernel may be from it. */
struct ref {
    double value, slack;
};

enum { REF_OUTS = 3 };
/* Returns the number of outputs; 0: the call has none that could be wrong. */
int ref_outs(const struct call *c, struct ref_out *out);

/* Inputs that a span has to make again: about 5 ns each. */
double ref_cost(const struct call *c);
/* Doubles of scratch that ref_span needs. */
size_t ref_scratch(const struct call *c);
/* The span of out o that begins at element `first` (a multiple of span). */
void ref_span(const struct call *c, bool fnuz, int o, uint64_t first,
              double *scratch, struct ref *r);

/* Bytes of an element, and its value. */
int ref_bytes(enum ref_type t);
double ref_value(enum ref_type t, const void *p, bool fnuz);

#endif
