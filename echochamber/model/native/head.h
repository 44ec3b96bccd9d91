/* The output head and the softmax over the vocabulary, block by block: no (tokens, vocabulary) matrix is kept. */
#ifndef ECHO_HEAD_H
#define ECHO_HEAD_H
#include "trunk.h"

/* Vp is V rounded up to 16; packed has zeros in the columns beyond V. */
typedef struct {
    long D, V, Vp;
    const word *packed;   /* (D / PER, Vp), see gemm.h */
    const word *packed_t; /* (Vp / PER, D) */
} Head;

/* log-sum-exp of logits·inverse_temperature; columns beyond V do not count. *entropy may be NULL. */
static float log_sum(const float *logits, long V, float inverse_temperature, float *entropy) {
    vec top = v_all(-INFINITY), it = v_all(inverse_temperature), sum = v_zero(), weighted = sum;
    for (long v = 0; v < V; v += 16) top = v_max_where(columns_in(v, 0, V), top, v_load(logits + v));
    float most_ = v_highest(top) * inverse_temperature;
    vec m = v_all(most_);
    for (long v = 0; v < V; v += 16) {
        vec z = v_fmsub(v_load(logits + v), it, m), p = v_keep(columns_in(v, 0, V), exp16(z));
        sum = v_add(sum, p);
        weighted = v_fmadd_where(columns_in(v, 0, V), p, z, weighted);
    }
    float total = v_sum(sum);
    if (entropy) *entropy = logf(total) - v_sum(weighted) / total;
    return most_ + logf(total);
}

/* Whether all N targets are tokens; otherwise logits would be read and written beyond their row. */
static int are_tokens(const int64_t *targets, long N, long V) {
    for (long i = 0; i < N; i++)
        if (targets[i] < 0 || targets[i] >= V) return 0;
    return 1;
}

/* logprobs, entropies and lse (N) of the targets (N) given hidden (N, D). */
void echo_head_forward(const Head *h, const cell *hidden, const int64_t *targets, long N, double temperature, float *logprobs, float *entropies,
                       float *lse, long threads) {
    float it = (float)(1. / temperature);
    if (!are_tokens(targets, N, h->V)) {
        for (long i = 0; i < N; i++) logprobs[i] = lse[i] = NAN;
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        float *logits = scratch(BLOCK * h->Vp * 4);
#pragma omp for schedule(static)
        for (long i = 0; i < N; i += BLOCK) {
            long n = N - i < BLOCK ? N - i : BLOCK;
            times_weight(n, hidden + i * h->D, h->D, h->packed, h->Vp, logits);
            for (long t = 0; t < n; t++) {
                lse[i + t] = log_sum(logits + t * h->Vp, h->V, it, entropies ? entropies + i + t : NULL);
                logprobs[i + t] = logits[t * h->Vp + targets[i + t]] * it - lse[i + t];
            }
        }
        free(logits);
    }
}

/* dhidden (N, D) and per thread dW (threads, Vp, D), zero before, for upstream gradients (N) of the log-probabilities. */
void echo_head_backward(const Head *h, const cell *hidden, const int64_t *targets, const float *lse, const float *upstream, long N,
                        double temperature, float *dhidden, float *dW, long threads) {
    float it = (float)(1. / temperature);
    long D = h->D, Vp = h->Vp;
    if (!are_tokens(targets, N, h->V)) {
        for (long i = 0; i < N * D; i++) dhidden[i] = NAN;
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        float *logits = scratch(BLOCK * Vp * 4), *mine = dW + omp_get_thread_num() * Vp * D;
        cell *room = scratch(BLOCK * Vp * CELL);
        word *left = scratch(BLOCK / PER * Vp * 4), *right = scratch(BLOCK / PER * D * 4);
#pragma omp for schedule(static)
        for (long i = 0; i < N; i += BLOCK) {
            long n = N - i < BLOCK ? N - i : BLOCK;
            times_weight(n, hidden + i * D, D, h->packed, Vp, logits);
            for (long t = 0; t < n; t++) {
                /* d logprob / d logit_v = (1[v = target] - p_v) / temperature */
                vec g = v_all(-upstream[i + t] * it), z = v_all(lse[i + t]), itv = v_all(it);
                float *row = logits + t * Vp;
                for (long v = 0; v < Vp; v += 16) {
                    vec p = exp16(v_fmsub(v_load(row + v), itv, z));
                    v_store(row + v, v_keep_mul(columns_in(v, 0, h->V), g, p));
                }
                row[targets[i + t]] += upstream[i + t] * it;
            }
            const cell *dlogits = cells_of(logits, room, n * Vp);
            times_weight(n, dlogits, Vp, h->packed_t, D, dhidden + i * D);
            weight_gradient(n, dlogits, Vp, hidden + i * D, D, mine, left, right);
        }
        free(logits); free(room); free(left); free(right);
    }
}
#endif
