// test_raster.c - triangles and blocks of pixels in memory: against a plain version in double, and with extreme floats.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "draw/raster.h"
#include "pufferc/rng.h"

enum { WIDTH = 61, HEIGHT = 47 };

static uint32_t memory[WIDTH * HEIGHT + 2];
static PfcCanvas canvas;

static const uint8_t* pixel_at(int x, int y) { return (const uint8_t*)&canvas.pixels[y * WIDTH + x]; }

// A black canvas between two words of memory that must not change.
static void clean(void) {
  const PfcColor black = {0, 0, 0, 255};
  canvas = (PfcCanvas){.pixels = memory + 1, .width = WIDTH, .height = HEIGHT};
  memory[0] = memory[WIDTH * HEIGHT + 1] = 0xabcdef01u;
  pfc_canvas_clip(&canvas, (PfcBox){-5, -5, WIDTH + 5, HEIGHT + 5});
  pfc_raster_block(&canvas, (PfcBox){0, 0, WIDTH, HEIGHT}, black, 255.0f);
}

static bool marks_intact(void) { return memory[0] == 0xabcdef01u && memory[WIDTH * HEIGHT + 1] == 0xabcdef01u; }

static double side(const PfcCorner* a, const PfcCorner* b, double x, double y) {
  return ((double)b->x - a->x) * (y - a->y) - ((double)b->y - a->y) * (x - a->x);
}

// Inside and outside by half-planes, alpha by areas. Very close to an edge either answer is right.
static void check_triangle(const PfcCorner t[3]) {
  const double area = side(&t[0], &t[1], t[2].x, t[2].y);
  for (int y = 0; y < HEIGHT; ++y)
    for (int x = 0; x < WIDTH; ++x) {
      double part[3], smallest = 1.0, alpha = 0.0;
      for (int k = 0; k < 3; ++k) {
        part[k] = side(&t[(k + 1) % 3], &t[(k + 2) % 3], x + 0.5, y + 0.5) / area;
        smallest = part[k] < smallest ? part[k] : smallest;
        alpha += part[k] * (double)t[k].alpha;
      }
      const int got = pixel_at(x, y)[0];
      if (fabs(smallest) < 1e-4) continue;
      if (!CHECK(smallest < 0.0 ? got == 0 : fabs(got - alpha) <= 1.5)) {
        fprintf(stderr, "pixel %d, %d: expected %g, got %d\n", x, y, smallest < 0.0 ? 0.0 : alpha, got);
        return;
      }
    }
}

static void test_triangles(void) {
  const PfcColor white = {255, 255, 255, 255};
  PfcRng rng = {0};
  pfc_rng_seed(&rng, 5, 0);
  for (int n = 0; n < 300; ++n) {
    PfcCorner t[3];
    for (int k = 0; k < 3; ++k) {
      t[k].x = pfc_rng_uniform(&rng, -20.0f, WIDTH + 20.0f);
      t[k].y = pfc_rng_uniform(&rng, -20.0f, HEIGHT + 20.0f);
      t[k].alpha = n % 3 ? pfc_rng_uniform(&rng, 0.0f, 255.0f) : 255.0f;
    }
    if (fabs(side(&t[0], &t[1], t[2].x, t[2].y)) < 20.0) continue;
    clean();
    pfc_raster_triangle(&canvas, t, white);
    check_triangle(t);
  }
  CHECK(marks_intact());
}

// A fan about a point fills its rectangle: half-transparent, every pixel shows the colour once.
static void test_no_gap_and_no_overlap(void) {
  const PfcColor white = {255, 255, 255, 255};
  PfcRng rng = {0};
  pfc_rng_seed(&rng, 6, 0);
  for (int n = 0; n < 200; ++n) {
    const PfcCorner pivot = {pfc_rng_uniform(&rng, 10.0f, 50.0f), pfc_rng_uniform(&rng, 10.0f, 40.0f), 128.0f};
    PfcCorner ring[24];
    for (int i = 0; i < 24; ++i) {
      const float along = (float)(i % 6) / 6.0f, wide = WIDTH, high = HEIGHT;
      const float at[4][2] = {
          {wide * along, 0}, {wide, high * along}, {wide - wide * along, high}, {0, high - high * along}};
      ring[i] = (PfcCorner){at[i / 6][0], at[i / 6][1], 128.0f};
    }
    clean();
    for (int i = 0; i < 24; ++i)
      pfc_raster_triangle(&canvas, (PfcCorner[3]){pivot, ring[i], ring[(i + 1) % 24]}, white);
    int wrong = 0;
    for (int y = 0; y < HEIGHT; ++y)
      for (int x = 0; x < WIDTH; ++x) wrong += pixel_at(x, y)[0] != 128;
    CHECK(wrong == 0);
  }
}

static void test_blocks_are_cut_and_mixed(void) {
  clean();
  pfc_canvas_clip(&canvas, (PfcBox){10, 5, 20, 15});
  pfc_raster_block(&canvas, (PfcBox){INT32_MIN, -7, INT32_MAX, 10}, (PfcColor){200, 100, 50, 255}, 255.0f);
  pfc_raster_block(&canvas, (PfcBox){0, 9, 100, 100}, (PfcColor){0, 0, 250, 255}, 51.0f);  // a fifth
  CHECK(memcmp(pixel_at(10, 5), (uint8_t[4]){200, 100, 50, 255}, 4) == 0);
  CHECK(memcmp(pixel_at(19, 9), (uint8_t[4]){160, 80, 90, 255}, 4) == 0);
  CHECK(memcmp(pixel_at(19, 14), (uint8_t[4]){0, 0, 50, 255}, 4) == 0);
  CHECK(pixel_at(9, 7)[0] == 0 && pixel_at(20, 7)[0] == 0 && pixel_at(15, 4)[0] == 0 && pixel_at(15, 15)[2] == 0);
  CHECK(marks_intact());
}

// Slivers, far corners, infinities and NaN: nothing outside the canvas changes.
static void test_wild_corners(void) {
  const float wild[] = {0.0f, 30.5f, -1e6f, 1e6f, 1e-30f, 30.500002f, 1e30f, -1e30f, NAN, INFINITY};
  const int count = (int)(sizeof wild / sizeof wild[0]);
  PfcRng rng = {0};
  pfc_rng_seed(&rng, 7, 0);
  clean();
  for (int n = 0; n < 20000; ++n) {
    PfcCorner t[3];
    for (int k = 0; k < 3; ++k) {
      t[k].x = wild[pfc_rng_below(&rng, (uint32_t)count)];
      t[k].y = wild[pfc_rng_below(&rng, (uint32_t)count)];
      t[k].alpha = k == 0 ? 255.0f : 0.0f;
    }
    pfc_raster_triangle(&canvas, t, (PfcColor){255, 255, 255, 255});
  }
  CHECK(marks_intact());
}

int main(void) {
  test_triangles();
  test_no_gap_and_no_overlap();
  test_blocks_are_cut_and_mixed();
  test_wild_corners();
  return check_report();
}
