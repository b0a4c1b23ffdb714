// modules.h - games for the other bindings: built-in ones by name, loaded ones by their module.
#ifndef PUFFERC_BINDINGS_MODULES_H
#define PUFFERC_BINDINGS_MODULES_H

#include <memory>
#include <string>

#include "bindings/arrays.h"

namespace pufferc {

// A shared object with one game, pufferc._core.Module. Loaded as long as somebody holds it: a Python object that
// describes the game, or a pool that runs it.
class Module {
 public:
  // `file` is what is loaded, `shown` the user's path, named in errors. Takes over the descriptor `fd` that `file` names
  // (-1 = none) and closes it last, since the loader tells modules apart by their names.
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

// A game, and what keeps its code in memory (nothing for built-in games).
struct Game {
  const PfcEnvSpec* spec;
  std::shared_ptr<Module> module;
};

// The game that a str (a built-in game's name) or a Module stands for. ValueError or TypeError for anything else.
Game find_game(py::handle name_or_module);

// Parameters as the C API takes them. Points into `dict`, which must outlive it.
std::vector<PfcParamValue> param_values(const py::dict& dict);

// A game as plain dictionaries, of which pufferc.registration makes classes.
py::dict describe_env(const PfcEnvSpec& spec);

// A row of an observation table, of a game or of a pool.
py::dict describe_obs_row(const PfcObsRow& row);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_MODULES_H
