// bind_registry.cpp - games as plain dictionaries that pufferc.registration makes classes of, and their parameters.
#include "bindings/modules.h"
#include "games/registry.h"

extern "C" {
#include "games/layout.h"
}

namespace pufferc {

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

// What the parameters decide of a game's sizes before a pool is made. Refuses sizes that do not fit together.
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
  int32_t dims = 0;
  while (dims < PFC_MAX_ACTION_DIMS && layout.action_counts[dims] != 0) ++dims;
  entry["action_counts"] = py::tuple(py::cast(std::vector<int32_t>(layout.action_counts, layout.action_counts + dims)));
  entry["continuous_dims"] = layout.continuous_dims;
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

}  // namespace

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

py::dict describe_env(const PfcEnvSpec& spec) {
  py::list params, rows, metrics, keys, fields;
  for (int32_t i = 0; i < spec.num_params; ++i) params.append(describe_param(spec.params[i]));
  for (int32_t i = 0; i < spec.num_obs_rows; ++i) rows.append(describe_obs_row(spec.obs_rows[i]));
  for (int32_t i = 0; i < PFC_MAX_METRICS && spec.metrics[i]; ++i) metrics.append(spec.metrics[i]);
  for (int32_t i = 0; i < spec.num_keys; ++i) keys.append(describe_key(spec.keys[i]));
  for (int32_t i = 0; i < spec.num_fields; ++i) fields.append(spec.fields[i].name);
  py::dict entry;
  entry["name"] = spec.name;
  entry["title"] = spec.title;
  entry["summary"] = spec.summary;
  entry["version"] = spec.version;
  entry["max_games"] = spec.max_games ? py::object(py::int_(spec.max_games)) : py::object(py::none());
  entry["can_save"] = spec.open == nullptr;
  entry["params"] = params;
  entry["observation"] = rows;
  entry["metrics"] = metrics;
  entry["levels"] = spec.num_levels;
  entry["reads_data"] = spec.reset_from != nullptr;
  entry["fields"] = fields;
  entry["fps"] = spec.fps > 0.0f ? spec.fps : 30.0f;
  entry["keys"] = keys;
  entry["idle"] = spec.idle;
  return entry;
}

void bind_registry(py::module_& m) {
  m.attr("IDLE_KEEP") = PFC_IDLE_KEEP;
  m.attr("IDLE_ALTERNATE") = PFC_IDLE_ALTERNATE;
  m.def("game_layout", &game_layout, py::arg("env"), py::arg("params"));
  m.def("env_descriptions", &env_descriptions, "One dictionary per built-in game, by name in ascending order.");
  m.def("games_left_out", &games_left_out, "Games that this build lacks, each with the reason and the remedy.");
}

}  // namespace pufferc
