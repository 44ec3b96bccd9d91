/* Keys and values of what came before: a prompt's once for all its samples, a row's own tokens in a slot of its own. */
#ifndef ECHO_CACHE_H
#define ECHO_CACHE_H
#include "trunk.h"

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

/* Append this step's key and value (C each) to a slot; token t shares its word with token t ± 1 where a word has two cells. */
static void store_own(const cell *key, const cell *value, word *keys, word *values, long t, long capacity, long C) {
    long along_c = b_ld(C / PER, capacity), along_t = b_ld(capacity / PER, C);
    for (long c = 0; c < C / PER; c++) memcpy(keys + b_at(c, t, along_c), key + PER * c, 4);
    for (long i = 0; i < C; i += 16) {
        cell *own = (cell *)(values + b_at(t / PER, i, along_t)) + t % PER;
        for (long j = 0; j < 16; j++) own[PER * j] = value[i + j];
    }
}

enum { SIBLINGS = 8 }; /* rows of one prompt that read its keys and values together */

typedef struct {
    float *scores, *tile; /* (SIBLINGS · R, columns), (SIBLINGS · R, C) */
    cell *shares, *q;     /* (SIBLINGS · R, columns), (SIBLINGS · R, C) */
} AttendScratch;

static void attend_scratch(AttendScratch *s, const Model *m, const Cache *c) {
    long columns = c->prompt_capacity + c->row_capacity, heads = SIBLINGS * (m->H / m->K);
    s->scores = scratch(heads * columns * 4);
    s->shares = scratch(heads * columns * CELL);
    s->tile = scratch(heads * m->C * 4);
    s->q = scratch(heads * m->C * CELL);
}

static void free_attend(AttendScratch *s) { free(s->scores); free(s->shares); free(s->tile); free(s->q); }

/* Attention of key-value head kv's R queries, of n rows with one prompt, over the prompt and each row's own tokens, the newest included.
 * qkv and o are the first row's; the others' follow. */
static void attend(const Model *m, const Cache *c, long l, const int32_t *rows, long n, long kv, const cell *qkv, cell *o, AttendScratch *s) {
    long C = m->C, R = m->H / m->K, W = width_qkv(m), P = c->prompt_capacity, O = c->row_capacity, slot = c->row_prompt[rows[0]];
    long prompt = c->prompt_length[slot], start = up16(prompt), ld = P + O;
    long at_prompt = ((l * c->prompt_slots + slot) * m->K + kv) * (C / PER) * P, along_p = b_ld(C / PER, P), along_o = b_ld(C / PER, O);
    float scale = 1.f / sqrtf((float)C), lse;
    for (long i = 0; i < n; i++) memcpy(s->q + i * R * C, qkv + i * W + kv * R * C, R * C * CELL);
    gemm(n * R, start, C / PER, (const word *)s->q, C / PER, 1, c->prompt_keys + at_prompt, along_p, s->scores, ld, 0);
    float inverse[SIBLINGS * 64];
    for (long i = 0; i < n; i++) {
        long own = c->row_length[rows[i]] + 1, at_row = ((l * c->row_slots + rows[i]) * m->K + kv) * (C / PER) * O;
        const cell *key = qkv + i * W + (m->H + kv) * C;
        Range ranges[1] = {{0, start + up16(own)}};
        int32_t see[3] = {0, (int32_t)prompt, (int32_t)start};
        float *scores = s->scores + i * R * ld;
        store_own(key, key + m->K * C, c->row_keys + at_row, c->row_values + at_row, own - 1, O, C);
        gemm(R, up16(own), C / PER, (const word *)s->q + i * R * (C / PER), C / PER, 1, c->row_keys + at_row, along_o, scores + start, ld, 0);
        for (long r = 0; r < R; r++)
            inverse[i * R + r] = share_row(scores + r * ld, s->shares + (i * R + r) * ld, ranges, 1, start + own - 1, see, scale, &lse);
    }
    gemm(n * R, C, words(prompt), (const word *)s->shares, ld / PER, 1, c->prompt_values + at_prompt, b_ld(P / PER, C), s->tile, C, 0);
    for (long i = 0; i < n; i++) {
        long own = c->row_length[rows[i]] + 1, at_row = ((l * c->row_slots + rows[i]) * m->K + kv) * (C / PER) * O;
        gemm(R, C, words(own), (const word *)(s->shares + i * R * ld + start), ld / PER, 1, c->row_values + at_row, b_ld(O / PER, C), s->tile + i * R * C, C, 1);
        for (long r = i * R; r < (i + 1) * R; r++)
            for (long j = 0; j < C; j += 16)
                write_cells(o + i * m->H * C + (kv * R + r - i * R) * C + j, v_mul(v_load(s->tile + r * C + j), v_all(inverse[r])));
    }
}
#endif
