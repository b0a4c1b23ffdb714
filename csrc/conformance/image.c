// image.c - see image.h.
#define _GNU_SOURCE
#include "conformance/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <link.h>

typedef struct Search {
  PfcImage* image;
  uint64_t inside;
} Search;

static void add_part(PfcImage* image, uint64_t begin, uint64_t end) {
  if (begin >= end || image->num_parts == PFC_IMAGE_PARTS) return;
  unsigned char* before = malloc(end - begin);
  if (!before) return;
  const unsigned char* data = (const unsigned char*)(uintptr_t)begin;
  memcpy(before, data, end - begin);
  image->parts[image->num_parts].data = data;
  image->parts[image->num_parts].bytes = end - begin;
  image->parts[image->num_parts++].before = before;
}

// Adds the writable segments, without the part that the loader made read-only after relocation.
static void add_parts(PfcImage* image, const struct dl_phdr_info* info) {
  uint64_t relro_begin = 0, relro_end = 0;
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_GNU_RELRO) continue;
    relro_begin = image->base + info->dlpi_phdr[i].p_vaddr;
    relro_end = (relro_begin + info->dlpi_phdr[i].p_memsz) / page * page;
  }
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)* part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_W)) continue;
    const uint64_t begin = image->base + part->p_vaddr, end = begin + part->p_memsz;
    add_part(image, relro_end > begin && relro_begin <= begin ? relro_end : begin, end);
  }
}

static int visit(struct dl_phdr_info* info, size_t bytes, void* context) {
  (void)bytes;
  const Search* search = context;
  uint64_t begin = UINT64_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)* part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    if (info->dlpi_addr + part->p_vaddr < begin) begin = info->dlpi_addr + part->p_vaddr;
    if (info->dlpi_addr + part->p_vaddr + part->p_memsz > end) end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
  }
  if (search->inside < begin || search->inside >= end) return 0;
  search->image->base = info->dlpi_addr;
  search->image->begin = begin;
  search->image->end = end;
  add_parts(search->image, info);
  return 1;
}

void pfc_image_open(PfcImage* image, const void* inside) {
  *image = (PfcImage){0};
  Search search = {image, (uint64_t)(uintptr_t)inside};
  (void)dl_iterate_phdr(visit, &search);
}
#else
void pfc_image_open(PfcImage* image, const void* inside) {
  (void)inside;
  *image = (PfcImage){0};
}
#endif

void pfc_image_close(PfcImage* image) {
  for (int32_t i = 0; i < image->num_parts; ++i) free(image->parts[i].before);
  *image = (PfcImage){0};
}

bool pfc_image_changed(PfcImage* image, uint64_t* address) {
  for (int32_t i = 0; i < image->num_parts; ++i) {
    const unsigned char* data = image->parts[i].data;
    unsigned char* before = image->parts[i].before;
    if (memcmp(data, before, image->parts[i].bytes) == 0) continue;
    uint64_t at = 0;
    while (data[at] == before[at]) ++at;
    *address = (uint64_t)(uintptr_t)(data + at) - image->base;
    memcpy(before, data, image->parts[i].bytes);
    return true;
  }
  return false;
}

bool pfc_image_holds(const PfcImage* image, uint64_t address) {
  return address >= image->begin && address < image->end;
}
