// masks.c - legal choices as bits of action_mask, and the flag `forced`, both written with the observations.
//
// A game fills one byte per choice; the pool packs them into words, choice k into bit k % 32 of word k / 32.
#include <string.h>

#include "pool/pool.h"

// Eight bytes of 0 or 1 -> eight bits, the first byte lowest.
static inline uint32_t pack_bytes(const uint8_t* bytes) {
  uint64_t eight;
  memcpy(&eight, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  eight = __builtin_bswap64(eight);
#endif
  return (uint32_t)(((eight & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56);
}

static void pack_words(const uint8_t* legal, int32_t words, uint32_t* mask) {
  for (int32_t w = 0; w < words; ++w) {
    const uint8_t* bytes = legal + 32 * w;
    mask[w] =
        pack_bytes(bytes) | pack_bytes(bytes + 8) << 8 | pack_bytes(bytes + 16) << 16 | pack_bytes(bytes + 24) << 24;
  }
}

// 1 if every dimension has exactly one legal choice. Each has at least one, so D legal bits mean one each.
static uint8_t is_forced(const uint32_t* mask, int32_t words, int32_t dims) {
  int32_t legal = 0;
  for (int32_t w = 0; w < words; ++w) legal += __builtin_popcount(mask[w]);
  return legal == dims;
}

static void allow_all(uint32_t* mask, int32_t choices) {
  for (int32_t k = 0; k < choices; k += 32) mask[k / 32] = choices - k >= 32 ? UINT32_MAX : (1u << (choices - k)) - 1u;
}

void pfc_write_masks(PfcPool* pool, int32_t begin, int32_t end) {
  const PfcBuffers* b = &pool->buffers;
  uint8_t legal[PFC_MAX_CHOICES];  // packing reads whole words of 32
  for (int32_t game = begin; game < end; ++game) {
    for (int32_t agent = 0; agent < b->agents; ++agent) {
      const int64_t row = (int64_t)game * b->agents + agent;
      uint32_t* mask = pool->action_mask + row * b->mask_words;
      pool->forced[row] = 0;
      if (!pool->alive[row]) {
        allow_all(mask, b->num_choices);
        continue;
      }
      memset(legal, 0, 32 * (size_t)b->mask_words);
      pool->spec->mask(pfc_state_of(pool, game), pool->params, agent, legal);
      pack_words(legal, b->mask_words, mask);
      pool->forced[row] = is_forced(mask, b->mask_words, b->action_dims);
    }
  }
}

PfcStatus pfc_check_legal(const PfcPool* pool, int64_t first_row, int64_t rows) {
  const PfcBuffers* b = &pool->buffers;
  const int32_t* actions = (const int32_t*)pool->actions;
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    const uint32_t* mask = pool->action_mask + row * b->mask_words;
    int32_t first_choice = 0;
    for (int32_t d = 0; d < b->action_dims; ++d) {
      const int32_t choice = actions[row * b->action_dims + d], bit = first_choice + choice;
      if (!(mask[bit / 32] >> (bit % 32) & 1u))
        return pfc_fail(PFC_INVALID, "actions: row %lld, dimension %d: choice %d is not legal now; see action_mask",
                        (long long)row, d, choice);
      first_choice += b->action_counts[d];
    }
  }
  return PFC_OK;
}
