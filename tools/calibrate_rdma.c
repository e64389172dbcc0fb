#include "tools/calibrate_rdma.h"

#include "sim/base/str.h"
#include "tools/cmd.h"
#include "tools/rdma_card.h"
#include "tools/rdma_measure.h"
#include "tools/rdma_replay.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES = PARTNER_MOST };

enum {
    MODE_LIST,
    MODE_LISTEN,
    MODE_LADDER,
    MODE_CONTEND,
    MODE_FIT,
    MODE_REPLAY,
};

struct options {
    struct cmd_common c;
    int mode; /* -1: none was named */
    char *peer[NAMES + 1], *device[NAMES + 1];
    size_t peers, devices;
    struct rdma_measure_ask measure;
    struct rdma_card_ask fit;
    struct rdma_replay_ask replay;
};

enum {
    KEY_LIST = 0x2000,
    KEY_LISTEN,
    KEY_PEER,
    KEY_CONTEND,
    KEY_FIT,
    KEY_REPLAY,
    KEY_DEVICE,
    KEY_PORT,
    KEY_BIND,
    KEY_ONCE,
    KEY_MTU,
    KEY_GID,
    KEY_MEMORY,
    KEY_RAIL,
    KEY_LEAST,
    KEY_MOST,
    KEY_QPS,
    KEY_BATCH,
    KEY_SECONDS,
    KEY_SKIP,
    KEY_RUNS,
    KEY_DEPTH,
    KEY_PATIENCE,
    KEY_CARD,
    KEY_BASE,
    KEY_NIC,
    KEY_NICS,
    KEY_TOLERANCE,
};

static const struct argp_option rows[] = {
    {NULL, 0, NULL, 0, "What to do:", 1},
    {"list", KEY_LIST, NULL, 0, "print this host's ports", 1},
    {"listen", KEY_LISTEN, NULL, 0, "serve as the other end", 1},
    {"peer", KEY_PEER, "HOST[:PORT]", 0,
     "measure against a listener there; repeatable, and a list: several "
     "senders into one port",
     1},
    {"contend", KEY_CONTEND, "PLAN.csv", 0,
     "with --peer: play transfers that share the path instead", 1},
    {"fit", KEY_FIT, "ROWS.csv", 0, "a law and a card from measured rows", 1},
    {"replay", KEY_REPLAY, "RUNS.csv", 0,
     "contended runs against the wire model with --card", 1},
    {NULL, 0, NULL, 0, "Both ends:", 2},
    {"device", KEY_DEVICE, "NAME,...", 0, "ports (all active ones)", 2},
    {"mtu", KEY_MTU, "BYTES", 0, "of a packet (the port's)", 2},
    {"gid-index", KEY_GID, "N", 0, "address entry (an IPv4 RoCE v2 one)", 2},
    {"memory", KEY_MEMORY, "auto|host", 0, "auto: a GPU's if there is one", 2},
    {"rail", KEY_RAIL, "verbs|null", 0, "null: a stated law, no hardware", 2},
    {NULL, 0, NULL, 0, "Listening:", 3},
    {"port", KEY_PORT, "N", 0, "TCP port (18515)", 3},
    {"bind", KEY_BIND, "ADDRESS", 0, "only there", 3},
    {"once", KEY_ONCE, NULL, 0, "end with the first caller", 3},
    {NULL, 0, NULL, 0, "Measuring:", 4},
    {"least", KEY_LEAST, "SIZE", 0, "smallest message (4k)", 4},
    {"most", KEY_MOST, "SIZE", 0, "largest message (64m)", 4},
    {"queue-pairs", KEY_QPS, "N", 0,
     "most of them (16); with --fit: of one KV flow (1)", 4},
    {"batch", KEY_BATCH, "N", 0, "most messages of a batch (1024)", 4},
    {"seconds", KEY_SECONDS, "S", 0, "for a rung (0.1)", 4},
    {"skip", KEY_SKIP, "KIND,...", 0,
     "rungs to leave out: lone, batch, qps, both, fan, rails", 4},
    {"patience", KEY_PATIENCE, "S", 0, "for a listener to answer (5)", 4},
    {"runs", KEY_RUNS, "N", 0, "of a plan (3)", 4},
    {"depth", KEY_DEPTH, "N", 0,
     "of a plan: messages outstanding a transfer (16)", 4},
    {NULL, 0, NULL, 0, "Fitting:", 5},
    {"card", KEY_CARD, "FILE", 0, "wire card to write, or to replay with", 5},
    {"base", KEY_BASE, "NAME", 0, "card for what is not measured (plain-400g)",
     5},
    {"nic", KEY_NIC, "NAME", 0, "whose rows (the file's only one)", 5},
    {"nics", KEY_NICS, "N", 0, "NICs of a node (the base card's)", 5},
    {"tolerance", KEY_TOLERANCE, "SHARE", 0, "of a replay (0.1)", 5},
    {0},
};

/* ---- options ---- */

static void set_mode(struct options *o, int mode, struct argp_state *state)
{
    if (o->mode >= 0 && o->mode != mode
        && !(o->mode == MODE_LADDER && mode == MODE_CONTEND)
        && !(o->mode == MODE_CONTEND && mode == MODE_LADDER))
        argp_error(state, "one of --list, --listen, --peer, --fit, --replay");
    if (o->mode != MODE_CONTEND)
        o->mode = mode;
}

static void add_names(char **list, size_t *n, char *arg,
                      struct argp_state *state)
{
    char *save;
    for (char *t = strtok_r(arg, ",", &save); t;
         t = strtok_r(NULL, ",", &save)) {
        if (*n == NAMES)
            argp_error(state, "more than %d names", (int)NAMES);
        list[(*n)++] = t;
    }
}

static long number(const char *arg, long lo, long hi, const char *what,
                   struct argp_state *state)
{
    int64_t v;
    if (!str_int64(arg, &v) || v < lo || v > hi)
        argp_error(state, "%s: must be in [%ld, %ld], got \"%s\"", what, lo, hi,
                   arg);
    return (long)v;
}

/* "64k", "1m", "512": bytes. */
static uint64_t size(const char *arg, const char *what,
                     struct argp_state *state)
{
    static const uint64_t most = (uint64_t)1 << 30;
    char *end;
    unsigned long long v = strtoull(arg, &end, 10);
    int shift = *end == 'k' ? 10 : *end == 'm' ? 20 : 0;
    if (end == arg || end[shift != 0] || v == 0 || v > most >> shift)
        argp_error(state, "%s: must be a size such as 64k or 4m, got \"%s\"",
                   what, arg);
    return (uint64_t)v << shift;
}

static uint32_t power(const char *arg, long most, const char *what,
                      struct argp_state *state)
{
    long v = number(arg, 1, most, what, state);
    if (v & (v - 1))
        argp_error(state, "%s: must be a power of two, got \"%s\"", what, arg);
    return (uint32_t)v;
}

static double positive(const char *arg, const char *what,
                       struct argp_state *state)
{
    double v;
    if (!str_double(arg, &v) || v <= 0 || v > 3600)
        argp_error(state, "%s: must be in (0, 3600], got \"%s\"", what, arg);
    return v;
}

static void skip(struct options *o, char *arg, struct argp_state *state)
{
    char *save;
    for (char *t = strtok_r(arg, ",", &save); t;
         t = strtok_r(NULL, ",", &save)) {
        int k = 0;
        while (k < LADDER_KINDS
               && strcmp(t, ladder_kind_name((enum ladder_kind)k)) != 0)
            k++;
        if (k == LADDER_KINDS)
            argp_error(state, "--skip: no kind of rung is \"%s\"", t);
        o->measure.ladder.skip[k] = true;
    }
}

static error_t parse_ends(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_DEVICE:
        add_names(o->device, &o->devices, arg, state);
        return 0;
    case KEY_PORT:
        o->measure.port = (int)number(arg, 1, 65535, "--port", state);
        return 0;
    case KEY_BIND:
        o->measure.bind = arg;
        return 0;
    case KEY_ONCE:
        o->measure.once = true;
        return 0;
    case KEY_MTU:
        o->measure.end.mtu = power(arg, 4096, "--mtu", state);
        return 0;
    case KEY_GID:
        o->measure.end.gid = (int)number(arg, 0, 1023, "--gid-index", state);
        return 0;
    case KEY_MEMORY:
        o->measure.end.host = strcmp(arg, "host") == 0;
        if (!o->measure.end.host && strcmp(arg, "auto") != 0)
            argp_error(state, "--memory: auto or host, got \"%s\"", arg);
        return 0;
    case KEY_RAIL:
        o->measure.end.rail = rail_find(arg);
        if (!o->measure.end.rail)
            argp_error(state, "--rail: verbs or null, got \"%s\"", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_work(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case KEY_LEAST:
        o->measure.ladder.least = size(arg, "--least", state);
        return 0;
    case KEY_MOST:
        o->measure.ladder.most = size(arg, "--most", state);
        return 0;
    case KEY_QPS:
        o->measure.ladder.qps = power(arg, RAIL_QPS, "--queue-pairs", state);
        o->fit.flow_qps = (int)o->measure.ladder.qps;
        return 0;
    case KEY_BATCH:
        o->measure.ladder.batch = power(arg, 65536, "--batch", state);
        return 0;
    case KEY_SECONDS:
        o->measure.ladder.rung_s = positive(arg, "--seconds", state);
        return 0;
    case KEY_SKIP:
        skip(o, arg, state);
        return 0;
    case KEY_RUNS:
        o->measure.runs = (int)number(arg, 1, 1000, "--runs", state);
        return 0;
    case KEY_PATIENCE:
        o->measure.patience_s = positive(arg, "--patience", state);
        return 0;
    case KEY_DEPTH:
        o->measure.depth = (int)number(arg, 1, RAIL_DEPTH, "--depth", state);
        return 0;
    case KEY_CARD:
        o->fit.card = o->replay.card = arg;
        return 0;
    case KEY_BASE:
        o->fit.base = arg;
        return 0;
    case KEY_NIC:
        o->fit.nic = arg;
        return 0;
    case KEY_NICS:
        o->fit.nics = (int)number(arg, 1, 64, "--nics", state);
        return 0;
    case KEY_TOLERANCE:
        o->replay.tolerance = positive(arg, "--tolerance", state);
        return 0;
    default:
        return parse_ends(key, arg, state);
    }
}

static void check(struct options *o, struct argp_state *state)
{
    if (o->mode < 0)
        argp_error(state, "say --list, --listen, --peer, --fit or --replay");
    if (o->mode == MODE_CONTEND && o->peers != 1)
        argp_error(state, "--contend needs one --peer");
    if (o->mode == MODE_REPLAY && !o->fit.card)
        argp_error(state, "--replay needs --card");
    if (o->measure.ladder.least > o->measure.ladder.most)
        argp_error(state, "--least is above --most");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->c;
        return 0;
    case KEY_LIST:
        set_mode(o, MODE_LIST, state);
        return 0;
    case KEY_LISTEN:
        set_mode(o, MODE_LISTEN, state);
        return 0;
    case KEY_PEER:
        set_mode(o, MODE_LADDER, state);
        add_names(o->peer, &o->peers, arg, state);
        return 0;
    case KEY_CONTEND:
        set_mode(o, MODE_CONTEND, state);
        o->measure.plan = arg;
        return 0;
    case KEY_FIT:
        set_mode(o, MODE_FIT, state);
        o->fit.rows = arg;
        return 0;
    case KEY_REPLAY:
        set_mode(o, MODE_REPLAY, state);
        o->replay.runs = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected \"%s\"", arg);
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return 0;
    default:
        return parse_work(key, arg, state);
    }
}

/* ---- work ---- */

static bool work(struct options *o, struct err *e)
{
    switch (o->mode) {
    case MODE_LIST:
        return rdma_measure_list(&o->measure, e);
    case MODE_LISTEN:
        return rdma_measure_listen(&o->measure, e);
    case MODE_LADDER:
        return rdma_measure_ladder(&o->measure, e);
    case MODE_CONTEND:
        return rdma_measure_contend(&o->measure, e);
    case MODE_FIT:
        return rdma_card(&o->fit, e);
    case MODE_REPLAY:
        return rdma_replay(&o->replay, e);
    default:
        return err_set(e, ERR_USAGE, "nothing to do");
    }
}

static struct options defaults(void)
{
    return (struct options){
        .mode = -1,
        .measure = {.end = {.rail = rail_find("verbs"), .gid = -1, .seed = 1},
                    .ladder = {.least = 4 << 10,
                               .most = 64 << 20,
                               .qps = RAIL_QPS,
                               .batch = 1024,
                               .rung_s = 0.1},
                    .patience_s = 5,
                    .runs = 3,
                    .depth = 16,
                    .port = SIDE_PORT},
        .fit = {.base = "plain-400g", .flow_qps = 1},
        .replay = {.tolerance = 0.1},
    };
}

int calibrate_rdma(int argc, char **argv)
{
    static const struct argp_child kids[] = {{&cmd_argp, 0, "Common:", 9}, {0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Times RDMA READ and WRITE between two hosts, and makes a wire "
               "card of it.\vOn one host: --listen.  On the other: --peer HOST "
               "--csv rows.csv, then --fit rows.csv --card wire.json.  Needs "
               "libibverbs when built and an active RDMA port when run.",
        .children = kids,
    };
    struct options o = defaults();
    struct err e = {ERR_NONE, ""};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
        return ERR_USAGE;
    if (o.c.seed && !str_uint64(o.c.seed, &o.measure.end.seed))
        err_set(&e, ERR_USAGE, "--seed: must be a number, got \"%s\"",
                o.c.seed);
    o.measure.end.device = o.devices ? (const char *const *)o.device : NULL;
    o.measure.peer = o.peer;
    o.measure.peers = o.peers;
    o.measure.c = o.fit.c = o.replay.c = &o.c;
    return e.kind == ERR_NONE && work(&o, &e) ? 0 : cmd_fail(&e);
}
