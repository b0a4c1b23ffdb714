// Instructions of WebAssembly, and the library's own functions where it has none. Games use <pufferc/fmath.h>; pictures
// may use this header.
#ifndef PUFFERC_WEB_MATH_H
#define PUFFERC_WEB_MATH_H
#include "pufferc/fmath.h"

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define M_PI 3.14159265358979323846
#define isfinite(x) __builtin_isfinite(x)
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)

static inline float sqrtf(float x) { return __builtin_sqrtf(x); }
static inline float floorf(float x) { return __builtin_floorf(x); }
static inline float ceilf(float x) { return __builtin_ceilf(x); }
static inline float truncf(float x) { return __builtin_truncf(x); }
static inline float fabsf(float x) { return __builtin_fabsf(x); }
static inline float copysignf(float x, float sign) { return __builtin_copysignf(x, sign); }
static inline double sqrt(double x) { return __builtin_sqrt(x); }
static inline double floor(double x) { return __builtin_floor(x); }
static inline double ceil(double x) { return __builtin_ceil(x); }
static inline double trunc(double x) { return __builtin_trunc(x); }
static inline double fabs(double x) { return __builtin_fabs(x); }

static inline float fminf(float a, float b) { return a < b || b != b ? a : b; }
static inline float fmaxf(float a, float b) { return a > b || b != b ? a : b; }
static inline double fmin(double a, double b) { return a < b || b != b ? a : b; }
static inline double fmax(double a, double b) { return a > b || b != b ? a : b; }
static inline float roundf(float x) {
  const float whole = truncf(x);
  return fabsf(x - whole) >= 0.5f ? whole + copysignf(1.0f, x) : whole;
}
static inline float fmodf(float x, float y) { return x - y * truncf(x / y); }
static inline float sinf(float x) { return pfc_sinf(x); }
static inline float cosf(float x) { return pfc_cosf(x); }
static inline float expf(float x) { return pfc_expf(x); }
static inline float logf(float x) { return pfc_logf(x); }
static inline float tanhf(float x) { return pfc_tanhf(x); }
static inline float atan2f(float y, float x) { return pfc_atan2f(y, x); }

#endif
