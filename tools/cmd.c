#include "tools/cmd.h"

#include "sim/base/json.h"
#include "sim/store/costs.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef TANDEM_SHARE
#define TANDEM_SHARE ""
#endif

#define ROOM(stem) extern const struct cmd cmd_##stem;
#include "gen/cmd.inc"
#undef ROOM
#define ROOM(stem) &cmd_##stem,
const struct cmd *const cmd_table[] = {
#include "gen/cmd.inc"
    NULL,
};
#undef ROOM

/* ---- options ------------------------------------------------------------- */

enum { KEY_JSON = 0x1000, KEY_CSV, KEY_SEED, KEY_STORE, KEY_SET };

static const struct argp_option cmd_options[] = {
    {"json", KEY_JSON, "FILE", 0, "write the answer as JSON (- = stdout)", 90},
    {"csv", KEY_CSV, "FILE", 0, "write the answer as CSV (- = stdout)", 90},
    {"seed", KEY_SEED, "N", 0, "seed of all chance (the scenario's)", 90},
    {"store", KEY_STORE, "FILE", 0,
     "SQLite store; made from the shipped fits when it is not there", 90},
    {"set", KEY_SET, "PATH=VALUE", 0,
     "override a key of the scenario, e.g. pools.0.tp=4; repeatable", 90},
    {"jobs", 'j', "N", 0, "threads (one a processor)", 90},
    {"quiet", 'q', NULL, 0, "no progress on stderr", 90},
    {0},
};

void cmd_set(struct cmd_common *c, const char *assignment)
{
    c->set = realloc(c->set, (c->n_set + 2) * sizeof *c->set);
    if (!c->set)
        abort();
    c->set[c->n_set++] = assignment;
    c->set[c->n_set] = NULL;
}

error_t cmd_path(int key, char *arg, struct argp_state *state,
                 const char **path)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path)
            argp_error(state, "one scenario, please");
        *path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which scenario?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t cmd_parse(int key, char *arg, struct argp_state *state)
{
    struct cmd_common *c = state->input;
    char *end;
    switch (key) {
    case KEY_JSON:
        c->json = arg;
        return 0;
    case KEY_CSV:
        c->csv = arg;
        return 0;
    case KEY_SEED:
        c->seed = arg;
        return 0;
    case KEY_STORE:
        c->store = arg;
        return 0;
    case KEY_SET:
        cmd_set(c, arg);
        return 0;
    case 'j':
        c->jobs = (int)strtol(arg, &end, 10);
        if (*end || !*arg || c->jobs < 1 || c->jobs > 256)
            argp_error(state, "--jobs: must be in [1, 256], got \"%s\"", arg);
        return 0;
    case 'q':
        c->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cmd_argp = {.options = cmd_options, .parser = cmd_parse};

/* ---- signals and endings ------------------------------------------------- */

static volatile sig_atomic_t cmd_stopped;

static void cmd_on_signal(int sig)
{
    (void)sig;
    cmd_stopped = 1;
}

const volatile sig_atomic_t *cmd_stop(void)
{
    struct sigaction act = {.sa_handler = cmd_on_signal,
                            .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    return &cmd_stopped;
}

int cmd_fail(const struct err *e)
{
    fprintf(stderr, "tandem: %s\n", e->text);
    return (int)e->kind;
}

bool cmd_flush(struct err *e)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return err_set(e, ERR_SYSTEM, "stdout: %s", strerror(errno));
}

bool cmd_json(const struct cmd_common *c, const cJSON *root, struct err *e)
{
    struct file_out o;
    if (!c->json)
        return true;
    if (!file_out_open(&o, c->json, e))
        return false;
    struct arena *a = arena_open();
    fprintf(o.f, "%s\n", json_print(root, true, a));
    arena_close(a);
    return file_out_done(&o, e);
}

int cmd_jobs(const struct cmd_common *c)
{
    long n = c->jobs ? c->jobs : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}

/* ---- data and store ------------------------------------------------------ */

static bool cmd_is_data(const char *dir)
{
    struct stat st;
    char path[4096];
    snprintf(path, sizeof path, "%s/models/gpu", dir);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* TANDEM_DATA, else the tree the program stands in, else where it was
 * installed. */
static bool cmd_data(struct cmd_session *s, struct err *e)
{
    char exe[2048];
    const char *env = getenv("TANDEM_DATA");
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = 0;
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = 0;
    }
    const char *try[] = {
        env,
        env || n <= 0 ? NULL : arena_fmt(s->a, "%s/..", exe),
        env || n <= 0 ? NULL : arena_fmt(s->a, "%s/../share/tandem", exe),
        env ? NULL : TANDEM_SHARE,
        env ? NULL : ".",
    };
    for (size_t i = 0; i < sizeof try / sizeof *try; i++)
        if (try[i] && *try[i] && cmd_is_data(try[i])) {
            s->data = try[i];
            s->models = arena_fmt(s->a, "%s/models", s->data);
            return true;
        }
    return err_set(e, ERR_ABSENT,
                   "no data folder: %s holds no models/gpu; "
                   "set TANDEM_DATA",
                   env ? env : "the program's folder");
}

/* FNV-1a, 64 bit: names the cached store after what was imported. */
static uint64_t cmd_hash(uint64_t h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211ULL;
    return h;
}

static bool cmd_import(struct cmd_session *s, const glob_t *g, struct err *e)
{
    for (size_t i = 0; i < g->gl_pathc; i++)
        if (!costs_import(&s->db, g->gl_pathv[i], e))
            return false;
    return true;
}

/* Makes a store of the shipped fits at path, whole or not at all. */
static bool cmd_make_store(struct cmd_session *s, const char *path,
                           const glob_t *g, struct err *e)
{
    const char *tmp = arena_fmt(s->a, "%s.%ld.new", path, (long)getpid());
    bool ok = db_open(&s->db, tmp, e) && cmd_import(s, g, e);
    db_close(&s->db);
    if (ok && rename(tmp, path) != 0)
        ok = err_set(e, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (!ok)
        unlink(tmp);
    return ok;
}

static const char *cmd_cache(struct cmd_session *s, const glob_t *g,
                             struct err *e)
{
    uint64_t h = 14695981039346656037ULL;
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    for (size_t i = 0; i < g->gl_pathc; i++) {
        char *text;
        size_t n;
        if (!file_read(g->gl_pathv[i], (size_t)64 << 20, s->a, &text, &n, e))
            return NULL;
        h = cmd_hash(h, text, n);
    }
    const char *dir = xdg && *xdg
                        ? arena_fmt(s->a, "%s/tandem", xdg)
                        : arena_fmt(s->a, "%s/.cache/tandem", home ? home : "");
    struct err ignored = {0};
    if ((!home && !xdg) || !file_dirs(dir, &ignored) || access(dir, W_OK) != 0)
        return ":memory:";
    return arena_fmt(s->a, "%s/store-%d-%016llx.db", dir, (int)DB_VERSION,
                     (unsigned long long)h);
}

static bool cmd_load_store(struct cmd_session *s, struct err *e)
{
    glob_t g;
    const char *pattern = arena_fmt(s->a, "%s/results/*/costs.sql", s->data);
    if (glob(pattern, 0, NULL, &g) == GLOB_NOSPACE)
        abort();
    const char *path = s->c->store ? s->c->store : cmd_cache(s, &g, e);
    bool memory = path && strcmp(path, ":memory:") == 0;
    bool ok = path != NULL;
    if (ok && !memory && access(path, F_OK) != 0)
        ok = cmd_make_store(s, path, &g, e);
    ok = ok && db_open(&s->db, path, e);
    if (ok && memory)
        ok = cmd_import(s, &g, e);
    globfree(&g);
    s->store_name = path;
    return ok;
}

/* A path that cannot be written is found before hours of simulation. */
static bool cmd_writable(const char *path, struct err *e)
{
    struct file_out o;
    if (!path || strcmp(path, "-") == 0)
        return true;
    if (!file_out_open(&o, path, e))
        return false;
    file_out_drop(&o);
    return true;
}

bool cmd_open(struct cmd_session *s, const struct cmd_common *c, struct err *e)
{
    *s = (struct cmd_session){.c = c, .a = arena_open()};
    if (cmd_writable(c->json, e) && cmd_writable(c->csv, e) && cmd_data(s, e)
        && cmd_load_store(s, e))
        return true;
    cmd_close(s);
    return false;
}

void cmd_close(struct cmd_session *s)
{
    db_close(&s->db);
    arena_close(s->a);
    s->a = NULL;
    free(s->c->set);
}

bool cmd_scenario(struct cmd_session *s, const char *path, struct scenario *out,
                  struct err *e)
{
    struct scenario_ask ask = {.path = path,
                               .models = s->models,
                               .set = s->c->set,
                               .seed = s->c->seed,
                               .store = &s->db};
    if (!scenario_load(&ask, s->a, out, e))
        return false;
    /* its name says what was imported; where it lies is this machine's */
    const char *slash = strrchr(s->store_name, '/');
    out->own.store = slash ? slash + 1 : s->store_name;
    return true;
}

int cmd_work(const struct cmd_common *c, const char *path,
             bool (*work)(struct cmd_session *, const void *options,
                          struct scenario *, struct err *),
             const void *options)
{
    struct cmd_session ses;
    struct scenario s;
    struct err e = {0};
    if (!cmd_open(&ses, c, &e))
        return cmd_fail(&e);
    bool ok = cmd_scenario(&ses, path, &s, &e) && work(&ses, options, &s, &e);
    cmd_close(&ses);
    return ok ? 0 : cmd_fail(&e);
}

/* ---- progress ------------------------------------------------------------ */

static double cmd_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cmd_progress_begin(struct cmd_progress *p, const struct cmd_common *c,
                        const char *what, double total)
{
    *p = (struct cmd_progress){.what = what,
                               .total = total,
                               .begun = cmd_now(),
                               .quiet = c->quiet,
                               .live = isatty(STDERR_FILENO)};
    p->shown = p->begun;
}

void cmd_progress_at(struct cmd_progress *p, double done, const char *more)
{
    double now = cmd_now(), every = p->live ? 0.1 : 5.0;
    if (p->quiet || now - p->shown < every)
        return;
    p->shown = now;
    double spent = now - p->begun;
    double left = done > 0 ? spent * (p->total - done) / done : 0;
    fprintf(stderr, "%s%s %3.0f %%  %.0f of %.0f  %.0f s, %.0f s left%s%s%s",
            p->live ? "\r" : "", p->what, 100 * done / p->total, done, p->total,
            spent, left, *more ? "  " : "", more, p->live ? "\033[K" : "\n");
}

void cmd_progress_step(void *to, size_t done, size_t total)
{
    (void)total;
    cmd_progress_at(to, (double)done, "");
}

void cmd_progress_end(struct cmd_progress *p)
{
    if (!p->quiet && p->live)
        fprintf(stderr, "\r\033[K");
}
