// device_pool_module.cpp - PfcDevicePool as the Python class pufferc._cuda.DevicePool, the engine of
// pufferc.envs.device.DeviceVecEnv.
//
// The caller makes the pool's device current, orders streams, and passes addresses of device memory that it has checked.
// Addresses of the pool's own arrays are valid as long as the DevicePool object.
#include "device_pool_module.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "device_pool.h"

namespace py = pybind11;

namespace {

using Address = uintptr_t;  // of device memory; 0 = none

template <typename T>
T* pointer(Address address) {
  return reinterpret_cast<T*>(address);
}

// Raises the exception for a failed status, with pfc_last_error() as its text.
void check(PfcStatus status) {
  if (status == PFC_OK) return;
  PyObject* type = PyExc_RuntimeError;
  if (status == PFC_INVALID) type = PyExc_ValueError;
  else if (status == PFC_NO_MEMORY) type = PyExc_MemoryError;
  PyErr_SetString(type, pfc_last_error());
  throw py::error_already_set();
}

// Calls the C library without the GIL and checks the result.
template <typename Call>
void unlocked(const Call& call) {
  PfcStatus status;
  {
    const pufferc::Unlocked without_gil;
    status = call();
  }
  check(status);
}

const char* typestr(PfcDtype dtype) {
  switch (dtype) {
    case PFC_FLOAT32: return "<f4";
    case PFC_INT32: return "<i4";
    case PFC_INT8: return "|i1";
    default: return "|u1";
  }
}

class DevicePool {
 public:
  DevicePool(std::string env, int32_t num_games, int32_t autoreset, uint64_t seed,
             const std::vector<std::pair<std::string, double>>& params, std::optional<std::vector<uint64_t>> numbers,
             std::optional<py::buffer> data)
      : data_(std::move(data)) {
    std::vector<PfcParamValue> values;
    for (const auto& [name, value] : params) values.push_back({name.c_str(), value});
    PfcPoolDesc desc{};
    desc.env = env.c_str();
    desc.num_games = num_games;
    desc.autoreset = static_cast<PfcAutoreset>(autoreset);
    desc.seed = seed;
    desc.params = values.data();
    desc.num_params = static_cast<int32_t>(values.size());
    if (numbers) desc.game_numbers = numbers->data();
    if (data_) {
      view_ = std::make_unique<py::buffer_info>(data_->request());
      desc.data = view_->ptr;
      desc.data_bytes = static_cast<uint64_t>(view_->size * view_->itemsize);
    }
    unlocked([&] {
      pool_ = pfc_device_pool_create(&desc);
      return pool_ ? PFC_OK : pfc_last_status();
    });
  }
  ~DevicePool() { pfc_device_pool_destroy(pool_); }
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;

  void reset(std::optional<uint64_t> seed, Address seeds, Address mask, Address observations, Address stream) {
    PfcResetDesc desc{};
    desc.has_seed = seed.has_value();
    desc.seed = seed.value_or(0);
    desc.seeds = pointer<const uint64_t>(seeds);
    desc.mask = pointer<const uint8_t>(mask);
    desc.observations = pointer<void>(observations);
    unlocked([&] { return pfc_device_pool_reset(pool_, &desc, pointer<CUstream_st>(stream)); });
  }

  void step(Address actions, bool wide, Address observations, Address stream) {
    const bool discrete = pfc_device_pool_buffers(pool_)->discrete != 0;
    const PfcDtype dtype = !discrete ? PFC_FLOAT32 : wide ? PFC_INT64 : PFC_INT32;
    unlocked([&] {
      return pfc_device_pool_step(pool_, pointer<const void>(actions), dtype, pointer<void>(observations),
                                  pointer<CUstream_st>(stream));
    });
  }

  void check_actions(Address stream) {
    unlocked([&] { return pfc_device_pool_check(pool_, pointer<CUstream_st>(stream)); });
  }

  std::pair<int64_t, std::vector<double>> pop_metrics(Address stream) {
    int64_t episodes = 0;
    std::vector<double> values(2 + static_cast<size_t>(pfc_device_pool_buffers(pool_)->num_metrics));
    unlocked([&] { return pfc_device_pool_pop_metrics(pool_, &episodes, values.data(), pointer<CUstream_st>(stream)); });
    return {episodes, values};
  }

  void set_param(const std::string& name, double value, Address stream) {
    unlocked([&] { return pfc_device_pool_set_param(pool_, name.c_str(), value, pointer<CUstream_st>(stream)); });
  }

  py::bytes save(Address stream) {
    std::string bytes(pfc_device_pool_snapshot_bytes(pool_), 0);
    unlocked([&] { return pfc_device_pool_save(pool_, bytes.data(), bytes.size(), pointer<CUstream_st>(stream)); });
    return bytes;
  }

  void load(const std::string& bytes, Address stream) {
    unlocked([&] { return pfc_device_pool_load(pool_, bytes.data(), bytes.size(), pointer<CUstream_st>(stream)); });
  }

  // (address, typestr, shape) of each array, as in __cuda_array_interface__.
  py::dict arrays() const {
    const PfcBuffers* b = pfc_device_pool_buffers(pool_);
    py::dict found;
    const auto add = [&found](const char* name, const void* data, const char* type, std::vector<int64_t> shape) {
      if (data) found[name] = py::make_tuple(reinterpret_cast<Address>(data), type, py::tuple(py::cast(shape)));
    };
    std::vector<int64_t> observation = {b->rows};
    observation.insert(observation.end(), b->obs_shape, b->obs_shape + b->obs_dims);
    add("observations", b->observations, typestr(b->spec->obs_dtype), observation);
    add("final_observations", b->final_observations, typestr(b->spec->obs_dtype), observation);
    add("rewards", b->rewards, "<f4", {b->rows});
    add("terminated", b->terminated, "|b1", {b->rows});
    add("truncated", b->truncated, "|b1", {b->rows});
    add("alive", b->alive, "|b1", {b->rows});
    add("action_mask", b->action_mask, "<i4", {b->rows, b->mask_words});
    add("forced", b->forced, "|b1", {b->rows});
    add("episode_returns", b->episode_returns, "<f4", {b->rows});
    add("episode_lengths", b->episode_lengths, "<i4", {b->rows});
    add("episode_metrics", b->episode_metrics, "<f4", {b->rows, b->num_metrics});
    return found;
  }

 private:
  std::optional<py::buffer> data_;  // kept while the pool reads it
  std::unique_ptr<py::buffer_info> view_;
  PfcDevicePool* pool_ = nullptr;
};

}  // namespace

void pfc_bind_device_pool(py::module_& m) {
  py::class_<DevicePool>(m, "DevicePool", "A pool in the memory of the current CUDA device; see pufferc.envs.device.")
      .def(py::init<std::string, int32_t, int32_t, uint64_t, const std::vector<std::pair<std::string, double>>&,
                    std::optional<std::vector<uint64_t>>, std::optional<py::buffer>>(),
           py::kw_only(), py::arg("env"), py::arg("num_games"), py::arg("autoreset"), py::arg("seed"),
           py::arg("params"), py::arg("game_numbers"), py::arg("data"))
      .def("reset", &DevicePool::reset, py::kw_only(), py::arg("seed"), py::arg("seeds"), py::arg("mask"),
           py::arg("observations"), py::arg("stream"))
      .def("step", &DevicePool::step, py::arg("actions"), py::arg("wide"), py::arg("observations"), py::arg("stream"))
      .def("check_actions", &DevicePool::check_actions, py::arg("stream"))
      .def("pop_metrics", &DevicePool::pop_metrics, py::arg("stream"))
      .def("set_param", &DevicePool::set_param, py::arg("name"), py::arg("value"), py::arg("stream"))
      .def("save", &DevicePool::save, py::arg("stream"))
      .def("load", &DevicePool::load, py::arg("snapshot"), py::arg("stream"))
      .def("arrays", &DevicePool::arrays);
  py::list games;
  for (int32_t i = 0; i < pfc_device_game_count(); ++i) games.append(pfc_device_game_name(i));
  m.attr("device_games") = games;
}
