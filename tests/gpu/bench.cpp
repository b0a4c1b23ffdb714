// bench.cpp - times of the kernels and the pool on a GPU, as lines of JSON, for run.sh.
//
//   gpu_bench envs SECONDS SCALE         steps of every game with device code, for SECONDS each
//   gpu_bench advantage SECONDS SCALE    the advantage kernel in 40 shapes, beside the time that its bytes take at the
//                                        bandwidth of a copy
//
// SCALE multiplies the numbers of games and columns: 1 on a GPU, less in tests on this processor.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/advantage_cuda.h"
#include "cuda/device_pool.h"

namespace {

constexpr uint64_t kMaxPoolBytes = uint64_t{8} << 30;
constexpr int64_t kRows = 1 << 20;  // agent rows of a pool of small games
constexpr int kActionSets = 8;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "gpu_bench: %s: %s\n", what, pfc_last_error());
  std::exit(1);
}

void* device_memory(uint64_t bytes) {
  void* memory = nullptr;
  expect(cudaMalloc(&memory, bytes) == cudaSuccess, "no device memory");
  return memory;
}

// Seconds of one call of `work`, which enqueues: from as many calls as take `seconds` together, at least 3.
template <typename Work>
double time_of(double seconds, const Work& work) {
  work(0);  // the first launch loads the kernel
  expect(cudaStreamSynchronize(nullptr) == cudaSuccess, "a kernel failed");
  for (int64_t calls = 3;; calls *= 4) {
    const double began = now_s();
    for (int64_t i = 0; i < calls; ++i) work(i);
    expect(cudaStreamSynchronize(nullptr) == cudaSuccess, "a kernel failed");
    const double taken = now_s() - began;
    if (taken >= seconds) return taken / static_cast<double>(calls);
  }
}

// ---- games -------------------------------------------------------------------------------------------------

// Choices or controls [kActionSets, rows, dims] in device memory, uniform. An illegal choice becomes a legal one.
void* random_actions(const PfcBuffers* b) {
  const size_t dims = static_cast<size_t>(b->action_dims);
  std::vector<uint32_t> actions(kActionSets * static_cast<size_t>(b->rows) * dims);
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 2);
  for (size_t i = 0; i < actions.size(); ++i) {
    const float control = pfc_rng_uniform(&rng, -1.0f, 1.0f);
    if (b->discrete) actions[i] = pfc_rng_below(&rng, static_cast<uint32_t>(b->action_counts[i % dims]));
    else std::memcpy(&actions[i], &control, sizeof control);
  }
  void* device = device_memory(actions.size() * sizeof(uint32_t));
  expect(cudaMemcpyAsync(device, actions.data(), actions.size() * sizeof(uint32_t), cudaMemcpyHostToDevice, nullptr) ==
             cudaSuccess, "cannot copy actions");
  expect(cudaStreamSynchronize(nullptr) == cudaSuccess, "cannot copy actions");
  return device;
}

// As many games as give kRows rows, fewer if their states need more than kMaxPoolBytes.
int32_t number_of_games(const char* game, double scale) {
  PfcPoolDesc one{};
  one.env = game;
  one.num_games = 1;
  PfcPool* pool = pfc_pool_create(&one);
  expect(pool != nullptr, game);
  const uint64_t bytes = pfc_pool_snapshot_bytes(pool);
  const double agents = pfc_pool_buffers(pool)->agents;
  pfc_pool_destroy(pool);
  const double games = static_cast<double>(kRows) * scale / agents;
  const double fit = static_cast<double>(kMaxPoolBytes) * scale / static_cast<double>(bytes);
  return 1 + static_cast<int32_t>(games < fit ? games : fit);
}

void bench_game(const char* game, double seconds, double scale) {
  PfcPoolDesc desc{};
  desc.env = game;
  desc.num_games = number_of_games(game, scale);
  desc.seed = 1;
  PfcDevicePool* pool = pfc_device_pool_create(&desc);
  if (!pool) {
    std::printf("{\"part\": \"envs\", \"game\": \"%s\", \"left_out\": \"%s\"}\n", game, pfc_last_error());
    return;
  }
  const PfcBuffers* b = pfc_device_pool_buffers(pool);
  const auto* actions = static_cast<const unsigned char*>(random_actions(b));
  const uint64_t set_bytes = static_cast<uint64_t>(b->rows) * static_cast<uint64_t>(b->action_dims) * sizeof(uint32_t);
  const PfcDtype dtype = b->discrete ? PFC_INT32 : PFC_FLOAT32;
  expect(pfc_device_pool_reset(pool, nullptr, nullptr) == PFC_OK, "reset");
  const double step_s = time_of(seconds, [&](int64_t i) {
    const void* set = actions + static_cast<uint64_t>(i % kActionSets) * set_bytes;
    expect(pfc_device_pool_step(pool, set, dtype, nullptr, nullptr) == PFC_OK, "step");
  });
  std::printf("{\"part\": \"envs\", \"game\": \"%s\", \"games\": %d, \"rows\": %d, \"step_us\": %.3f, "
              "\"steps_per_s\": %.6g}\n", game, b->num_games, b->rows, step_s * 1e6, b->rows / step_s);
  std::fflush(stdout);
  (void)cudaFree(const_cast<unsigned char*>(actions));
  pfc_device_pool_destroy(pool);
}

// ---- advantages --------------------------------------------------------------------------------------------

// Bytes per second, read and written, of a large copy on the device.
double copy_rate(double seconds, double scale) {
  const auto bytes = static_cast<uint64_t>(scale * (1 << 30)) + 4096;
  void *from = device_memory(bytes), *to = device_memory(bytes);
  const double copy_s = time_of(seconds, [&](int64_t) {
    expect(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, nullptr) == cudaSuccess, "copy");
  });
  (void)cudaFree(from);
  (void)cudaFree(to);
  return 2.0 * static_cast<double>(bytes) / copy_s;
}

void bench_shape(int64_t steps, int64_t rows, double rate, double seconds) {
  const auto count = static_cast<uint64_t>(steps * rows), row = static_cast<uint64_t>(rows);
  PfcAdvantageArgs args{};
  args.steps = steps;
  args.rows = rows;
  args.rewards = static_cast<float*>(device_memory(count * 4));
  args.values = static_cast<float*>(device_memory((count + row) * 4));
  args.terminated = static_cast<uint8_t*>(device_memory(count));
  args.truncated = static_cast<uint8_t*>(device_memory(count));
  args.advantages = static_cast<float*>(device_memory(count * 4));
  args.gamma = 0.99f, args.gae_lambda = 0.95f, args.rho_clip = args.c_clip = 1.0f;
  void* memory[] = {const_cast<float*>(args.rewards), const_cast<float*>(args.values),
                    const_cast<uint8_t*>(args.terminated), const_cast<uint8_t*>(args.truncated), args.advantages};
  const uint64_t sizes[] = {count * 4, (count + row) * 4, count, count, count * 4};
  for (int i = 0; i < 5; ++i) expect(cudaMemsetAsync(memory[i], 0, sizes[i], nullptr) == cudaSuccess, "memset");
  const double kernel_s =
      time_of(seconds, [&](int64_t) { expect(pfc_advantage_cuda(args, nullptr) == cudaSuccess, "advantage"); });
  const double bytes = static_cast<double>(count) * 14.0 + static_cast<double>(row) * 4.0;
  std::printf("{\"part\": \"advantage\", \"steps\": %lld, \"rows\": %lld, \"bytes\": %.0f, \"us\": %.3f, "
              "\"limit_us\": %.3f}\n", static_cast<long long>(steps), static_cast<long long>(rows), bytes,
              kernel_s * 1e6, bytes / rate * 1e6);
  std::fflush(stdout);
  for (void* part : memory) (void)cudaFree(part);
}

// 39 shapes, and the one of 32,768 columns and 8 steps that others publish; 128 steps of 8,192 columns are among them.
void bench_shapes(double seconds, double scale) {
  const double rate = copy_rate(seconds, scale);
  std::printf("{\"part\": \"copy\", \"bytes_per_s\": %.6g}\n", rate);
  const auto columns = [scale](int64_t rows) { return 1 + static_cast<int64_t>(scale * static_cast<double>(rows - 1)); };
  for (const int64_t steps : {16, 128, 1024})
    for (int64_t rows = 64; rows <= 262144; rows *= 2) bench_shape(steps, columns(rows), rate, seconds);
  bench_shape(8, columns(32768), rate, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc == 4 ? std::atof(argv[2]) : -1.0, scale = argc == 4 ? std::atof(argv[3]) : 0.0;
  if (seconds < 0.0 || !(scale > 0.0 && scale <= 1.0)) {
    std::fprintf(stderr, "usage: gpu_bench envs|advantage SECONDS SCALE\n");
    return 2;
  }
  if (std::strcmp(argv[1], "advantage") == 0) bench_shapes(seconds, scale);
  else
    for (int32_t i = 0; i < pfc_device_game_count(); ++i)
      if (pfc_env_find(pfc_device_game_name(i))) bench_game(pfc_device_game_name(i), seconds, scale);
  return 0;
}
