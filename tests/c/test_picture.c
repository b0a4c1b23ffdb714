// test_picture.c - shapes and text in a picture: covered pixels, clipping, and pictures in two threads.
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "draw/picture.h"
#include "harness.h"

enum { WIDTH = 64, HEIGHT = 48, BYTES = 3 * WIDTH * HEIGHT };

static const PfcDrawCell whole = {0.0f, 0.0f, WIDTH, HEIGHT};
static const PfcColor black = {0, 0, 0, 255}, white = {255, 255, 255, 255};

static const PfcDraw* start(PfcPicture* picture) {
  CHECK(pfc_picture_begin(picture, WIDTH, HEIGHT, black) == PFC_OK);
  return pfc_picture_draw(picture, whole);
}

static int red_at(const PfcPicture* picture, int x, int y) {
  static uint8_t rgb[BYTES];
  pfc_picture_rgb(picture, rgb);
  return rgb[3 * (y * WIDTH + x)];
}

// Sum of the red channel in pixels, which is the area of white shapes.
static double area_of(const PfcPicture* picture) {
  static uint8_t rgb[BYTES];
  double sum = 0.0;
  pfc_picture_rgb(picture, rgb);
  for (int i = 0; i < BYTES; i += 3) sum += rgb[i] / 255.0;
  return sum;
}

static void test_areas(void) {
  PfcPicture picture = {0};
  const PfcPoint corners[4] = {{10.0f, 20.0f}, {30.0f, 8.0f}, {50.0f, 20.0f}, {30.0f, 32.0f}};
  const PfcDraw* draw = start(&picture);
  draw->rect(draw->context, 10.25f, 10.0f, 20.5f, 20.0f, white);
  CHECK(red_at(&picture, 9, 20) == 0 && red_at(&picture, 10, 20) == 191 && red_at(&picture, 11, 20) == 255);
  CHECK(red_at(&picture, 29, 20) == 255 && red_at(&picture, 30, 20) == 191 && red_at(&picture, 31, 20) == 0);
  draw = start(&picture);
  draw->circle(draw->context, 30.2f, 24.7f, 15.0f, white);
  CHECK(fabs(area_of(&picture) - 706.9) < 8.0);
  draw = start(&picture);
  draw->line(draw->context, 10.0f, 10.0f, 40.0f, 30.0f, 6.0f, white);
  CHECK(fabs(area_of(&picture) - 244.6) < 3.0);
  draw = start(&picture);
  draw->polygon(draw->context, corners, 4, white);
  CHECK(fabs(area_of(&picture) - 480.0) < 4.0);
  draw = start(&picture);
  draw->rounded_rect(draw->context, 5.0f, 5.0f, 40.0f, 30.0f, 8.0f, white);
  CHECK(fabs(area_of(&picture) - 1145.1) < 4.0);
  draw = start(&picture);
  draw->text(draw->context, 5.0f, 5.0f, 20.0f, "8", white);
  CHECK(red_at(&picture, 2, 10) == 0 && area_of(&picture) > 30.0 && area_of(&picture) < 200.0);
  pfc_picture_free(&picture);
}

// A world is centred in its cell with its own aspect ratio, and clipped to the cell.
static void test_cells(void) {
  PfcPicture picture = {0};
  (void)start(&picture);
  const PfcDraw* draw = pfc_picture_draw(&picture, (PfcDrawCell){20.0f, 10.0f, 30.0f, 20.0f});
  draw->begin(draw->context, 10.0f, 10.0f, pfc_rgb(0x400000));  // 20 x 20 pixels in the middle
  CHECK(red_at(&picture, 20, 10) == 0x40 && red_at(&picture, 49, 29) == 0x40);
  draw->rect(draw->context, 0.0f, 0.0f, 1.0f, 1.0f, white);
  CHECK(red_at(&picture, 24, 10) == 0x40 && red_at(&picture, 25, 10) == 255 && red_at(&picture, 27, 12) == 0x40);
  draw->rect(draw->context, -100.0f, -100.0f, 300.0f, 300.0f, white);
  CHECK(area_of(&picture) == 600.0);
  const PfcDrawCell nowhere[] = {{NAN, 0.0f, 5.0f, 5.0f}, {0.0f, 0.0f, -5.0f, 5.0f}, {1e30f, 0.0f, 5.0f, 5.0f}};
  for (int i = 0; i < 3; ++i) {
    (void)start(&picture);
    draw = pfc_picture_draw(&picture, nowhere[i]);
    draw->begin(draw->context, 10.0f, 10.0f, white);
    draw->circle(draw->context, 3.0f, 3.0f, 100.0f, white);
    draw->text(draw->context, 3.0f, 3.0f, INFINITY, "text", white);
    draw->line(draw->context, NAN, 1e30f, INFINITY, 0.0f, 3.0f, white);
    CHECK(area_of(&picture) == 0.0);
  }
  pfc_picture_free(&picture);
}

// A picture can change its size at each begin, and a freed picture can be used again.
static void test_sizes(void) {
  PfcPicture picture = {0};
  for (int32_t i = 0; i < 40; ++i) {
    const int32_t width = i % 3 ? PFC_DRAW_MIN_SIDE_PX : 300, height = i % 2 ? PFC_DRAW_MIN_SIDE_PX : 200;
    uint8_t* rgb = malloc(3 * (size_t)width * (size_t)height);
    CHECK(pfc_picture_begin(&picture, width, height, pfc_rgb(0x010203)) == PFC_OK);
    pfc_picture_rgb(&picture, rgb);
    CHECK(rgb[0] == 1 && rgb[3 * width * height - 2] == 2 && rgb[3 * width * height - 1] == 3);
    free(rgb);
    if (i % 7 == 0) pfc_picture_free(&picture);
  }
  pfc_picture_free(&picture);
}

// One thread's work: draws its own pool into its own picture many times; `rgb` is the last frame.
typedef struct Work {
  const char* game;
  int frames;
  bool failed;  // CHECK counts in a global, so threads only note it
  uint8_t rgb[BYTES];
} Work;

static void* draw_frames(void* argument) {
  Work* work = argument;
  const PfcPoolDesc desc = {.env = work->game, .num_games = 1, .seed = 4};
  PfcPool* pool = pfc_pool_create(&desc);
  PfcPicture picture = {0};
  work->failed = !pool || pfc_pool_reset(pool, NULL) != PFC_OK;
  for (int i = 0; i < work->frames && !work->failed; ++i) {
    work->failed = pfc_picture_begin(&picture, WIDTH, HEIGHT, black) != PFC_OK ||
                   pfc_pool_draw(pool, 0, pfc_picture_draw(&picture, whole)) != PFC_OK;
    if (work->failed) break;
    const PfcDraw* draw = pfc_picture_draw(&picture, whole);
    draw->text(draw->context, 3.0f, 3.0f, 18.0f, work->game, pfc_rgb(0xff8800));
    pfc_picture_rgb(&picture, work->rgb);
  }
  pfc_picture_free(&picture);
  pfc_pool_destroy(pool);
  return NULL;
}

// Threads that draw at the same time get the same pictures as a single thread. ThreadSanitizer checks for shared data.
static void test_two_threads(void) {
  static Work sequential[2] = {{.game = "breakout", .frames = 1}, {.game = "snake", .frames = 1}};
  static Work parallel[2] = {{.game = "breakout", .frames = 200}, {.game = "snake", .frames = 200}};
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) draw_frames(&sequential[i]);
  for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, draw_frames, &parallel[i]) == 0);
  for (int i = 0; i < 2; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < 2; ++i) CHECK(memcmp(sequential[i].rgb, parallel[i].rgb, BYTES) == 0);
  CHECK(memcmp(sequential[0].rgb, sequential[1].rgb, BYTES) != 0);
  for (int i = 0; i < 2; ++i) CHECK(!sequential[i].failed && !parallel[i].failed);
}

int main(void) {
  test_areas();
  test_cells();
  test_sizes();
  test_two_threads();
  return check_report();
}
