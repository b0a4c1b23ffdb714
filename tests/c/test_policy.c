// test_policy.c - trained policies: the forward pass of every instruction set against plain loops in double precision,
// actions against the sampler, and invalid calls. For their files see test_policy_file.c.
//
//   test_policy                 runs the checks
//   test_policy --write PATH    writes a policy for Breakout with random weights, for tests of the examples
#include "harness.h"
#include "kernels/sample.h"
#include "networks/linear_infer.h"
#include "policy_writer.h"

enum { MAX_ROWS = 300 };

static float get_float(const File* file, uint64_t at, uint64_t index) {
  float value;
  memcpy(&value, file->data + at + 4 * index, 4);
  return value;
}

// ---- the forward pass ----------------------------------------------------------------------------------

// Evaluates the network of a file for one observation in double precision; outputs: up to 1025 numbers.
static void reference(const File* file, const Net* net, const double* observation, double* outputs) {
  double x[512], y[1100];
  uint64_t at = 168 + 40 * (uint64_t)net->params;
  memcpy(x, observation, sizeof(double) * (uint64_t)net->widths[0]);
  for (int32_t layer = 0; layer < net->layers; ++layer) {
    const uint64_t inputs = (uint64_t)net->widths[layer], count = (uint64_t)net->widths[layer + 1];
    for (uint64_t j = 0; j < count; ++j) {
      y[j] = (double)get_float(file, at + 24, inputs * count + j);
      for (uint64_t k = 0; k < inputs; ++k) y[j] += x[k] * (double)get_float(file, at + 24, j * inputs + k);
      if (layer + 1 < net->layers) y[j] = fmax(y[j], 0);
    }
    memcpy(layer + 1 < net->layers ? x : outputs, y, sizeof(double) * count);
    at += 24 + ((inputs + 1) * count * 4 + 7) / 8 * 8;
  }
}

// Random observations [rows, size] of a dtype, and the same as doubles. The caller frees both.
static void* make_observations(const Net* net, int64_t rows, PfcRng* rng, double** as_double) {
  const int64_t count = rows * net->widths[0];
  void* observations = malloc((size_t)count * 4);
  *as_double = malloc((size_t)count * sizeof(double));
  for (int64_t i = 0; i < count; ++i) {
    const int32_t whole = (int32_t)pfc_rng_below(rng, 5);
    const float real = pfc_rng_uniform(rng, -1, 1);
    switch (net->dtype) {
      case PFC_FLOAT32: ((float*)observations)[i] = real; break;
      case PFC_INT32: ((int32_t*)observations)[i] = whole - 2; break;
      case PFC_INT8: ((int8_t*)observations)[i] = (int8_t)(whole - 2); break;
      default: ((uint8_t*)observations)[i] = (uint8_t)(251 + whole); break;
    }
    const double integer = net->dtype == PFC_UINT8 ? 251 + whole : whole - 2;
    (*as_double)[i] = net->dtype == PFC_FLOAT32 ? (double)real : integer;
  }
  return observations;
}

static const Net nets[] = {
    {"breakout", PFC_FLOAT32, 1, {3}, 0, 0, 2, {118, 128, 4}, {0}, 0},
    {"breakout", PFC_FLOAT32, 1, {3}, 1, 2, 2, {118, 128, 4}, {0}, 0},
    {"squared", PFC_UINT8, 1, {5}, 1, 1, 3, {121, 64, 100, 6}, {0}, 0},
    {"other", PFC_INT8, 3, {2, 7, 1}, 0, 0, 1, {1, 11}, {0}, 0},
    {"other", PFC_INT32, 8, {1, 2, 3, 4, 5, 6, 7, 8}, 0, 2, 4, {33, 1, 257, 17, 37}, {0}, 0},
    {"other", PFC_FLOAT32, 1, {1024}, 1, 0, 2, {7, 65, 1025}, {0}, 0},
};
enum { NUM_NETS = sizeof nets / sizeof nets[0] };

static void test_forward(const Net* net, uint64_t seed) {
  static const int64_t row_counts[] = {1, 2, 5, 6, 12, 95, 96, 97, 200};
  const int64_t outs = net->widths[net->layers];
  File file = write_policy(net, seed);
  PfcPolicy* policy = parse(&file);
  if (!CHECK(policy != NULL)) return;
  CHECK(pfc_policy_info(policy)->num_outputs == outs && pfc_policy_info(policy)->obs_size == net->widths[0]);
  for (size_t i = 0; i < sizeof row_counts / sizeof row_counts[0]; ++i) {
    const int64_t rows = row_counts[i];
    PfcRng rng;
    pfc_rng_seed(&rng, seed, 1 + i);
    double *as_double, expected[1100];
    void* observations = make_observations(net, rows, &rng, &as_double);
    float* outputs = malloc(sizeof(float) * (size_t)(rows * outs));
    CHECK(pfc_policy_forward(policy, observations, rows, NULL, outputs) == PFC_OK);
    for (int64_t row = 0; row < rows; ++row) {
      reference(&file, net, as_double + row * net->widths[0], expected);
      double largest = 1, error = 0;
      for (int64_t k = 0; k < outs; ++k) {
        largest = fmax(largest, fabs(expected[k]));
        error = fmax(error, fabs(expected[k] - (double)outputs[row * outs + k]));
      }
      CHECK(error <= 1e-5 * largest);
    }
    free(outputs), free(observations), free(as_double);
  }
  pfc_policy_destroy(policy);
  file_free(&file);
}

// Tests every instruction set of this processor, not only the widest.
static void test_linear(const PfcLinearInferKernels* kernels, int32_t inputs, int32_t outputs, int32_t rows) {
  PfcRng rng;
  pfc_rng_seed(&rng, 5, (uint64_t)(inputs * 1000 + outputs));
  const uint64_t weights = (uint64_t)inputs * (uint64_t)outputs;
  float* numbers = malloc(sizeof(float) * (weights + (uint64_t)outputs));
  float* x = malloc(sizeof(float) * (size_t)(rows * inputs));
  for (uint64_t i = 0; i < weights + (uint64_t)outputs; ++i) numbers[i] = pfc_rng_uniform(&rng, -1, 1);
  for (int32_t i = 0; i < rows * inputs; ++i) x[i] = pfc_rng_uniform(&rng, -1, 1);
  x[inputs - 1] = NAN;
  for (int32_t relu = 0; relu <= 1; ++relu) {
    PfcLinearInfer layer;
    CHECK(pfc_linear_infer_init(&layer, kernels, inputs, outputs, numbers, numbers + weights, relu != 0));
    float* out = pfc_alloc(sizeof(float) * (uint64_t)(rows * layer.padded));
    pfc_linear_infer_forward(&layer, x, inputs, rows, out);
    for (int32_t row = 0; row < rows; ++row)
      for (int32_t j = 0; j < outputs; ++j) {
        const float got = out[row * layer.padded + j];
        double expected = (double)numbers[weights + (uint64_t)j];
        for (int32_t k = 0; k < inputs; ++k) expected += (double)x[row * inputs + k] * (double)numbers[j * inputs + k];
        if (relu && expected < 0) expected = 0;
        CHECK(row == 0 ? isnan(got) : fabs(expected - (double)got) < 2e-5);
      }
    pfc_free(out);
    pfc_linear_infer_free(&layer);
  }
  free(numbers), free(x);
}

static void test_every_instruction_set(void) {
  static const int32_t sizes[][3] = {{1, 1, 1}, {3, 64, 6}, {118, 128, 25}, {9, 65, 13}, {40, 200, 7}, {5, 31, 12}};
  for (int32_t set = 0; pfc_linear_infer_kernels(set); ++set)
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i)
      test_linear(pfc_linear_infer_kernels(set), sizes[i][0], sizes[i][1], sizes[i][2]);
}

// ---- actions -----------------------------------------------------------------------------------------------

// Random masks [MAX_ROWS, words] with a legal choice in every dimension, or NULL for networks without masks.
static uint32_t* make_masks(const Net* net, int32_t words, PfcRng* rng) {
  if (!net->masked) return NULL;
  uint32_t* mask = calloc((size_t)(MAX_ROWS * words), sizeof *mask);
  for (int64_t row = 0; row < MAX_ROWS; ++row) {
    uint32_t first = 0;
    for (int32_t d = 0; d < net->action_dims; ++d) {
      const uint32_t count = (uint32_t)net->action_counts[d], sure = first + pfc_rng_below(rng, count);
      for (uint32_t k = first; k < first + count; ++k)
        if (k == sure || pfc_rng_below(rng, 3) == 0) mask[row * words + k / 32] |= 1u << (k % 32);
      first += count;
    }
  }
  return mask;
}

static bool all_legal(const Net* net, const uint32_t* mask, int32_t words, const int32_t* actions) {
  for (int64_t row = 0; mask && row < MAX_ROWS; ++row) {
    int32_t first = 0;
    for (int32_t d = 0; d < net->action_dims; ++d) {
      const int32_t k = first + actions[row * net->action_dims + d];
      if (!(mask[row * words + k / 32] >> (k % 32) & 1u)) return false;
      first += net->action_counts[d];
    }
  }
  return true;
}

// Actions equal pfc_sample on the outputs of forward, for any split of the rows.
static void test_act(const Net* net, uint64_t seed) {
  const int64_t outs = net->widths[net->layers], dims = net->action_dims, half = 101;
  File file = write_policy(net, seed);
  PfcPolicy* policy = parse(&file);
  double* as_double;
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 9);
  unsigned char* observations = make_observations(net, MAX_ROWS, &rng, &as_double);
  float* outputs = malloc(sizeof(float) * (size_t)(MAX_ROWS * outs));
  int32_t expected[MAX_ROWS * 8], actions[MAX_ROWS * 8], parts[MAX_ROWS * 8];
  float values[MAX_ROWS];
  const int32_t words = pfc_policy_info(policy)->mask_words;
  CHECK(words == (net->masked ? (outs - 1 + 31) / 32 : 0));
  uint32_t *mask = make_masks(net, words, &rng), *rest_mask = mask ? mask + half * words : NULL;
  const int64_t row_bytes = net->widths[0] * (net->dtype == PFC_FLOAT32 || net->dtype == PFC_INT32 ? 4 : 1);
  CHECK(pfc_policy_forward(policy, observations, MAX_ROWS, NULL, outputs) == PFC_OK);
  for (int32_t greedy = 0; greedy <= 1; ++greedy) {
    const PfcSampleArgs args = {.rows = MAX_ROWS,
                                .dims = net->action_dims,
                                .action_counts = net->action_counts,
                                .logits = outputs,
                                .logits_stride = outs,
                                .mask = mask,
                                .mask_words = words,
                                .seed = 3,
                                .step = 4,
                                .first_row = 5,
                                .greedy = greedy,
                                .actions = expected};
    const PfcPolicyDraw draw = {.greedy = greedy, .seed = 3, .step = 4, .first_row = 5};
    PfcPolicyDraw rest = draw;
    rest.first_row += (uint64_t)half;
    CHECK(pfc_sample(&args, NULL, NULL) == PFC_OK);
    CHECK(pfc_policy_act_masked(policy, observations, mask, MAX_ROWS, &draw, NULL, actions, values) == PFC_OK);
    CHECK(pfc_policy_act_masked(policy, observations, mask, half, &draw, NULL, parts, NULL) == PFC_OK);
    const unsigned char* second = observations + half * row_bytes;
    CHECK(pfc_policy_act_masked(policy, second, rest_mask, MAX_ROWS - half, &rest, NULL, parts + half * dims, NULL) ==
          PFC_OK);
    CHECK(all_legal(net, mask, words, actions));
    CHECK(memcmp(actions, expected, sizeof(int32_t) * (size_t)(MAX_ROWS * dims)) == 0);
    CHECK(memcmp(actions, parts, sizeof(int32_t) * (size_t)(MAX_ROWS * dims)) == 0);
    for (int64_t row = 0; row < MAX_ROWS; ++row) CHECK(values[row] == outputs[row * outs + outs - 1]);
  }
  const PfcStatus unmasked = pfc_policy_act(policy, observations, MAX_ROWS, NULL, NULL, parts, NULL);  // greedy
  if (mask)
    check_message(unmasked == PFC_INVALID, "was trained with masks; call pfc_policy_act_masked");
  else
    CHECK(unmasked == PFC_OK);
  CHECK(memcmp(actions, parts, sizeof(int32_t) * (size_t)(MAX_ROWS * dims)) == 0);  // of the last round
  free(mask);
  free(observations), free(as_double), free(outputs);
  pfc_policy_destroy(policy);
  file_free(&file);
}

// A row without a legal choice, or with outputs that are not finite, gets the first legal choices.
static void test_masked_rows_without_action(void) {
  const Net net = {"other", PFC_FLOAT32, 2, {2, 3}, 1, 0, 1, {1, 6}, {0}, 0};
  File file = write_policy(&net, 1);
  PfcPolicy* policy = parse(&file);
  const float observations[3] = {0.5f, NAN, 0.5f};
  const uint32_t mask[3] = {0x1f, 0x1a, 0x18};  // all; choice 1, and 1 and 2; none, and 1 and 2
  int32_t actions[6];
  check_message(pfc_policy_act_masked(policy, observations, mask, 3, NULL, NULL, actions, NULL) == PFC_INVALID,
                "observations, mask: 2 rows");
  CHECK(actions[2] == 1 && actions[3] == 1 && actions[4] == 0 && actions[5] == 1);
  check_message(pfc_policy_act_masked(policy, observations, NULL, 3, NULL, NULL, actions, NULL) == PFC_INVALID,
                "mask: this policy was trained with masks; expected uint32 [rows, 1]");
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_bad_calls(void) {
  File file = write_policy(&breakout_net, 1);
  PfcPolicy* policy = parse(&file);
  static float observations[2 * 118], outputs[8];
  int32_t actions[2] = {7, 7};
  check_message(pfc_policy_forward(NULL, observations, 1, NULL, outputs) == PFC_INVALID, "policy");
  check_message(pfc_policy_forward(policy, observations, 0, NULL, outputs) == PFC_INVALID, "rows: expected at least 1");
  check_message(pfc_policy_forward(policy, NULL, 1, NULL, outputs) == PFC_INVALID, "observations");
  check_message(pfc_policy_forward(policy, observations, 1, NULL, NULL) == PFC_INVALID, "outputs");
  check_message(pfc_policy_act(policy, observations, 1, NULL, NULL, NULL, NULL) == PFC_INVALID, "actions");
  check_message(pfc_policy_act(policy, observations, -1, NULL, NULL, actions, NULL) == PFC_INVALID, "rows");
  observations[3] = NAN;
  check_message(pfc_policy_act(policy, observations, 2, NULL, NULL, actions, NULL) == PFC_INVALID, "1 rows");
  CHECK(actions[0] == 0 && actions[1] >= 0 && actions[1] < 3);
  const uint32_t mask[2] = {7, 7};
  check_message(pfc_policy_act_masked(policy, observations, mask, 2, NULL, NULL, actions, NULL) == PFC_INVALID,
                "mask: this policy was trained without masks");
  CHECK(pfc_policy_info(NULL) == NULL);
  pfc_policy_destroy(NULL);
  check_message(pfc_policy_check(policy, NULL) == PFC_INVALID, "pool");
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void check_pool(const Net* net, const char* game, const PfcParamValue* param, const char* word) {
  const PfcPoolDesc desc = {.env = game, .num_games = 2, .params = param, .num_params = param != NULL};
  File file = write_policy(net, 1);
  PfcPolicy* policy = parse(&file);
  PfcPool* pool = pfc_pool_create(&desc);
  const PfcStatus status = pfc_policy_check(policy, pool);
  if (word) check_message(status == PFC_INVALID, word);
  else CHECK(status == PFC_OK);
  pfc_pool_destroy(pool);
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_fit(void) {
  const PfcParamValue continuous = {"continuous", 1};
  Net net = breakout_net;
  check_pool(&net, "breakout", NULL, NULL);
  check_pool(&net, "cartpole", NULL, "breakout version 1, the pool plays cartpole");
  check_pool(&net, "breakout", &continuous, "actions");
  net.masked = 1;
  check_pool(&net, "breakout", NULL, "was trained with masks, the pool has none");
  net.masked = 0, net.widths[0] = 117;
  check_pool(&net, "breakout", NULL, "observations of 117 values");
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) {
    File file = write_policy(&breakout_net, 1);
    const bool saved = save(argv[2], &file);
    file_free(&file);
    return saved ? 0 : 1;
  }
  for (uint64_t seed = 1; seed <= 3; ++seed)
    for (size_t i = 0; i < NUM_NETS; ++i) test_forward(&nets[i], seed);
  for (size_t i = 0; i < NUM_NETS; ++i) test_act(&nets[i], 7);
  test_every_instruction_set();
  test_masked_rows_without_action();
  test_bad_calls();
  test_fit();
  return check_report();
}
