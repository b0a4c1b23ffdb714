// speed.cpp - measures agent steps per second of a game on this machine, with random actions.
//
//   speed [game [games [threads]]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <pufferc/pufferc.hpp>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Eight arrays of actions, used in turn, so that the measurement does not include drawing them.
std::vector<std::vector<std::int32_t>> draw_actions(const pufferc::Pool& pool) {
  std::vector<std::vector<std::int32_t>> batches(8, std::vector<std::int32_t>(pool.rows() * pool.action_dims()));
  PfcRng rng;
  pfc_rng_seed(&rng, 1, 0);
  for (auto& batch : batches)
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int32_t choices = pool.buffers().action_counts[i % pool.action_dims()];
      batch[i] = static_cast<std::int32_t>(pfc_rng_below(&rng, static_cast<std::uint32_t>(choices)));
    }
  return batches;
}

void measure(const char* game, std::int32_t games, std::int32_t threads) {
  pufferc::PoolOptions options;
  options.num_games = games;
  options.num_threads = threads;
  pufferc::Pool pool(game, options);
  const auto actions = draw_actions(pool);
  pool.reset(1);
  for (const auto& batch : actions) pool.step(batch);
  std::size_t steps = 0;
  const auto start = Clock::now();
  for (; seconds_since(start) < 1.0; ++steps) pool.step(actions[steps % actions.size()]);
  const double rate = static_cast<double>(steps * pool.rows()) / seconds_since(start);
  std::printf("%s: %zu rows, %d threads: %.2f million agent steps per second\n", pool.spec().title, pool.rows(),
              threads, rate / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    measure(argc > 1 ? argv[1] : "breakout", argc > 2 ? std::atoi(argv[2]) : 4096, argc > 3 ? std::atoi(argv[3]) : 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
