// window_load.h - finds and loads the window module (window.h) at run time. It stays loaded until the process ends,
// since OpenGL drivers cannot be unloaded.
#ifndef PUFFERC_WINDOW_LOAD_H
#define PUFFERC_WINDOW_LOAD_H

#include "draw/window.h"

#ifdef __cplusplus
extern "C" {
#endif

// Loads the module from a file. If path is NULL, it is searched in the folder of the library or program that contains
// this function, and in the parent folder. Returns NULL and sets the last error on failure.
const PfcWindowModule* pfc_window_load(const char* path);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_WINDOW_LOAD_H
