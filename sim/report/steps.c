#include "sim/report/steps.h"

#include <inttypes.h>

void steps_begin(struct text_out *o)
{
    text_out_fmt(o, "engine,role,step,at_s,duration_us,tokens,prefill_tokens,"
                    "decode_requests,prefill_requests,context_tokens,"
                    "padded_tokens,kv_blocks_used,kv_use,running,waiting\n");
}

void steps_row(struct text_out *o, const struct plant *p,
               const struct watch_step *s)
{
    static const char *const role[] = {"aggregated", "prefill", "decode"};

    text_out_fmt(o,
                 "%u,%s,%" PRIu64 ",%.9f,%.3f,%d,%d,%u,%u,%" PRId64
                 ",%d,%" PRId64 ",%.6f,%u,%u\n",
                 (unsigned)s->engine, role[p->pool[s->pool].role], s->number,
                 units_s(s->at), (double)(s->end - s->at) / NS_PER_US,
                 (int)s->tokens, (int)s->prefill_tokens, (unsigned)s->decodes,
                 (unsigned)s->n_part, s->context, (int)s->padded, s->kv_used,
                 (double)s->kv_used / (double)s->kv_blocks,
                 (unsigned)s->running, (unsigned)s->waiting);
}
