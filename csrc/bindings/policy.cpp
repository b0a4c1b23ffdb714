// policy.cpp - exported policies, played by the C library for arrays from Python.
#include "pufferc/policy.h"

#include "bindings/arrays.h"

namespace pufferc {
namespace {

// A policy never changes after loading, so calls from several threads need no lock.
class Policy {
 public:
  explicit Policy(const std::string& path) : policy_(pfc_policy_load(path.c_str()), pfc_policy_destroy) {
    if (!policy_) check_status(pfc_last_status());
  }

  const PfcPolicyInfo& info() const { return *pfc_policy_info(policy_.get()); }

  py::dict params() const {
    py::dict found;
    for (int32_t i = 0; i < info().num_params; ++i) found[info().params[i].name] = info().params[i].value;
    return found;
  }

  // Actions of observations [rows, O...], shaped as for Pool.step. `state` float32 [rows, state_size] is updated.
  py::array act(const py::object& observations, const py::object& mask, const py::object& state, uint64_t step,
                uint64_t seed, uint64_t first_row, bool greedy) {
    const PfcPolicyInfo& own = info();
    const py::array seen = borrow_array("observations", observations);
    const py::ssize_t rows = seen.ndim() > 0 ? seen.shape(0) : 0;
    Shape shape{rows};
    for (int32_t d = 0; d < own.obs_dims; ++d) shape.push_back(own.obs_shape[d]);
    const void* data = array_data("observations", seen, dtype_of(own.obs_dtype), shape, false);
    std::vector<py::object> keep;
    const uint32_t* words = word_data("mask", mask, {rows, own.mask_words}, keep, own.mask_words == 0);
    float* memory = float_data("state", state, {rows, own.state_size}, keep, false, true);
    py::array actions(dtype_of(own.action_dtype), own.discrete && own.action_dims == 1
                                                      ? Shape{rows} : Shape{rows, own.action_dims});
    const PfcPolicyDraw draw = {greedy, seed, step, first_row};
    void* out = actions.mutable_data();
    PfcStatus status;
    {
      const Unlocked unlocked;
      status = pfc_policy_act_masked(policy_.get(), data, words, rows, &draw, memory, out, nullptr);
    }
    check_status(status);
    return actions;
  }

 private:
  std::unique_ptr<PfcPolicy, decltype(&pfc_policy_destroy)> policy_;
};

}  // namespace

void bind_policy(py::module_& m) {
  using py::arg;
  py::class_<Policy>(m, "Policy")
      .def(py::init<const std::string&>(), arg("path"))
      .def_property_readonly("game", [](const Policy& policy) { return std::string(policy.info().game); })
      .def_property_readonly("game_version", [](const Policy& policy) { return policy.info().game_version; })
      .def_property_readonly("state_size", [](const Policy& policy) { return policy.info().state_size; })
      .def_property_readonly("params", &Policy::params)
      .def("act", &Policy::act, arg("observations"), arg("mask"), arg("state"), arg("step"), arg("seed"),
           arg("first_row"), arg("greedy"));
}

}  // namespace pufferc
