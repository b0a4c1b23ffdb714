// module.c - loads a game from a shared object.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "core/base.h"

const PfcEnvSpec* pfc_env_load(const char* path) {
  if (!path || !strchr(path, '/')) {  // the loader would search the system's folders
    (void)pfc_fail(PFC_INVALID, "path: expected the path of a shared object such as ./mygame.so, got %s",
                   path ? path : "NULL");
    return NULL;
  }
  void* module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!module) {
    const char* why = dlerror();
    (void)pfc_fail(PFC_INVALID, "path: %s cannot be loaded: %s", path, why ? why : "the system gave no reason");
    return NULL;
  }
  const PfcEnvSpec* spec = dlsym(module, "pfc_env_module");
  if (!spec) (void)pfc_fail(PFC_INVALID, "path: %s is not a game: it has no pfc_env_module", path);
  if (spec && pfc_env_validate(spec) == PFC_OK) return spec;
  (void)dlclose(module);
  return NULL;
}
