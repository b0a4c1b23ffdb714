// box2d_world.h - Box2D worlds for games: made and ended under one lock, and made to forget what was played in them.
//
// A world is one slot of a table inside Box2D, of PFC_BOX2D_MAX_WORLDS slots for the whole process. Taking and giving
// back a slot searches that table and is not thread-safe, so a game makes its world in `open`, ends it in `close`, and
// resets by destroying its bodies and calling pfc_box2d_forget. Different worlds may be stepped by different threads;
// none uses threads of its own. Everything here is header-only, so that a game stays a module by itself; the lock is
// one object however many games include it.
#ifndef PUFFERC_ENVS_BOX2D_WORLD_H
#define PUFFERC_ENVS_BOX2D_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <box2d/box2d.h>

#ifndef PFC_BOX2D_MAX_WORLDS
#define PFC_BOX2D_MAX_WORLDS 128  // what Box2D has unless it is built otherwise
#endif
#define PFC_BOX2D_TEXT_(number) #number
#define PFC_BOX2D_TEXT(number) PFC_BOX2D_TEXT_(number)

// The limit_help of a game whose max_games is PFC_BOX2D_MAX_WORLDS.
#define PFC_BOX2D_LIMIT_HELP                                                          \
  "the Box2D of this build has " PFC_BOX2D_TEXT(PFC_BOX2D_MAX_WORLDS) " worlds, one for each game of all pools of a " \
  "process; pufferc built with PUFFERC_BOX2D_SOURCE naming Box2D's source has 16384"

// More contacts than a game that calls pfc_box2d_forget ever has at one time.
enum { PFC_BOX2D_MAX_CONTACTS = 16 };

__attribute__((weak, visibility("hidden"))) pthread_mutex_t pfc_box2d_lock = PTHREAD_MUTEX_INITIALIZER;

// Makes a world; false when every slot is taken.
static inline bool pfc_box2d_create_world(b2Vec2 gravity, b2WorldId* world) {
  b2WorldDef definition = b2DefaultWorldDef();
  definition.gravity = gravity;
  (void)pthread_mutex_lock(&pfc_box2d_lock);
  *world = b2CreateWorld(&definition);
  (void)pthread_mutex_unlock(&pfc_box2d_lock);
  return b2World_IsValid(*world);
}

static inline void pfc_box2d_destroy_world(b2WorldId* world) {
  (void)pthread_mutex_lock(&pfc_box2d_lock);
  b2DestroyWorld(*world);
  (void)pthread_mutex_unlock(&pfc_box2d_lock);
  *world = b2_nullWorldId;
}

// Brings a world without bodies into a state that does not depend on its past.
//
// What the past leaves behind is the order of the free contact numbers: the number of a contact that ends is the next
// to be given out, and contacts that begin in the same step are solved in the order of their numbers. So a fixed
// number of contacts is made at once, which takes all free numbers; the events report them by ascending number; and
// they are ended by descending number, so that the next contacts count up from zero again.
static inline void pfc_box2d_forget(b2WorldId world) {
  b2BodyDef body = b2DefaultBodyDef();
  const b2BodyId ground = b2CreateBody(world, &body);
  body.type = b2_dynamicBody;
  const b2BodyId comb = b2CreateBody(world, &body);
  b2ShapeDef shape = b2DefaultShapeDef();
  const b2Segment segment = {{-1.0f, 0.0f}, {1.0f, 0.0f}};
  const b2ShapeId line = b2CreateSegmentShape(ground, &shape, &segment);
  shape.enableContactEvents = true;
  shape.updateBodyMass = false;
  const b2Circle circle = {{0.0f, 0.0f}, 0.5f};
  for (int32_t i = 0; i < PFC_BOX2D_MAX_CONTACTS; ++i) (void)b2CreateCircleShape(comb, &shape, &circle);
  b2World_Step(world, 0.01f, 1);  // nothing moves: the comb has no mass
  const b2ContactEvents events = b2World_GetContactEvents(world);
  b2Filter nothing = b2DefaultFilter();
  nothing.maskBits = 0;
  for (int32_t i = events.beginCount - 1; i >= 0; --i) {
    const b2ContactBeginTouchEvent* event = &events.beginEvents[i];
    b2Shape_SetFilter(B2_ID_EQUALS(event->shapeIdA, line) ? event->shapeIdB : event->shapeIdA, nothing);
  }
  b2DestroyBody(comb);
  b2DestroyBody(ground);
}

#endif  // PUFFERC_ENVS_BOX2D_WORLD_H
