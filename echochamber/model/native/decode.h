/* Sampling: one more token for every live row, with the keys and values of what came before in a cache.
 *
 * Rows go in waves through a block's weights, so that a weight is read once for all rows of a wave. Every thread has
 * rows of its own, but for few rows of large models: there all threads share one wave and split the columns of every product.
 * Every row is computed as if it were alone: sums run in the same order whatever the batch and the split are. */
#ifndef ECHO_DECODE_H
#define ECHO_DECODE_H
#include "cache.h"
#include "draw.h"
#include "team.h"

/* Activations of a wave, shared by its team. */
typedef struct {
    float *x, *x1, *wide, *logits; /* (n, D) twice, (n, max(W, 2F)), (n, Vp) */
    cell *qkv, *o, *gu, *h;        /* (n, W), (n, A), (n, 2F), (n, F) */
} Wave;

/* What one thread of the team has for itself. */
typedef struct {
    cell *normed;  /* (n, D) */
    float *narrow; /* (n, D) */
    AttendScratch attend;
    long me;
} Own;

static void wave_scratch(Wave *v, const Model *m, const Head *h, long n) {
    v->x = scratch(n * m->D * 4);
    v->x1 = scratch(n * m->D * 4);
    v->wide = scratch(PER == 1 ? 0 : n * most(2 * m->F, width_qkv(m)) * 4);
    v->logits = scratch(n * h->Vp * 4);
    v->qkv = scratch(n * width_qkv(m) * CELL);
    v->o = scratch(n * width_out(m) * CELL);
    v->gu = scratch(n * 2 * m->F * CELL);
    v->h = scratch(n * m->F * CELL);
}

static void free_wave(Wave *v) {
    free(v->x); free(v->x1); free(v->wide); free(v->logits); free(v->qkv); free(v->o); free(v->gu); free(v->h);
}

static void own_scratch(Own *s, const Model *m, const Cache *c, long n) {
    s->normed = scratch(n * m->D * CELL);
    s->narrow = scratch(n * m->D * 4);
    attend_scratch(&s->attend, m, c);
}

static void free_own(Own *s) { free(s->normed); free(s->narrow); free_attend(&s->attend); }

/* out (n, columns) = x·weight, columns of `part` alone. */
INLINE void times_part(long n, const cell *x, long inputs, const word *weight, long columns, Part part, float *out) {
    long ld = b_ld(inputs / PER, columns);
    gemm(n, part.to - part.from, inputs / PER, (const word *)x, inputs / PER, 1, weight + b_at(0, part.from, ld), ld, out + part.from, columns, 0);
}

/* sum (n, D) = x + o·weight + bias, columns of `part` alone. */
static void add_product(long n, const float *x, const cell *o, long inputs, const word *weight, const float *bias, long D, Part part, float *sum, float *room) {
    times_part(n, o, inputs, weight, D, part, room);
    for (long t = 0; t < n; t++) {
        float *row = room + t * D + part.from;
        if (bias) add_rows(row, bias + part.from, row, part.to - part.from);
        add_rows(x + t * D + part.from, row, sum + t * D + part.from, part.to - part.from);
    }
}

static void norm_rows(const Model *m, const float *x, const float *weight, long n, cell *out) {
    for (long i = 0; i < n; i++) norm_row(x + i * m->D, weight, m->D, m->plain_norm, m->eps, out + i * m->D);
}

/* Attention of this thread's share of the wave's rows and key-value heads; samples of a prompt are done together. */
static void attend_share(const Model *m, const Layer *w, const Cache *c, long l, const int32_t *rows, long n, Wave *v, Own *s, long size) {
    long W = width_qkv(m), A = width_out(m), R = m->H / m->K, from = n * m->K * s->me / size, to = n * m->K * (s->me + 1) / size;
    float *wide = product_of(v->qkv, v->wide);
    for (long i = from; i < to;) {
        long kv = i / n, row = i % n, count = 1;
        while (count < SIBLINGS && row + count < n && i + count < to && c->row_prompt[rows[row + count]] == c->row_prompt[rows[row]]) count++;
        for (long t = row; t < row + count; t++) {
            int32_t position = c->prompt_length[c->row_prompt[rows[t]]] + c->row_length[rows[t]];
            for (long h = kv * R; h < (kv + 1) * R; h++) finish_head(m, w, wide + t * W, h, position, v->qkv + t * W);
            finish_head(m, w, wide + t * W, m->H + kv, position, v->qkv + t * W);
            finish_head(m, w, wide + t * W, m->H + m->K + kv, position, v->qkv + t * W);
        }
        attend(m, c, l, rows + row, count, kv, v->qkv + row * W, v->o + row * A, &s->attend);
        i += count;
    }
}

/* Logits (n, Vp) of a wave in v->logits after each of its rows has read its next token; row lengths are the caller's to count. */
static void step_wave(const Model *m, const Head *h, const Cache *c, const int32_t *rows, long n, Wave *v, Own *s, Team *team) {
    long D = m->D, F = m->F, W = width_qkv(m), size = team->size;
    Part d = part_of(D, s->me, size), f = part_of(F, s->me, size);
    for (long i = 0; i < n; i++) memcpy(v->x + i * D + d.from, c->embed + c->row_token[rows[i]] * D + d.from, (d.to - d.from) * 4);
    for (long l = 0; l < m->L; l++) {
        const Layer *w = m->layers + l;
        meet(team);
        norm_rows(m, v->x, w->norm1, n, s->normed);
        times_part(n, s->normed, D, w->qkv, W, part_of(W, s->me, size), product_of(v->qkv, v->wide));
        meet(team);
        attend_share(m, w, c, l, rows, n, v, s, size);
        meet(team);
        add_product(n, v->x, v->o, width_out(m), w->out, w->out_bias, D, d, v->x1, s->narrow);
        meet(team);
        norm_rows(m, v->x1, w->norm2, n, s->normed);
        float *wide = product_of(v->gu, v->wide);
        for (long up = 0; up <= F; up += F) {
            Part columns = {up + f.from, up + f.to};
            times_part(n, s->normed, D, w->gate_up, 2 * F, columns, wide);
            for (long t = 0; t < n; t++) copy_to_cells(wide + t * 2 * F + columns.from, v->gu + t * 2 * F + columns.from, columns.to - columns.from);
        }
        swiglu(v->gu, n, F, f.from, f.to, v->h);
        meet(team);
        add_product(n, v->x1, v->h, F, w->down, NULL, D, d, v->x, s->narrow);
    }
    meet(team);
    norm_rows(m, v->x, m->norm, n, s->normed);
    times_part(n, s->normed, D, h->packed, h->Vp, part_of(h->Vp, s->me, size), v->logits);
    meet(team);
}

enum { CACHED_BYTES = 4 << 20, FEW_ROWS = 32 }; /* weights that every thread may read again; rows per thread that hide what weights from memory cost */

/* Whether all threads work on one wave at a time, each on columns of its own; otherwise each has waves of its own. */
static int splits_columns(const Model *m, const Head *h, long num, long threads) {
    long weights = (m->L * m->D * (width_qkv(m) + width_out(m) + 3 * m->F) + m->D * h->Vp) * CELL;
    return weights > CACHED_BYTES && num < FEW_ROWS * threads;
}

/* Choose row's token from its logits and write it down; returns whether the row has ended. */
static char choose(const Head *h, Cache *c, long row, float *logits, double temperature, int64_t end) {
    float it = temperature > 0 ? (float)(1. / temperature) : 1.f, lse = log_sum(logits, h->V, it, NULL), chosen;
    long at = c->row_length[row]++, token;
    if (temperature > 0) {
        token = inverted(logits, h->V, h->Vp, it, lse, uniform(c->row_stream[row], at));
        chosen = logf(logits[token] > 1e-38f ? logits[token] : 1e-38f);
    } else {
        token = likeliest(logits, h->V);
        chosen = logits[token] - lse;
    }
    c->tokens[row * c->limit + at] = (int32_t)token;
    c->logprobs[row * c->limit + at] = chosen;
    c->row_token[row] = token;
    return token == end || at + 1 == c->limit;
}

/* One thread's place in a call: a team with its wave, and the rows [from, to) that the team runs. */
typedef struct {
    Team alone, *team;
    Wave own_wave, *wave;
    Own own;
    int split;
    long me, all;
} Place;

/* Rows of one wave, so that scratch is no larger than the call needs. */
static long rows_at_once(long num, long threads, int split) {
    long rows = split ? num : (num + threads - 1) / threads;
    return rows < BLOCK ? rows : BLOCK;
}

/* Threads that have something to do. */
INLINE long threads_for(const Model *m, const Head *h, long num, long threads) {
    return splits_columns(m, h, num, threads) || num >= threads ? threads : most(num, 1);
}

/* In a parallel region; `everyone` and `shared` belong to all threads. */
static void take_place(Place *p, const Model *m, const Head *h, const Cache *c, long num, Team *everyone, Wave *shared) {
    p->me = omp_get_thread_num(), p->all = omp_get_num_threads(), p->split = splits_columns(m, h, num, p->all);
    long n = rows_at_once(num, p->all, p->split);
    if (p->split) {
#pragma omp single
        wave_scratch(shared, m, h, n);
    } else {
        wave_scratch(&p->own_wave, m, h, n);
    }
#pragma omp single
    *everyone = (Team){p->all, 0, 0};
    p->alone = (Team){1, 0, 0};
    p->team = p->split ? everyone : &p->alone;
    p->wave = p->split ? shared : &p->own_wave;
    p->own.me = p->split ? p->me : 0;
    own_scratch(&p->own, m, c, n);
}

static void leave_place(Place *p) {
    free_own(&p->own);
    if (!p->split) free_wave(&p->own_wave);
    else if (p->me == 0) free_wave(p->wave);
}

/* Which of `num` rows this thread's team runs. */
INLINE Part team_rows(const Place *p, long num) { return p->split ? (Part){0, num} : (Part){num * p->me / p->all, num * (p->me + 1) / p->all}; }

/* Which of a wave's n rows this thread chooses tokens for. */
INLINE Part chosen_rows(const Place *p, long n) { return (Part){n * p->own.me / p->team->size, n * (p->own.me + 1) / p->team->size}; }

/* Logits (num, Vp) for Python to choose from. */
void echo_decode_logits(const Model *m, const Head *h, Cache *c, const int32_t *rows, long num, float *logits, long threads) {
    Team everyone;
    Wave shared;
#pragma omp parallel num_threads(threads_for(m, h, num, threads))
    {
        Place p;
        take_place(&p, m, h, c, num, &everyone, &shared);
        Part mine = team_rows(&p, num);
        for (long i = mine.from; i < mine.to; i += BLOCK) {
            long n = mine.to - i < BLOCK ? mine.to - i : BLOCK;
            step_wave(m, h, c, rows + i, n, p.wave, &p.own, p.team);
            Part those = chosen_rows(&p, n);
            for (long t = those.from; t < those.to; t++) {
                memcpy(logits + (i + t) * h->Vp, p.wave->logits + t * h->Vp, h->Vp * 4);
                c->row_length[rows[i + t]]++;
            }
        }
        meet(&everyone);
        leave_place(&p);
    }
}

/* Up to `steps` tokens for each row of `rows`, which is shortened to those still running; a row ends with `end`
 * or at the limit. Stops once `enough` rows have ended. Temperature 0 is greedy. Returns how many are running. */
long echo_decode(const Model *m, const Head *h, Cache *c, int32_t *rows, long num, long steps, long enough, double temperature, int64_t end, long threads) {
    long started = num;
    char *ended = scratch(num + 64);
    Team everyone;
    Wave shared;
#pragma omp parallel num_threads(threads_for(m, h, num, threads))
    {
        Place p;
        take_place(&p, m, h, c, num, &everyone, &shared);
        for (long step = 0; step < steps && num > 0 && started - num < enough; step++) {
            Part mine = team_rows(&p, num);
            for (long i = mine.from; i < mine.to; i += BLOCK) {
                long n = mine.to - i < BLOCK ? mine.to - i : BLOCK;
                step_wave(m, h, c, rows + i, n, p.wave, &p.own, p.team);
                Part those = chosen_rows(&p, n);
                for (long t = those.from; t < those.to; t++) ended[i + t] = choose(h, c, rows[i + t], p.wave->logits + t * h->Vp, temperature, end);
            }
            meet(&everyone);
            if (p.me == 0) {
                long live = 0;
                for (long i = 0; i < num; i++)
                    if (!ended[i]) rows[live++] = rows[i];
                num = live;
            }
            meet(&everyone);
        }
        leave_place(&p);
    }
    free(ended);
    return num;
}
#endif
