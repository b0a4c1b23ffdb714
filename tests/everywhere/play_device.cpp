// play_device.cpp - plays the recorded trajectories of every game with device code by the pool on a device, like play.c.
// places.py reads its output. Compiled by nvcc it needs a GPU; compiled with tests/cuda/cuda_runtime_api.h the device is
// this processor.
//
//   everywhere_device FOLDER     FOLDER is tests/golden. Prints one line per record: GAME got HASH expected HASH
//
// Exit code 1 if a hash differs or a game has no record.
#include <cinttypes>
#include <string>
#include <vector>

#include "conformance/trajectory.h"
#include "cuda/device_pool.h"
#include "record.h"

namespace {

// As hash_trajectory, for a pool on a device. Every step is downloaded.
PfcStatus hash_on_device(PfcDevicePool* pool, int32_t steps, uint64_t* hash) {
  const PfcBuffers* device = pfc_device_pool_buffers(pool);
  std::vector<uint64_t> hashes(static_cast<size_t>(device->num_games));
  std::vector<uint32_t> actions(static_cast<size_t>(device->rows) * static_cast<size_t>(device->action_dims));
  const size_t bytes = actions.size() * sizeof(uint32_t);
  void* device_actions = nullptr;
  if (cudaMalloc(&device_actions, bytes)) return PFC_NO_MEMORY;
  PfcStatus status = pfc_device_pool_reset(pool, nullptr, nullptr);
  for (int32_t t = -1; t < steps && !status; ++t) {
    const PfcPool* twin = pfc_device_pool_download(pool, nullptr);
    if (!twin) return pfc_last_status();
    const PfcBuffers* b = pfc_pool_buffers(twin);
    for (int32_t game = 0; game < b->num_games; ++game) {
      uint64_t* own = &hashes[static_cast<size_t>(game)];
      *own = hash_game(t < 0 ? static_cast<uint64_t>(game) : *own, b, b->observations, game);
    }
    if (t + 1 == steps) break;
    fill_actions(b, TRAJECTORY_ACTION_SEED, t + 1, actions.data());
    if (cudaMemcpyAsync(device_actions, actions.data(), bytes, cudaMemcpyHostToDevice, nullptr)) return PFC_UNSUPPORTED;
    status = pfc_device_pool_step(pool, device_actions, action_dtype(b), nullptr, nullptr);
  }
  *hash = combine_hashes(hashes.data(), device->num_games);
  (void)cudaFree(device_actions);
  return status ? status : pfc_device_pool_check(pool, nullptr);
}

bool play(const Record& r, const PfcEnvSpec* spec, uint64_t* hash) {
  const PfcPoolDesc desc = record_desc(&r, spec);
  PfcDevicePool* pool = pfc_device_pool_create(&desc);
  const bool played = pool && hash_on_device(pool, r.steps, hash) == PFC_OK;
  pfc_device_pool_destroy(pool);
  return played;
}

// Returns the number of records that do not hold, at least 1 in a game without records.
int32_t play_game(const PfcEnvSpec* spec, const std::string& folder) {
  const std::string path = folder + "/" + spec->name + ".txt";
  char line[RECORD_LINE_BYTES];
  int32_t records = 0, wrong = 0;
  FILE* file = std::fopen(path.c_str(), "r");
  while (file && std::fgets(line, sizeof line, file)) {
    Record r;
    uint64_t hash = 0;
    if (!line_is_record(line)) continue;
    const bool parsed = parse_record(line, &r);
    if (parsed && r.version != spec->version) continue;
    if (!parsed || !play(r, spec, &hash)) std::fprintf(stderr, "%s: cannot play: %s%s\n", path.c_str(), line, pfc_last_error());
    std::printf("%s got %016" PRIx64 " expected %016llx\n", spec->name, hash, r.hash);
    std::fflush(stdout);
    records += 1;
    wrong += hash != r.hash;
  }
  if (file) std::fclose(file);
  if (records == 0) std::fprintf(stderr, "%s: no record of version %d\n", path.c_str(), spec->version);
  return records ? wrong : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: everywhere_device FOLDER\n");
    return 2;
  }
  int32_t wrong = 0;
  for (int32_t i = 0; i < pfc_device_game_count(); ++i) {
    const PfcEnvSpec* spec = pfc_env_find(pfc_device_game_name(i));  // NULL for the tests' own game
    if (spec) wrong += play_game(spec, argv[1]);
  }
  return wrong ? 1 : 0;
}
