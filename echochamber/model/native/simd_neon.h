/* simd.h on AArch64 NEON: sixteen lanes are four registers. */
#ifndef ECHO_SIMD_NEON_H
#define ECHO_SIMD_NEON_H
#include <arm_neon.h>

typedef struct { float32x4_t r[4]; } vec;
#define EACH(expression)                                      \
    vec out;                                                  \
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) out.r[i] = expression; \
    return out

INLINE vec v_all(float a) { EACH(vdupq_n_f32(a)); }
INLINE vec v_zero(void) { return v_all(0.f); }
INLINE vec v_load(const float *p) { EACH(vld1q_f32(p + 4 * i)); }
INLINE void v_store(float *p, vec x) { for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, x.r[i]); }
INLINE vec v_add(vec x, vec y) { EACH(vaddq_f32(x.r[i], y.r[i])); }
INLINE vec v_sub(vec x, vec y) { EACH(vsubq_f32(x.r[i], y.r[i])); }
INLINE vec v_mul(vec x, vec y) { EACH(vmulq_f32(x.r[i], y.r[i])); }
INLINE vec v_min(vec x, vec y) { EACH(vminq_f32(x.r[i], y.r[i])); }
INLINE vec v_max(vec x, vec y) { EACH(vmaxq_f32(x.r[i], y.r[i])); }
INLINE vec v_fmadd(vec x, vec y, vec z) { EACH(vfmaq_f32(z.r[i], x.r[i], y.r[i])); }             /* x·y + z */
INLINE vec v_fmsub(vec x, vec y, vec z) { EACH(vfmaq_f32(vnegq_f32(z.r[i]), x.r[i], y.r[i])); }  /* x·y - z */
INLINE vec v_fnmadd(vec x, vec y, vec z) { EACH(vfmsq_f32(z.r[i], x.r[i], y.r[i])); }            /* z - x·y */
INLINE vec v_round(vec x) { EACH(vrndnq_f32(x.r[i])); }
INLINE vec v_reciprocal(vec x) { EACH(vdivq_f32(vdupq_n_f32(1.f), x.r[i])); }

/* a·2^n for n in [-126, 127], so that the power is a normal number. */
INLINE vec v_scale(vec x, vec n) {
    EACH(vmulq_f32(x.r[i], vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.r[i]), vdupq_n_s32(127)), 23))));
}
INLINE float v_sum(vec x) { return vaddvq_f32(vaddq_f32(vaddq_f32(x.r[0], x.r[1]), vaddq_f32(x.r[2], x.r[3]))); }
INLINE float v_highest(vec x) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.r[0], x.r[1]), vmaxq_f32(x.r[2], x.r[3]))); }

/* Four lanes' bits of the mask as all ones or all zeros. */
INLINE uint32x4_t lanes(mask16 m, int i) {
    const uint32x4_t bits = {1, 2, 4, 8};
    return vceqq_u32(vandq_u32(vdupq_n_u32((uint32_t)m >> (4 * i)), bits), bits);
}
INLINE vec v_keep(mask16 m, vec x) { EACH(vreinterpretq_f32_u32(vandq_u32(lanes(m, i), vreinterpretq_u32_f32(x.r[i])))); }
INLINE vec v_keep_mul(mask16 m, vec x, vec y) { return v_keep(m, v_mul(x, y)); }
INLINE vec v_max_where(mask16 m, vec x, vec y) { EACH(vbslq_f32(lanes(m, i), vmaxq_f32(x.r[i], y.r[i]), x.r[i])); }
INLINE vec v_fmadd_where(mask16 m, vec x, vec y, vec z) { EACH(vbslq_f32(lanes(m, i), vfmaq_f32(z.r[i], x.r[i], y.r[i]), z.r[i])); }

typedef vec wordvec; /* float32 cells only */
INLINE vec read_cells(const cell *p) { return v_load(p); }
INLINE void write_cells(cell *p, vec x) { v_store(p, x); }
INLINE wordvec w_load(const word *p) { return v_load(p); }
INLINE wordvec w_all(word a) { return v_all(a); }
INLINE vec w_multiply_add(vec acc, wordvec x, wordvec y) { return v_fmadd(x, y, acc); }
INLINE void join_cells(word *to, const cell *a, const cell *b) { (void)b; v_store(to, v_load(a)); }
INLINE void join_rounded(word *to, vec a, vec b) { (void)b; v_store(to, a); }

#define WIDE_PANELS 0 /* 32 registers of 4 lanes: one column of vectors at a time */
#endif
