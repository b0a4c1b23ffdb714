// draw_load.c - finds and loads drawing modules. See draw_load.h.
#define _GNU_SOURCE  // dladdr
#include "draw/draw_load.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base.h"

// The folder of the shared library or program that this code is part of, without a slash at its end.
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

// Writes where the module is into `path`: beside the library, as cmake --install puts it, or above, as in a wheel.
static bool find_module(const char* name, char path[PATH_MAX], char folder[PATH_MAX]) {
  static const char* const places[] = {"", "/.."};
  if (!own_folder(folder)) {
    strcpy(folder, "an unknown folder");
    return false;
  }
  for (size_t i = 0; i < 2; ++i)
    if (snprintf(path, PATH_MAX, "%s%s/%s", folder, places[i], name) < PATH_MAX && access(path, R_OK) == 0) return true;
  return false;
}

// dlerror() names the file and the reason.
static const PfcDrawModule* load_file(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    const char* hint = strstr(why, "glfw") ? "; GLFW opens windows (Debian: apt-get install libglfw3)" : "";
    pfc_fail(PFC_UNSUPPORTED, "module: %s%s", why, hint);
    return NULL;
  }
  const PfcDrawModule* module = dlsym(library, PFC_DRAW_MODULE_SYMBOL);
  if (!module) {
    pfc_fail(PFC_INVALID, "module: %s is not a drawing module", path);
  } else if (module->version != PFC_DRAW_MODULE_VERSION || module->module_bytes != sizeof(PfcDrawModule)) {
    pfc_fail(PFC_INVALID, "module: %s was built for another version of pufferc", path);
    module = NULL;
  }
  if (!module) dlclose(library);
  return module;
}

const PfcDrawModule* pfc_draw_load(const char* path, bool windowed) {
  const char* name = windowed ? "pufferc_draw_window.so" : "pufferc_draw_headless.so";
  char found[PATH_MAX], folder[PATH_MAX];
  if (path) return load_file(path);
  if (find_module(name, found, folder)) return load_file(found);
  pfc_fail(PFC_UNSUPPORTED,
           "no %s: %s was not found; build pufferc with raylib (-DPUFFERC_RAYLIB=ON says what is missing), or name the "
           "file in `module`. Searched: %.200s and the folder above",
           windowed ? "windows" : "pictures", name, folder);
  return NULL;
}
