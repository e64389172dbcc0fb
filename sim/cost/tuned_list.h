/* The parameters of tuned.h, one a line: enumerator; name in a store; what it
 * is; neutral value; prior mean and deviation (of the logarithm where
 * relative); bounds; relative.
 *
 * Priors: operator tables are made of kernels that ran for moments on a cool
 * card and one after the other, so a server's are as fast or somewhat slower;
 * how far tables of one kernel version miss another is the 4 to 13 % that the
 * fits' own errors show, with room.  Times between kernels and steps are of the
 * order of a launch and of a Python loop. */
#ifndef SIM_COST_TUNED_LIST_H
#define SIM_COST_TUNED_LIST_H

/* clang-format off */
#define TUNED_LIST(X) \
    X(TUNED_GEMM_FP8_MEM, "gemm_fp8_mem", \
      "rate of FP8 weights from memory", \
      1, 1, 0.08, 0.7, 1.4, true) \
    X(TUNED_GEMM_FP8_MID, "gemm_fp8_mid", \
      "FP8 GEMM of 17 to 128 rows", \
      1, 1, 0.15, 0.5, 1.6, true) \
    X(TUNED_GEMM_FP8_MID_OLD, "gemm_fp8_mid_old", \
      "the same before vLLM 0.14", \
      1, 1, 0.15, 0.5, 1.6, true) \
    X(TUNED_GEMM_FP8_MUL, "gemm_fp8_mul", \
      "rate of FP8 multiplications", \
      1, 0.85, 0.15, 0.4, 1.3, true) \
    X(TUNED_POWER_TOKENS, "power_tokens", \
      "tokens of a step at which half the clock's fall shows", \
      1000, 1000, 0.7, 10, 20000, true) \
    X(TUNED_GEMM_BF16_MEM, "gemm_bf16_mem", \
      "rate of 16-bit weights from memory", \
      1, 1, 0.08, 0.7, 1.4, true) \
    X(TUNED_GEMM_BF16_MUL, "gemm_bf16_mul", \
      "rate of 16-bit multiplications", \
      1, 0.9, 0.15, 0.4, 1.3, true) \
    X(TUNED_MOE_MEM, "moe_mem", \
      "rate of expert weights from memory", \
      1, 1, 0.2, 0.4, 2, true) \
    X(TUNED_MOE_MUL, "moe_mul", \
      "rate of expert multiplications", \
      1, 0.8, 0.4, 0.15, 2, true) \
    X(TUNED_MARLIN_MEM, "moe_marlin_mem", \
      "the same, Marlin", \
      1, 1, 0.2, 0.4, 2, true) \
    X(TUNED_MARLIN_MUL, "moe_marlin_mul", \
      "the same, Marlin", \
      1, 0.6, 0.4, 0.15, 2, true) \
    X(TUNED_MOE_MOVE, "moe_move", \
      "rate at which tokens move to experts and back", \
      1, 0.9, 0.4, 0.05, 2, true) \
    X(TUNED_MARLIN_MOVE, "moe_marlin_move", \
      "the same, Marlin", \
      1, 0.7, 0.6, 0.05, 2, true) \
    X(TUNED_MOE_OLD, "moe_old", \
      "Triton's experts before vLLM 0.14 over today's", \
      1, 0.8, 0.2, 0.3, 1.2, true) \
    X(TUNED_MOE_TAIL, "moe_tail", \
      "experts' time beyond those touched", \
      0, 3, 4, 0, 20, false) \
    X(TUNED_MOE_SPREAD, "moe_spread", \
      "tokens that choose experts freely", \
      1, 0.8, 0.3, 0.2, 1, true) \
    X(TUNED_DECODE_D64, "attn_decode_d64", \
      "decode attention, head size 64", \
      1, 1, 0.2, 0.3, 2, true) \
    X(TUNED_DECODE_D128, "attn_decode_d128", \
      "decode attention, head size 128", \
      1, 1, 0.2, 0.3, 2, true) \
    X(TUNED_DECODE_FP8, "attn_decode_fp8", \
      "decode attention, 8-bit cache", \
      1, 1, 0.2, 0.3, 2, true) \
    X(TUNED_PREFILL_D64, "attn_prefill_d64", \
      "prefill attention, head size 64", \
      1, 0.9, 0.2, 0.3, 1.5, true) \
    X(TUNED_PREFILL_D128, "attn_prefill_d128", \
      "prefill attention, head size 128", \
      1, 0.9, 0.2, 0.3, 1.5, true) \
    X(TUNED_PREFILL_TRITON, "attn_prefill_triton", \
      "Triton's prefill attention over AITER's", \
      1, 0.7, 0.2, 0.2, 1.5, true) \
    X(TUNED_REDUCE_US, "allreduce_wait_us", \
      "wait of ranks, a collective", \
      0, 2, 3, 0, 30, false) \
    X(TUNED_REDUCE_RATE, "allreduce_rate", \
      "rate of collectives", \
      1, 1, 0.15, 0.4, 1.6, true) \
    X(TUNED_ELEMENT, "elementwise", \
      "norms, quantisation, activations", \
      1, 1, 0.2, 0.3, 2, true) \
    X(TUNED_GAP_US, "gap_us", \
      "between two kernels", \
      0, 0.5, 0.5, 0, 5, false) \
    X(TUNED_LAUNCH, "launch", \
      "speed of launches outside of graphs", \
      1, 1, 0.5, 0.2, 10, true) \
    X(TUNED_STEP_US, "step_us", \
      "between two steps", \
      0, 200, 200, 0, 3000, false) \
    X(TUNED_STEP_REQUEST_US, "step_request_us", \
      "between two steps, a request", \
      0, 5, 10, 0, 100, false) \
    X(TUNED_HOST, "host", \
      "speed of scheduler, preparation and update", \
      1, 1, 0.3, 0.3, 3, true) \
    X(TUNED_FRONT_US, "front_us", \
      "request to engine", \
      0, 5000, 2500, 0, 30000, false) \
    X(TUNED_FRONT_TOKEN_US, "front_token_us", \
      "request to engine, a prompt token", \
      0, 3, 1.5, 0, 20, false) \
    X(TUNED_COLD_S, "cold_s", \
      "kernels compiled while a run is measured", \
      0, 2, 3, 0, 30, false) \
    X(TUNED_MIXED, "mixed_versions", \
      "step time of a median over versions, over the newest", \
      1, 1.03, 0.04, 0.8, 1.3, true) \
    X(TUNED_ZERO, "zero_clock", \
      "clock with all-zero weights", \
      1, 1.15, 0.1, 1, 1.6, true)
/* clang-format on */

#endif
