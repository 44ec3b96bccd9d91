/* What the Python side hands over. Field order and widths are repeated in library.py. */
#ifndef ECHO_MODEL_H
#define ECHO_MODEL_H
#include "gemm.h"

/* Packed weights of one block (see echo_pack); `_t` for products with the weight itself (backward). */
typedef struct {
    const word *qkv, *qkv_t, *out, *out_t, *gate_up, *gate_up_t, *down, *down_t;
    const float *norm1, *norm2; /* NULL: LayerNorm without weights */
    const float *qkv_bias, *out_bias, *q_norm, *k_norm; /* (W), (D), (C), (C); NULL: none */
    long rotates; /* whether queries and keys get rotary embeddings */
} Layer;

typedef struct {
    float *qkv, *out, *gate_up, *down, *norm1, *norm2, *qkv_bias, *out_bias, *q_norm, *k_norm;
} LayerGrad;

/* D width, F feed-forward, H heads, K key-value heads, C head size, L layers, V vocabulary; W = (H + 2K)·C, A = H·C. */
typedef struct {
    long D, F, H, K, C, L, V, plain_norm;
    double eps;
    const float *cosine, *sine; /* (positions, C) */
    const float *norm;
    const Layer *layers;
} Model;

/* Rows of tokens inside one array. Within a row token i sees [shared_start, shared_end) and [own_start, i]. */
typedef struct {
    long num_tokens, num_rows, threads;
    const int64_t *starts, *lengths;                                   /* (num_rows); tokens of no row stay untouched */
    const int32_t *thread;                                             /* (num_rows) which thread runs a row */
    const int32_t *positions, *shared_start, *shared_end, *own_start;  /* (num_tokens), relative to the row */
} Layout;

/* Activations kept for the backward pass, N tokens. With keep = 0 one layer's worth is reused for all. */
typedef struct {
    float *x;   /* (L + 1, N, D) */
    float *x1;  /* (L, N, D) after attention */
    float *lse; /* (L, N, H) */
    cell *qkv;  /* (L, N, W), normed and rotated */
    cell *o;    /* (L, N, A) */
    cell *gu;   /* (L, N, 2F) */
    long keep;
} Saved;

enum { BLOCK = 128, QUERIES = 32 }; /* tokens of one pass through a block's matrices; queries of one attention tile */

INLINE long width_qkv(const Model *m) { return (m->H + 2 * m->K) * m->C; }
INLINE long width_out(const Model *m) { return m->H * m->C; }

INLINE void *scratch(long bytes) {
    void *p = aligned_alloc(64, (bytes + 4096 + 63) & ~63L);
    memset(p, 0, bytes + 64);
    return p;
}
#endif
