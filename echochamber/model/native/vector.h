/* Sixteen floats at a time: bf16 conversion, exp, sums, the two norms.
 *
 * bf16 is the upper half of a float32; conversions round to nearest even. */
#ifndef ECHO_VECTOR_H
#define ECHO_VECTOR_H
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
typedef uint16_t bf16;

INLINE long up16(long n) { return (n + 15) & ~15L; }

INLINE __m512 from_bf16(const bf16 *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}

INLINE void to_bf16(bf16 *p, __m512 v) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(v)); }

/* exp(x): 2^n times a polynomial on [-ln2/2, ln2/2] (coefficients of Cephes' expf); relative error below 2e-7. */
INLINE __m512 exp16(__m512 x) {
    x = _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(88.f)), _mm512_set1_ps(-87.3f));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.f)));
    return _mm512_scalef_ps(p, n);
}

/* 1 / (1 + exp(-x)). */
INLINE __m512 sigmoid16(__m512 x) {
    __m512 d = _mm512_add_ps(_mm512_set1_ps(1.f), exp16(_mm512_sub_ps(_mm512_setzero_ps(), x)));
    __m512 r = _mm512_rcp14_ps(d);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(d, r, _mm512_set1_ps(2.f))); /* one Newton step: 28 bits */
}

/* Bits j of a 16-mask for columns j0..j0+15 that lie in [start, end). */
INLINE __mmask16 columns_in(long j0, long start, long end) {
    long low = start - j0, high = end - j0;
    if (low < 0) low = 0;
    if (high > 16) high = 16;
    return high <= low ? 0 : (__mmask16)(((1u << high) - 1) & ~((1u << low) - 1));
}

/* xn = norm(x) in bf16; returns nothing else, the backward pass computes the statistics again. n is a multiple of 16. */
static void norm_row(const float *x, const float *weight, long n, int plain, float eps, bf16 *out) {
    __m512 s = _mm512_setzero_ps(), q = s;
    for (long i = 0; i < n; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        s = _mm512_add_ps(s, v);
        q = _mm512_fmadd_ps(v, v, q);
    }
    float mean = plain ? _mm512_reduce_add_ps(s) / n : 0.f;
    float rstd;
    if (plain) {
        __m512 m = _mm512_set1_ps(mean), c = _mm512_setzero_ps();
        for (long i = 0; i < n; i += 16) {
            __m512 v = _mm512_sub_ps(_mm512_loadu_ps(x + i), m);
            c = _mm512_fmadd_ps(v, v, c);
        }
        rstd = 1.f / sqrtf(_mm512_reduce_add_ps(c) / n + eps);
    } else {
        rstd = 1.f / sqrtf(_mm512_reduce_add_ps(q) / n + eps);
    }
    __m512 m = _mm512_set1_ps(mean), r = _mm512_set1_ps(rstd);
    for (long i = 0; i < n; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), m), r);
        if (weight) v = _mm512_mul_ps(v, _mm512_loadu_ps(weight + i));
        to_bf16(out + i, v);
    }
}

/* dx += the gradient of norm at x for upstream dy; dweight += where there are weights.
 * RMSNorm: r·(w·dy - x·r²·mean(w·dy·x)). LayerNorm: r·(dy - mean(dy) - x̂·mean(dy·x̂)). */
static void norm_row_backward(const float *x, const float *weight, const float *dy, long n, int plain, float eps, float *dx, float *dweight) {
    __m512 s = _mm512_setzero_ps(), q = s, g = s, gx = s;
    for (long i = 0; i < n; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i), d = _mm512_loadu_ps(dy + i);
        if (weight) d = _mm512_mul_ps(d, _mm512_loadu_ps(weight + i));
        s = _mm512_add_ps(s, v);
        q = _mm512_fmadd_ps(v, v, q);
        g = _mm512_add_ps(g, d);
        gx = _mm512_fmadd_ps(d, v, gx);
    }
    float mean = plain ? _mm512_reduce_add_ps(s) / n : 0.f, mean_g = plain ? _mm512_reduce_add_ps(g) / n : 0.f;
    float var = _mm512_reduce_add_ps(q) / n - mean * mean;
    float rstd = 1.f / sqrtf((var > 0 ? var : 0) + eps);
    float project = (_mm512_reduce_add_ps(gx) / n - mean * mean_g) * rstd; /* mean(dy·x̂) */
    __m512 m = _mm512_set1_ps(mean), r = _mm512_set1_ps(rstd), p = _mm512_set1_ps(project), mg = _mm512_set1_ps(mean_g);
    for (long i = 0; i < n; i += 16) {
        __m512 hat = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), m), r), d = _mm512_loadu_ps(dy + i);
        if (weight) {
            _mm512_storeu_ps(dweight + i, _mm512_fmadd_ps(d, hat, _mm512_loadu_ps(dweight + i)));
            d = _mm512_mul_ps(d, _mm512_loadu_ps(weight + i));
        }
        d = _mm512_mul_ps(r, _mm512_sub_ps(_mm512_sub_ps(d, mg), _mm512_mul_ps(hat, p)));
        _mm512_storeu_ps(dx + i, _mm512_add_ps(_mm512_loadu_ps(dx + i), d));
    }
}

/* Rotary embedding of one head in place, halves paired (i, i + C/2); direction -1 undoes it (the backward pass). */
INLINE void rotate_head(float *h, const float *cosine, const float *sine, long half, float direction) {
    for (long i = 0; i < half; i++) {
        float a = h[i], b = h[i + half], c = cosine[i], s = direction * sine[i];
        h[i] = a * c - b * s;
        h[i + half] = b * c + a * s;
    }
}

INLINE void copy_to_bf16(const float *from, bf16 *to, long n) {
    for (long i = 0; i < n; i += 16) to_bf16(to + i, _mm512_loadu_ps(from + i));
}
#endif
