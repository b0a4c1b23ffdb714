// masks.h - legal choices as bits of action_mask, and the flag `forced`, both written with the observations.
//
// A game fills one byte per choice; they are packed into words, choice k into bit k % 32 of word k / 32. Part of
// step.h, which explains PfcCalls.
#ifndef PUFFERC_POOL_MASKS_H
#define PUFFERC_POOL_MASKS_H

#include <string.h>

#include "pool/games.h"

// Eight bytes of 0 or 1 -> eight bits, the first byte lowest.
PFC_FN uint32_t pfc_pack_bytes(const uint8_t* bytes) {
  uint64_t eight;
  memcpy(&eight, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  eight = __builtin_bswap64(eight);
#endif
  return (uint32_t)(((eight & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56);
}

PFC_FN void pfc_pack_words(const uint8_t* legal, int32_t words, uint32_t* mask) {
  for (int32_t w = 0; w < words; ++w) {
    const uint8_t* bytes = legal + 32 * w;
    mask[w] = pfc_pack_bytes(bytes) | pfc_pack_bytes(bytes + 8) << 8 | pfc_pack_bytes(bytes + 16) << 16 |
              pfc_pack_bytes(bytes + 24) << 24;
  }
}

PFC_FN int32_t pfc_count_bits(uint32_t word) {
#if defined(__CUDA_ARCH__)
  return __popc(word);
#else
  return __builtin_popcount(word);
#endif
}

// 1 if every dimension has exactly one legal choice. Each has at least one, so D legal bits mean one each.
PFC_FN uint8_t pfc_mask_is_forced(const uint32_t* mask, int32_t words, int32_t dims) {
  int32_t legal = 0;
  for (int32_t w = 0; w < words; ++w) legal += pfc_count_bits(mask[w]);
  return legal == dims;
}

PFC_FN void pfc_allow_all(uint32_t* mask, int32_t choices) {
  for (int32_t k = 0; k < choices; k += 32) mask[k / 32] = choices - k >= 32 ? UINT32_MAX : (1u << (choices - k)) - 1u;
}

// Writes action_mask and forced of games [begin, end), from their states and alive flags. legal: scratch memory of
// 32 * mask_words bytes, since packing reads whole words.
PFC_FN void pfc_write_masks(const PfcGames* g, const PfcCalls* calls, int32_t begin, int32_t end, uint8_t* legal) {
  for (int32_t game = begin; game < end; ++game) {
    for (int32_t agent = 0; agent < g->agents; ++agent) {
      const int64_t row = (int64_t)game * g->agents + agent;
      uint32_t* mask = g->action_mask + row * g->mask_words;
      g->forced[row] = 0;
      if (!g->alive[row]) {
        pfc_allow_all(mask, g->num_choices);
        continue;
      }
      memset(legal, 0, 32 * (size_t)g->mask_words);
      calls->mask(pfc_game_state(g, game), g->params, agent, legal);
      pfc_pack_words(legal, g->mask_words, mask);
      g->forced[row] = pfc_mask_is_forced(mask, g->mask_words, g->action_dims);
    }
  }
}

#endif  // PUFFERC_POOL_MASKS_H
