/* golden_schedule FILE...: replays schedules recorded from the real vLLM
 * scheduler (gzip, one JSON scenario a line) and compares every field of every
 * step.  A line a scenario: `ok NAME steps=N` or `DIFF NAME step=N field
 * expected got`.  Exit 0 all agree, 1 some differ, 2 usage, 3 a file that
 * cannot be a recording (named with its line).
 *
 * Ticks, arrivals, aborts and the order of calls are worked out from the
 * requests alone and compared too; only what the KV connector's worker reports
 * (rx, tx, bad) is taken from the recording, as the input it is. */
#include "tests/golden_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEAD = 6, AGREES = 0, DIFFERS = 1, USAGE = 2, REFUSED = 3 };

/* ---- playing ---- */

static struct sched_batch *flight(struct game *g, int i)
{
    return &g->batch[(g->head + i) % DEPTH];
}

static double id_of(const struct game *g, uint32_t handle)
{
    return (double)sched_view(g->s, handle).user;
}

static struct req *req_of(struct game *g, uint32_t handle)
{
    return &g->r[index_of(g, id_of(g, handle))];
}

static void put(cJSON *o, const char *key, double v)
{
    cJSON_AddItemToObject(o, key, cJSON_CreateNumber(v));
}

static void push(cJSON *list, double v)
{
    cJSON_AddItemToArray(list, cJSON_CreateNumber(v));
}

static void put_ids(struct game *g, cJSON *o, const char *key,
                    const uint32_t *v, uint32_t n)
{
    cJSON *list = cJSON_AddArrayToObject(o, key);

    for (uint32_t i = 0; i < n; i++)
        push(list, id_of(g, v[i]));
}

/* Whoever follows r arrives a tick and its delay after this one. */
static void ended(struct game *g, const struct req *r)
{
    for (int i = 0; i < g->n; i++)
        if (g->r[i].after >= 0 && &g->r[g->r[i].after] == r
            && g->r[i].life == TO_COME)
            g->r[i].due = g->tick + 1 + g->r[i].delay;
}

static void arrivals(struct game *g, cJSON *got)
{
    cJSON *list = cJSON_AddArrayToObject(got, "arr");

    for (;;) {
        struct req *next = NULL;

        for (int i = 0; i < g->n; i++) {
            struct req *r = &g->r[i];

            if (r->life == TO_COME && r->due <= g->tick
                && (!next || r->due < next->due
                    || (r->due == next->due && r->spec.user < next->spec.user)))
                next = r;
        }
        if (!next)
            return;
        next->life = HERE;
        next->handle = sched_add(g->s, &next->spec);
        next->rank = g->added++;
        push(list, (double)next->spec.user);
    }
}

static void note_fin(struct game *g)
{
    for (uint32_t i = 0; i < g->result.n_fin; i++) {
        const struct sched_fin *f = &g->result.fin[i];
        struct req *r = &g->r[index_of(g, (double)f->user)];

        r->life = f->pinned ? HELD : GONE;
        ended(g, r);
    }
}

static void aborts(struct game *g, cJSON *got)
{
    cJSON *list = cJSON_AddArrayToObject(got, "abort");

    for (int i = 0; i < g->n; i++) {
        struct req *r = &g->r[i];

        if (r->abort_at > g->tick || r->life != HERE)
            continue;
        r->abort_at = NEVER;
        push(list, (double)r->spec.user);
        sched_abort(g->s, r->handle, &g->result);
        note_fin(g);
    }
}

static void put_queue(struct game *g, cJSON *got, const char *key, bool second)
{
    cJSON *list = cJSON_AddArrayToObject(got, key);
    uint32_t h;

    for (uint32_t j = 0; j < HEAD && sched_peek(g->s, second, j, &h); j++)
        push(list, id_of(g, h));
}

/* A request's block ids from `from[group]` on, by group. */
static cJSON *block_lists(const struct game *g, uint32_t handle,
                          const uint32_t *from)
{
    cJSON *all = cJSON_CreateArray();

    for (int k = 0; k < g->opt.n_groups; k++) {
        const uint32_t *ids;
        uint32_t n = sched_blocks(g->s, handle, k, &ids);
        cJSON *list = cJSON_CreateArray();

        for (uint32_t i = from ? from[k] : 0; i < n; i++)
            push(list, ids[i]);
        cJSON_AddItemToArray(all, list);
    }
    return all;
}

static void pair(cJSON *list, double id, cJSON *blocks)
{
    cJSON *p = cJSON_CreateArray();

    push(p, id);
    cJSON_AddItemToArray(p, blocks);
    cJSON_AddItemToArray(list, p);
}

/* One scheduled request's new blocks, or all when it has just joined. */
static void put_new_blocks(struct game *g, cJSON *list,
                           const struct sched_item *it)
{
    struct req *r = req_of(g, it->req);
    bool any = it->kind != SCHED_WAS_RUNNING;

    if (any)
        memset(r->seen, 0, sizeof r->seen);
    for (int k = 0; k < g->opt.n_groups; k++)
        any |= sched_blocks(g->s, it->req, k, NULL) > r->seen[k];
    if (any)
        pair(list, id_of(g, it->req), block_lists(g, it->req, r->seen));
    for (int k = 0; k < g->opt.n_groups; k++)
        r->seen[k] = sched_blocks(g->s, it->req, k, NULL);
}

/* New requests first, as in vLLM's SchedulerOutput. */
static void put_blocks(struct game *g, cJSON *got, const struct sched_batch *b)
{
    cJSON *list = cJSON_AddArrayToObject(got, "blk");
    cJSON *loading = cJSON_AddArrayToObject(got, "rblk");

    for (int joined = 1; joined >= 0; joined--)
        for (uint32_t i = 0; i < b->n; i++)
            if ((b->item[i].kind == SCHED_NEW) == joined)
                put_new_blocks(g, list, &b->item[i]);
    for (uint32_t i = 0; i < b->n_remote; i++)
        pair(loading, id_of(g, b->remote[i]),
             block_lists(g, b->remote[i], NULL));
}

static void schedule(struct game *g, cJSON *got)
{
    struct sched_batch *b = flight(g, g->out++);
    cJSON *sched = cJSON_AddArrayToObject(got, "sched");
    cJSON *hit = cJSON_AddArrayToObject(got, "hit");

    sched_schedule(g->s, b);
    put(got, "s", (double)b->s);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct sched_item *it = &b->item[i];
        double v[] = {id_of(g, it->req), it->tokens, it->computed, it->kind};

        cJSON_AddItemToArray(sched, cJSON_CreateDoubleArray(v, 4));
    }
    for (uint32_t i = 0; i < b->n_hit; i++) {
        const struct sched_hit *h = &b->hit[i];
        double v[] = {id_of(g, h->req), h->local, h->external};

        cJSON_AddItemToArray(hit, cJSON_CreateDoubleArray(v, 3));
    }
    put_ids(g, got, "pre", b->preempted, b->n_preempted);
    put_ids(g, got, "fail", b->failed, b->n_failed);
    put_ids(g, got, "rem", b->remote, b->n_remote);
    put(got, "run", sched_running(g->s));
    put(got, "wait", sched_waiting(g->s) - sched_skipped(g->s));
    put(got, "free", (double)sched_free_blocks(g->s));
    put_queue(g, got, "wq", false);
    if (g->second_queue) {
        put(got, "skip", sched_skipped(g->s));
        put_queue(g, got, "sq", true);
    }
    if (g->log)
        put_blocks(g, got, b);
}

/* ---- one output ---- */

/* Handles of the recorded ids that the scheduler still knows. */
static uint32_t inputs(struct game *g, const cJSON *list, uint32_t **out)
{
    uint32_t n = 0;
    const cJSON *v;

    *out = ARENA_ARRAY(g->a, uint32_t, (size_t)cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach(v, list)
    {
        const struct req *r = &g->r[index_of(g, v->valuedouble)];

        if (r->life == HERE || r->life == HELD)
            (*out)[n++] = r->handle;
    }
    return n;
}

/* What the decode side reads: of a window, its span and one block. */
static cJSON *handed(const struct game *g, const struct sched_fin *f)
{
    cJSON *all;
    uint32_t from[SCHED_GROUPS] = {0};

    for (int k = 0; k < g->opt.n_groups; k++) {
        uint32_t n = sched_blocks(g->s, f->req, k, NULL);
        uint32_t bs = (uint32_t)g->opt.block_size;
        uint32_t most = ((uint32_t)g->opt.window[k] + bs - 1) / bs + 1;

        if (g->opt.window[k] && n > most)
            from[k] = n - most;
    }
    all = block_lists(g, f->req, from);
    if (g->flat_hand) {
        cJSON *only = cJSON_DetachItemFromArray(all, 0);

        cJSON_Delete(all);
        return only;
    }
    return all;
}

/* Requests that fail together leave vLLM from a set, in any order: they are
 * brought into the order recorded, behind the others. */
static void as_recorded(struct game *g, const cJSON *want)
{
    struct sched_fin *fin = g->result.fin;
    uint32_t at = 0;
    const cJSON *w;

    while (at < g->result.n_fin && fin[at].end != SCHED_END_ERROR)
        at++;
    cJSON_ArrayForEach(w, want)
    {
        const cJSON *id = cJSON_GetArrayItem(w, 0);

        for (uint32_t i = at; id && i < g->result.n_fin; i++) {
            struct sched_fin f = fin[i];

            if ((double)f.user != id->valuedouble)
                continue;
            fin[i] = fin[at];
            fin[at++] = f;
            break;
        }
    }
}

static void put_fin(struct game *g, cJSON *out)
{
    static const char *const why[] = {"length", "stop", "abort", "error"};
    cJSON *fin = cJSON_AddArrayToObject(out, "fin");
    cJSON *hand = cJSON_AddArrayToObject(out, "hand");

    for (uint32_t i = 0; i < g->result.n_fin; i++) {
        const struct sched_fin *f = &g->result.fin[i];
        cJSON *one = cJSON_CreateArray();

        push(one, (double)f->user);
        push(one, f->output);
        cJSON_AddItemToArray(one, cJSON_CreateString(why[f->end]));
        cJSON_AddItemToArray(fin, one);
        if (g->log && f->pinned && f->end != SCHED_END_ABORT
            && f->end != SCHED_END_ERROR)
            pair(hand, (double)f->user, handed(g, f));
    }
}

static void update(struct game *g, const cJSON *want, cJSON *got)
{
    cJSON *out = cJSON_AddObjectToObject(got, "out");
    struct sched_batch *b = flight(g, 0);
    const cJSON *bad = item(want, "bad"), *v;
    uint32_t *rx, *tx, *ids;
    struct sched_input in = {.n_bad = 0};

    ids = ARENA_ARRAY(g->a, uint32_t, (size_t)cJSON_GetArraySize(bad) + 1);
    cJSON_ArrayForEach(v, bad) ids[in.n_bad++] = (uint32_t)v->valuedouble;
    in.bad = ids;
    in.n_rx = inputs(g, item(want, "rx"), &rx);
    in.n_tx = inputs(g, item(want, "tx"), &tx);
    in.rx = rx;
    in.tx = tx;
    put(out, "of", (double)b->s);
    sched_update(g->s, b, &in, &g->result);
    g->head = (g->head + 1) % DEPTH;
    g->out--;
    put(out, "tok", g->result.tokens);
    as_recorded(g, item(want, "fin"));
    put_fin(g, out);
    note_fin(g);
    /* a pinned request is gone with its transfer */
    for (int k = 0; k < 2; k++)
        cJSON_ArrayForEach(v, item(want, k ? "tx" : "rx"))
        {
            struct req *r = &g->r[index_of(g, v->valuedouble)];

            if (r->life == HELD)
                r->life = GONE;
        }
    put(out, "run", sched_running(g->s));
    put(out, "free", (double)sched_free_blocks(g->s));
}

/* ---- comparing ---- */

static bool empty(const cJSON *v)
{
    return !v || (cJSON_IsArray(v) && !v->child);
}

/* The first field, if any, in which two objects differ; inputs of the replay
 * (rx, tx, bad) are not results. */
static const char *differs(const cJSON *want, const cJSON *got)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, want)
    {
        const cJSON *other = item(got, v->string);

        if (!strcmp(v->string, "rx") || !strcmp(v->string, "tx")
            || !strcmp(v->string, "bad") || !strcmp(v->string, "out")
            || (empty(v) && empty(other)))
            continue;
        if (!other || !cJSON_Compare(v, other, true))
            return v->string;
    }
    cJSON_ArrayForEach(v, got) if (!empty(v)
                                   && !item(want, v->string)) return v->string;
    return NULL;
}

static void print_diff(const struct game *g, int step, const char *field,
                       const cJSON *want, const cJSON *got)
{
    char *w = want ? cJSON_PrintUnformatted(want) : NULL;
    char *x = got ? cJSON_PrintUnformatted(got) : NULL;

    printf("DIFF %s step=%d %s expected %s got %s\n",
           item(g->j, "id")->valuestring, step, field, w ? w : "nothing",
           x ? x : "nothing");
    cJSON_free(w);
    cJSON_free(x);
}

static bool same(const struct game *g, int step, const cJSON *want,
                 const cJSON *got)
{
    const char *f = differs(want, got);
    const cJSON *wo = item(want, "out"), *go = item(got, "out");

    if (f) {
        print_diff(g, step, f, item(want, f), item(got, f));
        return false;
    }
    if (!wo != !go) {
        print_diff(g, step, "out", wo, go);
        return false;
    }
    f = differs(wo, go);
    if (f)
        print_diff(g, step, arena_fmt(g->a, "out.%s", f), item(wo, f),
                   item(go, f));
    return !f;
}

/* ---- the engine loop ---- */

/* Moves an idle engine's clock to the next arrival. */
static bool jump(struct game *g)
{
    int next = NEVER;

    for (int i = 0; i < g->n; i++)
        if (g->r[i].life == TO_COME && g->r[i].due < next)
            next = g->r[i].due;
    if (next == NEVER)
        return false;
    if (next > g->tick)
        g->tick = next;
    return true;
}

/* One record: perhaps a schedule, then perhaps the oldest output. */
static void turn(struct game *g, const cJSON *want, cJSON *got)
{
    bool fill = false;

    if (sched_wanted(g->s)) {
        const struct sched_batch *b;

        schedule(g, got);
        b = flight(g, g->out - 1);
        fill = g->opt.async_scheduling && g->out < DEPTH
            && (b->n || (g->opt.empty_fills_queue && sched_wanted(g->s)));
    } else {
        cJSON_AddNullToObject(got, "s");
    }
    if (!fill)
        update(g, item(want, "out"), got);
}

static bool play(struct game *g, int *steps)
{
    const cJSON *want = item(g->j, "steps")->child;
    bool cut = cJSON_IsTrue(item(item(g->j, "end"), "truncated"));

    for (*steps = 0; want || !cut; want = want->next, ++*steps) {
        cJSON *got = cJSON_CreateObject();
        bool ok;

        arrivals(g, got);
        aborts(g, got);
        if (!sched_wanted(g->s) && !g->out) {
            cJSON_Delete(got);
            if (!jump(g))
                break;
            got = cJSON_CreateObject();
            arrivals(g, got);
            aborts(g, got);
        }
        put(got, "t", g->tick);
        turn(g, want, got);
        g->tick++;
        if (want)
            ok = same(g, *steps, want, got);
        else
            print_diff(g, *steps, "steps", want, got);
        cJSON_Delete(got);
        if (!want || !ok)
            return false;
    }
    if (want)
        print_diff(g, *steps, "steps", want, NULL);
    return !want;
}

static bool same_end(struct game *g, int steps)
{
    const cJSON *want = item(g->j, "end");
    cJSON *got = cJSON_CreateObject();
    cJSON *held = cJSON_AddArrayToObject(got, "held");
    int unfinished = 0;
    struct err e = {.kind = ERR_NONE};
    const char *f;

    for (int rank = 0; rank < g->added; rank++)
        for (int i = 0; i < g->n; i++) {
            if (g->r[i].handle == NOT_THERE || g->r[i].rank != rank)
                continue;
            unfinished += g->r[i].life == HERE;
            if (g->r[i].life == HELD)
                push(held, (double)g->r[i].spec.user);
        }
    put(got, "unfinished", unfinished);
    put(got, "free", (double)sched_free_blocks(g->s));
    cJSON_AddItemToObject(
        got, "truncated",
        cJSON_CreateBool(cJSON_IsTrue(item(want, "truncated"))));
    f = want ? differs(want, got) : NULL;
    if (f)
        print_diff(g, steps, arena_fmt(g->a, "end.%s", f), item(want, f),
                   item(got, f));
    cJSON_Delete(got);
    if (!sched_check(g->s, &e)) {
        printf("DIFF %s step=%d blocks expected conserved got %s\n",
               item(g->j, "id")->valuestring, steps, e.text);
        return false;
    }
    return !f;
}

static bool replay(struct game *g)
{
    int steps;

    g->s = sched_new(&g->opt, g->a);
    sched_list(g->s);
    if (g->log || g->opt.connector == SCHED_NIXL)
        sched_ids(g->s);
    if (!play(g, &steps) || !same_end(g, steps))
        return false;
    printf("ok %s steps=%d\n", item(g->j, "id")->valuestring, steps);
    return true;
}

/* ---- files ---- */

static int play_file(const char *path, const char *models)
{
    struct arena *a = arena_open();
    struct err e = {.kind = ERR_NONE};
    struct line *l;
    int rc = AGREES;

    if (!read_file(path, models, a, &l, &e)) {
        fprintf(stderr, "golden_schedule: %s\n", e.text);
        rc = REFUSED;
    }
    for (struct line *i = l; i && rc != REFUSED; i = i->next) {
        struct game g = {.a = arena_open(), .models = models, .j = i->j};

        if (!read_game(&g, &e) || !replay(&g))
            rc = DIFFERS;
        arena_close(g.a);
    }
    for (; l; l = l->next)
        cJSON_Delete(l->j);
    arena_close(a);
    return rc;
}

/* models/ lies beside build/, in which this program lies. */
static const char *models_of(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 32);

    for (int up = 0; n > 0 && up < 4; up++) {
        while (n > 0 && path[n - 1] != '/')
            n--;
        memcpy(path + n, "models/engine", sizeof "models/engine");
        if (access(path, R_OK) == 0) {
            path[n + (ssize_t)strlen("models")] = '\0';
            return path;
        }
        n -= n > 0;
    }
    return "models";
}

int main(int argc, char **argv)
{
    char path[4096];
    const char *models = models_of(path, sizeof path);
    int rc = AGREES;

    if (argc < 2) {
        fprintf(stderr, "usage: golden_schedule FILE...\n");
        return USAGE;
    }
    for (int i = 1; i < argc; i++) {
        int one = play_file(argv[i], models);

        if (one == REFUSED)
            return REFUSED;
        if (one != AGREES)
            rc = DIFFERS;
    }
    return rc;
}
