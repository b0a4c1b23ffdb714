// libc.c - the part of the C library that the library and games need in a WebAssembly module: memory and strings.
//
// Memory. A block has a power of two of bytes, its size class in front of it, and lies on a 64-byte border. Freed blocks
// wait in a list per class for the next request of that class. A module makes few allocations, so the space that this
// wastes does not matter.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BORDER = 64, CLASSES = 32, PAGE_BYTES = 65536 };

typedef struct Block {  // in front of the memory that the caller gets
  struct Block* next;   // while it is free
  uint32_t size_class;  // the block has 2^size_class bytes, this head included
} Block;

extern unsigned char __heap_base;  // of the linker: the end of the module's data
static uintptr_t heap_end;
static Block* free_blocks[CLASSES];

static Block* grow_heap(uint32_t bytes) {
  if (!heap_end) heap_end = ((uintptr_t)&__heap_base + BORDER - 1) / BORDER * BORDER;
  const uint64_t end = (uint64_t)heap_end + bytes, have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
  if (end > UINT32_MAX) return NULL;
  if (end > have && __builtin_wasm_memory_grow(0, (size_t)((end - have + PAGE_BYTES - 1) / PAGE_BYTES)) == SIZE_MAX)
    return NULL;
  Block* block = (Block*)heap_end;
  heap_end = (uintptr_t)end;
  return block;
}

void* malloc(size_t bytes) {
  uint32_t size_class = 7;
  while (size_class < CLASSES - 1 && ((size_t)1 << size_class) - BORDER < bytes) ++size_class;
  if (((size_t)1 << size_class) - BORDER < bytes) return NULL;
  Block* block = free_blocks[size_class];
  if (block) free_blocks[size_class] = block->next;
  else block = grow_heap((uint32_t)1 << size_class);
  if (!block) return NULL;
  block->size_class = size_class;
  return (unsigned char*)block + BORDER;
}

void free(void* memory) {
  if (!memory) return;
  Block* block = (Block*)(void*)((unsigned char*)memory - BORDER);
  block->next = free_blocks[block->size_class];
  free_blocks[block->size_class] = block;
}

void* aligned_alloc(size_t alignment, size_t bytes) { return alignment <= BORDER ? malloc(bytes) : NULL; }

void* calloc(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) return NULL;
  void* memory = malloc(total);
  return memory ? memset(memory, 0, total) : NULL;
}

void* realloc(void* memory, size_t bytes) {
  if (!memory) return malloc(bytes);
  const Block* block = (const Block*)(void*)((unsigned char*)memory - BORDER);
  const size_t have = ((size_t)1 << block->size_class) - BORDER;
  if (bytes <= have) return memory;
  void* larger = malloc(bytes);
  if (!larger) return NULL;
  memcpy(larger, memory, have);
  free(memory);
  return larger;
}

void abort(void) { __builtin_trap(); }

// ---- bytes: the instructions of WebAssembly ------------------------------------------------------------

void* memcpy(void* restrict to, const void* restrict from, size_t bytes) { return __builtin_memcpy(to, from, bytes); }
void* memmove(void* to, const void* from, size_t bytes) { return __builtin_memmove(to, from, bytes); }
void* memset(void* to, int value, size_t bytes) { return __builtin_memset(to, value, bytes); }

int memcmp(const void* a, const void* b, size_t bytes) {
  const unsigned char *x = a, *y = b;
  for (; bytes > 0; --bytes, ++x, ++y)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

void* memchr(const void* data, int value, size_t bytes) {
  for (const unsigned char* at = data; bytes > 0; --bytes, ++at)
    if (*at == (unsigned char)value) return (void*)at;
  return NULL;
}

// ---- strings ---------------------------------------------------------------------------------------------

size_t strnlen(const char* text, size_t limit) {
  size_t length = 0;
  while (length < limit && text[length]) ++length;
  return length;
}

size_t strlen(const char* text) { return strnlen(text, SIZE_MAX); }

int strncmp(const char* a, const char* b, size_t limit) {
  for (; limit > 0; --limit, ++a, ++b) {
    if (*a != *b) return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
    if (!*a) break;
  }
  return 0;
}

int strcmp(const char* a, const char* b) { return strncmp(a, b, SIZE_MAX); }

char* strcpy(char* restrict to, const char* restrict from) { return memcpy(to, from, strlen(from) + 1); }

char* strncpy(char* restrict to, const char* restrict from, size_t limit) {
  const size_t length = strnlen(from, limit);
  memset(memcpy(to, from, length) + length, 0, limit - length);
  return to;
}

char* strcat(char* restrict to, const char* restrict from) { return strcpy(to + strlen(to), from), to; }

char* strrchr(const char* text, int c) {
  for (const char* at = text + strlen(text);; --at) {
    if (*at == (char)c) return (char*)at;
    if (at == text) return NULL;
  }
}

char* strchr(const char* text, int c) {
  for (;; ++text) {
    if (*text == (char)c) return (char*)text;
    if (!*text) return NULL;
  }
}

char* strstr(const char* text, const char* part) {
  const size_t length = strlen(part);
  for (; strncmp(text, part, length) != 0; ++text)
    if (!*text) return NULL;
  return (char*)text;
}

size_t strspn(const char* text, const char* accepted) {
  size_t length = 0;
  while (text[length] && strchr(accepted, text[length])) ++length;
  return length;
}

// ---- the compiler's ------------------------------------------------------------------------------------------

typedef union Wide {  // little-endian
  __int128 whole;
  uint64_t half[2];
} Wide;

// The product of 128-bit numbers, which compilers call for 64-bit products that are checked for overflow.
__int128 __multi3(__int128 a, __int128 b);
__int128 __multi3(__int128 a, __int128 b) {
  const Wide x = {a}, y = {b};
  const uint64_t x0 = (uint32_t)x.half[0], x1 = x.half[0] >> 32, y0 = (uint32_t)y.half[0], y1 = y.half[0] >> 32;
  const uint64_t low = x0 * y0, middle = x1 * y0 + (low >> 32), other = x0 * y1 + (uint32_t)middle;
  Wide product;
  product.half[0] = other << 32 | (uint32_t)low;
  product.half[1] = x1 * y1 + (middle >> 32) + (other >> 32) + x.half[0] * y.half[1] + x.half[1] * y.half[0];
  return product.whole;
}
