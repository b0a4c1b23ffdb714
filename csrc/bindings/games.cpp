// games.cpp - built-in games and games loaded from shared objects, described as plain dictionaries for
// pufferc.envs.games; their parameters; and the checks of csrc/conformance/ for pufferc.check.
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "bindings/arrays.h"
#include "conformance/conformance.h"
#include "games/layout.h"
#include "games/params.h"
#include "games/registry.h"
#include "pool/crash.h"

namespace pufferc {

// ---- descriptions -------------------------------------------------------------------------------------

namespace {

py::dict describe_obs_row(const PfcObsRow& row) {
  py::dict entry;
  entry["name"] = row.name;
  entry["count"] = row.count;
  entry["low"] = row.low;
  entry["high"] = row.high;
  entry["help"] = row.help;
  entry["each"] = row.each;
  entry["num_codes"] = row.num_codes;
  entry["plane_height"] = row.plane_height;
  entry["plane_width"] = row.plane_width;
  return entry;
}

py::dict describe_param(const PfcParam& param) {
  static const char* const kinds[] = {"int", "float", "bool"};
  py::dict entry;
  entry["name"] = param.name;
  entry["type"] = kinds[param.type];
  entry["default"] = param.default_value;
  entry["min"] = param.min;
  entry["max"] = param.max;
  entry["help"] = param.help;
  return entry;
}

py::dict describe_key(const PfcKeyBinding& key) {
  py::dict entry;
  entry["keys"] = key.keys;
  entry["help"] = key.help;
  entry["dim"] = key.dim;
  entry["choice"] = key.choice;
  entry["control"] = key.control;
  entry["push"] = key.push;
  return entry;
}

// The descriptions of the entries of a table.
template <typename Entry, typename Describe>
py::list list_of(const Entry* entries, int32_t count, Describe describe) {
  py::list list;
  for (int32_t i = 0; i < count; ++i) list.append(describe(entries[i]));
  return list;
}

// A game as plain dictionaries.
py::dict describe_env(const PfcEnvSpec& spec) {
  const auto* last_metric = std::find(spec.metrics, spec.metrics + PFC_MAX_METRICS, nullptr);
  py::dict entry;
  entry["name"] = spec.name;
  entry["title"] = spec.title;
  entry["summary"] = spec.summary;
  entry["version"] = spec.version;
  entry["max_games"] = spec.max_games ? py::object(py::int_(spec.max_games)) : py::object(py::none());
  entry["can_save"] = spec.open == nullptr;
  entry["params"] = list_of(spec.params, spec.num_params, describe_param);
  entry["observation"] = list_of(spec.obs_rows, spec.num_obs_rows, describe_obs_row);
  entry["metrics"] = py::cast(std::vector<std::string>(spec.metrics, last_metric));
  entry["levels"] = spec.num_levels;
  entry["reads_data"] = spec.reset_from != nullptr;
  entry["fields"] = list_of(spec.fields, spec.num_fields, [](const PfcField& field) { return field.name; });
  entry["fps"] = spec.fps > 0.0f ? spec.fps : 30.0f;
  entry["keys"] = list_of(spec.keys, spec.num_keys, describe_key);
  entry["idle"] = spec.idle;
  return entry;
}

py::list env_descriptions() {
  py::list all;
  for (int32_t i = 0; i < pfc_env_count(); ++i) all.append(describe_env(*pfc_env_at(i)));
  return all;
}

py::dict games_left_out() {
  py::dict all;
  for (const char* const* name = pfc_games_left_out(); *name; ++name) all[*name] = PFC_LEFT_OUT_WHY;
  return all;
}

// ---- modules ------------------------------------------------------------------------------------------

// The loader's message, without the name of the loaded file, which is not the user's path.
std::string loader_error(const std::string& file) {
  const char* text = dlerror();
  std::string message = text ? text : "the system gave no reason";
  const std::string prefix = file + ": ";
  if (message.compare(0, prefix.size(), prefix) == 0) message.erase(0, prefix.size());
  if (message.find("undefined symbol") != std::string::npos)
    message += "; define it in the game's source, or link the library that defines it";
  return message;
}

// A shared object with one game, pufferc._core.Module. It stays loaded while a Python object that describes the game
// or a pool that runs it refers to it. A module is trusted code: its spec is checked for mistakes, not for malice.
class Module {
 public:
  // Loads `file`. Errors name `shown`, the user's path. Owns the descriptor `fd` that `file` names (-1 = none) and
  // closes it after unloading, since the loader identifies modules by their file names.
  Module(const std::string& file, const std::string& shown, int fd);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const PfcEnvSpec& spec() const { return *spec_; }
  const std::string& shown() const { return shown_; }

 private:
  void load(const std::string& file);
  void unload() noexcept;

  std::string shown_;
  int fd_;
  void* handle_ = nullptr;
  const PfcEnvSpec* spec_ = nullptr;
};

Module::Module(const std::string& file, const std::string& shown, int fd) : shown_(shown), fd_(fd) {
  try {
    load(file);
  } catch (...) {
    unload();
    throw;
  }
}

Module::~Module() { unload(); }

void Module::load(const std::string& file) {
  std::string error;
  {
    const Unlocked unlocked;
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle_) error = loader_error(file);
  }
  if (!handle_) raise(PyExc_ValueError, shown_ + ": cannot be loaded: " + error);
  const void* symbol = dlsym(handle_, "pfc_env_module");
  if (!symbol)
    raise(PyExc_ValueError, shown_ + ": is a shared object but not a game: it has no pfc_env_module, which "
                                     "PFC_DEFINE_ENV at the end of a game's source defines");
  const auto* spec = static_cast<const PfcEnvSpec*>(symbol);
  if (pfc_env_validate(spec) != PFC_OK) raise(PyExc_ValueError, shown_ + ": " + pfc_last_error());
  spec_ = spec;
}

void Module::unload() noexcept {
  if (handle_) dlclose(handle_);
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace

Game find_game(py::handle name_or_module) {
  if (py::isinstance<Module>(name_or_module)) {
    auto module = name_or_module.cast<std::shared_ptr<Module>>();
    return {&module->spec(), module};
  }
  if (!py::isinstance<py::str>(name_or_module))
    raise(PyExc_TypeError, "env must be the name of a game or a module, got " + type_name(name_or_module));
  const PfcEnvSpec* spec = pfc_env_find(name_or_module.cast<std::string>().c_str());
  if (!spec) raise(PyExc_ValueError, pfc_last_error());
  return {spec, nullptr};
}

// ---- parameters ---------------------------------------------------------------------------------------

std::vector<PfcParamValue> param_values(const py::dict& dict) {
  std::vector<PfcParamValue> values;
  for (auto [key, value] : dict) {
    const char* name = PyUnicode_AsUTF8(key.ptr());
    if (!name) throw py::error_already_set();
    values.push_back({name, value.cast<double>()});
  }
  return values;
}

namespace {

// The sizes before the first 0, at most `count`.
py::tuple used_sizes(const int32_t* sizes, int32_t count) {
  return py::tuple(py::cast(std::vector<int32_t>(sizes, std::find(sizes, sizes + count, 0))));
}

// A game's sizes and tables for these parameters. Raises if they are invalid.
py::dict game_layout(const py::object& env, const py::dict& params) {
  const Game game = find_game(env);
  const PfcEnvSpec& spec = *game.spec;
  const auto values = param_values(params);
  std::vector<uint64_t> storage(spec.params_bytes / 8 + 1);
  PfcLayout layout;
  check_status(pfc_fill_params(&spec, values.data(), static_cast<int32_t>(values.size()), storage.data()));
  check_status(pfc_fill_layout(&spec, storage.data(), &layout));
  std::vector<PfcObsRow> rows(static_cast<size_t>(spec.num_obs_rows));
  check_status(pfc_fill_rows(&spec, storage.data(), &layout, rows.data()));
  py::dict entry;
  entry["agents"] = layout.agents;
  entry["masked"] = layout.masked != 0;
  entry["teams"] = layout.teams;
  entry["action_counts"] = used_sizes(layout.action_counts, PFC_MAX_ACTION_DIMS);
  entry["continuous_dims"] = layout.continuous_dims;
  entry["observation"] = list_of(rows.data(), spec.num_obs_rows, describe_obs_row);
  entry["observation_shape"] = used_sizes(layout.obs_shape, PFC_MAX_OBS_DIMS);
  entry["observation_dtype"] = dtype_of(spec.obs_dtype);
  return entry;
}

// The current name of a parameter, which may be given by its former one; None if the game has no such parameter.
py::object param_name(const py::object& env, const std::string& name) {
  const Game game = find_game(env);
  const PfcParam* param = pfc_find_param(game.spec, name.c_str());
  return param == nullptr ? py::object(py::none()) : py::object(py::str(param->name));
}

// ---- checks -------------------------------------------------------------------------------------------

py::dict describe_finding(const PfcFinding& finding) {
  static const char* const severities[] = {"note", "warning", "error"};
  py::dict entry;
  entry["severity"] = severities[finding.severity];
  entry["code"] = finding.code;
  entry["subject"] = finding.subject;
  entry["game"] = finding.game;
  entry["agent"] = finding.agent;
  entry["step"] = finding.step;
  entry["address"] = finding.address;
  entry["seen"] = finding.seen;
  return entry;
}

void on_finding(void* context, const PfcFinding* finding) {
  const py::gil_scoped_acquire locked;
  try {
    (*static_cast<const py::function*>(context))(describe_finding(*finding));
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("pufferc.check");  // the callers are C functions, which cannot pass it on
  }
}

// Without the GIL, so that a thread of the process can end it.
void check_game(const py::object& env, const py::dict& params, const py::object& data, const py::buffer& trace,
                bool catch_signals, const py::function& report) {
  const Game game = find_game(env);
  const auto values = param_values(params);
  const py::buffer_info memory = trace.request(true);
  if (memory.size * memory.itemsize != static_cast<py::ssize_t>(sizeof(PfcTrace)))
    raise(PyExc_ValueError, "trace must have " + std::to_string(sizeof(PfcTrace)) + " bytes, got " +
                                std::to_string(memory.size * memory.itemsize));
  py::buffer_info file;  // empty without data
  if (!data.is_none()) file = py::reinterpret_borrow<py::buffer>(data).request();
  PfcCheckDesc desc = {};
  desc.data = file.ptr;
  desc.data_bytes = static_cast<uint64_t>(file.size * file.itemsize);
  desc.spec = game.spec;
  desc.params = values.data();
  desc.num_params = static_cast<int32_t>(values.size());
  desc.is_module = game.module != nullptr && catch_signals;  // sanitizers add their own variables to a module
  desc.catch_signals = catch_signals;
  desc.trace = static_cast<PfcTrace*>(memory.ptr);
  desc.report = on_finding;
  desc.context = const_cast<py::function*>(&report);
  PfcStatus status;
  {
    const Unlocked unlocked;
    status = pfc_check_game(&desc);
  }
  check_status(status);
}

int32_t count_metrics(const py::object& env, const py::dict& params, const py::object& data) {
  const Game game = find_game(env);
  const auto values = param_values(params);
  py::buffer_info file;  // empty without data
  if (!data.is_none()) file = py::reinterpret_borrow<py::buffer>(data).request();
  PfcCheckDesc desc = {};
  desc.spec = game.spec;
  desc.params = values.data();
  desc.num_params = static_cast<int32_t>(values.size());
  desc.data = file.ptr;
  desc.data_bytes = static_cast<uint64_t>(file.size * file.itemsize);
  return pfc_count_metrics(&desc);
}

py::dict read_trace(const std::string& data) {
  PfcTrace trace = {};
  std::memcpy(&trace, data.data(), std::min(data.size(), sizeof trace));
  trace.stage[sizeof trace.stage - 1] = trace.function[sizeof trace.function - 1] =
      trace.fault[sizeof trace.fault - 1] = 0;
  py::dict entry;
  entry["stage"] = trace.stage;
  entry["function"] = trace.function;
  entry["game"] = trace.game;
  entry["agent"] = trace.agent;
  entry["step"] = trace.step;
  entry["calls"] = trace.calls;
  entry["signal"] = trace.signal;
  entry["done"] = trace.done != 0;
  entry["fault"] = trace.fault;
  return entry;
}

}  // namespace

void bind_games(py::module_& m) {
  using py::arg;
  m.attr("IDLE_KEEP") = PFC_IDLE_KEEP;
  m.attr("IDLE_ALTERNATE") = PFC_IDLE_ALTERNATE;
  m.attr("AUTORESET_SAME_STEP") = static_cast<int>(PFC_AUTORESET_SAME_STEP);
  m.attr("AUTORESET_DISABLED") = static_cast<int>(PFC_AUTORESET_DISABLED);
  m.attr("AUTORESET_NEXT_STEP") = static_cast<int>(PFC_AUTORESET_NEXT_STEP);
  m.def("game_layout", &game_layout, arg("env"), arg("params"));
  m.def("param_name", &param_name, arg("env"), arg("name"));
  m.def("env_descriptions", &env_descriptions, "One dictionary per built-in game, by name in ascending order.");
  m.def("games_left_out", &games_left_out, "Games that this build lacks, each with the reason and the remedy.");
  py::class_<Module, std::shared_ptr<Module>>(m, "Module")
      .def(py::init<const std::string&, const std::string&, int>(), arg("file"), arg("shown"), arg("fd"))
      .def("description", [](const Module& module) { return describe_env(module.spec()); })
      .def("__repr__", [](const Module& module) { return "<pufferc._core.Module " + module.shown() + ">"; });
  m.def("check_game", &check_game, arg("env"), arg("params"), arg("data"), arg("trace"), arg("catch_signals"),
        arg("report"));
  m.def("watch_crashes", [](const std::string& before, const std::string& after) {
    pfc_watch_crashes(before.c_str(), after.c_str());
  }, arg("before"), arg("after"));
  m.def("stop_watching_crashes", [] { pfc_watch_crashes(nullptr, nullptr); });
  m.def("count_metrics", &count_metrics, arg("env"), arg("params"), arg("data"));
  m.def("trace_bytes", [] { return sizeof(PfcTrace); });
  m.def("read_trace", [](const py::bytes& data) { return read_trace(data); }, arg("data"));
}

}  // namespace pufferc
