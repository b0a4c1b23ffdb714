#ifndef PUFFERC_WEB_STDLIB_H
#define PUFFERC_WEB_STDLIB_H
#include <stddef.h>

void* malloc(size_t bytes);
void* calloc(size_t count, size_t bytes);
void* realloc(void* memory, size_t bytes);
void* aligned_alloc(size_t alignment, size_t bytes);  // alignment at most 64
void free(void* memory);
double strtod(const char* text, char** end);
float strtof(const char* text, char** end);
_Noreturn void abort(void);
static inline int abs(int x) { return x < 0 ? -x : x; }

#endif
