/* simd.h on AVX-512: sixteen lanes are one register. */
#ifndef ECHO_SIMD_AVX512_H
#define ECHO_SIMD_AVX512_H
#include <immintrin.h>

typedef __m512 vec;

INLINE vec v_zero(void) { return _mm512_setzero_ps(); }
INLINE vec v_all(float a) { return _mm512_set1_ps(a); }
INLINE vec v_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, vec a) { _mm512_storeu_ps(p, a); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_fmadd(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }   /* a·b + c */
INLINE vec v_fmsub(vec a, vec b, vec c) { return _mm512_fmsub_ps(a, b, c); }   /* a·b - c */
INLINE vec v_fnmadd(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a·b */
INLINE vec v_round(vec a) { return _mm512_roundscale_ps(a, 0); }
INLINE vec v_scale(vec a, vec n) { return _mm512_scalef_ps(a, n); } /* a·2^n */
INLINE float v_sum(vec a) { return _mm512_reduce_add_ps(a); }
INLINE float v_highest(vec a) { return _mm512_reduce_max_ps(a); }
INLINE vec v_keep(mask16 m, vec a) { return _mm512_maskz_mov_ps(m, a); } /* 0 in the other lanes */
INLINE vec v_keep_mul(mask16 m, vec a, vec b) { return _mm512_maskz_mul_ps(m, a, b); }
INLINE vec v_max_where(mask16 m, vec a, vec b) { return _mm512_mask_max_ps(a, m, a, b); }                    /* a elsewhere */
INLINE vec v_fmadd_where(mask16 m, vec a, vec b, vec c) { return _mm512_mask3_fmadd_ps(a, b, c, m); } /* c elsewhere */

/* 1 / a to 28 bits: one Newton step. */
INLINE vec v_reciprocal(vec a) {
    vec r = _mm512_rcp14_ps(a);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(2.f)));
}

#ifdef ECHO_FLOAT32
typedef __m512 wordvec;
INLINE vec read_cells(const cell *p) { return _mm512_loadu_ps(p); }
INLINE void write_cells(cell *p, vec a) { _mm512_storeu_ps(p, a); }
INLINE wordvec w_load(const word *p) { return _mm512_loadu_ps(p); }
INLINE wordvec w_all(word a) { return _mm512_set1_ps(a); }
INLINE vec w_multiply_add(vec acc, wordvec a, wordvec b) { return _mm512_fmadd_ps(a, b, acc); }
INLINE void join_cells(word *to, const cell *a, const cell *b) { (void)b; _mm512_storeu_ps(to, _mm512_loadu_ps(a)); }
INLINE void join_rounded(word *to, vec a, vec b) { (void)b; _mm512_storeu_ps(to, a); }
#else
typedef __m512i wordvec;
INLINE vec read_cells(const cell *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
INLINE void write_cells(cell *p, vec a) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(a)); }
INLINE wordvec w_load(const word *p) { return _mm512_loadu_si512(p); }
INLINE wordvec w_all(word a) { return _mm512_set1_epi32((int)a); }
INLINE vec w_multiply_add(vec acc, wordvec a, wordvec b) { return _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b); }
/* Sixteen words: cells of a below, cells of b (NULL: zeros) above. */
INLINE void join_cells(word *to, const cell *a, const cell *b) {
    __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)a)), high = _mm512_setzero_si512();
    if (b) high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)b)), 16);
    _mm512_storeu_si512(to, _mm512_or_si512(low, high));
}
/* The same of numbers that are not rounded yet. */
INLINE void join_rounded(word *to, vec a, vec b) {
    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
    _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
#endif

#define WIDE_PANELS 1 /* 32 registers of 16 lanes: up to four columns of vectors at once */
#endif
