/* golden_read - a recorded scenario (golden_schedule.c), read and doubted: what
 * no recording can hold is ERR_INPUT.  The JSON tree is the caller's and must
 * outlive the game; the rest lies in the game's arena. */
#ifndef TESTS_GOLDEN_READ_H
#define TESTS_GOLDEN_READ_H

#include "sim/base/arena.h"
#include "sim/base/err.h"
#include "sim/serve/profile.h"
#include "sim/serve/sched.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { DEPTH = 2, NEVER = INT_MAX, MOST = 100000000 };
#define NOT_THERE UINT32_MAX

enum life { TO_COME, HERE, HELD, GONE };

struct req {
    const cJSON *j;
    struct sched_spec spec;
    int due;   /* tick of arrival, NEVER while unknown */
    int after; /* index of the request it follows, -1 */
    int delay;
    int abort_at; /* tick, NEVER = none */
    enum life life;
    uint32_t handle;
    int rank;                    /* order of arrival */
    uint32_t seen[SCHED_GROUPS]; /* blocks already reported */
};

struct game {
    struct arena *a;
    const cJSON *j; /* the scenario */
    const char *models;
    struct sched_opt opt;
    struct sched *s;
    bool log, flat_hand, second_queue;
    struct req *r;
    int n;
    struct sched_batch batch[DEPTH];
    int head, out; /* ring of batches in flight */
    struct sched_output result;
    int tick;
    int added;
};

/* ---- reading ---- */

static const cJSON *item(const cJSON *o, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

static bool whole(const cJSON *v, double min, double max)
{
    return cJSON_IsNumber(v) && v->valuedouble >= min && v->valuedouble <= max
        && v->valuedouble == (double)v->valueint;
}

/* An integer field that must be there. */
static bool integer(const cJSON *o, const char *key, int min, int *out,
                    struct err *e)
{
    const cJSON *v = item(o, key);

    if (!whole(v, min, MOST))
        return err_set(e, ERR_INPUT, "%s must be an integer of at least %d",
                       key, min);
    *out = v->valueint;
    return true;
}

static bool choice(const cJSON *o, const char *key, const char *const *names,
                   int *out, struct err *e)
{
    const cJSON *v = item(o, key);

    for (int i = 0; names[i]; i++)
        if (cJSON_IsString(v) ? !strcmp(v->valuestring, names[i])
                              : (cJSON_IsNull(v) && !*names[i])) {
            *out = i;
            return true;
        }
    return err_set(e, ERR_INPUT, "%s is none of the known values", key);
}

static bool flag(const cJSON *o, const char *key, bool *out, struct err *e)
{
    if (!cJSON_IsBool(item(o, key)))
        return err_set(e, ERR_INPUT, "%s must be true or false", key);
    *out = cJSON_IsTrue(item(o, key));
    return true;
}

static bool read_groups(struct game *g, const cJSON *kv, struct err *e)
{
    const cJSON *groups = item(kv, "groups");
    static const char *const types[] = {"full", "sliding", NULL};

    g->opt.n_groups = cJSON_GetArraySize(groups);
    if (g->opt.n_groups < 1 || g->opt.n_groups > SCHED_GROUPS)
        return err_set(e, ERR_INPUT, "kv.groups: %d groups, 1 or %d can be",
                       g->opt.n_groups, SCHED_GROUPS);
    for (int i = 0; i < g->opt.n_groups; i++) {
        const cJSON *o = cJSON_GetArrayItem(groups, i);
        int type, window = 0;

        if (!choice(o, "type", types, &type, e)
            || (type == 1 && !integer(o, "window", 1, &window, e)))
            return err_in(e, "kv.groups");
        g->opt.window[i] = window;
    }
    return true;
}

static bool read_engine(struct game *g, struct err *e)
{
    static const char *const policies[] = {"fcfs", "priority", NULL};
    static const char *const links[] = {"", "NixlConnector",
                                        "DecodeBenchConnector", NULL};
    static const char *const fails[] = {"recompute", "fail", "", NULL};
    const cJSON *o = item(g->j, "engine"), *kv = item(g->j, "kv");
    struct sched_opt *p = &g->opt;
    int policy, link, fail, blocks;

    if (!flag(o, "async_scheduling", &p->async_scheduling, e)
        || !integer(o, "max_num_batched_tokens", 1, &p->max_num_batched_tokens,
                    e)
        || !integer(o, "max_num_seqs", 1, &p->max_num_seqs, e)
        || !integer(o, "max_model_len", 2, &p->max_model_len, e)
        || !integer(o, "long_prefill_token_threshold", 0,
                    &p->long_prefill_token_threshold, e)
        || !choice(o, "policy", policies, &policy, e)
        || !flag(o, "enable_chunked_prefill", &p->enable_chunked_prefill, e)
        || !flag(o, "enable_prefix_caching", &p->enable_prefix_caching, e)
        || !choice(o, "connector", links, &link, e)
        || !choice(o, "kv_load_failure_policy", fails, &fail, e))
        return err_in(e, "engine");
    if (!integer(kv, "block_size", 1, &p->block_size, e)
        || !integer(kv, "num_blocks", 2, &blocks, e))
        return err_in(e, "kv");
    p->policy = policy ? SCHED_PRIORITY : SCHED_FCFS;
    p->connector = (enum sched_connector)link;
    p->num_blocks = blocks;
    if (fail < 2)
        p->load_failure_fails = fail == 1;
    if (!cJSON_IsNull(item(o, "scheduler_reserve_full_isl"))
        && !flag(o, "scheduler_reserve_full_isl", &p->reserve_full_isl, e))
        return err_in(e, "engine");
    return read_groups(g, kv, e);
}

/* The profile of a release: 0.21.x is vllm-0.21. */
static bool read_profile(struct game *g, struct err *e)
{
    const cJSON *v = item(g->j, "vllm");
    struct profile p;
    const char *dot;

    if (!cJSON_IsString(v) || !(dot = strchr(v->valuestring, '.'))
        || !(dot = strchr(dot + 1, '.')))
        return err_set(e, ERR_INPUT, "vllm must be a version");
    if (!profile_load(g->models,
                      arena_fmt(g->a, "vllm-%.*s", (int)(dot - v->valuestring),
                                v->valuestring),
                      g->a, &p, e))
        return false;
    g->opt = p.sched;
    /* recorded with KVCacheConfig's own default of the retention interval,
     * dense, not with a server's */
    g->opt.sparse_windows = false;
    g->second_queue = g->opt.skipped_waiting_queue;
    g->flat_hand = !g->opt.load_tracks_tokens;
    return true;
}

static int index_of(const struct game *g, double id)
{
    for (int i = 0; i < g->n; i++)
        if (item(g->r[i].j, "id")->valuedouble == id)
            return i;
    return -1;
}

static bool read_prompt(struct game *g, struct req *r, struct err *e)
{
    const cJSON *list = item(r->j, "prompt"), *s;
    int n = cJSON_GetArraySize(list);
    struct sched_seg *seg = ARENA_ARRAY(g->a, struct sched_seg, (size_t)n);
    int64_t sum = 0;

    r->spec.seg = seg;
    cJSON_ArrayForEach(s, list)
    {
        const cJSON *kind = cJSON_GetArrayItem(s, 0);
        const cJSON *of = cJSON_GetArrayItem(s, 1);
        const cJSON *len = cJSON_GetArrayItem(s, 2);
        bool out = cJSON_IsString(kind) && !strcmp(kind->valuestring, "o");

        if (!cJSON_IsString(kind) || (!out && strcmp(kind->valuestring, "p")))
            return err_set(e, ERR_INPUT,
                           "prompt: a segment is \"p\" or "
                           "\"o\"");
        if (!whole(of, 0, MOST) || !whole(len, 1, MOST))
            return err_set(e, ERR_INPUT,
                           "prompt: a segment has a number "
                           "and a length of at least 1");
        if (out && index_of(g, of->valuedouble) < 0)
            return err_set(e, ERR_INPUT,
                           "prompt: output of request %d, "
                           "which is not there",
                           of->valueint);
        seg[r->spec.n_seg].text = (uint64_t)of->valueint;
        if (out)
            seg[r->spec.n_seg].text |= SCHED_TEXT_OUTPUT;
        seg[r->spec.n_seg++].n = len->valueint;
        sum += len->valueint;
    }
    if (sum < 1 || sum > g->opt.max_model_len)
        return err_set(e, ERR_INPUT, "prompt: %lld tokens, 1 to %d can be",
                       (long long)sum, g->opt.max_model_len);
    r->spec.prompt_tokens = (int32_t)sum;
    return true;
}

static bool read_arrival(struct game *g, struct req *r, struct err *e)
{
    const cJSON *o = item(r->j, "arrive");

    r->after = -1;
    r->due = NEVER;
    if (item(o, "at"))
        return integer(o, "at", 0, &r->due, e) || err_in(e, "arrive");
    if (!integer(o, "after", 0, &r->after, e)
        || !integer(o, "delay", 0, &r->delay, e))
        return err_in(e, "arrive");
    r->after = index_of(g, r->after);
    if (r->after < 0 || &g->r[r->after] == r)
        return err_set(e, ERR_INPUT, "arrive.after: no such request");
    return true;
}

static bool read_request(struct game *g, int i, struct err *e)
{
    struct req *r = &g->r[i];
    int id;

    r->handle = NOT_THERE;
    r->abort_at = NEVER;
    if (!integer(r->j, "id", 0, &id, e) || !read_prompt(g, r, e)
        || !integer(r->j, "max_tokens", 1, &r->spec.max_tokens, e)
        || !read_arrival(g, r, e))
        return false;
    if (item(r->j, "priority")
        && !integer(r->j, "priority", -MOST, &r->spec.priority, e))
        return false;
    if (item(r->j, "stop_at")
        && !integer(r->j, "stop_at", 1, &r->spec.stop_at, e))
        return false;
    if (item(r->j, "abort_at")
        && !integer(r->j, "abort_at", 0, &r->abort_at, e))
        return false;
    r->spec.user = (uint64_t)id;
    r->spec.remote_decode = item(r->j, "remote_decode") != NULL;
    r->spec.remote_prefill = item(r->j, "remote_prefill") != NULL;
    return true;
}

static bool read_requests(struct game *g, struct err *e)
{
    const cJSON *list = item(g->j, "requests"), *j;

    g->r = ARENA_ARRAY(g->a, struct req, (size_t)cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach(j, list)
    {
        if (!whole(item(j, "id"), 0, MOST))
            return err_set(e, ERR_INPUT,
                           "requests[%d].id must be an "
                           "integer of at least 0",
                           g->n);
        if (index_of(g, item(j, "id")->valuedouble) >= 0)
            return err_set(e, ERR_INPUT,
                           "requests[%d].id: %d is there "
                           "twice",
                           g->n, item(j, "id")->valueint);
        g->r[g->n++].j = j;
    }
    for (int i = 0; i < g->n; i++)
        if (!read_request(g, i, e))
            return err_in(e, "requests[%d]", i);
    return true;
}

/* Every id in a list of ids, or of lists that begin with one. */
static bool known_ids(const struct game *g, const cJSON *step, const char *key,
                      struct err *e)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, item(step, key))
    {
        const cJSON *id = cJSON_IsArray(v) ? cJSON_GetArrayItem(v, 0) : v;

        if (!whole(id, 0, MOST) || index_of(g, id->valuedouble) < 0)
            return err_set(e, ERR_INPUT,
                           "%s names a request that is not "
                           "there",
                           key);
    }
    return true;
}

static bool read_steps(const struct game *g, struct err *e)
{
    static const char *const lists[] = {"arr",  "abort", "sched", "pre",
                                        "fail", "hit",   "rem",   NULL};
    static const char *const outs[] = {"fin", "rx", "tx", NULL};
    const cJSON *step;
    int t = -1, s = -1, i = 0, now;

    cJSON_ArrayForEach(step, item(g->j, "steps"))
    {
        if (!integer(step, "t", 0, &now, e))
            return err_in(e, "steps[%d]", i);
        if (now <= t)
            return err_set(e, ERR_INPUT,
                           "steps[%d].t: %d after %d: time "
                           "goes back",
                           i, now, t);
        t = now;
        if (whole(item(step, "s"), 0, MOST) && item(step, "s")->valueint != ++s)
            return err_set(e, ERR_INPUT, "steps[%d].s: %d, wanted %d", i,
                           item(step, "s")->valueint, s);
        for (int k = 0; lists[k]; k++)
            if (!known_ids(g, step, lists[k], e))
                return err_in(e, "steps[%d]", i);
        for (int k = 0; outs[k]; k++)
            if (!known_ids(g, item(step, "out"), outs[k], e))
                return err_in(e, "steps[%d].out", i);
        i++;
    }
    return true;
}

static inline bool read_game(struct game *g, struct err *e)
{
    if (!cJSON_IsObject(g->j) || !cJSON_IsString(item(g->j, "id")))
        return err_set(e, ERR_INPUT, "not a scenario: it has no id");
    if (!cJSON_IsArray(item(g->j, "requests"))
        || !cJSON_IsArray(item(g->j, "steps")))
        return err_set(e, ERR_INPUT,
                       "not a scenario: requests and steps "
                       "must be lists");
    g->log = cJSON_IsTrue(item(g->j, "log_blocks"));
    return read_profile(g, e) && read_engine(g, e) && read_requests(g, e)
        && read_steps(g, e);
}

/* ---- files ---- */

struct line {
    cJSON *j;
    struct line *next;
};

/* A line of any length; NULL at the end or when the file is torn. */
static char *read_line(gzFile f, struct arena *a)
{
    size_t n = 0, cap = 1 << 16;
    char *s = ARENA_ARRAY(a, char, cap);

    while (gzgets(f, s + n, (int)(cap - n))) {
        n += strlen(s + n);
        if (n && s[n - 1] == '\n')
            return s;
        s = arena_grow(a, s, n, 2 * cap, 1);
        cap *= 2;
    }
    return n ? s : NULL;
}

static inline bool read_file(const char *path, const char *models,
                             struct arena *a, struct line **first,
                             struct err *e)
{
    gzFile f = gzopen(path, "rb");
    struct line **last = first;
    int line = 0, code;
    char *text;

    *first = NULL;
    if (!f)
        return err_set(e, ERR_INPUT, "%s: no such file", path);
    while ((text = read_line(f, a))) {
        struct game g = {.a = a, .models = models};

        line++;
        *last = ARENA_NEW(a, struct line);
        g.j = (*last)->j = cJSON_Parse(text);
        last = &(*last)->next;
        if (g.j ? !read_game(&g, e)
                : !err_set(e, ERR_INPUT, "this is not JSON")) {
            gzclose(f);
            return err_in(e, "%s:%d", path, line);
        }
    }
    gzerror(f, &code);
    if (gzclose_r(f) != Z_OK || (code != Z_OK && code != Z_STREAM_END))
        return err_set(e, ERR_INPUT, "%s:%d: the file is torn", path, line + 1);
    if (!line)
        return err_set(e, ERR_INPUT, "%s: the file is empty", path);
    return true;
}

#endif
