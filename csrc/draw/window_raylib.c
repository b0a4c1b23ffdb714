// window_raylib.c - the window module by raylib, which only this file includes. See window.h.
//
// raylib keeps its state in globals, and so does this file: a process has one window.
#include <raylib.h>
#include <rlgl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "draw/window.h"

#define GL_COLOR_BUFFER_BIT_ 0x4000  // OpenGL's constant, which rlgl.h does not name

static struct {
  bool open;
  unsigned texture, framebuffer;  // the texture holds the picture; the framebuffer copies it to the window
  int32_t width, height;          // of the texture; 0 = no texture
  char message[256];
} state;

static const char* fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(state.message, sizeof state.message, format, args);
  va_end(args);
  return state.message;
}

// Keeps raylib's first warning, which says why a window cannot be opened. Later warnings are consequences, and a
// warning about an unknown window hint is harmless. The callback also keeps raylib from printing and from ending the
// process.
static void keep_warning(int level, const char* format, va_list args) {
  char text[sizeof state.message];
  if (level != LOG_WARNING && level != LOG_ERROR && level != LOG_FATAL) return;
  vsnprintf(text, sizeof text, format, args);
  if (!state.message[0] && !strstr(text, "window hint")) memcpy(state.message, text, sizeof text);
}

static const char* window_open(int32_t width, int32_t height, const char* title) {
  if (state.open) return fail("this process already has a window; close it first");
  state.message[0] = 0;
  SetTraceLogCallback(keep_warning);
  SetConfigFlags(FLAG_WINDOW_RESIZABLE | FLAG_VSYNC_HINT);
  InitWindow(width, height, title);
  if (!IsWindowReady()) return state.message[0] ? state.message : fail("the window could not be opened");
  SetExitKey(KEY_NULL);
  rlSetTexture(0);
  state.open = true;
  return NULL;
}

static void drop_texture(void) {
  if (state.framebuffer) rlUnloadFramebuffer(state.framebuffer);
  if (state.texture) rlUnloadTexture(state.texture);
  state.framebuffer = state.texture = 0;
  state.width = state.height = 0;
}

static void window_close(void) {
  if (!state.open) return;
  drop_texture();
  CloseWindow();
  state.open = false;
}

static bool resize_texture(int32_t width, int32_t height) {
  if (state.width == width && state.height == height) return true;
  drop_texture();
  state.texture = rlLoadTexture(NULL, width, height, RL_PIXELFORMAT_UNCOMPRESSED_R8G8B8A8, 1);
  state.framebuffer = rlLoadFramebuffer();
  if (!state.texture || !state.framebuffer) {
    drop_texture();
    return false;
  }
  rlFramebufferAttach(state.framebuffer, state.texture, RL_ATTACHMENT_COLOR_CHANNEL0, RL_ATTACHMENT_TEXTURE2D, 0);
  state.width = width, state.height = height;
  return true;
}

static const char* window_show(const uint32_t* pixels, int32_t width, int32_t height) {
  if (!resize_texture(width, height))
    return fail("OpenGL ran out of memory for a picture of %d x %d pixels", width, height);
  rlUpdateTexture(state.texture, 0, 0, width, height, RL_PIXELFORMAT_UNCOMPRESSED_R8G8B8A8, pixels);
  rlBindFramebuffer(RL_READ_FRAMEBUFFER, state.framebuffer);
  rlBindFramebuffer(RL_DRAW_FRAMEBUFFER, 0);
  // OpenGL counts rows from the bottom, so the copy flips the picture.
  const int top = GetRenderHeight();
  rlBlitFramebuffer(0, 0, width, height, 0, top, width, top - height, GL_COLOR_BUFFER_BIT_);
  rlBindFramebuffer(RL_READ_FRAMEBUFFER, 0);
  SwapScreenBuffer();
  return NULL;
}

static void window_poll(void) {
  if (state.open) PollInputEvents();
}

static bool window_should_close(void) { return !state.open || WindowShouldClose(); }

static void window_size(int32_t* width, int32_t* height) {
  *width = GetRenderWidth();
  *height = GetRenderHeight();
}

static int32_t window_next_key(void) { return state.open ? GetKeyPressed() : 0; }

static bool window_key_down(int32_t key) { return state.open && key > 0 && key < 512 && IsKeyDown(key); }

static bool window_clicked(float* x_px, float* y_px) {
  if (!state.open || !IsMouseButtonPressed(MOUSE_BUTTON_LEFT)) return false;
  const float scale = (float)GetRenderWidth() / (float)GetScreenWidth();  // above 1 on screens with small pixels
  *x_px = scale * (float)GetMouseX();
  *y_px = scale * (float)GetMouseY();
  return true;
}

__attribute__((visibility("default"))) extern const PfcWindowModule pfc_window_module;
const PfcWindowModule pfc_window_module = {
    .version = PFC_WINDOW_MODULE_VERSION,
    .module_bytes = sizeof(PfcWindowModule),
    .open = window_open,
    .close = window_close,
    .show = window_show,
    .poll = window_poll,
    .should_close = window_should_close,
    .size = window_size,
    .next_key = window_next_key,
    .key_down = window_key_down,
    .clicked = window_clicked,
};
