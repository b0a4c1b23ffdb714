// test_policy_codes.c - policies whose first layer encodes bytes as one-hot vectors: outputs against plain loops, bytes
// without an entry, and files with an invalid layer of this kind.
#include "check.h"
#include "policy_writer.h"

enum { CELLS = 7, CODES = 3, OUTPUTS = 4, ROWS = 200 };

// The fields that put_codes writes; a test may spoil each.
typedef struct Layer {
  uint32_t kind, option, inputs, outputs;
  uint64_t bytes;
} Layer;

static const Layer sound = {3, CODES, CELLS, CELLS* CODES, 0};

static void put_codes(File* file, const Layer* layer) {
  put_u32(file, layer->kind), put_u32(file, layer->option);
  put_u32(file, layer->inputs), put_u32(file, layer->outputs);
  put_u64(file, layer->bytes);
}

// A policy with one layer of codes, `before` or after a linear layer, whose numbers are copied to weight and bias.
static File write_codes(PfcDtype dtype, const Layer* layer, bool before, float* weight, float* bias) {
  const Net head = {"mine", dtype, 1, {3}, 0, 0, 0, {CELLS}, {0}, 0};
  File file = write_policy(&head, 1);
  const uint32_t layers = 2;
  memcpy(file.data + 12, &layers, sizeof layers);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  const Net linear = {"mine", dtype, 1, {3}, 0, 0, 1, {before ? CELLS * CODES : CELLS, OUTPUTS}, {0}, 0};
  if (before) put_codes(&file, layer);
  const uint64_t start = file.bytes + 24;
  put_layer(&file, &rng, &linear, 0);
  if (weight) memcpy(weight, file.data + start, sizeof(float) * CELLS * CODES * OUTPUTS);
  if (bias) memcpy(bias, file.data + start + sizeof(float) * CELLS * CODES * OUTPUTS, sizeof(float) * OUTPUTS);
  if (!before) put_codes(&file, layer);
  seal(&file);
  return file;
}

static void test_outputs(PfcDtype dtype) {
  float weight[OUTPUTS][CELLS * CODES], bias[OUTPUTS], outputs[ROWS][OUTPUTS];
  uint8_t cells[ROWS][CELLS];
  File file = write_codes(dtype, &sound, true, &weight[0][0], bias);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, NULL);
  if (!CHECK(policy != NULL)) return;
  CHECK(pfc_policy_info(policy)->num_layers == 2 && pfc_policy_info(policy)->obs_size == CELLS);
  CHECK(pfc_policy_info(policy)->num_weights == (CELLS * CODES + 1) * OUTPUTS);
  for (int row = 0; row < ROWS; ++row)
    for (int i = 0; i < CELLS; ++i) {
      const uint64_t noise = pfc_hash64((uint64_t)(row * CELLS + i));
      cells[row][i] = (uint8_t)(noise % 8 == 7 ? 128 + noise / 8 % 128 : noise % 6);  // some above the largest code
    }
  CHECK(pfc_policy_forward(policy, cells, ROWS, NULL, &outputs[0][0]) == PFC_OK);
  for (int row = 0; row < ROWS; ++row)
    for (int k = 0; k < OUTPUTS; ++k) {
      double y = (double)bias[k];
      for (int i = 0; i < CELLS; ++i)
        for (int code = 1; code <= CODES; ++code)
          y += cells[row][i] == code ? (double)weight[k][i * CODES + code - 1] : 0;
      CHECK(fabs((double)outputs[row][k] - y) < 1e-5);
    }
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_refused(PfcDtype dtype, Layer layer, bool before, const char* why) {
  File file = write_codes(dtype, &layer, before, NULL, NULL);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "spoilt");
  CHECK(policy == NULL);
  if (!CHECK(strstr(pfc_last_error(), "spoilt") && strstr(pfc_last_error(), why)))
    fprintf(stderr, "  got %s\n", pfc_last_error());
  pfc_policy_destroy(policy);
  file_free(&file);
}

int main(void) {
  Layer l = sound;
  test_outputs(PFC_UINT8);
  test_outputs(PFC_INT8);
  test_refused(PFC_FLOAT32, sound, true, "takes observations of uint8 or int8");
  l.option = 0, test_refused(PFC_UINT8, l, true, "the largest code is 0"), l = sound;
  l.option = 256, test_refused(PFC_UINT8, l, true, "the largest code is 256"), l = sound;
  l.inputs = 8, test_refused(PFC_UINT8, l, true, "the number of inputs is 8"), l = sound;
  l.outputs = 20, test_refused(PFC_UINT8, l, true, "the number of outputs is 20, expected 21"), l = sound;
  l.bytes = 8, test_refused(PFC_UINT8, l, true, "the size in bytes is 8, expected 0"), l = sound;
  l.kind = 6, test_refused(PFC_UINT8, l, true, "kind 6 is unknown"), l = sound;
  l.inputs = OUTPUTS, l.outputs = OUTPUTS * CODES;
  test_refused(PFC_UINT8, l, false, "kind 3 (codes) may only come first");
  return check_report();
}
