// test_policy_codes.c - policies whose first layer encodes values as one-hot vectors, with one largest code for all or
// one for each row: outputs against plain loops, values without an entry, and files with an invalid layer of these
// kinds.
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

// ---- codes by row ----------------------------------------------------------------------------------------

enum { ROW_VALUES = 9, ROW_OUTPUTS = 4 + 2 * (3 + 2) + 1, NUM_ROWS = 4 };

typedef struct Row {
  uint32_t count, max_code, first, step;
} Row;

// Two planes of two cells whose entries lie side by side, cell by cell; plain values; codes.
static const Row rows[NUM_ROWS] = {{2, 3, 0, 5}, {2, 2, 3, 5}, {4, 0, 11, 1}, {1, 1, 10, 9}};

static File write_rows(PfcDtype dtype, const Row* layout, uint32_t num_rows, float* weight, float* bias) {
  const Net head = {"mine", dtype, 1, {3}, 0, 0, 0, {ROW_VALUES}, {0}, 0};
  File file = write_policy(&head, 1);
  const uint32_t layers = 2;
  memcpy(file.data + 12, &layers, sizeof layers);
  const Layer layer = {8, num_rows, ROW_VALUES, ROW_OUTPUTS, sizeof *layout * num_rows};
  put_codes(&file, &layer);
  put(&file, layout, sizeof *layout * num_rows);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  const Net linear = {"mine", dtype, 1, {3}, 0, 0, 1, {ROW_OUTPUTS, OUTPUTS}, {0}, 0};
  const uint64_t start = file.bytes + 24;
  put_layer(&file, &rng, &linear, 0);
  if (weight) memcpy(weight, file.data + start, sizeof(float) * ROW_OUTPUTS * OUTPUTS);
  if (bias) memcpy(bias, file.data + start + sizeof(float) * ROW_OUTPUTS * OUTPUTS, sizeof(float) * OUTPUTS);
  seal(&file);
  return file;
}

// Values of an observation in the policy's dtype, most of them codes; floats also between two codes.
static double put_value(PfcDtype dtype, void* values, int i) {
  const int noise = (int)(pfc_hash64((uint64_t)i) % 7) - 1;
  switch (dtype) {
    case PFC_UINT8: return ((uint8_t*)values)[i] = (uint8_t)(noise + 1);
    case PFC_INT8: return ((int8_t*)values)[i] = (int8_t)noise;
    case PFC_INT32: return ((int32_t*)values)[i] = noise == 5 ? 1000000 : noise;
    default: return (double)(((float*)values)[i] = noise == 5 ? 1.5f : (float)noise);
  }
}

static void test_rows(PfcDtype dtype) {
  void* values = calloc(ROWS * ROW_VALUES, 4);
  float weight[OUTPUTS][ROW_OUTPUTS], bias[OUTPUTS], outputs[ROWS][OUTPUTS];
  double seen[ROWS][ROW_VALUES];
  File file = write_rows(dtype, rows, NUM_ROWS, &weight[0][0], bias);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, NULL);
  if (!CHECK(policy != NULL)) return;
  for (int i = 0; i < ROWS * ROW_VALUES; ++i) (&seen[0][0])[i] = put_value(dtype, values, i);
  CHECK(pfc_policy_forward(policy, values, ROWS, NULL, &outputs[0][0]) == PFC_OK);
  free(values);
  for (int r = 0; r < ROWS; ++r)
    for (int k = 0; k < OUTPUTS; ++k) {
      double y = (double)bias[k];
      const double* x = seen[r];
      for (int cell = 0; cell < 2; ++cell) {
        for (int code = 1; code <= 3; ++code) y += x[cell] == code ? (double)weight[k][cell * 5 + code - 1] : 0;
        for (int code = 1; code <= 2; ++code) y += x[2 + cell] == code ? (double)weight[k][cell * 5 + 2 + code] : 0;
      }
      for (int i = 0; i < 4; ++i) y += x[4 + i] * (double)weight[k][11 + i];
      y += x[8] == 1 ? (double)weight[k][10] : 0;
      CHECK(fabs((double)outputs[r][k] - y) < 1e-4 * fmax(1, fabs(y)));
    }
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void rows_refused(int index, Row row, uint32_t num_rows, const char* why) {
  Row spoilt[NUM_ROWS];
  memcpy(spoilt, rows, sizeof rows);
  spoilt[index] = row;
  File file = write_rows(PFC_UINT8, spoilt, num_rows, NULL, NULL);
  check_first_layer_refused(file, why);
}

static void test_rows_refused(void) {
  const char* bounds = "has values or outputs out of bounds, or outputs of another row";
  rows_refused(3, rows[3], 3, "the number of values in rows is 8, expected 9");
  rows_refused(3, rows[3], 0, "the number of rows is 0");
  rows_refused(2, (Row){4, 0, 11, 0}, NUM_ROWS, bounds);                // all in one place
  rows_refused(2, (Row){4, 0, 12, 1}, NUM_ROWS, bounds);                // ends beyond the outputs
  rows_refused(2, (Row){4, 0, 11, UINT32_MAX}, NUM_ROWS, bounds);
  rows_refused(1, (Row){2, 2, 2, 5}, NUM_ROWS, bounds);                 // meets the plane before
  rows_refused(1, (Row){2, UINT32_MAX, 3, 5}, NUM_ROWS, bounds);
  rows_refused(1, (Row){2, 1, 3, 5}, NUM_ROWS, "the number of outputs of rows is 13, expected 15");
  rows_refused(3, (Row){2, 1, 10, 0}, NUM_ROWS, bounds);                // more values than an observation has
  rows_refused(0, (Row){0, 3, 0, 5}, NUM_ROWS, "row 0 has values");
  rows_refused(0, (Row){UINT32_MAX, 3, 0, 5}, NUM_ROWS, "row 0 has values");
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
  l.kind = 9, test_refused(PFC_UINT8, l, true, "kind 9 is unknown"), l = sound;
  l.inputs = OUTPUTS, l.outputs = OUTPUTS * CODES;
  test_refused(PFC_UINT8, l, false, "kind 3 (codes) may only come first");
  test_rows(PFC_UINT8);
  test_rows(PFC_INT8);
  test_rows(PFC_INT32);
  test_rows(PFC_FLOAT32);
  test_rows_refused();
  return check_report();
}
