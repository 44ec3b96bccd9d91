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
    cell *shares, *dshares;              /* (QUERIES, Lp) */
    word *shares_p, *dshares_p;          /* (QUERIES / PER, Lp) */
    word *keys_c, *keys_t, *values_c, *values_t; /* in words along C: (C / PER, Lp); along tokens: (Lp / PER, C) */
    word *q_t, *do_t;                    /* (QUERIES / PER, C) */
    float *tile, *dk, *dv;               /* (QUERIES, C), (Lp, C) twice */
} AttentionScratch;

static void attention_scratch(AttentionScratch *s, long length, long C, int backward) {
    long Lp = up16(length) + 16;
    s->scores = scratch(QUERIES * Lp * 4);
    s->shares = scratch(QUERIES * Lp * CELL);
    s->keys_c = scratch(C / PER * Lp * 4);
    s->values_t = scratch(Lp / PER * C * 4);
    s->tile = scratch(QUERIES * C * 4);
    if (!backward) return;
    s->dscores = scratch(QUERIES * Lp * 4);
    s->dshares = scratch(QUERIES * Lp * CELL);
    s->shares_p = PER == 1 ? (word *)s->shares : scratch(QUERIES / PER * Lp * 4); /* float32: the rows are the words */
    s->dshares_p = PER == 1 ? (word *)s->dshares : scratch(QUERIES / PER * Lp * 4);
    s->keys_t = scratch(Lp / PER * C * 4);
    s->values_c = scratch(C / PER * Lp * 4);
    s->q_t = scratch(QUERIES / PER * C * 4);
    s->do_t = scratch(QUERIES / PER * C * 4);
    s->dk = scratch(Lp * C * 4);
    s->dv = scratch(Lp * C * 4);
}

static void free_attention(AttentionScratch *s, int backward) {
    free(s->scores); free(s->shares); free(s->keys_c); free(s->values_t); free(s->tile);
    if (!backward) return;
    if (PER == 2) { free(s->shares_p); free(s->dshares_p); }
    free(s->dscores); free(s->dshares); free(s->keys_t); free(s->values_c);
    free(s->q_t); free(s->do_t); free(s->dk); free(s->dv);
}

/* Which of columns j0..j0+15 query i may see. */
INLINE mask16 sees(long j0, long i, long shared_start, long shared_end, long own_start) {
    return columns_in(j0, shared_start, shared_end) | columns_in(j0, own_start, i + 1);
}

/* Softmax numerators of one query in cells; *lse gets log of their sum, the return value is 1/sum. */
static float share_row(const float *scores, cell *shares, const Range *ranges, int num, long i, const int32_t *see, float scale, float *lse) {
    vec top = v_all(-INFINITY), sc = v_all(scale), sum = v_zero();
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16)
            top = v_max_where(sees(j, i, see[0], see[1], see[2]), top, v_load(scores + j));
    float most = v_highest(top) * scale;
    vec m = v_all(most);
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16) {
            mask16 mask = sees(j, i, see[0], see[1], see[2]);
            vec p = v_zero();
            if (mask) p = v_keep(mask, exp16(v_fmsub(v_load(scores + j), sc, m)));
            sum = v_add(sum, p);
            write_cells(shares + j, p);
        }
    float total = v_sum(sum);
    *lse = most + logf(total);
    return 1.f / total;
}

/* o (T, H·C) from rotated q, k, v of one row; qkv has W columns per token. lse has H per token. */
static void attend_row(const Model *m, long T, const cell *qkv, cell *o, float *lse, const int32_t *shared_start, const int32_t *shared_end,
                       const int32_t *own_start, AttentionScratch *s) {
    long C = m->C, W = width_qkv(m), Lp = up16(T), R = m->H / m->K, along_c = b_ld(C / PER, Lp), along_t = b_ld(Lp / PER, C);
    float scale = 1.f / sqrtf((float)C);
    for (long kv = 0; kv < m->K; kv++) {
        words_of_columns(qkv + (m->H + kv) * C, W, T, C / PER, s->keys_c, along_c);
        words_of_rows(qkv + (m->H + m->K + kv) * C, W, T, C, s->values_t, along_t);
        clear_steps(s->values_t, along_t, words(T), Lp / PER, C); /* zero shares times these must be zero */
        for (long h = kv * R; h < (kv + 1) * R; h++)
            for (long first = 0; first < T; first += QUERIES) {
                long n = T - first < QUERIES ? T - first : QUERIES;
                Range ranges[2];
                int num = visible_ranges(shared_start, shared_end, own_start, first, n, ranges);
                const word *q = (const word *)(qkv + first * W + h * C);
                float inverse[QUERIES];
                for (int r = 0; r < num; r++)
                    gemm(n, ranges[r].to - ranges[r].from, C / PER, q, W / PER, 1, s->keys_c + b_at(0, ranges[r].from, along_c), along_c, s->scores + ranges[r].from, Lp, 0);
                for (long i = 0; i < n; i++) {
                    int32_t see[3] = {shared_start[first + i], shared_end[first + i], own_start[first + i]};
                    inverse[i] = share_row(s->scores + i * Lp, s->shares + i * Lp, ranges, num, first + i, see, scale, lse + (first + i) * m->H + h);
                }
                for (int r = 0; r < num; r++)
                    gemm(n, C, (ranges[r].to - ranges[r].from) / PER, (const word *)(s->shares + ranges[r].from), Lp / PER, 1,
                         s->values_t + b_at(ranges[r].from / PER, 0, along_t), along_t, s->tile, C, r > 0);
                for (long i = 0; i < n; i++)
                    for (long c = 0; c < C; c += 16)
                        write_cells(o + (first + i) * m->H * C + h * C + c, v_mul(v_load(s->tile + i * C + c), v_all(inverse[i])));
            }
    }
}

/* PER queries' shares and their gradients, in rows and paired along the queries. */
static void share_rows_backward(AttentionScratch *s, long Lp, long i, long n, long first, const Range *ranges, int num, const int32_t *shared_start,
                                const int32_t *shared_end, const int32_t *own_start, const float *lse, long H, const float *delta, float scale) {
    vec sc = v_all(scale);
    for (int r = 0; r < num; r++)
        for (long j = ranges[r].from; j < ranges[r].to; j += 16) {
            vec p[2] = {v_zero(), v_zero()}, d[2] = {v_zero(), v_zero()};
#pragma GCC unroll 2
            for (long e = 0; e < PER; e++) {
                long t = first + i + e;
                if (i + e >= n) break;
                mask16 mask = sees(j, t, shared_start[t], shared_end[t], own_start[t]);
                if (mask) {
                    p[e] = exp16(v_fmsub(v_load(s->scores + (i + e) * Lp + j), sc, v_all(lse[t * H])));
                    p[e] = v_keep(mask, p[e]);
                    d[e] = v_sub(v_load(s->dscores + (i + e) * Lp + j), v_all(delta[i + e]));
                    d[e] = v_mul(v_mul(p[e], d[e]), sc);
                }
                if (PER == 2) write_cells(s->dshares + (i + e) * Lp + j, d[e]);
            }
            join_rounded(s->shares_p + i / PER * Lp + j, p[0], p[1]);
            join_rounded(s->dshares_p + i / PER * Lp + j, d[0], d[1]);
        }
}

/* dqkv (T, W) in float32, still rotated, from dout (T, D) in cells. */
static void attend_row_backward(const Model *m, long T, const cell *qkv, const cell *o, const float *lse, const cell *dout, float *dqkv,
                                const int32_t *shared_start, const int32_t *shared_end, const int32_t *own_start, AttentionScratch *s) {
    long C = m->C, D = m->H * C, W = width_qkv(m), Lp = up16(T), R = m->H / m->K;
    long along_c = b_ld(C / PER, Lp), along_t = b_ld(Lp / PER, C), along_q = b_ld(QUERIES / PER, C);
    float scale = 1.f / sqrtf((float)C);
    for (long kv = 0; kv < m->K; kv++) {
        const cell *k = qkv + (m->H + kv) * C, *v = k + m->K * C;
        words_of_columns(k, W, T, C / PER, s->keys_c, along_c);
        words_of_columns(v, W, T, C / PER, s->values_c, along_c);
        words_of_rows(k, W, T, C, s->keys_t, along_t);
        clear_steps(s->keys_t, along_t, words(T), Lp / PER, C);
        memset(s->dk, 0, Lp * C * 4);
        memset(s->dv, 0, Lp * C * 4);
        for (long h = kv * R; h < (kv + 1) * R; h++)
            for (long first = 0; first < T; first += QUERIES) {
                long n = T - first < QUERIES ? T - first : QUERIES;
                Range ranges[2];
                int num = visible_ranges(shared_start, shared_end, own_start, first, n, ranges);
                const cell *q = qkv + first * W + h * C, *d = dout + first * D + h * C, *out = o + first * D + h * C;
                float delta[QUERIES];
                for (long i = 0; i < n; i++) {
                    vec sum = v_zero();
                    for (long c = 0; c < C; c += 16) sum = v_fmadd(read_cells(d + i * D + c), read_cells(out + i * D + c), sum);
                    delta[i] = v_sum(sum);
                }
                for (int r = 0; r < num; r++) {
                    long from = ranges[r].from, count = ranges[r].to - from;
                    gemm(n, count, C / PER, (const word *)q, W / PER, 1, s->keys_c + b_at(0, from, along_c), along_c, s->scores + from, Lp, 0);
                    gemm(n, count, C / PER, (const word *)d, D / PER, 1, s->values_c + b_at(0, from, along_c), along_c, s->dscores + from, Lp, 0);
                }
                for (long i = 0; i < n; i += PER)
                    share_rows_backward(s, Lp, i, n, first, ranges, num, shared_start, shared_end, own_start, lse + h, m->H, delta, scale);
                words_of_rows(q, W, n, C, s->q_t, along_q);
                words_of_rows(d, D, n, C, s->do_t, along_q);
                for (int r = 0; r < num; r++) {
                    long from = ranges[r].from, count = ranges[r].to - from;
                    gemm(n, C, count / PER, (const word *)(s->dshares + from), Lp / PER, 1, s->keys_t + b_at(from / PER, 0, along_t), along_t, dqkv + first * W + h * C, W, r > 0);
                    gemm(count, C, words(n), s->dshares_p + from, 1, Lp, s->q_t, along_q, s->dk + from * C, C, 1);
                    gemm(count, C, words(n), s->shares_p + from, 1, Lp, s->do_t, along_q, s->dv + from * C, C, 1);
                }
            }
        for (long t = 0; t < T; t++) {
            memcpy(dqkv + t * W + (m->H + kv) * C, s->dk + t * C, C * 4);
            memcpy(dqkv + t * W + (m->H + m->K + kv) * C, s->dv + t * C, C * 4);
        }
    }
}
#endif
