// bind_check.cpp - the checks of csrc/conformance/ for pufferc.check, which calls them in a process of its own.
#include <algorithm>
#include <cstring>

#include "bindings/modules.h"
#include "conformance/conformance.h"

namespace pufferc {
namespace {

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
  try {
    (*static_cast<const py::function*>(context))(describe_finding(*finding));
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("pufferc.check");  // there are C functions between here and Python
  }
}

// Under the GIL all the time: a finding calls Python, and its process does nothing else.
void check_game(const py::object& env, const py::dict& params, const py::object& data, const py::buffer& trace,
                bool catch_signals, const py::function& report) {
  const Game game = find_game(env);
  const auto values = param_values(params);
  const py::buffer_info memory = trace.request(true);
  if (memory.size * memory.itemsize != static_cast<py::ssize_t>(sizeof(PfcTrace)))
    raise(PyExc_ValueError, "trace must have " + std::to_string(sizeof(PfcTrace)) + " bytes, got " +
                                std::to_string(memory.size * memory.itemsize));
  py::buffer_info file;  // empty where there is none
  if (!data.is_none()) file = py::reinterpret_borrow<py::buffer>(data).request();
  PfcCheckDesc desc = {};
  desc.data = file.ptr;
  desc.data_bytes = static_cast<uint64_t>(file.size * file.itemsize);
  desc.spec = game.spec;
  desc.params = values.data();
  desc.num_params = static_cast<int32_t>(values.size());
  desc.is_module = game.module != nullptr && catch_signals;  // sanitizers keep variables of their own in a module
  desc.catch_signals = catch_signals;
  desc.trace = static_cast<PfcTrace*>(memory.ptr);
  desc.report = on_finding;
  desc.context = const_cast<py::function*>(&report);
  check_status(pfc_check_game(&desc));
}

py::dict read_trace(const std::string& data) {
  PfcTrace trace = {};
  std::memcpy(&trace, data.data(), std::min(data.size(), sizeof trace));
  trace.stage[sizeof trace.stage - 1] = trace.function[sizeof trace.function - 1] = trace.fault[sizeof trace.fault - 1] = 0;
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

void bind_check(py::module_& m) {
  using py::arg;
  m.def("check_game", &check_game, arg("env"), arg("params"), arg("data"), arg("trace"), arg("catch_signals"),
        arg("report"));
  m.def("trace_bytes", [] { return sizeof(PfcTrace); });
  m.def("read_trace", [](const py::bytes& data) { return read_trace(data); }, arg("data"));
}

}  // namespace pufferc
