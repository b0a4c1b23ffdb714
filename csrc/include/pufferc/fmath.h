// fmath.h - elementary functions that give the same bits on every platform.
//
// libm's sinf, expf, ... differ in the last bit between systems, which would change the trajectory of
// a game. These functions use only IEEE +, -, *, / and integer operations, so with -ffp-contract=off
// they return the same bits everywhere. They have no branches, so loops over them vectorise.
//
// Method: argument reduction and polynomials from S. Moshier's Cephes library, single precision.
// Each comment states the range and the largest error in it, as measured by tests/c/test_fmath.c.
#ifndef PUFFERC_FMATH_H
#define PUFFERC_FMATH_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "pufferc/rng.h"  // PFC_FN

// FLT_EVAL_METHOD 16 means the same as 0 for float. 32-bit x86 without SSE2 keeps floats in wider registers, and
// -ffast-math makes the method indeterminable (-1).
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "pufferc needs IEEE float arithmetic: -msse2 -mfpmath=sse on 32-bit x86, and no -ffast-math"
#endif

#define PFC_PI 3.14159265358979323846f

PFC_FN uint32_t pfc_float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

PFC_FN float pfc_bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

PFC_FN float pfc_minf(float a, float b) { return a < b ? a : b; }
PFC_FN float pfc_maxf(float a, float b) { return a > b ? a : b; }
PFC_FN float pfc_clampf(float x, float low, float high) { return pfc_minf(pfc_maxf(x, low), high); }
PFC_FN float pfc_absf(float x) { return pfc_bits_float(pfc_float_bits(x) & 0x7fffffffu); }
PFC_FN int32_t pfc_mini(int32_t a, int32_t b) { return a < b ? a : b; }
PFC_FN int32_t pfc_maxi(int32_t a, int32_t b) { return a > b ? a : b; }
PFC_FN int32_t pfc_clampi(int32_t x, int32_t low, int32_t high) { return pfc_mini(pfc_maxi(x, low), high); }

// The square root is exact in IEEE arithmetic, so the compiler's own is already portable.
PFC_FN float pfc_sqrtf(float x) { return __builtin_sqrtf(x); }

// Nearest integer, ties to even, as a float; |x| < 2^22. Adding 1.5 * 2^23 leaves no fraction bits.
PFC_FN float pfc_roundf(float x) {
  const float magic = 12582912.0f;
  return (x + magic) - magic;
}

// sin and cos of x together. |x| <= 8192: absolute error below 2e-7.
PFC_FN void pfc_sincosf(float x, float* sine, float* cosine) {
  float turns = pfc_roundf(x * 0.63661977236f);  // quarter turns
  uint32_t quadrant = (uint32_t)(int32_t)turns;
  float r = x - turns * 1.5703125f;  // pi/2 in three parts, exact products for small turns
  r = r - turns * 4.837512969970703125e-4f;
  r = r - turns * 7.549789948768648e-8f;
  float z = r * r;
  float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
  float c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z -
            0.5f * z + 1.0f;
  float swap_s = (quadrant & 1u) ? c : s;
  float swap_c = (quadrant & 1u) ? s : c;
  *sine = pfc_bits_float(pfc_float_bits(swap_s) ^ ((quadrant & 2u) << 30));
  *cosine = pfc_bits_float(pfc_float_bits(swap_c) ^ (((quadrant + 1u) & 2u) << 30));
}

PFC_FN float pfc_sinf(float x) {
  float s, c;
  pfc_sincosf(x, &s, &c);
  return s;
}

PFC_FN float pfc_cosf(float x) {
  float s, c;
  pfc_sincosf(x, &s, &c);
  return c;
}

// e^x. Clamped to x in [-87, 88]; relative error below 2e-7.
PFC_FN float pfc_expf(float x) {
  x = pfc_clampf(x, -87.0f, 88.0f);
  float n = pfc_roundf(x * 1.44269504088896341f);
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  float y = p * r * r + r + 1.0f;
  return y * pfc_bits_float((uint32_t)((int32_t)n + 127) << 23);
}

// Natural logarithm for normal x > 0 (smaller x count as the smallest normal); relative error below
// 2e-7 away from 1, absolute error below 1e-7 near it.
PFC_FN float pfc_logf(float x) {
  x = pfc_maxf(x, 1.17549435e-38f);
  uint32_t bits = pfc_float_bits(x);
  float exponent = (float)((int32_t)(bits >> 23) - 126);
  float m = pfc_bits_float((bits & 0x007fffffu) | 0x3f000000u);  // [0.5, 1)
  int low = m < 0.707106781186547524f;
  exponent = low ? exponent - 1.0f : exponent;
  m = low ? m + m - 1.0f : m - 1.0f;
  float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = m * z * p;
  y = y - 2.12194440e-4f * exponent;
  y = y - 0.5f * z;
  return m + y + 0.693359375f * exponent;
}

// Logistic function 1 / (1 + e^-x), every x; absolute error below 2e-7.
PFC_FN float pfc_sigmoidf(float x) { return 1.0f / (1.0f + pfc_expf(-x)); }

// Hyperbolic tangent, every x; relative error below 3e-7.
PFC_FN float pfc_tanhf(float x) {
  float a = pfc_absf(x);
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float big = 1.0f - 2.0f / (pfc_expf(2.0f * pfc_minf(a, 20.0f)) + 1.0f);
  big = pfc_bits_float(pfc_float_bits(big) | (pfc_float_bits(x) & 0x80000000u));
  return a < 0.625f ? small : big;
}

// Angle of the point (x, y) in [-pi, pi]; absolute error below 4e-7. atan2(0, 0) is 0.
PFC_FN float pfc_atan2f(float y, float x) {
  float ax = pfc_absf(x), ay = pfc_absf(y);
  float big = pfc_maxf(ax, ay), small = pfc_minf(ax, ay);
  float t = big > 0.0f ? small / big : 0.0f;  // [0, 1]
  int steep = t > 0.4142135623730950f;
  float r = steep ? (t - 1.0f) / (t + 1.0f) : t;
  float z = r * r;
  float p = 8.05374449538e-2f;
  p = p * z - 1.38776856032e-1f;
  p = p * z + 1.99777106478e-1f;
  p = p * z - 3.33329491539e-1f;
  float angle = p * z * r + r + (steep ? 0.785398163397448309616f : 0.0f);
  angle = ay > ax ? 1.57079632679489661923f - angle : angle;
  angle = x < 0.0f ? PFC_PI - angle : angle;
  return pfc_bits_float(pfc_float_bits(angle) | (pfc_float_bits(y) & 0x80000000u));
}

#endif  // PUFFERC_FMATH_H
