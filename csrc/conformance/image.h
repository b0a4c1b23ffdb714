// image.h - a shared object in memory: detects changes of its variables, which a game must not make, and addresses in
// it. Works on Linux; elsewhere it finds nothing.
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
  } parts[PFC_IMAGE_PARTS];  // writable segments
} PfcImage;

// Finds the shared object that contains `inside` and copies its variables. Owns the copies until pfc_image_close.
void pfc_image_open(PfcImage* image, const void* inside);
void pfc_image_close(PfcImage* image);
// Returns true once for each change. *address is the first changed byte, relative to the load address.
bool pfc_image_changed(PfcImage* image, uint64_t* address);
bool pfc_image_holds(const PfcImage* image, uint64_t address);

#endif  // PUFFERC_CONFORMANCE_IMAGE_H
