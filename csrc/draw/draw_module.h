// draw_module.h - what a drawing module offers: pictures of games in memory, or a window that shows them.
//
// Two modules are built from draw_raylib.c, one that draws into memory and needs no display, and one that opens a window.
// Each is a shared object with this one symbol. Nothing of the library links against them: whoever wants pictures loads
// one at run time. A module has one picture or window per process, and is not thread-safe: its user makes calls one after
// the other, those of a window all in the same thread.
//
//   open -> { begin_frame -> { draw(cell) -> a game draws }* -> end_frame }* -> close
//
// Sizes and positions are in pixels of the picture, x right and y down. Functions that can fail return NULL, or a message
// that is valid until the module's next call.
#ifndef PUFFERC_DRAW_MODULE_H
#define PUFFERC_DRAW_MODULE_H

#include "pufferc/draw.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_DRAW_MODULE_VERSION 2u  // changes with the struct below and with PfcDraw; a module built for another number is refused
#define PFC_DRAW_MODULE_SYMBOL "pfc_draw_module"

typedef struct PfcDrawModule {
  uint32_t version;       // PFC_DRAW_MODULE_VERSION
  uint32_t module_bytes;  // sizeof(PfcDrawModule)
  bool windowed;

  // Opens a resizable window of this size; refused while one is open. In memory, opening again is allowed.
  const char* (*open)(int32_t width_px, int32_t height_px, const char* title);
  void (*close)(void);  // allowed at any time

  // A frame of any size within the bounds. In a window it should have the size that `size` gives.
  const char* (*begin_frame)(int32_t width_px, int32_t height_px, PfcColor background);
  // What to draw with, in the given cell, until the next call. Anything outside the cell is cut off. The PfcDraw belongs
  // to the module. Without a call to its `begin`, positions are pixels relative to the cell.
  const PfcDraw* (*draw)(PfcDrawCell cell);
  // Ends the frame; a window shows it. rgb: NULL, or [height_px, width_px, 3] bytes that receive it, top row first.
  const char* (*end_frame)(uint8_t* rgb);

  // Windows only. Keys are raylib's numbers: ASCII capitals and digits for letters and digits, from 256 on for the rest.
  void (*poll)(void);                                     // takes in what happened since the last poll
  bool (*should_close)(void);                             // the user asked for it; Escape does not count
  void (*size)(int32_t* width_px, int32_t* height_px);    // of the window now
  int32_t (*next_key)(void);                              // pressed before the last poll and not yet returned; 0 = none
  bool (*key_down)(int32_t key);                          // held down at the last poll
} PfcDrawModule;

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_DRAW_MODULE_H
