/* world_int - what world.c, engine.c, route.c and handover.c share: the state
 * of one trial.  Not for callers. */
#ifndef SIM_SERVE_WORLD_INT_H
#define SIM_SERVE_WORLD_INT_H

#include "sim/des/batch_means.h"
#include "sim/des/evq.h"
#include "sim/des/hist.h"
#include "sim/des/rng.h"
#include "sim/serve/engine.h"
#include "sim/serve/wire.h"
#include "sim/serve/world.h"

/* Slots of the event queue; engines follow.  At one moment engines come first,
 * in the order of their ids, so that what ends now is over before anything new
 * arrives; then wire, mail and client.  Nothing an engine does reaches another
 * engine but through these three, so the order among engines cannot depend on
 * how many events they took (quiet runs). */
enum { SLOT_WIRE, SLOT_MAIL, SLOT_CLIENT, SLOT_ENGINES };

enum { WORLD_BATCHES = 10 }; /* batches of the 95 % intervals */

/* Preemptions with no token and no event but engines' own in between: far more
 * than requests that could be preempted once. */
enum { WORLD_THRASH = 100000 };

#define WORLD_NOBODY UINT32_MAX

struct world_req {
    ns_t sent, first, last;
    ns_t queued;           /* reached the engine that prefills it */
    ns_t admitted;         /* first scheduled there */
    ns_t prefilled;        /* prompt computed (P/D: reply leaves prefill) */
    ns_t posted, received; /* KV READ, P/D only */
    int32_t isl, osl;
    uint32_t prefill, decode; /* engine ids, WORLD_NOBODY without P/D */
    uint32_t pinned;  /* prefill side's handle while its blocks are held;
                         WORLD_NOBODY: preempted with its last step in flight,
                         nothing is left to fetch and decode prefills */
    uint32_t loading; /* decode side's handle while its KV is on the way */
    int32_t local;    /* tokens of it that decode had cached */
    /* prefill's blocks wait to be fetched until `expires` (handover.c) */
    ns_t expires;
    uint32_t pin_prev, pin_next;
    bool pin_listed, expired;
    /* MoRI-IO WRITE (push.c): decode has blocks; the last chunk's first layer
     * is there, and its last */
    ns_t alloc, layer, computed;
    bool allocated, layered;
    bool pushing, tailing; /* all but the last layer, the last, are moving */
    bool replied;          /* prefill has */
    bool answered;         /* decode has, and waits for prefill */
    uint64_t life;         /* number in the order of sending */
    int64_t bytes;         /* of KV transferred, all ranks */
    uint32_t next_free;
    const uint64_t *text; /* prefix identity, as load_req */
    uint32_t n_text;
    int32_t text_tokens;
    bool started;      /* first token seen */
    bool first_prompt; /* request 0 or a warm-up copy of it */
};

enum mail_kind {
    MAIL_DELIVER,
    MAIL_HANDOVER,
    MAIL_POST,
    MAIL_EXPIRE,
    MAIL_PUSH,
    MAIL_TAIL,
    MAIL_FAILED,
    MAIL_DONE
};
struct mail {
    ns_t at;
    uint64_t seq;
    enum mail_kind kind;
    uint32_t req;
};

struct world_batch { /* one batch of the confidence intervals */
    ns_t since;
    int64_t tokens, done;
};

struct world {
    const struct world_ask *ask;
    const struct plant *plant;
    struct arena *arena;
    struct evq *q;
    struct engine *engine;
    uint32_t n_engines;
    uint32_t first[PLANT_POOLS]; /* engine id where a pool begins */

    struct load *load;
    struct load_req next; /* the next one planned */
    bool have_next;
    int64_t slots; /* free client slots; INT64_MAX without a semaphore */
    int64_t sent, done, warmup_left;
    int64_t failures; /* of done */
    /* pins that wait to be fetched, oldest first, and whether a mail is under
     * way for the oldest */
    uint32_t pin_first, pin_last;
    bool pin_timed;
    bool measuring;

    struct world_req *req;
    uint32_t n_req, cap_req, free_req;

    struct mail *mail; /* binary heap by (at, seq) */
    uint32_t n_mail, cap_mail;
    uint64_t mail_seq;

    struct wire *wire;
    struct rng route_rng;
    uint32_t round_robin[PLANT_POOLS];
    struct sched_seg *seg; /* scratch */
    uint32_t cap_seg;
    uint64_t *hash; /* of the request being routed, for the prefix index */
    uint32_t n_hash, cap_hash;
    uint32_t last_pod[PLANT_POOLS]; /* engines of its session's last turn */
    bool local; /* decode engines may prefill by themselves */

    /* itl, ttft and e2e collect one batch; *_all the run */
    struct hist itl, ttft, e2e, itl_all, ttft_all, e2e_all, tpot, transfer;
    struct batch_means ci[5];
    struct world_batch batch;
    int64_t batch_size;
    ns_t start, last_token;
    int64_t output_tokens, input_tokens, events;
    int64_t thrash; /* preemptions since anything else happened */
    double inflight_area;
    ns_t inflight_at;
    int64_t inflight;
    double part[6];            /* sums of TTFT pieces, ns */
    uint64_t lives;            /* requests sent, warm-ups included */
    struct arena *watch_arena; /* NULL: nobody looks on */
    bool failed;
    struct err err;
};

/* world.c */
void world_first_token(struct world *w, struct world_req *r, ns_t now);
void world_fail(struct world *w, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void world_mail(struct world *w, ns_t at, enum mail_kind kind, uint32_t req);

/* prompt.c */
/* The prompt as segments in w->seg, for the prefix cache: a trace's own texts,
 * or the prefix that all prompts of this load share, then what nobody shares.
 * 0: all of it is that. */
uint32_t prompt_segments(struct world *w, const struct world_req *r);
/* The text of what nobody shares. */
uint64_t prompt_own(const struct world_req *r);
/* Hashes in w->hash of its prefixes of 1, 2, ... blocks, at most so many. */
uint32_t prompt_hashes(struct world *w, const struct world_req *r,
                       int32_t block, uint32_t most);

/* score.c */
struct engine *score_pick(struct world *w, uint32_t pool,
                          const struct route_side *side, ns_t now);
/* Share of w->hash that the pod's index has. */
double score_prefix(const struct world *w, const struct engine *g);
/* A pod's weighted sum; seen: least and most waiting, most active. */
double score_of(const struct world *w, const struct engine *g,
                const struct route_side *side, const double seen[3]);

/* route.c */
void route_init(struct world *w);
void route_deliver(struct world *w, uint32_t req, ns_t now);
/* The engine has answered. */
void route_answered(struct world *w, struct engine *g,
                    const struct world_req *r);
/* Brings what the scraper knows of the pod up to now. */
void route_scrape(struct world *w, struct engine *g, ns_t now);
/* Whether a gauge of this pool that each step moves is looked at. */
bool route_sees_kv(const struct world *w, uint32_t pool);
/* Records the engine's gauges as of now, for the scrapes between changes. */
void route_gauge(struct world *w, struct engine *g, ns_t now);

/* tally.c */
void tally_outcome(struct world *w, struct outcome *o);

/* watch.c; only where somebody looks on */
void watch_step(struct world *w, struct engine *g, const struct sched_batch *b,
                ns_t at, ns_t end);
void watch_transfer(struct world *w, const struct world_req *r);
void watch_life(struct world *w, const struct world_req *r, bool failed,
                ns_t now);

/* handover.c: the P/D path of a request */
void handover_prefilled(struct world *w, uint32_t req, uint32_t pinned,
                        ns_t now);
void handover_arrive(struct world *w, uint32_t req, ns_t now);
/* Posts the READs of a batch whose launch begins at t; returns host time. */
ns_t handover_post(struct world *w, struct engine *g,
                   const struct sched_batch *b, ns_t t);
void handover_start(struct world *w, uint32_t req, ns_t now);
void handover_wire(struct world *w, ns_t now);
/* The oldest pins may be over their time. */
void handover_expire(struct world *w, ns_t now);
/* Host time of posting a request's READs or WRITEs. */
ns_t handover_posting(const struct world *w, const struct world_req *r);
/* Starts a transfer of layers [from, to) of its KV. */
void handover_move(struct world *w, uint32_t req, ns_t now, int from, int to);
int handover_layers(const struct world *w);
/* The KV is there: tells both engines. */
void handover_received(struct world *w, uint32_t req, ns_t now);

/* push.c: MoRI-IO WRITE */
/* Decode has blocks for a request. */
void push_alloc(struct world *w, uint32_t req, ns_t now);
/* Prefill computes last chunks at [at, end); returns host time of posting. */
ns_t push_chunk(struct world *w, struct engine *g, const struct sched_batch *b,
                ns_t at, ns_t end);
void push_start(struct world *w, uint32_t req, ns_t now);
void push_tail(struct world *w, uint32_t req, ns_t now);
/* One of its transfers has ended. */
void push_moved(struct world *w, uint32_t req, ns_t now);
/* Prefill's reply is there. */
void push_prefilled(struct world *w, uint32_t req, uint32_t pinned, ns_t now);
/* Whether decode's answer has to wait for prefill's. */
bool push_holds(struct world *w, uint32_t req);

#endif
