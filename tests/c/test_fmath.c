// test_fmath.c - the functions of fmath.h against libm in double precision, over dense sweeps of their
// ranges. Errors must stay below the bounds in fmath.h. A checksum pins every bit.
#include "pufferc/fmath.h"

#include <math.h>

#include "check.h"

// The largest error of a sweep and its argument.
typedef struct Worst {
  double error;
  double at;
} Worst;

static void meet(Worst* worst, double error, double at) {
  if (error > worst->error || error != error) worst->error = error, worst->at = at;
}

static void expect_below(const char* what, Worst worst, double bound) {
  printf("%-32s largest error %.3g at %.9g, promised %.3g\n", what, worst.error, worst.at, bound);
  if (!CHECK(worst.error < bound)) fprintf(stderr, "  %s: %.4g at %.9g\n", what, worst.error, worst.at);
}

static void meet_sincos(Worst* worst, float x) {
  float s, c;
  pfc_sincosf(x, &s, &c);
  meet(worst, fabs((double)s - sin((double)x)), (double)x);
  meet(worst, fabs((double)c - cos((double)x)), (double)x);
}

static void test_sincos(void) {
  Worst worst = {0};
  for (int32_t i = -4000000; i <= 4000000; ++i) meet_sincos(&worst, (float)i * (8192.0f / 4000000.0f));
  for (int32_t i = -1000000; i <= 1000000; ++i) meet_sincos(&worst, (float)i * (4.0f / 1000000.0f));
  for (int32_t k = -5215; k <= 5215; ++k) {  // around every multiple of pi / 2
    const float x = (float)(k * 1.5707963267948966);
    uint32_t bits = pfc_float_bits(x);
    for (int32_t d = -20; d <= 20; ++d)
      if (k != 0) meet_sincos(&worst, pfc_bits_float(bits + (uint32_t)d));
  }
  for (float x = 1e-38f; x < 1.0f; x *= 1.01f) meet_sincos(&worst, x), meet_sincos(&worst, -x);
  expect_below("sin, cos on [-8192, 8192]", worst, 2e-7);
  CHECK(pfc_sinf(0.0f) == 0.0f && pfc_cosf(0.0f) == 1.0f);
  CHECK(pfc_sinf(0.5f) == -pfc_sinf(-0.5f) && pfc_cosf(0.5f) == pfc_cosf(-0.5f));
}

static void test_exp(void) {
  Worst worst = {0};
  for (int32_t i = 0; i <= 8000000; ++i) {
    const float x = -87.0f + (float)i * (175.0f / 8000000.0f);
    const double expected = exp((double)x);
    if (x <= 88.0f) meet(&worst, fabs((double)pfc_expf(x) - expected) / expected, (double)x);
  }
  for (float x = 1e-38f; x < 1.0f; x *= 1.01f) {
    const double expected = exp(-(double)x);
    meet(&worst, fabs((double)pfc_expf(-x) - expected) / expected, -(double)x);
  }
  expect_below("exp on [-87, 88], relative", worst, 2e-7);
  CHECK(pfc_expf(0.0f) == 1.0f);
  CHECK(pfc_expf(1000.0f) == pfc_expf(88.0f) && pfc_expf(-1000.0f) == pfc_expf(-87.0f));
  CHECK(pfc_expf(INFINITY) == pfc_expf(88.0f) && pfc_expf(-INFINITY) == pfc_expf(-87.0f));
}

static void test_log(void) {
  Worst relative = {0}, near_one = {0};
  for (uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 251) {
    const float x = pfc_bits_float(bits);
    const double expected = log((double)x), error = fabs((double)pfc_logf(x) - expected);
    if (x > 0.5f && x < 2.0f) meet(&near_one, error, (double)x);
    else meet(&relative, error / fabs(expected), (double)x);
  }
  expect_below("log near 1, absolute", near_one, 1e-7);
  expect_below("log away from 1, relative", relative, 2e-7);
  CHECK(pfc_logf(1.0f) == 0.0f);
  CHECK(pfc_logf(0.0f) == pfc_logf(1.17549435e-38f) && pfc_logf(-3.0f) == pfc_logf(1.17549435e-38f));
}

static void test_sigmoid(void) {
  Worst worst = {0};
  for (int32_t i = -120000; i <= 120000; ++i) {
    const float x = (float)i * 1e-3f;
    meet(&worst, fabs((double)pfc_sigmoidf(x) - 1 / (1 + exp(-(double)x))), (double)x);
  }
  expect_below("sigmoid, absolute", worst, 2e-7);
  CHECK(pfc_sigmoidf(0.0f) == 0.5f && pfc_sigmoidf(INFINITY) == 1.0f && pfc_sigmoidf(-INFINITY) < 1e-37f);
}

static void test_tanh(void) {
  Worst worst = {0};
  for (uint32_t bits = 0x00800000u; bits < 0x42c80000u; bits += 149) {
    const float x = pfc_bits_float(bits);
    const double expected = tanh((double)x);
    meet(&worst, fabs((double)pfc_tanhf(x) - expected) / expected, (double)x);
    if (bits % 16 == 0) CHECK(pfc_tanhf(-x) == -pfc_tanhf(x));
  }
  expect_below("tanh, relative", worst, 3e-7);
  CHECK(pfc_tanhf(0.0f) == 0.0f && pfc_tanhf(1e30f) == 1.0f && pfc_tanhf(-INFINITY) == -1.0f);
}

static void test_atan2(void) {
  Worst worst = {0};
  for (int32_t i = 0; i < 2000000; ++i) {
    const double turn = (double)i * (6.283185307179586 / 2000000.0);
    const float radius = (float)pow(10.0, (double)(i % 61) - 30.0);
    const float x = radius * (float)cos(turn), y = radius * (float)sin(turn);
    meet(&worst, fabs((double)pfc_atan2f(y, x) - atan2((double)y, (double)x)), turn);
  }
  expect_below("atan2, absolute", worst, 4e-7);
  CHECK(pfc_atan2f(0.0f, 0.0f) == 0.0f && pfc_atan2f(0.0f, 1.0f) == 0.0f);
  CHECK(pfc_absf(pfc_atan2f(0.0f, -1.0f) - PFC_PI) < 4e-7f && pfc_atan2f(-1.0f, 0.0f) < -1.57f);
}

static void test_rounding(void) {
  for (int32_t i = -8000; i <= 8000; ++i) {
    const float x = (float)i / 16.0f;
    CHECK(pfc_roundf(x) == (float)nearbyint((double)x));
  }
  CHECK(pfc_roundf(4194302.5f) == 4194302.0f && pfc_roundf(-2.5f) == -2.0f && pfc_roundf(3.5f) == 4.0f);
  for (uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 99991)
    CHECK(pfc_sqrtf(pfc_bits_float(bits)) == (float)sqrt((double)pfc_bits_float(bits)));
}

static void test_helpers(void) {
  CHECK(pfc_minf(1.0f, 2.0f) == 1.0f && pfc_maxf(1.0f, 2.0f) == 2.0f);
  CHECK(pfc_absf(-3.0f) == 3.0f && pfc_absf(3.0f) == 3.0f);
  CHECK(pfc_clampf(5.0f, 0.0f, 1.0f) == 1.0f && pfc_clampf(-5.0f, 0.0f, 1.0f) == 0.0f);
  CHECK(pfc_clampf(0.5f, 0.0f, 1.0f) == 0.5f);
  CHECK(pfc_mini(-1, 2) == -1 && pfc_maxi(-1, 2) == 2 && pfc_clampi(7, -2, 3) == 3 && pfc_clampi(-7, -2, 3) == -2);
  CHECK(pfc_bits_float(pfc_float_bits(-1.5f)) == -1.5f && pfc_float_bits(1.0f) == 0x3f800000u);
}

static void pin(uint64_t* hash, float value) { *hash = (*hash ^ pfc_float_bits(value)) * 0x100000001b3ull; }

// Every machine, compiler and optimisation level must give the same bits.
static void test_bits(void) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (int32_t i = -20000; i <= 20000; ++i) {
    const float x = (float)i * 0.0043212890625f;
    float s, c;
    pfc_sincosf(x * 90.0f, &s, &c);
    pin(&hash, s), pin(&hash, c);
    pin(&hash, pfc_expf(x));
    pin(&hash, pfc_logf(x * x * x * x + 1e-6f));
    pin(&hash, pfc_tanhf(x * 0.1f));
    pin(&hash, pfc_atan2f(x, 3.0f - x * 0.5f));
    pin(&hash, pfc_sqrtf(x * x + 0.5f));
  }
  if (!CHECK(hash == 0xf7743e739c4ec901ull)) fprintf(stderr, "  got %llxull\n", (unsigned long long)hash);
}

int main(void) {
  test_sincos();
  test_exp();
  test_log();
  test_sigmoid();
  test_tanh();
  test_atan2();
  test_rounding();
  test_helpers();
  test_bits();
  return check_report();
}
