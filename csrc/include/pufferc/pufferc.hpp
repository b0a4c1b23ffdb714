// pufferc.hpp - the C++17 face of pufferc.h and policy.h: ownership, spans, exceptions. Header only. Pictures: render.hpp.
//
//   #include <cstdio>
//   #include <pufferc/pufferc.hpp>
//
//   int main() {
//     pufferc::PoolOptions options;
//     options.num_games = 1024;
//     options.params = {{"frameskip", 4}};
//     pufferc::Pool pool("breakout", options);
//     std::vector<std::int32_t> actions(pool.rows() * pool.action_dims());
//     pool.reset(7);
//     for (int t = 0; t < 1000; ++t) {
//       auto observations = pool.observations<float>();            // [rows, obs_size], row after row
//       for (std::size_t row = 0; row < pool.rows(); ++row)        // element 0 is where the paddle is
//         actions[row] = observations[row * pool.obs_size()] < 0.5f ? 2 : 1;
//       pool.step(actions);                                        // pool.rewards(), pool.terminated(), ... are new
//     }
//     std::printf("mean score %g\n", pool.pop_metrics().at("score"));
//   }
//
// A trained policy plays it with  pufferc::Policy policy("breakout.pfc");  pufferc::Player player(policy, pool);  and, step
// after step,  player.act(draw);  player.step();
//
// A Pool or Policy owns its C object, moves but does not copy, and frees it in its destructor; handle() hands it to
// functions of the C headers, which document shapes, orders and lifetimes. Spans borrow: those of a pool are valid
// until it is destroyed, what they show changes with the next step or reset.
//
// Whatever the C functions report is thrown as pufferc::Error, and so is a span of the wrong length: nothing has
// happened then. To use one pool or policy from several threads, the rules of the C headers hold.
#ifndef PUFFERC_HPP
#define PUFFERC_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"  // the functions in the C headers have no other
#endif
#include "pufferc/policy.h"
#include "pufferc/pufferc.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace pufferc {

// A pointer with a length; borrows what it points to. Stands in for C++20's std::span.
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  // From anything with data() and size(): std::vector, std::array, std::span, another Span.
  template <class Container, class Element = std::remove_pointer_t<decltype(std::declval<Container&>().data())>,
            class = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
  constexpr Span(Container&& container) noexcept : data_(container.data()), size_(container.size()) {}
  template <std::size_t N>
  constexpr Span(T (&array)[N]) noexcept : data_(array), size_(N) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }  // unchecked, as in std::span

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// What a C function reported; what() is its message.
class Error : public std::runtime_error {
 public:
  Error(PfcStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
  PfcStatus status() const noexcept { return status_; }

 private:
  PfcStatus status_;
};

inline void check(PfcStatus status) {
  if (status != PFC_OK) throw Error(status, pfc_last_error());
}

namespace detail {

[[noreturn]] inline void throw_length(const char* name, std::size_t expected, std::size_t got) {
  throw Error(PFC_INVALID, std::string(name) + ": expected " + std::to_string(expected) + " elements, got " +
                               std::to_string(got));
}

inline void check_length(const char* name, std::size_t expected, std::size_t got) {
  if (got != expected) throw_length(name, expected, got);
}

// The PfcDtype of a C++ type; other types do not compile.
template <class T>
constexpr PfcDtype dtype() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::uint8_t> ||
                    std::is_same_v<T, std::int8_t> || std::is_same_v<T, std::int64_t>,
                "arrays are of float, int32_t, uint8_t, int8_t or int64_t");
  if constexpr (std::is_same_v<T, float>) return PFC_FLOAT32;
  else if constexpr (std::is_same_v<T, std::int32_t>) return PFC_INT32;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return PFC_UINT8;
  else if constexpr (std::is_same_v<T, std::int8_t>) return PFC_INT8;
  else return PFC_INT64;
}

inline std::size_t length(std::int64_t count) { return static_cast<std::size_t>(count); }

// Sole owner of a C object.
template <class T, void (*destroy)(T*)>
class Handle {
 public:
  explicit Handle(T* object) : object_(object) {
    if (object_ == nullptr) throw Error(PFC_INVALID, pfc_last_error());
  }
  Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { destroy(object_); }
  T* get() const noexcept { return object_; }

 private:
  T* object_;
};

}  // namespace detail

inline std::string version() { return pfc_version(); }

// Names of the built-in games, ascending.
inline std::vector<std::string> games() {
  std::vector<std::string> names;
  for (std::int32_t i = 0; i < pfc_env_count(); ++i) names.emplace_back(pfc_env_at(i)->name);
  return names;
}

inline const PfcEnvSpec& find_game(const std::string& name) {
  const PfcEnvSpec* spec = pfc_env_find(name.c_str());
  if (spec == nullptr) throw Error(PFC_INVALID, pfc_last_error());
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
  std::vector<std::uint64_t> game_numbers{};  // one for each game, or none
};

// Means over the episodes that ended, by name: "return", "length", then the game's own. NaN where no episode ended.
struct Metrics {
  std::int64_t episodes = 0;
  std::vector<std::pair<std::string, double>> means{};

  double at(const std::string& name) const {
    for (const auto& [key, mean] : means)
      if (key == name) return mean;
    throw Error(PFC_INVALID, "metric: this game has none named " + name);
  }
};

class Pool {
 public:
  explicit Pool(const std::string& game, const PoolOptions& options = {}) : Pool(game.c_str(), nullptr, options) {}
  // Of a game of one's own; the spec must outlive the pool.
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
    if (data == nullptr) throw Error(PFC_INVALID, pfc_last_error());
    return observation_span<T>(data, group_rows);
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
    return pfc_pool_create(&desc);
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
      throw Error(PFC_INVALID, std::string("observations: those of ") + spec().name + " have another type");
    return {static_cast<const T*>(data), count * obs_size()};
  }

  detail::Handle<PfcPool, pfc_pool_destroy> pool_;
};

// A trained policy; see policy.h. To play a pool with it, make a Player.
class Policy {
 public:
  explicit Policy(const std::string& path) : policy_(pfc_policy_load(path.c_str())) {}
  // From the bytes of a file, which are borrowed for the call; name stands for the path in messages.
  explicit Policy(Span<const std::uint8_t> data, const std::string& name = "policy")
      : policy_(pfc_policy_parse(data.data(), data.size(), name.c_str())) {}

  PfcPolicy* handle() const noexcept { return policy_.get(); }
  const PfcPolicyInfo& info() const noexcept { return *pfc_policy_info(policy_.get()); }
  // The parameters of the game it was trained in, as a pool takes them.
  std::vector<std::pair<std::string, double>> params() const {
    std::vector<std::pair<std::string, double>> values;
    for (std::int32_t i = 0; i < info().num_params; ++i)
      values.emplace_back(info().params[i].name, info().params[i].value);
    return values;
  }
  // Throws where the policy cannot play this pool.
  void check_fits(const Pool& pool) const { check(pfc_policy_check(policy_.get(), pool.handle())); }

  std::size_t state_size() const noexcept { return detail::length(info().state_size); }
  // outputs [rows, num_outputs] of observations [rows, obs_size], whose type must be that of the game's; state
  // [rows, state_size] is replaced, and may be left out where state_size is 0.
  template <class Observations>
  void forward(const Observations& observations, Span<float> outputs, Span<float> state = {}) const {
    using Element = std::remove_const_t<std::remove_pointer_t<decltype(observations.data())>>;
    if (detail::dtype<Element>() != info().obs_dtype)
      throw Error(PFC_INVALID, "observations: those of this policy have another type");
    const std::size_t rows = observations.size() / detail::length(info().obs_size);
    detail::check_length("observations", rows * detail::length(info().obs_size), observations.size());
    detail::check_length("outputs", rows * detail::length(info().num_outputs), outputs.size());
    detail::check_length("state", rows * state_size(), state.size());
    check(pfc_policy_forward(policy_.get(), observations.data(), static_cast<std::int64_t>(rows), state.data(),
                             outputs.data()));
  }

 private:
  detail::Handle<PfcPolicy, pfc_policy_destroy> policy_;
};

// A policy that plays a pool, with the actions and the memory of every row. Borrows both, which must outlive it; the
// pool may also be stepped and reset without it.
class Player {
 public:
  // Throws where the policy does not fit the pool.
  Player(const Policy& policy, Pool& pool)
      : policy_(policy),
        pool_(pool),
        state_(pool.rows() * policy.state_size()),
        choices_(policy.info().discrete != 0 ? pool.rows() * pool.action_dims() : 0),
        controls_(policy.info().discrete != 0 ? 0 : pool.rows() * pool.action_dims()),
        values_(pool.rows()) {
    policy.check_fits(pool);
  }

  // Chooses the actions for what the pool shows now.
  void act(const PfcPolicyDraw& draw) {
    void* actions = discrete() ? static_cast<void*>(choices_.data()) : static_cast<void*>(controls_.data());
    check(pfc_policy_act(policy_.handle(), pool_.buffers().observations, pool_.buffers().rows, &draw, state_.data(),
                         actions, values_.data()));
  }
  // Steps the pool with these actions, and forgets the past of the rows whose episode ended.
  void step() {
    if (discrete()) pool_.step(choices_);
    else pool_.step(controls_);
    restart();
  }
  // The latter alone, for who steps the pool in another way.
  void restart() {
    check(pfc_policy_restart(policy_.handle(), pool_.buffers().rows, pool_.terminated().data(),
                             pool_.truncated().data(), state_.data()));
  }
  // Forgets the past of all rows: to be called after a reset of the pool.
  void forget() { state_.assign(state_.size(), 0.0f); }

  // [rows, action_dims], to read or to change between act and step: one of the two is empty.
  Span<std::int32_t> choices() noexcept { return choices_; }
  Span<float> controls() noexcept { return controls_; }
  // [rows]: value estimates of the latest act.
  Span<const float> values() const noexcept { return values_; }

 private:
  bool discrete() const noexcept { return policy_.info().discrete != 0; }

  const Policy& policy_;
  Pool& pool_;
  std::vector<float> state_;
  std::vector<std::int32_t> choices_;
  std::vector<float> controls_;
  std::vector<float> values_;
};

}  // namespace pufferc

#endif  // PUFFERC_HPP
