// test_cuda_kernels.cpp - the kernels of csrc/cuda, compiled for the CPU, against advantage.c and scan.c: equal bits
// for odd shapes and numbers of every kind, whatever the order of the threads; and how a launch divides columns into
// blocks.
//
// Arrays are vectors of their exact size, so that AddressSanitizer sees an access outside of them.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "cuda/advantage_cuda.h"
#include "cuda/launch.h"
#include "cuda/scan_cuda.h"
#include "pufferc/rng.h"

namespace {

using Floats = std::vector<float>;
using Flags = std::vector<uint8_t>;

constexpr float kUnwritten = 12345.0f;
const int64_t kSteps[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 40, 64, 131};

PfcRng generator(uint64_t seed) {
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 7);
  return rng;
}

// Uniform in [-scale, scale]; where `special`, some are numbers that arithmetic treats in its own way.
Floats random_floats(PfcRng* rng, int64_t count, float scale, bool special) {
  using Limits = std::numeric_limits<float>;
  const float others[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), 0.0f, -0.0f, 1e-41f, -3e38f};
  Floats x(static_cast<size_t>(count));
  for (float& number : x) {
    number = pfc_rng_uniform(rng, -scale, scale);
    if (special && pfc_rng_below(rng, 40) == 0) number = others[pfc_rng_below(rng, 7)];
  }
  return x;
}

// One in `period` is set, to any value but 0; a period of 1 sets all.
Flags random_flags(PfcRng* rng, int64_t count, uint32_t period) {
  Flags x(static_cast<size_t>(count));
  for (uint8_t& flag : x)
    flag = static_cast<uint8_t>(pfc_rng_below(rng, period) == 0 ? 1 + pfc_rng_below(rng, 255) : 0);
  return x;
}

// Any NaN equals any other: which of two operands a sum takes its NaN from is not defined.
bool same_bits(const Floats& a, const Floats& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return a.size() == b.size();
}

// ---- advantages ------------------------------------------------------------------------------------------

struct Rollout {
  Floats rewards, values, final_values, ratio;
  Flags terminated, truncated;
  PfcAdvantageArgs args{};

  Rollout(int64_t steps, int64_t rows, bool has_final, bool has_ratio, bool special) {
    PfcRng rng = generator(static_cast<uint64_t>(steps * 4096 + rows));
    const int64_t count = steps * rows;
    rewards = random_floats(&rng, count, 1.0f, special);
    values = random_floats(&rng, count + rows, 2.0f, special);
    final_values = random_floats(&rng, count, 2.0f, special);
    ratio = random_floats(&rng, count, 1.0f, special);
    for (float& x : ratio) x = std::fabs(x) * 2.0f;
    terminated = random_flags(&rng, count, 7);
    truncated = random_flags(&rng, count, 5);
    args.steps = steps, args.rows = rows;
    args.rewards = rewards.data(), args.values = values.data();
    args.terminated = terminated.data(), args.truncated = truncated.data();
    args.final_values = has_final ? final_values.data() : nullptr;
    args.ratio = has_ratio ? ratio.data() : nullptr;
    args.gamma = 0.97f, args.gae_lambda = 0.9f, args.rho_clip = 1.1f, args.c_clip = 0.95f;
  }

  Floats on_cpu() {
    Floats advantages(rewards.size(), kUnwritten);
    args.advantages = advantages.data();
    CHECK(pfc_advantage(&args, nullptr) == PFC_OK);
    return advantages;
  }

  Floats by_kernel(bool reversed) {
    Floats advantages(rewards.size(), kUnwritten);
    args.advantages = advantages.data();
    cuda.reversed = reversed;
    CHECK(pfc_advantage_cuda(args, nullptr) == cudaSuccess);
    return advantages;
  }
};

void test_advantage(int64_t steps, int64_t rows) {
  for (int kind = 0; kind < 8; ++kind) {
    Rollout rollout(steps, rows, kind & 1, kind & 2, kind & 4);
    const Floats expected = rollout.on_cpu();
    for (const bool reversed : {false, true}) CHECK(same_bits(rollout.by_kernel(reversed), expected));
  }
}

// ---- the scan --------------------------------------------------------------------------------------------

struct Sequence {
  Floats pre, initial, states, grad_states, grad_pre, grad_initial;
  Flags starts;
  PfcScanArgs args{};

  // period: of starts; 0 = there are none.
  Sequence(int64_t steps, int64_t rows, int64_t units, uint32_t period, bool special) {
    PfcRng rng = generator(static_cast<uint64_t>((steps * 256 + rows) * 256 + units));
    const int64_t count = steps * rows * units;
    pre = random_floats(&rng, 2 * count, 6.0f, special);
    initial = random_floats(&rng, rows * units, 2.0f, special);
    grad_states = random_floats(&rng, count, 1.0f, special);
    starts = random_flags(&rng, steps * rows, period ? period : 1);
    args.steps = steps, args.rows = rows, args.units = units;
    args.pre = pre.data(), args.initial = initial.data(), args.grad_states = grad_states.data();
    args.starts = period ? starts.data() : nullptr;
  }

  void clear() {
    states.assign(grad_states.size(), kUnwritten);
    grad_pre.assign(pre.size(), kUnwritten);
    grad_initial.assign(initial.size(), kUnwritten);
    args.states = states.data(), args.grad_pre = grad_pre.data(), args.grad_initial = grad_initial.data();
  }

  void on_cpu() {
    clear();
    pfc_scan(&args, nullptr);
    pfc_scan_backward(&args, nullptr);
  }

  void by_kernels(bool reversed) {
    clear();
    cuda.reversed = reversed;
    CHECK(pfc_scan_cuda(args, false, nullptr) == cudaSuccess);
    CHECK(pfc_scan_cuda(args, true, nullptr) == cudaSuccess);
  }
};

void test_scan(int64_t steps, int64_t rows, int64_t units) {
  for (const uint32_t period : {0u, 4u, 1u})
    for (const bool special : {false, true}) {
      Sequence expected(steps, rows, units, period, special);
      expected.on_cpu();
      for (const bool reversed : {false, true}) {
        Sequence got(steps, rows, units, period, special);
        got.by_kernels(reversed);
        CHECK(same_bits(got.states, expected.states));
        CHECK(same_bits(got.grad_pre, expected.grad_pre));
        CHECK(same_bits(got.grad_initial, expected.grad_initial));
      }
    }
}

// ---- launches --------------------------------------------------------------------------------------------

struct Visits {
  int64_t columns;
  int* counts;  // [columns]
  int* beyond;  // threads without a column
};

void count_visits(Visits visits) {
  const int64_t column = pufferc::column_of_thread();
  ++(column < visits.columns ? visits.counts[column] : *visits.beyond);
}

// Every column has one thread, and blocks are of one warp where there are few.
void test_launch(int64_t columns, unsigned threads) {
  std::vector<int> counts(static_cast<size_t>(columns));
  int beyond = 0;
  const Visits visits = {columns, counts.data(), &beyond};
  CHECK(pufferc::launch(count_visits, visits, pufferc::blocks_of(columns), nullptr) == cudaSuccess);
  CHECK(counts == std::vector<int>(counts.size(), 1));
  CHECK(blockDim.x == threads && beyond < static_cast<int>(threads));
}

void test_launches_that_do_not_happen() {
  int beyond = 0;
  const Visits none = {0, nullptr, &beyond};
  CHECK(pufferc::launch(count_visits, none, pufferc::blocks_of(0), nullptr) == cudaSuccess && beyond == 0);
  const int64_t too_many = (int64_t{1} << 32) + 1;  // one block, if cut to 32 bits
  CHECK(pufferc::blocks_of(64 * too_many - 1).count == too_many);
  CHECK(pufferc::launch(count_visits, none, {too_many, 64}, nullptr) == cudaErrorInvalidConfiguration && beyond == 0);
  Sequence empty(5, 0, 3, 4, false);
  CHECK(pfc_scan_cuda(empty.args, false, nullptr) == cudaSuccess);
}

}  // namespace

int main() {
  for (const int64_t steps : kSteps) {
    for (const int64_t rows : {1, 2, 31, 32, 33, 63, 64, 65, 127, 200, 513}) test_advantage(steps, rows);
    for (const int64_t rows : {1, 2, 33})
      for (const int64_t units : {1, 3, 33, 64}) test_scan(steps, rows, units);
  }
  for (const int64_t columns : {pufferc::kFewColumns, pufferc::kFewColumns + 1, pufferc::kFewColumns + 64}) {
    test_advantage(9, columns);
    test_scan(9, columns, 1);
    test_launch(columns, columns <= pufferc::kFewColumns ? 32 : 64);
  }
  for (const int64_t columns : {1, 31, 32, 33, 4095}) test_launch(columns, 32);
  test_launches_that_do_not_happen();
  return check_report();
}
