// test_core.c - the last error, aligned memory, checksums, name suggestions.
#include "core/base.h"

#include <pthread.h>
#include <string.h>

#include "check.h"

static void* other_thread(void* fresh) {
  *(bool*)fresh = pfc_last_error()[0] == 0;
  (void)pfc_fail(PFC_INVALID, "mine");
  return NULL;
}

static void test_last_error(void) {
  pthread_t thread;
  bool fresh = false;
  CHECK(pfc_last_error()[0] == 0);
  CHECK(pfc_fail(PFC_STATE, "row %d of \"%s\"", 7, "x") == PFC_STATE);
  CHECK(strcmp(pfc_last_error(), "row 7 of \"x\"") == 0);
  CHECK(pthread_create(&thread, NULL, other_thread, &fresh) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(fresh);  // each thread has its own error
  CHECK(strcmp(pfc_last_error(), "row 7 of \"x\"") == 0);
  char longest[4000];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  (void)pfc_fail(PFC_INVALID, "%s", longest);
  CHECK(strlen(pfc_last_error()) > 100 && strlen(pfc_last_error()) < 1000);  // truncated
}

static void test_memory(void) {
  for (uint64_t bytes = 0; bytes < 400; bytes += 7) {
    unsigned char* memory = pfc_alloc(bytes);
    if (!CHECK(memory != NULL)) break;
    CHECK((uintptr_t)memory % PFC_ALIGNMENT == 0);
    bool zero = true;
    for (uint64_t i = 0; i < bytes; ++i) zero = zero && memory[i] == 0;
    CHECK(zero);
    memset(memory, 0xff, bytes);  // leaves the memory dirty for the next allocation
    pfc_free(memory);
  }
  CHECK(pfc_alloc(UINT64_MAX) == NULL && pfc_alloc(UINT64_MAX - 64) == NULL);
  pfc_free(NULL);
  CHECK(pfc_memory_left() > 1u << 24);
  CHECK(pfc_alloc(UINT64_MAX / 4) == NULL);
}

// The checksum depends on every bit of the data and on its length.
static void test_checksum(void) {
  unsigned char data[67];
  for (size_t i = 0; i < sizeof data; ++i) data[i] = (unsigned char)(i * 37);
  const uint64_t whole = pfc_checksum(data, sizeof data);
  CHECK(whole == pfc_checksum(data, sizeof data));
  for (size_t bit = 0; bit < 8 * sizeof data; ++bit) {
    data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    CHECK(pfc_checksum(data, sizeof data) != whole);
    data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
  }
  const unsigned char zeros[64] = {0};
  for (uint64_t n = 0; n < 64; ++n) CHECK(pfc_checksum(zeros, n) != pfc_checksum(zeros, n + 1));
  unsigned char swapped[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
  const uint64_t before = pfc_checksum(swapped, 16);
  swapped[0] = 2, swapped[8] = 1;
  CHECK(pfc_checksum(swapped, 16) != before);
}

static bool nearest_is(const char* name, const char* expected) {
  static const char* const names[] = {"max_steps", "frameskip", "balls", "continuous", "width", "height"};
  const char* near = pfc_nearest(name, names, sizeof names / sizeof names[0]);
  return expected ? near && strcmp(near, expected) == 0 : near == NULL;
}

static void test_nearest(void) {
  CHECK(nearest_is("max_step", "max_steps"));
  CHECK(nearest_is("maxsteps", "max_steps"));
  CHECK(nearest_is("frame_skip", "frameskip"));
  CHECK(nearest_is("ball", "balls"));
  CHECK(nearest_is("widht", "width"));
  CHECK(nearest_is("hieght", "height"));
  CHECK(nearest_is("balls", "balls"));
  CHECK(nearest_is("gravity_of_the_planet", NULL));
  CHECK(nearest_is("zzzzz", NULL));
  CHECK(nearest_is("", NULL));
  char longest[300];
  for (size_t length = 1; length < sizeof longest; length += 13) {
    memset(longest, 'q', length);
    longest[length] = 0;
    CHECK(nearest_is(longest, NULL));
  }
  CHECK(pfc_nearest("x", NULL, 0) == NULL);
}

int main(void) {
  CHECK(strlen(pfc_version()) >= 5);
  test_last_error();
  test_memory();
  test_checksum();
  test_nearest();
  return check_report();
}
