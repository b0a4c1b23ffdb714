// device_pool.cu - a pool on a CUDA device; see device_pool.h for its contract.
//
// Design:
//
// - One thread per game runs what the CPU pool runs for a block of games: pool/step.h, on the same struct PfcGames, whose
//   pointers are to device memory here. Each game is a translation unit of its own (device_game.h). A step is one kernel.
// - A pool on the CPU, the twin, belongs to every device pool. It checks the description, seeds the games and has the same
//   arrays at the same offsets, so that one copy moves everything between the two. Snapshots and the means of
//   pop_metrics are the twin's work.
// - One allocation holds the arrays, the parameters, the data and scratch memory. Kernel arguments are constant during
//   the life of a pool; what can change (parameters) is read from memory, so a captured graph stays valid.
// - The state of a game is one block of bytes, as on the CPU: neighbouring threads read addresses a state apart. Arrays
//   with one value per row are read by neighbouring threads side by side. Other layouts of the state, and several threads
//   per game for many agents, have to be measured on a GPU first; nothing here has been.
#include "device_pool.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "core/base.h"
#include "device_code.h"
#include "launch.h"
#include "pool/games.h"

#define PFC_GAME(id) extern const PfcDeviceCode pfc_device_code_##id;
#include "device_games.inc"
#undef PFC_GAME

struct PfcDevicePool {
  PfcPool* twin;
  PfcGames* twin_games;
  const PfcDeviceCode* code;
  PfcBuffers buffers;  // of device memory
  PfcDeviceCall call;  // what all kernels of this pool get
  uint64_t games_bytes;  // of the arrays of `call.games`, from call.games.states on
  bool was_reset;
};

namespace {

#define PFC_GAME(id) &pfc_device_code_##id,
const PfcDeviceCode* const kCodes[] = {
#include "device_games.inc"
};
#undef PFC_GAME
constexpr int32_t kNumCodes = sizeof kCodes / sizeof kCodes[0];

PfcStatus check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return PFC_OK;
  (void)cudaGetLastError();  // clears the error, so that the next call does not report it again
  const PfcStatus status = error == cudaErrorMemoryAllocation ? PFC_NO_MEMORY : PFC_UNSUPPORTED;
  return pfc_fail(status, "%s: %s: %s", what, cudaGetErrorName(error), cudaGetErrorString(error));
}

const PfcDeviceCode* find_code(const char* name) {
  for (const PfcDeviceCode* code : kCodes)
    if (std::strcmp(code->name, name) == 0) return code;
  return nullptr;
}

// ---- creation ----------------------------------------------------------------------------------------

// A game can run if its state can be copied and it has device code with the functions of its spec.
PfcStatus find_game(PfcDevicePool* pool, const PfcEnvSpec* spec) {
  pool->code = find_code(spec->name);
  if (spec->open)
    return pfc_fail(PFC_UNSUPPORTED, "%s cannot run on a GPU, because it owns objects outside its state", spec->name);
  if (!pool->code) return pfc_fail(PFC_UNSUPPORTED, "%s has no device code; only built-in games have", spec->name);
  PFC_ASSERT((pool->code->has_mask || !spec->mask) && (pool->code->has_respawn || !spec->respawn) &&
             (pool->code->has_data || !spec->reset_from));
  return PFC_OK;
}

// Bytes that the driver keeps for the stacks of all threads that can run at once.
PfcStatus stack_bytes(const PfcDeviceCode& code, uint64_t* bytes) {
  cudaFuncAttributes step{}, reset{};
  int device = 0, processors = 0, threads = 0;
  cudaError_t error = cudaFuncGetAttributes(&step, reinterpret_cast<const void*>(code.step));
  if (!error) error = cudaFuncGetAttributes(&reset, reinterpret_cast<const void*>(code.reset));
  if (!error) error = cudaGetDevice(&device);
  if (!error) error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (!error) error = cudaDeviceGetAttribute(&threads, cudaDevAttrMaxThreadsPerMultiProcessor, device);
  *bytes = PFC_MAX(step.localSizeBytes, reset.localSizeBytes) * static_cast<uint64_t>(processors) *
           static_cast<uint64_t>(threads);
  return check(error, "the device code cannot run on this device");
}

PfcStatus check_memory(const PfcDevicePool* pool, uint64_t bytes) {
  size_t left = 0, total = 0;
  uint64_t stack = 0;
  PfcStatus status = stack_bytes(*pool->code, &stack);
  if (!status) status = check(cudaMemGetInfo(&left, &total), "cannot read the free memory of the device");
  if (!status && (bytes > left || stack > left - bytes))
    status = pfc_fail(PFC_NO_MEMORY,
                      "num_games: %d games of %s need %.3g GB and %.3g GB of stack, but this device has %.3g GB free",
                      pool->buffers.num_games, pool->code->name, static_cast<double>(bytes) / 1e9,
                      static_cast<double>(stack) / 1e9, static_cast<double>(left) / 1e9);
  return status;
}

// Places everything that the pool has on the device.
void place(PfcDevicePool* pool, PfcArena* arena) {
  PfcDeviceCall* call = &pool->call;
  const PfcGames& twin = *pool->twin_games;
  call->games = twin;
  pfc_carve_games(&call->games, arena);
  pool->games_bytes = arena->used;
  call->games.params = pfc_carve(arena, 1, pool->buffers.spec->params_bytes);
  call->games.data = twin.data ? pfc_carve(arena, 1, twin.data_bytes) : nullptr;
  call->legal = static_cast<uint8_t*>(pfc_carve(arena, twin.num_games, 32 * static_cast<uint64_t>(twin.mask_words)));
  call->bad_row = static_cast<uint32_t*>(pfc_carve(arena, 1, sizeof(uint32_t)));
}

PfcStatus allocate(PfcDevicePool* pool) {
  PfcArena arena{};
  void* memory = nullptr;
  place(pool, &arena);
  if (arena.overflow) return pfc_fail(PFC_NO_MEMORY, "num_games: %d games do not fit", pool->buffers.num_games);
  PfcStatus status = check_memory(pool, arena.used);
  if (!status) status = check(cudaMalloc(&memory, arena.used), "cannot allocate the games");
  if (status) return status;
  arena = {static_cast<unsigned char*>(memory), 0, false};
  place(pool, &arena);
  return PFC_OK;
}

void publish(PfcDevicePool* pool) {
  PfcBuffers* b = &pool->buffers;
  const PfcGames& g = pool->call.games;
  b->observations = g.observations[0];
  b->final_observations = g.final_observations;
  b->rewards = g.rewards;
  b->terminated = g.terminated;
  b->truncated = g.truncated;
  b->alive = g.alive;
  b->action_mask = b->mask_words ? g.action_mask : nullptr;
  b->forced = b->mask_words ? g.forced : nullptr;
  b->episode_returns = g.episode_returns;
  b->episode_lengths = g.episode_lengths;
  b->episode_metrics = g.episode_metrics;
}

PfcStatus wait(cudaError_t error, cudaStream_t stream, const char* what) {
  if (!error) error = cudaStreamSynchronize(stream);
  return check(error, what);
}

PfcStatus upload_params(PfcDevicePool* pool, cudaStream_t stream) {
  const cudaError_t error = cudaMemcpyAsync(pool->call.games.params, pool->twin_games->params,
                                            pool->buffers.spec->params_bytes, cudaMemcpyHostToDevice, stream);
  return wait(error, stream, "cannot copy the parameters to the device");
}

PfcStatus upload_games(PfcDevicePool* pool, cudaStream_t stream) {
  const cudaError_t error = cudaMemcpyAsync(pool->call.games.states, pool->twin_games->states, pool->games_bytes,
                                            cudaMemcpyHostToDevice, stream);
  return wait(error, stream, "cannot copy the games to the device");
}

PfcStatus clear_bad_row(PfcDevicePool* pool, cudaStream_t stream) {
  return wait(cudaMemsetAsync(pool->call.bad_row, 0xff, sizeof(uint32_t), stream), stream, "cannot clear a flag");
}

PfcStatus upload_all(PfcDevicePool* pool) {
  const PfcGames& twin = *pool->twin_games;
  PfcStatus status = upload_games(pool, nullptr);
  if (!status) status = upload_params(pool, nullptr);
  if (!status) status = clear_bad_row(pool, nullptr);
  if (!status && twin.data)
    status = wait(cudaMemcpyAsync(const_cast<void*>(pool->call.games.data), twin.data, twin.data_bytes,
                                  cudaMemcpyHostToDevice, nullptr),
                  nullptr, "cannot copy the data to the device");
  return status;
}

PfcStatus build(PfcDevicePool* pool, const PfcPoolDesc* given) {
  PfcPoolDesc desc = *given;
  desc.num_threads = desc.num_groups = 1;
  const PfcEnvSpec* spec = desc.spec ? desc.spec : pfc_env_find(desc.env);
  if (!spec) return pfc_last_status();
  PfcStatus status = find_game(pool, spec);
  if (status) return status;
  if (!(pool->twin = pfc_pool_create(&desc))) return pfc_last_status();
  pool->twin_games = pfc_pool_games(pool->twin);
  pool->buffers = *pfc_pool_buffers(pool->twin);
  std::memcpy(pool->call.action_counts, pool->buffers.action_counts, sizeof pool->call.action_counts);
  if ((status = allocate(pool))) return status;
  publish(pool);
  if ((status = upload_all(pool))) return status;
  // Snapshots of a pool that was not reset are refused. The twin's observations are at the place of the device's.
  PfcResetDesc start{};
  start.observations = pool->twin_games->observations[0];
  return pfc_pool_reset(pool->twin, &start);
}

// ---- steps -------------------------------------------------------------------------------------------

PfcStatus launch(PfcDeviceKernel kernel, const PfcDeviceCall& call, cudaStream_t stream) {
  return check(pufferc::launch(kernel, call, pufferc::blocks_of(call.games.num_games), stream), "kernel not launched");
}

unsigned char* target_of(const PfcDevicePool* pool, void* observations) {
  return observations ? static_cast<unsigned char*>(observations) : pool->call.games.observations[0];
}

PfcStatus expect_reset(const PfcDevicePool* pool) {
  return pool->was_reset ? PFC_OK : pfc_fail(PFC_STATE, "reset the pool before its first step");
}

}  // namespace

int32_t pfc_device_game_count() { return kNumCodes; }
const char* pfc_device_game_name(int32_t index) { return index >= 0 && index < kNumCodes ? kCodes[index]->name : nullptr; }

PfcDevicePool* pfc_device_pool_create(const PfcPoolDesc* desc) {
  if (!desc) {
    (void)pfc_fail(PFC_INVALID, "desc: expected a PfcPoolDesc, got NULL");
    return nullptr;
  }
  PfcDevicePool* pool = new (std::nothrow) PfcDevicePool{};
  if (!pool) {
    (void)pfc_fail(PFC_NO_MEMORY, "no memory for a pool");
    return nullptr;
  }
  if (build(pool, desc) == PFC_OK) return pool;
  pfc_device_pool_destroy(pool);
  return nullptr;
}

void pfc_device_pool_destroy(PfcDevicePool* pool) {
  if (!pool) return;
  (void)cudaFree(pool->call.games.states);
  pfc_pool_destroy(pool->twin);
  delete pool;
}

const PfcBuffers* pfc_device_pool_buffers(const PfcDevicePool* pool) { return pool ? &pool->buffers : nullptr; }

PfcStatus pfc_device_pool_reset(PfcDevicePool* pool, const PfcResetDesc* desc, cudaStream_t stream) {
  PfcDeviceCall call = pool->call;
  if (desc) call.reset = *desc;
  if (call.reset.mask && !pool->was_reset)
    return pfc_fail(PFC_STATE, "mask: the first reset of a pool must reset every game");
  call.observations = target_of(pool, call.reset.observations);
  const PfcStatus status = launch(pool->code->reset, call, stream);
  if (!status) pool->was_reset = true;
  return status;
}

PfcStatus pfc_device_pool_step(PfcDevicePool* pool, const void* actions, PfcDtype dtype, void* observations,
                               cudaStream_t stream) {
  const PfcStatus status = expect_reset(pool);
  const bool fits = pool->buffers.discrete ? dtype == PFC_INT32 || dtype == PFC_INT64 : dtype == PFC_FLOAT32;
  if (status) return status;
  if (!actions) return pfc_fail(PFC_INVALID, "actions: expected an array, got NULL");
  if (!fits)
    return pfc_fail(PFC_INVALID, "actions: expected %s", pool->buffers.discrete ? "int32 or int64 for this discrete game"
                                                                                : "float32 for this continuous game");
  PfcDeviceCall call = pool->call;
  call.actions = actions;
  call.dtype = dtype;
  call.observations = target_of(pool, observations);
  return launch(pool->code->step, call, stream);
}

PfcStatus pfc_device_pool_check(PfcDevicePool* pool, cudaStream_t stream) {
  uint32_t row = UINT32_MAX;
  const cudaError_t error = cudaMemcpyAsync(&row, pool->call.bad_row, sizeof row, cudaMemcpyDeviceToHost, stream);
  PfcStatus status = wait(error, stream, "a kernel failed");
  if (status || row == UINT32_MAX) return status;
  if ((status = clear_bad_row(pool, stream))) return status;
  if (!pool->buffers.discrete)
    return pfc_fail(PFC_INVALID, "actions: row %u had a control that was not finite and was replaced by 0", row);
  return pfc_fail(PFC_INVALID, "actions: row %u had a choice that was out of range or illegal and was replaced", row);
}

PfcStatus pfc_device_pool_pop_metrics(PfcDevicePool* pool, int64_t* episodes, double* values, cudaStream_t stream) {
  const PfcGames& g = pool->call.games;
  const PfcGames& twin = *pool->twin_games;
  const uint64_t rows = static_cast<uint64_t>(pool->buffers.rows);
  const uint64_t sums = rows * (2 + static_cast<uint64_t>(g.num_metrics)) * sizeof(double);
  const uint64_t counts = rows * sizeof(int32_t);
  cudaError_t error = cudaMemcpyAsync(twin.metric_sums, g.metric_sums, sums, cudaMemcpyDeviceToHost, stream);
  if (!error) error = cudaMemcpyAsync(twin.metric_counts, g.metric_counts, counts, cudaMemcpyDeviceToHost, stream);
  if (!error) error = cudaMemsetAsync(g.metric_sums, 0, sums, stream);
  if (!error) error = cudaMemsetAsync(g.metric_counts, 0, counts, stream);
  const PfcStatus status = wait(error, stream, "cannot copy the statistics from the device");
  return status ? status : pfc_pool_pop_metrics(pool->twin, episodes, values);
}

PfcStatus pfc_device_pool_set_param(PfcDevicePool* pool, const char* name, double value, cudaStream_t stream) {
  const PfcStatus status = pfc_pool_set_param(pool->twin, name, value);
  return status ? status : upload_params(pool, stream);
}

PfcPool* pfc_device_pool_download(PfcDevicePool* pool, cudaStream_t stream) {
  if (expect_reset(pool)) return nullptr;
  const cudaError_t error = cudaMemcpyAsync(pool->twin_games->states, pool->call.games.states, pool->games_bytes,
                                            cudaMemcpyDeviceToHost, stream);
  return wait(error, stream, "cannot copy the games from the device") ? nullptr : pool->twin;
}

uint64_t pfc_device_pool_snapshot_bytes(const PfcDevicePool* pool) { return pfc_pool_snapshot_bytes(pool->twin); }

PfcStatus pfc_device_pool_save(PfcDevicePool* pool, void* buffer, uint64_t bytes, cudaStream_t stream) {
  PfcPool* twin = pfc_device_pool_download(pool, stream);
  return twin ? pfc_pool_save(twin, buffer, bytes) : pfc_last_status();
}

PfcStatus pfc_device_pool_load(PfcDevicePool* pool, const void* buffer, uint64_t bytes, cudaStream_t stream) {
  PfcStatus status = pfc_pool_load(pool->twin, buffer, bytes, pool->twin_games->observations[0]);
  if (!status) status = upload_games(pool, stream);
  if (!status) pool->was_reset = true;
  return status;
}
