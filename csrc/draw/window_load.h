// window_load.h - finds and loads the window module (window.h) at run time. It stays loaded until the process ends: OpenGL
// drivers cannot be unloaded.
#ifndef PUFFERC_WINDOW_LOAD_H
#define PUFFERC_WINDOW_LOAD_H

#include "draw/window.h"

#ifdef __cplusplus
extern "C" {
#endif

// The module in a file, or, for path NULL, the one that lies beside the library or program that this function is part of,
// or in the folder above. NULL with the last error set.
const PfcWindowModule* pfc_window_load(const char* path);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_WINDOW_LOAD_H
