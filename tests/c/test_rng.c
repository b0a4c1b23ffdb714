// test_rng.c - the random numbers of games: known answers, ranges, and statistics that find mistakes in
// seeding or scaling.
#include "pufferc/rng.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

// The first outputs of the demo program by the generator's author: seed 42, stream 54.
static void test_known_answers(void) {
  static const uint32_t expected[] = {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu};
  PfcRng rng = {0, (54u << 1) | 1u};
  (void)pfc_rng_u32(&rng);
  rng.state += 42u;
  (void)pfc_rng_u32(&rng);
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; ++i) CHECK(pfc_rng_u32(&rng) == expected[i]);
}

static void test_hash(void) {  // SplitMix64's outputs for seeds 0 and 1234567
  CHECK(pfc_hash64(0) == 0xe220a8397b1dcdafull);
  CHECK(pfc_hash64(1234567) == 6457827717110365317ull);
  CHECK(pfc_hash64(1234567 + 0x9e3779b97f4a7c15ull) == 3203168211198807973ull);
}

// Seeding is part of every golden trajectory: these numbers must never change.
static void test_seeding(void) {
  PfcRng a, b;
  pfc_rng_seed(&a, 1, 2);
  pfc_rng_seed(&b, 1, 2);
  for (int i = 0; i < 100; ++i) CHECK(pfc_rng_u32(&a) == pfc_rng_u32(&b));
  pfc_rng_seed(&a, 0, 0);
  CHECK(a.increment & 1u);
  CHECK(pfc_rng_u32(&a) == 0x9fb6cd66u);
  pfc_rng_seed(&a, 12345, 67);
  CHECK(pfc_rng_u32(&a) == 0x49e656c4u);
}

static void test_below(void) {
  static const uint32_t bounds[] = {1, 2, 3, 5, 10, 100, 1000};
  enum { DRAWS = 200000 };
  static uint32_t counts[1000];
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 0);
  CHECK(pfc_rng_below(&rng, 0) == 0);
  for (size_t k = 0; k < sizeof bounds / sizeof bounds[0]; ++k) {
    const uint32_t bound = bounds[k];
    for (uint32_t i = 0; i < bound; ++i) counts[i] = 0;
    for (int i = 0; i < DRAWS; ++i) {
      const uint32_t value = pfc_rng_below(&rng, bound);
      if (CHECK(value < bound)) counts[value] += 1;
    }
    const double expected = (double)DRAWS / bound;
    double chi2 = 0.0;
    for (uint32_t i = 0; i < bound; ++i) chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    CHECK(fabs(chi2 - (bound - 1)) <= 5.0 * sqrt(2.0 * bound));  // five standard deviations
  }
}

// A bound of 3/4 of the range: without rejection every third value would be twice as frequent.
static void test_below_is_unbiased(void) {
  enum { DRAWS = 300000 };
  const uint32_t bound = 3u << 30;
  PfcRng rng;
  pfc_rng_seed(&rng, 9, 0);
  int counts[2][3] = {{0}};  // by size, by remainder
  for (int i = 0; i < DRAWS; ++i) {
    const uint32_t value = pfc_rng_below(&rng, bound);
    counts[0][value / (1u << 30)] += 1, counts[1][value % 3] += 1;
  }
  for (int i = 0; i < 6; ++i) CHECK(abs(counts[i / 3][i % 3] - DRAWS / 3) < 5 * 258);  // sqrt(n p (1 - p)) = 258
}

static void test_floats(void) {
  enum { DRAWS = 1000000 };
  PfcRng rng;
  pfc_rng_seed(&rng, 10, 0);
  double sum = 0.0, squares = 0.0;
  float lowest = 1.0f, highest = 0.0f;
  for (int i = 0; i < DRAWS; ++i) {
    const float x = pfc_rng_float(&rng);
    lowest = x < lowest ? x : lowest;
    highest = x > highest ? x : highest;
    sum += (double)x;
    squares += (double)x * (double)x;
  }
  CHECK(lowest >= 0.0f && lowest < 1e-5f && highest < 1.0f && highest > 1.0f - 1e-5f);
  CHECK(fabs(sum / DRAWS - 0.5) < 5.0 * 0.2887 / sqrt(DRAWS));
  CHECK(fabs(squares / DRAWS - 1.0 / 3.0) < 5.0 * 0.2981 / sqrt(DRAWS));
  for (int i = 0; i < 10000; ++i) {
    const float x = pfc_rng_uniform(&rng, -3.0f, 5.0f);
    CHECK(x >= -3.0f && x <= 5.0f);
  }
  CHECK(pfc_rng_uniform(&rng, 2.0f, 2.0f) == 2.0f);
}

// Neighbouring games and neighbouring seeds draw unrelated numbers, starting with the first.
static void test_neighbours(void) {
  enum { STREAMS = 4096 };
  for (int by_seed = 0; by_seed <= 1; ++by_seed) {
    for (int skip = 0; skip < 3; ++skip) {
      double sum = 0.0, product = 0.0, previous = 0.0;
      for (uint64_t i = 0; i < STREAMS; ++i) {
        PfcRng rng;
        pfc_rng_seed(&rng, by_seed ? i : 3, by_seed ? 3 : i);
        for (int k = 0; k < skip; ++k) (void)pfc_rng_u32(&rng);
        const double x = (double)pfc_rng_float(&rng) - 0.5;
        sum += x;
        product += x * previous;
        previous = x;
      }
      CHECK(fabs(sum) < 5.0 * sqrt(STREAMS / 12.0));
      CHECK(fabs(product) < 5.0 * sqrt(STREAMS) / 12.0);
    }
  }
}

static void test_bits(void) {
  enum { DRAWS = 100000 };
  PfcRng rng;
  pfc_rng_seed(&rng, 11, 0);
  int counts[32] = {0};
  for (int i = 0; i < DRAWS; ++i) {
    const uint32_t value = pfc_rng_u32(&rng);
    for (int bit = 0; bit < 32; ++bit) counts[bit] += (int)(value >> bit & 1u);
  }
  for (int bit = 0; bit < 32; ++bit) CHECK(abs(counts[bit] - DRAWS / 2) < 5 * 159);
}

int main(void) {
  test_known_answers();
  test_hash();
  test_seeding();
  test_below();
  test_below_is_unbiased();
  test_floats();
  test_neighbours();
  test_bits();
  return check_report();
}
