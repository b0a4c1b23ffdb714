// play_policy.cpp - plays many games with a trained policy and prints their scores.
//
//   pufferc export breakout --checkpoint latest --out breakout.pfc
//   play_policy breakout.pfc [games [seed]]
//
// Counts exactly one episode per row. Counting the first episodes to finish would favour short, often bad ones.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <pufferc/pufferc.hpp>

namespace {

constexpr std::uint64_t kMaxSteps = 100000;  // per episode; some policies never lose

// Returns the score of every row's first episode.
std::vector<double> play(const pufferc::Policy& policy, pufferc::Pool& pool, std::uint64_t seed) {
  const std::size_t metrics = static_cast<std::size_t>(pool.buffers().num_metrics);  // metric 0 is the score
  pufferc::Player player(policy, pool);
  std::vector<bool> done(pool.rows());
  std::vector<double> scores;
  pool.reset(seed);
  for (std::uint64_t t = 0; scores.size() < pool.rows() && t < kMaxSteps; ++t) {
    PfcPolicyDraw draw{};
    draw.seed = seed;
    draw.step = t;
    player.act(draw);
    player.step();
    if (pfc_pool_ended(pool.handle(), -1) == 0) continue;
    for (std::size_t row = 0; row < pool.rows(); ++row) {
      if (done[row] || !(pool.terminated()[row] || pool.truncated()[row])) continue;
      done[row] = true;
      scores.push_back(static_cast<double>(pool.episode_metrics()[row * metrics]));
    }
  }
  return scores;
}

void report(const std::vector<double>& scores, std::size_t rows) {
  double mean = 0, square = 0;
  for (const double score : scores) mean += score / static_cast<double>(scores.size());
  for (const double score : scores) square += (score - mean) * (score - mean);
  const double deviation = scores.size() > 1 ? std::sqrt(square / static_cast<double>(scores.size() - 1)) : 0.0;
  const auto [low, high] = std::minmax_element(scores.begin(), scores.end());
  std::printf("%zu of %zu episodes ended: mean score %.4f, standard deviation %.4f, from %g to %g\n", scores.size(),
              rows, mean, deviation, *low, *high);
}

void run(const char* path, std::int32_t games, std::uint64_t seed) {
  const pufferc::Policy policy{std::string(path)};
  pufferc::PoolOptions options;
  options.num_games = games;
  options.num_threads = 2;
  options.params = policy.params();
  pufferc::Pool pool(policy.info().game, options);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<double> scores = play(policy, pool, seed);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::printf("%s: %d layers, %lld weights; %.2f s\n", pool.spec().title, policy.info().num_layers,
              static_cast<long long>(policy.info().num_weights), elapsed.count());
  if (scores.empty()) throw std::runtime_error("no episode ended");
  report(scores, pool.rows());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: play_policy POLICY.pfc [games [seed]]\n");
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? std::atoi(argv[2]) : 1000, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
