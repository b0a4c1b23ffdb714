// window.h - the interface of the window module: a window that shows finished pictures and reports keys.
//
// The module, built from window_raylib.c, is a shared object with this one symbol. Nothing links against it, so
// programs run without a display and without OpenGL. It is loaded when the first window is opened (window_load.h). A
// process has one window. The caller ensures that all calls come from the thread that opened it.
//
//   open -> { show -> poll }* -> close
//
// Functions that can fail return NULL, or a message that is valid until the module's next call.
#ifndef PUFFERC_WINDOW_H
#define PUFFERC_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define PFC_WINDOW_MODULE_VERSION 2u  // changes with the struct below; other versions are refused
#define PFC_WINDOW_MODULE_SYMBOL "pfc_window_module"

typedef struct PfcWindowModule {
  uint32_t version;       // PFC_WINDOW_MODULE_VERSION
  uint32_t module_bytes;  // sizeof(PfcWindowModule)

  const char* (*open)(int32_t width_px, int32_t height_px, const char* title);  // resizable; `title` is borrowed
  void (*close)(void);
  // Copies pixels [height_px, width_px] of raster.h into the upper left corner of the window. May wait for the screen.
  const char* (*show)(const uint32_t* pixels, int32_t width_px, int32_t height_px);

  // Keys are raylib's numbers: ASCII capitals and digits for letters and digits, from 256 on for the rest.
  void (*poll)(void);                                   // processes the events since the last poll
  bool (*should_close)(void);                           // the user asked to close it; Escape does not count
  void (*size)(int32_t* width_px, int32_t* height_px);  // current size of the window
  int32_t (*next_key)(void);      // the next key that was pressed before the last poll; 0 = none
  bool (*key_down)(int32_t key);  // whether the key was down at the last poll
  // Whether the left mouse button was pressed before the last poll, and where the pointer was at it, in pixels from the
  // window's upper left corner.
  bool (*clicked)(float* x_px, float* y_px);
} PfcWindowModule;

#endif  // PUFFERC_WINDOW_H
