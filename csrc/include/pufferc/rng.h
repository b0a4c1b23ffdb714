// rng.h - random numbers for games: one small generator inside each game's state, no globals.
//
// PCG-XSH-RR 64/32 (O'Neill 2014, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
// Algorithms for Random Number Generation"): 64 bits of state, an odd increment that selects one of
// 2^63 streams, 32 bits per draw. Draws are the same on every platform and compiler.
//
// The pool seeds every game (pfc_rng_seed); a game only draws. Not thread-safe: a PfcRng belongs to
// one game, and one thread at a time steps a game. Not for cryptography.
#ifndef PUFFERC_RNG_H
#define PUFFERC_RNG_H

#include <stdint.h>

#if defined(__CUDACC__)
#define PFC_FN static inline __host__ __device__
#else
#define PFC_FN static inline
#endif

typedef struct PfcRng {
  uint64_t state;
  uint64_t increment;  // odd; selects the stream
} PfcRng;

// One round of SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection that spreads every
// input bit over all 64 output bits. Used to turn (seed, game index) into unrelated starting points.
PFC_FN uint64_t pfc_hash64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// Uniform over all 2^32 values.
PFC_FN uint32_t pfc_rng_u32(PfcRng* rng) {
  uint64_t old = rng->state;
  rng->state = old * 6364136223846793005ull + rng->increment;
  uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
  uint32_t turn = (uint32_t)(old >> 59);
  return (mixed >> turn) | (mixed << ((32u - turn) & 31u));
}

// Different (seed, index) pairs give different streams.
PFC_FN void pfc_rng_seed(PfcRng* rng, uint64_t seed, uint64_t index) {
  uint64_t key = pfc_hash64(pfc_hash64(seed) ^ (index * 0xd1342543de82ef95ull));
  rng->increment = (pfc_hash64(key ^ 0x5851f42d4c957f2dull) << 1) | 1u;
  rng->state = key + rng->increment;
  (void)pfc_rng_u32(rng);
}

// Uniform integer in [0, bound), unbiased (Lemire 2019). bound = 0 gives 0.
PFC_FN uint32_t pfc_rng_below(PfcRng* rng, uint32_t bound) {
  uint64_t product = (uint64_t)pfc_rng_u32(rng) * bound;
  uint32_t low = (uint32_t)product;
  if (low < bound) {
    uint32_t threshold = (0u - bound) % bound;
    while (low < threshold) {
      product = (uint64_t)pfc_rng_u32(rng) * bound;
      low = (uint32_t)product;
    }
  }
  return (uint32_t)(product >> 32);
}

// Uniform float in [0, 1), one of 2^24 equally spaced values.
PFC_FN float pfc_rng_float(PfcRng* rng) {
  return (float)(pfc_rng_u32(rng) >> 8) * (1.0f / 16777216.0f);
}

// Uniform float in [low, high] (high only by rounding).
PFC_FN float pfc_rng_uniform(PfcRng* rng, float low, float high) {
  return low + (high - low) * pfc_rng_float(rng);
}

#endif  // PUFFERC_RNG_H
