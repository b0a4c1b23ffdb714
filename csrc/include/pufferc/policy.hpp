// policy.hpp - policy.h for C++17. Include pufferc.hpp, which documents what all classes have in common.
#ifndef PUFFERC_POLICY_HPP
#define PUFFERC_POLICY_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pufferc/pool.hpp"

namespace pufferc {

// A trained policy; see policy.h. To play a pool with it, make a Player.
class Policy {
 public:
  explicit Policy(const std::string& path) : policy_(pfc_policy_load(path.c_str())) {}
  // From the bytes of a file, borrowed for the call. Messages show `name` in place of the path.
  explicit Policy(Span<const std::uint8_t> data, const std::string& name = "policy")
      : policy_(pfc_policy_parse(data.data(), data.size(), name.c_str())) {}

  PfcPolicy* handle() const noexcept { return policy_.get(); }
  const PfcPolicyInfo& info() const noexcept { return *pfc_policy_info(policy_.get()); }
  // The parameters of the game in training, for PoolOptions.
  std::vector<std::pair<std::string, double>> params() const {
    std::vector<std::pair<std::string, double>> values;
    for (std::int32_t i = 0; i < info().num_params; ++i)
      values.emplace_back(info().params[i].name, info().params[i].value);
    return values;
  }
  // Throws if the policy cannot play this pool.
  void check_fits(const Pool& pool) const { check(pfc_policy_check(policy_.get(), pool.handle())); }

  std::size_t state_size() const noexcept { return detail::length(info().state_size); }
  // outputs [rows, num_outputs] for observations [rows, obs_size], which must have the game's type. state
  // [rows, state_size] is updated in place; omit it if state_size is 0.
  template <class Observations>
  void forward(const Observations& observations, Span<float> outputs, Span<float> state = {}) const {
    using Element = std::remove_const_t<std::remove_pointer_t<decltype(observations.data())>>;
    if (detail::dtype<Element>() != info().obs_dtype)
      throw Error(PFC_INVALID, "observations: wrong element type for this policy");
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

// Plays a pool with a policy; holds the actions and the recurrent state of every row. Borrows the policy and the pool,
// which must outlive it. You may also step and reset the pool yourself: then call restart() or forget().
class Player {
 public:
  // Throws if the policy does not fit the pool.
  Player(const Policy& policy, Pool& pool)
      : policy_(policy),
        pool_(pool),
        state_(pool.rows() * policy.state_size()),
        choices_(policy.info().discrete != 0 ? pool.rows() * pool.action_dims() : 0),
        controls_(policy.info().discrete != 0 ? 0 : pool.rows() * pool.action_dims()),
        values_(pool.rows()) {
    policy.check_fits(pool);
  }

  // Chooses actions for the pool's current observations; legal ones in a game with masks.
  void act(const PfcPolicyDraw& draw) {
    void* actions = discrete() ? static_cast<void*>(choices_.data()) : static_cast<void*>(controls_.data());
    const PfcBuffers& buffers = pool_.buffers();
    check(pfc_policy_act_masked(policy_.handle(), buffers.observations, buffers.action_mask, buffers.rows, &draw,
                                state_.data(), actions, values_.data()));
  }
  // Steps the pool with these actions and clears the state of rows whose episode ended.
  void step() {
    if (discrete()) pool_.step(choices_);
    else pool_.step(controls_);
    restart();
  }
  // Clears the state of rows whose episode ended. Call it after each step if you step the pool yourself.
  void restart() {
    check(pfc_policy_restart(policy_.handle(), pool_.buffers().rows, pool_.terminated().data(),
                             pool_.truncated().data(), state_.data()));
  }
  // Clears the state of all rows. Call it after a reset of the pool.
  void forget() { state_.assign(state_.size(), 0.0f); }

  // [rows, action_dims]: you may read and change them between act() and step(). One of the two is empty.
  Span<std::int32_t> choices() noexcept { return choices_; }
  Span<float> controls() noexcept { return controls_; }
  // [rows]: value estimates of the latest act().
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

#endif  // PUFFERC_POLICY_HPP
