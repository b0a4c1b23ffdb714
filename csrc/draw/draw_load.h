// draw_load.h - finds and loads drawing modules (draw_module.h) at run time. A loaded module stays loaded: drivers of
// OpenGL do not unload.
#ifndef PUFFERC_DRAW_LOAD_H
#define PUFFERC_DRAW_LOAD_H

#include "draw/draw_module.h"

#ifdef __cplusplus
extern "C" {
#endif

// The module in a file, or, for path NULL, the one for windows or for memory that lies beside the code of this function
// or in the folder above. NULL with the last error set.
const PfcDrawModule* pfc_draw_load(const char* path, bool windowed);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_DRAW_LOAD_H
