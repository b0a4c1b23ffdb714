// near.h - compares float results with a model's double results, and rounds as bfloat16 does.
#ifndef PUFFERC_TESTS_NEAR_H
#define PUFFERC_TESTS_NEAR_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

// Rounds to the nearest bfloat16, ties to even: 8 significant bits.
static inline float nearest_bfloat16(float x) {
  int exponent;
  const double fraction = frexp((double)x, &exponent);
  return (float)ldexp(rint(ldexp(fraction, 8)), exponent - 8);
}

// True if all errors are at most `tolerance` times the largest expected number.
static inline bool near(const float* got, const double* expected, int64_t count, double tolerance) {
  double largest = 0, error = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = fmax(largest, fabs(expected[i]));
    const double difference = fabs((double)got[i] - expected[i]);
    error = difference <= error ? error : difference;  // keeps a NaN
  }
  return error <= tolerance * largest;
}

#endif  // PUFFERC_TESTS_NEAR_H
