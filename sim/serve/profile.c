#include "sim/serve/profile.h"

#include "sim/base/json.h"
#include "sim/base/must.h"
#include "sim/base/str.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A profile file is one flat object; every key is one row of the tables below,
 * and every key must be there: a version says all that it is. */

enum { NAMES = 64 };

static const char *const policies[] = {"fcfs", "priority", NULL};
static const char *const load_failures[] = {"recompute", "fail", NULL};

/* What json_read fills and struct sched_opt holds otherwise. */
struct raw {
    struct profile p;
    int64_t max_num_batched_tokens, max_num_seqs, long_prefill, block_size;
    int64_t graph_max;
    int policy, load_failure;
};

#define SWITCH(name, text)                                                     \
    {                                                                          \
#name, JSON_BOOL, offsetof(struct raw, p.sched.name), 0, 0, NULL,      \
            text, NULL                                                         \
    }
#define FLAG(name, text)                                                       \
    {                                                                          \
#name, JSON_BOOL, offsetof(struct raw, p.name), 0, 0, NULL, text, NULL \
    }
#define INTEGER(name, field, min, text)                                        \
    {                                                                          \
#name, JSON_INT, offsetof(struct raw, field), min, INT32_MAX, NULL,    \
            text, NULL                                                         \
    }
#define NUMBER(name, min, max, text)                                           \
    {                                                                          \
#name, JSON_NUM, offsetof(struct raw, p.name), min, max, NULL, text,   \
            NULL                                                               \
    }

static const struct json_row rows[] = {
    SWITCH(async_scheduling, "two batches in flight"),
    INTEGER(max_num_batched_tokens, max_num_batched_tokens, 1,
            "tokens a step, server default on a large device"),
    INTEGER(max_num_seqs, max_num_seqs, 1,
            "running requests, server default on a large device"),
    INTEGER(long_prefill_token_threshold, long_prefill, 0,
            "cap of one request's prefill in a step, tokens; 0 = none"),
    {"scheduling_policy", JSON_CHOICE, offsetof(struct raw, policy), 0, 0, NULL,
     "order of admission", policies},
    SWITCH(enable_chunked_prefill, "a prompt may take several steps"),
    SWITCH(enable_prefix_caching, "blocks are found by their tokens"),
    INTEGER(block_size, block_size, 1, "tokens a KV block"),
    {"kv_load_failure_policy", JSON_CHOICE, offsetof(struct raw, load_failure),
     0, 0, NULL, "what becomes of a request whose KV fails to load",
     load_failures},
    SWITCH(skipped_waiting_queue, "blocked requests wait apart, met first"),
    SWITCH(reserve_full_isl, "admitted only if all known tokens fit"),
    SWITCH(cap_window_reserve, "of a window group, one window and batch"),
    SWITCH(steps_while_pinned, "empty steps until pinned blocks are freed"),
    SWITCH(stop_pins, "a prefill ended by a stop id hands over"),
    SWITCH(load_keeps_blocks, "aborted while loading: held until received"),
    SWITCH(load_tracks_tokens, "tokens loaded are counted, not estimated"),
    SWITCH(skip_by_computed, "window at the end by computed tokens"),
    SWITCH(kv_holding_queue, "waiting requests with blocks are met first"),
    SWITCH(lone_ignores_threshold, "no cap while there is one request"),
    SWITCH(unhashed_first, "blocks that hold no prefix are reused first"),
    SWITCH(hits_before_loads, "all groups' hits are kept before loading"),
    SWITCH(defer_block_free, "blocks written by a step in flight stay"),
    SWITCH(skip_by_processed, "window by processed tokens"),
    SWITCH(stale_outputs, "a victim resumes after its step in flight"),
    SWITCH(reserve_for_prefills, "loads leave room for prefills"),
    SWITCH(exact_victim_index, "nobody loses a turn to a victim"),
    SWITCH(window_cap_in_flight, "window reserve counts two batches"),
    SWITCH(empty_fills_queue, "empty batches are queued behind too"),
    SWITCH(sparse_windows, "window groups keep the prefixes that can be hit"),
    NUMBER(gpu_memory_utilization, 0, 1, "share of device memory"),
    FLAG(graph_memory_in_budget, "graph memory is taken off the KV budget"),
    FLAG(hybrid_with_connector, "window groups stay under P/D"),
    NUMBER(pin_expiry_s, 0, 1e6, "unfetched prefill blocks, seconds"),
    FLAG(pin_heartbeat, "the decode side renews the pin"),
    FLAG(fused_allreduce_norm, "FlashInfer fusion for TP > 1 on CUDA"),
    INTEGER(graph_max, graph_max, 0, "largest captured batch, tokens"),
    NUMBER(sampler_copies, 0, 100, "float copies of the logits at the peak"),
    {NULL, JSON_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

/* The files there are, for the nearest name. */
static const char *nearest(const char *folder, const char *name,
                           struct arena *a)
{
    const char *have[NAMES + 1] = {NULL};
    size_t n = 0;
    DIR *d = opendir(folder);
    const struct dirent *f;

    while (d && n < NAMES && (f = readdir(d))) {
        size_t len = strlen(f->d_name);

        if (len > 5 && !strcmp(f->d_name + len - 5, ".json"))
            have[n++] = arena_fmt(a, "%.*s", (int)(len - 5), f->d_name);
    }
    if (d)
        closedir(d);
    return str_nearest(name, have);
}

static void settle(struct raw *r, const char *name, struct arena *a)
{
    struct sched_opt *o = &r->p.sched;

    o->max_num_batched_tokens = (int32_t)r->max_num_batched_tokens;
    o->max_num_seqs = (int32_t)r->max_num_seqs;
    o->long_prefill_token_threshold = (int32_t)r->long_prefill;
    o->block_size = (int32_t)r->block_size;
    o->policy = r->policy == 1 ? SCHED_PRIORITY : SCHED_FCFS;
    o->load_failure_fails = r->load_failure == 1;
    o->n_groups = 1;
    r->p.graph_max = (int32_t)r->graph_max;
    r->p.name = arena_str(a, name);
}

bool profile_load(const char *dir, const char *name, struct arena *a,
                  struct profile *p, struct err *e)
{
    const char *folder = arena_fmt(a, "%s/engine", dir);
    const char *path = arena_fmt(a, "%s/%s.json", folder, name);
    struct raw r = {.policy = 0};
    struct stat st;
    cJSON *root;
    bool ok;

    if (strchr(name, '/') || stat(path, &st) != 0) {
        const char *like = nearest(folder, name, a);

        return err_set(e, ERR_INPUT, "no engine profile \"%s\" in %s%s%s%s",
                       name, folder, like ? "; nearest is \"" : "",
                       like ? like : "", like ? "\"" : "");
    }
    if (!json_load(path, &root, e))
        return false;
    ok = json_read(root, rows, &r, "", a, e);
    json_free(root);
    if (!ok)
        return err_in(e, "%s", path);
    settle(&r, name, a);
    *p = r.p;
    return true;
}
