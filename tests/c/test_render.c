// test_render.c - pictures through the C API: contents, positions, and refused calls.
//
// Argument: the window module, where it was built.
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pufferc/render.h"

enum {
  WIDTH = 576,
  HEIGHT = 330,
  BYTES = WIDTH * HEIGHT * 3
};  // the world of breakout, one pixel for one of its units

static uint8_t rgb[4 * BYTES];

static bool failed_with(const char* word) { return strstr(pfc_last_error(), word) != NULL; }

static PfcPool* pool_of(const char* game, int32_t num_games, bool reset) {
  const PfcPoolDesc desc = {.env = game, .num_games = num_games, .seed = 5};
  PfcPool* pool = pfc_pool_create(&desc);
  CHECK(pool != NULL);
  if (reset) CHECK(pfc_pool_reset(pool, NULL) == PFC_OK);
  return pool;
}

static PfcRenderer* open_renderer(void) {
  PfcRenderer* r = pfc_renderer_create(NULL);
  if (!CHECK(r != NULL)) {
    fprintf(stderr, "%s\n", pfc_last_error());
    exit(1);
  }
  return r;
}

// True if the pixel has the colour 0xRRGGBB, except for rounding.
static bool is_color(const uint8_t* picture, int32_t width, int32_t x, int32_t y, uint32_t color) {
  const uint8_t* p = picture + 3 * ((size_t)y * (size_t)width + (size_t)x);
  return abs(p[0] - (int)(color >> 16)) <= 2 && abs(p[1] - (int)(color >> 8 & 255)) <= 2 &&
         abs(p[2] - (int)(color & 255)) <= 2;
}

// Breakout after a reset: the paddle is where the observation says, below the bricks, on a dark background.
static void test_breakout(void) {
  PfcRenderer* r = open_renderer();
  PfcPool* pool = pool_of("breakout", 1, true);
  CHECK(pfc_renderer_picture(r, pool, 0, 1, WIDTH, HEIGHT, rgb, BYTES) == PFC_OK);
  const float* obs = pfc_pool_buffers(pool)->observations;
  const int32_t paddle = (int32_t)(obs[0] * 576.0f);
  CHECK(is_color(rgb, WIDTH, paddle + 30, 316, 0xe8ebf2));
  CHECK(is_color(rgb, WIDTH, paddle > 288 ? 5 : 570, 316, 0x12141c));
  CHECK(is_color(rgb, WIDTH, 200, 240, 0x12141c));
  CHECK(is_color(rgb, WIDTH, 16, 57, 0xe5484d) && is_color(rgb, WIDTH, 560, 117, 0x6d7ff0));  // first and last row
  pfc_pool_destroy(pool);
  pfc_renderer_destroy(r);
}

// A grid of four games equals their single pictures in their cells; the gap between them has its own colour.
static void test_grid(void) {
  static uint8_t single[BYTES];
  const int32_t width = 2 * WIDTH + 4, height = 2 * HEIGHT + 4;
  static uint8_t all[(2 * WIDTH + 4) * (2 * HEIGHT + 4) * 3];
  PfcRenderer* r = open_renderer();
  PfcPool* pool = pool_of("breakout", 6, true);
  const int32_t actions[6] = {0, 1, 2, 1, 2, 0};
  for (int32_t t = 0; t < 9; ++t) CHECK(pfc_pool_step(pool, actions, PFC_INT32, NULL) == PFC_OK);
  CHECK(pfc_renderer_picture(r, pool, 2, 4, width, height, all, sizeof all) == PFC_OK);
  for (int32_t i = 0; i < 4; ++i) {
    const size_t left = (size_t)(i % 2 * (WIDTH + 4)), top = (size_t)(i / 2 * (HEIGHT + 4));
    int32_t worst = 0;
    CHECK(pfc_renderer_picture(r, pool, 2 + i, 1, WIDTH, HEIGHT, single, sizeof single) == PFC_OK);
    for (size_t y = 0; y < HEIGHT; ++y)
      for (size_t k = 0; k < 3 * WIDTH; ++k) {
        const int32_t got = all[3 * ((top + y) * (size_t)width + left) + k];
        const int32_t difference = abs(got - single[3 * y * WIDTH + k]);
        if (difference > worst) worst = difference;
      }
    CHECK(worst <= 2);
  }
  CHECK(is_color(all, width, WIDTH + 1, 20, 0x2a2f3a) && is_color(all, width, 20, HEIGHT + 1, 0x2a2f3a));
  int32_t box[2] = {width, height};
  CHECK(pfc_picture_size(pool, 4, &box[0], &box[1]) == PFC_OK && box[0] == width && box[1] == height);
  box[0] = 640, box[1] = 4000;
  CHECK(pfc_picture_size(pool, 1, &box[0], &box[1]) == PFC_OK && box[0] == 640 && box[1] == 366);
  pfc_pool_destroy(pool);
  pfc_renderer_destroy(r);
}

// A frame in steps: a game in one part, custom shapes in another, nothing outside.
static void test_frame_in_steps(void) {
  const PfcDrawCell left = {0.0f, 0.0f, 200.0f, 100.0f}, right = {200.0f, 0.0f, 100.0f, 100.0f};
  PfcRenderer* r = open_renderer();
  PfcPool* pool = pool_of("breakout", 1, true);
  CHECK(pfc_renderer_draw(r, left) == NULL && failed_with("begin a frame first"));
  CHECK(pfc_renderer_end(r, NULL, 0) == PFC_STATE);
  CHECK(pfc_renderer_games(r, pool, 0, 1, left) == PFC_STATE);
  CHECK(pfc_renderer_begin(r, 300, 100, pfc_rgb(0x102030)) == PFC_OK);
  CHECK(pfc_renderer_begin(r, 300, 100, pfc_rgb(0)) == PFC_STATE && failed_with("end the current frame"));
  CHECK(pfc_renderer_games(r, pool, 0, 1, left) == PFC_OK);
  const PfcDraw* draw = pfc_renderer_draw(r, right);
  draw->rect(draw->context, 10.0f, 10.0f, 500.0f, 20.0f, pfc_rgb(0xff0080));
  CHECK(pfc_renderer_end(r, rgb, 7) == PFC_INVALID && failed_with("rgb_bytes: expected 90000"));
  CHECK(pfc_renderer_end(r, rgb, 300 * 100 * 3) == PFC_OK);
  CHECK(is_color(rgb, 300, 215, 20, 0xff0080) && is_color(rgb, 300, 205, 20, 0x102030));
  CHECK(is_color(rgb, 300, 250, 60, 0x102030) && is_color(rgb, 300, 100, 70, 0x12141c));
  pfc_pool_destroy(pool);
  pfc_renderer_destroy(r);
}

// Frames of two renderers may overlap in time; a renderer may be destroyed within its frame.
static void test_two_renderers(void) {
  PfcRenderer *first = open_renderer(), *second = open_renderer();
  CHECK(pfc_renderer_begin(first, 64, 64, pfc_rgb(0xff0000)) == PFC_OK);
  CHECK(pfc_renderer_begin(second, 32, 32, pfc_rgb(0x00ff00)) == PFC_OK);
  CHECK(pfc_renderer_end(first, rgb, 64 * 64 * 3) == PFC_OK && is_color(rgb, 64, 63, 63, 0xff0000));
  CHECK(pfc_renderer_end(second, rgb, 32 * 32 * 3) == PFC_OK && is_color(rgb, 32, 31, 31, 0x00ff00));
  CHECK(pfc_renderer_begin(second, 32, 32, pfc_rgb(0x00ff00)) == PFC_OK);
  pfc_renderer_destroy(second);
  CHECK(pfc_renderer_begin(first, 16, 16, pfc_rgb(0x0000ff)) == PFC_OK);
  CHECK(pfc_renderer_end(first, rgb, 16 * 16 * 3) == PFC_OK && is_color(rgb, 16, 0, 0, 0x0000ff));
  pfc_renderer_destroy(first);
}

static void draw_nothing(const void* state, const void* params, const PfcDraw* draw) {
  (void)state, (void)params, (void)draw;
}

static void test_refusals(void) {
  PfcRenderer* r = open_renderer();
  PfcPool* pool = pool_of("squared", 3, false);
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 64, 64, rgb, 64 * 64 * 3) == PFC_STATE);  // not reset yet
  CHECK(pfc_pool_reset(pool, NULL) == PFC_OK);
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 15, 64, rgb, 15 * 64 * 3) == PFC_INVALID &&
        failed_with("width_px: expected 16 to 4096"));
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 64, 4097, rgb, 0) == PFC_INVALID && failed_with("height_px"));
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 0, 0, rgb, 0) == PFC_INVALID && failed_with("width_px"));
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 64, 64, rgb, 64 * 64 * 4) == PFC_INVALID && failed_with("rgb_bytes"));
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 64, 64, NULL, 0) == PFC_INVALID && failed_with("rgb"));
  CHECK(pfc_renderer_picture(r, pool, -1, 1, 64, 64, rgb, 64 * 64 * 3) == PFC_INVALID &&
        failed_with("first: expected 0 to 2, got -1"));
  CHECK(pfc_renderer_picture(r, pool, 1, 3, 64, 64, rgb, 64 * 64 * 3) == PFC_INVALID &&
        failed_with("count: expected 1 to 2"));
  CHECK(pfc_renderer_picture(r, pool, 0, 0, 64, 64, rgb, 64 * 64 * 3) == PFC_INVALID && failed_with("count"));
  CHECK(pfc_renderer_picture(r, NULL, 0, 1, 64, 64, rgb, 64 * 64 * 3) == PFC_INVALID && failed_with("pool"));
  CHECK(pfc_renderer_picture(NULL, pool, 0, 1, 64, 64, rgb, 64 * 64 * 3) == PFC_INVALID && failed_with("renderer"));
  PfcWindowState state;
  CHECK(pfc_renderer_poll(r, &state) == PFC_UNSUPPORTED && pfc_renderer_next_key(r) == 0);
  CHECK(pfc_renderer_key_down(r, PFC_KEY_LEFT) == 0);
  CHECK(pfc_renderer_picture(r, pool, 0, 3, 64, 64, rgb, 64 * 64 * 3) == PFC_OK);  // still works after the failed calls
  pfc_pool_destroy(pool);
  PfcEnvSpec mute = *pfc_env_find("squared");
  mute.draw_one = draw_nothing;
  const PfcPoolDesc desc = {.spec = &mute, .num_games = 1};
  pool = pfc_pool_create(&desc);
  CHECK(pool != NULL && pfc_pool_reset(pool, NULL) == PFC_OK);
  CHECK(pfc_renderer_picture(r, pool, 0, 1, 64, 64, rgb, 64 * 64 * 3) == PFC_UNSUPPORTED &&
        failed_with("has no picture"));
  pfc_pool_destroy(pool);
  pfc_renderer_destroy(r);
}

// More games than fit the picture.
static void test_crowds(void) {
  PfcRenderer* r = open_renderer();
  PfcPool* pool = pool_of("cartpole", 5000, true);
  int32_t width = 640, height = 480;
  CHECK(pfc_renderer_picture(r, pool, 0, 5000, 128, 96, rgb, 128 * 96 * 3) == PFC_INVALID && failed_with("show fewer"));
  CHECK(pfc_picture_size(pool, 5000, &width, &height) == PFC_INVALID && width == 640);
  CHECK(pfc_picture_size(pool, 100, &width, &height) == PFC_OK && width <= 640 && height <= 480 && width > 320);
  pfc_pool_destroy(pool);
  pfc_renderer_destroy(r);
}

// Draws the game during a run, in sizes that fit its world, that do not, and the smallest. Pictures are not empty, and
// memory around them does not change. Under AddressSanitizer this tests all drawing code.
static void test_game(const Case* c) {
  static const int32_t sizes[][2] = {{160, 120}, {333, 47}, {41, 300}, {16, 16}};
  const PfcPoolDesc desc = case_desc(c, 6, 3);
  PfcRenderer* r = open_renderer();
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 40; ++t) {
    const int32_t width = sizes[t % 4][0], height = sizes[t % 4][1], count = t % 4 == 3 ? 1 : 1 + t % 3;
    const size_t bytes = (size_t)width * (size_t)height * 3;
    uint8_t* picture = malloc(bytes);
    CHECK_GAME(c->label, pfc_renderer_picture(r, p.pool, t % 4, count, width, height, picture, bytes) == PFC_OK);
    int32_t colours = 0;
    for (size_t i = 3; i < bytes; i += 3) colours += memcmp(picture + i, picture + i - 3, 3) != 0;
    CHECK_GAME(c->label, colours > 1);
    free(picture);
    player_step(&p);
  }
  player_close(&p);
  pfc_renderer_destroy(r);
}

// `module` is read only for a window. `program` is a file without a window module, beside which there is none.
static void test_window_modules(const char* program, const char* window) {
  PfcRendererDesc desc = {.module = "/nowhere/module.so"};
  PfcRenderer* r = pfc_renderer_create(&desc);
  CHECK(r != NULL);
  pfc_renderer_destroy(r);
  desc.window = 1;
  CHECK(pfc_renderer_create(&desc) == NULL && failed_with("/nowhere/module.so"));
  desc.module = program;
  CHECK(pfc_renderer_create(&desc) == NULL && failed_with(program));
  desc.module = NULL;
  CHECK(pfc_renderer_create(&desc) == NULL && pfc_last_status() == PFC_UNSUPPORTED && failed_with("PUFFERC_RAYLIB"));
  CHECK(failed_with("pufferc_draw_window.so"));
  desc.width_px = 5;
  CHECK(pfc_renderer_create(&desc) == NULL && failed_with("width_px"));
  pfc_renderer_destroy(NULL);
  if (!window) return;
  unsetenv("DISPLAY"), unsetenv("WAYLAND_DISPLAY");
  desc = (PfcRendererDesc){.window = 1, .module = window};
  for (int i = 0; i < 2; ++i) CHECK(pfc_renderer_create(&desc) == NULL && failed_with("no window: "));
  CHECK(!failed_with("already"));  // a window that failed to open does not count
}

int main(int argc, char** argv) {
  test_window_modules(argv[0], argc > 1 ? argv[1] : NULL);
  test_breakout();
  test_grid();
  test_frame_in_steps();
  test_two_renderers();
  test_refusals();
  test_crowds();
  for_each_case(test_game);
  return check_report();
}
