// bind_module.cpp - loading a game from a shared object: dlopen, the symbol pfc_env_module, and the checks of its record.
// A module is trusted code: its record is checked for mistakes, not for malice.
#include <dlfcn.h>
#include <unistd.h>

#include "bindings/modules.h"
#include "bindings/unlocked.h"

namespace pufferc {
namespace {

// The loader's own words, without the name of the file that was loaded instead of the user's.
std::string loader_error(const std::string& file) {
  const char* text = dlerror();
  std::string message = text ? text : "the system gives no reason";
  const std::string prefix = file + ": ";
  if (message.compare(0, prefix.size(), prefix) == 0) message.erase(0, prefix.size());
  if (message.find("undefined symbol") != std::string::npos)
    message += "; define it in the game's source, or name the library that has it in the compiler command";
  return message;
}

}  // namespace

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
    raise(PyExc_ValueError, shown_ + ": is a shared object, but not a game: it has no pfc_env_module, which "
                                     "PFC_DEFINE_ENV at the end of a game's source makes");
  const auto* spec = static_cast<const PfcEnvSpec*>(symbol);
  if (pfc_env_validate(spec) != PFC_OK) raise(PyExc_ValueError, shown_ + ": " + pfc_last_error());
  spec_ = spec;
}

void Module::unload() noexcept {
  if (handle_) dlclose(handle_);
  if (fd_ >= 0) ::close(fd_);
}

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

void bind_module(py::module_& m) {
  py::class_<Module, std::shared_ptr<Module>>(m, "Module")
      .def(py::init<const std::string&, const std::string&, int>(), py::arg("file"), py::arg("shown"), py::arg("fd"))
      .def("description", [](const Module& module) { return describe_env(module.spec()); })
      .def("__repr__", [](const Module& module) { return "<pufferc._core.Module " + module.shown() + ">"; });
}

}  // namespace pufferc
