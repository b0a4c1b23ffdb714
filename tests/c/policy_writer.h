// policy_writer.h - writes policy files for tests byte by byte, as policy.h describes them.
//
// A File is a growing array of bytes; file_free frees it. Networks are small, with random weights that keep activations
// near one.
#ifndef PUFFERC_TESTS_POLICY_WRITER_H
#define PUFFERC_TESTS_POLICY_WRITER_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
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

// Sets the correct size and checksum.
static inline void seal(File* file) {
  if (file->bytes < 32) return;
  const uint64_t checksum = pfc_checksum(file->data + 32, file->bytes - 32);
  memcpy(file->data + 16, &file->bytes, 8);
  memcpy(file->data + 24, &checksum, 8);
}

// A test network. widths[0] is the size of an observation; the last width is K + 1.
typedef struct Net {
  const char* game;
  PfcDtype dtype;
  int32_t action_dims, action_counts[PFC_MAX_ACTION_DIMS];
  int32_t masked, params, layers, widths[8];
  int32_t kinds[8];  // of the layers; 0 = linear
  int32_t head;      // 0 categorical; 1, 2 normal, whose action_counts are 0
} Net;

static const Net breakout_net = {.game = "breakout", .action_dims = 1, .action_counts = {3}, .layers = 2,
                                 .widths = {118, 128, 4}};

enum { NET_LINEAR = 2, NET_MINGRU = 4, NET_LSTM = 5 };

static inline int32_t net_kind(const Net* net, int32_t i) { return net->kinds[i] ? net->kinds[i] : NET_LINEAR; }

// Columns and rows of layer i's matrix.
static inline uint64_t net_columns(const Net* net, int32_t i) {
  return (uint64_t)net->widths[i] + (net_kind(net, i) == NET_LSTM ? (uint64_t)net->widths[i + 1] : 0);
}
static inline uint64_t net_rows(const Net* net, int32_t i) {
  const uint64_t parts = net_kind(net, i) == NET_LSTM ? 4 : net_kind(net, i) == NET_MINGRU ? 2 : 1;
  return parts * (uint64_t)net->widths[i + 1];
}
static inline uint64_t net_layer_bytes(const Net* net, int32_t i) {
  return ((net_columns(net, i) + 1) * net_rows(net, i) * 4 + 7) / 8 * 8;
}

static inline void put_layer(File* file, PfcRng* rng, const Net* net, int32_t i) {
  const uint64_t columns = net_columns(net, i), rows = net_rows(net, i);
  const float bound = sqrtf(3.0f / (float)columns);
  const bool linear = net_kind(net, i) == NET_LINEAR;
  put_u32(file, (uint32_t)net_kind(net, i)), put_u32(file, linear && i + 1 < net->layers);
  put_u32(file, (uint32_t)net->widths[i]), put_u32(file, (uint32_t)net->widths[i + 1]);
  put_u64(file, net_layer_bytes(net, i));
  put_random(file, rng, columns * rows, -bound, bound);
  put_random(file, rng, rows, -0.5f, 0.5f);
  pad8(file);
}

// Version 1 has no flags, so the network is not masked.
static inline File write_policy_as(const Net* net, uint64_t seed, uint32_t version) {
  File file = {0};
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 0);
  put(&file, "PFCPOL\r\n", 8);
  put_u32(&file, version), put_u32(&file, (uint32_t)net->layers), put_u64(&file, 0), put_u64(&file, 0);
  put_name(&file, net->game, 64);
  put_u32(&file, 1), put_u32(&file, (uint32_t)net->dtype);
  put_u32(&file, (uint32_t)net->widths[0]), put_u32(&file, 0), put_u32(&file, 0);
  put_u32(&file, (uint32_t)net->head), put_u32(&file, (uint32_t)net->action_dims);
  put(&file, net->action_counts, sizeof net->action_counts);
  put_u32(&file, (uint32_t)net->params);
  if (version > 1) put_u32(&file, (uint32_t)net->masked), put_u32(&file, 0);
  for (int32_t i = 0; i < net->params; ++i) {
    const double value = 100 + i;
    put_name(&file, i == 0 ? "max_steps" : "frameskip", 32);
    put(&file, &value, 8);
  }
  for (int32_t i = 0; i < net->layers; ++i) put_layer(&file, &rng, net, i);
  seal(&file);
  return file;
}

static inline File write_policy(const Net* net, uint64_t seed) { return write_policy_as(net, seed, 2); }

static inline PfcPolicy* parse(const File* file) { return pfc_policy_parse(file->data, file->bytes, "test.pfc"); }

// Checks that a file is refused for its first layer, with `why` in the message, and frees it.
static inline void check_first_layer_refused(File file, const char* why) {
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "spoilt");
  CHECK(policy == NULL);
  if (!CHECK(strstr(pfc_last_error(), "spoilt: layer 0: ") && strstr(pfc_last_error(), why)))
    fprintf(stderr, "  got %s\n", pfc_last_error());
  pfc_policy_destroy(policy);
  file_free(&file);
}

static inline bool save(const char* path, const File* file) {
  FILE* out = fopen(path, "wb");
  return out && fwrite(file->data, 1, file->bytes, out) == file->bytes && fclose(out) == 0;
}

#endif  // PUFFERC_TESTS_POLICY_WRITER_H
