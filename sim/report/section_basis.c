#include "sim/report/html.h"
#include "sim/report/section.h"

#include <math.h>
#include <string.h>

/* Predictions that rest on the same things are one ground. */
enum { GROUNDS = 64, SEEDS = 6 };

struct names {
    const char **v;
    size_t n, cap;
};

struct ground {
    const char *key[5]; /* in the order of `keys` */
    size_t n;           /* predictions */
    bool calibrated;    /* all of them */
    double ape;         /* largest */
    double ops, by_law; /* largest */
    struct names seeds, wires, laws, extrapolated, donors;
};

static const char *const keys[] = {"gpu", "model", "engine", "router", "store"};
enum { KEYS = sizeof keys / sizeof keys[0] };

struct grounds {
    struct ground g[GROUNDS];
    size_t n, beyond; /* predictions that found no room */
};

static void name_add(struct section *p, struct names *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i], name) == 0)
            return;
    ARENA_ROOM(p->a, s->v, s->n, s->cap);
    s->v[s->n++] = name;
}

static void name_all(struct section *p, struct names *s, const cJSON *list)
{
    for (const cJSON *i = list ? list->child : NULL; i; i = i->next)
        if (cJSON_IsString(i))
            name_add(p, s, i->valuestring);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct ground *find(struct grounds *all, const cJSON *basis)
{
    for (size_t i = 0; i < all->n; i++) {
        bool is = true;
        for (int k = 0; is && k < KEYS; k++)
            is = same(all->g[i].key[k], answer_text(basis, keys[k]));
        if (is)
            return &all->g[i];
    }
    if (all->n == GROUNDS) {
        all->beyond++;
        return NULL;
    }
    struct ground *g = &all->g[all->n++];
    g->calibrated = true;
    g->ape = g->ops = g->by_law = NAN;
    for (int k = 0; k < KEYS; k++)
        g->key[k] = answer_text(basis, keys[k]);
    return g;
}

/* Every object under the key "basis", anywhere in a file. */
static void collect(struct section *p, struct grounds *all, const cJSON *item)
{
    for (const cJSON *i = item ? item->child : NULL; i; i = i->next) {
        if (!i->string || strcmp(i->string, "basis") != 0
            || !cJSON_IsObject(i)) {
            collect(p, all, i);
            continue;
        }
        struct ground *g = find(all, i);
        if (!g)
            continue;
        const char *seed = answer_text(i, "seed");
        const char *donor = answer_text(i, "donor");
        const char *wire = answer_text(i, "wire");
        g->n++;
        g->calibrated = g->calibrated
                     && cJSON_IsTrue(answer_at(i, "calibrated"));
        g->ape = fmax(g->ape, answer_num(i, "fits.ape_median_pct"));
        g->ops = fmax(g->ops, answer_num(i, "fits.ops"));
        g->by_law = fmax(g->by_law, answer_num(i, "fits.laws"));
        if (seed)
            name_add(p, &g->seeds, seed);
        if (donor)
            name_add(p, &g->donors, donor);
        if (wire)
            name_add(p, &g->wires, wire);
        name_all(p, &g->laws, answer_at(i, "laws"));
        name_all(p, &g->extrapolated, answer_at(i, "extrapolated"));
    }
}

static void item(struct section *p, const char *head, const struct names *s,
                 size_t limit, const char *none)
{
    html_tag(p->out, "dt", head);
    str_add(p->out, "<dd>");
    for (size_t i = 0; i < s->n && i < limit; i++)
        html_fmt(p->out, "%s%s", i ? ", " : "", s->v[i]);
    if (s->n > limit)
        html_fmt(p->out, " and %zu more", s->n - limit);
    if (s->n == 0)
        html_text(p->out, none);
    str_add(p->out, "</dd>");
}

static void line(struct section *p, const char *head, const char *text)
{
    if (!text)
        return;
    html_tag(p->out, "dt", head);
    html_tag(p->out, "dd", text);
}

static void ground(struct section *p, const struct ground *g)
{
    str_add(p->out, "<div class=\"card\"><h3>");
    html_fmt(p->out, "%s on %s ", g->key[1] ? g->key[1] : "unnamed model",
             g->key[0] ? g->key[0] : "unnamed GPU");
    if (!g->calibrated)
        html_badge(p->out, "no", "not calibrated");
    else if (g->by_law > 0)
        html_badge(p->out, "partly",
                   arena_fmt(p->a, "%.0f of %.0f operators by law", g->by_law,
                             g->ops));
    else
        html_badge(p->out, "yes", "calibrated");
    str_add(p->out, "</h3><dl>");
    line(p, "Predictions", arena_fmt(p->a, "%zu", g->n));
    line(p, "Engine", g->key[2]);
    line(p, "Router", g->key[3]);
    if (g->wires.n > 0)
        item(p, "Wire", &g->wires, SIZE_MAX, "none");
    line(p, "Store", g->key[4]);
    if (!isnan(g->ops))
        line(p, "Operators", arena_fmt(p->a, "%.0f priced in a step", g->ops));
    line(p, "Fit error",
         isnan(g->ape) ? "no fit to measurements"
                       : arena_fmt(p->a,
                                   "%.1f %% median absolute error of the fits, "
                                   "weighted by their share of a decode step",
                                   g->ape));
    item(p, "Laws in place of measurements", &g->laws, SIZE_MAX, "none");
    item(p, "Extrapolated beyond the fitted sizes", &g->extrapolated, SIZE_MAX,
         "none");
    if (g->donors.n > 0)
        item(p, "Scaled by data sheet from", &g->donors, SIZE_MAX, "none");
    item(p, "Seeds", &g->seeds, SEEDS, "none");
    str_add(p->out, "</dl></div>\n");
}

/* How many predictions a file holds, whatever its kind. */
static double predictions(const cJSON *root)
{
    static const char *const lists[] = {"answers", "prefill", "decode", "rows"};
    double n = answer_text(root, "topology") ? 1 : 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const cJSON *list = answer_at(root, lists[i]);
        n += cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    }
    return n > 0 ? n : answer_num(root, "trials");
}

static void files(struct section *p, const struct answer_file *file, size_t n)
{
    static const char *const heads[] = {"File", "Kind", "Question",
                                        "#Predictions", NULL};
    str_add(p->out, "<div class=\"card\"><h3>Files</h3>");
    html_table(p->out, heads);
    for (size_t i = 0; i < n; i++) {
        str_add(p->out, "<tr><td><code>");
        html_text(p->out, file[i].name);
        str_add(p->out, "</code></td>");
        html_cell(p->out, answer_text(file[i].root, "kind"));
        html_cell(p->out, answer_text(file[i].root, "scenario.why"));
        html_num(p->out, "%.0f", predictions(file[i].root));
        str_add(p->out, "</tr>\n");
    }
    html_table_end(p->out);
    str_add(p->out, "</div>\n");
}

void section_basis(struct section *p, const struct answer_file *file, size_t n)
{
    struct grounds *all = ARENA_NEW(p->a, struct grounds);
    for (size_t i = 0; i < n; i++)
        collect(p, all, file[i].root);
    str_add(p->out, "<div class=\"grid\">\n");
    for (size_t i = 0; i < all->n; i++)
        ground(p, &all->g[i]);
    str_add(p->out, "</div>\n");
    if (all->beyond > 0)
        str_fmt(p->out,
                "<p class=\"soft\">%zu predictions rest on further "
                "combinations.</p>\n",
                all->beyond);
    files(p, file, n);
}
