// window_load.c - finds and loads the window module. See window_load.h.
#define _GNU_SOURCE  // dladdr
#include "draw/window_load.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base.h"

#define MODULE_FILE "pufferc_draw_window.so"

// The folder of the shared library or program that contains this code, without a trailing slash.
static bool own_folder(char folder[PATH_MAX]) {
  static const char here = 0;
  Dl_info info;
  if (!dladdr(&here, &info) || !info.dli_fname) return false;
  char* real = realpath(info.dli_fname, NULL);
  char* slash = real ? strrchr(real, '/') : NULL;
  const bool fits = slash && slash - real < PATH_MAX;
  if (fits) {
    *slash = 0;
    strcpy(folder, real);
  }
  free(real);
  return fits;
}

// Finds the module in the folder of the library, where cmake --install puts it, or in its parent, as in a wheel.
static bool find_module(char path[PATH_MAX], char folder[PATH_MAX]) {
  static const char* const places[] = {"", "/.."};
  if (!own_folder(folder)) {
    strcpy(folder, "an unknown folder");
    return false;
  }
  for (size_t i = 0; i < sizeof places / sizeof places[0]; ++i) {
    const int length = snprintf(path, PATH_MAX, "%s%s/" MODULE_FILE, folder, places[i]);
    if (length < PATH_MAX && access(path, R_OK) == 0) return true;
  }
  return false;
}

static const PfcWindowModule* load_file(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();  // names the file and the reason
    const char* hint =
        strstr(why, "glfw") ? "; install GLFW, which opens windows (Debian: apt-get install libglfw3)" : "";
    pfc_fail(PFC_UNSUPPORTED, "module: %s%s", why, hint);
    return NULL;
  }
  const PfcWindowModule* module = dlsym(library, PFC_WINDOW_MODULE_SYMBOL);
  if (!module) {
    pfc_fail(PFC_INVALID, "module: %s is not a window module", path);
  } else if (module->version != PFC_WINDOW_MODULE_VERSION || module->module_bytes != sizeof(PfcWindowModule)) {
    pfc_fail(PFC_INVALID, "module: %s was built for another version of pufferc", path);
    module = NULL;
  }
  if (!module) dlclose(library);
  return module;
}

const PfcWindowModule* pfc_window_load(const char* path) {
  char found[PATH_MAX], folder[PATH_MAX];
  if (path) return load_file(path);
  if (find_module(found, folder)) return load_file(found);
  pfc_fail(PFC_UNSUPPORTED,
           "no windows: " MODULE_FILE
           " was not found in %.200s or its parent folder; build pufferc with raylib 6.0 and GLFW "
           "(-DPUFFERC_RAYLIB=ON reports what is missing), or pass its path as `module`",
           folder);
  return NULL;
}
