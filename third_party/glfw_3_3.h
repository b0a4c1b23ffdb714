// glfw_3_3.h - lets raylib 6.0, which is written for GLFW 3.4, compile with GLFW 3.3.
//
// The compiler option -include puts it before raylib's sources if the installed GLFW is older than 3.4. GLFW 3.4 added
// window hints, which 3.3 reports as unknown and ignores, and two functions. Their versions below match what 3.3 does:
// it allocates with malloc, and uses X11 on Linux.
#ifndef PUFFERC_GLFW_3_3_H
#define PUFFERC_GLFW_3_3_H

#define GLFW_INCLUDE_NONE  // raylib brings its own OpenGL declarations
#include <GLFW/glfw3.h>

#define GLFW_MOUSE_PASSTHROUGH 0x0002000D
#define GLFW_SCALE_FRAMEBUFFER 0x0002200D
#define GLFW_PLATFORM_WIN32 0x00060001
#define GLFW_PLATFORM_COCOA 0x00060002
#define GLFW_PLATFORM_WAYLAND 0x00060003
#define GLFW_PLATFORM_X11 0x00060004
#define GLFW_PLATFORM_NULL 0x00060005

typedef struct GLFWallocator {
  void* (*allocate)(size_t bytes, void* user);
  void* (*reallocate)(void* block, size_t bytes, void* user);
  void (*deallocate)(void* block, void* user);
  void* user;
} GLFWallocator;

static inline void glfwInitAllocator(const GLFWallocator* allocator) { (void)allocator; }

static inline int glfwGetPlatform(void) {
#if defined(__APPLE__)
  return GLFW_PLATFORM_COCOA;
#elif defined(_WIN32)
  return GLFW_PLATFORM_WIN32;
#else
  return GLFW_PLATFORM_X11;
#endif
}

#endif  // PUFFERC_GLFW_3_3_H
