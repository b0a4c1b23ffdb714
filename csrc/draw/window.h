// window.h - what the window module offers: a window that shows finished pictures and gives keys.
//
// The module, built from window_raylib.c, is a shared object with this one symbol. Nothing links against it, so that
// programs run where there is no display and no OpenGL; it is loaded when a window is asked for (window_load.h). A process
// has one window, and all calls for it come from the thread that opened it; the caller sees to that.
//
//   open -> { show -> poll }* -> close
//
// Functions that can fail return NULL, or a message that is valid until the module's next call.
#ifndef PUFFERC_WINDOW_H
#define PUFFERC_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define PFC_WINDOW_MODULE_VERSION 1u  // changes with the struct below; a module built for another number is refused
#define PFC_WINDOW_MODULE_SYMBOL "pfc_window_module"

typedef struct PfcWindowModule {
  uint32_t version;       // PFC_WINDOW_MODULE_VERSION
  uint32_t module_bytes;  // sizeof(PfcWindowModule)

  const char* (*open)(int32_t width_px, int32_t height_px, const char* title);  // resizable; `title` is borrowed
  void (*close)(void);
  // Copies pixels [height_px, width_px] of raster.h into the upper left corner of the window. May wait for the screen.
  const char* (*show)(const uint32_t* pixels, int32_t width_px, int32_t height_px);

  // Keys are raylib's numbers: ASCII capitals and digits for letters and digits, from 256 on for the rest.
  void (*poll)(void);                                   // takes in what happened since the last poll
  bool (*should_close)(void);                           // the user asked to close it; Escape does not count
  void (*size)(int32_t* width_px, int32_t* height_px);  // of the window now
  int32_t (*next_key)(void);      // a key pressed before the last poll that was not yet returned; 0 = none
  bool (*key_down)(int32_t key);  // whether it was held down at the last poll
} PfcWindowModule;

#endif  // PUFFERC_WINDOW_H
