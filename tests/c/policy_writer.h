// policy_writer.h - policy files for tests, written byte by byte as policy.h describes them.
//
// A File is a growing array of bytes that file_free frees. Networks are small, their weights random and of a size that
// keeps activations near one.
#ifndef PUFFERC_TESTS_POLICY_WRITER_H
#define PUFFERC_TESTS_POLICY_WRITER_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "pufferc/policy.h"

typedef struct File {
  unsigned char* data;
  uint64_t bytes, capacity;
} File;

static inline void file_free(File* file) {
  free(file->data);
  *file = (File){0};
}

static inline void put(File* file, const void* data, uint64_t bytes) {
  if (file->bytes + bytes > file->capacity) {
    file->capacity = 2 * file->capacity + bytes;
    file->data = realloc(file->data, file->capacity);
  }
  memcpy(file->data + file->bytes, data, bytes);
  file->bytes += bytes;
}

static inline void put_u32(File* file, uint32_t value) { put(file, &value, sizeof value); }
static inline void put_u64(File* file, uint64_t value) { put(file, &value, sizeof value); }

static inline void put_name(File* file, const char* name, uint64_t bytes) {
  char padded[64] = {0};
  strncpy(padded, name, bytes - 1);
  put(file, padded, bytes);
}

static inline void put_random(File* file, PfcRng* rng, uint64_t count, float low, float high) {
  for (uint64_t i = 0; i < count; ++i) {
    const float value = pfc_rng_uniform(rng, low, high);
    put(file, &value, sizeof value);
  }
}

static inline void pad8(File* file) {
  while (file->bytes % 8) put(file, "", 1);
}

// Sets size and checksum to what they should be.
static inline void seal(File* file) {
  if (file->bytes < 32) return;
  const uint64_t checksum = pfc_checksum(file->data + 32, file->bytes - 32);
  memcpy(file->data + 16, &file->bytes, 8);
  memcpy(file->data + 24, &checksum, 8);
}

// What a test network looks like. widths[0] is the observation's size; the last width is K + 1.
typedef struct Net {
  const char* game;
  PfcDtype dtype;
  int32_t action_dims, action_counts[PFC_MAX_ACTION_DIMS];
  int32_t normalise, params, layers, widths[8];
} Net;

static const Net breakout_net = {"breakout", PFC_FLOAT32, 1, {3}, 0, 0, 2, {118, 128, 4}};

static inline void put_layer(File* file, PfcRng* rng, const Net* net, int32_t i) {
  const uint32_t inputs = (uint32_t)net->widths[i], outputs = (uint32_t)net->widths[i + 1];
  const float bound = sqrtf(3.0f / (float)inputs);
  put_u32(file, 2), put_u32(file, i + 1 < net->layers);
  put_u32(file, inputs), put_u32(file, outputs);
  put_u64(file, ((uint64_t)(inputs + 1) * outputs * 4 + 7) / 8 * 8);
  put_random(file, rng, (uint64_t)inputs * outputs, -bound, bound);
  put_random(file, rng, outputs, -0.5f, 0.5f);
  pad8(file);
}

static inline File write_policy(const Net* net, uint64_t seed) {
  File file = {0};
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 0);
  put(&file, "PFCPOL\r\n", 8);
  put_u32(&file, 1), put_u32(&file, (uint32_t)(net->layers + net->normalise)), put_u64(&file, 0), put_u64(&file, 0);
  put_name(&file, net->game, 64);
  put_u32(&file, 1), put_u32(&file, (uint32_t)net->dtype);
  put_u32(&file, (uint32_t)net->widths[0]), put_u32(&file, 0), put_u32(&file, 0);
  put_u32(&file, 0), put_u32(&file, (uint32_t)net->action_dims);
  put(&file, net->action_counts, sizeof net->action_counts);
  put_u32(&file, (uint32_t)net->params);
  for (int32_t i = 0; i < net->params; ++i) {
    const double value = 100 + i;
    put_name(&file, i == 0 ? "max_steps" : "frameskip", 32);
    put(&file, &value, 8);
  }
  if (net->normalise) {
    const uint64_t size = (uint64_t)net->widths[0];
    const float limit = 2.5f;
    put_u32(&file, 1), put_u32(&file, 0), put_u32(&file, (uint32_t)size), put_u32(&file, (uint32_t)size);
    put_u64(&file, ((2 * size + 1) * 4 + 7) / 8 * 8);
    put_random(&file, &rng, size, -1, 1);
    put_random(&file, &rng, size, 0.2f, 3);
    put(&file, &limit, sizeof limit);
    pad8(&file);
  }
  for (int32_t i = 0; i < net->layers; ++i) put_layer(&file, &rng, net, i);
  seal(&file);
  return file;
}

#endif  // PUFFERC_TESTS_POLICY_WRITER_H
