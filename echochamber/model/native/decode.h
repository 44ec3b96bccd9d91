/* Sampling: one more token for every live row, with the keys and values of what came before in a cache.
 *
 * A prompt's keys and values are stored once and read by all its samples; a row's own tokens lie in a slot of
 * its own. Every row is computed as if it were alone: sums run in the same order whatever the batch is. */
#ifndef ECHO_DECODE_H
#define ECHO_DECODE_H
#include "head.h"

/* Keys are in words along C: (.., C / PER, capacity); values along tokens: (.., capacity / PER, C), each as B (gemm.h). Capacities are
 * multiples of 16. A row's first own token is its prompt's last, so a prompt slot holds one token less. */
typedef struct {
    long prompt_slots, prompt_capacity, row_slots, row_capacity, limit;
    word *prompt_keys, *prompt_values; /* (L, prompt_slots, K, ..) */
    word *row_keys, *row_values;       /* (L, row_slots, K, ..) */
    int32_t *prompt_length;            /* (prompt_slots) */
    int32_t *row_prompt, *row_length;  /* (row_slots): prompt slot; own tokens in the cache */
    int64_t *row_token;                /* (row_slots) the token to read next */
    uint64_t *row_stream;              /* (row_slots) key of its random stream */
    int32_t *tokens;                   /* (row_slots, limit) written so far */
    float *logprobs;                   /* (row_slots, limit) at the sampling temperature */
    const float *embed;                /* (V, D) */
} Cache;

/* Copy rotated keys and values of prompts, laid out as a trunk forward keeps them, into their slots. */
void echo_store_prompts(const Model *m, const Layout *at, const Saved *saved, Cache *c, const int32_t *slots) {
    long W = width_qkv(m), C = m->C, P = c->prompt_capacity;
#pragma omp parallel for num_threads(at->threads) schedule(static) collapse(2)
    for (long l = 0; l < m->L; l++)
        for (long row = 0; row < at->num_rows; row++) {
            long T = at->lengths[row];
            const cell *qkv = saved->qkv + (l * at->num_tokens + at->starts[row]) * W;
            for (long kv = 0; kv < m->K; kv++) {
                long place = ((l * c->prompt_slots + slots[row]) * m->K + kv) * (C / PER) * P;
                words_of_columns(qkv + (m->H + kv) * C, W, T, C / PER, c->prompt_keys + place, b_ld(C / PER, P));
                words_of_rows(qkv + (m->H + m->K + kv) * C, W, T, C, c->prompt_values + place, b_ld(P / PER, C));
            }
        }
}

typedef struct {
    Scratch s;
    float *x, *x1, *scores, *tile, *logits;
    cell *qkv, *o, *gu, *shares, *hidden;
} DecodeScratch;

static void decode_scratch(DecodeScratch *d, const Model *m, const Head *h, const Cache *c) {
    trunk_scratch(&d->s, m, 16, 0);
    long columns = c->prompt_capacity + c->row_capacity, R = m->H / m->K;
    d->x = scratch(BLOCK * m->D * 4);
    d->x1 = scratch(BLOCK * m->D * 4);
    d->scores = scratch(R * columns * 4);
    d->shares = scratch(R * columns * CELL);
    d->tile = scratch(R * m->C * 4);
    d->qkv = scratch(BLOCK * width_qkv(m) * CELL);
    d->o = scratch(BLOCK * width_out(m) * CELL);
    d->gu = scratch(BLOCK * 2 * m->F * CELL);
    d->hidden = scratch(BLOCK * m->D * CELL);
    d->logits = scratch(BLOCK * h->Vp * 4);
}

static void free_decode(DecodeScratch *d) {
    free_scratch(&d->s, 0);
    free(d->x); free(d->x1); free(d->scores); free(d->shares); free(d->tile); free(d->qkv); free(d->o); free(d->gu); free(d->hidden); free(d->logits);
}

/* Append this step's key and value (C each) to a slot; token t shares its word with token t ± 1 where a word has two cells. */
static void store_own(const cell *key, const cell *value, word *keys, word *values, long t, long capacity, long C) {
    long along_c = b_ld(C / PER, capacity), along_t = b_ld(capacity / PER, C);
    for (long c = 0; c < C / PER; c++) memcpy(keys + b_at(c, t, along_c), key + PER * c, 4);
    for (long i = 0; i < C; i += 16) {
        cell *own = (cell *)(values + b_at(t / PER, i, along_t)) + t % PER;
        for (long j = 0; j < 16; j++) own[PER * j] = value[i + j];
    }
}

/* Attention of one row's R queries per key-value head over its prompt and its own tokens, the newest included. */
static void attend_one(const Model *m, const Cache *c, long l, long row, const cell *qkv, cell *o, DecodeScratch *d) {
    long C = m->C, R = m->H / m->K, P = c->prompt_capacity, O = c->row_capacity, slot = c->row_prompt[row];
    long prompt = c->prompt_length[slot], own = c->row_length[row] + 1, start = up16(prompt), ld = P + O;
    float scale = 1.f / sqrtf((float)C), lse;
    Range ranges[1] = {{0, start + up16(own)}};
    int32_t see[3] = {0, (int32_t)prompt, (int32_t)start};
    for (long kv = 0; kv < m->K; kv++) {
        const word *q = (const word *)(qkv + kv * R * C);
        long at_prompt = ((l * c->prompt_slots + slot) * m->K + kv) * (C / PER) * P, at_row = ((l * c->row_slots + row) * m->K + kv) * (C / PER) * O;
        store_own(qkv + (m->H + kv) * C, qkv + (m->H + m->K + kv) * C, c->row_keys + at_row, c->row_values + at_row, own - 1, O, C);
        gemm(R, start, C / PER, q, C / PER, 1, c->prompt_keys + at_prompt, b_ld(C / PER, P), d->scores, ld, 0);
        gemm(R, up16(own), C / PER, q, C / PER, 1, c->row_keys + at_row, b_ld(C / PER, O), d->scores + start, ld, 0);
        float inverse[64];
        for (long r = 0; r < R; r++) inverse[r] = share_row(d->scores + r * ld, d->shares + r * ld, ranges, 1, start + own - 1, see, scale, &lse);
        gemm(R, C, words(prompt), (const word *)d->shares, ld / PER, 1, c->prompt_values + at_prompt, b_ld(P / PER, C), d->tile, C, 0);
        gemm(R, C, words(own), (const word *)(d->shares + start), ld / PER, 1, c->row_values + at_row, b_ld(O / PER, C), d->tile, C, 1);
        for (long r = 0; r < R; r++)
            for (long i = 0; i < C; i += 16)
                write_cells(o + (kv * R + r) * C + i, v_mul(v_load(d->tile + r * C + i), v_all(inverse[r])));
    }
}

/* Logits (n, Vp) after each of n ≤ BLOCK rows has read its next token; advances the cache. */
static void step_rows(const Model *m, const Head *h, Cache *c, const int32_t *rows, long n, float *logits, DecodeScratch *d) {
    long D = m->D, W = width_qkv(m), A = width_out(m);
    int32_t positions[BLOCK];
    for (long i = 0; i < n; i++) {
        memcpy(d->x + i * D, c->embed + c->row_token[rows[i]] * D, D * 4);
        positions[i] = c->prompt_length[c->row_prompt[rows[i]]] + c->row_length[rows[i]];
    }
    for (long l = 0; l < m->L; l++) {
        const Layer *w = m->layers + l;
        for (long i = 0; i < n; i++) norm_row(d->x + i * D, w->norm1, D, m->plain_norm, m->eps, d->s.xn + i * D);
        float *wide = product_of(d->qkv, d->s.wide);
        times_weight(n, d->s.xn, D, w->qkv, W, wide);
        finish_heads(m, w, wide, n, positions, d->qkv);
        for (long i = 0; i < n; i++) attend_one(m, c, l, rows[i], d->qkv + i * W, d->o + i * A, d);
        feed_forward(m, w, n, d->x, d->o, d->x1, d->gu, d->x, &d->s);
    }
    for (long i = 0; i < n; i++) {
        norm_row(d->x + i * D, m->norm, D, m->plain_norm, m->eps, d->hidden + i * D);
        c->row_length[rows[i]]++;
    }
    times_weight(n, d->hidden, D, h->packed, h->Vp, logits);
}

/* Draw t of a stream, in [0, 1): SplitMix64 as in core/random.py. */
INLINE double uniform(uint64_t stream, uint64_t t) {
    uint64_t z = stream + (t + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

static long likeliest(const float *logits, long V) {
    long best = 0;
    for (long v = 1; v < V; v++)
        if (logits[v] > logits[best]) best = v;
    return best;
}

/* The first token whose cumulative share passes the draw; overwrites logits with shares. */
static long inverted(float *logits, long V, long Vp, float inverse_temperature, float lse, double draw) {
    vec it = v_all(inverse_temperature), z = v_all(lse);
    double total = 0, seen = 0;
    for (long v = 0; v < Vp; v += 16) {
        vec p = v_keep(columns_in(v, 0, V), exp16(v_fmsub(v_load(logits + v), it, z)));
        v_store(logits + v, p);
        total += v_sum(p);
    }
    /* Scaled by the total, so that a sum of 0.9999999 never leaves a draw without a token. */
    double target = draw * total;
    for (long v = 0; v < Vp; v += 16) {
        double block = v_sum(v_load(logits + v));
        if (seen + block <= target && v + 16 < Vp) { seen += block; continue; }
        for (long i = v; i < V && i < v + 16; i++) {
            seen += logits[i];
            if (seen > target) return i;
        }
    }
    return V - 1;
}

/* Logits (num, Vp) for Python to choose from. */
void echo_decode_logits(const Model *m, const Head *h, Cache *c, const int32_t *rows, long num, float *logits, long threads) {
#pragma omp parallel num_threads(threads)
    {
        DecodeScratch d;
        decode_scratch(&d, m, h, c);
#pragma omp for schedule(static)
        for (long i = 0; i < num; i += BLOCK) step_rows(m, h, c, rows + i, num - i < BLOCK ? num - i : BLOCK, logits + i * h->Vp, &d);
        free_decode(&d);
    }
}

/* Up to `steps` tokens for each row of `rows`, which is shortened to those still running; a row ends with `end`
 * or at the limit. Stops once `enough` rows have ended. Temperature 0 is greedy. Returns how many are running. */
long echo_decode(const Model *m, const Head *h, Cache *c, int32_t *rows, long num, long steps, long enough, double temperature, int64_t end, long threads) {
    float it = temperature > 0 ? (float)(1. / temperature) : 1.f;
    long started = num;
    char *ended = scratch(num + 64);
#pragma omp parallel num_threads(threads)
    {
        DecodeScratch d;
        decode_scratch(&d, m, h, c);
        long me = omp_get_thread_num(), all = omp_get_num_threads();
        for (long step = 0; step < steps && num > 0 && started - num < enough; step++) {
            long from = num * me / all, to = num * (me + 1) / all;
            for (long i = from; i < to; i += BLOCK) {
                long n = to - i < BLOCK ? to - i : BLOCK;
                step_rows(m, h, c, rows + i, n, d.logits, &d);
                for (long t = 0; t < n; t++) {
                    long row = rows[i + t], at = c->row_length[row] - 1;
                    float *logits = d.logits + t * h->Vp, lse = log_sum(logits, h->V, it, NULL), chosen;
                    long greedy = temperature > 0 ? -1 : likeliest(logits, h->V), token;
                    if (greedy >= 0) {
                        token = greedy;
                        chosen = logits[token] - lse;
                    } else {
                        token = inverted(logits, h->V, h->Vp, it, lse, uniform(c->row_stream[row], at));
                        chosen = logf(logits[token] > 1e-38f ? logits[token] : 1e-38f);
                    }
                    c->tokens[row * c->limit + at] = (int32_t)token;
                    c->logprobs[row * c->limit + at] = chosen;
                    c->row_token[row] = token;
                    ended[i + t] = token == end || at + 1 == c->limit;
                }
            }
#pragma omp barrier
#pragma omp single
            {
                long live = 0;
                for (long i = 0; i < num; i++)
                    if (!ended[i]) rows[live++] = rows[i];
                num = live;
            }
        }
        free_decode(&d);
    }
    free(ended);
    return num;
}
#endif
