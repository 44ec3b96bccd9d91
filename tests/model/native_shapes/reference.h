/* The decoder once more, in double precision and with plain loops: what the engine in C is compared with. */
#ifndef REFERENCE_H
#define REFERENCE_H
#include "kernels.c"
#include <stdio.h>

typedef struct {
    long D, F, H, K, C, L, V, threads;
} Shape;

/* Weights as rows (n_out, n_in), one block of numbers per layer; biases, norms of heads and the final norm included. */
typedef struct {
    double *qkv, *out, *gate_up, *down, *norm1, *norm2, *qkv_bias, *out_bias, *q_norm, *k_norm;
} LayerNumbers;

typedef struct {
    Shape s;
    long size;
    double *all; /* every weight, in one array, so that all can be moved along one direction */
    LayerNumbers *layers;
    double *norm, *head, *embed;
} Numbers;

static uint64_t noise_state = 1;
static double noise(void) { /* in [-1, 1), a multiple of 1/64 so that bf16 holds it */
    noise_state = noise_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)((long)(noise_state >> 57) - 64) / 64;
}

static double *take(double **at, long count) {
    *at += count;
    return *at - count;
}

static void lay_out(Numbers *n) {
    Shape s = n->s;
    long W = (s.H + 2 * s.K) * s.C, A = s.H * s.C;
    double *at = n->all;
    for (long l = 0; l < s.L; l++)
        n->layers[l] = (LayerNumbers){take(&at, W * s.D), take(&at, s.D * A), take(&at, 2 * s.F * s.D), take(&at, s.D * s.F), take(&at, s.D), take(&at, s.D), take(&at, W), take(&at, s.D), take(&at, s.C), take(&at, s.C)};
    n->norm = take(&at, s.D);
    n->head = take(&at, s.V * s.D);
    n->embed = take(&at, s.V * s.D);
    n->size = at - n->all;
}

static Numbers numbers(Shape s) {
    long W = (s.H + 2 * s.K) * s.C, A = s.H * s.C;
    long size = s.L * (W * s.D + s.D * A + 3 * s.F * s.D + 3 * s.D + W + 2 * s.C) + s.D + 2 * s.V * s.D;
    Numbers n = {s, size, calloc(size, 8), calloc(s.L, sizeof(LayerNumbers)), NULL, NULL, NULL};
    lay_out(&n);
    for (long i = 0; i < size; i++) n.all[i] = noise() / 4;
    for (long l = 0; l < s.L; l++) {
        for (long i = 0; i < s.D; i++) n.layers[l].norm1[i] += 1, n.layers[l].norm2[i] += 1;
        for (long i = 0; i < s.C; i++) n.layers[l].q_norm[i] += 1, n.layers[l].k_norm[i] += 1;
    }
    for (long i = 0; i < s.D; i++) n.norm[i] += 1;
    return n;
}

static void rms(const double *x, const double *weight, long n, double *out) {
    double sum = 0;
    for (long i = 0; i < n; i++) sum += x[i] * x[i];
    double r = 1 / sqrt(sum / n + 1e-5);
    for (long i = 0; i < n; i++) out[i] = x[i] * r * weight[i];
}

static void apply(const double *weight, const double *x, long outputs, long inputs, double *out) {
    for (long o = 0; o < outputs; o++) {
        double sum = 0;
        for (long i = 0; i < inputs; i++) sum += weight[o * inputs + i] * x[i];
        out[o] = sum;
    }
}

/* Which tokens a token sees, as in `Layout`. */
typedef struct {
    long T;
    int32_t *positions, *shared_start, *shared_end, *own_start;
} See;

static double angle(long position, long i, long C) { return position * pow(100., -2. * i / C); }

/* Columns of a head's query or key: norm, then rotation. */
static void finish(double *head, const double *weight, long position, long C) {
    double h[512];
    rms(head, weight, C, h);
    for (long i = 0; i < C / 2; i++) {
        double c = cos(angle(position, i, C)), s = sin(angle(position, i, C));
        head[i] = h[i] * c - h[i + C / 2] * s;
        head[i + C / 2] = h[i + C / 2] * c + h[i] * s;
    }
}

static void attend_token(const Shape *s, const See *see, const double *qkv, long t, double *o) {
    long W = (s->H + 2 * s->K) * s->C, C = s->C;
    double *share = calloc(see->T, 8);
    for (long h = 0; h < s->H; h++) {
        long kv = h / (s->H / s->K);
        double total = 0;
        for (long u = 0; u <= t; u++) {
            int visible = (u >= see->shared_start[t] && u < see->shared_end[t]) || u >= see->own_start[t];
            double score = 0;
            for (long c = 0; c < C; c++) score += qkv[t * W + h * C + c] * qkv[u * W + (s->H + kv) * C + c];
            total += share[u] = visible ? exp(score / sqrt((double)C)) : 0;
        }
        for (long c = 0; c < C; c++) {
            double sum = 0;
            for (long u = 0; u <= t; u++) sum += share[u] * qkv[u * W + (s->H + s->K + kv) * C + c];
            o[h * C + c] = sum / total;
        }
    }
    free(share);
}

/* hidden (T, D) after the final norm of states x (T, D). */
static void reference(const Numbers *n, const See *see, const double *x0, double *hidden) {
    Shape s = n->s;
    long W = (s.H + 2 * s.K) * s.C, A = s.H * s.C, T = see->T;
    double *x = calloc(T * s.D, 8), *qkv = calloc(T * W, 8), *o = calloc(A, 8), *xn = calloc(s.D, 8), *gu = calloc(2 * s.F, 8), *y = calloc(s.D, 8);
    memcpy(x, x0, T * s.D * 8);
    for (long l = 0; l < s.L; l++) {
        LayerNumbers w = n->layers[l];
        for (long t = 0; t < T; t++) {
            rms(x + t * s.D, w.norm1, s.D, xn);
            apply(w.qkv, xn, W, s.D, qkv + t * W);
            for (long i = 0; i < W; i++) qkv[t * W + i] += w.qkv_bias[i];
            for (long h = 0; h < s.H + s.K; h++) finish(qkv + t * W + h * s.C, h < s.H ? w.q_norm : w.k_norm, see->positions[t], s.C);
        }
        for (long t = 0; t < T; t++) {
            attend_token(&s, see, qkv, t, o);
            apply(w.out, o, s.D, A, y);
            for (long i = 0; i < s.D; i++) x[t * s.D + i] += y[i] + w.out_bias[i];
            rms(x + t * s.D, w.norm2, s.D, xn);
            apply(w.gate_up, xn, 2 * s.F, s.D, gu);
            for (long f = 0; f < s.F; f++) gu[f] = gu[f] / (1 + exp(-gu[f])) * gu[s.F + f];
            apply(w.down, gu, s.D, s.F, y);
            for (long i = 0; i < s.D; i++) x[t * s.D + i] += y[i];
        }
    }
    for (long t = 0; t < T; t++) rms(x + t * s.D, n->norm, s.D, hidden + t * s.D);
    free(x); free(qkv); free(o); free(xn); free(gu); free(y);
}

/* Log-probability of a token, and of a hidden state's logits the log of the sum, at a temperature. */
static double reference_logprob(const Numbers *n, const double *hidden, long token, double temperature) {
    double *logits = calloc(n->s.V, 8), total = 0;
    apply(n->head, hidden, n->s.V, n->s.D, logits);
    for (long v = 0; v < n->s.V; v++) total += exp(logits[v] / temperature);
    double found = logits[token] / temperature - log(total);
    free(logits);
    return found;
}
#endif
