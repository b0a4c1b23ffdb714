// no_printf.h - keeps raylib's software renderer from writing to standard output when it starts: it calls printf for that,
// whatever the log level. Included before every other line of raylib by the compiler option -include.
#ifndef PUFFERC_NO_PRINTF_H
#define PUFFERC_NO_PRINTF_H

#include <stdio.h>

#define printf(...) ((void)0)

#endif  // PUFFERC_NO_PRINTF_H
