/* The output head and the softmax over the vocabulary, block by block: no (tokens, vocabulary) matrix is kept. */
#ifndef ECHO_HEAD_H
#define ECHO_HEAD_H
#include "trunk.h"

/* Vp is V rounded up to 16; packed has zeros in the columns beyond V. */
typedef struct {
    long D, V, Vp;
    const pair *packed;   /* (D / 2, Vp) */
    const pair *packed_t; /* (Vp / 2, D) */
} Head;

/* log-sum-exp of logits·inverse_temperature; columns beyond V do not count. *entropy may be NULL. */
static float log_sum(const float *logits, long V, float inverse_temperature, float *entropy) {
    __m512 top = _mm512_set1_ps(-INFINITY), it = _mm512_set1_ps(inverse_temperature), sum = _mm512_setzero_ps(), weighted = sum;
    for (long v = 0; v < V; v += 16) top = _mm512_mask_max_ps(top, columns_in(v, 0, V), top, _mm512_loadu_ps(logits + v));
    float most_ = _mm512_reduce_max_ps(top) * inverse_temperature;
    __m512 m = _mm512_set1_ps(most_);
    for (long v = 0; v < V; v += 16) {
        __m512 z = _mm512_fmsub_ps(_mm512_loadu_ps(logits + v), it, m), p = _mm512_maskz_mov_ps(columns_in(v, 0, V), exp16(z));
        sum = _mm512_add_ps(sum, p);
        weighted = _mm512_mask3_fmadd_ps(p, z, weighted, columns_in(v, 0, V));
    }
    float total = _mm512_reduce_add_ps(sum);
    if (entropy) *entropy = logf(total) - _mm512_reduce_add_ps(weighted) / total;
    return most_ + logf(total);
}

/* logprobs, entropies and lse (N) of the targets (N) given hidden (N, D). */
void echo_head_forward(const Head *h, const bf16 *hidden, const int64_t *targets, long N, double temperature, float *logprobs, float *entropies,
                       float *lse, long threads) {
    float it = (float)(1. / temperature);
#pragma omp parallel num_threads(threads)
    {
        float *logits = scratch(BLOCK * h->Vp * 4);
#pragma omp for schedule(static)
        for (long i = 0; i < N; i += BLOCK) {
            long n = N - i < BLOCK ? N - i : BLOCK;
            gemm(n, h->Vp, h->D / 2, (const pair *)(hidden + i * h->D), h->D / 2, 1, h->packed, h->Vp, logits, h->Vp, 0);
            for (long t = 0; t < n; t++) {
                lse[i + t] = log_sum(logits + t * h->Vp, h->V, it, entropies ? entropies + i + t : NULL);
                logprobs[i + t] = logits[t * h->Vp + targets[i + t]] * it - lse[i + t];
            }
        }
        free(logits);
    }
}

/* dhidden (N, D) and per thread dW (threads, Vp, D), zero before, for upstream gradients (N) of the log-probabilities. */
void echo_head_backward(const Head *h, const bf16 *hidden, const int64_t *targets, const float *lse, const float *upstream, long N,
                        double temperature, float *dhidden, float *dW, long threads) {
    float it = (float)(1. / temperature);
    long D = h->D, Vp = h->Vp;
#pragma omp parallel num_threads(threads)
    {
        float *logits = scratch(BLOCK * Vp * 4), *mine = dW + omp_get_thread_num() * Vp * D;
        bf16 *dlogits = scratch(BLOCK * Vp * 2);
        pair *left = scratch(BLOCK / 2 * Vp * 4), *right = scratch(BLOCK / 2 * D * 4);
#pragma omp for schedule(static)
        for (long i = 0; i < N; i += BLOCK) {
            long n = N - i < BLOCK ? N - i : BLOCK;
            gemm(n, Vp, D / 2, (const pair *)(hidden + i * D), D / 2, 1, h->packed, Vp, logits, Vp, 0);
            for (long t = 0; t < n; t++) {
                /* d logprob / d logit_v = (1[v = target] - p_v) / temperature */
                __m512 g = _mm512_set1_ps(-upstream[i + t] * it), z = _mm512_set1_ps(lse[i + t]), itv = _mm512_set1_ps(it);
                float *row = logits + t * Vp;
                for (long v = 0; v < Vp; v += 16) {
                    __m512 p = exp16(_mm512_fmsub_ps(_mm512_loadu_ps(row + v), itv, z));
                    _mm512_storeu_ps(row + v, _mm512_maskz_mul_ps(columns_in(v, 0, h->V), g, p));
                }
                row[targets[i + t]] += upstream[i + t] * it;
                copy_to_bf16(row, dlogits + t * Vp, Vp);
            }
            gemm(n, D, Vp / 2, (const pair *)dlogits, Vp / 2, 1, h->packed_t, D, dhidden + i * D, D, 0);
            pair_rows(dlogits, Vp, n, Vp, left, Vp);
            pair_rows(hidden + i * D, D, n, D, right, D);
            weight_gradient(n, left, Vp, right, D, mine);
        }
        free(logits); free(dlogits); free(left); free(right);
    }
}
#endif
