// test_policy_memory.c - recurrent policies and continuous actions: many steps with ends of episodes against plain
// loops in double precision, states owned by the caller, and controls against the sampler.
#include "harness.h"
#include "kernels/gaussian.h"
#include "policy_writer.h"

enum { ROWS = 130, STEPS = 25, WIDEST = 200, MAX_STATE = 400 };

static const Net nets[] = {
    {"maze", PFC_FLOAT32, 1, {3}, 0, 0, 3, {7, 128, 128, 4}, {0, NET_MINGRU}, 0},
    {"maze", PFC_FLOAT32, 1, {3}, 0, 0, 3, {7, 128, 128, 4}, {0, NET_LSTM}, 0},
    {"maze", PFC_FLOAT32, 2, {2, 3}, 0, 0, 4, {5, 5, 33, 33, 6}, {NET_MINGRU, NET_LSTM, NET_MINGRU}, 0},
    {"maze", PFC_FLOAT32, 3, {0}, 0, 0, 3, {4, 17, 1, 7}, {NET_LSTM, 0}, 1},
    {"maze", PFC_FLOAT32, 8, {0}, 0, 0, 1, {9, 17}, {0}, 2},
};
enum { NUM_NETS = sizeof nets / sizeof nets[0] };

// ---- one row in double precision -----------------------------------------------------------------------------

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

// pre [rows] = the matrix and biases at `weights` times x [columns].
static void multiply(const float* weights, uint64_t rows, uint64_t columns, const double* x, double* pre) {
  for (uint64_t j = 0; j < rows; ++j) {
    pre[j] = (double)weights[rows * columns + j];
    for (uint64_t k = 0; k < columns; ++k) pre[j] += x[k] * (double)weights[j * columns + k];
  }
}

// Applies one layer to x [inputs] in place; `state` is that of the layer.
static void layer_reference(const Net* net, int32_t layer, const float* weights, double* x, double* state) {
  double pre[4 * WIDEST], joined[2 * WIDEST];
  const uint64_t inputs = (uint64_t)net->widths[layer], outputs = (uint64_t)net->widths[layer + 1];
  memcpy(joined, x, sizeof(double) * inputs);
  if (net_kind(net, layer) == NET_LSTM) memcpy(joined + inputs, state, sizeof(double) * outputs);
  multiply(weights, net_rows(net, layer), net_columns(net, layer), joined, pre);
  for (uint64_t i = 0; i < outputs; ++i) {
    double *h = state + i, *c = state + outputs + i;
    switch (net_kind(net, layer)) {
      case NET_MINGRU: {
        const double z = sigmoid(pre[i]);
        *h = (1 - z) * *h + z * pre[outputs + i];
        x[i] += *h;
        break;
      }
      case NET_LSTM:
        *c = sigmoid(pre[outputs + i]) * *c + sigmoid(pre[i]) * tanh(pre[2 * outputs + i]);
        x[i] = *h = sigmoid(pre[3 * outputs + i]) * tanh(*c);
        break;
      default: x[i] = layer + 1 < net->layers ? fmax(pre[i], 0) : pre[i];
    }
  }
}

static int32_t layer_state(const Net* net, int32_t layer) {
  const int32_t kind = net_kind(net, layer);
  return net->widths[layer + 1] * (kind == NET_LSTM ? 2 : kind == NET_MINGRU);
}

static int32_t net_state(const Net* net) {
  int32_t size = 0;
  for (int32_t i = 0; i < net->layers; ++i) size += layer_state(net, i);
  return size;
}

// x [WIDEST] begins with the observation and ends with the outputs.
static void reference(const File* file, const Net* net, double* x, double* state) {
  uint64_t at = 168;
  for (int32_t i = 0; i < net->layers; ++i) {
    layer_reference(net, i, (const float*)(const void*)(file->data + at + 24), x, state);
    at += 24 + net_layer_bytes(net, i);
    state += layer_state(net, i);
  }
}

// ---- many steps -----------------------------------------------------------------------------------------------

static double row_error(const float* outputs, const double* expected, int32_t count) {
  double largest = 1, error = 0;
  for (int32_t k = 0; k < count; ++k) {
    largest = fmax(largest, fabs(expected[k]));
    error = fmax(error, fabs(expected[k] - (double)outputs[k]));
  }
  return error / largest;
}

// Some rows end at every step; the others continue with their state.
static void test_steps(const Net* net, uint64_t seed) {
  static double expected_state[ROWS][MAX_STATE];
  const int32_t size = net->widths[0], outs = net->widths[net->layers];
  File file = write_policy(net, seed);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
  if (!CHECK(policy != NULL)) return;
  CHECK(pfc_policy_info(policy)->state_size == net_state(net) && pfc_policy_info(policy)->num_outputs == outs);
  CHECK(pfc_policy_info(policy)->discrete == !net->head && pfc_policy_info(policy)->action_dims == net->action_dims);
  float* state = calloc((size_t)(ROWS * net_state(net) + 1), sizeof(float));
  float observations[ROWS * 16], outputs[ROWS * 32];
  uint8_t terminated[ROWS], truncated[ROWS];
  memset(expected_state, 0, sizeof expected_state);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 77);
  for (int32_t t = 0; t < STEPS; ++t) {
    for (int32_t i = 0; i < ROWS * size; ++i) observations[i] = pfc_rng_uniform(&rng, -2, 2);
    CHECK(pfc_policy_forward(policy, observations, ROWS, state, outputs) == PFC_OK);
    for (int32_t row = 0; row < ROWS; ++row) {
      double x[WIDEST];
      for (int32_t i = 0; i < size; ++i) x[i] = (double)observations[row * size + i];
      reference(&file, net, x, expected_state[row]);
      CHECK(row_error(outputs + row * outs, x, outs) < 1e-5);
      CHECK(row_error(state + row * net_state(net), expected_state[row], net_state(net)) < 1e-5);
      terminated[row] = pfc_rng_below(&rng, 20) == 0, truncated[row] = pfc_rng_below(&rng, 20) == 0;
      if (terminated[row] || truncated[row]) memset(expected_state[row], 0, sizeof expected_state[row]);
    }
    CHECK(pfc_policy_restart(policy, ROWS, terminated, truncated, state) == PFC_OK);
  }
  free(state);
  pfc_policy_destroy(policy);
  file_free(&file);
}

// ---- actions ----------------------------------------------------------------------------------------------------

// Any split of the rows gives the same actions and states. Normal heads give the sampler's draws, within their bounds.
static void test_act(const Net* net) {
  const int32_t size = net->widths[0], outs = net->widths[net->layers], dims = net->action_dims, half = 61;
  const int32_t state_size = net_state(net);
  const size_t state_bytes = sizeof(float) * (size_t)(ROWS * state_size + 1);
  File file = write_policy(net, 5);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
  float observations[ROWS * 16], outputs[ROWS * 32], actions[ROWS * 8], parts[ROWS * 8], values[ROWS], drawn[ROWS * 8];
  float *state = calloc(1, state_bytes), *other = calloc(1, state_bytes), *third = calloc(1, state_bytes);
  PfcRng rng;
  pfc_rng_seed(&rng, 6, 0);
  for (uint64_t t = 0; t < 4; ++t) {
    PfcPolicyDraw draw = {.greedy = t == 3, .seed = 9, .step = t, .first_row = 2};
    for (int32_t i = 0; i < ROWS * size; ++i) observations[i] = pfc_rng_uniform(&rng, -2, 2);
    CHECK(pfc_policy_forward(policy, observations, ROWS, third, outputs) == PFC_OK);
    CHECK(pfc_policy_act(policy, observations, ROWS, &draw, state, actions, values) == PFC_OK);
    CHECK(pfc_policy_act(policy, observations, half, &draw, other, parts, NULL) == PFC_OK);
    draw.first_row += (uint64_t)half;
    CHECK(pfc_policy_act(policy, observations + half * size, ROWS - half, &draw, other + half * state_size,
                         parts + half * dims, NULL) == PFC_OK);
    CHECK(memcmp(actions, parts, sizeof(float) * (size_t)(ROWS * dims)) == 0);
    CHECK(memcmp(state, other, state_bytes) == 0 && memcmp(state, third, state_bytes) == 0);
    for (int32_t row = 0; row < ROWS; ++row) CHECK(values[row] == outputs[row * outs + outs - 1]);
    if (!net->head) continue;
    const PfcGaussianSampleArgs args = {.rows = ROWS, .dims = dims, .outputs = outputs, .outputs_stride = outs,
                                        .seed = 9, .step = t, .first_row = 2, .greedy = t == 3, .actions = drawn};
    CHECK(pfc_gaussian_sample(&args, NULL, NULL) == PFC_OK);
    for (int32_t i = 0; i < ROWS * dims; ++i) {
      const double bounded = net->head == 2 ? tanh((double)drawn[i]) : fmin(fmax((double)drawn[i], -1), 1);
      CHECK(fabs((double)actions[i] - bounded) < 1e-6);
    }
  }
  free(state), free(other), free(third);
  pfc_policy_destroy(policy);
  file_free(&file);
}

// A NaN in an observation is reported, even if later layers squash it, and affects its own row only.
static void test_not_finite(const Net* net) {
  const int32_t size = net->widths[0];
  File file = write_policy(net, 5);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
  float observations[3 * 16] = {0}, actions[3 * 8], *state = calloc((size_t)(3 * net_state(net) + 1), sizeof(float));
  observations[2 * size - 1] = NAN;
  CHECK(pfc_policy_act(policy, observations, 3, NULL, state, actions, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "1 rows"));
  for (int32_t d = 0; d < net->action_dims; ++d) CHECK(actions[net->action_dims + d] == 0.0f);
  for (int32_t i = 0; i < net_state(net); ++i)
    CHECK(isfinite(state[i]) && isfinite(state[2 * net_state(net) + i]));
  const uint8_t ended[3] = {0, 1, 0}, none[3] = {0};
  CHECK(pfc_policy_restart(policy, 3, none, ended, state) == PFC_OK);
  observations[2 * size - 1] = 0.0f;
  CHECK(pfc_policy_act(policy, observations, 3, NULL, state, actions, NULL) == PFC_OK);
  free(state);
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_bad_calls(void) {
  File file = write_policy(&nets[0], 1);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
  float observation[7] = {0}, outputs[4], state[128] = {0};
  int32_t action;
  const uint8_t flags[1] = {0};
  check_message(pfc_policy_forward(policy, observation, 1, NULL, outputs) == PFC_INVALID, "state: this policy has");
  check_message(pfc_policy_act(policy, observation, 1, NULL, NULL, &action, NULL) == PFC_INVALID, "[rows, 128]");
  check_message(pfc_policy_restart(policy, 1, flags, flags, NULL) == PFC_INVALID, "state");
  check_message(pfc_policy_restart(policy, 1, NULL, flags, state) == PFC_INVALID, "terminated");
  check_message(pfc_policy_restart(policy, 0, flags, flags, state) == PFC_INVALID, "rows");
  check_message(pfc_policy_restart(NULL, 1, flags, flags, state) == PFC_INVALID, "policy");
  pfc_policy_destroy(policy);
  file_free(&file);
}

// ---- files ------------------------------------------------------------------------------------------------------

// The first layer of a file without parameters begins at byte 168: kind, option, inputs, outputs, bytes.
static void check_damage(const Net* net, uint64_t at, uint32_t value, const char* word) {
  File file = write_policy(net, 1);
  memcpy(file.data + at, &value, 4);
  seal(&file);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
  check_message(!policy, word);
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_damages(void) {
  const Net* gru = &nets[2];
  const Net* lstm = &nets[3];
  check_damage(gru, 172, 1, "layer 0: the option is 1");
  check_damage(gru, 180, 6, "layer 0: the number of outputs is 6, expected 5");
  check_damage(gru, 184, 8, "size in bytes is 8, expected 240");
  check_damage(gru, 168, NET_LSTM, "layer 0: the size in bytes is 240");
  check_damage(lstm, 172, 1, "layer 0: the option is 1");
  check_damage(lstm, 180, 70000, "outputs is 70000, expected 65536");
  check_damage(lstm, 124, 2, "2 choices in action dimension 0");
  check_damage(lstm, 116, 0, "0 choices in action dimension 0");
  check_damage(lstm, 120, 4, "9 outputs");
  const Net ends_in_memory = {"maze", PFC_FLOAT32, 1, {3}, 0, 0, 2, {7, 4, 4}, {0, NET_MINGRU}, 0};
  check_damage(&ends_in_memory, 116, 0, "last layer must be linear");
}

// A policy fits its continuous game, but not one with another number of controls.
static void test_fit(void) {
  const PfcParamValue continuous = {"continuous", 1};
  const PfcPoolDesc desc = {.env = "cartpole", .num_games = 2, .params = &continuous, .num_params = 1};
  const PfcPoolDesc other = {.env = "cartpole", .num_games = 2};
  Net net = {"cartpole", PFC_FLOAT32, 1, {0}, 0, 0, 1, {4, 3}, {0}, 1};
  for (int32_t dims = 1; dims <= 2; ++dims, net.action_dims = dims, net.widths[1] = 2 * dims + 1) {
    File file = write_policy(&net, 1);
    PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, "test");
    PfcPool *pool = pfc_pool_create(&desc), *discrete = pfc_pool_create(&other);
    CHECK((pfc_policy_check(policy, pool) == PFC_OK) == (dims == 1));
    check_message(pfc_policy_check(policy, discrete) == PFC_INVALID, "other actions");
    CHECK(pfc_pool_reset(pool, NULL) == PFC_OK);
    float actions[4];
    const PfcPolicyDraw draw = {.seed = 1};
    CHECK(pfc_policy_act(policy, pfc_pool_buffers(pool)->observations, 2, &draw, NULL, actions, NULL) == PFC_OK);
    if (dims == 1) CHECK(pfc_pool_step(pool, actions, pfc_policy_info(policy)->action_dtype, NULL) == PFC_OK);
    pfc_pool_destroy(pool), pfc_pool_destroy(discrete);
    pfc_policy_destroy(policy);
    file_free(&file);
  }
}

int main(void) {
  for (uint64_t seed = 1; seed <= 3; ++seed)
    for (size_t i = 0; i < NUM_NETS; ++i) test_steps(&nets[i], seed);
  for (size_t i = 0; i < NUM_NETS; ++i) test_act(&nets[i]);
  for (size_t i = 0; i < NUM_NETS; ++i) test_not_finite(&nets[i]);
  test_bad_calls();
  test_damages();
  test_fit();
  return check_report();
}
