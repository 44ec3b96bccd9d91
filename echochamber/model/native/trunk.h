/* All blocks of the decoder on rows of tokens, forward and backward. A row belongs to one thread from end to
 * end, so threads meet only when their weight gradients are added up, in order: same threads, same bytes. */
#ifndef ECHO_TRUNK_H
#define ECHO_TRUNK_H
#include "attention.h"
#include <omp.h>

typedef struct {
    cell *xn, *h, *dgu, *dy;        /* (BLOCK, D), (BLOCK, F), (BLOCK, 2F), (BLOCK, max(D, W)) */
    float *wide, *narrow;           /* (BLOCK, max(2F, W, D)), (BLOCK, max(D, F, A)) */
    word *left, *right;             /* in words along tokens: (BLOCK / PER, max(2F, W, D)) each */
    cell *dout;                     /* (T, A) */
    float *dqkv, *dx;               /* (T, W), (T, D) */
    AttentionScratch attention;
} Scratch;

INLINE long most(long a, long b) { return a > b ? a : b; }

static void trunk_scratch(Scratch *s, const Model *m, long length, int backward) {
    long D = m->D, F = m->F, A = width_out(m), wide = most(most(2 * F, width_qkv(m)), D);
    s->xn = scratch(BLOCK * D * CELL);
    s->h = scratch(BLOCK * F * CELL);
    s->wide = scratch(BLOCK * wide * 4);
    s->narrow = scratch(BLOCK * most(most(D, F), A) * 4);
    attention_scratch(&s->attention, length, m->C, backward);
    if (!backward) return;
    s->dgu = scratch(BLOCK * 2 * F * CELL);
    s->dy = scratch(BLOCK * most(D, width_qkv(m)) * CELL);
    s->left = scratch(BLOCK / PER * wide * 4);
    s->right = scratch(BLOCK / PER * wide * 4);
    s->dout = scratch(length * A * CELL);
    s->dqkv = scratch(length * width_qkv(m) * 4);
    s->dx = scratch(length * D * 4);
}

static void free_scratch(Scratch *s, int backward) {
    free(s->xn); free(s->h); free(s->wide); free(s->narrow);
    free_attention(&s->attention, backward);
    if (!backward) return;
    free(s->dgu); free(s->dy); free(s->left); free(s->right); free(s->dout); free(s->dqkv); free(s->dx);
}

/* out (n, columns) = x·weight of cells x (n, inputs). */
INLINE void times_weight(long n, const cell *x, long inputs, const word *weight, long columns, float *out) {
    gemm(n, columns, inputs / PER, (const word *)x, inputs / PER, 1, weight, b_ld(inputs / PER, columns), out, columns, 0);
}

static void add_rows(const float *a, const float *b, float *out, long n) {
    for (long i = 0; i < n; i += 16) v_store(out + i, v_add(v_load(a + i), v_load(b + i)));
}

static void add_bias(float *rows, const float *bias, long n, long width) {
    if (bias)
        for (long t = 0; t < n; t++) add_rows(rows + t * width, bias, rows + t * width, width);
}

/* sums (width) += n rows; nothing where sums is NULL. */
static void add_up_rows(const float *rows, long n, long width, float *sums) {
    if (sums)
        for (long t = 0; t < n; t++) add_rows(sums, rows + t * width, sums, width);
}

/* The norm's weights of head h of queries and keys. */
INLINE const float *head_norm(const Model *m, const Layer *w, long h) { return h < m->H ? w->q_norm : w->k_norm; }

static void rotate_heads(const Model *m, const Layer *w, float *qkv, int32_t position, float direction) {
    if (!w->rotates) return;
    for (long h = 0; h < m->H + m->K; h++)
        rotate_head(qkv + h * m->C, m->cosine + position * m->C, m->sine + position * m->C, m->C / 2, direction);
}

/* Head h of one token's float32 projections (W) -> cells with bias; queries and keys normed and rotated. Both may be the same. */
static void finish_head(const Model *m, const Layer *w, float *qkv, long h, int32_t position, cell *out) {
    long C = m->C;
    float *head = qkv + h * C;
    add_bias(head, w->qkv_bias ? w->qkv_bias + h * C : NULL, 1, C);
    if (h < m->H + m->K) {
        if (w->q_norm) norm_floats(head, head_norm(m, w, h), C, m->eps);
        if (w->rotates) rotate_head(head, m->cosine + position * C, m->sine + position * C, C / 2, 1.f);
    }
    copy_to_cells(head, out + h * C, C);
}

/* All heads of n tokens. */
static void finish_heads(const Model *m, const Layer *w, float *qkv, long n, const int32_t *positions, cell *out) {
    long W = width_qkv(m);
    for (long t = 0; t < n; t++)
        for (long h = 0; h < m->H + 2 * m->K; h++) finish_head(m, w, qkv + t * W, h, positions[t], out + t * W);
}

/* h = silu(gate)·up of rounded gate and up (n, 2F), columns [from, to) of h. */
static void swiglu(const cell *gu, long n, long F, long from, long to, cell *h) {
    for (long t = 0; t < n; t++)
        for (long f = from; f < to; f += 16) {
            vec g = read_cells(gu + t * 2 * F + f), u = read_cells(gu + t * 2 * F + F + f);
            write_cells(h + t * F + f, v_mul(v_mul(g, sigmoid16(g)), u));
        }
}

/* Gradients of gate and up from dh (n, F) in float32; h again, for the down matrix's gradient. */
static void swiglu_backward(const cell *gu, const float *dh, long n, long F, cell *dgu, cell *h) {
    const vec one = v_all(1.f);
    for (long t = 0; t < n; t++)
        for (long f = 0; f < F; f += 16) {
            vec g = read_cells(gu + t * 2 * F + f), u = read_cells(gu + t * 2 * F + F + f), d = v_load(dh + t * F + f);
            vec sig = sigmoid16(g), silu = v_mul(g, sig);
            write_cells(h + t * F + f, v_mul(silu, u));
            write_cells(dgu + t * 2 * F + F + f, v_mul(d, silu));
            /* silu' = sig·(1 + g·(1 - sig)) */
            vec slope = v_mul(sig, v_fmadd(g, v_sub(one, sig), one));
            write_cells(dgu + t * 2 * F + f, v_mul(v_mul(d, u), slope));
        }
}

/* The second half of a block for n tokens: x (n, D) and attention output o (n, A) -> next x; keeps x1 and gate-up. */
static void feed_forward(const Model *m, const Layer *w, long n, const float *x, const cell *o, float *x1, cell *gu, float *next, Scratch *s) {
    long D = m->D, F = m->F;
    times_weight(n, o, width_out(m), w->out, D, s->narrow);
    add_bias(s->narrow, w->out_bias, n, D);
    add_rows(x, s->narrow, x1, n * D);
    for (long t = 0; t < n; t++) norm_row(x1 + t * D, w->norm2, D, m->plain_norm, m->eps, s->xn + t * D);
    float *wide = product_of(gu, s->wide);
    times_weight(n, s->xn, D, w->gate_up, 2 * F, wide);
    copy_to_cells(wide, gu, n * 2 * F);
    swiglu(gu, n, F, 0, F, s->h);
    times_weight(n, s->h, F, w->down, D, s->narrow);
    add_rows(x1, s->narrow, next, n * D);
}

static void forward_row(const Model *m, const Layout *at, long row, const Saved *keep, cell *hidden, Scratch *s) {
    long from = at->starts[row], T = at->lengths[row], D = m->D, W = width_qkv(m), A = width_out(m), N = at->num_tokens;
    for (long l = 0; l < m->L; l++) {
        const Layer *w = m->layers + l;
        long here = (keep->keep ? l * N : 0) + from, there = (keep->keep ? (l + 1) * N : 0) + from;
        const float *x = keep->x + here * D;
        cell *qkv = keep->qkv + here * W, *o = keep->o + here * A;
        for (long i = 0; i < T; i += BLOCK) {
            long n = T - i < BLOCK ? T - i : BLOCK;
            for (long t = 0; t < n; t++) norm_row(x + (i + t) * D, w->norm1, D, m->plain_norm, m->eps, s->xn + t * D);
            float *wide = product_of(qkv + i * W, s->wide);
            times_weight(n, s->xn, D, w->qkv, W, wide);
            finish_heads(m, w, wide, n, at->positions + from + i, qkv + i * W);
        }
        attend_row(m, T, qkv, o, keep->lse + here * m->H, at->shared_start + from, at->shared_end + from, at->own_start + from, &s->attention);
        for (long i = 0; i < T; i += BLOCK)
            feed_forward(m, w, T - i < BLOCK ? T - i : BLOCK, x + i * D, o + i * A, keep->x1 + (here + i) * D, keep->gu + (here + i) * 2 * m->F,
                         keep->x + (there + i) * D, s);
    }
    const float *last = keep->x + ((keep->keep ? m->L * N : 0) + from) * D;
    for (long t = 0; t < T; t++) norm_row(last + t * D, m->norm, D, m->plain_norm, m->eps, hidden + (from + t) * D);
}

/* dW (rows, columns) += leftᵀ·right over n ≤ BLOCK tokens, both row-major. */
static void weight_gradient(long n, const cell *left, long rows, const cell *right, long columns, float *dW, word *left_room, word *right_room) {
    long ld = b_ld(words(n), columns);
    words_of_rows(right, columns, n, columns, right_room, ld);
    gemm(rows, columns, words(n), words_to_transpose(left, n, rows, left_room), 1, rows, right_room, ld, dW, columns, 1);
}

/* Feed-forward and output projection of n tokens: dx (n, D) becomes the gradient at the block's input, but for
 * the attention branch, whose upstream gradient goes to dout (n, A). */
static void feed_forward_backward(const Model *m, const Layer *w, const LayerGrad *g, long n, const float *x1, const cell *gu, const cell *o,
                                  float *dx, cell *dout, Scratch *s) {
    long D = m->D, F = m->F, A = width_out(m);
    const cell *dy = cells_of(dx, s->dy, n * D);
    times_weight(n, dy, D, w->down_t, F, s->narrow);
    swiglu_backward(gu, s->narrow, n, F, s->dgu, s->h);
    weight_gradient(n, dy, D, s->h, F, g->down, s->left, s->right);
    times_weight(n, s->dgu, 2 * F, w->gate_up_t, D, s->narrow);
    for (long t = 0; t < n; t++) norm_row(x1 + t * D, w->norm2, D, m->plain_norm, m->eps, s->xn + t * D);
    weight_gradient(n, s->dgu, 2 * F, s->xn, D, g->gate_up, s->left, s->right);
    for (long t = 0; t < n; t++)
        norm_row_backward(x1 + t * D, w->norm2, s->narrow + t * D, D, m->plain_norm, m->eps, dx + t * D, g->norm2);
    dy = cells_of(dx, s->dy, n * D);
    add_up_rows(dx, n, D, g->out_bias);
    float *narrow = product_of(dout, s->narrow);
    times_weight(n, dy, D, w->out_t, A, narrow);
    copy_to_cells(narrow, dout, n * A);
    weight_gradient(n, dy, D, o, A, g->out, s->left, s->right);
}

/* Gradients at n tokens' projections from those after the norms of heads, in place; xn are the projections' inputs,
 * from which the projections are computed again. */
static void head_norms_backward(const Model *m, const Layer *w, const LayerGrad *g, long n, float *dqkv, Scratch *s) {
    long W = width_qkv(m), C = m->C;
    float *again = s->wide, *dhead = s->narrow;
    times_weight(n, s->xn, m->D, w->qkv, W, again);
    add_bias(again, w->qkv_bias, n, W);
    for (long t = 0; t < n; t++)
        for (long h = 0; h < m->H + m->K; h++) {
            memset(dhead, 0, C * 4);
            norm_row_backward(again + t * W + h * C, head_norm(m, w, h), dqkv + t * W + h * C, C, 0, m->eps, dhead, h < m->H ? g->q_norm : g->k_norm);
            memcpy(dqkv + t * W + h * C, dhead, C * 4);
        }
}

/* Norm and joint projection of n tokens: adds the attention branch's gradient to dx. dqkv is still rotated. */
static void projection_backward(const Model *m, const Layer *w, const LayerGrad *g, long n, const float *x, float *dqkv, const int32_t *positions,
                                float *dx, Scratch *s) {
    long D = m->D, W = width_qkv(m);
    for (long t = 0; t < n; t++) {
        rotate_heads(m, w, dqkv + t * W, positions[t], -1.f);
        norm_row(x + t * D, w->norm1, D, m->plain_norm, m->eps, s->xn + t * D);
    }
    if (w->q_norm) head_norms_backward(m, w, g, n, dqkv, s);
    add_up_rows(dqkv, n, W, g->qkv_bias);
    const cell *dy = cells_of(dqkv, s->dy, n * W);
    times_weight(n, dy, W, w->qkv_t, D, s->narrow);
    weight_gradient(n, dy, W, s->xn, D, g->qkv, s->left, s->right);
    for (long t = 0; t < n; t++)
        norm_row_backward(x + t * D, w->norm1, s->narrow + t * D, D, m->plain_norm, m->eps, dx + t * D, g->norm1);
}

static void backward_row(const Model *m, const Layout *at, long row, const Saved *keep, const float *dhidden, float *dx0, const LayerGrad *grads,
                         float *dnorm, Scratch *s) {
    long from = at->starts[row], T = at->lengths[row], D = m->D, W = width_qkv(m), A = width_out(m), N = at->num_tokens;
    float *dx = s->dx;
    memset(dx, 0, T * D * 4);
    const float *last = keep->x + (m->L * N + from) * D;
    for (long t = 0; t < T; t++)
        norm_row_backward(last + t * D, m->norm, dhidden + (from + t) * D, D, m->plain_norm, m->eps, dx + t * D, dnorm);
    for (long l = m->L - 1; l >= 0; l--) {
        const Layer *w = m->layers + l;
        long here = l * N + from;
        for (long i = 0; i < T; i += BLOCK)
            feed_forward_backward(m, w, grads + l, T - i < BLOCK ? T - i : BLOCK, keep->x1 + (here + i) * D, keep->gu + (here + i) * 2 * m->F,
                                  keep->o + (here + i) * A, dx + i * D, s->dout + i * A, s);
        attend_row_backward(m, T, keep->qkv + here * W, keep->o + here * A, keep->lse + here * m->H, s->dout, s->dqkv, at->shared_start + from,
                            at->shared_end + from, at->own_start + from, &s->attention);
        for (long i = 0; i < T; i += BLOCK)
            projection_backward(m, w, grads + l, T - i < BLOCK ? T - i : BLOCK, keep->x + (here + i) * D, s->dqkv + i * W, at->positions + from + i,
                                dx + i * D, s);
    }
    memcpy(dx0 + from * D, dx, T * D * 4);
}

static long longest_row(const Layout *at) {
    long length = 0;
    for (long r = 0; r < at->num_rows; r++) length = most(length, at->lengths[r]);
    return length;
}

/* hidden (N, D) in cell after the final norm; saved->x's first layer holds the embeddings. */
void echo_trunk_forward(const Model *m, const Layout *at, const Saved *saved, cell *hidden) {
    long length = longest_row(at);
#pragma omp parallel num_threads(at->threads)
    {
        Scratch s;
        trunk_scratch(&s, m, length, 0);
        for (long row = 0; row < at->num_rows; row++)
            if (at->thread[row] % omp_get_num_threads() == omp_get_thread_num()) forward_row(m, at, row, saved, hidden, &s);
        free_scratch(&s, 0);
    }
}

/* dx0 (N, D) and, per thread, the gradients of all weights: grads (threads, L), dnorm (threads, D), all zero before. */
void echo_trunk_backward(const Model *m, const Layout *at, const Saved *saved, const float *dhidden, float *dx0, const LayerGrad *grads, float *dnorm) {
    long length = longest_row(at);
#pragma omp parallel num_threads(at->threads)
    {
        int me = omp_get_thread_num();
        Scratch s;
        trunk_scratch(&s, m, length, 1);
        for (long row = 0; row < at->num_rows; row++)
            if (at->thread[row] % omp_get_num_threads() == me) backward_row(m, at, row, saved, dhidden, dx0, grads + me * m->L, dnorm + me * m->D, &s);
        free_scratch(&s, 1);
    }
}
#endif
