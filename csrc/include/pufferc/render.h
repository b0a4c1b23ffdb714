// render.h - pictures of games in the caller's memory, or in a window.
//
//   #include <pufferc/render.h>
//
//   PfcRenderer* renderer = pfc_renderer_create(NULL);               // draws into memory; needs no display
//   if (!renderer) { fprintf(stderr, "%s\n", pfc_last_error()); return 1; }
//   static uint8_t rgb[360 * 640 * 3];                               // [height, width, 3]
//   if (pfc_renderer_picture(renderer, pool, 0, 16, 640, 360, rgb, sizeof rgb)) return 1;
//   pfc_renderer_destroy(renderer);
//
// The library draws pictures itself. Windows show the same pictures. A module that is loaded at run time opens them:
// pufferc_draw_window.so, which is built if raylib and GLFW are available and installed in the library's folder. You
// can also name another file. Loading a file runs its code. A loaded module stays loaded until the process ends.
//
// To compose a frame yourself:  begin -> { games | draw }* -> end.  Sizes and positions are in pixels of the frame, x
// right and y down. Pictures are uint8 [height, width, 3], red, green, blue, top row first. The caller owns them.
//
// Errors are as in pufferc.h. Threads: any number of renderers may draw at the same time, but only one thread at a time
// may use a renderer, as with pools. A process has at most one window, and all calls for it must come from the thread
// that opened it.
#ifndef PUFFERC_RENDER_H
#define PUFFERC_RENDER_H

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcRenderer PfcRenderer;

// Zero means default for every field.
typedef struct PfcRendererDesc {
  int32_t window;               // 1: opens a resizable window; 0: draws into memory and ignores the other fields
  int32_t width_px, height_px;  // of the window, in [PFC_DRAW_MIN_SIDE_PX, PFC_DRAW_MAX_SIDE_PX]; 0 = 960 and 720
  const char* title;            // of the window; NULL = "pufferc"
  const char* module;           // path of the window module; NULL = in the library's folder, or in the folder above it
} PfcRendererDesc;

// Returns NULL with pfc_last_error() set if there is no memory, or if the window module or the window cannot be opened.
// desc NULL = all defaults.
PFC_API PfcRenderer* pfc_renderer_create(const PfcRendererDesc* desc);
PFC_API void pfc_renderer_destroy(PfcRenderer* renderer);  // closes the window; NULL is allowed

// ---- one call --------------------------------------------------------------------------------------

// Draws games [first, first + count) of a pool in a grid that fills the picture, into rgb [height_px, width_px, 3] of
// rgb_bytes. The pool must have been reset, and not be between send and recv. With a window, shows the picture; rgb may
// be NULL with 0 bytes, and sizes of 0 are those of the window.
PFC_API PfcStatus pfc_renderer_picture(PfcRenderer* renderer, PfcPool* pool, int32_t first, int32_t count,
                                       int32_t width_px, int32_t height_px, uint8_t* rgb, uint64_t rgb_bytes);
// Computes the size of the picture, within a box, that shows `count` games of this pool at the largest size with their
// own aspect ratio. Sides are even, as video formats need. *width_px and *height_px: in the box, out the picture.
PFC_API PfcStatus pfc_picture_size(PfcPool* pool, int32_t count, int32_t* width_px, int32_t* height_px);

// ---- a frame in steps ------------------------------------------------------------------------------

// Sides in [PFC_DRAW_MIN_SIDE_PX, PFC_DRAW_MAX_SIDE_PX]; 0 = those of the window.
PFC_API PfcStatus pfc_renderer_begin(PfcRenderer* renderer, int32_t width_px, int32_t height_px, PfcColor background);
// Draws games [first, first + count) of a pool into a part of the frame, in a grid, with their own aspect ratio.
PFC_API PfcStatus pfc_renderer_games(PfcRenderer* renderer, PfcPool* pool, int32_t first, int32_t count,
                                     PfcDrawCell cell);
// Callbacks to draw your own text and shapes in a part of the frame. Unless you call `begin`, positions are pixels from
// the cell's top left corner. Valid until the next call with this renderer; NULL outside a frame.
PFC_API const PfcDraw* pfc_renderer_draw(PfcRenderer* renderer, PfcDrawCell cell);
// Ends the frame. A window shows it, and may wait for the screen's refresh. rgb receives the frame: [height_px,
// width_px, 3] of rgb_bytes, or NULL with 0 bytes. After PFC_INVALID the frame is still open.
PFC_API PfcStatus pfc_renderer_end(PfcRenderer* renderer, uint8_t* rgb, uint64_t rgb_bytes);

// ---- windows ---------------------------------------------------------------------------------------

// Key codes. Letters, digits and signs have the ASCII code of their key on a US keyboard, letters as capitals. Others:
typedef enum PfcKey {
  PFC_KEY_SPACE = 32,
  PFC_KEY_MINUS = 45,
  PFC_KEY_EQUAL = 61,
  PFC_KEY_ESCAPE = 256,
  PFC_KEY_ENTER = 257,
  PFC_KEY_TAB = 258,
  PFC_KEY_RIGHT = 262,
  PFC_KEY_LEFT = 263,
  PFC_KEY_DOWN = 264,
  PFC_KEY_UP = 265,
  PFC_KEY_KEYPAD_MINUS = 333,
  PFC_KEY_KEYPAD_PLUS = 334
} PfcKey;

typedef struct PfcWindowState {
  int32_t closing;              // 1: the user asked to close the window; the Escape key does not close it
  int32_t width_px, height_px;  // current size
  int32_t clicked;              // 1: the left mouse button was pressed since the last poll
  float click_x_px, click_y_px;  // where, from the window's upper left corner; unchanged without a click
} PfcWindowState;

// Processes events since the last poll. Call it once per frame. PFC_UNSUPPORTED without a window.
PFC_API PfcStatus pfc_renderer_poll(PfcRenderer* renderer, PfcWindowState* state);
// The next key from the queue of keys pressed before the last poll; 0 = none.
PFC_API int32_t pfc_renderer_next_key(PfcRenderer* renderer);
PFC_API int32_t pfc_renderer_key_down(PfcRenderer* renderer, int32_t key);  // 1: held down at the last poll

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_RENDER_H
