// pool.hpp - pufferc.h for C++17. Include pufferc.hpp, which documents what all classes have in common.
#ifndef PUFFERC_POOL_HPP
#define PUFFERC_POOL_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pufferc/span.hpp"

namespace pufferc {

// Names of the built-in games, ascending.
inline std::vector<std::string> games() {
  std::vector<std::string> names;
  for (std::int32_t i = 0; i < pfc_env_count(); ++i) names.emplace_back(pfc_env_at(i)->name);
  return names;
}

inline const PfcEnvSpec& find_game(const std::string& name) {
  const PfcEnvSpec* spec = pfc_env_find(name.c_str());
  if (spec == nullptr) throw_last();
  return *spec;
}

// Fields as in PfcPoolDesc.
struct PoolOptions {
  std::int32_t num_games = 1;
  std::int32_t num_threads = 1;
  std::int32_t num_groups = 1;
  PfcAutoreset autoreset = PFC_AUTORESET_SAME_STEP;
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, double>> params{};
  std::vector<std::uint64_t> game_numbers{};  // one for each game, or empty
  Span<const std::uint8_t> data{};            // contents of a file, for games that read one; must outlive the pool
};

// Means over the episodes that ended, by name: "return", "length", then the game's metrics. NaN if no episode ended.
struct Metrics {
  std::int64_t episodes = 0;
  std::vector<std::pair<std::string, double>> means{};

  double at(const std::string& name) const {
    for (const auto& [key, mean] : means)
      if (key == name) return mean;
    throw Error(PFC_INVALID, "metric: this game has no metric named " + name);
  }
};

class Pool {
 public:
  explicit Pool(const std::string& game, const PoolOptions& options = {}) : Pool(game.c_str(), nullptr, options) {}
  // For your own game. The spec must outlive the pool.
  explicit Pool(const PfcEnvSpec& spec, const PoolOptions& options = {}) : Pool(nullptr, &spec, options) {}

  PfcPool* handle() const noexcept { return pool_.get(); }
  const PfcBuffers& buffers() const noexcept { return *pfc_pool_buffers(pool_.get()); }
  const PfcEnvSpec& spec() const noexcept { return *buffers().spec; }
  std::size_t games() const noexcept { return detail::length(buffers().num_games); }
  std::size_t agents() const noexcept { return detail::length(buffers().agents); }  // of one game
  std::size_t rows() const noexcept { return detail::length(buffers().rows); }
  std::size_t action_dims() const noexcept { return detail::length(buffers().action_dims); }
  // Values of one row's observation.
  std::size_t obs_size() const noexcept {
    std::size_t size = 1;
    for (std::int32_t i = 0; i < buffers().obs_dims; ++i) size *= detail::length(buffers().obs_shape[i]);
    return size;
  }

  // The observation table for the pool's parameters.
  Span<const PfcObsRow> obs_rows() const noexcept {
    return {buffers().obs_rows, detail::length(buffers().num_obs_rows)};
  }
  // [agents]: the team of each agent, 0 to buffers().num_teams - 1; empty in a game without teams.
  Span<const std::int32_t> teams() const noexcept {
    return {buffers().teams, buffers().num_teams > 0 ? agents() : 0};
  }
  // Current value of a parameter.
  double param(const std::string& name) const {
    for (std::int32_t i = 0; i < spec().num_params; ++i)
      if (name == spec().params[i].name) return pfc_pool_param(pool_.get(), i);
    throw Error(PFC_INVALID, std::string("param: ") + spec().name + " has no parameter named " + name);
  }
  // Takes effect with the next step or reset.
  void set_param(const std::string& name, double value) {
    check(pfc_pool_set_param(pool_.get(), name.c_str(), value));
  }

  void reset() { check(pfc_pool_reset(pool_.get(), nullptr)); }
  void reset(std::uint64_t seed) {
    PfcResetDesc desc{};
    desc.has_seed = 1;
    desc.seed = seed;
    reset(desc);
  }
  void reset(const PfcResetDesc& desc) { check(pfc_pool_reset(pool_.get(), &desc)); }

  // actions [rows, action_dims]: std::int32_t or std::int64_t for discrete games, float for continuous ones.
  template <class Actions>
  void step(const Actions& actions) {
    const auto span = action_span(actions, rows());
    check(pfc_pool_step(pool_.get(), span.data(), action_dtype(span), nullptr));
  }
  // The two halves of a step for one group; actions [rows / groups, action_dims].
  template <class Actions>
  void send(std::int32_t group, const Actions& actions) {
    const auto span = action_span(actions, rows() / detail::length(buffers().num_groups));
    check(pfc_pool_send(pool_.get(), group, span.data(), action_dtype(span), nullptr));
  }
  void recv(std::int32_t group) { check(pfc_pool_recv(pool_.get(), group)); }

  // [rows, obs_size]; T must be the type of the game's observations.
  template <class T>
  Span<const T> observations() const {
    return observation_span<T>(buffers().observations, rows());
  }
  template <class T>
  Span<const T> final_observations() const {
    return observation_span<T>(buffers().final_observations, rows());
  }
  template <class T>
  Span<const T> group_observations(std::int32_t group) const {
    const std::size_t group_rows = rows() / detail::length(buffers().num_groups);
    const void* data = pfc_pool_group_observations(pool_.get(), group);
    if (data == nullptr) throw_last();
    return observation_span<T>(data, group_rows);
  }
  // [rows, mask_words] in a masked game, else empty; see PfcBuffers.
  Span<const std::uint32_t> action_mask() const noexcept {
    return {buffers().action_mask, rows() * detail::length(buffers().mask_words)};
  }
  // [rows] in a masked game, else empty. 1 = one legal choice in every dimension.
  Span<const std::uint8_t> forced() const noexcept {
    return {buffers().forced, buffers().mask_words > 0 ? rows() : 0};
  }
  Span<const float> rewards() const noexcept { return {buffers().rewards, rows()}; }
  Span<const std::uint8_t> terminated() const noexcept { return {buffers().terminated, rows()}; }
  Span<const std::uint8_t> truncated() const noexcept { return {buffers().truncated, rows()}; }
  Span<const std::uint8_t> alive() const noexcept { return {buffers().alive, rows()}; }
  Span<const float> episode_returns() const noexcept { return {buffers().episode_returns, rows()}; }
  Span<const std::int32_t> episode_lengths() const noexcept { return {buffers().episode_lengths, rows()}; }
  // [rows, num_metrics]
  Span<const float> episode_metrics() const noexcept {
    return {buffers().episode_metrics, rows() * detail::length(buffers().num_metrics)};
  }

  // Means since the last call.
  Metrics pop_metrics() {
    const std::size_t own = detail::length(buffers().num_metrics);
    std::vector<double> values(2 + own);
    Metrics metrics;
    check(pfc_pool_pop_metrics(pool_.get(), &metrics.episodes, values.data()));
    const double none = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const char* name = i == 0 ? "return" : i == 1 ? "length" : spec().metrics[i - 2];
      metrics.means.emplace_back(name, metrics.episodes > 0 ? values[i] : none);
    }
    return metrics;
  }

  // Writes the built-in player's actions for the rows in `chosen`, or for all rows if it is empty, to
  // actions [n, action_dims] of std::int32_t or float. Its random numbers depend on seed, step and row only.
  template <class Actions>
  void script(std::int32_t level, Actions& actions, std::uint64_t seed, std::uint64_t step,
              Span<const std::int32_t> chosen = {}) {
    const std::size_t count = chosen.empty() ? rows() : chosen.size();
    detail::check_length("actions", count * action_dims(), actions.size());
    const Span<std::remove_pointer_t<decltype(actions.data())>> span(actions);
    if (action_dtype(span) != (buffers().discrete != 0 ? PFC_INT32 : PFC_FLOAT32))
      throw Error(PFC_INVALID, std::string("actions: wrong element type for ") + spec().name);
    PfcScriptDesc desc{};
    desc.level = level;
    desc.num_rows = static_cast<std::int32_t>(count);
    desc.rows = chosen.data();
    desc.seed = seed;
    desc.step = step;
    desc.actions = span.data();
    check(pfc_pool_script(pool_.get(), &desc));
  }

  // Reads a state field by name, for tests: [games, count of the field]. T must be the field's type.
  template <class T>
  std::vector<T> get_field(const std::string& name) const {
    const auto [index, size] = find_field<T>(name);
    std::vector<T> values(size);
    check(pfc_pool_get_field(pool_.get(), index, values.data(), values.size() * sizeof(T)));
    return values;
  }
  // Writes a state field, then updates observations and masks.
  template <class T>
  void set_field(const std::string& name, const std::vector<T>& values) {
    const auto [index, size] = find_field<T>(name);
    detail::check_length("values", size, values.size());
    check(pfc_pool_set_field(pool_.get(), index, values.data(), values.size() * sizeof(T), nullptr));
  }

  std::vector<std::uint8_t> save() const {
    std::vector<std::uint8_t> snapshot(pfc_pool_snapshot_bytes(pool_.get()));
    check(pfc_pool_save(pool_.get(), snapshot.data(), snapshot.size()));
    return snapshot;
  }
  void load(Span<const std::uint8_t> snapshot) {
    check(pfc_pool_load(pool_.get(), snapshot.data(), snapshot.size(), nullptr));
  }
  void draw(std::int32_t game, const PfcDraw& callbacks) { check(pfc_pool_draw(pool_.get(), game, &callbacks)); }

 private:
  Pool(const char* game, const PfcEnvSpec* spec, const PoolOptions& options) : pool_(create(game, spec, options)) {}

  static PfcPool* create(const char* game, const PfcEnvSpec* spec, const PoolOptions& options) {
    std::vector<PfcParamValue> params;
    for (const auto& [name, value] : options.params) params.push_back({name.c_str(), value});
    if (!options.game_numbers.empty())
      detail::check_length("game_numbers", static_cast<std::size_t>(options.num_games), options.game_numbers.size());
    PfcPoolDesc desc{};
    desc.env = game;
    desc.spec = spec;
    desc.num_games = options.num_games;
    desc.num_threads = options.num_threads;
    desc.num_groups = options.num_groups;
    desc.autoreset = options.autoreset;
    desc.seed = options.seed;
    desc.params = params.data();
    desc.num_params = static_cast<std::int32_t>(params.size());
    desc.game_numbers = options.game_numbers.empty() ? nullptr : options.game_numbers.data();
    desc.data = options.data.data();
    desc.data_bytes = options.data.size();
    return pfc_pool_create(&desc);
  }

  // Index of a field and its number of values in all games together.
  template <class T>
  std::pair<std::int32_t, std::size_t> find_field(const std::string& name) const {
    const std::int32_t index = pfc_pool_find_field(pool_.get(), name.c_str());
    if (index < 0) throw_last();
    PfcField field{};
    check(pfc_pool_field(pool_.get(), index, &field));
    if (detail::dtype<T>() != field.dtype)
      throw Error(PFC_INVALID, "values: wrong element type for the state field " + name);
    return {index, games() * detail::length(static_cast<std::int64_t>(field.count))};
  }

  template <class Actions>
  auto action_span(const Actions& actions, std::size_t count) const {
    using Element = std::remove_pointer_t<decltype(actions.data())>;
    detail::check_length("actions", count * action_dims(), actions.size());
    return Span<Element>(actions.data(), actions.size());
  }
  template <class T>
  static constexpr PfcDtype action_dtype(Span<T>) {
    return detail::dtype<std::remove_const_t<T>>();
  }

  template <class T>
  Span<const T> observation_span(const void* data, std::size_t count) const {
    if (detail::dtype<T>() != spec().obs_dtype)
      throw Error(PFC_INVALID, std::string("observations: wrong element type for ") + spec().name);
    return {static_cast<const T*>(data), count * obs_size()};
  }

  detail::Handle<PfcPool, pfc_pool_destroy> pool_;
};

}  // namespace pufferc

#endif  // PUFFERC_POOL_HPP
