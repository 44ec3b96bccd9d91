/* simd.h on AVX2 with FMA: sixteen lanes are two registers. */
#ifndef ECHO_SIMD_AVX2_H
#define ECHO_SIMD_AVX2_H
#include <immintrin.h>

typedef struct { __m256 a, b; } vec;
#define BOTH(operation) ((vec){operation(x.a, y.a), operation(x.b, y.b)})
#define ALL3(operation) ((vec){operation(x.a, y.a, z.a), operation(x.b, y.b, z.b)})

INLINE vec v_zero(void) { return (vec){_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLINE vec v_all(float a) { return (vec){_mm256_set1_ps(a), _mm256_set1_ps(a)}; }
INLINE vec v_load(const float *p) { return (vec){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void v_store(float *p, vec x) { _mm256_storeu_ps(p, x.a); _mm256_storeu_ps(p + 8, x.b); }
INLINE vec v_add(vec x, vec y) { return BOTH(_mm256_add_ps); }
INLINE vec v_sub(vec x, vec y) { return BOTH(_mm256_sub_ps); }
INLINE vec v_mul(vec x, vec y) { return BOTH(_mm256_mul_ps); }
INLINE vec v_min(vec x, vec y) { return BOTH(_mm256_min_ps); }
INLINE vec v_max(vec x, vec y) { return BOTH(_mm256_max_ps); }
INLINE vec v_fmadd(vec x, vec y, vec z) { return ALL3(_mm256_fmadd_ps); }   /* x·y + z */
INLINE vec v_fmsub(vec x, vec y, vec z) { return ALL3(_mm256_fmsub_ps); }   /* x·y - z */
INLINE vec v_fnmadd(vec x, vec y, vec z) { return ALL3(_mm256_fnmadd_ps); } /* z - x·y */
INLINE vec v_round(vec x) { return (vec){_mm256_round_ps(x.a, 8), _mm256_round_ps(x.b, 8)}; } /* nearest even, no exception */
INLINE vec v_reciprocal(vec x) { vec y = x; x = v_all(1.f); return BOTH(_mm256_div_ps); }

/* a·2^n for n in [-126, 127], so that the power is a normal number. */
INLINE __m256 scale8(__m256 a, __m256 n) {
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(power));
}
INLINE vec v_scale(vec x, vec y) { return BOTH(scale8); }

INLINE float v_sum(vec x) {
    __m256 s = _mm256_add_ps(x.a, x.b);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
INLINE float v_highest(vec x) {
    __m256 s = _mm256_max_ps(x.a, x.b);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

/* A lane's bit of the mask as all ones or all zeros. */
INLINE vec lanes(mask16 m) {
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i low = _mm256_and_si256(_mm256_set1_epi32(m & 255), bits), high = _mm256_and_si256(_mm256_set1_epi32(m >> 8), bits);
    return (vec){_mm256_castsi256_ps(_mm256_cmpeq_epi32(low, bits)), _mm256_castsi256_ps(_mm256_cmpeq_epi32(high, bits))};
}
INLINE vec choose16(mask16 m, vec x, vec y) { /* x where the bit is set, y elsewhere */
    if (m == 0xffff) return x;
    vec k = lanes(m);
    return (vec){_mm256_blendv_ps(y.a, x.a, k.a), _mm256_blendv_ps(y.b, x.b, k.b)};
}
INLINE vec v_keep(mask16 m, vec x) {
    if (m == 0xffff) return x; /* nearly always */
    vec y = lanes(m);
    return BOTH(_mm256_and_ps);
}
INLINE vec v_keep_mul(mask16 m, vec x, vec y) { return v_keep(m, v_mul(x, y)); }
INLINE vec v_max_where(mask16 m, vec x, vec y) { return choose16(m, v_max(x, y), x); }
INLINE vec v_fmadd_where(mask16 m, vec x, vec y, vec z) { return choose16(m, v_fmadd(x, y, z), z); }

#ifdef ECHO_FLOAT32
typedef vec wordvec;
INLINE vec read_cells(const cell *p) { return v_load(p); }
INLINE void write_cells(cell *p, vec x) { v_store(p, x); }
/* Kept in registers: gcc would read it from memory again for every row, and loads would bind. */
INLINE wordvec w_load(const word *p) {
    vec x = v_load(p);
    __asm__("" : "+x"(x.a), "+x"(x.b));
    return x;
}
INLINE wordvec w_all(word a) { return v_all(a); }
INLINE vec w_multiply_add(vec z, wordvec x, wordvec y) { return ALL3(_mm256_fmadd_ps); }
INLINE void join_cells(word *to, const cell *a, const cell *b) { (void)b; v_store(to, v_load(a)); }
INLINE void join_rounded(word *to, vec a, vec b) { (void)b; v_store(to, a); }
#else
typedef struct { __m256i a, b; } wordvec;
INLINE vec read_cells(const cell *p) {
    __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 8)));
    return (vec){_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}
INLINE void write_cells(cell *p, vec x) {
    float numbers[16];
    v_store(numbers, x);
    for (int i = 0; i < 16; i++) p[i] = round_cell(numbers[i]);
}
INLINE wordvec w_load(const word *p) { return (wordvec){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 8))}; }
INLINE wordvec w_all(word a) { return (wordvec){_mm256_set1_epi32((int)a), _mm256_set1_epi32((int)a)}; }
INLINE __m256 first8(__m256i w) { return _mm256_castsi256_ps(_mm256_slli_epi32(w, 16)); }
INLINE __m256 second8(__m256i w) { return _mm256_castsi256_ps(_mm256_and_si256(w, _mm256_set1_epi32((int)0xffff0000u))); }
INLINE vec w_multiply_add(vec acc, wordvec x, wordvec y) {
    acc = (vec){_mm256_fmadd_ps(second8(x.a), second8(y.a), acc.a), _mm256_fmadd_ps(second8(x.b), second8(y.b), acc.b)};
    return (vec){_mm256_fmadd_ps(first8(x.a), first8(y.a), acc.a), _mm256_fmadd_ps(first8(x.b), first8(y.b), acc.b)};
}
INLINE void join_cells(word *to, const cell *a, const cell *b) {
    for (int i = 0; i < 16; i++) to[i] = (word)a[i] | (b ? (word)b[i] << 16 : 0);
}
INLINE void join_rounded(word *to, vec a, vec b) {
    float low[16], high[16];
    v_store(low, a);
    v_store(high, b);
    for (int i = 0; i < 16; i++) to[i] = word_of(low[i], high[i]);
}
#endif

#define WIDE_PANELS 0 /* 16 registers of 8 lanes: one column of vectors at a time */
#endif
