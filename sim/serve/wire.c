#include "sim/serve/wire.h"

#include "sim/base/must.h"
#include "sim/serve/wire_share.h"

#include <math.h>
#include <string.h>

/* A flow holds its links from its start until its last byte is through; its
 * completion is seen a latency later.  Bytes on the move are a fluid at the
 * rates of wire_share; what was asked and what arrived are counted in integers
 * as flows come and go.  An end is rounded up to a whole ns.
 *
 * Links of a node, in this order: egress and ingress of each GPU, transmit and
 * receive of each NIC, uplink up and down. */

enum {
    FIRST_TRANSFERS = 16,
    SIZES = 32, /* of messages, an octave: 2.2 % apart */
};

/* Classes of flows by cap. */
enum { INSIDE = WIRE_SHARE_CLASSES - 1 };

struct transfer {
    uint64_t user, seq;
    ns_t started;
    ns_t done_at; /* of the flows that have ended */
    double alone_s;
    uint32_t flows; /* still moving */
    uint32_t next;  /* free slots */
};

struct wire {
    struct wire_card card;
    struct arena *a;
    struct wire_net net;
    uint32_t nodes, gpus, nics, per_node;
    uint32_t *nic_of;     /* GPU of a node -> its NIC */
    uint16_t class_of[2]; /* by enum wire_op, of large messages */
    ns_t now;             /* all flows that end by now have ended */
    uint64_t seq;
    int64_t asked, delivered;
    struct transfer *slot;
    uint32_t slots, free;
    /* transfers whose bytes are through, by (done_at, seq) */
    uint32_t *done, n_done;
    double *alone_B; /* scratch of alone_s: bytes by link, zero in between */
    uint32_t *alone_from;
};

/* ---- links ---- */

enum side { OUT, IN };

static uint32_t gpu_link(const struct wire *w, struct wire_end e, enum side s)
{
    return e.node * w->per_node + 2 * e.gpu + (uint32_t)s;
}

static uint32_t nic_link(const struct wire *w, uint32_t node, uint32_t nic,
                         enum side s)
{
    return node * w->per_node + 2 * (w->gpus + nic) + (uint32_t)s;
}

static uint32_t up_link(const struct wire *w, uint32_t node, enum side s)
{
    return node * w->per_node + 2 * (w->gpus + w->nics) + (uint32_t)s;
}

static void set_link(struct wire *w, uint32_t l, double Bps, bool receives)
{
    must(Bps > 0 && isfinite(Bps));
    w->net.link[l].full_Bps = Bps;
    w->net.link[l].receives = receives;
}

static void set_links(struct wire *w, uint32_t node)
{
    const struct wire_card *c = &w->card;
    for (int s = OUT; s <= IN; s++) {
        enum side side = (enum side)s;
        for (uint32_t g = 0; g < w->gpus; g++)
            set_link(w, gpu_link(w, (struct wire_end){node, g}, side),
                     c->intra_Bps, false);
        for (uint32_t n = 0; n < w->nics; n++)
            set_link(w, nic_link(w, node, n, side), c->nic_Bps, s == IN);
        if (c->uplink_Bps > 0)
            set_link(w, up_link(w, node, side), c->uplink_Bps, false);
    }
}

struct wire *wire_new(const struct wire_card *card, uint32_t nodes,
                      uint32_t gpus_per_node, struct arena *a)
{
    must(nodes > 0 && gpus_per_node > 0 && card->nics_per_node > 0);
    must(card->read_Bps > 0 && card->write_Bps > 0);
    must(card->incast > 0 && card->incast <= 1);
    must(card->read_s >= 0 && card->write_s >= 0 && card->intra_s >= 0);
    struct wire *w = ARENA_NEW(a, struct wire);
    w->card = *card;
    w->a = a;
    w->nodes = nodes;
    w->gpus = gpus_per_node;
    w->nics = (uint32_t)card->nics_per_node;
    w->per_node = 2 * (w->gpus + w->nics + (card->uplink_Bps > 0));
    w->free = WIRE_SHARE_NONE;
    must(nodes < UINT32_MAX / w->per_node);
    uint32_t links = nodes * w->per_node;
    w->nic_of = ARENA_ARRAY(a, uint32_t, w->gpus);
    for (uint32_t g = 0; g < w->gpus; g++)
        w->nic_of[g] = g * w->nics / w->gpus;
    wire_share_init(&w->net, links, a);
    for (uint32_t n = 0; n < nodes; n++)
        set_links(w, n);
    bool read_first = card->read_Bps <= card->write_Bps;
    w->class_of[WIRE_READ] = read_first ? 0 : 1;
    w->class_of[WIRE_WRITE] = read_first ? 1 : 0;
    w->net.cap[w->class_of[WIRE_READ]] = card->read_Bps;
    w->net.cap[w->class_of[WIRE_WRITE]] = card->write_Bps;
    w->net.cap[INSIDE] = INFINITY; /* its links say it all */
    w->net.incast = card->incast;
    w->alone_B = ARENA_ARRAY(a, double, links);
    w->alone_from = ARENA_ARRAY(a, uint32_t, links);
    return w;
}

/* ---- finished transfers: a binary heap ---- */

static bool before(const struct wire *w, uint32_t a, uint32_t b)
{
    const struct transfer *x = &w->slot[a], *y = &w->slot[b];
    return x->done_at < y->done_at
        || (x->done_at == y->done_at && x->seq < y->seq);
}

static void done_push(struct wire *w, uint32_t t)
{
    uint32_t at = w->n_done++;
    for (; at && before(w, t, w->done[(at - 1) / 2]); at = (at - 1) / 2)
        w->done[at] = w->done[(at - 1) / 2];
    w->done[at] = t;
}

static uint32_t done_pop(struct wire *w)
{
    uint32_t top = w->done[0], last = w->done[--w->n_done], at = 0;
    for (uint32_t kid = 1; kid < w->n_done; kid = 2 * at + 1) {
        if (kid + 1 < w->n_done && before(w, w->done[kid + 1], w->done[kid]))
            kid++;
        if (!before(w, w->done[kid], last))
            break;
        w->done[at] = w->done[kid];
        at = kid;
    }
    w->done[at] = last;
    return top;
}

static uint32_t take_slot(struct wire *w)
{
    if (w->free == WIRE_SHARE_NONE) {
        uint32_t had = w->slots, want = had ? 2 * had : FIRST_TRANSFERS;
        must(want < UINT32_MAX / 2);
        w->slot = arena_grow(w->a, w->slot, had, want, sizeof *w->slot);
        w->done = arena_grow(w->a, w->done, had, want, sizeof *w->done);
        for (uint32_t t = want; t-- > had;) {
            w->slot[t].next = w->free;
            w->free = t;
        }
        w->slots = want;
    }
    uint32_t t = w->free;
    w->free = w->slot[t].next;
    return t;
}

/* ---- flows ---- */

static void flow_through(struct wire *w, uint32_t t, ns_t at)
{
    struct transfer *x = &w->slot[t];
    if (x->done_at < at)
        x->done_at = at;
    if (--x->flows == 0)
        done_push(w, t);
}

/* Ends the flows that end by now, each instant's together. */
static void advance(struct wire *w, ns_t now)
{
    struct wire_net *net = &w->net;
    must(now >= w->now);
    uint32_t f;
    while ((f = wire_share_first(net)) != WIRE_SHARE_NONE
           && net->flow[f].end <= now) {
        ns_t end = net->flow[f].end;
        wire_share_begin(net);
        do {
            const struct wire_flow *x = &net->flow[f];
            w->delivered += x->bytes;
            flow_through(w, x->transfer, end + x->latency);
            wire_share_drop(net, f, end);
            f = wire_share_first(net);
        } while (f != WIRE_SHARE_NONE && net->flow[f].end == end);
        wire_share_solve(net, end);
    }
    w->now = now;
}

/* The links a part crosses, and where it waits without sharing. */
struct route {
    uint32_t link[WIRE_SHARE_HOPS];
    uint16_t class;
    uint8_t hops;
    double latency_s;
};

static struct route find_route(const struct wire *w, enum wire_op op,
                               uint16_t class, const struct wire_part *p)
{
    struct wire_end a = p->from, b = p->to;
    must(a.node < w->nodes && a.gpu < w->gpus);
    must(b.node < w->nodes && b.gpu < w->gpus);
    if (a.node == b.node)
        return (struct route){.link = {gpu_link(w, a, OUT), gpu_link(w, b, IN)},
                              .hops = 2,
                              .class = INSIDE,
                              .latency_s = w->card.intra_s};
    struct route r = {.class = class};
    r.latency_s = op == WIRE_READ ? w->card.read_s : w->card.write_s;
    r.link[r.hops++] = nic_link(w, a.node, w->nic_of[a.gpu], OUT);
    if (w->card.uplink_Bps > 0) {
        r.link[r.hops++] = up_link(w, a.node, OUT);
        r.link[r.hops++] = up_link(w, b.node, IN);
    }
    r.link[r.hops++] = nic_link(w, b.node, w->nic_of[b.gpu], IN);
    return r;
}

/* Caps by message size: each message takes its gap beside its bytes. */
static uint16_t class_of(struct wire *w, const struct wire_ask *ask)
{
    const struct wire_card *c = &w->card;
    bool read = ask->op == WIRE_READ;
    double gap_s = read ? c->read_gap_s : c->write_gap_s;
    double Bps = read ? c->read_Bps : c->write_Bps;
    must(ask->message_bytes >= 0);
    if (gap_s <= 0 || ask->message_bytes <= 0)
        return w->class_of[ask->op];
    double bytes = exp2(round(SIZES * log2(ask->message_bytes)) / SIZES);
    return wire_share_class(&w->net, bytes / (gap_s + bytes / Bps));
}

/* The busiest of the part's links and its own cap, for all parts so far. */
static double alone_part(struct wire *w, const struct route *r, int64_t bytes)
{
    double worst = (double)bytes / w->net.cap[r->class];
    for (int i = 0; i < r->hops; i++) {
        uint32_t l = r->link[i];
        const struct wire_link *k = &w->net.link[l];
        if (w->alone_B[l] <= 0)
            w->alone_from[l] = r->link[0];
        else if (w->alone_from[l] != r->link[0])
            w->alone_from[l] = WIRE_SHARE_NONE; /* several senders */
        w->alone_B[l] += (double)bytes;
        double Bps = k->full_Bps;
        if (k->receives && w->alone_from[l] == WIRE_SHARE_NONE)
            Bps *= w->net.incast;
        worst = fmax(worst, w->alone_B[l] / Bps);
    }
    return r->latency_s + worst;
}

static void add_part(struct wire *w, uint32_t t, const struct route *r,
                     int64_t bytes)
{
    ns_t latency = units_ns(r->latency_s);
    if (bytes == 0) {
        flow_through(w, t, w->now + latency);
        return;
    }
    uint32_t f = wire_share_slot(&w->net);
    struct wire_flow *x = &w->net.flow[f];
    x->bytes = bytes;
    x->latency = latency;
    x->transfer = t;
    x->class = r->class;
    x->hops = r->hops;
    for (int i = 0; i < r->hops; i++)
        x->link[i] = r->link[i];
    wire_share_add(&w->net, f, w->now);
}

void wire_begin(struct wire *w, ns_t now, const struct wire_ask *ask)
{
    advance(w, now);
    uint32_t t = take_slot(w);
    uint16_t class = class_of(w, ask);
    const struct wire_part *part = ask->part;
    w->slot[t] = (struct transfer){.user = ask->user,
                                   .seq = w->seq++,
                                   .started = now,
                                   .done_at = now,
                                   .flows = ask->n + 1};
    double alone_s = 0;
    wire_share_begin(&w->net);
    for (uint32_t i = 0; i < ask->n; i++) {
        must(part[i].bytes >= 0);
        struct route r = find_route(w, ask->op, class, &part[i]);
        alone_s = fmax(alone_s, alone_part(w, &r, part[i].bytes));
        w->asked += part[i].bytes;
        add_part(w, t, &r, part[i].bytes);
    }
    for (uint32_t i = 0; i < ask->n; i++) {
        struct route r = find_route(w, ask->op, class, &part[i]);
        for (int k = 0; k < r.hops; k++)
            w->alone_B[r.link[k]] = 0;
    }
    w->slot[t].alone_s = alone_s;
    wire_share_solve(&w->net, now);
    flow_through(w, t, now); /* the one in excess: a transfer may be empty */
}

void wire_start(struct wire *w, ns_t now, enum wire_op op,
                const struct wire_part *part, uint32_t n, uint64_t user)
{
    const struct wire_ask ask = {op, part, n, 0, user};
    wire_begin(w, now, &ask);
}

ns_t wire_next(const struct wire *w)
{
    uint32_t f = wire_share_first(&w->net);
    ns_t at = f == WIRE_SHARE_NONE ? NS_NEVER : w->net.flow[f].end;
    if (w->n_done && w->slot[w->done[0]].done_at < at)
        at = w->slot[w->done[0]].done_at;
    return at;
}

bool wire_take(struct wire *w, ns_t now, struct wire_done *done)
{
    advance(w, now);
    if (w->n_done == 0 || w->slot[w->done[0]].done_at > now)
        return false;
    uint32_t t = done_pop(w);
    struct transfer *x = &w->slot[t];
    *done = (struct wire_done){x->user, x->started, x->alone_s};
    x->next = w->free;
    w->free = t;
    return true;
}

/* ---- figures ---- */

double wire_post_s(const struct wire_card *card, double descriptors)
{
    return card->post_base_s + card->post_s * descriptors;
}

double wire_util(const struct wire *w, uint32_t node, bool receive, ns_t now)
{
    must(node < w->nodes && now >= w->now);
    if (now <= 0)
        return 0;
    double sum = 0;
    for (uint32_t n = 0; n < w->nics; n++) {
        uint32_t id = nic_link(w, node, n, receive ? IN : OUT);
        const struct wire_link *l = &w->net.link[id];
        double moved_B = l->moved_B + l->load * units_s(now - l->since);
        sum += moved_B / (l->full_Bps * units_s(now));
    }
    return fmin(1, sum / w->nics);
}

const char *wire_kind_name(enum wire_kind kind)
{
    static const char *const name[WIRE_KINDS] = {
        [WIRE_GPU_OUT] = "GPU out", [WIRE_GPU_IN] = "GPU in",
        [WIRE_NIC_OUT] = "NIC out", [WIRE_NIC_IN] = "NIC in",
        [WIRE_UP] = "node up",      [WIRE_DOWN] = "node down",
    };
    must(kind >= 0 && kind < WIRE_KINDS);
    return name[kind];
}

uint32_t wire_links(const struct wire *w)
{
    return w->net.links;
}

struct wire_link_seen wire_link_seen(const struct wire *w, uint32_t link,
                                     ns_t now)
{
    must(link < w->net.links && now >= w->now);
    const struct wire_link *l = &w->net.link[link];
    uint32_t at = link % w->per_node, unit = at / 2;
    int first = WIRE_GPU_OUT;
    if (unit >= w->gpus + w->nics) {
        first = WIRE_UP;
        unit = 0;
    } else if (unit >= w->gpus) {
        first = WIRE_NIC_OUT;
        unit -= w->gpus;
    }
    double moved_B = l->moved_B + l->load * units_s(now - l->since);
    double most_B = l->full_Bps * units_s(now);
    return (struct wire_link_seen){
        .kind = (enum wire_kind)(first + (int)(at % 2)),
        .node = link / w->per_node,
        .unit = unit,
        .moved_B = moved_B,
        .busy = most_B > 0 ? fmin(1, moved_B / most_B) : 0,
        .waited_s = l->waited_s,
    };
}

/* Field by field: sums of equal runs are equal to the last byte. */
void wire_sum(const struct wire *w, ns_t now, struct wire_sum *sum)
{
    memset(sum, 0, sizeof *sum);
    for (uint32_t l = 0; l < w->net.links; l++) {
        struct wire_link_seen x = wire_link_seen(w, l, now);
        sum->waited_s[x.kind] += x.waited_s;
        sum->busiest[x.kind] = fmax(sum->busiest[x.kind], x.busy);
        if (x.waited_s <= sum->worst.waited_s)
            continue;
        sum->worst.kind = x.kind;
        sum->worst.node = x.node;
        sum->worst.unit = x.unit;
        sum->worst.moved_B = x.moved_B;
        sum->worst.busy = x.busy;
        sum->worst.waited_s = x.waited_s;
    }
}

bool wire_check(const struct wire *w, struct err *e)
{
    int64_t moving = 0;
    for (uint32_t i = 0; i < w->net.n_ends; i++) {
        const struct wire_flow *f = &w->net.flow[w->net.ends[i]];
        must(f->left_B >= 0 && f->left_B <= (double)f->bytes);
        moving += f->bytes;
    }
    if (w->asked != w->delivered + moving)
        return err_set(e, ERR_SYSTEM,
                       "wire: %lld bytes asked, %lld delivered, %lld moving",
                       (long long)w->asked, (long long)w->delivered,
                       (long long)moving);
    if (!wire_share_fair(&w->net))
        return err_set(e, ERR_SYSTEM, "wire: shares are not max-min fair");
    return true;
}
