// image.h - a shared object in memory: whether its variables change, which a game must not do, and whether an address
// lies in it. On Linux; elsewhere nothing is found.
#ifndef PUFFERC_CONFORMANCE_IMAGE_H
#define PUFFERC_CONFORMANCE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

enum { PFC_IMAGE_PARTS = 8 };

typedef struct PfcImage {
  uint64_t base, begin, end;  // load address, and the range that it occupies
  int32_t num_parts;
  struct {
    const unsigned char* data;
    uint64_t bytes;
    unsigned char* before;   // [bytes] contents when the image was opened
  } parts[PFC_IMAGE_PARTS];  // writable ones
} PfcImage;

// The shared object that `inside` lies in, with a copy of its variables. Owns the copies until pfc_image_close.
void pfc_image_open(PfcImage* image, const void* inside);
void pfc_image_close(PfcImage* image);
// true once for each change: address gets the first changed byte, counted from the start of the file's addresses.
bool pfc_image_changed(PfcImage* image, uint64_t* address);
bool pfc_image_holds(const PfcImage* image, uint64_t address);

#endif  // PUFFERC_CONFORMANCE_IMAGE_H
