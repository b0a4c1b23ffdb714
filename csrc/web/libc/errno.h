#ifndef PUFFERC_WEB_ERRNO_H
#define PUFFERC_WEB_ERRNO_H
extern int errno;  // never set, and not defined: see stdio.h
#endif
