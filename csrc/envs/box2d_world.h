// box2d_world.h - Box2D's worlds, for games on Box2D.
//
// A world is one slot of a table inside Box2D with PFC_BOX2D_MAX_WORLDS slots for the whole process. A game owns one
// world from open to close. Allocation and release of a slot are not thread-safe, so all functions here hold one lock.
// Different threads may step different worlds; a world has no threads of its own.
#ifndef PUFFERC_BOX2D_WORLD_H
#define PUFFERC_BOX2D_WORLD_H

#include <pthread.h>
#include <stdbool.h>

#include <box2d/box2d.h>

#ifndef PFC_BOX2D_MAX_WORLDS
#define PFC_BOX2D_MAX_WORLDS 128  // Box2D's default
#endif
#define PFC_BOX2D_TEXT_(number) #number
#define PFC_BOX2D_TEXT(number) PFC_BOX2D_TEXT_(number)

// `limit_help` of a game on Box2D.
#define PFC_BOX2D_LIMIT_HELP                                                                                           \
  "the Box2D of this build has " PFC_BOX2D_TEXT(PFC_BOX2D_MAX_WORLDS) " worlds, one for each game of all pools of a " \
  "process; pufferc built with PUFFERC_BOX2D_SOURCE naming Box2D's source has 16384"

// Weak, so that all games of a program share one lock although each includes this header.
__attribute__((weak, visibility("hidden"))) pthread_mutex_t pfc_box2d_lock = PTHREAD_MUTEX_INITIALIZER;

// Creates a world; returns false if all slots are in use.
static inline bool pfc_box2d_create_world(const b2WorldDef* definition, b2WorldId* world) {
  (void)pthread_mutex_lock(&pfc_box2d_lock);
  *world = b2CreateWorld(definition);
  (void)pthread_mutex_unlock(&pfc_box2d_lock);
  return b2World_IsValid(*world);
}

static inline void pfc_box2d_destroy_world(b2WorldId* world) {
  (void)pthread_mutex_lock(&pfc_box2d_lock);
  b2DestroyWorld(*world);
  (void)pthread_mutex_unlock(&pfc_box2d_lock);
  *world = b2_nullWorldId;
}

// Replaces a world by a new, empty one, which remembers nothing of the old one's contacts, trees and free numbers. Both
// happen under one lock, so that no other game can take the slot between them: this cannot fail.
static inline void pfc_box2d_renew_world(const b2WorldDef* definition, b2WorldId* world) {
  (void)pthread_mutex_lock(&pfc_box2d_lock);
  b2DestroyWorld(*world);
  *world = b2CreateWorld(definition);
  (void)pthread_mutex_unlock(&pfc_box2d_lock);
}

#endif  // PUFFERC_BOX2D_WORLD_H
