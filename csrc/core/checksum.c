// checksum.c - one number for a block of bytes.
#include <string.h>

#include "core/base.h"

uint64_t pfc_checksum(const void* data, uint64_t bytes) {
  const unsigned char* at = data;
  const uint64_t prime = 0x100000001b3ull;
  uint64_t hash = 0xcbf29ce484222325ull ^ bytes;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    hash = (hash ^ word) * prime;
    hash ^= hash >> 32;  // mixes high bits into the low ones, which a multiplication does not
  }
  for (; bytes > 0; --bytes, ++at) hash = (hash ^ *at) * prime;
  return hash;
}
