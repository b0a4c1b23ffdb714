// A program that embeds pufferc through the C++ headers: the same two pools and hashes as ../c/main.c.
#include <cstdio>
#include <pufferc/pufferc.hpp>

#include "golden.h"

extern "C" const PfcEnvSpec pfc_env_module;  // ../../c/duel.c, a game with masks and two players

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

// True if the call throws a pufferc::Error whose message contains `word`.
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
  good &= throws([&] { (void)pool.observations<float>(); }, "wrong element type");
  good &= throws([] { pufferc::Pool("sqared"); }, "squared");
  good &= throws([] { pufferc::Policy("nowhere.pfc"); }, "nowhere.pfc");
  good &= throws([&] { (void)pool.pop_metrics().at("nothing"); }, "nothing");
  pool.load(snapshot);
  actions = {0};
  for (int t = 0; t < 40; ++t) pool.step(actions);
  const pufferc::Metrics metrics = pool.pop_metrics();
  good &= metrics.episodes == 1 && metrics.at("length") == 33.0 && metrics.at("score") == 0.0;
  if (!good) std::fprintf(stderr, "an error was not reported, or a message is wrong\n");
  return good ? 0 : 1;
}

// A custom game with masks, a built-in player, teams, state fields and a map.
int check_own_game() {
  std::vector<std::uint8_t> map = {'D', 'U', 'E', 'L', 5, 3, 7};  // 5 x 3 cells, 7 charges, no walls
  map.resize(map.size() + 15);
  pufferc::PoolOptions options;
  options.num_games = 4;
  options.data = map;
  pufferc::Pool pool(pfc_env_module, options);
  bool good = pool.teams().size() == 2 && pool.teams()[1] == 1 && pool.obs_rows()[2].plane_width == 5;
  good &= pool.action_mask().size() == 8 * 2 && pool.forced().size() == 8;
  std::vector<std::int32_t> actions(16), first_row(2);
  good &= throws([&] { pool.script(0, actions, 1, 0); }, "reset");
  pool.reset(1);
  good &= pool.observations<std::int8_t>()[1] == 7;  // charges
  for (std::uint64_t t = 0; t < 20; ++t) {
    pool.script(1, actions, 1, t);
    for (std::size_t row = 0; row < pool.rows(); ++row) {
      const std::uint32_t* words = pool.action_mask().data() + 2 * row;
      const std::int32_t place = 3 + actions[2 * row + 1];
      good &= (words[0] >> actions[2 * row] & 1u) == 1u && (words[place / 32] >> place % 32 & 1u) == 1u;
    }
    pool.step(actions);
  }
  pool.script(1, actions, 1, 20);
  const std::int32_t third = 2;
  pool.script(1, first_row, 1, 20, {&third, 1});
  good &= first_row[0] == actions[4] && first_row[1] == actions[5];
  const auto turns = pool.get_field<std::int32_t>("turn");
  good &= turns.size() == 4 && pool.forced()[static_cast<std::size_t>(turns[0])] == 0;
  pool.set_field<std::uint8_t>("charges", std::vector<std::uint8_t>(24, 2));
  good &= pool.observations<std::int8_t>()[1] == 2 && pool.get_field<std::uint8_t>("charges")[23] == 2;
  pool.set_param("decay", 0.5);
  good &= pool.param("decay") == 0.5;
  good &= throws([&] { pool.set_param("players", 3); }, "players");
  good &= throws([&] { (void)pool.param("nothing"); }, "nothing");
  good &= throws([&] { (void)pool.get_field<float>("turn"); }, "wrong element type");
  good &= throws([&] { (void)pool.get_field<float>("trun"); }, "turn");
  good &= throws([&] { pool.set_field<std::int32_t>("turn", {0}); }, "expected 4 elements, got 1");
  good &= throws([&] { pool.step(std::vector<std::int32_t>(16, 2)); }, "not legal");
  options.data = {map.data(), 7};
  good &= throws([&] { pufferc::Pool(pfc_env_module, options); }, "expected a map");
  options.data = {map.data(), map.size()};
  good &= throws([&] { pufferc::Pool("squared", options); }, "does not read data");
  if (!good) std::fprintf(stderr, "the game with masks failed\n");
  return good ? 0 : 1;
}

}  // namespace

int main() {
  return check<float>("breakout", GOLDEN_BREAKOUT) + check<std::uint8_t>("squared", GOLDEN_SQUARED) + check_errors() +
         check_own_game();
}
