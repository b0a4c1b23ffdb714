// A program that embeds pufferc through its C++ face: the same two pools and hashes as ../c/main.c.
#include <cstdio>
#include <pufferc/pufferc.hpp>

#include "golden.h"

namespace {

template <class Observation>
int check(const char* game, std::uint64_t expected) {
  pufferc::PoolOptions options;
  options.num_games = GOLDEN_GAMES;
  options.num_threads = 2;
  options.seed = GOLDEN_SEED;
  pufferc::Pool made(game, options);
  pufferc::Pool pool = std::move(made);
  std::vector<std::int32_t> actions(pool.rows() * pool.action_dims());
  std::uint64_t hash = GOLDEN_START;
  pool.reset();
  for (std::int32_t t = 0; t < GOLDEN_STEPS; ++t) {
    for (std::size_t row = 0; row < pool.rows(); ++row)
      actions[row] = golden_action(t, static_cast<std::int32_t>(row), pool.buffers().action_counts[0]);
    pool.step(actions);
    const auto observations = pool.observations<Observation>();
    hash = golden_add(hash, observations.data(), observations.size() * sizeof(Observation));
    hash = golden_add(hash, pool.rewards().data(), pool.rewards().size() * sizeof(float));
    hash = golden_add(hash, pool.terminated().data(), pool.terminated().size());
  }
  if (hash == expected) return 0;
  std::fprintf(stderr, "%s: got %016llx, expected %016llx\n", game, static_cast<unsigned long long>(hash),
               static_cast<unsigned long long>(expected));
  return 1;
}

// True if the call throws a pufferc::Error whose message holds a word.
template <class Call>
bool throws(Call call, const char* word) {
  try {
    call();
  } catch (const pufferc::Error& error) {
    return std::string(error.what()).find(word) != std::string::npos;
  }
  return false;
}

int check_errors() {
  pufferc::Pool pool("squared");
  std::vector<std::int32_t> actions(2);
  pool.reset(1);
  const std::vector<std::uint8_t> snapshot = pool.save();
  bool good = throws([&] { pool.step(actions); }, "expected 1 elements, got 2");
  actions = {9};
  good &= throws([&] { pool.step(actions); }, "9");
  good &= throws([&] { pool.load({snapshot.data(), snapshot.size() - 1}); }, "snapshot");
  good &= throws([&] { (void)pool.observations<float>(); }, "another type");
  good &= throws([] { pufferc::Pool("sqared"); }, "squared");
  good &= throws([] { pufferc::Policy("nowhere.pfc"); }, "nowhere.pfc");
  good &= throws([&] { (void)pool.pop_metrics().at("nothing"); }, "nothing");
  pool.load(snapshot);
  actions = {0};
  for (int t = 0; t < 40; ++t) pool.step(actions);
  const pufferc::Metrics metrics = pool.pop_metrics();
  good &= metrics.episodes == 1 && metrics.at("length") == 33.0 && metrics.at("score") == 0.0;
  if (!good) std::fprintf(stderr, "an error was not reported as it should be\n");
  return good ? 0 : 1;
}

}  // namespace

int main() {
  return check<float>("breakout", GOLDEN_BREAKOUT) + check<std::uint8_t>("squared", GOLDEN_SQUARED) + check_errors();
}
