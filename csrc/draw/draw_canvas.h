// draw_canvas.h - part of draw_raylib.c: where draw_raster.h makes the pixels of a picture, and how a window shows
// them.
//
// In memory the canvas borrows the buffer of raylib's software renderer. In a window OpenGL makes the pixels from
// triangles; but where OpenGL itself runs on the CPU, that takes four times as long as a canvas of our own, which
// OpenGL then only has to copy into the window. PUFFERC_WINDOW_RENDERER=cpu or gpu chooses by hand.
#ifndef PUFFERC_DRAW_CANVAS_H
#define PUFFERC_DRAW_CANVAS_H

#include <raylib.h>
#include <rlgl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifndef PFC_DRAW_WINDOW
#include <external/rlsw.h>
#endif

#include "draw/draw_raster.h"

#ifdef PFC_DRAW_WINDOW

#define CANVAS_GL_RENDERER 0x1F01u  // OpenGL's GL_RENDERER and GL_COLOR_BUFFER_BIT, which rlgl.h does not name
#define CANVAS_GL_COLOR_BIT 0x4000

// The texture of the canvas's size, and the framebuffer that it is read from.
static unsigned canvas_texture, canvas_target;

// Whether OpenGL's pixels are made on the CPU, by its own word.
static bool is_software(void) {
  static const char* const names[] = {"llvmpipe", "softpipe", "swrast", "SWR", "SwiftShader", "Software"};
  typedef const unsigned char* GetString(unsigned name);
  GetString* get_string = (GetString*)rlGetProcAddress("glGetString");
  const char* renderer = get_string ? (const char*)get_string(CANVAS_GL_RENDERER) : NULL;
  for (size_t i = 0; renderer && i < sizeof names / sizeof names[0]; ++i)
    if (strstr(renderer, names[i])) return true;
  return false;
}

// With an open window.
static bool canvas_wanted(void) {
  const char* wanted = getenv("PUFFERC_WINDOW_RENDERER");
  if (wanted && strcmp(wanted, "cpu") == 0) return true;
  if (wanted && strcmp(wanted, "gpu") == 0) return false;
  return is_software();
}

static void canvas_drop(Canvas* c) {
  if (canvas_target) rlUnloadFramebuffer(canvas_target);
  if (canvas_texture) rlUnloadTexture(canvas_texture);
  free(c->pixels);
  canvas_target = canvas_texture = 0;
  *c = (Canvas){0};
}

// Gives the canvas this size; false without memory.
static bool canvas_resize(Canvas* c, int32_t width, int32_t height) {
  if (c->pixels && c->width == width && c->height == height) return true;
  canvas_drop(c);
  c->pixels = malloc(4 * (size_t)width * (size_t)height);
  c->width = width, c->height = height;
  canvas_texture = rlLoadTexture(NULL, width, height, RL_PIXELFORMAT_UNCOMPRESSED_R8G8B8A8, 1);
  canvas_target = rlLoadFramebuffer();
  if (!c->pixels || !canvas_texture || !canvas_target) {
    canvas_drop(c);
    return false;
  }
  rlFramebufferAttach(canvas_target, canvas_texture, RL_ATTACHMENT_COLOR_CHANNEL0, RL_ATTACHMENT_TEXTURE2D, 0);
  return true;
}

// Copies the finished picture into the window.
static void canvas_show(const Canvas* c) {
  rlUpdateTexture(canvas_texture, 0, 0, c->width, c->height, RL_PIXELFORMAT_UNCOMPRESSED_R8G8B8A8, c->pixels);
  rlBindFramebuffer(RL_READ_FRAMEBUFFER, canvas_target);
  rlBindFramebuffer(RL_DRAW_FRAMEBUFFER, 0);
  rlBlitFramebuffer(0, 0, c->width, c->height, 0, 0, c->width, c->height, CANVAS_GL_COLOR_BIT);
  rlBindFramebuffer(RL_READ_FRAMEBUFFER, 0);
}

#else

static bool canvas_wanted(void) { return true; }

static void canvas_drop(Canvas* c) { *c = (Canvas){0}; }

static bool canvas_resize(Canvas* c, int32_t width, int32_t height) {
  int32_t now[2] = {0, 0};
  if (c->width != width || c->height != height) rlResizeFramebuffer(width, height);
  uint8_t* pixels = swGetColorBuffer(&now[0], &now[1]);
  if (!pixels || now[0] != width || now[1] != height) {
    canvas_drop(c);
    return false;
  }
  *c = (Canvas){.pixels = pixels, .width = width, .height = height};
  return true;
}

#endif

#endif  // PUFFERC_DRAW_CANVAS_H
