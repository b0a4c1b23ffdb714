// registry.h - games that this build lacks because a library that they need was not found.
#ifndef PUFFERC_REGISTRY_H
#define PUFFERC_REGISTRY_H

#ifdef __cplusplus
extern "C" {
#endif

// Names of the missing games, which need Box2D, up to a NULL. Empty in a build with Box2D.
const char* const* pfc_games_left_out(void);

#define PFC_LEFT_OUT_WHY                                                                                          \
  "this pufferc was built without Box2D 3.1. Set PUFFERC_BOX2D_SOURCE=FOLDER to its source, or pip install " \
  "pyb2d3==0.11.1, which contains it; then build pufferc again"

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_REGISTRY_H
