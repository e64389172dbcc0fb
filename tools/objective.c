#include "tools/objective.h"

#include "sim/base/csv.h"
#include "sim/base/must.h"
#include "sim/base/str.h"
#include "sim/plan/crew.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Expected errors of a perfect model: repeats of a run and medians over dates
 * (silicon against medians: 1 to 3 %); a burst's TTFT; measured noise of steps
 * 0.1 to 1.6 %, and dummy weights. */
#define SIGMA_RATE 0.02
#define SIGMA_TTFT 0.05
#define SIGMA_STEP 0.015
enum { CELLS = 96, CHUNKS = 64 };

struct step {
    size_t row;
    int cell;
    double gpu_s;
    struct price_shape shape;
};

struct cell { /* steps of one run that belong together */
    size_t row;
    int at; /* in the run */
    const char *name;
    double gpu_s;
    int64_t n;
};

struct objective {
    struct arena *a;
    int workers;
    struct measured_row *row;
    size_t n_row;
    struct objective_item *item;
    size_t n_item, cap_item;
    struct step *step;
    size_t n_step, cap_step;
    struct cell *cell;
    size_t n_cell, cap_cell;
};

struct seen { /* what one simulation gives */
    double v[MEASURED_METRICS], cell[CELLS];
};

/* ---- runs ---------------------------------------------------------------- */

static const char *group_of(struct arena *a, const struct measured_row *r)
{
    return arena_fmt(a, "%s tp%d %.0f/%.0f", r->model, r->tp, r->isl, r->osl);
}

static void add_item(struct objective *o, const struct objective_item *it)
{
    ARENA_ROOM(o->a, o->item, o->n_item, o->cap_item);
    o->item[o->n_item++] = *it;
}

static bool wanted(const struct measured_row *r, int m, double *sigma)
{
    const char *name = r->metric[m].name;
    bool rate = strcmp(name, "output_tok_s_per_gpu") == 0;
    if (rate && r->osl > 1) {
        *sigma = SIGMA_RATE;
        return true;
    }
    if (strcmp(name, "tpot_ms_median") == 0
        || (strcmp(name, "req_s") == 0 && r->osl == 1)) {
        *sigma = SIGMA_RATE;
        return true;
    }
    *sigma = SIGMA_TTFT;
    return strcmp(name, "ttft_ms_mean") == 0;
}

static void add_runs(struct objective *o)
{
    for (size_t i = 0; i < o->n_row; i++) {
        const struct measured_row *r = &o->row[i];
        const char *group = group_of(o->a, r);
        for (int m = 0; m < MEASURED_METRICS; m++) {
            double sigma;
            if (!wanted(r, m, &sigma) || !(r->metric[m].value > 0))
                continue;
            add_item(o, &(struct objective_item){.run_id = r->run_id,
                                                 .metric = r->metric[m].name,
                                                 .group = group,
                                                 .row = i,
                                                 .metric_at = m,
                                                 .cell = -1,
                                                 .measured = r->metric[m].value,
                                                 .sigma = sigma,
                                                 .weight = r->weight});
        }
    }
}

static bool read_runs(struct objective *o, const struct objective_ask *k,
                      struct err *e)
{
    size_t cap = 0;
    for (const char *const *p = k->runs; *p; p++) {
        struct measured_row *row;
        size_t n;
        struct measured_ask ask = {.path = *p,
                                   .models = k->models,
                                   .store = k->store,
                                   .seed = k->seed};
        if (!measured_read(&ask, o->a, &row, &n, e))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (row[i].status == MEASURED_UNSUPPORTED
                || strcmp(row[i].gpu, k->gpu) != 0)
                continue;
            ARENA_ROOM(o->a, o->row, o->n_row, cap);
            o->row[o->n_row++] = row[i];
        }
    }
    return o->n_row > 0
        || err_set(e, ERR_INPUT, "no run of %s in the tables", k->gpu);
}

/* ---- steps --------------------------------------------------------------- */

struct stall {
    const char *run_id;
    double from, to;
};

struct log {
    struct objective *o;
    struct csv *csv;
    struct stall *stall;
    size_t n_stall;
};

static double num(const struct log *l, const char *name)
{
    double v = 0;
    str_double(csv_text(l->csv, csv_col(l->csv, name)), &v);
    return v;
}

static bool stalled(const struct log *l, const char *run)
{
    double from = num(l, "schedule_us"), to = num(l, "output_us");
    for (size_t i = 0; i < l->n_stall; i++)
        if (strcmp(l->stall[i].run_id, run) == 0 && from < l->stall[i].to
            && to > l->stall[i].from)
            return true;
    return false;
}

static size_t row_of(const struct objective *o, const char *run)
{
    size_t i = 0, n = strlen(run);
    for (; i < o->n_row; i++) {
        const char *id = o->row[i].run_id;
        if (strcmp(id, run) == 0
            || (strncmp(id, run, n) == 0 && strcmp(id + n, "-cut") == 0))
            break;
    }
    return i;
}

static int cell_of(struct objective *o, size_t row, const char *name,
                   size_t *index)
{
    int n = 0;
    for (size_t i = 0; i < o->n_cell; i++) {
        if (o->cell[i].row != row)
            continue;
        if (strcmp(o->cell[i].name, name) == 0) {
            *index = i;
            return o->cell[i].at;
        }
        n++;
    }
    if (n == CELLS)
        return -1;
    ARENA_ROOM(o->a, o->cell, o->n_cell, o->cap_cell);
    *index = o->n_cell;
    o->cell[o->n_cell++] = (struct cell){
        .row = row, .at = n, .name = arena_str(o->a, name)};
    return n;
}

static bool chunks(struct log *l, struct price_shape *s)
{
    const char *text = csv_text(l->csv, csv_col(l->csv, "chunks"));
    struct price_chunk c[CHUNKS];
    uint32_t n = 0;
    while (*text && n < CHUNKS) {
        char *end;
        long past = strtol(text, &end, 10);
        if (*end != '+')
            return false;
        long fresh = strtol(end + 1, &end, 10);
        c[n++] = (struct price_chunk){(int32_t)fresh, (int32_t)past};
        text = end;
        while (*text == ' ')
            text++;
    }
    struct price_chunk *keep = ARENA_ARRAY(l->o->a, struct price_chunk, n + 1);
    memcpy(keep, c, n * sizeof *c);
    s->chunk = keep;
    s->n_chunk = n;
    return *text == 0;
}

static void step_name(char *name, size_t room, const struct price_shape *s)
{
    if (!s->n_chunk)
        snprintf(name, room, "step decode %u", (s->ones + 7) / 8 * 8);
    else
        snprintf(name, room, "step %s 2^%d", s->ones ? "mixed" : "prefill",
                 (int)lround(log2(s->tokens)));
}

static void add_step(struct log *l)
{
    struct objective *o = l->o;
    const char *run = csv_text(l->csv, csv_col(l->csv, "run_id"));
    size_t row = row_of(o, run), at;
    double gpu = num(l, "gpu_us");
    struct step st = {.row = row, .gpu_s = gpu * 1e-6};
    if (row == o->n_row || stalled(l, run) || !(gpu > 0))
        return;
    struct price_shape *s = &st.shape;
    s->ones = (uint32_t)num(l, "decode_reqs");
    s->reqs = s->ones + (uint32_t)num(l, "prefill_reqs");
    s->tokens = (int32_t)s->ones + (int32_t)num(l, "prefill_tokens");
    s->ones_ctx = (int64_t)num(l, "decode_context") + s->ones;
    const struct llm_card *m = &o->row[row].s->llm;
    s->ones_win = m->window ? (int64_t)s->ones * m->window : s->ones_ctx;
    if (!s->tokens || !chunks(l, s))
        return;
    char name[48];
    step_name(name, sizeof name, s);
    st.cell = cell_of(o, row, name, &at);
    if (st.cell < 0)
        return;
    o->cell[at].gpu_s += st.gpu_s;
    o->cell[at].n++;
    ARENA_ROOM(o->a, o->step, o->n_step, o->cap_step);
    o->step[o->n_step++] = st;
}

static bool read_stalls(struct log *l, const char *path, struct err *e)
{
    size_t cap = 0;
    struct err end = {0};
    if (!path)
        return true;
    if (!csv_open(&l->csv, path, e))
        return false;
    while (csv_next(l->csv, &end)) {
        ARENA_ROOM(l->o->a, l->stall, l->n_stall, cap);
        l->stall[l->n_stall++] = (struct stall){
            arena_str(l->o->a, csv_text(l->csv, csv_col(l->csv, "run_id"))),
            num(l, "start_us"), num(l, "stop_us")};
    }
    csv_close(l->csv);
    if (end.kind != ERR_NONE)
        *e = end;
    return end.kind == ERR_NONE;
}

static bool read_steps(struct objective *o, const struct objective_ask *k,
                       struct err *e)
{
    struct log l = {.o = o};
    struct err end = {0};
    if (!k->steps)
        return true;
    if (!read_stalls(&l, k->stalls, e) || !csv_open(&l.csv, k->steps, e))
        return false;
    while (csv_next(l.csv, &end))
        add_step(&l);
    csv_close(l.csv);
    if (end.kind != ERR_NONE) {
        *e = end;
        return false;
    }
    for (size_t i = 0; i < o->n_cell; i++) {
        const struct cell *c = &o->cell[i];
        const struct measured_row *r = &o->row[c->row];
        add_item(o, &(struct objective_item){.run_id = r->run_id,
                                             .metric = c->name,
                                             .group = group_of(o->a, r),
                                             .row = c->row,
                                             .metric_at = -1,
                                             .cell = c->at,
                                             .measured = c->gpu_s,
                                             .sigma = SIGMA_STEP,
                                             .weight = r->weight * (double)c->n
                                                     / (5 + (double)c->n)});
    }
    return true;
}

/* ---- all ----------------------------------------------------------------- */

bool objective_new(const struct objective_ask *k, struct arena *a,
                   struct objective **out, struct err *e)
{
    struct objective *o = ARENA_NEW(a, struct objective);
    *out = o;
    o->a = a;
    o->workers = k->workers;
    if (!read_runs(o, k, e))
        return false;
    add_runs(o);
    return read_steps(o, k, e);
}

size_t objective_items(const struct objective *o,
                       const struct objective_item **items)
{
    *items = o->item;
    return o->n_item;
}

const struct measured_row *objective_row(const struct objective *o, size_t i)
{
    must(i < o->n_row);
    return &o->row[i];
}

struct job {
    struct objective *o;
    const double *v;
    const char *const *only;
    double *r;
};

static void simulate(void *ctx, size_t i, struct arena *a, void *result)
{
    const struct job *j = ctx;
    const struct objective *o = j->o;
    struct seen *s = result;
    size_t vec = i / o->n_row, at = i % o->n_row;
    struct tuned t = tuned_neutral();
    struct measured_row row;
    struct err e = {0};
    for (int m = 0; m < MEASURED_METRICS; m++)
        s->v[m] = NAN;
    memset(s->cell, 0, sizeof s->cell);
    if (j->only && strcmp(group_of(a, &o->row[at]), j->only[vec]) != 0)
        return;
    memcpy(t.v, &j->v[vec * TUNED_N], sizeof t.v);
    if (!measured_try(&o->row[at], &t, a, &row, &e))
        return;
    for (int m = 0; m < MEASURED_METRICS; m++)
        s->v[m] = measured_predicted(&row, m);
    const struct price *p = row.plant.pool[0].price;
    for (size_t k = 0; k < o->n_step; k++)
        if (o->step[k].row == at)
            s->cell[o->step[k].cell] += 1e-12
                                      * (double)price_step(p,
                                                           &o->step[k].shape);
}

static bool take(void *ctx, size_t i, const void *result, struct err *e)
{
    struct job *j = ctx;
    struct objective *o = j->o;
    const struct seen *s = result;
    size_t vec = i / o->n_row, at = i % o->n_row;
    for (size_t k = 0; k < o->n_item; k++) {
        const struct objective_item *it = &o->item[k];
        if (it->row != at)
            continue;
        double p = it->cell >= 0 ? s->cell[it->cell] : s->v[it->metric_at];
        bool left = j->only && strcmp(it->group, j->only[vec]) != 0;
        if (!left && !(p > 0))
            return err_set(e, ERR_INPUT, "%s: no %s is predicted", it->run_id,
                           it->metric);
        j->r[vec * o->n_item + k] = left ? 0
                                         : log(p / it->measured) / it->sigma;
    }
    return true;
}

bool objective_eval(struct objective *o, size_t n_vec, const double *v,
                    const char *const *only, double *r, struct err *e)
{
    struct job j = {o, v, only, r};
    struct crew_job job = {.n = n_vec * o->n_row,
                           .workers = o->workers,
                           .size = sizeof(struct seen),
                           .ctx = &j,
                           .work = simulate,
                           .emit = take};
    return crew_run(&job, e);
}
