/* Attention of one row of tokens, tile by tile, never holding more than QUERIES rows of scores.
 *
 * Backward recomputes the shares from the kept log-sum (Dao 2023, FlashAttention-2, section 3.1.2). */
#ifndef ECHO_ATTENTION_H
#define ECHO_ATTENTION_H
#include "model.h"

typedef struct {
    long from, to; /* columns, multiples of 16 */
} Range;

/* Columns that the queries [first, first + n) can see, as one or two ranges that do not overlap. */
static int visible_ranges(const int32_t *shared_start, const int32_t *shared_end, const int32_t *own_start, long first, long n, Range *out) {
    long sl = 1L << 40, sh = 0, ol = 1L << 40, oh = first + n;
    for (long i = first; i < first + n; i++) {
        if (shared_end[i] > shared_start[i]) {
            if (shared_start[i] < sl) sl = shared_start[i];
            if (shared_end[i] > sh) sh = shared_end[i];
        }
        if (own_start[i] < ol) ol = own_start[i];
    }
    Range shared = {sl & ~15L, up16(sh)}, own = {ol & ~15L, up16(oh)};
    if (sh == 0) { out[0] = own; return 1; }
    if (shared.to >= own.from) {
        out[0] = (Range){shared.from < own.from ? shared.from : own.from, own.to > shared.to ? own.to : shared.to};
        return 1;
    }
    out[0] = shared;
    out[1] = own;
    return 2;
}

typedef struct {
    float *scores, *dscores;             /* (QUERIES, Lp) */
    bf16 *shares, *dshares;              /* (QUERIES, Lp) */
    pair *shares_p, *dshares_p;          /* (QUERIES / 2, Lp) */
    pair *keys_c, *keys_t, *values_c, *values_t; /* paired along C: (C / 2, Lp); along tokens: (Lp / 2, C) */
    pair *q_t, *do_t;                    /* (QUERIES / 2, C) */
    float *tile, *dk, *dv;               /* (QUERIES, C), (Lp, C) twice */
} AttentionScratch;

static void attention_scratch(AttentionScratch *s, long length, long C, int backward) {
    long Lp = up16(length) + 16;
    s->scores = scratch(QUERIES * Lp * 4);
    s->shares = scratch(QUERIES * Lp * 2);
    s->keys_c = scratch(C / 2 * Lp * 4);
    s->values_t = scratch(Lp / 2 * C * 4);
    s->tile = scratch(QUERIES * C * 4);
    if (!backward) return;
    s->dscores = scratch(QUERIES * Lp * 4);
    s->dshares = scratch(QUERIES * Lp * 2);
    s->shares_p = scratch(QUERIES / 2 * Lp * 4);
    s->dshares_p = scratch(QUERIES / 2 * Lp * 4);
    s->keys_t = scratch(Lp / 2 * C * 4);
    s->values_c = scratch(C / 2 * Lp * 4);
    s->q_t = scratch(QUERIES / 2 * C * 4);
    s->do_t = scratch(QUERIES / 2 * C * 4);
    s->dk = scratch(Lp * C * 4);
    s->dv = scratch(Lp * C * 4);
}

static void free_attention(AttentionScratch *s, int backward) {
    free(s->scores); free(s->shares); free(s->keys_c); free(s->values_t); free(s->tile);
    if (!backward) return;
    free(s->dscores); free(s->dshares); free(s->shares_p); free(s->dshares_p); free(s->keys_t); free(s->values_c);
    free(s->q_t); free(s->do_t); free(s->dk); free(s->dv);
}

/* Which of columns j0..j0+15 query i may see. */
INLINE __mmask16 sees(long j0, long i, long shared_start, long shared_end, long own_start) {
    return columns_in(j0, shared_start, shared_end) | columns_in(j0, own_start, i + 1);
}

/* Softmax numerators of one query in bf16; *lse gets log of their sum, the return value is 1/sum. */
static float share_row(const float *scores, bf16 *shares, const Range *ranges, int num, long i, const int32_t *see, float scale, float *lse) {
    __m512 low = _mm512_set1_ps(-INFINITY), top = low, sc = _mm512_set1_ps(scale), sum = _mm512_setzero_ps();
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16)
            top = _mm512_mask_max_ps(top, sees(j, i, see[0], see[1], see[2]), top, _mm512_loadu_ps(scores + j));
    float most = _mm512_reduce_max_ps(top) * scale;
    __m512 m = _mm512_set1_ps(most);
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16) {
            __mmask16 mask = sees(j, i, see[0], see[1], see[2]);
            __m512 p = _mm512_setzero_ps();
            if (mask) p = _mm512_maskz_mov_ps(mask, exp16(_mm512_fmsub_ps(_mm512_loadu_ps(scores + j), sc, m)));
            sum = _mm512_add_ps(sum, p);
            to_bf16(shares + j, p);
        }
    float total = _mm512_reduce_add_ps(sum);
    *lse = most + logf(total);
    return 1.f / total;
}

/* o (T, H·C) from rotated q, k, v of one row; qkv has W columns per token. lse has H per token. */
static void attend_row(const Model *m, long T, const bf16 *qkv, bf16 *o, float *lse, const int32_t *shared_start, const int32_t *shared_end,
                       const int32_t *own_start, AttentionScratch *s) {
    long C = m->C, W = width_qkv(m), Lp = up16(T), R = m->H / m->K;
    float scale = 1.f / sqrtf((float)C);
    for (long kv = 0; kv < m->K; kv++) {
        pair_columns(qkv + (m->H + kv) * C, W, T, C / 2, s->keys_c, Lp);
        pair_rows(qkv + (m->H + m->K + kv) * C, W, T, C, s->values_t, C);
        for (long t = (T + 1) / 2; t < Lp / 2; t++) memset(s->values_t + t * C, 0, C * 4); /* zero shares times these must be zero */
        for (long h = kv * R; h < (kv + 1) * R; h++)
            for (long first = 0; first < T; first += QUERIES) {
                long n = T - first < QUERIES ? T - first : QUERIES;
                Range ranges[2];
                int num = visible_ranges(shared_start, shared_end, own_start, first, n, ranges);
                const pair *q = (const pair *)(qkv + first * W + h * C);
                float inverse[QUERIES];
                for (int r = 0; r < num; r++)
                    gemm(n, ranges[r].to - ranges[r].from, C / 2, q, W / 2, 1, s->keys_c + ranges[r].from, Lp, s->scores + ranges[r].from, Lp, 0);
                for (long i = 0; i < n; i++) {
                    int32_t see[3] = {shared_start[first + i], shared_end[first + i], own_start[first + i]};
                    inverse[i] = share_row(s->scores + i * Lp, s->shares + i * Lp, ranges, num, first + i, see, scale, lse + (first + i) * m->H + h);
                }
                for (int r = 0; r < num; r++)
                    gemm(n, C, (ranges[r].to - ranges[r].from) / 2, (const pair *)(s->shares + ranges[r].from), Lp / 2, 1,
                         s->values_t + ranges[r].from / 2 * C, C, s->tile, C, r > 0);
                for (long i = 0; i < n; i++)
                    for (long c = 0; c < C; c += 16)
                        to_bf16(o + (first + i) * m->H * C + h * C + c, _mm512_mul_ps(_mm512_loadu_ps(s->tile + i * C + c), _mm512_set1_ps(inverse[i])));
            }
    }
}

/* Two queries' shares and their gradients, in rows and paired along the queries. */
static void share_rows_backward(AttentionScratch *s, long Lp, long i, long n, long first, const Range *ranges, int num, const int32_t *shared_start,
                                const int32_t *shared_end, const int32_t *own_start, const float *lse, long H, const float *delta, float scale) {
    __m512 sc = _mm512_set1_ps(scale);
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16) {
            __m512i word_p = _mm512_setzero_si512(), word_d = word_p;
            for (long e = 0; e < 2 && i + e < n; e++) {
                long t = first + i + e;
                __mmask16 mask = sees(j, t, shared_start[t], shared_end[t], own_start[t]);
                __m512 p = _mm512_setzero_ps(), d = p;
                if (mask) {
                    p = exp16(_mm512_fmsub_ps(_mm512_loadu_ps(s->scores + (i + e) * Lp + j), sc, _mm512_set1_ps(lse[t * H])));
                    p = _mm512_maskz_mov_ps(mask, p);
                    d = _mm512_sub_ps(_mm512_loadu_ps(s->dscores + (i + e) * Lp + j), _mm512_set1_ps(delta[i + e]));
                    d = _mm512_mul_ps(_mm512_mul_ps(p, d), sc);
                }
                __m256i p16 = (__m256i)_mm512_cvtneps_pbh(p), d16 = (__m256i)_mm512_cvtneps_pbh(d);
                _mm256_storeu_si256((__m256i *)(s->dshares + (i + e) * Lp + j), d16);
                __m512i p32 = _mm512_cvtepu16_epi32(p16), d32 = _mm512_cvtepu16_epi32(d16);
                word_p = e ? _mm512_or_si512(word_p, _mm512_slli_epi32(p32, 16)) : p32;
                word_d = e ? _mm512_or_si512(word_d, _mm512_slli_epi32(d32, 16)) : d32;
            }
            _mm512_storeu_si512(s->shares_p + i / 2 * Lp + j, word_p);
            _mm512_storeu_si512(s->dshares_p + i / 2 * Lp + j, word_d);
        }
}

/* dqkv (T, W) in float32, still rotated, from dout (T, D) in bf16. */
static void attend_row_backward(const Model *m, long T, const bf16 *qkv, const bf16 *o, const float *lse, const bf16 *dout, float *dqkv,
                                const int32_t *shared_start, const int32_t *shared_end, const int32_t *own_start, AttentionScratch *s) {
    long C = m->C, D = m->H * C, W = width_qkv(m), Lp = up16(T), R = m->H / m->K;
    float scale = 1.f / sqrtf((float)C);
    for (long kv = 0; kv < m->K; kv++) {
        const bf16 *k = qkv + (m->H + kv) * C, *v = k + m->K * C;
        pair_columns(k, W, T, C / 2, s->keys_c, Lp);
        pair_columns(v, W, T, C / 2, s->values_c, Lp);
        pair_rows(k, W, T, C, s->keys_t, C);
        for (long t = (T + 1) / 2; t < Lp / 2; t++) memset(s->keys_t + t * C, 0, C * 4);
        memset(s->dk, 0, Lp * C * 4);
        memset(s->dv, 0, Lp * C * 4);
        for (long h = kv * R; h < (kv + 1) * R; h++)
            for (long first = 0; first < T; first += QUERIES) {
                long n = T - first < QUERIES ? T - first : QUERIES;
                Range ranges[2];
                int num = visible_ranges(shared_start, shared_end, own_start, first, n, ranges);
                const bf16 *q = qkv + first * W + h * C, *d = dout + first * D + h * C, *out = o + first * D + h * C;
                float delta[QUERIES];
                for (long i = 0; i < n; i++) {
                    __m512 sum = _mm512_setzero_ps();
                    for (long c = 0; c < C; c += 16) sum = _mm512_fmadd_ps(from_bf16(d + i * D + c), from_bf16(out + i * D + c), sum);
                    delta[i] = _mm512_reduce_add_ps(sum);
                }
                for (int r = 0; r < num; r++) {
                    long from = ranges[r].from, count = ranges[r].to - from;
                    gemm(n, count, C / 2, (const pair *)q, W / 2, 1, s->keys_c + from, Lp, s->scores + from, Lp, 0);
                    gemm(n, count, C / 2, (const pair *)d, D / 2, 1, s->values_c + from, Lp, s->dscores + from, Lp, 0);
                }
                for (long i = 0; i < n; i += 2)
                    share_rows_backward(s, Lp, i, n, first, ranges, num, shared_start, shared_end, own_start, lse + h, m->H, delta, scale);
                pair_rows(q, W, n, C, s->q_t, C);
                pair_rows(d, D, n, C, s->do_t, C);
                for (int r = 0; r < num; r++) {
                    long from = ranges[r].from, count = ranges[r].to - from;
                    gemm(n, C, count / 2, (const pair *)(s->dshares + from), Lp / 2, 1, s->keys_t + from / 2 * C, C, dqkv + first * W + h * C, W, r > 0);
                    gemm(count, C, (n + 1) / 2, s->dshares_p + from, 1, Lp, s->q_t, C, s->dk + from * C, C, 1);
                    gemm(count, C, (n + 1) / 2, s->shares_p + from, 1, Lp, s->do_t, C, s->dv + from * C, C, 1);
                }
            }
        for (long t = 0; t < T; t++) {
            memcpy(dqkv + t * W + (m->H + kv) * C, s->dk + t * C, C * 4);
            memcpy(dqkv + t * W + (m->H + m->K + kv) * C, s->dv + t * C, C * 4);
        }
    }
}
#endif
