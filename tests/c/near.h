// near.h - compares float results with a model's double results.
#ifndef PUFFERC_TESTS_NEAR_H
#define PUFFERC_TESTS_NEAR_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

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
