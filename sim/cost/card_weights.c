/* Weights of a layer, H hidden; bytes a parameter by its class's dtype:
 *   attention  H*heads*hd + 2*H*kv*hd + heads*hd*H        (+ biases, bf16)
 *   latent     H*q_lora + q_lora*heads*(nope+rope) + H*(kv_lora+rope)
 *              + kv_lora*heads*(nope+v) + heads*v*H
 *   dense      3*H*inter         expert  3*H*expert_inter   router  H*experts
 *   norms      2*H */
#include "sim/cost/card.h"

static void weigh_attention(const struct llm_card *m, struct card_weights *w)
{
    double h = m->hidden, heads = m->heads, hd = m->head_dim;
    double el = card_dtype_bytes(m->linear), n = m->layers;
    double bf16 = card_dtype_bytes(DT_BF16);
    if (m->kv_lora) {
        double nope = hd - m->rope_dim, q = m->q_lora ? m->q_lora : h;
        w->split += n * el * heads
                  * (q * hd + m->kv_lora * (nope + m->v_dim) + m->v_dim * h);
        w->copied += n * el * h
                   * (m->q_lora + m->kv_lora + (double)m->rope_dim);
        return;
    }
    w->split += n * el * 2 * h * heads * hd;
    w->kv += n * el * 2 * h * m->kv_heads * hd;
    if (m->attn_bias)
        w->copied += n * bf16 * ((heads + 2.0 * m->kv_heads) * hd + h);
    if (m->qk_norm)
        w->copied += n * bf16 * 2 * hd;
}

void card_weights(const struct llm_card *m, struct card_weights *w)
{
    double h = m->hidden, bf16 = card_dtype_bytes(DT_BF16);
    double el = card_dtype_bytes(m->linear);
    double moe = m->experts ? m->layers - m->dense_layers : 0;
    *w = (struct card_weights){.split = 0};
    weigh_attention(m, w);
    w->split += (m->layers - moe) * el * 3 * h * m->inter;
    w->split += moe * el * 3 * h * m->shared_inter;
    w->expert = moe * m->experts * 3 * h * m->expert_inter
              * card_dtype_bytes(m->expert);
    if (m->expert_bias)
        w->expert += moe * m->experts * bf16 * (2.0 * m->expert_inter + h);
    w->copied += moe * bf16 * h * m->experts;
    w->copied += bf16 * h * (2.0 * m->layers + 1);
    w->vocab = card_dtype_bytes(m->head) * h * m->vocab * (m->tied ? 1 : 2);
}
