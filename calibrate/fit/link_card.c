#include "calibrate/fit/link.h"

#include "sim/base/must.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct writer {
    const struct link_fit *f;
    const struct link_card_ask *ask;
    cJSON *card, *sources;
};

/* A number and where it is from. */
static void put(struct writer *w, const char *key, double v, const char *from)
{
    must(cJSON_AddNumberToObject(w->card, key, v));
    must(cJSON_AddStringToObject(w->sources, key, from));
}

static void put_base(struct writer *w, const char *key, double absent)
{
    char from[1024];
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(w->ask->base, key);
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(w->ask->base,
                                                        "sources");
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(all, key);
    snprintf(from, sizeof from, "not measured here; card %s: %.800s",
             w->ask->base_name, cJSON_IsString(s) ? s->valuestring : "none");
    put(w, key, cJSON_IsNumber(v) ? v->valuedouble : absent, from);
}

enum { SOURCE = 512 };

/* "measured: 5.81 +- 0.02 us; law of 34 rows, ... mlx5_0, ... 2001-02-03" */
static void say(const struct writer *w, char text[SOURCE],
                const struct link_value *v, double unit, const char *name,
                const struct link_law *law)
{
    char se[48] = "";
    if (isfinite(v->se))
        snprintf(se, sizeof se, " +- %.2g", v->se / unit);
    snprintf(text, SOURCE,
             "measured: %.6g%s %s; law of %zu rows, error %.1f %% in "
             "the median, %s, %s memory, %s",
             v->is / unit, se, name, law->n, law->ape_median, w->f->nic,
             w->f->gpu ? "GPU" : "host", w->ask->date);
}

/* A large message's rate over the queue pairs of one KV flow. */
static double flow_Bps(const struct link_law *law, int qps)
{
    return fmin(law->rail_Bps.is, qps * law->flow_Bps.is);
}

static void put_op(struct writer *w, enum link_op op)
{
    static const char *const key[2][3] = {
        {"read_s", "read_Bps", "read_gap_s"},
        {"write_s", "write_Bps", "write_gap_s"}};
    const struct link_law *law = &w->f->op[op];
    const struct link_law *other = &w->f->op[!op];
    char from[SOURCE];
    if (law->n == 0)
        law = other; /* one direction only was measured */
    say(w, from, &law->latency_s, 1e-6, "us", law);
    put(w, key[op][0], law->latency_s.is, from);
    bool paired = law->flow_Bps.is * w->ask->flow_qps < law->rail_Bps.is;
    struct link_value v = paired ? law->flow_Bps : law->rail_Bps;
    if (paired) {
        v.is *= w->ask->flow_qps;
        v.se *= w->ask->flow_qps;
    }
    say(w, from, &v, 1e9, "GB/s", law);
    put(w, key[op][1], flow_Bps(law, w->ask->flow_qps), from);
    say(w, from, &law->gap_s, 1e-6, "us a message", law);
    put(w, key[op][2], law->gap_s.is, from);
}

static const struct link_law *fastest(const struct link_fit *f)
{
    const struct link_law *r = &f->op[LINK_READ], *o = &f->op[LINK_WRITE];
    if (r->n == 0 || o->n == 0)
        return r->n == 0 ? o : r;
    return r->rail_Bps.is > o->rail_Bps.is ? r : o;
}

static void put_incast(struct writer *w)
{
    const struct link_law *r = &w->f->op[LINK_READ], *o = &w->f->op[LINK_WRITE];
    const struct link_law *law = r->n && !r->incast.held ? r : o;
    char from[SOURCE];
    if (law->n == 0 || law->incast.held) {
        put_base(w, "incast", 1);
        return;
    }
    say(w, from, &law->incast, 1, "of the rate alone", law);
    put(w, "incast", fmin(1, law->incast.is), from);
}

/* The library of an engine posts dearer than bare verbs do; what costs more is
 * what the engine's host pays. */
static void put_post(struct writer *w, const char *key,
                     const struct link_value *v)
{
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(w->ask->base, key);
    double base = cJSON_IsNumber(b) ? b->valuedouble : 0;
    char from[SOURCE];
    if (!(v->is > base)) {
        put_base(w, key, 0);
        return;
    }
    snprintf(from, sizeof from,
             "measured: %.4g +- %.2g us of processor time "
             "in ibv_post_send, %zu rows of %s, %s",
             v->is * 1e6, v->se * 1e6, w->f->n_post, w->f->nic, w->ask->date);
    put(w, key, v->is, from);
}

/* Rails that slow each other share something: the node's way out. */
static void put_uplink(struct writer *w)
{
    static const double alike = 0.9;
    char from[256];
    if (isnan(w->f->rails_share)) {
        put_base(w, "uplink_Bps", 0);
        return;
    }
    snprintf(from, sizeof from,
             "measured: %d rails together reach %.0f %% of "
             "that many times one, %s",
             w->f->rails, 100 * w->f->rails_share, w->ask->date);
    put(w, "uplink_Bps", w->f->rails_share < alike ? w->f->rails_Bps : 0, from);
}

static void put_nics(struct writer *w)
{
    if (w->ask->nics > 0)
        put(w, "nics_per_node", w->ask->nics, "given with --nics");
    else
        put_base(w, "nics_per_node", 1);
}

cJSON *link_card(const struct link_fit *f, const struct link_card_ask *ask)
{
    struct writer w = {.f = f,
                       .ask = ask,
                       .card = cJSON_CreateObject(),
                       .sources = cJSON_CreateObject()};
    char text[SOURCE];
    must(w.card && w.sources && ask->flow_qps > 0);
    const struct link_law *best = fastest(f);
    snprintf(text, sizeof text, "What %s did on %s, measured with %s memory.",
             f->nic, ask->date, f->gpu ? "GPU" : "host");
    must(cJSON_AddStringToObject(w.card, "why", text));
    put_nics(&w);
    say(&w, text, &best->rail_Bps, 1e9, "GB/s", best);
    put(&w, "nic_Bps", best->rail_Bps.is, text);
    put_op(&w, LINK_READ);
    put_op(&w, LINK_WRITE);
    put_post(&w, "post_s", &f->post_s);
    put_post(&w, "post_base_s", &f->post_base_s);
    put_base(&w, "intra_Bps", 0);
    put_base(&w, "intra_s", 0);
    put_incast(&w);
    put_uplink(&w);
    must(cJSON_AddBoolToObject(w.card, "calibrated", true));
    cJSON_AddItemToObject(w.card, "sources", w.sources);
    return w.card;
}
