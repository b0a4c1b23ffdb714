// module.cpp - the compiled module pufferc._core: one bind_*(m) per file.
#include "bindings/arrays.h"
#include "core/base.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled part of pufferc; use the functions of the package instead.";
  m.attr("__version__") = pfc_version();
  m.attr("MAX_ROWS") = PFC_MAX_ROWS;
  m.attr("MAX_THREADS") = PFC_MAX_THREADS;
  m.attr("MAX_GROUPS") = PFC_MAX_GROUPS;
  m.attr("MAX_CHOICES") = PFC_MAX_CHOICES;
  m.def("memory_left", &pfc_memory_left, "Bytes of memory that this process can still allocate.");
  pufferc::bind_games(m);
  pufferc::bind_pool(m);
  pufferc::bind_draw(m);
  pufferc::bind_kernels(m);
  pufferc::bind_networks(m);
  pufferc::bind_policy(m);
}
