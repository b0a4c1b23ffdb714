// Text goes to memory only: a page has no files. Functions of files are declared because the library reads policies
// from files on other systems; no code of a module calls them, so they are not defined.
#ifndef PUFFERC_WEB_STDIO_H
#define PUFFERC_WEB_STDIO_H
#include <stdarg.h>
#include <stddef.h>

typedef struct PfcNoFile FILE;

int snprintf(char* restrict text, size_t bytes, const char* restrict format, ...)
    __attribute__((format(printf, 3, 4)));
int vsnprintf(char* restrict text, size_t bytes, const char* restrict format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
FILE* fopen(const char* path, const char* mode);
size_t fread(void* to, size_t bytes, size_t count, FILE* file);
int fclose(FILE* file);
int ferror(FILE* file);

#endif
