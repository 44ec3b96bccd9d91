/* Sixteen float32 numbers at a time, and the operands of matrix products, on every instruction set that the engine knows.
 *
 * A product's operands are stored as cells: bf16 (the upper half of a float32, rounded to nearest even), or
 * float32 with -DECHO_FLOAT32. PER cells that lie side by side along the contraction fill one 32-bit word.
 *
 * | instruction set | cells   | one product step                                    |
 * |-----------------|---------|-----------------------------------------------------|
 * | AVX-512-BF16    | bf16    | vdpbf16ps, two products per lane                    |
 * | AVX-512         | float32 | one fused multiply-add of 16 lanes                  |
 * | AVX2 + FMA      | float32 | two fused multiply-adds of 8 lanes                  |
 * | NEON            | float32 | four fused multiply-adds of 4 lanes                 |
 *
 * bf16 cells on AVX2 exist for tests: they compute what AVX-512-BF16 does, slowly. */
#ifndef ECHO_SIMD_H
#define ECHO_SIMD_H
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
typedef uint16_t mask16; /* bit j: lane j takes part */

#ifdef ECHO_FLOAT32
enum { PER = 1 };
typedef float cell;
typedef float word;
#else
enum { PER = 2 };
typedef uint16_t cell;
typedef uint32_t word;
#endif

enum { CELL = sizeof(cell) };

/* Words that n cells along the contraction fill. */
INLINE long words(long n) { return (n + PER - 1) / PER; }

INLINE cell round_cell(float v) {
#ifdef ECHO_FLOAT32
    return v;
#else
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return (cell)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
#endif
}

INLINE float cell_value(cell c) {
#ifdef ECHO_FLOAT32
    return c;
#else
    uint32_t bits = (uint32_t)c << 16;
    float v;
    memcpy(&v, &bits, 4);
    return v;
#endif
}

/* One word of PER cells; with float32 cells the second number has no place. */
INLINE word word_of(float first, float second) {
#ifdef ECHO_FLOAT32
    (void)second;
    return first;
#else
    return (word)round_cell(first) | ((word)round_cell(second) << 16);
#endif
}

#if defined(__AVX512F__) && (defined(ECHO_FLOAT32) || defined(__AVX512BF16__))
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#elif defined(__ARM_NEON) && defined(__aarch64__) && defined(ECHO_FLOAT32)
#include "simd_neon.h"
#else
#error "no instruction set of simd.h: AVX-512-BF16, AVX-512 or AVX2 with FMA, or AArch64 NEON"
#endif

#ifdef __AVX2__
/* Eight rows of eight words, `stride` apart, become the columns of `to`, whose rows are `ld` apart. */
enum { TRANSPOSED = 8 };
#define TRANSPOSED TRANSPOSED
INLINE void w_transpose(const word *from, long stride, word *to, long ld) {
    __m256 r[8], s[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(from + i * stride));
    for (int i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm256_shuffle_ps(s[i + j], s[i + j + 2], 0x44);
            r[i + 2 * j + 1] = _mm256_shuffle_ps(s[i + j], s[i + j + 2], 0xee);
        }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps((float *)(to + i * ld), _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps((float *)(to + (i + 4) * ld), _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}
#endif

/* exp(x): 2^n times a polynomial on [-ln2/2, ln2/2] (coefficients of Cephes' expf); relative error below 2e-7. */
INLINE vec exp16(vec x) {
    x = v_max(v_min(x, v_all(88.f)), v_all(-87.3f));
    vec n = v_round(v_mul(x, v_all(1.44269504f)));
    vec r = v_fnmadd(n, v_all(0.693359375f), x);
    r = v_fnmadd(n, v_all(-2.12194440e-4f), r);
    vec p = v_all(1.9875691500e-4f);
    p = v_fmadd(p, r, v_all(1.3981999507e-3f));
    p = v_fmadd(p, r, v_all(8.3334519073e-3f));
    p = v_fmadd(p, r, v_all(4.1665795894e-2f));
    p = v_fmadd(p, r, v_all(1.6666665459e-1f));
    p = v_fmadd(p, r, v_all(5.0000001201e-1f));
    p = v_fmadd(p, v_mul(r, r), v_add(r, v_all(1.f)));
    return v_scale(p, n);
}

/* 1 / (1 + exp(-x)). */
INLINE vec sigmoid16(vec x) { return v_reciprocal(v_add(v_all(1.f), exp16(v_sub(v_zero(), x)))); }
#endif
