/* card - data sheets of GPUs, models and wires: models/{gpu,llm,wire}/X.json.
 * Read once into the caller's arena, const from then on, shared by threads.
 * Every number in a card has its source beside it.  An unknown name is
 * ERR_INPUT and names the nearest card; a name with a slash is a file. */
#ifndef SIM_COST_CARD_H
#define SIM_COST_CARD_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum dtype { DT_BF16, DT_FP8, DT_FP8_BLOCK, DT_MXFP4, DT_N };
double card_dtype_bytes(enum dtype d); /* a weight element, scales included */
const char *card_dtype_name(enum dtype d);

struct gpu_card {
    const char *name;    /* "mi300x" */
    const char *vendor;  /* "amd" | "nvidia" */
    const char *product; /* "AMD Instinct MI300X" */
    double hbm_bytes;    /* usable capacity as the runtime reports it */
    double hbm_Bps;      /* data sheet */
    double llc_bytes;    /* last-level cache */
    double bf16_flops, fp8_flops; /* dense, data sheet */
    int cus;                      /* compute units or SMs */
    double link_Bps;              /* scale-up, one direction, per peer pair */
    double fabric_Bps;            /* scale-up, one direction, whole GPU */
    double pcie_Bps;              /* host to device */
    double usd_per_hour;          /* NAN: no price given */
    const char *donor; /* a calibrated card of the same architecture whose
                            fits are scaled by data sheet; NULL = none */
    bool rocm;         /* platform rules of engine.md 3.11, 6.4 */
};

struct llm_card {
    const char *name; /* "llama-3.3-70b-fp8-dynamic" */
    const char *hf_id;
    int layers, hidden, inter, heads, kv_heads, head_dim, vocab;
    int max_len;       /* max_position_embeddings */
    int window;        /* sliding window of the sliding layers, 0 = none */
    int window_layers; /* how many layers slide */
    bool qk_norm, attn_bias, sinks;
    bool expert_bias;
    /* mixture of experts; experts 0 = dense */
    int experts, topk, expert_inter, shared_inter, dense_layers;
    /* multi-head latent attention; kv_lora 0 = ordinary */
    int kv_lora, q_lora, rope_dim, v_dim;
    enum dtype linear;   /* attention and dense linear weights */
    enum dtype expert;   /* expert weights */
    enum dtype head;     /* lm_head and embeddings */
    bool act_dynamic;    /* FP8: per-token activation scales (else static) */
    bool tied;           /* embeddings shared with lm_head */
    int graph_max;       /* largest graph size the engine's model config asks
                          for, tokens; 0 = the engine's default */
    double weight_bytes; /* whole checkpoint as loaded, from the shapes */
};

/* The same bytes by what tensor parallelism does with them; unpadded, scales
 * included.  They sum to weight_bytes. */
struct card_weights {
    double split;  /* attention, dense feed-forward, shared experts */
    double kv;     /* K and V projections: split over kv_heads ranks at most */
    double expert; /* routed experts: their intermediate size is split */
    double vocab;  /* embeddings and LM head: split */
    double copied; /* router, norms, latent down-projections: on each rank */
};

struct wire_card {
    const char *name; /* "oci-8x400g-roce" */
    int nics_per_node;
    double nic_Bps;                 /* payload, one direction, one NIC */
    double read_s, write_s;         /* base latency of one READ / WRITE */
    double read_Bps, write_Bps;     /* cap of one flow by direction */
    double read_gap_s, write_gap_s; /* a message beside its bytes: caps a flow
                                       of small ones */
    double post_s;      /* posting cost per merged descriptor, engine host */
    double post_base_s; /* per transfer */
    double intra_Bps;   /* GPU to GPU inside a node, one direction */
    double intra_s;
    double incast;     /* receive efficiency under fan-in, <= 1 */
    double uplink_Bps; /* node to switch, 0 = not limiting */
    bool calibrated;   /* figures measured on that fabric */
};

bool card_gpu(const char *dir, const char *name, struct arena *a,
              struct gpu_card *c, struct err *e);
bool card_llm(const char *dir, const char *name, struct arena *a,
              struct llm_card *c, struct err *e);
bool card_wire(const char *dir, const char *name, struct arena *a,
               struct wire_card *c, struct err *e);

void card_weights(const struct llm_card *m, struct card_weights *w);

/* Parses dir/kind/name.json; an unknown name is ERR_INPUT with the nearest.
 * The tree is the caller's: json_free.  at->path, for complaints, is set. */
struct card_at {
    const char *dir, *kind, *name, *path;
};
bool card_file(struct card_at *at, struct arena *a, cJSON **root,
               struct err *e);

/* Names in dir/kind ("gpu", "llm", "wire", "engine"), sorted, NULL at the
 * end. */
bool card_list(const char *dir, const char *kind, struct arena *a,
               const char ***names, struct err *e);

#endif
