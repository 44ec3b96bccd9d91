/* Rows of floats, sixteen at a time: masks of columns, the two norms, rotary embedding. */
#ifndef ECHO_VECTOR_H
#define ECHO_VECTOR_H
#include "simd.h"

INLINE long up16(long n) { return (n + 15) & ~15L; }

/* Bits j of a 16-mask for columns j0..j0+15 that lie in [start, end). */
INLINE mask16 columns_in(long j0, long start, long end) {
    long low = start - j0, high = end - j0;
    if (low < 0) low = 0;
    if (high > 16) high = 16;
    return high <= low ? 0 : (mask16)(((1u << high) - 1) & ~((1u << low) - 1));
}

/* xn = norm(x) in cells; returns nothing else, the backward pass computes the statistics again. n is a multiple of 16. */
static void norm_row(const float *x, const float *weight, long n, int plain, float eps, cell *out) {
    vec s = v_zero(), q = s;
    for (long i = 0; i < n; i += 16) {
        vec v = v_load(x + i);
        s = v_add(s, v);
        q = v_fmadd(v, v, q);
    }
    float mean = plain ? v_sum(s) / n : 0.f;
    float rstd;
    if (plain) {
        vec m = v_all(mean), c = v_zero();
        for (long i = 0; i < n; i += 16) {
            vec v = v_sub(v_load(x + i), m);
            c = v_fmadd(v, v, c);
        }
        rstd = 1.f / sqrtf(v_sum(c) / n + eps);
    } else {
        rstd = 1.f / sqrtf(v_sum(q) / n + eps);
    }
    vec m = v_all(mean), r = v_all(rstd);
    for (long i = 0; i < n; i += 16) {
        vec v = v_mul(v_sub(v_load(x + i), m), r);
        if (weight) v = v_mul(v, v_load(weight + i));
        write_cells(out + i, v);
    }
}

/* dx += the gradient of norm at x for upstream dy; dweight += where there are weights.
 * RMSNorm: r·(w·dy - x·r²·mean(w·dy·x)). LayerNorm: r·(dy - mean(dy) - x̂·mean(dy·x̂)). */
static void norm_row_backward(const float *x, const float *weight, const float *dy, long n, int plain, float eps, float *dx, float *dweight) {
    vec s = v_zero(), q = s, g = s, gx = s;
    for (long i = 0; i < n; i += 16) {
        vec v = v_load(x + i), d = v_load(dy + i);
        if (weight) d = v_mul(d, v_load(weight + i));
        s = v_add(s, v);
        q = v_fmadd(v, v, q);
        g = v_add(g, d);
        gx = v_fmadd(d, v, gx);
    }
    float mean = plain ? v_sum(s) / n : 0.f, mean_g = plain ? v_sum(g) / n : 0.f;
    float var = v_sum(q) / n - mean * mean;
    float rstd = 1.f / sqrtf((var > 0 ? var : 0) + eps);
    float project = (v_sum(gx) / n - mean * mean_g) * rstd; /* mean(dy·x̂) */
    vec m = v_all(mean), r = v_all(rstd), p = v_all(project), mg = v_all(mean_g);
    for (long i = 0; i < n; i += 16) {
        vec hat = v_mul(v_sub(v_load(x + i), m), r), d = v_load(dy + i);
        if (weight) {
            v_store(dweight + i, v_fmadd(d, hat, v_load(dweight + i)));
            d = v_mul(d, v_load(weight + i));
        }
        d = v_mul(r, v_sub(v_sub(d, mg), v_mul(hat, p)));
        v_store(dx + i, v_add(v_load(dx + i), d));
    }
}

/* RMSNorm of n floats in place; n is a multiple of 16. */
INLINE void norm_floats(float *h, const float *weight, long n, float eps) {
    vec q = v_zero();
    for (long i = 0; i < n; i += 16) {
        vec v = v_load(h + i);
        q = v_fmadd(v, v, q);
    }
    vec r = v_all(1.f / sqrtf(v_sum(q) / n + eps));
    for (long i = 0; i < n; i += 16) v_store(h + i, v_mul(v_mul(v_load(h + i), r), v_load(weight + i)));
}

/* Rotary embedding of one head in place, halves paired (i, i + C/2); direction -1 undoes it (the backward pass). */
INLINE void rotate_head(float *h, const float *cosine, const float *sine, long half, float direction) {
    for (long i = 0; i < half; i++) {
        float a = h[i], b = h[i + half], c = cosine[i], s = direction * sine[i];
        h[i] = a * c - b * s;
        h[i + half] = b * c + a * s;
    }
}

/* Nothing happens where the numbers are these cells already (product_of). */
INLINE void copy_to_cells(const float *from, cell *to, long n) {
    if ((const void *)from == (const void *)to) return;
    for (long i = 0; i < n; i += 16) write_cells(to + i, v_load(from + i));
}
#endif
