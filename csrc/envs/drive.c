// drive.c - a town of roads full of cars. Each controlled car is an agent with a route of its own; its life ends at its
// goal, at a crash or off the road, and it respawns.
//
// obs   float32[155], with view 1 [347]   in the car's own frame: x ahead, y to its left; see drive_obs below
// act   choices {5, 9}: acceleration -6, -2.5, 0, 1.5, 3 m/s^2, steering -0.5 to 0.5 rad; or two controls
// rew   progress along the route, the goal, crashes, leaving the road, red lights; terminated at goal, crash, off road
//
// Units: m, s, rad, m/s; x east, y north, angles anticlockwise, right-hand traffic. A tick is 0.1 s; a step is `ticks`
// ticks. Bodies are agents, then scripted cars, then pedestrians; all are boxes.
//
// The state is one block without pointers: the struct Drive, then the arrays of drive_world. A town is drawn from the
// state's random numbers, or copied from a file of maps that `pufferc roads build` makes; both fill the same arrays, so
// that nothing behind them knows where a town comes from.
#include "pufferc/env.h"

// A part of a loop of PFC_MULTIVERSION: apart from it, it would be compiled for the baseline only.
#define DRIVE_PART __attribute__((always_inline)) PFC_FN
// Compiled only once, without clones for other processors: long code that wider vectors do not make faster.
#if defined(__CUDACC__)
#define DRIVE_APART PFC_FN
#else
#define DRIVE_APART static __attribute__((noinline))
#endif
// Compiled once for each kind of processor: code that wider vectors make faster.
#if defined(__CUDACC__)
#define DRIVE_WIDE PFC_FN
#else
#define DRIVE_WIDE PFC_MULTIVERSION static
#endif

// ---- constants -------------------------------------------------------------------------------------

#define DRIVE_TICK_S 0.1f
#define DRIVE_LANE 3.5f          // width of a lane, m
#define DRIVE_EDGE 2.25f  // from the middle of an outer lane to the edge of the road: half a lane and the shoulder, m
#define DRIVE_SPACING 2.5f       // between the points of a lane, m; a lane's own spacing makes its length a multiple
#define DRIVE_REACH 10.0f        // largest room that is measured, m
#define DRIVE_CELL 8.0f          // side of a cell of the grid, and largest length of a segment, m
#define DRIVE_MARGIN 8.0f        // of the grid around all segments, m
#define DRIVE_ONE_LANE_MPS 13.9f
#define DRIVE_TWO_LANES_MPS 16.7f
#define DRIVE_RING_MPS 8.3f
#define DRIVE_MAX_MPS 25.0f
#define DRIVE_WALK_MPS 1.4f
#define DRIVE_BIKE_MPS 5.0f
#define DRIVE_BRAKE 6.0f         // m/s^2
#define DRIVE_THROTTLE 3.0f
#define DRIVE_GRIP 7.0f          // largest sideways acceleration, m/s^2
#define DRIVE_MAX_STEER 0.55f    // rad
#define DRIVE_STEER_PER_TICK 0.08f
#define DRIVE_WHEELBASE 0.6f     // of the length
#define DRIVE_CROSSING_BEFORE_MOUTH 4.0f
#define DRIVE_STOP_BEFORE_MOUTH 5.0f
#define DRIVE_CURB 1.0f          // from the edge to where a pedestrian waits, m
#define DRIVE_START_BEFORE_END 15.0f  // of a lane, m, so that a life begins before the stop line
#define DRIVE_FREE 12.0f         // free lane ahead and behind at a start, m
#define DRIVE_ROAD_PER_CAR 15.0f
#define DRIVE_MIN_RADIUS 7.0f    // of lanes, m
#define DRIVE_MIN_ROAD_RADIUS 25.0f
#define DRIVE_MIN_ROOM 2.0f      // a van's front corner runs 2.0 m outside its centre's path in a turn of radius 8
#define DRIVE_MIN_ROAD 16.0f     // two crosswalks and a car between them, m
#define DRIVE_MAX_TURN 0.20943951f  // 12 degrees, between a road's end and the straight line
#define DRIVE_MAX_SHIFT 0.12f    // of a node, in blocks
#define DRIVE_ARM_BLOCKS 0.75f   // length of an arm to the outside
#define DRIVE_COS_CORNER 0.34202014f  // of 70 degrees, the least angle between two arms
#define DRIVE_RING_RADIUS 12.0f
#define DRIVE_RING_COS 0.8660254f     // of 30 degrees: from the middle of an arm to where its lanes meet the ring
#define DRIVE_RING_SIN 0.5f
#define DRIVE_CONFLICT 2.6f      // m between the middles of two movements
#define DRIVE_LOOK 50.0f         // how far scripted cars look along their path, m
#define DRIVE_FAR 1e12f          // squared distance that is added to absent bodies
#define DRIVE_HALF_BUMPER 0.5f   // m beside a car at which something is in its way
#define DRIVE_STANDS_MPS 0.5f    // slower cars stand
#define DRIVE_GOES_MPS 2.0f      // a car that stood and has to stop again before it is this fast keeps its turn
#define DRIVE_MERGE_FROM 0.3f    // of a road's length, where the right lane begins to drift into the left one
#define DRIVE_MERGE_TO 0.7f
enum {
  DRIVE_NONE = 0xffff,
  DRIVE_MAX_AGENTS = 64, DRIVE_MAX_TRAFFIC = 64, DRIVE_MAX_WALKERS = 32,
  DRIVE_MAX_CARS = DRIVE_MAX_AGENTS + DRIVE_MAX_TRAFFIC,
  DRIVE_MAX_BODIES = DRIVE_MAX_CARS + DRIVE_MAX_WALKERS,
  DRIVE_MAX_SIDE = 6, DRIVE_MAX_NODES = DRIVE_MAX_SIDE * DRIVE_MAX_SIDE,
  DRIVE_ARMS = 4,           // of a node: east, north, west, south
  DRIVE_ROUTE = 24,         // lanes of a route
  DRIVE_NEXT = 4,           // successors of a lane
  DRIVE_MOVEMENTS = 16,     // of a junction
  DRIVE_TOWN_TRIES = 8,
  DRIVE_PLACE_TRIES = 16,
  DRIVE_ROUTE_TRIES = 8,
  DRIVE_GREEN_TICKS = 80, DRIVE_YELLOW_TICKS = 35, DRIVE_ALL_RED_TICKS = 15,
  DRIVE_HALF_CYCLE_TICKS = DRIVE_GREEN_TICKS + DRIVE_YELLOW_TICKS + DRIVE_ALL_RED_TICKS,
  DRIVE_PATIENCE_TICKS = 60,  // after which a standing car ignores claims
  DRIVE_BEHIND = 2, DRIVE_BEFORE = 8,  // points of the route around the last place among which the next one is searched
  DRIVE_AHEAD_POINTS = 36,  // of a path of 50 m; the least spacing is 1.67 m
  DRIVE_TURNS = 40,         // of loops over such points; see drive_nearest_point
  DRIVE_AHEAD_ROOM = 48,    // their arrays, with room for copies by eights and for DRIVE_TURNS
  DRIVE_FINE = 320,         // points of a lane before it is divided evenly
  DRIVE_PLAIN_OBS = 65, DRIVE_SEEN = 10, DRIVE_BODY_OBS = 9, DRIVE_ROUTE_POINTS = 8, DRIVE_POINT_OBS = 6,
  DRIVE_ROAD_SEEN = 32, DRIVE_ROAD_OBS = 6,
  DRIVE_OBS = DRIVE_PLAIN_OBS + DRIVE_SEEN * DRIVE_BODY_OBS,
};
enum { DRIVE_EAST, DRIVE_NORTH, DRIVE_WEST, DRIVE_SOUTH };
enum { DRIVE_ROAD, DRIVE_MOVEMENT, DRIVE_RING };                // kinds of lanes
enum { DRIVE_AHEAD, DRIVE_LEFT, DRIVE_RIGHT };                  // turns of movements
enum { DRIVE_EDGE_LINE, DRIVE_DIVIDER, DRIVE_CENTRE, DRIVE_STOP, DRIVE_CROSSING };  // kinds of segments
enum { DRIVE_GREEN, DRIVE_YELLOW, DRIVE_RED };
enum { DRIVE_CAR, DRIVE_BIKE, DRIVE_WALKER };                   // kinds of bodies

PFC_TABLE float drive_accelerations[] = {-6.0f, -2.5f, 0.0f, 1.5f, 3.0f};
PFC_TABLE float drive_steers[] = {-0.5f, -0.25f, -0.1f, -0.03f, 0.0f, 0.03f, 0.1f, 0.25f, 0.5f};
enum { DRIVE_ACCELERATIONS = 5, DRIVE_STEERS = 9 };
PFC_TABLE float drive_route_places[] = {3.0f, 6.0f, 10.0f, 15.0f, 22.0f, 30.0f, 40.0f, 50.0f};  // m along the route

// ---- parameters ------------------------------------------------------------------------------------

#define DRIVE_PARAMS(X)                                                                               \
  X(int, max_steps, 500, 0, PFC_MAX_STEPS, "steps until one life is truncated; 0 = never")            \
  X(int, agents, 16, 1, DRIVE_MAX_AGENTS, "controlled cars of a world; each is an agent")             \
  X(int, traffic, 8, 0, DRIVE_MAX_TRAFFIC, "scripted cars; one in eight is a cyclist")                \
  X(int, walkers, 4, 0, DRIVE_MAX_WALKERS, "pedestrians")                                             \
  X(int, town_x, 2, 1, DRIVE_MAX_SIDE, "junctions of the town from west to east")                     \
  X(int, town_y, 2, 1, DRIVE_MAX_SIDE, "junctions of the town from south to north")                   \
  X(float, block, 80, 70, 200, "between junctions, m")                                                \
  X(float, roundabouts, 0.25f, 0, 1, "probability that a junction of three or four roads is a roundabout") \
  X(float, lights, 0.5f, 0, 1, "probability that it has traffic lights otherwise")                    \
  X(float, two_lanes, 0.3f, 0, 1, "probability that a road has two lanes in each direction")          \
  X(float, merges, 0.3f, 0, 1, "probability that one of two lanes ends on the way")                   \
  X(float, route_min, 60, 30, 1000, "from start to goal, m")                                          \
  X(float, route_max, 140, 30, 1000, "from start to goal, m")                                         \
  X(float, goal_radius, 3, 0.5f, 10, "distance at which a goal counts as reached, m")                 \
  X(float, goal_speed, 25, 0.5f, 25, "largest speed at which a goal counts as reached, m/s")          \
  X(int, goal_mode, 0, 0, 1, "0: a goal ends the life; 1: it gives a new goal")                       \
  X(int, ticks, 2, 1, 10, "of 0.1 s in a step")                                                       \
  X(bool, continuous, 0, 0, 1, "1: two controls, acceleration and steering; 0: choices {5, 9}")       \
  X(bool, guide, 1, 0, 1, "0 hides the route: only the goal's direction is left")                     \
  X(bool, autopilot, 0, 0, 1, "1: the rules of scripted cars drive the agents; actions are ignored")  \
  X(int, view, 0, 0, 1, "0: the corridor along the route; 1: also the nearest 32 segments of the road") \
  X(float, sight, 50, 5, 100, "farther bodies are not seen, m")                                       \
  X(float, reward_goal, 1, -10, 10, "for a goal")                                                     \
  X(float, reward_crash, -1, -10, 10, "for a hit")                                                    \
  X(float, reward_off_road, -1, -10, 10, "for leaving the road")                                      \
  X(float, reward_red, -0.5f, -10, 10, "for a stop line passed at red")                               \
  X(float, reward_progress, 0.01f, -1, 1, "per m of the route")                                       \
  X(float, reward_lane, 0, -1, 1, "per m beside the middle of the lane, and s")                       \
  X(float, reward_jerk, 0, -1, 1, "per squared change of the acceleration in a step")                 \
  X(float, reward_speeding, 0, -1, 1, "per m/s above the limit, and s")                               \
  X(int, world_steps, 4000, 0, PFC_MAX_STEPS, "steps until a new town; 0 = never")                    \
  X(int, map_points, 0, 0, 32767, "lane points that a map may have; towns have room of their own")    \
  X(int, map_segments, 0, 0, 32767, "road segments that a map may have; towns have room of their own") \
  X(int, map_tracks, 0, 0, 32767, "recorded poses that a map may have")
PFC_DEFINE_PARAMS(drive, DriveParams, DRIVE_PARAMS)

// ---- state -----------------------------------------------------------------------------------------

typedef struct DrivePoint {
  float x, y, cos, sin;
  float left, right;  // room to the edges of the road, m, at most DRIVE_REACH
} DrivePoint;

// Points as arrays of their members, so that loops over neighbouring points are vectorised.
typedef struct DrivePoints {
  float *x, *y, *cos, *sin, *left, *right;
} DrivePoints;

typedef struct DriveLane {
  float length, limit;     // m, m/s
  float stop;              // place of its stop line; -1 = none
  float centre;            // from its middle to the oncoming lanes on the left, m
  float crossing_place[2];
  uint16_t crossing[2];    // crosswalks on it, or DRIVE_NONE
  uint16_t first, count;   // points
  uint16_t next[DRIVE_NEXT];
  uint16_t junction;       // of a movement, or DRIVE_NONE
  uint16_t signal;         // light of a movement, or DRIVE_NONE
  uint16_t merge;          // the other lane that ends where this one does, or DRIVE_NONE
  uint8_t num_next, kind, bit, turn;
  uint8_t wide;            // of two lanes at its end, which has the way against one lane
  uint8_t portal;          // 1 = cars may enter at its beginning
} DriveLane;

typedef struct DriveJunction {
  uint16_t movement[DRIVE_MOVEMENTS];   // lanes
  uint16_t conflicts[DRIVE_MOVEMENTS];  // bit k: conflicts with movement k
  uint16_t num_movements;
  uint16_t occupied;                    // bit k: a body is on movement k or past its stop line
} DriveJunction;

typedef struct DriveSegment {
  float x0, y0, x1, y1;
} DriveSegment;

typedef struct DriveSignal {
  uint16_t first, count;  // its phases
  uint16_t at, left;      // the current one, and its ticks left
} DriveSignal;

typedef struct DriveWalker {
  uint16_t crossing;
  uint8_t side;     // end at which it waits or from which it walks
  uint8_t bold;     // accepts 1.5 s
  uint16_t wait;    // ticks until it wants to cross
  uint16_t walking;
  float way;        // m walked
} DriveWalker;

// What a car has before it, from the positions after the last tick.
typedef struct DriveView {
  float line;           // from its front to the next stop line of its route, m; DRIVE_FAR = none
  float approach;       // from its front to the next movement, m; DRIVE_FAR = none
  int32_t arrival;      // at it, tenths of s
  uint16_t line_movement;  // lane behind the stop line, or DRIVE_NONE
  uint16_t movement;    // the next movement, or DRIVE_NONE
  uint16_t line_slot;   // of line_movement on the route
  uint16_t slot;        // of that movement on the route
} DriveView;

typedef struct DriveCar {
  uint16_t route[DRIVE_ROUTE];
  uint16_t num_lanes;       // of the route
  uint16_t slot, point;     // the nearest point of the route: lane number slot, point of this lane
  int16_t passed;           // slot of the last stop line passed, -1 = none
  float along;              // place on that lane, m
  float aside;              // to the left of its middle, m
  float before;             // length of the route before that lane, from the start of the life, m
  float end;                // length of the route to the end of its last lane, m
  float goal, goal_x, goal_y;
  float pace;               // wanted speed, in limits
  float last_accel;         // of the last step, for jerk
  float last_place;         // on the route at the last step, for progress
  float from;               // place at which the current goal was given
  int32_t stood;            // ticks
  int32_t ticks;            // of this life
  int32_t wrong_ticks;
  int32_t goals, reds;
  int32_t traffic_crashes;  // of the world when this life began
  float travelled;          // sum of speeds over ticks
  uint8_t present, waiting, kind, ended;  // ended: 1 goal, 2 crash, 3 off the road
  DriveView view;
  float mark_x, mark_y;  // where it was last hit or left the road, for the picture
  int32_t marked;        // in this step of the town, counted from 1; 0 = never
} DriveCar;

enum { DRIVE_REACHED = 1, DRIVE_CRASHED = 2, DRIVE_LEFT_ROAD = 3 };

// Numbers of what a town has; the beginning of a map in a file.
typedef struct DriveTown {
  int32_t num_points, num_lanes, num_roads;  // road lanes come first
  int32_t num_junctions, num_segments, num_edges;  // edges come first
  int32_t num_signals, num_phases, num_crossings;
  int32_t columns, rows, num_entries;        // of the grid
  int32_t num_tracks, num_poses;
  float left, bottom;                        // of the grid
  float usable;                              // length of all road lanes where a life may begin, m
  float road;                                // length of all road lanes, m
} DriveTown;

typedef struct DriveTrack {
  uint16_t kind, first_tick, first, count;  // poses
  float length, width;
  uint16_t lane, num_route;                 // where an agent starts; num_route 0: it is only replayed
  uint16_t route[DRIVE_ROUTE];
  float along, goal;                        // place on its first lane, length of its route
} DriveTrack;

typedef struct DrivePose {
  float x, y, cos, sin, v;  // sin and cos 0 = absent
} DrivePose;

typedef struct Drive {
  PfcRng rng;
  DriveTown town;
  int32_t steps;            // in this town
  int32_t ticks;
  int32_t renew;            // the next respawn draws a new town
  int32_t traffic_crashes;  // hits between scripted bodies
  int32_t plain;            // attempts failed, so the town is plain
  int32_t goals, crashes;   // of agents in this town, for the picture
} Drive;

typedef struct DriveObs {
  float value[DRIVE_OBS];
} DriveObs;

static const PfcObsRow drive_obs[] = {
    PFC_OBS("ego", 5, -1, 1, "speed / 25, steering / 0.55, last acceleration / 6, length / 10, width / 3"),
    PFC_OBS("lane", 4, -1, 1, "left of the route's middle / 5, sin, cos of the heading against it, speed limit / 25"),
    PFC_OBS("goal", 3, -1, 1, "x, y / 100, route left / 200"),
    PFC_OBS("line", 4, -1, 1,
            "next stop line / 50, its light (1 red, 0.5 yellow), a better claim is due, a body is in the way"),
    PFC_OBS("waiting", 1, 0, 1, "1 = absent until its start is free"),
    PFC_OBS("route", DRIVE_ROUTE_POINTS * DRIVE_POINT_OBS, -1, 1,
            "3 to 50 m along the route: x, y / 50, cos and sin of the lane, room to the left and right edge / 10"),
    PFC_OBS_SET("bodies", DRIVE_SEEN * DRIVE_BODY_OBS, DRIVE_BODY_OBS, -1, 1,
                "nearest first: 1, x, y / 50, cos, sin, relative velocity x, y / 25, length / 10, width / 3; else 0"),
    PFC_OBS_SET("road", 0, DRIVE_ROAD_OBS, -1, 1,
                "nearest first: 1, middle x, y / 50, half vector x, y / 4, kind (edge 1, divider 0.25, centre 0.5, "
                "stop -1, crosswalk -0.5)"),
};

// ---- memory ----------------------------------------------------------------------------------------

// Capacities of the arrays.
typedef struct DriveSizes {
  int32_t points, lanes, junctions, segments, cells, entries, signals, phases, crossings, tracks, poses;
  int32_t cars, bodies;  // bodies padded to a multiple of 8
} DriveSizes;

// The largest number of cells from west to east, or south to north: displaced nodes, arms and the roads' own width.
PFC_FN int32_t drive_max_cells(float block, int32_t nodes) {
  const float side = block * ((float)(nodes - 1) + 2.0f * (DRIVE_ARM_BLOCKS + DRIVE_MAX_SHIFT)) + 40.0f;
  return (int32_t)(side / DRIVE_CELL) + 2;
}

PFC_FN DriveSizes drive_sizes(const DriveParams* p) {
  DriveSizes z;
  const int32_t nodes = p->town_x * p->town_y, block = (int32_t)p->block;
  z.points = pfc_maxi(8 * block * nodes, p->map_points);
  z.lanes = pfc_maxi(96 * nodes, p->map_points / 4);
  z.junctions = pfc_maxi(nodes, p->map_points / 64);
  z.segments = pfc_maxi(16 * block * nodes / 5, p->map_segments);
  z.cells = pfc_maxi(drive_max_cells(p->block, p->town_x) * drive_max_cells(p->block, p->town_y), 4 * p->map_segments);
  z.entries = z.segments * 5 / 2;
  z.crossings = 4 * z.junctions;
  z.signals = pfc_maxi(2 * nodes, p->map_points / 32);
  z.phases = pfc_maxi(3, p->map_points / 4);
  z.tracks = p->map_tracks > 0 ? pfc_mini(p->agents + p->traffic, p->map_tracks) : 0;
  z.poses = p->map_tracks;
  z.cars = p->agents + p->traffic;
  z.bodies = (z.cars + p->walkers + 7) / 8 * 8;
  return z;
}

// The arrays of a world, as pointers into its state.
typedef struct DriveWorld {
  Drive* s;
  const DriveParams* p;
  DrivePoints points;
  DriveLane* lanes;
  DriveJunction* junctions;
  DriveSegment *segments, *crossings;  // of a crosswalk: the two places where pedestrians wait
  DriveTrack* tracks;
  DrivePose* poses;
  float *x, *y, *cos, *sin, *v, *steer, *accel, *want, *length, *width, *radius,
      *away;  // of bodies; away: 0 or DRIVE_FAR
  DriveCar* cars;
  DriveWalker* walkers;
  DriveSignal* signals;
  uint16_t* towards;                    // of cars: junction of the next movement; DRIVE_NONE also for absent ones
  uint16_t *phases, *starts, *entries;  // a phase is ticks * 4 + colour
  uint8_t* kinds;                       // of segments
  int32_t num_cars, num_bodies, padded;
} DriveWorld;

enum { DRIVE_BODY_ARRAYS = 12 };

PFC_FN uint64_t drive_bytes(const DriveSizes* z, const DriveParams* p) {
  return sizeof(Drive) + sizeof(DrivePoint) * (uint64_t)z->points + sizeof(DriveLane) * (uint64_t)z->lanes +
         sizeof(DriveJunction) * (uint64_t)z->junctions +
         sizeof(DriveSegment) * (uint64_t)(z->segments + z->crossings) + sizeof(DriveTrack) * (uint64_t)z->tracks +
         sizeof(DrivePose) * (uint64_t)z->poses + sizeof(float) * DRIVE_BODY_ARRAYS * (uint64_t)z->bodies +
         sizeof(DriveCar) * (uint64_t)z->cars + sizeof(DriveWalker) * (uint64_t)p->walkers +
         sizeof(DriveSignal) * (uint64_t)z->signals +
         sizeof(uint16_t) * (uint64_t)(z->cars + z->phases + z->cells + 1 + z->entries) + (uint64_t)z->segments;
}

DRIVE_PART DriveWorld drive_world(const Drive* state, const DriveParams* p) {
  const DriveSizes z = drive_sizes(p);
  DriveWorld w;
  w.s = (Drive*)state;
  w.p = p;
  w.points.x = (float*)(w.s + 1);
  w.points.y = w.points.x + z.points, w.points.cos = w.points.y + z.points, w.points.sin = w.points.cos + z.points;
  w.points.left = w.points.sin + z.points, w.points.right = w.points.left + z.points;
  w.lanes = (DriveLane*)(w.points.right + z.points);
  w.junctions = (DriveJunction*)(w.lanes + z.lanes);
  w.segments = (DriveSegment*)(w.junctions + z.junctions);
  w.crossings = w.segments + z.segments;
  w.tracks = (DriveTrack*)(w.crossings + z.crossings);
  w.poses = (DrivePose*)(w.tracks + z.tracks);
  w.x = (float*)(w.poses + z.poses);
  w.y = w.x + z.bodies, w.cos = w.y + z.bodies, w.sin = w.cos + z.bodies, w.v = w.sin + z.bodies;
  w.steer = w.v + z.bodies, w.accel = w.steer + z.bodies, w.want = w.accel + z.bodies, w.length = w.want + z.bodies;
  w.width = w.length + z.bodies, w.radius = w.width + z.bodies, w.away = w.radius + z.bodies;
  w.cars = (DriveCar*)(w.away + z.bodies);
  w.walkers = (DriveWalker*)(w.cars + z.cars);
  w.signals = (DriveSignal*)(w.walkers + p->walkers);
  w.towards = (uint16_t*)(w.signals + z.signals);
  w.phases = w.towards + z.cars;
  w.starts = w.phases + z.phases;
  w.entries = w.starts + z.cells + 1;
  w.kinds = (uint8_t*)(w.entries + z.entries);
  w.num_cars = z.cars;
  w.num_bodies = z.cars + p->walkers;
  w.padded = z.bodies;
  return w;
}

DRIVE_PART DrivePoint drive_point(const DriveWorld* w, int32_t k) {
  const DrivePoints* p = &w->points;
  const DrivePoint point = {p->x[k], p->y[k], p->cos[k], p->sin[k], p->left[k], p->right[k]};
  return point;
}

PFC_FN void drive_set_point(const DriveWorld* w, int32_t k, const DrivePoint* point) {
  const DrivePoints* p = &w->points;
  p->x[k] = point->x, p->y[k] = point->y, p->cos[k] = point->cos, p->sin[k] = point->sin;
  p->left[k] = point->left, p->right[k] = point->right;
}

static void drive_layout(const void* params, PfcLayout* sizes) {
  const DriveParams* p = (const DriveParams*)params;
  const DriveSizes z = drive_sizes(p);
  sizes->state_bytes = (drive_bytes(&z, p) + 15) / 16 * 16;
  sizes->agents = p->agents;
  sizes->obs_shape[0] = DRIVE_OBS + (p->view ? DRIVE_ROAD_SEEN * DRIVE_ROAD_OBS : 0);
  if (!p->continuous) return;
  sizes->action_counts[0] = sizes->action_counts[1] = 0;
  sizes->continuous_dims = 2;
}

// Length of all road lanes in the smallest town that the parameters allow, m. A node of two roads is a bend with mouths
// 14 m from it, one of three or four may be a roundabout with mouths 22 m from it.
PFC_FN float drive_least_road(const DriveParams* p) {
  const float mouth = p->roundabouts > 0.0f ? 22.0f : 14.0f;
  if (p->town_x * p->town_y == 1) return 6.0f * (DRIVE_ARM_BLOCKS * p->block - mouth);
  const float bend = 4.0f * (0.5f * p->block - 14.0f), three = 6.0f * (0.5f * p->block - mouth);
  return (float)(p->town_x * p->town_y) * pfc_minf(bend, three);
}

static const char* drive_check(const void* params) {
  static __thread char message[160];
  const DriveParams* p = (const DriveParams*)params;
  const DriveSizes z = drive_sizes(p);
  if (p->route_min > p->route_max) return "route_min must not exceed route_max";
  const float road = drive_least_road(p);
  const int32_t fit = (int32_t)(road / DRIVE_ROAD_PER_CAR);
  if (p->agents + p->traffic > fit) {
    snprintf(
        message, sizeof message,
        "agents + traffic is %d, but only %d cars fit: the smallest town has %.0f m of lanes, and a car needs 15 m",
        (int)(p->agents + p->traffic), (int)fit, (double)road);
    return message;
  }
  if (z.points > 65535 || z.lanes > 65535 || z.segments > 65535 || z.entries > 65535)
    return "the town is too large: choose smaller town_x, town_y, block, map_points or map_segments";
  return NULL;
}

// ---- small geometry --------------------------------------------------------------------------------

typedef struct DriveVector {
  float x, y;
} DriveVector;

PFC_FN DriveVector drive_vector(float x, float y) {
  DriveVector v;
  v.x = x, v.y = y;
  return v;
}

PFC_FN DriveVector drive_normal(DriveVector v) {  // of length 1; (1, 0) for the zero vector
  const float square = v.x * v.x + v.y * v.y;
  if (!(square > 1e-12f)) return drive_vector(1.0f, 0.0f);
  const float per = 1.0f / pfc_sqrtf(square);
  return drive_vector(v.x * per, v.y * per);
}

PFC_FN DriveVector drive_turned(DriveVector v, float sine, float cosine) {
  return drive_vector(v.x * cosine - v.y * sine, v.x * sine + v.y * cosine);
}

PFC_FN float drive_cross(DriveVector a, DriveVector b) { return a.x * b.y - a.y * b.x; }
PFC_FN float drive_dot(DriveVector a, DriveVector b) { return a.x * b.x + a.y * b.y; }
PFC_FN float drive_distance(float x0, float y0, float x1, float y1) {
  return pfc_sqrtf((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0));
}

// ---- the plan of a town: nodes, arms, lanes ----------------------------------------------------------

enum { DRIVE_NO_ARM, DRIVE_STREET, DRIVE_EXIT };  // none, a road to the neighbour, an arm to the outside

typedef struct DriveArm {
  int32_t kind, lanes;         // lanes in each direction, before merges
  float turn;                  // at this end, away from the straight line, rad
  DriveVector out;             // unit vector out of the node
  DriveVector mouth;
  int32_t num_in, num_out;     // lanes at the mouth
  uint16_t in[2], outward[2];  // lanes that end and begin at the mouth; 0 = the right one
  uint16_t crossing;
} DriveArm;

typedef struct DriveNode {
  DriveVector place;
  int32_t degree, roundabout, lights;
  float mouth;                 // distance of the mouths from the node, m
  DriveArm arms[DRIVE_ARMS];
} DriveNode;

typedef struct DrivePlan {
  int32_t columns, rows, plain;
  DriveNode nodes[DRIVE_MAX_NODES];
} DrivePlan;

PFC_FN DriveVector drive_compass(int32_t arm) {
  return drive_vector((float)((arm == DRIVE_EAST) - (arm == DRIVE_WEST)),
                      (float)((arm == DRIVE_NORTH) - (arm == DRIVE_SOUTH)));
}

PFC_FN int32_t drive_opposite(int32_t arm) { return (arm + 2) % DRIVE_ARMS; }

// The neighbour of a node in a direction; -1 = none, the arm leads outside.
PFC_FN int32_t drive_neighbour(const DrivePlan* plan, int32_t node, int32_t arm) {
  const int32_t x = node % plan->columns + (arm == DRIVE_EAST) - (arm == DRIVE_WEST);
  const int32_t y = node / plan->columns + (arm == DRIVE_NORTH) - (arm == DRIVE_SOUTH);
  return x >= 0 && x < plan->columns && y >= 0 && y < plan->rows ? y * plan->columns + x : -1;
}

PFC_FN int32_t drive_num_nodes(const DrivePlan* plan) { return plan->columns * plan->rows; }

PFC_FN bool drive_connected(const DrivePlan* plan) {
  const int32_t count = drive_num_nodes(plan);
  int32_t queue[DRIVE_MAX_NODES], found = 1;
  bool seen[DRIVE_MAX_NODES] = {true};
  queue[0] = 0;
  for (int32_t at = 0; at < found; ++at)
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
      const int32_t next = drive_neighbour(plan, queue[at], arm);
      if (plan->nodes[queue[at]].arms[arm].kind != DRIVE_STREET || seen[next]) continue;
      seen[next] = true;
      queue[found++] = next;
    }
  return found == count;
}

PFC_FN void drive_set_street(DrivePlan* plan, int32_t node, int32_t arm, bool there) {
  DriveNode* a = &plan->nodes[node];
  DriveNode* b = &plan->nodes[drive_neighbour(plan, node, arm)];
  a->arms[arm].kind = b->arms[drive_opposite(arm)].kind = there ? DRIVE_STREET : DRIVE_NO_ARM;
  a->degree += there ? 1 : -1;
  b->degree += there ? 1 : -1;
}

// Streets between neighbours. Each is dropped with probability 0.15 if the town stays connected and both ends keep two.
PFC_FN void drive_plan_streets(DrivePlan* plan, PfcRng* rng) {
  const int32_t count = drive_num_nodes(plan);
  for (int32_t node = 0; node < count; ++node)
    for (int32_t arm = DRIVE_EAST; arm <= DRIVE_NORTH; ++arm)
      if (drive_neighbour(plan, node, arm) >= 0) drive_set_street(plan, node, arm, true);
  for (int32_t node = 0; node < count; ++node)
    for (int32_t arm = DRIVE_EAST; arm <= DRIVE_NORTH; ++arm) {
      const int32_t other = drive_neighbour(plan, node, arm);
      if (other < 0 || pfc_rng_float(rng) >= 0.15f) continue;
      if (plan->nodes[node].degree < 3 || plan->nodes[other].degree < 3) continue;
      drive_set_street(plan, node, arm, false);
      if (!drive_connected(plan)) drive_set_street(plan, node, arm, true);
    }
}

// Arms to the outside: with probability 0.6 per free side, and where a node would have too few roads.
PFC_FN void drive_plan_exits(DrivePlan* plan, PfcRng* rng) {
  const int32_t count = drive_num_nodes(plan), least = count == 1 ? 3 : 2;
  for (int32_t node = 0; node < count; ++node) {
    DriveNode* n = &plan->nodes[node];
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
      if (drive_neighbour(plan, node, arm) >= 0 || pfc_rng_float(rng) >= 0.6f) continue;
      n->arms[arm].kind = DRIVE_EXIT;
      n->degree += 1;
    }
    for (int32_t arm = 0; arm < DRIVE_ARMS && n->degree < least; ++arm) {
      if (drive_neighbour(plan, node, arm) >= 0 || n->arms[arm].kind != DRIVE_NO_ARM) continue;
      n->arms[arm].kind = DRIVE_EXIT;
      n->degree += 1;
    }
  }
}

PFC_FN void drive_plan_junctions(DrivePlan* plan, const DriveParams* p, PfcRng* rng) {
  for (int32_t node = 0; node < drive_num_nodes(plan); ++node) {
    DriveNode* n = &plan->nodes[node];
    if (n->degree < 3) continue;
    n->roundabout = pfc_rng_float(rng) < p->roundabouts;
    if (!n->roundabout) n->lights = pfc_rng_float(rng) < p->lights;
  }
}

// Numbers of lanes. Roads that bends join are one road and share a draw; a road that ends at a roundabout has one lane.
// While it works, `lanes` is -1 - number of the road's first arm.
PFC_FN void drive_plan_lanes(DrivePlan* plan, const DriveParams* p, PfcRng* rng) {
  const int32_t count = drive_num_nodes(plan), arms = count * DRIVE_ARMS;
  int32_t label[DRIVE_MAX_NODES * DRIVE_ARMS];
  bool single[DRIVE_MAX_NODES * DRIVE_ARMS] = {false};
  for (int32_t i = 0; i < arms; ++i) label[i] = i;
  for (bool changed = true; changed;) {
    changed = false;
    for (int32_t i = 0; i < arms; ++i) {
      const DriveNode* n = &plan->nodes[i / DRIVE_ARMS];
      const int32_t arm = i % DRIVE_ARMS;
      int32_t least = label[i];
      if (n->arms[arm].kind == DRIVE_NO_ARM) continue;
      if (n->arms[arm].kind == DRIVE_STREET)
        least = pfc_mini(least, label[drive_neighbour(plan, i / DRIVE_ARMS, arm) * DRIVE_ARMS + drive_opposite(arm)]);
      for (int32_t k = 0; k < DRIVE_ARMS && n->degree == 2; ++k)
        if (n->arms[k].kind != DRIVE_NO_ARM) least = pfc_mini(least, label[i - arm + k]);
      changed = changed || least < label[i];
      label[i] = least;
    }
  }
  for (int32_t i = 0; i < arms; ++i)
    if (plan->nodes[i / DRIVE_ARMS].roundabout) single[label[i]] = true;
  for (int32_t i = 0; i < arms; ++i) {
    DriveArm* arm = &plan->nodes[i / DRIVE_ARMS].arms[i % DRIVE_ARMS];
    if (arm->kind == DRIVE_NO_ARM) continue;
    const DriveArm* first = &plan->nodes[label[i] / DRIVE_ARMS].arms[label[i] % DRIVE_ARMS];
    if (label[i] == i) arm->lanes = pfc_rng_float(rng) < p->two_lanes && !single[i] && !plan->plain ? 2 : 1;
    else arm->lanes = first->lanes;
  }
}

PFC_FN void drive_plan_places(DrivePlan* plan, const DriveParams* p, PfcRng* rng) {
  for (int32_t node = 0; node < drive_num_nodes(plan); ++node) {
    DriveNode* n = &plan->nodes[node];
    const float most = plan->plain ? 0.0f : DRIVE_MAX_SHIFT * p->block, turn = plan->plain ? 0.0f : DRIVE_MAX_TURN;
    bool wide = false;
    n->place.x = (float)(node % plan->columns) * p->block + pfc_rng_uniform(rng, -most, most);
    n->place.y = (float)(node / plan->columns) * p->block + pfc_rng_uniform(rng, -most, most);
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
      n->arms[arm].turn = pfc_rng_uniform(rng, -turn, turn);
      wide = wide || n->arms[arm].lanes == 2;
    }
    n->mouth = n->roundabout ? 22.0f : wide ? 18.0f : 14.0f;
  }
}

// The other end of a road: the neighbour's node, or the portal.
PFC_FN DriveVector drive_far_end(const DrivePlan* plan, const DriveParams* p, int32_t node, int32_t arm) {
  if (plan->nodes[node].arms[arm].kind == DRIVE_STREET) return plan->nodes[drive_neighbour(plan, node, arm)].place;
  const DriveVector place = plan->nodes[node].place, way = drive_compass(arm);
  return drive_vector(place.x + DRIVE_ARM_BLOCKS * p->block * way.x, place.y + DRIVE_ARM_BLOCKS * p->block * way.y);
}

// Directions and mouths of all arms. False if two arms of a node are less than 70 degrees apart.
PFC_FN bool drive_plan_arms(DrivePlan* plan, const DriveParams* p) {
  bool apart = true;
  for (int32_t node = 0; node < drive_num_nodes(plan); ++node) {
    DriveNode* n = &plan->nodes[node];
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
      DriveArm* a = &n->arms[arm];
      if (a->kind == DRIVE_NO_ARM) continue;
      const DriveVector end = drive_far_end(plan, p, node, arm);
      float sine, cosine;
      pfc_sincosf(a->turn, &sine, &cosine);
      a->out = drive_turned(drive_normal(drive_vector(end.x - n->place.x, end.y - n->place.y)), sine, cosine);
      a->mouth = drive_vector(n->place.x + n->mouth * a->out.x, n->place.y + n->mouth * a->out.y);
      for (int32_t k = 0; k < arm; ++k)
        if (n->arms[k].kind != DRIVE_NO_ARM && drive_dot(a->out, n->arms[k].out) > DRIVE_COS_CORNER) apart = false;
    }
  }
  return apart;
}

PFC_FN void drive_halve(DrivePlan* plan, const DriveParams* p) {
  for (int32_t node = 0; node < drive_num_nodes(plan); ++node) {
    DriveNode* n = &plan->nodes[node];
    const float x = (float)(node % plan->columns) * p->block, y = (float)(node / plan->columns) * p->block;
    n->place = drive_vector(x + 0.5f * (n->place.x - x), y + 0.5f * (n->place.y - y));
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) n->arms[arm].turn *= 0.5f;
  }
}

// ---- roads as curves -------------------------------------------------------------------------------

// The middle of a road: a cubic Bezier curve.
typedef struct DriveCurve {
  DriveVector p[4];
  float length;       // about
  float radius;       // the least, at most 1000 m
} DriveCurve;

PFC_FN void drive_curve_at(const DriveCurve* c, float t, DriveVector* place, DriveVector* way) {
  const float u = 1.0f - t, a = u * u * u, b = 3.0f * u * u * t, d = 3.0f * u * t * t, e = t * t * t;
  const float f = u * u, g = 2.0f * u * t, h = t * t;
  const DriveVector* p = c->p;
  place->x = a * p[0].x + b * p[1].x + d * p[2].x + e * p[3].x;
  place->y = a * p[0].y + b * p[1].y + d * p[2].y + e * p[3].y;
  *way = drive_normal(drive_vector(f * (p[1].x - p[0].x) + g * (p[2].x - p[1].x) + h * (p[3].x - p[2].x),
                                   f * (p[1].y - p[0].y) + g * (p[2].y - p[1].y) + h * (p[3].y - p[2].y)));
}

PFC_FN void drive_measure_curve(DriveCurve* c) {
  enum { PARTS = 16 };
  DriveVector last, way, place, before;
  c->length = 0.0f, c->radius = 1000.0f;
  drive_curve_at(c, 0.0f, &last, &before);
  for (int32_t i = 1; i <= PARTS; ++i) {
    drive_curve_at(c, (float)i / (float)PARTS, &place, &way);
    const float part = drive_distance(last.x, last.y, place.x, place.y), turn = pfc_absf(drive_cross(before, way));
    c->length += part;
    if (turn * c->radius > part) c->radius = part / turn;
    last = place, before = way;
  }
}

// The curve of the road from a node out through an arm.
PFC_FN DriveCurve drive_road_curve(const DrivePlan* plan, const DriveParams* p, int32_t node, int32_t arm) {
  const DriveArm* a = &plan->nodes[node].arms[arm];
  DriveCurve c;
  DriveVector end = drive_far_end(plan, p, node, arm), back = drive_vector(-a->out.x, -a->out.y);
  if (a->kind == DRIVE_STREET) {
    const DriveArm* b = &plan->nodes[drive_neighbour(plan, node, arm)].arms[drive_opposite(arm)];
    end = b->mouth, back = b->out;
  } else {
    const DriveVector line = drive_normal(drive_vector(a->mouth.x - end.x, a->mouth.y - end.y));
    float sine, cosine;
    pfc_sincosf(-a->turn, &sine, &cosine);  // an arm's far end mirrors its near one: a plain arc
    back = drive_turned(line, sine, cosine);
  }
  const float handle = drive_distance(a->mouth.x, a->mouth.y, end.x, end.y) / 3.0f;
  c.p[0] = a->mouth;
  c.p[1] = drive_vector(a->mouth.x + handle * a->out.x, a->mouth.y + handle * a->out.y);
  c.p[2] = drive_vector(end.x + handle * back.x, end.y + handle * back.y);
  c.p[3] = end;
  drive_measure_curve(&c);
  return c;
}

// A road is built from the node from which it leads east or north, or outside.
PFC_FN bool drive_owns_road(const DrivePlan* plan, int32_t node, int32_t arm) {
  const int32_t kind = plan->nodes[node].arms[arm].kind;
  return kind == DRIVE_EXIT || (kind == DRIVE_STREET && arm <= DRIVE_NORTH);
}

// Roads that curve too much become straight. False if there were any.
PFC_FN bool drive_straighten(DrivePlan* plan, const DriveParams* p) {
  bool wide = true;
  for (int32_t node = 0; node < drive_num_nodes(plan); ++node)
    for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
      if (!drive_owns_road(plan, node, arm)) continue;
      if (drive_road_curve(plan, p, node, arm).radius >= DRIVE_MIN_ROAD_RADIUS) continue;
      plan->nodes[node].arms[arm].turn = 0.0f;
      if (plan->nodes[node].arms[arm].kind == DRIVE_STREET)
        plan->nodes[drive_neighbour(plan, node, arm)].arms[drive_opposite(arm)].turn = 0.0f;
      wide = false;
    }
  return wide;
}

PFC_FN void drive_plan_town(DrivePlan* plan, const DriveParams* p, PfcRng* rng, bool plain) {
  memset(plan, 0, sizeof *plan);
  plan->columns = p->town_x, plan->rows = p->town_y, plan->plain = plain;
  drive_plan_streets(plan, rng);
  drive_plan_exits(plan, rng);
  drive_plan_junctions(plan, p, rng);
  drive_plan_lanes(plan, p, rng);
  drive_plan_places(plan, p, rng);
  for (int32_t i = 0; i < 16; ++i) {  // ends early: displacements shrink to nothing
    if (!drive_plan_arms(plan, p)) drive_halve(plan, p);
    else if (drive_straighten(plan, p)) break;
  }
}

// ---- laying lanes ----------------------------------------------------------------------------------

// A line through the middle of a lane, finely divided, before it gets evenly spaced points.
typedef struct DrivePath {
  int32_t count;
  DriveVector at[DRIVE_FINE];
  DriveVector first, last;  // directions of its ends
} DrivePath;

// What the builder of a town works on.
typedef struct DriveBuilder {
  DriveWorld w;
  DriveSizes sizes;
  DrivePlan plan;
  DrivePath path;
  bool failed;  // a capacity or a rule of geometry does not hold
} DriveBuilder;

PFC_FN void drive_path_add(DrivePath* path, float x, float y) {
  if (path->count < DRIVE_FINE) path->at[path->count++] = drive_vector(x, y);
}

PFC_FN DriveVector drive_path_way(const DrivePath* path, int32_t i) {
  if (i == 0) return path->first;
  if (i == path->count - 1) return path->last;
  return drive_normal(drive_vector(path->at[i + 1].x - path->at[i - 1].x, path->at[i + 1].y - path->at[i - 1].y));
}

PFC_FN float drive_path_length(const DrivePath* path) {
  float length = 0.0f;
  for (int32_t i = 1; i < path->count; ++i)
    length += drive_distance(path->at[i - 1].x, path->at[i - 1].y, path->at[i].x, path->at[i].y);
  return length;
}

// Adds a lane along the builder's path and returns its number.
PFC_FN uint16_t drive_add_lane(DriveBuilder* b, int32_t kind, float limit) {
  DriveTown* town = &b->w.s->town;
  const DrivePath* path = &b->path;
  const float length = drive_path_length(path);
  const int32_t parts = pfc_maxi(1, (int32_t)(length / DRIVE_SPACING + 0.5f));
  if (town->num_lanes >= b->sizes.lanes || town->num_points + parts + 1 > b->sizes.points) {
    b->failed = true;
    return 0;
  }
  DriveLane* lane = &b->w.lanes[town->num_lanes];
  memset(lane, 0, sizeof *lane);
  lane->length = length, lane->limit = limit, lane->stop = -1.0f, lane->centre = 1000.0f;
  lane->first = (uint16_t)town->num_points, lane->count = (uint16_t)(parts + 1), lane->kind = (uint8_t)kind;
  lane->junction = lane->signal = lane->merge = lane->crossing[0] = lane->crossing[1] = DRIVE_NONE;
  int32_t at = 0;
  float passed = 0.0f, part = drive_distance(path->at[0].x, path->at[0].y, path->at[1].x, path->at[1].y);
  for (int32_t k = 0; k <= parts; ++k) {
    const float place = length * (float)k / (float)parts;
    while (at < path->count - 2 && passed + part < place) {
      passed += part, at += 1;
      part = drive_distance(path->at[at].x, path->at[at].y, path->at[at + 1].x, path->at[at + 1].y);
    }
    const float share = part > 0.0f ? pfc_clampf((place - passed) / part, 0.0f, 1.0f) : 0.0f;
    const DriveVector from = path->at[at], to = path->at[at + 1];
    const DriveVector begin = drive_path_way(path, at), end = drive_path_way(path, at + 1);
    const DriveVector way =
        drive_normal(drive_vector(begin.x + share * (end.x - begin.x), begin.y + share * (end.y - begin.y)));
    const DrivePoint point = {from.x + share * (to.x - from.x), from.y + share * (to.y - from.y), way.x, way.y,
                              DRIVE_REACH, DRIVE_REACH};
    drive_set_point(&b->w, town->num_points + k, &point);
  }
  town->num_points += parts + 1;
  return (uint16_t)town->num_lanes++;
}

PFC_FN void drive_link(DriveBuilder* b, uint16_t from, uint16_t to) {
  DriveLane* lane = &b->w.lanes[from];
  if (lane->num_next == DRIVE_NEXT) b->failed = true;
  else lane->next[lane->num_next++] = to;
}

// One direction of a road.
typedef struct DriveSide {
  const DriveCurve* curve;
  int32_t lanes;
  bool reverse;  // against the curve's own direction
  bool merge;    // the right lane drifts into the left one
} DriveSide;

PFC_FN void drive_side_at(const DriveSide* side, float t, DriveVector* place, DriveVector* way) {
  drive_curve_at(side->curve, side->reverse ? 1.0f - t : t, place, way);
  if (side->reverse) *way = drive_vector(-way->x, -way->y);
}

// From the road's middle to the middle of the outer lane, m to the right.
PFC_FN float drive_outer(const DriveSide* side, float t) {
  if (side->lanes == 1) return 0.5f * DRIVE_LANE;
  if (!side->merge) return 1.5f * DRIVE_LANE;
  const float u = pfc_clampf((t - DRIVE_MERGE_FROM) / (DRIVE_MERGE_TO - DRIVE_MERGE_FROM), 0.0f, 1.0f);
  return DRIVE_LANE * (1.5f - u * u * (3.0f - 2.0f * u));
}

// The path at an offset to the right of the road's middle, from t = from to `to`. outer: that of the outer lane.
PFC_FN void drive_side_path(DriveBuilder* b, const DriveSide* side, bool outer, float from, float to) {
  const int32_t parts = pfc_clampi((int32_t)(side->curve->length * (to - from) / 0.8f) + 1, 8, DRIVE_FINE - 2);
  DrivePath* path = &b->path;
  path->count = 0;
  for (int32_t i = 0; i <= parts; ++i) {
    const float t = from + (to - from) * (float)i / (float)parts;
    const float offset = outer ? drive_outer(side, t) : 0.5f * DRIVE_LANE;
    DriveVector place, way;
    drive_side_at(side, t, &place, &way);
    drive_path_add(path, place.x + offset * way.y, place.y - offset * way.x);
    if (i == 0) path->first = way;
    path->last = way;
  }
}

// Lanes of one direction from `begin` to `end`, arms of nodes or NULL at a portal.
PFC_FN void drive_lay_side(DriveBuilder* b, const DriveSide* side, DriveArm* begin, DriveArm* end) {
  const float limit = side->lanes == 2 ? DRIVE_TWO_LANES_MPS : DRIVE_ONE_LANE_MPS;
  uint16_t first[2], last[2];  // lanes at the two ends; 0 = the right one
  const int32_t num_last = side->merge ? 1 : side->lanes;
  drive_side_path(b, side, true, 0.0f, side->merge ? DRIVE_MERGE_TO : 1.0f);
  first[0] = last[0] = drive_add_lane(b, DRIVE_ROAD, limit);
  if (side->lanes == 2) {
    drive_side_path(b, side, false, 0.0f, side->merge ? DRIVE_MERGE_TO : 1.0f);
    first[1] = last[1] = drive_add_lane(b, DRIVE_ROAD, limit);
  }
  if (side->merge) {
    drive_side_path(b, side, false, DRIVE_MERGE_TO, 1.0f);
    last[0] = drive_add_lane(b, DRIVE_ROAD, limit);
    drive_link(b, first[0], last[0]), drive_link(b, first[1], last[0]);
    b->w.lanes[first[0]].merge = first[1], b->w.lanes[first[1]].merge = first[0];
    b->w.lanes[last[0]].centre = 0.5f * DRIVE_LANE;
  }
  for (int32_t k = 0; k < side->lanes; ++k) {
    b->w.lanes[first[k]].centre = DRIVE_LANE * (side->lanes - k == 2 ? 1.5f : 0.5f);
    if (begin) begin->outward[k] = first[k];
    else b->w.lanes[first[k]].portal = 1;
  }
  if (begin) begin->num_out = side->lanes;
  for (int32_t k = 0; k < num_last; ++k) {
    if (end) end->in[k] = last[k];
    b->w.lanes[last[k]].wide = num_last == 2;
  }
  if (end) end->num_in = num_last;
}

// ---- segments --------------------------------------------------------------------------------------

PFC_FN void drive_add_segment(DriveBuilder* b, DriveVector from, DriveVector to, int32_t kind) {
  DriveTown* town = &b->w.s->town;
  if (town->num_segments >= b->sizes.segments) {
    b->failed = true;
    return;
  }
  DriveSegment* segment = &b->w.segments[town->num_segments];
  segment->x0 = from.x, segment->y0 = from.y, segment->x1 = to.x, segment->y1 = to.y;
  b->w.kinds[town->num_segments++] = (uint8_t)kind;
}

// A straight line, divided so that no segment is longer than a cell.
PFC_FN void drive_add_line(DriveBuilder* b, DriveVector from, DriveVector to, int32_t kind) {
  const int32_t parts = (int32_t)(drive_distance(from.x, from.y, to.x, to.y) / (DRIVE_CELL - 0.01f)) + 1;
  for (int32_t i = 0; i < parts; ++i) {
    const float t = (float)i / (float)parts, u = (float)(i + 1) / (float)parts;
    drive_add_segment(b, drive_vector(from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)),
                      drive_vector(from.x + u * (to.x - from.x), from.y + u * (to.y - from.y)), kind);
  }
}

// A line along one direction of a road, from its beginning to share `to`: `beside` m to the right of the road's middle,
// or of the middle of its outer lane. Its segments follow curves within 0.1 m.
PFC_FN void drive_mark_side(DriveBuilder* b, const DriveSide* side, bool outer, float beside, float to, int32_t kind) {
  const float part = side->merge ? 3.0f : pfc_clampf(pfc_sqrtf(0.8f * side->curve->radius), 4.0f, DRIVE_CELL - 0.6f);
  const int32_t parts = (int32_t)(side->curve->length * to / part) + 1;
  DriveVector last = {0.0f, 0.0f};
  for (int32_t i = 0; i <= parts; ++i) {
    const float t = to * (float)i / (float)parts;
    const float offset = beside + (outer ? drive_outer(side, t) : 0.0f);
    DriveVector place, way;
    drive_side_at(side, t, &place, &way);
    const DriveVector at = drive_vector(place.x + offset * way.y, place.y - offset * way.x);
    if (i > 0) drive_add_segment(b, last, at, kind);
    last = at;
  }
}

// The builder's path, moved to the right, in segments of about 2.5 m where it bends.
PFC_FN void drive_mark_path(DriveBuilder* b, float beside, int32_t kind) {
  const DrivePath* path = &b->path;
  const int32_t parts = pfc_clampi((int32_t)(drive_path_length(path) / DRIVE_SPACING) + 1, 1, path->count - 1);
  DriveVector last = {0.0f, 0.0f};
  for (int32_t i = 0; i <= parts; ++i) {
    const int32_t k = i * (path->count - 1) / parts;
    const DriveVector way = drive_path_way(path, k);
    const DriveVector at = drive_vector(path->at[k].x + beside * way.y, path->at[k].y - beside * way.x);
    if (i > 0) drive_add_line(b, last, at, kind);
    last = at;
  }
}

// ---- junctions -------------------------------------------------------------------------------------

// The middle of lane number k (0 = right) at a mouth: of the lanes in (towards the node) or out.
PFC_FN DriveVector drive_at_mouth(const DriveArm* arm, bool in, int32_t k) {
  const int32_t lanes = in ? arm->num_in : arm->num_out;
  const float offset = (in ? 1.0f : -1.0f) * DRIVE_LANE * (lanes - k == 2 ? 1.5f : 0.5f);  // to the left of `out`
  return drive_vector(arm->mouth.x - offset * arm->out.y, arm->mouth.y + offset * arm->out.x);
}

PFC_FN void drive_path_cubic(DrivePath* path, DriveVector from, DriveVector way, DriveVector to, DriveVector end,
                             float handle) {
  DriveCurve c;
  c.p[0] = from, c.p[3] = to;
  c.p[1] = drive_vector(from.x + handle * way.x, from.y + handle * way.y);
  c.p[2] = drive_vector(to.x - handle * end.x, to.y - handle * end.y);
  const float span = drive_distance(from.x, from.y, to.x, to.y);
  const int32_t parts = pfc_clampi((int32_t)(span / 0.5f) + 1, 8, DRIVE_FINE / 2);
  for (int32_t i = 0; i <= parts; ++i) {
    DriveVector place, unused;
    drive_curve_at(&c, (float)i / (float)parts, &place, &unused);
    drive_path_add(path, place.x, place.y);
  }
}

// A smooth path between two places with directions: straight, then a turn as wide as it can be, then straight; or one
// cubic where the directions hardly differ.
PFC_FN void drive_connect(DrivePath* path, DriveVector from, DriveVector way, DriveVector to, DriveVector end) {
  const DriveVector d = drive_vector(to.x - from.x, to.y - from.y);
  const float sine = drive_cross(way, end), cosine = drive_dot(way, end);
  path->count = 0, path->first = way, path->last = end;
  if (pfc_absf(sine) > 0.26f) {
    const float t0 = drive_cross(d, end) / sine, t1 = drive_cross(way, d) / sine, t = pfc_minf(t0, t1);
    if (t > 0.5f) {
      const float half = pfc_absf(sine) / (1.0f + cosine), quarter = half / (1.0f + pfc_sqrtf(1.0f + half * half));
      const float handle = 4.0f / 3.0f * quarter * t / half;
      const DriveVector begin = drive_vector(from.x + (t0 - t) * way.x, from.y + (t0 - t) * way.y);
      const DriveVector finish = drive_vector(to.x - (t1 - t) * end.x, to.y - (t1 - t) * end.y);
      if (t0 - t > 0.05f) drive_path_add(path, from.x, from.y);
      drive_path_cubic(path, begin, way, finish, end, handle);
      if (t1 - t > 0.05f) drive_path_add(path, to.x, to.y);
      return;
    }
  }
  drive_path_cubic(path, from, way, to, end, 0.4f * pfc_sqrtf(drive_dot(d, d)));
}

// An arc of a ring around the node, anticlockwise between two directions.
PFC_FN void drive_ring_path(DrivePath* path, DriveVector middle, DriveVector from, DriveVector to) {
  float angle = pfc_atan2f(drive_cross(from, to), drive_dot(from, to));
  if (angle < 0.0f) angle += 2.0f * PFC_PI;
  const int32_t parts = pfc_clampi((int32_t)(angle * DRIVE_RING_RADIUS / 0.5f) + 1, 4, DRIVE_FINE - 1);
  path->count = 0;
  path->first = drive_vector(-from.y, from.x), path->last = drive_vector(-to.y, to.x);
  for (int32_t i = 0; i <= parts; ++i) {
    float sine, cosine;
    pfc_sincosf(angle * (float)i / (float)parts, &sine, &cosine);
    const DriveVector at = i == parts ? to : drive_turned(from, sine, cosine);
    drive_path_add(path, middle.x + DRIVE_RING_RADIUS * at.x, middle.y + DRIVE_RING_RADIUS * at.y);
  }
}

PFC_FN DriveVector drive_ring_entry(const DriveArm* arm) {
  return drive_turned(arm->out, DRIVE_RING_SIN, DRIVE_RING_COS);
}
PFC_FN DriveVector drive_ring_leave(const DriveArm* arm) {
  return drive_turned(arm->out, -DRIVE_RING_SIN, DRIVE_RING_COS);
}

PFC_FN void drive_entry_path(DrivePath* path, const DriveNode* n, const DriveArm* arm) {
  const DriveVector ring = drive_ring_entry(arm);
  const DriveVector to = drive_vector(n->place.x + DRIVE_RING_RADIUS * ring.x, n->place.y + DRIVE_RING_RADIUS * ring.y);
  drive_connect(path, drive_at_mouth(arm, true, 0), drive_vector(-arm->out.x, -arm->out.y), to,
                drive_vector(-ring.y, ring.x));
}

PFC_FN void drive_leave_path(DrivePath* path, const DriveNode* n, const DriveArm* arm) {
  const DriveVector ring = drive_ring_leave(arm);
  const DriveVector from =
      drive_vector(n->place.x + DRIVE_RING_RADIUS * ring.x, n->place.y + DRIVE_RING_RADIUS * ring.y);
  drive_connect(path, from, drive_vector(-ring.y, ring.x), drive_at_mouth(arm, false, 0), arm->out);
}

PFC_FN void drive_turn_path(DrivePath* path, const DriveArm* from, int32_t in, const DriveArm* to, int32_t out) {
  drive_connect(path, drive_at_mouth(from, true, in), drive_vector(-from->out.x, -from->out.y),
                drive_at_mouth(to, false, out), to->out);
}

// The next arm anticlockwise.
PFC_FN int32_t drive_next_arm(const DriveNode* n, int32_t arm) {
  do arm = (arm + 1) % DRIVE_ARMS;
  while (n->arms[arm].kind == DRIVE_NO_ARM);
  return arm;
}

// Edges from each arm to the next one: 2.25 m to the right of the path that a car would take.
PFC_FN void drive_mark_corners(DriveBuilder* b, const DriveNode* n) {
  for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
    if (n->arms[arm].kind == DRIVE_NO_ARM) continue;
    const DriveArm *from = &n->arms[arm], *to = &n->arms[drive_next_arm(n, arm)];
    if (!n->roundabout) {
      drive_turn_path(&b->path, from, 0, to, 0);
      drive_mark_path(b, DRIVE_EDGE, DRIVE_EDGE_LINE);
      continue;
    }
    drive_entry_path(&b->path, n, from);
    drive_mark_path(b, DRIVE_EDGE, DRIVE_EDGE_LINE);
    drive_ring_path(&b->path, n->place, drive_ring_entry(from), drive_ring_leave(to));
    drive_mark_path(b, DRIVE_EDGE, DRIVE_EDGE_LINE);
    drive_leave_path(&b->path, n, to);
    drive_mark_path(b, DRIVE_EDGE, DRIVE_EDGE_LINE);
  }
  if (!n->roundabout) return;
  for (int32_t half = 0; half < 2; ++half) {
    const DriveVector from = drive_vector(half ? -1.0f : 1.0f, 0.0f), to = drive_vector(half ? 1.0f : -1.0f, 0.0f);
    drive_ring_path(&b->path, n->place, from, to);
    drive_mark_path(b, -DRIVE_EDGE, DRIVE_EDGE_LINE);
  }
}

// Crosswalk and stop lines of one arm of a T or X.
PFC_FN void drive_mark_arm(DriveBuilder* b, DriveArm* arm) {
  DriveTown* town = &b->w.s->town;
  const float right = DRIVE_LANE * (float)arm->num_out + 0.5f, left = DRIVE_LANE * (float)arm->num_in + 0.5f;
  const DriveVector out = arm->out;
  const DriveVector at = drive_vector(arm->mouth.x + DRIVE_CROSSING_BEFORE_MOUTH * out.x,
                                      arm->mouth.y + DRIVE_CROSSING_BEFORE_MOUTH * out.y);
  const DriveVector line =
      drive_vector(arm->mouth.x + DRIVE_STOP_BEFORE_MOUTH * out.x, arm->mouth.y + DRIVE_STOP_BEFORE_MOUTH * out.y);
  drive_add_line(b, drive_vector(at.x + right * out.y, at.y - right * out.x),
                 drive_vector(at.x - left * out.y, at.y + left * out.x), DRIVE_CROSSING);
  drive_add_line(b, line, drive_vector(line.x - left * out.y, line.y + left * out.x), DRIVE_STOP);
  DriveSegment* ends = &b->w.crossings[town->num_crossings];
  ends->x0 = at.x + (right + DRIVE_CURB) * out.y, ends->y0 = at.y - (right + DRIVE_CURB) * out.x;
  ends->x1 = at.x - (left + DRIVE_CURB) * out.y, ends->y1 = at.y + (left + DRIVE_CURB) * out.x;
  arm->crossing = (uint16_t)town->num_crossings++;
  for (int32_t k = 0; k < arm->num_in; ++k) {
    DriveLane* lane = &b->w.lanes[arm->in[k]];
    lane->stop = lane->length - DRIVE_STOP_BEFORE_MOUTH;
    lane->crossing[1] = arm->crossing, lane->crossing_place[1] = lane->length - DRIVE_CROSSING_BEFORE_MOUTH;
  }
  for (int32_t k = 0; k < arm->num_out; ++k) {
    DriveLane* lane = &b->w.lanes[arm->outward[k]];
    lane->crossing[0] = arm->crossing, lane->crossing_place[0] = DRIVE_CROSSING_BEFORE_MOUTH;
  }
}

// Adds the builder's path as a movement of a junction (or of a bend: DRIVE_NONE).
PFC_FN uint16_t drive_add_movement(DriveBuilder* b, int32_t junction, int32_t kind, float limit, int32_t turn) {
  const uint16_t lane = drive_add_lane(b, kind, limit);
  if (b->failed || junction == DRIVE_NONE) return lane;
  DriveJunction* j = &b->w.junctions[junction];
  if (j->num_movements == DRIVE_MOVEMENTS) {
    b->failed = true;
    return lane;
  }
  b->w.lanes[lane].junction = (uint16_t)junction, b->w.lanes[lane].bit = (uint8_t)j->num_movements;
  b->w.lanes[lane].turn = (uint8_t)turn;
  j->movement[j->num_movements++] = lane;
  return lane;
}

PFC_FN void drive_add_turn(DriveBuilder* b, int32_t junction, const DriveNode* n, int32_t from, int32_t in, int32_t to,
                           int32_t out) {
  const DriveArm *a = &n->arms[from], *e = &n->arms[to];
  const int32_t quarters = (to - from + DRIVE_ARMS) % DRIVE_ARMS;
  const int32_t turn = quarters == 1 ? DRIVE_RIGHT : quarters == 2 ? DRIVE_AHEAD : DRIVE_LEFT;
  drive_turn_path(&b->path, a, in, e, out);
  const uint16_t lane = drive_add_movement(b, junction, DRIVE_MOVEMENT, b->w.lanes[a->in[in]].limit, turn);
  if (b->failed) return;
  drive_link(b, a->in[in], lane);
  drive_link(b, lane, e->outward[out]);
  if (n->lights) {
    const bool through = n->degree == 4 ? from % 2 == 0 : n->arms[drive_opposite(from)].kind != DRIVE_NO_ARM;
    b->w.lanes[lane].signal = (uint16_t)(b->w.s->town.num_signals - (through ? 2 : 1));
  }
}

// All turns of a junction or bend.
PFC_FN void drive_add_turns(DriveBuilder* b, int32_t junction, const DriveNode* n) {
  for (int32_t from = 0; from < DRIVE_ARMS; ++from) {
    const DriveArm* a = &n->arms[from];
    if (a->kind == DRIVE_NO_ARM) continue;
    for (int32_t quarters = 1; quarters < DRIVE_ARMS; ++quarters) {
      const int32_t to = (from + quarters) % DRIVE_ARMS;
      const DriveArm* e = &n->arms[to];
      if (e->kind == DRIVE_NO_ARM) continue;
      for (int32_t in = 0; in < a->num_in; ++in) {
        const bool left_lane = a->num_in == 2 && in == 1, bend = n->degree == 2;
        if (!bend && a->num_in == 2 && quarters == (left_lane ? 1 : 3)) continue;
        const int32_t out = e->num_out == 1 ? 0
                            : bend          ? (a->num_in == 2 ? in : 0)
                            : quarters == 3 ? 1
                                            : quarters == 2 && left_lane;
        drive_add_turn(b, junction, n, from, in, to, out);
      }
    }
  }
}

PFC_FN void drive_add_ring(DriveBuilder* b, int32_t junction, const DriveNode* n) {
  uint16_t entry[DRIVE_ARMS], leave[DRIVE_ARMS], front[DRIVE_ARMS], between[DRIVE_ARMS];
  for (int32_t arm = 0; arm < DRIVE_ARMS; ++arm) {
    const DriveArm* a = &n->arms[arm];
    if (a->kind == DRIVE_NO_ARM) continue;
    drive_entry_path(&b->path, n, a);
    entry[arm] = drive_add_movement(b, junction, DRIVE_MOVEMENT, DRIVE_RING_MPS, DRIVE_RIGHT);
    drive_leave_path(&b->path, n, a);
    leave[arm] = drive_add_movement(b, junction, DRIVE_RING, DRIVE_RING_MPS, DRIVE_RIGHT);
    drive_ring_path(&b->path, n->place, drive_ring_leave(a), drive_ring_entry(a));
    front[arm] = drive_add_movement(b, junction, DRIVE_RING, DRIVE_RING_MPS, DRIVE_AHEAD);
    drive_ring_path(&b->path, n->place, drive_ring_entry(a), drive_ring_leave(&n->arms[drive_next_arm(n, arm)]));
    between[arm] = drive_add_movement(b, junction, DRIVE_RING, DRIVE_RING_MPS, DRIVE_AHEAD);
  }
  for (int32_t arm = 0; arm < DRIVE_ARMS && !b->failed; ++arm) {
    if (n->arms[arm].kind == DRIVE_NO_ARM) continue;
    const int32_t next = drive_next_arm(n, arm);
    drive_link(b, n->arms[arm].in[0], entry[arm]);
    drive_link(b, entry[arm], between[arm]), drive_link(b, front[arm], between[arm]);
    drive_link(b, between[arm], leave[next]), drive_link(b, between[arm], front[next]);
    drive_link(b, leave[arm], n->arms[arm].outward[0]);
  }
}

// ---- conflicts -------------------------------------------------------------------------------------

// Squared distance of a point from a segment.
PFC_FN float drive_square_to(float x, float y, float x0, float y0, float x1, float y1) {
  const float dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
  const float t = square > 0.0f ? pfc_clampf(((x - x0) * dx + (y - y0) * dy) / square, 0.0f, 1.0f) : 0.0f;
  const float ex = x0 + t * dx - x, ey = y0 + t * dy - y;
  return ex * ex + ey * ey;
}

// Whether the middles of two lanes come within the distance at which two cars on them could touch.
PFC_FN bool drive_lanes_meet(const DriveWorld* w, const DriveLane* a, const DriveLane* b) {
  const float *ax = w->points.x + a->first, *ay = w->points.y + a->first;
  const float *bx = w->points.x + b->first, *by = w->points.y + b->first;
  for (int32_t i = 0; i < a->count; ++i)
    for (int32_t k = 0; k + 1 < b->count;) {
      const float dx = ax[i] - bx[k], dy = ay[i] - by[k], square = dx * dx + dy * dy;
      const float near_by = DRIVE_CONFLICT + 2.0f * DRIVE_SPACING;
      if (square > near_by * near_by) {
        k += pfc_maxi(1, (int32_t)((pfc_sqrtf(square) - near_by) / (1.4f * DRIVE_SPACING)));
        continue;
      }
      if (drive_square_to(ax[i], ay[i], bx[k], by[k], bx[k + 1], by[k + 1]) < DRIVE_CONFLICT * DRIVE_CONFLICT)
        return true;
      ++k;
    }
  return false;
}

PFC_FN bool drive_follows(const DriveLane* a, uint16_t b) {
  for (int32_t i = 0; i < a->num_next; ++i)
    if (a->next[i] == b) return true;
  return false;
}

PFC_FN void drive_find_conflicts(const DriveWorld* w, DriveJunction* j) {
  for (int32_t i = 0; i < j->num_movements; ++i)
    for (int32_t k = 0; k < i; ++k) {
      const DriveLane *a = &w->lanes[j->movement[i]], *b = &w->lanes[j->movement[k]];
      const DrivePoint p = drive_point(w, a->first), q = drive_point(w, b->first);
      const bool same_start = pfc_absf(p.x - q.x) < 0.01f && pfc_absf(p.y - q.y) < 0.01f;
      if (same_start || drive_follows(a, j->movement[k]) || drive_follows(b, j->movement[i])) continue;
      if (!drive_lanes_meet(w, a, b)) continue;
      j->conflicts[i] |= (uint16_t)(1u << k), j->conflicts[k] |= (uint16_t)(1u << i);
    }
}

// ---- grid ------------------------------------------------------------------------------------------

PFC_FN int32_t drive_column(const DriveTown* town, float x) {
  return pfc_clampi((int32_t)((x - town->left) / DRIVE_CELL), 0, town->columns - 1);
}
PFC_FN int32_t drive_row(const DriveTown* town, float y) {
  return pfc_clampi((int32_t)((y - town->bottom) / DRIVE_CELL), 0, town->rows - 1);
}

PFC_FN bool drive_in_grid(const DriveTown* town, float x, float y) {
  return x >= town->left && y >= town->bottom && x < town->left + DRIVE_CELL * (float)town->columns &&
         y < town->bottom + DRIVE_CELL * (float)town->rows;
}

// Whether a segment passes through the box of these half sides around the origin, in whose frame it is given.
DRIVE_PART bool drive_segment_meets(float x0, float y0, float x1, float y1, float half_x, float half_y) {
  const float dx = x1 - x0, dy = y1 - y0, mx = 0.5f * (x0 + x1), my = 0.5f * (y0 + y1);
  const float ex = 0.5f * pfc_absf(dx), ey = 0.5f * pfc_absf(dy);
  if (pfc_absf(mx) > half_x + ex || pfc_absf(my) > half_y + ey) return false;
  return pfc_absf(dx * my - dy * mx) <= half_x * pfc_absf(dy) + half_y * pfc_absf(dx);
}

PFC_FN bool drive_segment_in_cell(const DriveTown* town, const DriveSegment* g, int32_t column, int32_t row) {
  const float half = 0.5f * DRIVE_CELL + 1e-3f;  // so that rounding never leaves one out
  const float x = town->left + DRIVE_CELL * ((float)column + 0.5f), y = town->bottom + DRIVE_CELL * ((float)row + 0.5f);
  return drive_segment_meets(g->x0 - x, g->y0 - y, g->x1 - x, g->y1 - y, half, half);
}

// Bounds of the grid around all segments. False if it has too many cells.
PFC_FN bool drive_bound_grid(DriveWorld* w, int32_t cells) {
  DriveTown* town = &w->s->town;
  float left = 1e9f, right = -1e9f, bottom = 1e9f, top = -1e9f;
  for (int32_t i = 0; i < town->num_segments; ++i) {
    const DriveSegment* g = &w->segments[i];
    left = pfc_minf(left, pfc_minf(g->x0, g->x1)), right = pfc_maxf(right, pfc_maxf(g->x0, g->x1));
    bottom = pfc_minf(bottom, pfc_minf(g->y0, g->y1)), top = pfc_maxf(top, pfc_maxf(g->y0, g->y1));
  }
  if (!(right - left < 1e5f && top - bottom < 1e5f && right >= left)) return false;
  town->left = left - DRIVE_MARGIN, town->bottom = bottom - DRIVE_MARGIN;
  town->columns = (int32_t)((right + DRIVE_MARGIN - town->left) / DRIVE_CELL) + 1;
  town->rows = (int32_t)((top + DRIVE_MARGIN - town->bottom) / DRIVE_CELL) + 1;
  return town->columns * town->rows <= cells;
}

// Lists in each cell all segments that pass through it, in order. False if they are too many.
PFC_FN bool drive_fill_grid(DriveWorld* w, int32_t most) {
  DriveTown* town = &w->s->town;
  const int32_t cells = town->columns * town->rows;
  memset(w->starts, 0, sizeof *w->starts * (size_t)(cells + 1));
  town->num_entries = 0;
  for (int32_t fill = 0; fill < 2; ++fill) {
    for (int32_t i = 0; i < town->num_segments; ++i) {
      const DriveSegment* g = &w->segments[i];
      const int32_t c0 = drive_column(town, pfc_minf(g->x0, g->x1) - 1e-3f),
                    c1 = drive_column(town, pfc_maxf(g->x0, g->x1) + 1e-3f);
      const int32_t r0 = drive_row(town, pfc_minf(g->y0, g->y1) - 1e-3f),
                    r1 = drive_row(town, pfc_maxf(g->y0, g->y1) + 1e-3f);
      for (int32_t row = r0; row <= r1; ++row)
        for (int32_t column = c0; column <= c1; ++column) {
          if (!drive_segment_in_cell(town, g, column, row)) continue;
          const int32_t cell = row * town->columns + column;
          if (fill) w->entries[w->starts[cell]++] = (uint16_t)i;
          else if (++town->num_entries > most) return false;
          else ++w->starts[cell];
        }
    }
    // Counts become beginnings; after the second round each beginning has moved to the next cell's.
    if (fill) {
      for (int32_t cell = cells; cell > 0; --cell) w->starts[cell] = w->starts[cell - 1];
      w->starts[0] = 0;
      break;
    }
    uint16_t sum = 0;
    for (int32_t cell = 0; cell <= cells; ++cell) {
      const uint16_t count = w->starts[cell];
      w->starts[cell] = sum;
      sum = (uint16_t)(sum + count);
    }
  }
  return true;
}

// A walk over the edges in the cells that a box touches. An edge in several cells comes several times. The entries of
// neighbouring cells of a row follow one another.
typedef struct DriveEdgeWalk {
  int32_t cell, last_cell, columns;  // cell: the first of the current row; last_cell: of the last row
  int32_t at, end;                   // entries of the current row
} DriveEdgeWalk;

DRIVE_PART void drive_enter_row(const DriveWorld* w, DriveEdgeWalk* walk) {
  walk->at = w->starts[walk->cell], walk->end = w->starts[walk->cell + walk->columns];
}

DRIVE_PART DriveEdgeWalk drive_walk_edges(const DriveWorld* w, float x0, float y0, float x1, float y1) {
  const DriveTown* town = &w->s->town;
  const int32_t column = drive_column(town, x0);
  DriveEdgeWalk walk;
  walk.columns = drive_column(town, x1) - column + 1;
  walk.cell = drive_row(town, y0) * town->columns + column;
  walk.last_cell = drive_row(town, y1) * town->columns + column;
  drive_enter_row(w, &walk);
  return walk;
}

// The next edge, or NULL.
DRIVE_PART const DriveSegment* drive_next_edge(const DriveWorld* w, DriveEdgeWalk* walk) {
  for (;;) {
    while (walk->at < walk->end) {
      const int32_t segment = w->entries[walk->at++];
      if (segment < w->s->town.num_edges) return &w->segments[segment];
    }
    if (walk->cell == walk->last_cell) return NULL;
    walk->cell += w->s->town.columns;
    drive_enter_row(w, walk);
  }
}

// ---- room ------------------------------------------------------------------------------------------

// How far a ray of DRIVE_REACH gets before it meets an edge.
PFC_FN float drive_room(const DriveWorld* w, float x, float y, float dx, float dy) {
  const float ex = x + DRIVE_REACH * dx, ey = y + DRIVE_REACH * dy;
  float room = DRIVE_REACH;
  DriveEdgeWalk walk = drive_walk_edges(w, pfc_minf(x, ex), pfc_minf(y, ey), pfc_maxf(x, ex), pfc_maxf(y, ey));
  for (const DriveSegment* g = drive_next_edge(w, &walk); g; g = drive_next_edge(w, &walk)) {
    const float gx = g->x1 - g->x0, gy = g->y1 - g->y0, sx = g->x0 - x, sy = g->y0 - y;
    const float cross = dx * gy - dy * gx, along = dx * sy - dy * sx;
    // A little more than the whole length, so that no ray slips through where two segments join.
    const float share = cross != 0.0f ? -along / cross : -1.0f;
    if (!(share >= -1e-3f && share <= 1.001f)) continue;
    const float t = (sx * gy - sy * gx) / cross;
    if (t >= 0.0f && t < room) room = t;
  }
  return room;
}

PFC_FN void drive_measure_rooms(DriveWorld* w) {
  for (int32_t i = 0; i < w->s->town.num_points; ++i) {
    const DrivePoint p = drive_point(w, i);
    w->points.left[i] = drive_room(w, p.x, p.y, -p.sin, p.cos);
    w->points.right[i] = drive_room(w, p.x, p.y, p.sin, -p.cos);
  }
}

// ---- a whole town ----------------------------------------------------------------------------------

PFC_FN void drive_add_signals(DriveBuilder* b) {
  DriveWorld* w = &b->w;
  DriveTown* town = &w->s->town;
  const int32_t time = (int32_t)pfc_rng_below(&w->s->rng, 2 * DRIVE_HALF_CYCLE_TICKS);
  for (int32_t k = 0; k < 2; ++k) {
    DriveSignal* signal = &w->signals[town->num_signals++];
    int32_t left = (time + k * DRIVE_HALF_CYCLE_TICKS) % (2 * DRIVE_HALF_CYCLE_TICKS);
    signal->first = 0, signal->count = 3, signal->at = 0;
    while (left >= w->phases[signal->at] >> 2) left -= w->phases[signal->at++] >> 2;
    signal->left = (uint16_t)((w->phases[signal->at] >> 2) - left);
  }
}

PFC_FN void drive_add_node(DriveBuilder* b, DriveNode* n) {
  DriveTown* town = &b->w.s->town;
  int32_t junction = DRIVE_NONE;
  if (n->degree > 2) {
    junction = town->num_junctions++;
    memset(&b->w.junctions[junction], 0, sizeof(DriveJunction));
    if (n->lights) drive_add_signals(b);
  }
  if (n->roundabout) drive_add_ring(b, junction, n);
  else drive_add_turns(b, junction, n);
  if (junction != DRIVE_NONE && !b->failed) drive_find_conflicts(&b->w, &b->w.junctions[junction]);
}

// The two directions of the road that leaves a node through an arm. merges: drawn for each, or given again.
PFC_FN void drive_road_sides(const DriveCurve* curve, const DriveArm* arm, const bool* merges, DriveSide* sides) {
  for (int32_t i = 0; i < 2; ++i) {
    sides[i].curve = curve, sides[i].lanes = arm->lanes, sides[i].reverse = i == 1;
    sides[i].merge = merges[i];
  }
}

enum { DRIVE_MAX_ROADS = DRIVE_MAX_NODES * DRIVE_ARMS };

// Lays the lanes of all roads, draws their merges, and adds their edges.
PFC_FN void drive_add_roads(DriveBuilder* b, bool* merges) {
  const DriveParams* p = b->w.p;
  DrivePlan* plan = &b->plan;
  for (int32_t i = 0; i < drive_num_nodes(plan) * DRIVE_ARMS && !b->failed; ++i) {
    const int32_t node = i / DRIVE_ARMS, arm = i % DRIVE_ARMS;
    if (!drive_owns_road(plan, node, arm)) continue;
    DriveArm* a = &plan->nodes[node].arms[arm];
    DriveArm* e =
        a->kind == DRIVE_STREET ? &plan->nodes[drive_neighbour(plan, node, arm)].arms[drive_opposite(arm)] : NULL;
    const DriveCurve curve = drive_road_curve(plan, p, node, arm);
    DriveSide sides[2];
    for (int32_t k = 0; k < 2; ++k)
      merges[2 * i + k] = a->lanes == 2 && curve.length >= 30.0f && pfc_rng_float(&b->w.s->rng) < p->merges;
    if (curve.length < DRIVE_MIN_ROAD) b->failed = true;
    drive_road_sides(&curve, a, &merges[2 * i], sides);
    drive_lay_side(b, &sides[0], a, e);
    drive_lay_side(b, &sides[1], e, a);
    for (int32_t k = 0; k < 2; ++k) drive_mark_side(b, &sides[k], true, DRIVE_EDGE, 1.0f, DRIVE_EDGE_LINE);
  }
}

PFC_FN void drive_mark_roads(DriveBuilder* b, const bool* merges) {
  const DrivePlan* plan = &b->plan;
  for (int32_t i = 0; i < drive_num_nodes(plan) * DRIVE_ARMS && !b->failed; ++i) {
    const int32_t node = i / DRIVE_ARMS, arm = i % DRIVE_ARMS;
    if (!drive_owns_road(plan, node, arm)) continue;
    const DriveArm* a = &plan->nodes[node].arms[arm];
    const DriveCurve curve = drive_road_curve(plan, b->w.p, node, arm);
    DriveSide sides[2];
    drive_road_sides(&curve, a, &merges[2 * i], sides);
    drive_mark_side(b, &sides[0], false, 0.0f, 1.0f, DRIVE_CENTRE);
    for (int32_t k = 0; k < 2 && a->lanes == 2; ++k)
      drive_mark_side(b, &sides[k], false, DRIVE_LANE, sides[k].merge ? 0.5f : 1.0f, DRIVE_DIVIDER);
  }
}

PFC_FN bool drive_lane_is_sound(const DriveWorld* w, const DriveLane* lane) {
  const float part = lane->length / (float)(lane->count - 1);
  DrivePoint end = drive_point(w, lane->first);
  for (int32_t i = 0; i < lane->count; ++i) {
    const DrivePoint p = drive_point(w, lane->first + i);
    if (!(p.x - p.x == 0.0f && p.y - p.y == 0.0f) || !drive_in_grid(&w->s->town, p.x, p.y)) return false;
    if (!(p.left >= DRIVE_MIN_ROOM && p.right >= DRIVE_MIN_ROOM)) return false;
    const float turn = pfc_absf(end.cos * p.sin - end.sin * p.cos);
    if (i > 0 && turn * DRIVE_MIN_RADIUS > part * 1.02f) return false;  // 2 % for the sampling
    end = p;
  }
  for (int32_t i = 0; i < lane->num_next; ++i) {
    const DrivePoint next = drive_point(w, w->lanes[lane->next[i]].first);
    if (drive_distance(end.x, end.y, next.x, next.y) > 0.1f) return false;
    if (end.cos * next.cos + end.sin * next.sin < 0.9961947f) return false;  // 5 degrees
  }
  return true;
}

PFC_FN bool drive_town_is_sound(const DriveWorld* w) {
  const DriveTown* town = &w->s->town;
  for (int32_t i = 0; i < town->num_lanes; ++i)
    if (!drive_lane_is_sound(w, &w->lanes[i])) return false;
  return town->road >= DRIVE_ROAD_PER_CAR * (float)w->num_cars;
}

// One attempt.
PFC_FN bool drive_build_town(DriveBuilder* b, bool plain) {
  Drive* s = b->w.s;
  DriveTown* town = &s->town;
  bool merges[2 * DRIVE_MAX_ROADS] = {false};
  memset(town, 0, sizeof *town);
  b->failed = false;
  drive_plan_town(&b->plan, b->w.p, &s->rng, plain);
  b->w.phases[0] = DRIVE_GREEN_TICKS * 4 + DRIVE_GREEN;
  b->w.phases[1] = DRIVE_YELLOW_TICKS * 4 + DRIVE_YELLOW;
  b->w.phases[2] = (DRIVE_ALL_RED_TICKS + DRIVE_HALF_CYCLE_TICKS) * 4 + DRIVE_RED;
  town->num_phases = 3;
  drive_add_roads(b, merges);
  if (b->failed) return false;
  town->num_roads = town->num_lanes;
  for (int32_t node = 0; node < drive_num_nodes(&b->plan); ++node) drive_mark_corners(b, &b->plan.nodes[node]);
  town->num_edges = town->num_segments;
  drive_mark_roads(b, merges);
  for (int32_t node = 0; node < drive_num_nodes(&b->plan) && !b->failed; ++node) {
    DriveNode* n = &b->plan.nodes[node];
    for (int32_t arm = 0; arm < DRIVE_ARMS && n->degree > 2; ++arm)
      if (n->arms[arm].kind != DRIVE_NO_ARM) drive_mark_arm(b, &n->arms[arm]);
    drive_add_node(b, n);
  }
  if (b->failed || !drive_bound_grid(&b->w, b->sizes.cells) || !drive_fill_grid(&b->w, b->sizes.entries)) return false;
  drive_measure_rooms(&b->w);
  for (int32_t i = 0; i < town->num_roads; ++i) {
    town->road += b->w.lanes[i].length;
    town->usable += pfc_maxf(b->w.lanes[i].length - DRIVE_START_BEFORE_END, 0.0f);
  }
  return drive_town_is_sound(&b->w);
}

DRIVE_APART void drive_draw_town(DriveWorld* w) {
  DriveBuilder b;
  b.w = *w;
  b.sizes = drive_sizes(w->p);
  for (int32_t i = 0; i < DRIVE_TOWN_TRIES; ++i)
    if (drive_build_town(&b, false)) return;
  w->s->plain += 1;
  drive_build_town(&b, true);
}

// ---- places on lanes and routes ----------------------------------------------------------------------

PFC_FN float drive_spacing(const DriveLane* lane) { return lane->length / (float)(lane->count - 1); }

// The point of a lane at a place, m from its beginning; beyond its ends straight on.
DRIVE_PART DrivePoint drive_point_at(const DriveWorld* w, const DriveLane* lane, float along) {
  const float spacing = drive_spacing(lane), place = along / spacing;
  const int32_t i = pfc_clampi((int32_t)place, 0, lane->count - 2);
  const DrivePoint a = drive_point(w, lane->first + i), b = drive_point(w, lane->first + i + 1);
  const float t = pfc_clampf(place - (float)i, 0.0f, 1.0f), beyond = (place - (float)i - t) * spacing;
  const DriveVector way = drive_normal(drive_vector(a.cos + t * (b.cos - a.cos), a.sin + t * (b.sin - a.sin)));
  DrivePoint p;
  p.cos = way.x, p.sin = way.y;
  p.x = a.x + t * (b.x - a.x) + beyond * way.x;
  p.y = a.y + t * (b.y - a.y) + beyond * way.y;
  p.left = a.left + t * (b.left - a.left);
  p.right = a.right + t * (b.right - a.right);
  return p;
}

// The point of a car's route `ahead` m from its place; the end of the route if that is nearer.
DRIVE_PART DrivePoint drive_route_at(const DriveWorld* w, const DriveCar* car, float ahead) {
  int32_t slot = car->slot;
  float along = car->along + ahead;
  const DriveLane* lane = &w->lanes[car->route[slot]];
  while (along > lane->length && slot + 1 < car->num_lanes) {
    along -= lane->length;
    lane = &w->lanes[car->route[++slot]];
  }
  return drive_point_at(w, lane, pfc_minf(along, lane->length));
}

PFC_FN float drive_place(const DriveCar* car) { return car->before + car->along; }

// Appends random successors until the route is `length` m long from the start of the life, ends at a portal, or is
// full.
PFC_FN void drive_extend_route(const DriveWorld* w, DriveCar* car, float length) {
  while (car->end < length && car->num_lanes < DRIVE_ROUTE) {
    const DriveLane* last = &w->lanes[car->route[car->num_lanes - 1]];
    if (last->num_next == 0) return;
    const uint16_t next = last->next[pfc_rng_below(&w->s->rng, last->num_next)];
    car->route[car->num_lanes++] = next;
    car->end += w->lanes[next].length;
  }
}

// Forgets lanes that lie behind, so that the route has room to grow.
PFC_FN void drive_trim_route(DriveCar* car) {
  const int32_t gone = car->slot - DRIVE_BEHIND;
  if (gone <= 0) return;
  car->num_lanes = (uint16_t)(car->num_lanes - gone), car->slot = (uint16_t)(car->slot - gone);
  car->passed = (int16_t)pfc_maxi(car->passed - gone, -1);
  for (int32_t i = 0; i < car->num_lanes; ++i) car->route[i] = car->route[i + gone];
}

PFC_FN void drive_set_goal(const DriveWorld* w, DriveCar* car, float length) {
  const float now = drive_place(car);
  drive_trim_route(car);
  drive_extend_route(w, car, now + length);
  car->from = now;
  car->goal = pfc_minf(now + length, car->end);
  const DrivePoint p = drive_route_at(w, car, car->goal - now);
  car->goal_x = p.x, car->goal_y = p.y;
}

// Whether the last lane of the route is one that leads out of the town.
PFC_FN bool drive_ends_outside(const DriveWorld* w, const DriveCar* car) {
  return w->lanes[car->route[car->num_lanes - 1]].num_next == 0;
}

// At least DRIVE_BEHIND + DRIVE_BEFORE + 1. GCC unrolls a loop of 16 turns or fewer instead of vectorising it.
enum { DRIVE_WINDOW = 24 };

// The nearest of `count` lane points, the earlier of equals. Returns the bits of its squared distance, whose order is
// that of the distances. It reads a whole window; arrays of the state follow the points.
DRIVE_PART uint32_t drive_nearest_point(const DriveWorld* w, int32_t first, int32_t count, float x, float y,
                                        int32_t* nearest) {
  const float *xs = w->points.x + first, *ys = w->points.y + first;
  uint32_t squares[DRIVE_WINDOW], best = UINT32_MAX;
  for (int32_t k = 0; k < DRIVE_WINDOW; ++k) {
    const float dx = x - xs[k], dy = y - ys[k];
    squares[k] = pfc_float_bits(dx * dx + dy * dy) | ((uint32_t)(k < count) - 1u);
    best = squares[k] < best ? squares[k] : best;
  }
  int32_t first_best = DRIVE_WINDOW;
  for (int32_t k = 0; k < DRIVE_WINDOW; ++k) {  // without a branch, because the number of turns cannot be predicted
    const int32_t place = k + DRIVE_WINDOW * (squares[k] != best);
    first_best = place < first_best ? place : first_best;
  }
  *nearest = first_best;
  return best;
}

// The nearest of the route's points from 2 behind to 8 ahead of the last one, the earlier of equals, and the place and
// offset there. The last point of a lane stands for the first one of the next.
DRIVE_PART void drive_locate(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  const float x = w->x[i], y = w->y[i];
  int32_t slot = car->slot, point = car->point, best_slot = slot, best_point = point;
  for (int32_t k = 0; k < DRIVE_BEHIND; ++k) {
    if (point > 0) point -= 1;
    else if (slot > 0) slot -= 1, point = w->lanes[car->route[slot]].count - 2;
  }
  uint32_t best = UINT32_MAX;
  for (int32_t left = DRIVE_BEHIND + DRIVE_BEFORE + 1; left > 0 && slot < car->num_lanes; ++slot, point = 1) {
    const DriveLane* lane = &w->lanes[car->route[slot]];
    const int32_t count = pfc_mini(lane->count - point, left);
    int32_t nearest;
    const uint32_t square = drive_nearest_point(w, lane->first + point, count, x, y, &nearest);
    if (square < best) best = square, best_slot = slot, best_point = point + nearest;
    left -= count;
  }
  for (; car->slot < best_slot; ++car->slot) car->before += w->lanes[car->route[car->slot]].length;
  for (; car->slot > best_slot; --car->slot) car->before -= w->lanes[car->route[car->slot - 1]].length;
  const DriveLane* lane = &w->lanes[car->route[best_slot]];
  const DrivePoint p = drive_point(w, lane->first + best_point);
  const float dx = x - p.x, dy = y - p.y;
  car->point = (uint16_t)best_point;
  car->along = drive_spacing(lane) * (float)best_point +
               pfc_clampf(dx * p.cos + dy * p.sin, -0.5f * DRIVE_SPACING, 0.5f * DRIVE_SPACING);
  car->aside = dy * p.cos - dx * p.sin;
}

// ---- boxes -----------------------------------------------------------------------------------------

// Whether the boxes of two bodies overlap: no axis of either separates them.
PFC_FN bool drive_overlap(const DriveWorld* w, int32_t a, int32_t b) {
  const float dx = w->x[b] - w->x[a], dy = w->y[b] - w->y[a];
  const float c = pfc_absf(w->cos[a] * w->cos[b] + w->sin[a] * w->sin[b]);
  const float s = pfc_absf(w->cos[a] * w->sin[b] - w->sin[a] * w->cos[b]);
  const float la = w->length[a], wa = w->width[a], lb = w->length[b], wb = w->width[b];
  if (2.0f * pfc_absf(dx * w->cos[a] + dy * w->sin[a]) >= la + lb * c + wb * s) return false;
  if (2.0f * pfc_absf(dy * w->cos[a] - dx * w->sin[a]) >= wa + lb * s + wb * c) return false;
  if (2.0f * pfc_absf(dx * w->cos[b] + dy * w->sin[b]) >= lb + la * c + wa * s) return false;
  return 2.0f * pfc_absf(dy * w->cos[b] - dx * w->sin[b]) < wb + la * s + wa * c;
}

DRIVE_PART bool drive_near(const DriveWorld* w, int32_t a, int32_t b) {
  const float dx = w->x[b] - w->x[a], dy = w->y[b] - w->y[a], reach = w->radius[a] + w->radius[b];
  return dx * dx + dy * dy + w->away[a] + w->away[b] < reach * reach;
}

// Whether any other body is near a present body.
DRIVE_PART bool drive_any_near(const DriveWorld* w, int32_t i) {
  const float *xs = w->x, *ys = w->y, *away = w->away, *radius = w->radius, x = xs[i], y = ys[i], own = radius[i];
  const int32_t padded = w->padded;
  int32_t found = 0;
  for (int32_t k = 0; k < padded; ++k) {
    const float dx = xs[k] - x, dy = ys[k] - y, reach = own + radius[k];
    found += dx * dx + dy * dy + away[k] < reach * reach;
  }
  return found > 1;  // it is near itself
}

// How far ahead of a path's point a body's box begins, if it comes within `half` of the path there; else DRIVE_FAR.
DRIVE_PART float drive_in_corridor(const DriveWorld* w, int32_t body, const DrivePoint* p, float half) {
  const float dx = w->x[body] - p->x, dy = w->y[body] - p->y;
  const float ahead = dx * p->cos + dy * p->sin, aside = pfc_absf(dy * p->cos - dx * p->sin);
  const float c = pfc_absf(w->cos[body] * p->cos + w->sin[body] * p->sin);
  const float s = pfc_absf(w->cos[body] * p->sin - w->sin[body] * p->cos);
  const float half_ahead = 0.5f * (c * w->length[body] + s * w->width[body]);
  const float half_aside = 0.5f * (s * w->length[body] + c * w->width[body]);
  if (aside >= half + half_aside || pfc_absf(ahead) >= half_ahead + 0.5f * DRIVE_SPACING) return DRIVE_FAR;
  return ahead - half_ahead;
}

// The squared distance from a point of a path that a body in its corridor has at most; 1 % is for rounding.
DRIVE_PART float drive_corridor_square(const DriveWorld* w, int32_t body, float half) {
  const float wide = w->radius[body] + half, deep = w->radius[body] + 0.5f * DRIVE_SPACING;
  return 1.01f * (wide * wide + deep * deep);
}

// Lists the numbers of the flags that are 1 and returns how many there are. `count` is a multiple of 8. There is no
// branch, because none could be predicted; one number more than there are flags is written.
DRIVE_PART int32_t drive_list(const int32_t* flags, int32_t count, uint8_t* found) {
  int32_t listed = 0;
  for (int32_t k = 0; k < count; k += 8)
    for (int32_t i = k; i < k + 8; ++i) {
      found[listed] = (uint8_t)i;
      listed += flags[i];
    }
  return listed;
}

// Lists the bodies of which a part may be within `reach` m of a place, and returns their number.
DRIVE_PART int32_t drive_find_within(const DriveWorld* w, float x, float y, float reach, uint8_t* found) {
  const float *xs = w->x, *ys = w->y, *away = w->away, *radius = w->radius;
  const int32_t padded = w->padded;
  int32_t within[DRIVE_MAX_BODIES];
  for (int32_t k = 0; k < padded; ++k) {
    const float dx = xs[k] - x, dy = ys[k] - y, far_off = reach + radius[k];
    within[k] = dx * dx + dy * dy + away[k] <= far_off * far_off;
  }
  return drive_list(within, padded, found);
}

// Whether a body is in the corridor of a lane from point `first` to point `last`; points beyond its ends lie straight
// on.
DRIVE_PART bool drive_blocks_lane(const DriveWorld* w, const DriveLane* lane, int32_t first, int32_t last, float half,
                              int32_t body) {
  const float square = drive_corridor_square(w, body, half);
  for (int32_t k = first; k <= last; ++k) {
    const int32_t within = pfc_clampi(k, 0, lane->count - 1);
    DrivePoint p = drive_point(w, lane->first + within);
    const float beyond = DRIVE_SPACING * (float)(k - within);
    p.x += beyond * p.cos, p.y += beyond * p.sin;
    const float dx = p.x - w->x[body], dy = p.y - w->y[body];
    if (dx * dx + dy * dy <= square && drive_in_corridor(w, body, &p, half) < DRIVE_FAR) return true;
  }
  return false;
}

// Whether no other body comes within `half` of the middle of a lane between two places, rounded outwards to its points.
DRIVE_WIDE bool drive_lane_is_free(const DriveWorld* w, const DriveLane* lane, float from, float to, float half,
                               int32_t self) {
  const float per_point = 1.0f / drive_spacing(lane), middle = 0.5f * (from + to);
  const int32_t first = (int32_t)(from * per_point + 100.0f) - 100,
                last = (int32_t)(to * per_point) + 1;  // + 100: floor
  const int32_t at = pfc_clampi((int32_t)(middle * per_point), 0, lane->count - 1);
  const DrivePoint p = drive_point(w, lane->first + at);
  const float reach =
      0.5f * (to - from) + half + 2.0f * DRIVE_SPACING + pfc_absf(middle - drive_spacing(lane) * (float)at);
  uint8_t found[DRIVE_MAX_BODIES + 1];
  const int32_t count = drive_find_within(w, p.x, p.y, reach, found);
  for (int32_t n = 0; n < count; ++n)
    if (found[n] != self && drive_blocks_lane(w, lane, first, last, half, found[n])) return false;
  return true;
}

// ---- lives -----------------------------------------------------------------------------------------

PFC_FN void drive_set_absent(const DriveWorld* w, int32_t body) {
  w->away[body] = DRIVE_FAR;
  if (body < w->num_cars) w->cars[body].present = 0, w->towards[body] = DRIVE_NONE;
}

PFC_FN void drive_set_size(const DriveWorld* w, int32_t body, float length, float width) {
  w->length[body] = length, w->width[body] = width;
  w->radius[body] = 0.5f * pfc_sqrtf(length * length + width * width);
}

PFC_FN void drive_draw_size(const DriveWorld* w, int32_t i) {
  PfcRng* rng = &w->s->rng;
  if (w->cars[i].kind == DRIVE_BIKE) drive_set_size(w, i, 1.8f, 0.7f);
  else if (pfc_rng_below(rng, 10) == 0) drive_set_size(w, i, 5.8f, 2.1f);
  else {
    const float width = pfc_rng_uniform(rng, 1.8f, 2.0f);  // drawn first
    drive_set_size(w, i, pfc_rng_uniform(rng, 4.2f, 5.0f), width);
  }
}

// How fast a body begins at a place of a lane: it can stop at 2 m/s^2 before the stop line or the lane's end.
PFC_FN float drive_first_speed(const DriveWorld* w, int32_t i, const DriveLane* lane, float along) {
  const float most = pfc_minf(0.7f * lane->limit, w->cars[i].kind == DRIVE_BIKE ? DRIVE_BIKE_MPS : DRIVE_MAX_MPS);
  const float left = (lane->stop < 0.0f ? lane->length : lane->stop) - along - 0.5f * w->length[i];
  return pfc_minf(most, pfc_sqrtf(4.0f * pfc_maxf(left, 0.0f)));
}

// Puts a body on a place of a lane, still absent.
PFC_FN void drive_put(const DriveWorld* w, int32_t i, uint16_t lane, float along) {
  const DriveLane* l = &w->lanes[lane];
  const DrivePoint p = drive_point_at(w, l, along);
  DriveCar* car = &w->cars[i];
  w->x[i] = p.x, w->y[i] = p.y, w->cos[i] = p.cos, w->sin[i] = p.sin;
  w->steer[i] = w->want[i] = w->accel[i] = 0.0f;
  w->v[i] = drive_first_speed(w, i, l, along);
  car->route[0] = lane, car->num_lanes = 1, car->slot = 0;
  car->point = (uint16_t)pfc_clampi((int32_t)(along / drive_spacing(l) + 0.5f), 0, l->count - 1);
  car->along = along, car->aside = 0.0f, car->before = -along, car->end = l->length - along;
  car->passed = -1, car->stood = 0;
}

// A random place on a road lane, at least 15 m before its end.
PFC_FN float drive_random_place(const DriveWorld* w, uint16_t* lane) {
  const DriveTown* town = &w->s->town;
  float left = pfc_rng_float(&w->s->rng) * town->usable;
  for (int32_t i = 0; i < town->num_roads; ++i) {
    const float usable = w->lanes[i].length - DRIVE_START_BEFORE_END;
    if (usable <= 0.0f) continue;
    *lane = (uint16_t)i;
    if (left < usable) return left;
    left -= usable;
  }
  if (town->usable > 0.0f) return w->lanes[*lane].length - DRIVE_START_BEFORE_END;  // by rounding
  *lane = (uint16_t)pfc_rng_below(&w->s->rng, (uint32_t)town->num_roads);
  return 0.0f;
}

PFC_FN bool drive_place_is_free(const DriveWorld* w, int32_t i, uint16_t lane, float along) {
  const float half = 0.5f * w->width[i] + DRIVE_HALF_BUMPER, reach = DRIVE_FREE + 0.5f * w->length[i];
  const DriveLane *mine = &w->lanes[lane], *other = mine->merge == DRIVE_NONE ? NULL : &w->lanes[mine->merge];
  if (!drive_lane_is_free(w, mine, along - reach, along + reach, half, i)) return false;
  const float beside = other ? along + other->length - mine->length : 0.0f;  // as far from the meeting point
  return !other || drive_lane_is_free(w, other, beside - reach, beside + reach, half, i);
}

PFC_FN float drive_nearest_square(const DriveWorld* w, int32_t i) {
  const float *xs = w->x, *ys = w->y, *away = w->away, x = xs[i], y = ys[i];
  const int32_t padded = w->padded;
  uint32_t least = pfc_float_bits(DRIVE_FAR);  // bits of positive numbers are ordered as these are
  for (int32_t k = 0; k < padded; ++k) {
    const float dx = xs[k] - x, dy = ys[k] - y;
    const uint32_t square = pfc_float_bits(dx * dx + dy * dy + away[k]) | ((uint32_t)(k != i) - 1u);
    least = square < least ? square : least;
  }
  return pfc_bits_float(least);
}

PFC_FN bool drive_hits_any(const DriveWorld* w, int32_t i) {
  for (int32_t k = 0; k < w->num_bodies; ++k) {
    const float dx = w->x[k] - w->x[i], dy = w->y[k] - w->y[i], reach = w->radius[k] + w->radius[i];
    if (k != i && dx * dx + dy * dy + w->away[k] < reach * reach && drive_overlap(w, i, k)) return true;
  }
  return false;
}

// Puts an absent car on the first of 16 random places with free lane around it. If there is none it is put on the one
// farthest from all bodies (crowded = true) or nowhere. Returns whether it overlaps nothing.
PFC_FN bool drive_find_place(const DriveWorld* w, int32_t i, bool crowded) {
  uint16_t lane = 0, best_lane = 0;
  float best = 0.0f, most = -1.0f;
  for (int32_t k = 0; k < DRIVE_PLACE_TRIES; ++k) {
    const float along = drive_random_place(w, &lane);
    drive_put(w, i, lane, along);
    if (drive_place_is_free(w, i, lane, along)) return true;
    const float square = drive_nearest_square(w, i);
    if (square > most) most = square, best = along, best_lane = lane;
  }
  drive_put(w, i, best_lane, best);
  return crowded && !drive_hits_any(w, i);
}

PFC_FN void drive_set_present(const DriveWorld* w, int32_t i) {
  w->away[i] = 0.0f;
  w->cars[i].present = 1, w->cars[i].waiting = 0;
}

// A new route for an agent that has just been put on its start. Routes under 30 m are drawn again, 8 times at most.
PFC_FN void drive_draw_route(const DriveWorld* w, int32_t i) {
  const DriveParams* p = w->p;
  DriveCar* car = &w->cars[i];
  const float first = w->lanes[car->route[0]].length - car->along;
  for (int32_t k = 0; k <= DRIVE_ROUTE_TRIES; ++k) {
    car->num_lanes = 1, car->end = first;
    drive_set_goal(w, car, pfc_rng_uniform(&w->s->rng, p->route_min, p->route_max));
    if (car->goal >= 30.0f) return;
  }
}

// An agent starts from the recorded pose of a track, on the track's route.
PFC_FN bool drive_start_from_track(const DriveWorld* w, int32_t i) {
  const DriveTrack* track = &w->tracks[i];
  const DrivePose* pose = &w->poses[track->first];
  DriveCar* car = &w->cars[i];
  drive_set_size(w, i, track->length, track->width);
  drive_put(w, i, track->lane, track->along);
  w->x[i] = pose->x, w->y[i] = pose->y, w->cos[i] = pose->cos, w->sin[i] = pose->sin, w->v[i] = pose->v;
  for (int32_t k = 0; k < track->num_route; ++k) car->route[k] = track->route[k];
  for (int32_t k = 1; k < track->num_route; ++k) car->end += w->lanes[track->route[k]].length;
  car->num_lanes = track->num_route;
  drive_locate(w, i);
  drive_set_goal(w, car, pfc_minf(track->goal, car->end) - drive_place(car));
  return !drive_hits_any(w, i);
}

PFC_FN bool drive_has_track(const DriveWorld* w, int32_t i) {
  return i < w->p->agents && i < w->s->town.num_tracks && w->tracks[i].num_route > 0;
}

// Tries to put an agent on the road; else it waits.
PFC_FN void drive_try_start(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  bool placed;
  if (drive_has_track(w, i)) {
    placed = drive_start_from_track(w, i);
  } else {
    placed = drive_find_place(w, i, true);
    drive_draw_route(w, i);
  }
  car->last_place = drive_place(car);
  car->waiting = 1;
  if (placed) drive_set_present(w, i);
}

DRIVE_APART void drive_begin_life(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  const DriveCar last = *car;
  memset(car, 0, sizeof *car);
  car->mark_x = last.mark_x, car->mark_y = last.mark_y, car->marked = last.marked;
  w->away[i] = DRIVE_FAR;
  car->kind = DRIVE_CAR;
  car->traffic_crashes = w->s->traffic_crashes;
  drive_draw_size(w, i);
  car->pace = pfc_rng_uniform(&w->s->rng, 0.8f, 1.1f);
  drive_try_start(w, i);
}

// A scripted car enters at a free portal, else at a free place, else it stays absent.
PFC_FN void drive_enter(const DriveWorld* w, int32_t i, bool from_portal) {
  const DriveTown* town = &w->s->town;
  DriveCar* car = &w->cars[i];
  const float at = 0.5f * w->length[i];
  bool placed = false;
  const int32_t first = from_portal ? (int32_t)pfc_rng_below(&w->s->rng, (uint32_t)town->num_roads) : 0;
  for (int32_t k = 0; k < town->num_roads && from_portal && !placed; ++k) {
    const uint16_t lane = (uint16_t)((first + k) % town->num_roads);
    if (!w->lanes[lane].portal || !drive_place_is_free(w, i, lane, at)) continue;
    drive_put(w, i, lane, at);
    placed = true;
  }
  if (!placed) placed = drive_find_place(w, i, false);
  if (!placed) return;
  car->end = w->lanes[car->route[0]].length - car->along;
  drive_extend_route(w, car, DRIVE_LOOK + 20.0f);
  drive_set_present(w, i);
}

PFC_FN void drive_add_traffic(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  memset(car, 0, sizeof *car);
  w->away[i] = DRIVE_FAR;
  car->kind = (i - w->p->agents) % 8 == 7 ? DRIVE_BIKE : DRIVE_CAR;
  drive_draw_size(w, i);
  car->pace = pfc_rng_uniform(&w->s->rng, 0.8f, 1.1f);
  drive_enter(w, i, false);
}

// ---- pedestrians -----------------------------------------------------------------------------------

PFC_FN void drive_put_walker(const DriveWorld* w, int32_t k) {
  const DriveWalker* walker = &w->walkers[k];
  const DriveSegment* ends = &w->crossings[walker->crossing];
  const int32_t i = w->num_cars + k;
  const float x0 = walker->side ? ends->x1 : ends->x0, y0 = walker->side ? ends->y1 : ends->y0;
  const float x1 = walker->side ? ends->x0 : ends->x1, y1 = walker->side ? ends->y0 : ends->y1;
  const DriveVector way = drive_normal(drive_vector(x1 - x0, y1 - y0));
  w->x[i] = x0 + walker->way * way.x, w->y[i] = y0 + walker->way * way.y;
  w->cos[i] = way.x, w->sin[i] = way.y;
  w->v[i] = walker->walking ? DRIVE_WALK_MPS : 0.0f;
}

PFC_FN void drive_wait_at_crossing(const DriveWorld* w, DriveWalker* walker) {
  walker->walking = 0, walker->way = 0.0f;
  walker->wait = (uint16_t)(10 + pfc_rng_below(&w->s->rng, 91));
}

PFC_FN void drive_add_walker(const DriveWorld* w, int32_t k) {
  DriveWalker* walker = &w->walkers[k];
  const int32_t i = w->num_cars + k, crossings = w->s->town.num_crossings;
  memset(walker, 0, sizeof *walker);
  w->away[i] = DRIVE_FAR;
  w->steer[i] = w->accel[i] = w->want[i] = 0.0f;
  drive_set_size(w, i, 0.6f, 0.6f);
  if (crossings == 0) return;
  walker->crossing = (uint16_t)pfc_rng_below(&w->s->rng, (uint32_t)crossings);
  walker->side = (uint8_t)pfc_rng_below(&w->s->rng, 2);
  walker->bold = pfc_rng_below(&w->s->rng, 10) == 0;
  drive_wait_at_crossing(w, walker);
  drive_put_walker(w, k);
  w->away[i] = 0.0f;
}

// Whether a car is on the crosswalk, or would be there sooner than `time` s.
PFC_FN bool drive_comes_to(const DriveWorld* w, int32_t i, uint16_t crossing, float time) {
  const DriveCar* car = &w->cars[i];
  const float half = 0.5f * w->length[i], reach = time * pfc_maxf(w->v[i], 2.0f) + half;
  float base = -car->along;
  int32_t slot = car->slot;
  if (slot > 0 && car->along < half + 0.5f) base -= w->lanes[car->route[--slot]].length;  // its rear
  for (; slot < car->num_lanes && base < reach; ++slot) {
    const DriveLane* lane = &w->lanes[car->route[slot]];
    for (int32_t k = 0; k < 2; ++k) {
      const float at = base + lane->crossing_place[k];
      if (lane->crossing[k] == crossing && at > -half - 0.5f && at < reach) return true;
    }
    base += lane->length;
  }
  return false;
}

PFC_FN bool drive_may_walk(const DriveWorld* w, const DriveWalker* walker) {
  const DriveSegment* ends = &w->crossings[walker->crossing];
  const float x = 0.5f * (ends->x0 + ends->x1), y = 0.5f * (ends->y0 + ends->y1), time = walker->bold ? 1.5f : 3.0f;
  for (int32_t i = 0; i < w->num_cars; ++i) {
    const float dx = w->x[i] - x, dy = w->y[i] - y, reach = time * DRIVE_MAX_MPS + 15.0f;
    if (dx * dx + dy * dy + w->away[i] > reach * reach || w->cars[i].num_lanes == 0) continue;
    if (drive_comes_to(w, i, walker->crossing, time)) return false;
  }
  return true;
}

PFC_FN void drive_decide_walker(const DriveWorld* w, int32_t k) {
  DriveWalker* walker = &w->walkers[k];
  if (walker->walking) return;
  if (walker->wait > 0) walker->wait -= 1;
  else if (drive_may_walk(w, walker)) walker->walking = 1;
}

PFC_FN void drive_move_walker(const DriveWorld* w, int32_t k) {
  DriveWalker* walker = &w->walkers[k];
  if (walker->walking) {
    const DriveSegment* ends = &w->crossings[walker->crossing];
    walker->way += DRIVE_TICK_S * DRIVE_WALK_MPS;
    if (walker->way >= drive_distance(ends->x0, ends->y0, ends->x1, ends->y1)) {
      walker->side ^= 1u;
      drive_wait_at_crossing(w, walker);
    }
  }
  drive_put_walker(w, k);
}

PFC_FN bool drive_is_walked(const DriveWorld* w, uint16_t crossing) {
  for (int32_t k = 0; k < w->p->walkers; ++k)
    if (w->walkers[k].walking && w->walkers[k].crossing == crossing && w->away[w->num_cars + k] == 0.0f) return true;
  return false;
}

// ---- junctions: who is where, who comes when -----------------------------------------------------------

PFC_FN int32_t drive_light(const DriveWorld* w, uint16_t lane) {
  if (lane == DRIVE_NONE || w->lanes[lane].signal == DRIVE_NONE) return DRIVE_GREEN;
  const DriveSignal* signal = &w->signals[w->lanes[lane].signal];
  return w->phases[signal->first + signal->at] & 3;
}

PFC_FN void drive_occupy(const DriveWorld* w, uint16_t lane) {
  const DriveLane* l = &w->lanes[lane];
  if (l->junction != DRIVE_NONE) w->junctions[l->junction].occupied |= (uint16_t)(1u << l->bit);
}

enum { DRIVE_NEVER = 100000 };  // tenths of s

// Fills a car's view: its next stop line and movement, and marks the movements that it is on.
PFC_FN void drive_look(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  DriveView* view = &car->view;
  const float half = 0.5f * w->length[i];
  view->line = view->approach = DRIVE_FAR;
  view->line_movement = view->movement = DRIVE_NONE;
  if (car->slot > 0 && car->along < half && car->present) drive_occupy(w, car->route[car->slot - 1]);
  float base = -car->along;  // from the car's centre to the beginning of the lane
  bool committed = false;    // its front is past the stop line before this lane
  for (int32_t slot = car->slot; slot < car->num_lanes && base < DRIVE_LOOK + half + 10.0f; ++slot) {
    const DriveLane* lane = &w->lanes[car->route[slot]];
    const bool on = base < half || committed;
    if (on && car->present) drive_occupy(w, car->route[slot]);
    if (!on && lane->junction != DRIVE_NONE && view->movement == DRIVE_NONE) {
      view->movement = car->route[slot];
      view->slot = (uint16_t)slot;
      view->approach = base - half;
    }
    const float line = base + lane->stop - half;
    committed = lane->stop >= 0.0f && line <= 0.0f;
    if (lane->stop >= 0.0f && line > 0.0f && view->line == DRIVE_FAR) {
      view->line = line;
      view->line_slot = (uint16_t)(slot + 1);
      if (slot + 1 < car->num_lanes) view->line_movement = car->route[slot + 1];
    }
    if (view->line < DRIVE_FAR && view->movement != DRIVE_NONE) break;
    base += lane->length;
  }
  view->arrival =
      view->movement == DRIVE_NONE ? DRIVE_NEVER : (int32_t)(10.0f * view->approach / pfc_maxf(w->v[i], 2.0f));
  w->towards[i] = DRIVE_NONE;
  if (car->present && view->movement != DRIVE_NONE) w->towards[i] = w->lanes[view->movement].junction;
}

// After positions or routes have changed.
DRIVE_APART void drive_look_around(const DriveWorld* w) {
  for (int32_t k = 0; k < w->s->town.num_junctions; ++k) w->junctions[k].occupied = 0;
  for (int32_t i = 0; i < w->num_cars; ++i) {
    if (w->cars[i].num_lanes > 0) drive_look(w, i);
    else w->cars[i].view.movement = w->towards[i] = DRIVE_NONE;  // a replayed track has no route
  }
}

PFC_FN bool drive_conflict(const DriveLane* a, const DriveLane* b, const DriveWorld* w) {
  return a->junction == b->junction && (w->junctions[a->junction].conflicts[a->bit] >> b->bit & 1u);
}

// Whether car `other`, which is at movement b in `due` tenths of s, has a better claim than car i, on its way to the
// conflicting movement a.
PFC_FN bool drive_has_claim(const DriveWorld* w, int32_t other, const DriveLane* b, int32_t due, int32_t i,
                            const DriveLane* a) {
  if ((a->kind == DRIVE_RING) != (b->kind == DRIVE_RING)) return b->kind == DRIVE_RING;
  if (a->signal != DRIVE_NONE && a->signal == b->signal && (a->turn == DRIVE_LEFT) != (b->turn == DRIVE_LEFT))
    return a->turn == DRIVE_LEFT;
  const DriveCar *mine = &w->cars[i], *theirs = &w->cars[other];
  const uint16_t my_lane = mine->view.line_slot > 0 ? mine->route[mine->view.line_slot - 1] : mine->route[0];
  const uint16_t their_lane = theirs->route[pfc_maxi(theirs->view.slot - 1, 0)];
  if (w->lanes[my_lane].wide != w->lanes[their_lane].wide) return w->lanes[their_lane].wide;
  if (mine->view.arrival != due) return due < mine->view.arrival;
  return other < i;
}

// The first car of a queue stops some 2 m before the line, the second one at least 2 m and a cyclist behind it.
enum { DRIVE_DUE_TENTHS = 25, DRIVE_HEAD_M = 4 };

enum { DRIVE_EXIT_M = 7 };  // free behind a junction

PFC_FN bool drive_exit_is_free(const DriveWorld* w, int32_t i) {
  const DriveCar* car = &w->cars[i];
  int32_t slot = car->view.line_slot + 1;
  while (slot < car->num_lanes && w->lanes[car->route[slot]].junction != DRIVE_NONE) ++slot;  // round a ring
  if (slot >= car->num_lanes) return true;
  const DriveLane* lane = &w->lanes[car->route[slot]];
  return drive_lane_is_free(w, lane, 0.0f, (float)DRIVE_EXIT_M, 0.5f * w->width[i] + DRIVE_HALF_BUMPER, i);
}

// Whether car i has stood for 6 s as the first of its queue and could go but for claims.
PFC_FN bool drive_is_stuck(const DriveWorld* w, int32_t i) {
  const DriveCar* car = &w->cars[i];
  if (car->stood < DRIVE_PATIENCE_TICKS || !car->present || car->view.line_movement == DRIVE_NONE) return false;
  if (car->view.line > (float)DRIVE_HEAD_M || drive_light(w, car->view.line_movement) != DRIVE_GREEN) return false;
  return drive_exit_is_free(w, i);
}

// Of several such cars with conflicting movements the longest standing one ignores claims, and the others let it go:
// else a left turn would wait as long as there is oncoming traffic.
PFC_FN bool drive_goes_before(const DriveWorld* w, int32_t k, int32_t i) {
  return w->cars[k].stood > w->cars[i].stood || (w->cars[k].stood == w->cars[i].stood && k < i);
}

// Whether another car will be on a movement that conflicts with car i's earlier than 2.5 s after it, and has a better
// claim. On a ring a car takes several movements of the junction, one after the other.
PFC_FN bool drive_claims(const DriveWorld* w, int32_t other, int32_t i, const DriveLane* mine) {
  const DriveCar* theirs = &w->cars[other];
  float way = theirs->view.approach;
  for (int32_t slot = theirs->view.slot; slot < theirs->num_lanes; ++slot) {
    const DriveLane* lane = &w->lanes[theirs->route[slot]];
    const int32_t due = (int32_t)(10.0f * way / pfc_maxf(w->v[other], 2.0f));
    if (lane->junction != mine->junction || due >= w->cars[i].view.arrival + DRIVE_DUE_TENTHS) return false;
    if (drive_conflict(mine, lane, w)) return drive_has_claim(w, other, lane, due, i, mine);
    way += lane->length;
  }
  return false;
}

// Whether a car with a better claim is due at the junction before car i.
DRIVE_APART bool drive_is_claimed(const DriveWorld* w, int32_t i) {
  const DriveCar* car = &w->cars[i];
  if (car->view.line_movement == DRIVE_NONE) return false;
  const DriveLane* mine = &w->lanes[car->view.line_movement];
  if (mine->junction == DRIVE_NONE) return false;
  const bool stuck = drive_is_stuck(w, i);
  for (int32_t k = 0; k < w->num_cars; ++k) {
    if (w->towards[k] != mine->junction || k == i) continue;
    const DriveCar* other = &w->cars[k];
    const DriveLane* theirs = &w->lanes[other->view.movement];
    if (drive_light(w, other->view.movement) == DRIVE_RED) continue;
    if (drive_conflict(mine, theirs, w) && drive_is_stuck(w, k)) {
      if (!stuck || drive_goes_before(w, k, i)) return true;
    } else if (!stuck && drive_claims(w, k, i, mine)) {
      return true;
    }
  }
  return false;
}

PFC_FN bool drive_is_blocked(const DriveWorld* w, int32_t i) {  // by a body on a conflicting movement
  const uint16_t movement = w->cars[i].view.line_movement;
  if (movement == DRIVE_NONE || w->lanes[movement].junction == DRIVE_NONE) return false;
  const DriveJunction* j = &w->junctions[w->lanes[movement].junction];
  return (j->conflicts[w->lanes[movement].bit] & j->occupied) != 0;
}

// Whether car i may pass its next stop line.
PFC_FN bool drive_may_pass(const DriveWorld* w, int32_t i) {
  const DriveView* view = &w->cars[i].view;
  const int32_t light = drive_light(w, view->line_movement);
  if (light == DRIVE_RED) return false;
  if (light == DRIVE_YELLOW && w->v[i] * w->v[i] <= 6.0f * view->line) return false;  // it can stop at 3 m/s^2
  if (view->line_movement == DRIVE_NONE) return true;
  if (drive_is_blocked(w, i) || !drive_exit_is_free(w, i)) return false;
  return !drive_is_claimed(w, i);
}

// ---- the rules of scripted cars ----------------------------------------------------------------------

// A car's path from its place on. Behind its `count` points there are any others, so that loops may take DRIVE_TURNS
// turns.
typedef struct DriveAhead {
  float x[DRIVE_AHEAD_ROOM], y[DRIVE_AHEAD_ROOM], cos[DRIVE_AHEAD_ROOM], sin[DRIVE_AHEAD_ROOM];
  float at[DRIVE_AHEAD_ROOM];  // m from its centre
  int32_t count;
} DriveAhead;

DRIVE_PART void drive_clear_ahead(DriveAhead* path) {
  for (int32_t k = 0; k < DRIVE_AHEAD_ROOM; k += 8) {
    memset(path->x + k, 0, 8 * sizeof(float)), memset(path->y + k, 0, 8 * sizeof(float));
    memset(path->cos + k, 0, 8 * sizeof(float)), memset(path->sin + k, 0, 8 * sizeof(float));
    memset(path->at + k, 0, 8 * sizeof(float));
  }
  path->count = 0;
}

// Appends `count` points of a lane. `first` counts from the lane's beginning, which lies `base` m from the car. Points
// are copied by eights, so others may follow the last one.
DRIVE_PART void drive_add_ahead(const DriveWorld* w, DriveAhead* path, const DriveLane* lane, float base, int32_t first,
                                int32_t count) {
  const int32_t from = lane->first + first, end = path->count;
  const float spacing = drive_spacing(lane);
  for (int32_t k = 0; k < count; k += 8) {
    memcpy(path->x + end + k, w->points.x + from + k, 8 * sizeof(float));
    memcpy(path->y + end + k, w->points.y + from + k, 8 * sizeof(float));
    memcpy(path->cos + end + k, w->points.cos + from + k, 8 * sizeof(float));
    memcpy(path->sin + end + k, w->points.sin + from + k, 8 * sizeof(float));
    for (int32_t i = k; i < k + 8; ++i) path->at[end + i] = base + spacing * (float)(first + i);
  }
  path->count += count;
}

DRIVE_PART void drive_look_ahead(const DriveWorld* w, const DriveCar* car, DriveAhead* path) {
  float base = -car->along;
  drive_clear_ahead(path);
  for (int32_t slot = car->slot; slot < car->num_lanes; ++slot) {
    const DriveLane* lane = &w->lanes[car->route[slot]];
    const float spacing = drive_spacing(lane);
    const int32_t first = slot == car->slot ? pfc_maxi((int32_t)(car->along / spacing + 1.0f), 0) : 1;
    int32_t last = pfc_mini(lane->count - 1, (int32_t)((DRIVE_LOOK - base) / spacing) + 1);
    while (last >= first && base + spacing * (float)last > DRIVE_LOOK) --last;
    const int32_t count = pfc_mini(last - first + 1, DRIVE_AHEAD_POINTS - path->count);
    if (count > 0) drive_add_ahead(w, path, lane, base, first, count);
    base += lane->length;
    if (base > DRIVE_LOOK || path->count == DRIVE_AHEAD_POINTS) break;
  }
  if (path->count > 0) return;
  const DrivePoint p = drive_route_at(w, car, 0.0f);  // past the end of its route: straight on
  path->count = 1;
  path->x[0] = p.x + 4.0f * p.cos, path->y[0] = p.y + 4.0f * p.sin;
  path->cos[0] = p.cos, path->sin[0] = p.sin, path->at[0] = 4.0f;
}

// Pure pursuit of the path's point max(4, 0.8 v) ahead, seen from the rear axle.
DRIVE_PART float drive_pursue(const DriveWorld* w, int32_t i, const DriveAhead* path) {
  const float reach = pfc_maxf(4.0f, 0.8f * w->v[i]), base = DRIVE_WHEELBASE * w->length[i];
  int32_t k = 0;
  while (k + 1 < path->count && path->at[k] < reach) ++k;
  float x = path->x[k], y = path->y[k];
  const float more = reach - path->at[k];  // before the point, or beyond the last one
  x += more * path->cos[k], y += more * path->sin[k];
  const float dx = x - w->x[i] + 0.5f * base * w->cos[i], dy = y - w->y[i] + 0.5f * base * w->sin[i];
  const float tangent = 2.0f * base * (w->cos[i] * dy - w->sin[i] * dx) / pfc_maxf(dx * dx + dy * dy, 1.0f);
  return pfc_clampf(pfc_atan2f(tangent, 1.0f), -DRIVE_MAX_STEER, DRIVE_MAX_STEER);
}

// The speed that limits, curves ahead and, for an agent, a slow goal allow.
DRIVE_PART float drive_wanted_speed(const DriveWorld* w, int32_t i, const DriveAhead* path) {
  const DriveCar* car = &w->cars[i];
  const float limit = w->lanes[car->route[car->slot]].limit * car->pace;
  float square = limit * limit;
  if (car->kind == DRIVE_BIKE) square = pfc_minf(square, DRIVE_BIKE_MPS * DRIVE_BIKE_MPS);
  uint32_t least = pfc_float_bits(square);  // bits of positive numbers are ordered as these are
  for (int32_t k = 0; k < DRIVE_TURNS; ++k) {
    const float turn = pfc_absf(path->cos[k] * path->sin[k + 1] - path->sin[k] * path->cos[k + 1]);
    const float part = path->at[k + 1] - path->at[k];
    const float most = 2.0f * part / pfc_maxf(turn, 1e-6f) + 4.0f * path->at[k];
    const uint32_t bits = pfc_float_bits(most) | ((uint32_t)(k + 1 < path->count) - 1u);
    least = bits < least ? bits : least;
  }
  square = pfc_bits_float(least);
  if (i < w->p->agents && w->p->goal_speed < DRIVE_MAX_MPS) {
    const float left = pfc_maxf(car->goal - drive_place(car) - 0.5f * w->p->goal_radius, 0.0f),
                slow = 0.8f * w->p->goal_speed;
    square = pfc_minf(square, slow * slow + 4.0f * left);
  }
  return pfc_sqrtf(square);
}

// What a car drives behind: a body, a crosswalk or a stop line.
typedef struct DriveLeader {
  float gap, speed;
} DriveLeader;

// The first of a path's points, or those behind them, whose squared distance from a place is at most `square`;
// DRIVE_TURNS = none.
DRIVE_PART int32_t drive_near_path(const DriveAhead* path, float x, float y, float square) {
  int32_t first = DRIVE_TURNS;
  for (int32_t m = 0; m < DRIVE_TURNS; ++m) {
    const float dx = path->x[m] - x, dy = path->y[m] - y;
    const int32_t far_off = dx * dx + dy * dy > square, place = m + DRIVE_TURNS * far_off;
    first = place < first ? place : first;
  }
  return first;
}

// A body as a leader, if its box comes into the corridor of one of the first `count` points of car i's path and it is
// ahead there. `count` becomes the number of points up to that one. `square` is the body's drive_corridor_square.
DRIVE_PART DriveLeader drive_lead(const DriveWorld* w, int32_t i, int32_t body, const DriveAhead* path, float square,
                              int32_t* count) {
  const float half = 0.5f * w->width[i] + DRIVE_HALF_BUMPER, x = w->x[body], y = w->y[body];
  DriveLeader leader = {DRIVE_FAR, 0.0f};
  for (int32_t m = drive_near_path(path, x, y, square); m < *count; ++m) {
    const float dx = path->x[m] - x, dy = path->y[m] - y;
    if (dx * dx + dy * dy > square) continue;
    const DrivePoint p = {path->x[m], path->y[m], path->cos[m], path->sin[m], 0.0f, 0.0f};
    const float begins = drive_in_corridor(w, body, &p, half);
    if (begins == DRIVE_FAR) continue;
    if (path->at[m] + (w->x[body] - p.x) * p.cos + (w->y[body] - p.y) * p.sin <= 0.0f) continue;
    leader.gap = path->at[m] + begins - 0.5f * w->length[i];
    leader.speed = pfc_maxf(w->v[body] * (w->cos[body] * p.cos + w->sin[body] * p.sin), 0.0f);
    *count = m + 1;
    break;
  }
  return leader;
}

// The first body on the path, up to clamp(5 v, 20, 50) m ahead; of several at one point the nearest.
DRIVE_PART DriveLeader drive_find_leader(const DriveWorld* w, int32_t i, const DriveAhead* path, float reach) {
  const float half = 0.5f * w->width[i] + DRIVE_HALF_BUMPER;
  DriveLeader leader = {DRIVE_FAR, 0.0f};
  uint8_t found[DRIVE_MAX_BODIES + 1];
  const int32_t num_found = drive_find_within(w, w->x[i], w->y[i], reach + w->radius[i], found);
  int32_t count = 0;
  while (count < path->count && path->at[count] <= reach) ++count;
  for (int32_t n = 0; n < num_found; ++n) {
    const int32_t k = found[n], before = count;
    if (k == i) continue;
    const DriveLeader body = drive_lead(w, i, k, path, drive_corridor_square(w, k, half), &count);
    if (count < before || body.gap < leader.gap) leader = body;
  }
  return leader;
}

// The nearest place ahead where it must stop: a crosswalk with a pedestrian, or a stop line that it may not pass.
PFC_FN float drive_find_stop(const DriveWorld* w, int32_t i, float reach) {
  const DriveCar* car = &w->cars[i];
  const float half = 0.5f * w->length[i];
  float stop = DRIVE_FAR, base = -car->along;
  for (int32_t slot = car->slot; slot < car->num_lanes && base < reach && w->p->walkers > 0; ++slot) {
    const DriveLane* lane = &w->lanes[car->route[slot]];
    for (int32_t k = 0; k < 2; ++k) {
      const float gap = base + lane->crossing_place[k] - half;
      if (lane->crossing[k] == DRIVE_NONE || gap <= 0.0f || gap > reach || gap - 1.0f >= stop) continue;
      if (drive_is_walked(w, lane->crossing[k])) stop = pfc_maxf(gap - 1.0f, 0.0f);
    }
    base += lane->length;
  }
  if (car->view.line < pfc_minf(reach, stop) && !drive_may_pass(w, i)) stop = car->view.line;
  return stop;
}

// At a merge, the car with the better claim on the other lane, at its own distance from the meeting point.
PFC_FN DriveLeader drive_find_zip(const DriveWorld* w, int32_t i) {
  const DriveCar* car = &w->cars[i];
  const DriveLane* lane = &w->lanes[car->route[car->slot]];
  DriveLeader leader = {DRIVE_FAR, 0.0f};
  if (lane->merge == DRIVE_NONE) return leader;
  const float mine = lane->length - car->along - 0.5f * w->length[i];
  const int32_t arrival = (int32_t)(10.0f * mine / pfc_maxf(w->v[i], 2.0f));
  for (int32_t k = 0; k < w->num_cars; ++k) {
    const DriveCar* other = &w->cars[k];
    if (k == i || !other->present || other->num_lanes == 0 || other->route[other->slot] != lane->merge) continue;
    const float theirs = w->lanes[lane->merge].length - other->along - 0.5f * w->length[k];
    const int32_t due = (int32_t)(10.0f * theirs / pfc_maxf(w->v[k], 2.0f));
    if (due > arrival || (due == arrival && k > i)) continue;
    const float gap = mine - theirs - w->length[k];
    if (gap < leader.gap) leader.gap = gap, leader.speed = w->v[k];
  }
  return leader;
}

// The intelligent driver model (Treiber, Hennecke, Helbing 2000): an acceleration for a wanted speed behind a leader.
PFC_FN float drive_follow(float v, float wanted, DriveLeader leader) {
  const float share = v / wanted, square = share * share;
  const float alone = pfc_maxf(1.5f * (1.0f - square * square), -2.5f);
  if (leader.gap >= DRIVE_FAR) return alone;
  const float gap = pfc_maxf(leader.gap, 0.1f);
  const float safe = 2.0f + pfc_maxf(0.0f, 1.2f * v + v * (v - leader.speed) * 0.25819889f);  // 1 / (2 sqrt(1.5 x 2.5))
  return pfc_clampf(alone - 1.5f * (safe / gap) * (safe / gap), -DRIVE_BRAKE, 1.5f);
}

// The largest acceleration after which braking at 6 still stops 1 m behind a leader that brakes at 6.
PFC_FN float drive_hard_bound(float v, DriveLeader leader) {
  if (leader.gap >= DRIVE_FAR) return DRIVE_BRAKE;
  const float other = pfc_maxf(0.0f, leader.speed - 0.6f);
  const float most = -0.6f + pfc_sqrtf(0.36f + pfc_maxf(0.0f, other * other + 12.0f * (leader.gap - 1.0f)));
  return pfc_maxf((most - v) / DRIVE_TICK_S, -DRIVE_BRAKE);
}

// What the rules of scripted cars want car i to do.
DRIVE_WIDE void drive_decide(const DriveWorld* w, int32_t i, float* accel, float* steer) {
  const float v = w->v[i], reach = pfc_clampf(5.0f * v, 20.0f, DRIVE_LOOK);
  DriveAhead path;
  drive_look_ahead(w, &w->cars[i], &path);
  const float wanted = drive_wanted_speed(w, i, &path);
  const DriveLeader body = drive_find_leader(w, i, &path, reach), zip = drive_find_zip(w, i);
  DriveLeader stop = {DRIVE_FAR, 0.0f};
  stop.gap = drive_find_stop(w, i, reach);
  float a = pfc_minf(drive_follow(v, wanted, body), drive_follow(v, wanted, stop));
  a = pfc_minf(a, pfc_minf(drive_hard_bound(v, body), drive_hard_bound(v, stop)));
  *accel = pfc_minf(a, drive_follow(v, wanted, zip));
  *steer = drive_pursue(w, i, &path);
}

// ---- a tick ----------------------------------------------------------------------------------------

PFC_FN void drive_advance_lights(const DriveWorld* w) {
  for (int32_t i = 0; i < w->s->town.num_signals; ++i) {
    DriveSignal* signal = &w->signals[i];
    if (--signal->left > 0) continue;
    signal->at = (uint16_t)(signal->at + 1 < signal->count ? signal->at + 1 : 0);
    signal->left = (uint16_t)(w->phases[signal->first + signal->at] >> 2);
  }
}

// A replayed track: the body is where it was recorded, or absent.
PFC_FN void drive_replay(const DriveWorld* w, int32_t i) {
  const DriveTown* town = &w->s->town;
  int32_t started = 0;
  while (started < town->num_tracks && started < w->p->agents && w->tracks[started].num_route > 0) ++started;
  const int32_t k = started + i - w->p->agents;
  drive_set_absent(w, i);
  if (k >= town->num_tracks) return;
  const DriveTrack* track = &w->tracks[k];
  const int32_t tick = w->s->ticks - track->first_tick;
  if (tick < 0 || tick >= track->count) return;
  const DrivePose* pose = &w->poses[track->first + tick];
  if (pose->cos == 0.0f && pose->sin == 0.0f) return;
  drive_set_size(w, i, track->length, track->width);
  w->x[i] = pose->x, w->y[i] = pose->y, w->cos[i] = pose->cos, w->sin[i] = pose->sin, w->v[i] = pose->v;
  w->steer[i] = w->accel[i] = 0.0f;
  w->away[i] = 0.0f;
  w->cars[i].kind = (uint8_t)track->kind;
  w->cars[i].present = 1;
}

// Where cars get to in a tick.
typedef struct DriveMoved {
  float x[DRIVE_MAX_CARS], y[DRIVE_MAX_CARS], cos[DRIVE_MAX_CARS], sin[DRIVE_MAX_CARS], v[DRIVE_MAX_CARS],
      steer[DRIVE_MAX_CARS];
} DriveMoved;

// Moves cars [0, count), present or not. The loop is free of branches and stores nowhere else, so it is vectorised.
DRIVE_WIDE void drive_find_moves(const DriveWorld* w, int32_t count, DriveMoved* moved) {
  const float *xs = w->x, *ys = w->y, *coss = w->cos, *sins = w->sin, *speeds = w->v, *steers = w->steer;
  const float *accels = w->accel, *wants = w->want, *lengths = w->length;
  PFC_INDEPENDENT_LOOP_
  for (int32_t i = 0; i < count; ++i) {
    const float v = speeds[i], base = DRIVE_WHEELBASE * lengths[i], c = coss[i], s = sins[i];
    const float next = pfc_clampf(v + DRIVE_TICK_S * accels[i], 0.0f, DRIVE_MAX_MPS), mean = 0.5f * (v + next);
    const float turned = steers[i] + pfc_clampf(wants[i] - steers[i], -DRIVE_STEER_PER_TICK, DRIVE_STEER_PER_TICK);
    float sine, cosine;
    pfc_sincosf(turned, &sine, &cosine);
    const float most = DRIVE_GRIP * base / pfc_maxf(v * v, 1.0f), free_tangent = sine / cosine;
    const float tangent = pfc_clampf(free_tangent, -most, most);
    const float half = 0.5f * tangent, slip_cos = 1.0f / pfc_sqrtf(1.0f + half * half), slip_sin = half * slip_cos;
    const float way = DRIVE_TICK_S * mean;
    pfc_sincosf(way * slip_cos * tangent / base, &sine, &cosine);
    const float hx = c * cosine - s * sine, hy = s * cosine + c * sine, per = 1.0f / pfc_sqrtf(hx * hx + hy * hy);
    moved->x[i] = xs[i] + way * (c * slip_cos - s * slip_sin);
    moved->y[i] = ys[i] + way * (s * slip_cos + c * slip_sin);
    moved->cos[i] = hx * per, moved->sin[i] = hy * per;
    moved->v[i] = next;
    moved->steer[i] = tangent == free_tangent ? turned : pfc_atan2f(tangent, 1.0f);
  }
}

DRIVE_PART void drive_move_car(const DriveWorld* w, int32_t i, const DriveMoved* moved) {
  DriveCar* car = &w->cars[i];
  w->x[i] = moved->x[i], w->y[i] = moved->y[i], w->cos[i] = moved->cos[i], w->sin[i] = moved->sin[i];
  w->v[i] = moved->v[i], w->steer[i] = moved->steer[i];
  drive_locate(w, i);
  if (w->v[i] < DRIVE_STANDS_MPS) car->stood += 1;
  else if (w->v[i] >= DRIVE_GOES_MPS) car->stood = 0;
}

DRIVE_PART void drive_move_all(const DriveWorld* w) {
  const int32_t driven = w->s->town.num_tracks > 0 ? w->p->agents : w->num_cars;
  DriveMoved moved;
  drive_find_moves(w, driven, &moved);
  for (int32_t i = 0; i < driven; ++i)
    if (w->cars[i].present) drive_move_car(w, i, &moved);
  for (int32_t i = driven; i < w->num_cars; ++i) drive_replay(w, i);
  for (int32_t k = 0; k < w->p->walkers; ++k)
    if (w->away[w->num_cars + k] == 0.0f) drive_move_walker(w, k);
}

PFC_FN void drive_decide_all(const DriveWorld* w) {
  const int32_t first = w->p->autopilot ? 0 : w->p->agents;
  const int32_t end = w->s->town.num_tracks > 0 ? w->p->agents : w->num_cars;
  for (int32_t i = first; i < end; ++i)
    if (w->cars[i].present) drive_decide(w, i, &w->accel[i], &w->want[i]);
  for (int32_t k = 0; k < w->p->walkers; ++k)
    if (w->away[w->num_cars + k] == 0.0f) drive_decide_walker(w, k);
}

// ---- events ----------------------------------------------------------------------------------------

DRIVE_PART bool drive_is_off_road(const DriveWorld* w, int32_t i) {
  const float x = w->x[i], y = w->y[i], c = w->cos[i], s = w->sin[i];
  const float half_length = 0.5f * w->length[i], half_width = 0.5f * w->width[i];
  const float ex = pfc_absf(c) * half_length + pfc_absf(s) * half_width,
              ey = pfc_absf(s) * half_length + pfc_absf(c) * half_width;
  if (!drive_in_grid(&w->s->town, x, y)) return true;
  DriveEdgeWalk walk = drive_walk_edges(w, x - ex, y - ey, x + ex, y + ey);
  for (const DriveSegment* g = drive_next_edge(w, &walk); g; g = drive_next_edge(w, &walk)) {
    const float x0 = g->x0 - x, y0 = g->y0 - y, x1 = g->x1 - x, y1 = g->y1 - y;
    // The side comes first, because nearly all edges lie along the car and end at this test.
    if (!drive_segment_meets(y0 * c - x0 * s, x0 * c + y0 * s, y1 * c - x1 * s, x1 * c + y1 * s, half_width,
                             half_length))
      continue;
    if (pfc_minf(x0, x1) <= ex && pfc_maxf(x0, x1) >= -ex && pfc_minf(y0, y1) <= ey && pfc_maxf(y0, y1) >= -ey)
      return true;
  }
  return false;
}

// Whether an agent's front has passed a stop line at red in this tick; each line counts once.
PFC_FN bool drive_ran_red(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  const DriveLane* lane = &w->lanes[car->route[car->slot]];
  if (lane->stop < 0.0f || car->passed >= car->slot || car->along + 0.5f * w->length[i] <= lane->stop) return false;
  car->passed = (int16_t)car->slot;
  return car->slot + 1 < car->num_lanes && drive_light(w, car->route[car->slot + 1]) == DRIVE_RED;
}

PFC_FN bool drive_at_goal(const DriveWorld* w, int32_t i) {
  const DriveCar* car = &w->cars[i];
  const float dx = w->x[i] - car->goal_x, dy = w->y[i] - car->goal_y, radius = w->p->goal_radius;
  return dx * dx + dy * dy <= radius * radius && w->v[i] <= w->p->goal_speed;
}

DRIVE_PART void drive_find_hits(const DriveWorld* w, uint8_t* hit) {
  memset(hit, 0, (size_t)w->num_bodies);
  for (int32_t i = 0; i < w->num_bodies; ++i) {
    const int32_t others = pfc_mini(i, w->num_cars);  // no two pedestrians
    if (w->away[i] > 0.0f || !drive_any_near(w, i)) continue;
    for (int32_t k = 0; k < others; ++k) {
      if (!drive_near(w, i, k) || !drive_overlap(w, i, k)) continue;
      if (k >= w->p->agents) w->s->traffic_crashes += 1;  // both are scripted
      hit[i] = hit[k] = 1;
    }
  }
}

// The picture shows where a car has failed after its next life has begun.
PFC_FN void drive_mark_failure(const DriveWorld* w, int32_t i) {
  DriveCar* car = &w->cars[i];
  car->mark_x = w->x[i], car->mark_y = w->y[i], car->marked = w->s->steps + 1;
}

PFC_FN void drive_end_life(const DriveWorld* w, int32_t i, int32_t how, float reward, PfcIo io) {
  w->cars[i].ended = (uint8_t)how;
  io.rewards[i] += reward;
  io.terminated[i] = 1;
  drive_set_absent(w, i);
  if (how == DRIVE_CRASHED) w->s->crashes += 1;
  if (how != DRIVE_REACHED) drive_mark_failure(w, i);
}

PFC_FN void drive_reach_goal(const DriveWorld* w, int32_t i, PfcIo io) {
  DriveCar* car = &w->cars[i];
  car->goals += 1;
  w->s->goals += 1;
  const bool over = w->p->goal_mode == 0 || (car->goal >= car->end && drive_ends_outside(w, car));
  if (over) {
    drive_end_life(w, i, DRIVE_REACHED, w->p->reward_goal, io);
    return;
  }
  io.rewards[i] += w->p->reward_goal;
  drive_set_goal(w, car, pfc_rng_uniform(&w->s->rng, w->p->route_min, w->p->route_max));
}

DRIVE_PART void drive_judge_agent(const DriveWorld* w, int32_t i, bool hit, PfcIo io) {
  const DriveParams* p = w->p;
  DriveCar* car = &w->cars[i];
  const DriveLane* lane = &w->lanes[car->route[car->slot]];
  car->ticks += 1;
  car->travelled += w->v[i];
  car->wrong_ticks += lane->kind == DRIVE_ROAD && car->aside > lane->centre;
  if (p->reward_lane != 0.0f) io.rewards[i] += p->reward_lane * DRIVE_TICK_S * pfc_absf(car->aside);
  if (p->reward_speeding != 0.0f)
    io.rewards[i] += p->reward_speeding * DRIVE_TICK_S * pfc_maxf(w->v[i] - lane->limit, 0.0f);
  if (drive_ran_red(w, i)) {
    car->reds += 1;
    io.rewards[i] += p->reward_red;
  }
  if (hit) drive_end_life(w, i, DRIVE_CRASHED, p->reward_crash, io);
  else if (drive_is_off_road(w, i)) drive_end_life(w, i, DRIVE_LEFT_ROAD, p->reward_off_road, io);
  else if (drive_at_goal(w, i)) drive_reach_goal(w, i, io);
}

// A scripted car that was hit, has left the town or is absent enters again; else its route grows.
PFC_FN void drive_keep_traffic(const DriveWorld* w, int32_t i, bool hit) {
  DriveCar* car = &w->cars[i];
  const bool left = car->present && drive_place(car) >= car->end - 0.5f && drive_ends_outside(w, car);
  if (hit || left || !car->present) {
    if (hit) drive_mark_failure(w, i);
    drive_set_absent(w, i);
    drive_enter(w, i, true);
  } else if (car->end - drive_place(car) < DRIVE_LOOK + 20.0f && car->num_lanes > 0) {
    drive_trim_route(car);
    drive_extend_route(w, car, drive_place(car) + DRIVE_LOOK + 20.0f);
  }
}

DRIVE_PART void drive_judge_all(const DriveWorld* w, PfcIo io) {
  const DriveParams* p = w->p;
  uint8_t hit[DRIVE_MAX_BODIES];
  drive_find_hits(w, hit);
  for (int32_t i = 0; i < p->agents; ++i)
    if (w->cars[i].present) drive_judge_agent(w, i, hit[i], io);
  for (int32_t i = p->agents; i < w->num_cars && w->s->town.num_tracks == 0; ++i) drive_keep_traffic(w, i, hit[i]);
  for (int32_t k = 0; k < p->walkers; ++k)
    if (hit[w->num_cars + k]) drive_add_walker(w, k);
  for (int32_t i = 0; i < p->agents; ++i)
    if (w->cars[i].waiting && io.alive[i]) drive_try_start(w, i);
}

DRIVE_WIDE void drive_tick(const DriveWorld* w, PfcIo io) {
  w->s->ticks += 1;
  drive_advance_lights(w);
  drive_decide_all(w);
  drive_move_all(w);
  drive_judge_all(w, io);
  drive_look_around(w);
}

// ---- a step ----------------------------------------------------------------------------------------

PFC_FN void drive_command(const DriveWorld* w, int32_t i, PfcIo io) {
  if (w->p->continuous) {
    const float a = io.controls[2 * i];
    w->accel[i] = a * (a > 0.0f ? DRIVE_THROTTLE : DRIVE_BRAKE);
    w->want[i] = io.controls[2 * i + 1] * DRIVE_MAX_STEER;
  } else {
    w->accel[i] = drive_accelerations[io.actions[2 * i]];
    w->want[i] = drive_steers[io.actions[2 * i + 1]];
  }
}

// Agents that the pool has stopped are absent.
PFC_FN void drive_begin_step(const DriveWorld* w, PfcIo io) {
  for (int32_t i = 0; i < w->p->agents; ++i) {
    DriveCar* car = &w->cars[i];
    if (!io.alive[i]) {
      drive_set_absent(w, i);
      car->waiting = 0;
    } else if (car->present && !w->p->autopilot) {
      drive_command(w, i, io);
    }
  }
}

DRIVE_APART void drive_pay_step(const DriveWorld* w, PfcIo io) {
  const DriveParams* p = w->p;
  for (int32_t i = 0; i < p->agents; ++i) {
    DriveCar* car = &w->cars[i];
    if (!car->present && !io.terminated[i]) continue;
    const float place = drive_place(car), change = w->accel[i] - car->last_accel;
    io.rewards[i] += p->reward_progress * (place - car->last_place);
    if (p->reward_jerk != 0.0f) io.rewards[i] += p->reward_jerk * change * change;
    car->last_place = place, car->last_accel = w->accel[i];
  }
}

// Always inline: a function that only prefetches has no effect that the compiler would keep.
DRIVE_PART void drive_prefetch(const void* from, size_t bytes) {
#if !defined(__CUDACC__)
  for (size_t k = 0; k < bytes; k += 64) __builtin_prefetch((const char*)from + k, 0, 2);
#else
  (void)from, (void)bytes;
#endif
}

// Asks for the memory that a step uses. Of many worlds none is still in a near cache when its turn comes, and a step
// that waits for its lines one by one takes a third longer.
DRIVE_PART void drive_prefetch_world(const DriveWorld* w) {
  const DriveTown* town = &w->s->town;
  const DrivePoints* points = &w->points;
  const float* const members[] = {points->x, points->y, points->cos, points->sin, points->left, points->right};
  for (int32_t k = 0; k < 6; ++k) drive_prefetch(members[k], sizeof(float) * (size_t)town->num_points);
  drive_prefetch(w->lanes, sizeof *w->lanes * (size_t)town->num_lanes);
  drive_prefetch(w->segments, sizeof *w->segments * (size_t)town->num_edges);
  drive_prefetch(w->x, (size_t)((char*)w->phases - (char*)w->x));
  drive_prefetch(w->starts, sizeof *w->starts * (size_t)(town->columns * town->rows));
  drive_prefetch(w->entries, sizeof *w->entries * (size_t)town->num_entries);
}

PFC_FN void drive_step(Drive* s, const DriveParams* p, PfcIo io) {
  const DriveWorld w = drive_world(s, p);
  drive_prefetch_world(&w);
  drive_begin_step(&w, io);
  for (int32_t t = 0; t < p->ticks; ++t) drive_tick(&w, io);
  drive_pay_step(&w, io);
  s->steps += 1;
  if (p->world_steps == 0 || s->steps < p->world_steps) return;
  s->renew = 1;
  for (int32_t i = 0; i < p->agents; ++i) io.truncated[i] = 1;  // a terminated life stays terminated
}

// ---- new towns, lives ------------------------------------------------------------------------------

// Everything that is on the roads of a new town but the agents.
PFC_FN void drive_populate(const DriveWorld* w) {
  Drive* s = w->s;
  s->steps = s->ticks = s->renew = s->goals = s->crashes = 0;
  for (int32_t i = 0; i < w->padded; ++i) {
    w->away[i] = DRIVE_FAR;
    w->x[i] = w->y[i] = w->cos[i] = w->sin[i] = w->v[i] = w->length[i] = w->width[i] = w->radius[i] = 0.0f;
  }
  memset(w->cars, 0, sizeof *w->cars * (size_t)w->num_cars);
  for (int32_t i = w->p->agents; i < w->num_cars; ++i) {
    if (s->town.num_tracks > 0) drive_replay(w, i);
    else drive_add_traffic(w, i);
  }
  for (int32_t k = 0; k < w->p->walkers; ++k) drive_add_walker(w, k);
}

PFC_FN void drive_start_agents(const DriveWorld* w) {
  for (int32_t i = 0; i < w->p->agents; ++i) drive_begin_life(w, i);
  drive_look_around(w);
}

PFC_FN void drive_reset(Drive* s, const DriveParams* p) {
  DriveWorld w = drive_world(s, p);
  drive_draw_town(&w);
  drive_populate(&w);
  drive_start_agents(&w);
}

// `moved`: positions of others have changed since they last looked around.
PFC_FN void drive_restart(const DriveWorld* w, int32_t agent, bool moved) {
  const bool leaves = w->cars[agent].present != 0;
  drive_set_absent(w, agent);
  drive_begin_life(w, agent);
  if (moved || leaves) drive_look_around(w);
  else drive_look(w, agent);
}

// A car that was truncated is still on the road.
PFC_FN void drive_respawn(void* state, const void* params, int32_t agent) {
  DriveWorld w = drive_world((Drive*)state, (const DriveParams*)params);
  const bool renew = w.s->renew;
  if (renew) {
    drive_draw_town(&w);
    drive_populate(&w);
  }
  drive_restart(&w, agent, renew);
}

// ---- observations ----------------------------------------------------------------------------------

PFC_FN float drive_unit(float x) { return pfc_clampf(x, -1.0f, 1.0f); }

// A world offset in the frame of body i: x ahead, y to its left.
DRIVE_PART DriveVector drive_own_frame(const DriveWorld* w, int32_t i, float dx, float dy) {
  return drive_vector(dx * w->cos[i] + dy * w->sin[i], dy * w->cos[i] - dx * w->sin[i]);
}

DRIVE_PART void drive_observe_self(const DriveWorld* w, int32_t i, float* out) {
  const DriveCar* car = &w->cars[i];
  const DriveLane* lane = &w->lanes[car->route[car->slot]];
  const DriveVector goal = drive_own_frame(w, i, car->goal_x - w->x[i], car->goal_y - w->y[i]);
  out[0] = drive_unit(w->v[i] * (1.0f / DRIVE_MAX_MPS));
  out[1] = drive_unit(w->steer[i] * (1.0f / DRIVE_MAX_STEER));
  out[2] = drive_unit(w->accel[i] * (1.0f / DRIVE_BRAKE));
  out[3] = drive_unit(w->length[i] * (1.0f / 10.0f));
  out[4] = drive_unit(w->width[i] * (1.0f / 3.0f));
  if (w->p->guide) {
    const DrivePoint at = drive_point_at(w, lane, car->along);
    out[5] = drive_unit(car->aside * (1.0f / 5.0f));
    out[6] = drive_unit(w->sin[i] * at.cos - w->cos[i] * at.sin);
    out[7] = drive_unit(w->cos[i] * at.cos + w->sin[i] * at.sin);
    out[8] = drive_unit(lane->limit * (1.0f / DRIVE_MAX_MPS));
    out[11] = drive_unit((car->goal - drive_place(car)) * (1.0f / 200.0f));
  }
  out[9] = drive_unit(goal.x * (1.0f / 100.0f));
  out[10] = drive_unit(goal.y * (1.0f / 100.0f));
}

DRIVE_PART void drive_observe_line(const DriveWorld* w, int32_t i, float* out) {
  const DriveView* view = &w->cars[i].view;
  out[0] = 1.0f;
  if (view->line > DRIVE_LOOK) return;
  const int32_t light = drive_light(w, view->line_movement);
  out[0] = view->line * (1.0f / DRIVE_LOOK);
  out[1] = light == DRIVE_RED ? 1.0f : light == DRIVE_YELLOW ? 0.5f : 0.0f;
  out[2] = drive_is_claimed(w, i) ? 1.0f : 0.0f;
  out[3] = drive_is_blocked(w, i) ? 1.0f : 0.0f;
}

// The corridor at a place of a lane, given in points from its beginning and kept within its ends; its direction is not
// exactly a unit vector between two points of a curve.
DRIVE_PART DrivePoint drive_corridor_at(const DriveWorld* w, const DriveLane* lane, float place) {
  const int32_t last = lane->count - 1;
  const float within = pfc_clampf(place, 0.0f, (float)last);
  const int32_t i = pfc_mini((int32_t)within, last - 1);
  const DrivePoint a = drive_point(w, lane->first + i), b = drive_point(w, lane->first + i + 1);
  const float t = within - (float)i;
  DrivePoint p;
  p.x = a.x + t * (b.x - a.x), p.y = a.y + t * (b.y - a.y);
  p.cos = a.cos + t * (b.cos - a.cos), p.sin = a.sin + t * (b.sin - a.sin);
  p.left = a.left + t * (b.left - a.left), p.right = a.right + t * (b.right - a.right);
  return p;
}

DRIVE_PART void drive_observe_route(const DriveWorld* w, int32_t i, float* out) {
  const DriveCar* car = &w->cars[i];
  const float left = pfc_maxf(car->goal - drive_place(car), 0.0f);
  const float x = w->x[i], y = w->y[i], c = w->cos[i], s = w->sin[i];
  int32_t slot = car->slot;
  const DriveLane* lane = &w->lanes[car->route[slot]];
  float base = -car->along;  // from the car to the beginning of the lane
  float per_m = (float)(lane->count - 1) / lane->length;  // points
  for (int32_t k = 0; k < DRIVE_ROUTE_POINTS; ++k, out += DRIVE_POINT_OBS) {
    const float ahead = pfc_minf(drive_route_places[k], left);
    while (ahead - base > lane->length && slot + 1 < car->num_lanes) {
      base += lane->length;
      lane = &w->lanes[car->route[++slot]];
      per_m = (float)(lane->count - 1) / lane->length;
    }
    const DrivePoint p = drive_corridor_at(w, lane, (ahead - base) * per_m);
    const float dx = p.x - x, dy = p.y - y;
    out[0] = drive_unit((dx * c + dy * s) * (1.0f / 50.0f)), out[1] = drive_unit((dy * c - dx * s) * (1.0f / 50.0f));
    out[2] = drive_unit(p.cos * c + p.sin * s), out[3] = drive_unit(p.sin * c - p.cos * s);
    out[4] = drive_unit(p.left * (1.0f / DRIVE_REACH)), out[5] = drive_unit(p.right * (1.0f / DRIVE_REACH));
  }
}

// The `most` smallest keys, sorted, of those offered one by one. A key is a squared distance's bits and an index, so
// that equal distances are in the order of their indices.
typedef struct DriveNearest {
  uint64_t keys[DRIVE_ROAD_SEEN];
  int32_t count, most;
} DriveNearest;

DRIVE_PART uint64_t drive_near_key(float square, int32_t index) {
  return (uint64_t)pfc_float_bits(square) << 32 | (uint32_t)index;
}

DRIVE_PART void drive_offer(DriveNearest* nearest, uint64_t key) {
  if (nearest->count == nearest->most && key >= nearest->keys[nearest->count - 1]) return;
  int32_t at = nearest->count < nearest->most ? nearest->count++ : nearest->count - 1;
  for (; at > 0 && nearest->keys[at - 1] > key; --at) nearest->keys[at] = nearest->keys[at - 1];
  nearest->keys[at] = key;
}

enum { DRIVE_FEW = 32 };

// The nearest of a few bodies, in order: the rank of each is the number of smaller keys. For so few this is faster than
// a search with branches that cannot be predicted.
DRIVE_PART void drive_rank(DriveNearest* nearest, const uint64_t* keys, int32_t count) {
  uint64_t ranked[DRIVE_FEW];
  for (int32_t a = 0; a < count; ++a) {
    int32_t rank = 0;
    for (int32_t b = 0; b < count; ++b) rank += keys[b] < keys[a];
    ranked[rank] = keys[a];
  }
  nearest->count = pfc_mini(count, nearest->most);
  for (int32_t n = 0; n < nearest->count; ++n) nearest->keys[n] = ranked[n];
}

DRIVE_PART void drive_observe_bodies(const DriveWorld* w, int32_t i, float* out) {
  float squares[DRIVE_MAX_BODIES];
  int32_t within[DRIVE_MAX_BODIES];
  uint8_t found[DRIVE_MAX_BODIES + 1];
  uint64_t keys[DRIVE_MAX_BODIES];
  const float *xs = w->x, *ys = w->y, *away = w->away, x = xs[i], y = ys[i], sight = w->p->sight * w->p->sight;
  const int32_t padded = w->padded;
  for (int32_t k = 0; k < padded; ++k) {
    const float dx = xs[k] - x, dy = ys[k] - y;
    squares[k] = dx * dx + dy * dy + away[k];
    within[k] = squares[k] <= sight;
  }
  within[i] = 0;
  const int32_t seen = drive_list(within, padded, found);
  for (int32_t n = 0; n < seen; ++n) keys[n] = drive_near_key(squares[found[n]], found[n]);
  DriveNearest nearest;
  nearest.count = 0, nearest.most = DRIVE_SEEN;
  if (seen <= DRIVE_FEW) drive_rank(&nearest, keys, seen);
  else for (int32_t n = 0; n < seen; ++n) drive_offer(&nearest, keys[n]);
  const float c = w->cos[i], s = w->sin[i], vx = w->v[i] * c, vy = w->v[i] * s;
  for (int32_t n = 0; n < nearest.count; ++n, out += DRIVE_BODY_OBS) {
    const int32_t k = (int32_t)(nearest.keys[n] & 0xffffffffu);
    const float dx = w->x[k] - x, dy = w->y[k] - y, cos = w->cos[k], sin = w->sin[k], v = w->v[k];
    const float dvx = v * cos - vx, dvy = v * sin - vy, length = w->length[k], width = w->width[k];
    out[0] = 1.0f;
    out[1] = drive_unit((dx * c + dy * s) * (1.0f / 50.0f)), out[2] = drive_unit((dy * c - dx * s) * (1.0f / 50.0f));
    out[3] = drive_unit(cos * c + sin * s), out[4] = drive_unit(sin * c - cos * s);
    out[5] = drive_unit((dvx * c + dvy * s) * (1.0f / DRIVE_MAX_MPS));
    out[6] = drive_unit((dvy * c - dvx * s) * (1.0f / DRIVE_MAX_MPS));
    out[7] = drive_unit(length * (1.0f / 10.0f)), out[8] = drive_unit(width * (1.0f / 3.0f));
  }
  memset(out, 0, sizeof *out * (size_t)((DRIVE_SEEN - nearest.count) * DRIVE_BODY_OBS));
}

PFC_TABLE float drive_kind_codes[] = {1.0f, 0.25f, 0.5f, -1.0f, -0.5f};

// The nearest segments within 50 m, by the squared distance of their nearest points.
DRIVE_APART void drive_observe_road(const DriveWorld* w, int32_t i, float* out) {
  const DriveTown* town = &w->s->town;
  const float x = w->x[i], y = w->y[i];
  DriveNearest nearest;
  nearest.count = 0, nearest.most = DRIVE_ROAD_SEEN;
  for (int32_t k = 0; k < town->num_segments; ++k) {
    const DriveSegment* g = &w->segments[k];
    const float square = drive_square_to(x, y, g->x0, g->y0, g->x1, g->y1);
    if (square <= DRIVE_LOOK * DRIVE_LOOK) drive_offer(&nearest, drive_near_key(square, k));
  }
  for (int32_t n = 0; n < nearest.count; ++n, out += DRIVE_ROAD_OBS) {
    const int32_t k = (int32_t)(nearest.keys[n] & 0xffffffffu);
    const DriveSegment* g = &w->segments[k];
    const DriveVector at = drive_own_frame(w, i, 0.5f * (g->x0 + g->x1) - x, 0.5f * (g->y0 + g->y1) - y);
    const DriveVector half = drive_own_frame(w, i, 0.5f * (g->x1 - g->x0), 0.5f * (g->y1 - g->y0));
    out[0] = 1.0f;
    out[1] = drive_unit(at.x * (1.0f / 50.0f)), out[2] = drive_unit(at.y * (1.0f / 50.0f));
    out[3] = drive_unit(half.x * (1.0f / 4.0f)), out[4] = drive_unit(half.y * (1.0f / 4.0f));
    out[5] = drive_kind_codes[w->kinds[k]];
  }
}

// A car that waits sees its place; one that is out sees where its life ended.
DRIVE_PART void drive_observe(const Drive* s, const DriveParams* p, int32_t agent, DriveObs* obs) {
  const DriveWorld w = drive_world(s, p);
  float* out = obs->value;
  const bool placed = w.cars[agent].num_lanes > 0;  // in this town
  memset(out, 0, sizeof *out * (size_t)(placed && p->guide ? 17 : DRIVE_OBS));
  if (p->view) memset(out + DRIVE_OBS, 0, sizeof *out * DRIVE_ROAD_SEEN * DRIVE_ROAD_OBS);
  if (!placed) return;
  drive_observe_self(&w, agent, out);
  drive_observe_line(&w, agent, out + 12);
  out[16] = w.cars[agent].waiting ? 1.0f : 0.0f;
  if (p->guide) drive_observe_route(&w, agent, out + 17);
  drive_observe_bodies(&w, agent, out + DRIVE_PLAIN_OBS);
  if (p->view) drive_observe_road(&w, agent, out + DRIVE_OBS);
}

PFC_FN void drive_metrics(const Drive* s, const DriveParams* p, int32_t agent, float* values) {
  const DriveWorld w = drive_world(s, p);
  const DriveCar* car = &w.cars[agent];
  const float ticks = (float)pfc_maxi(car->ticks, 1), span = car->goal - car->from;
  const bool failed = car->ended == DRIVE_CRASHED || car->ended == DRIVE_LEFT_ROAD;
  values[0] = (float)car->goals;
  if (p->goal_mode) values[1] = car->goals > 0 ? (float)car->goals / (float)(car->goals + failed) : 0.0f;
  else values[1] = car->goals > 0 && car->reds == 0 ? 1.0f : 0.0f;
  values[2] = car->ended == DRIVE_CRASHED ? 1.0f : 0.0f;
  values[3] = car->ended == DRIVE_LEFT_ROAD ? 1.0f : 0.0f;
  values[4] = car->reds > 0 ? 1.0f : 0.0f;
  values[5] = car->ended == DRIVE_REACHED ? 1.0f
              : span > 0.0f               ? pfc_clampf((drive_place(car) - car->from) / span, 0.0f, 1.0f)
                                          : 0.0f;
  values[6] = car->travelled / ticks;
  values[7] = (float)car->wrong_ticks / ticks;
  values[8] = (float)(s->traffic_crashes - car->traffic_crashes);
}

// ---- script ----------------------------------------------------------------------------------------

PFC_FN int32_t drive_nearest_choice(const float* table, int32_t count, float value) {
  int32_t best = 0;
  for (int32_t k = 1; k < count; ++k)
    if (pfc_absf(table[k] - value) < pfc_absf(table[best] - value)) best = k;
  return best;
}

// The rules of scripted cars, rounded to the nearest choices.
PFC_FN void drive_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                         int32_t* choices, float* controls) {
  const DriveWorld w = drive_world((const Drive*)state, (const DriveParams*)params);
  float accel = 0.0f, steer = 0.0f;
  (void)level, (void)rng;
  if (w.cars[agent].present) drive_decide(&w, agent, &accel, &steer);
  if (choices) {
    choices[0] = drive_nearest_choice(drive_accelerations, DRIVE_ACCELERATIONS, accel);
    choices[1] = drive_nearest_choice(drive_steers, DRIVE_STEERS, steer);
  } else {
    controls[0] = accel / (accel > 0.0f ? DRIVE_THROTTLE : DRIVE_BRAKE);
    controls[1] = steer / DRIVE_MAX_STEER;
  }
}

// ---- maps from a file ------------------------------------------------------------------------------
//
// `pufferc roads build` writes the file: DriveFile, then the offset of every map and of the end, then the maps. A map
// is a DriveTown and its arrays in the order of drive_map_parts, each padded to 8 bytes.

#define DRIVE_FILE_VERSION 1u
#define DRIVE_FILE_MAGIC "PFCROADS"

typedef struct DriveFile {
  char magic[8];
  uint32_t version, num_maps;
  uint32_t checksum, unused;  // CRC-32 of everything behind this struct
} DriveFile;

enum { DRIVE_PARTS = 12 };

// An array of a map: where it is in the state, how many of them a map has and the state can hold, and the parameter
// that gives more room: to hold `count`, it must be count * times / per, rounded up.
typedef struct DrivePart {
  void* to;
  int32_t count, most, bytes;  // bytes: of one
  const char *name, *param;
  int32_t times, per;
} DrivePart;

PFC_FN void drive_set_part(DrivePart* part, void* to, int32_t count, int32_t most, size_t bytes) {
  part->to = to, part->count = count, part->most = most, part->bytes = (int32_t)bytes;
}

PFC_FN void drive_name_part(DrivePart* part, const char* name, const char* param, int32_t times, int32_t per) {
  part->name = name, part->param = param, part->times = times, part->per = per;
}

enum { DRIVE_POINTS_PART = 0, DRIVE_TRACKS_PART = 5 };

PFC_FN void drive_map_parts(const DriveWorld* w, const DriveTown* t, const DriveSizes* z, DrivePart* parts) {
  drive_set_part(&parts[0], NULL, t->num_points, z->points, sizeof(DrivePoint));  // see drive_load_points
  drive_set_part(&parts[1], w->lanes, t->num_lanes, z->lanes, sizeof(DriveLane));
  drive_set_part(&parts[2], w->junctions, t->num_junctions, z->junctions, sizeof(DriveJunction));
  drive_set_part(&parts[3], w->segments, t->num_segments, z->segments, sizeof(DriveSegment));
  drive_set_part(&parts[4], w->crossings, t->num_crossings, z->crossings, sizeof(DriveSegment));
  drive_set_part(&parts[5], w->tracks, t->num_tracks, z->tracks, sizeof(DriveTrack));
  drive_set_part(&parts[6], w->poses, t->num_poses, z->poses, sizeof(DrivePose));
  drive_set_part(&parts[7], w->signals, t->num_signals, z->signals, sizeof(DriveSignal));
  drive_set_part(&parts[8], w->phases, t->num_phases, z->phases, sizeof(uint16_t));
  drive_set_part(&parts[9], w->starts, t->columns * t->rows + 1, z->cells + 1, sizeof(uint16_t));
  drive_set_part(&parts[10], w->entries, t->num_entries, z->entries, sizeof(uint16_t));
  drive_set_part(&parts[11], w->kinds, t->num_segments, z->segments, sizeof(uint8_t));
}

// The inverse of drive_sizes.
static void drive_name_parts(DrivePart* parts) {
  drive_name_part(&parts[0], "lane points", "map_points", 1, 1);
  drive_name_part(&parts[1], "lanes", "map_points", 4, 1);
  drive_name_part(&parts[2], "junctions", "map_points", 64, 1);
  drive_name_part(&parts[3], "segments", "map_segments", 1, 1);
  drive_name_part(&parts[4], "crosswalks", "map_points", 16, 1);
  drive_name_part(&parts[5], "tracks", "agents + traffic", 1, 1);
  drive_name_part(&parts[6], "recorded poses", "map_tracks", 1, 1);
  drive_name_part(&parts[7], "signals", "map_points", 32, 1);
  drive_name_part(&parts[8], "phases of signals", "map_points", 4, 1);
  drive_name_part(&parts[9], "cells", "map_segments", 1, 4);
  drive_name_part(&parts[10], "entries of cells", "map_segments", 2, 5);
  drive_name_part(&parts[11], "segments", "map_segments", 1, 1);
}

PFC_FN uint64_t drive_part_bytes(const DrivePart* part) {
  return ((uint64_t)part->count * (uint64_t)part->bytes + 7) / 8 * 8;
}

PFC_FN const uint64_t* drive_map_offsets(const void* data) {
  return (const uint64_t*)(const void*)((const unsigned char*)data + sizeof(DriveFile));
}

PFC_FN void drive_load_points(const DriveWorld* w, const void* from) {
  const DrivePoint* points = (const DrivePoint*)from;
  for (int32_t k = 0; k < w->s->town.num_points; ++k) drive_set_point(w, k, &points[k]);
}

// Copies a map, drawn by the state's random numbers, into the state.
PFC_FN void drive_load_map(const DriveWorld* w, const void* data) {
  DriveFile file;
  DrivePart parts[DRIVE_PARTS];
  memcpy(&file, data, sizeof file);
  const DriveSizes z = drive_sizes(w->p);
  const uint32_t map = pfc_rng_below(&w->s->rng, file.num_maps);
  const unsigned char* at = (const unsigned char*)data + drive_map_offsets(data)[map];
  memcpy(&w->s->town, at, sizeof(DriveTown));
  at += sizeof(DriveTown);
  drive_map_parts(w, &w->s->town, &z, parts);
  for (int32_t k = 0; k < DRIVE_PARTS; ++k) {
    if (k == DRIVE_POINTS_PART) drive_load_points(w, at);
    else if (parts[k].count > 0) memcpy(parts[k].to, at, (size_t)parts[k].count * (size_t)parts[k].bytes);
    at += drive_part_bytes(&parts[k]);
  }
}

PFC_FN void drive_reset_from(void* state, const void* params, const void* data, uint64_t data_bytes) {
  DriveWorld w = drive_world((Drive*)state, (const DriveParams*)params);
  (void)data_bytes;
  drive_load_map(&w, data);
  drive_populate(&w);
  drive_start_agents(&w);
}

PFC_FN void drive_respawn_from(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes) {
  DriveWorld w = drive_world((Drive*)state, (const DriveParams*)params);
  const bool renew = w.s->renew;
  (void)data_bytes;
  if (renew) {
    drive_load_map(&w, data);
    drive_populate(&w);
  }
  drive_restart(&w, agent, renew);
}

// ---- checks of a file --------------------------------------------------------------------------------

static uint32_t drive_crc32(const unsigned char* data, uint64_t bytes) {
  uint32_t table[256], crc = 0xffffffffu;
  for (uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int32_t k = 0; k < 8; ++k) table[i] = (table[i] >> 1) ^ (table[i] & 1u ? 0xedb88320u : 0u);
  }
  for (uint64_t i = 0; i < bytes; ++i) crc = (crc >> 8) ^ table[(crc ^ data[i]) & 0xffu];
  return ~crc;
}

static bool drive_all_finite(const float* values, int64_t count, float most) {
  for (int64_t i = 0; i < count; ++i)
    if (!(values[i] >= -most && values[i] <= most)) return false;
  return true;
}

// Why a map is inconsistent, or NULL. Everything that a step uses as an index or divides by is checked here.
static const char* drive_check_lane(const DriveWorld* w, const DriveTown* t, const DriveLane* lane) {
  const int32_t none = DRIVE_NONE;
  if (lane->count < 2 || lane->first + lane->count > t->num_points) return "points of a lane";
  if (!(lane->length >= 0.5f && lane->length <= 1e5f && lane->limit >= 0.1f && lane->limit <= 100.0f))
    return "length or limit of a lane";
  if (!(drive_spacing(lane) >= 0.25f && drive_spacing(lane) <= 4.0f)) return "spacing of a lane";
  if (!(lane->stop >= -1.0f && lane->stop <= lane->length && lane->centre >= 0.0f && lane->centre <= 1000.0f))
    return "stop line of a lane";
  if (lane->num_next > DRIVE_NEXT || lane->kind > DRIVE_RING || lane->turn > DRIVE_RIGHT) return "kind of a lane";
  for (int32_t k = 0; k < lane->num_next; ++k)
    if (lane->next[k] >= t->num_lanes) return "successor of a lane";
  for (int32_t k = 0; k < 2; ++k)
    if ((lane->crossing[k] != none && lane->crossing[k] >= t->num_crossings) ||
        !(lane->crossing_place[k] >= 0.0f && lane->crossing_place[k] <= lane->length))
      return "crosswalk of a lane";
  if (lane->signal != none && lane->signal >= t->num_signals) return "signal of a lane";
  if (lane->merge != none && lane->merge >= t->num_lanes) return "merge of a lane";
  if (lane->junction == none) return NULL;
  if (lane->junction >= t->num_junctions || lane->bit >= w->junctions[lane->junction].num_movements)
    return "junction of a lane";
  return &w->lanes[w->junctions[lane->junction].movement[lane->bit]] == lane ? NULL : "movement of a junction";
}

static const char* drive_check_track(const DriveTown* t, const DriveTrack* track) {
  if (track->kind > DRIVE_WALKER || track->count < 1 || track->first + track->count > t->num_poses)
    return "poses of a track";
  if (!(track->length >= 0.1f && track->length <= 30.0f && track->width >= 0.1f && track->width <= 10.0f))
    return "size of a track";
  if (track->num_route > DRIVE_ROUTE) return "route of a track";
  if (track->num_route == 0) return NULL;
  if (track->lane != track->route[0] ||
      !(track->along >= 0.0f && track->along <= 1e5f && track->goal >= 0.0f && track->goal <= 1e5f))
    return "start of a track";
  for (int32_t k = 0; k < track->num_route; ++k)
    if (track->route[k] >= t->num_lanes) return "route of a track";
  return NULL;
}

static const char* drive_check_grid(const DriveWorld* w, const DriveTown* t) {
  const int32_t cells = t->columns * t->rows;
  if (w->starts[0] != 0 || w->starts[cells] != t->num_entries) return "grid";
  for (int32_t k = 0; k < cells; ++k) {
    if (w->starts[k] > w->starts[k + 1]) return "grid";
    for (int32_t i = w->starts[k]; i < w->starts[k + 1]; ++i)
      if (w->entries[i] >= t->num_segments || (i > w->starts[k] && w->entries[i] <= w->entries[i - 1])) return "grid";
  }
  for (int32_t k = 0; k < t->num_segments; ++k)
    if (w->kinds[k] > DRIVE_CROSSING || (w->kinds[k] == DRIVE_EDGE_LINE) != (k < t->num_edges))
      return "kind of a segment";
  return NULL;
}

static const char* drive_check_lights(const DriveWorld* w, const DriveTown* t) {
  for (int32_t k = 0; k < t->num_phases; ++k)
    if (w->phases[k] >> 2 == 0 || (w->phases[k] & 3) > DRIVE_RED) return "phase of a signal";
  for (int32_t k = 0; k < t->num_signals; ++k) {
    const DriveSignal* s = &w->signals[k];
    if (s->count < 1 || s->first + s->count > t->num_phases || s->at >= s->count || s->left < 1) return "signal";
  }
  for (int32_t k = 0; k < t->num_junctions; ++k) {
    const DriveJunction* j = &w->junctions[k];
    if (j->num_movements > DRIVE_MOVEMENTS) return "junction";
    for (int32_t m = 0; m < j->num_movements; ++m)
      if (j->movement[m] >= t->num_lanes) return "movement of a junction";
  }
  return NULL;
}

static const char* drive_check_map(const DriveWorld* w, const DriveTown* t, const float* points) {
  const char* wrong = drive_check_lights(w, t);
  if (!wrong) wrong = drive_check_grid(w, t);
  if (!drive_all_finite(points, 6 * (int64_t)t->num_points, 1e5f)) return "place of a lane point";
  if (!drive_all_finite((const float*)w->segments, 4 * (int64_t)t->num_segments, 1e5f)) return "place of a segment";
  if (!drive_all_finite((const float*)w->crossings, 4 * (int64_t)t->num_crossings, 1e5f)) return "place of a crosswalk";
  if (!drive_all_finite((const float*)w->poses, 5 * (int64_t)t->num_poses, 1e5f)) return "recorded pose";
  for (int32_t k = 0; k < t->num_lanes && !wrong; ++k) wrong = drive_check_lane(w, t, &w->lanes[k]);
  for (int32_t k = 0; k < t->num_roads && !wrong; ++k)
    if (w->lanes[k].kind != DRIVE_ROAD) wrong = "order of lanes";
  for (int32_t k = 0; k < t->num_tracks && !wrong; ++k) wrong = drive_check_track(t, &w->tracks[k]);
  return wrong;
}

static bool drive_town_counts(const DriveTown* t) {
  const int32_t counts[] = {t->num_points, t->num_lanes,   t->num_roads,   t->num_junctions, t->num_segments,
                            t->num_edges,  t->num_signals, t->num_phases,  t->num_crossings, t->columns,
                            t->rows,       t->num_entries, t->num_tracks,  t->num_poses};
  for (size_t k = 0; k < sizeof counts / sizeof counts[0]; ++k)
    if (counts[k] < 0 || counts[k] > 65535) return false;
  return t->num_roads >= 1 && t->num_roads <= t->num_lanes && t->num_edges <= t->num_segments && t->columns >= 1 &&
         t->rows >= 1 && (int64_t)t->columns * t->rows <= 65535 * 4 && t->left >= -1e5f && t->left <= 1e5f &&
         t->bottom >= -1e5f && t->bottom <= 1e5f && t->usable >= 0.0f && t->usable <= 1e7f && t->road >= 0.0f &&
         t->road <= 1e7f;
}

static const char* drive_check_map_at(const DriveParams* p, const unsigned char* at, uint64_t bytes, uint32_t map) {
  static __thread char message[200];
  DriveTown town;
  DrivePart parts[DRIVE_PARTS];
  static Drive anchor;  // of pointers that are replaced by those into the file
  DriveWorld w = drive_world(&anchor, p);
  const DriveSizes z = drive_sizes(p);
  uint64_t need = sizeof town;
  if (bytes >= need) memcpy(&town, at, sizeof town);
  if (bytes < need || !drive_town_counts(&town)) {
    snprintf(message, sizeof message, "map %u: its table of contents is damaged", (unsigned)map);
    return message;
  }
  drive_map_parts(&w, &town, &z, parts);
  drive_name_parts(parts);
  for (int32_t k = 0; k < DRIVE_PARTS; ++k) need += drive_part_bytes(&parts[k]);
  if (need != bytes) {
    snprintf(message, sizeof message, "map %u: expected %llu bytes, got %llu", (unsigned)map, (unsigned long long)need,
             (unsigned long long)bytes);
    return message;
  }
  for (int32_t k = 0; k < DRIVE_PARTS; ++k) {
    const DrivePart* part = &parts[k];
    if (part->count <= part->most) continue;
    if (k == DRIVE_TRACKS_PART && town.num_poses > p->map_tracks) continue;  // the poses need room first
    const int64_t value = ((int64_t)part->count * part->times + part->per - 1) / part->per;
    snprintf(message, sizeof message, "map %u: %d %s, but only %d fit; set %s to %d", (unsigned)map, (int)part->count,
             part->name, (int)part->most, part->param, (int)value);
    return message;
  }
  // The arrays as they lie in the file.
  uint64_t offset = sizeof town;
  const unsigned char* begins[DRIVE_PARTS];
  for (int32_t k = 0; k < DRIVE_PARTS; ++k) begins[k] = at + offset, offset += drive_part_bytes(&parts[k]);
  w.lanes = (DriveLane*)(void*)begins[1], w.junctions = (DriveJunction*)(void*)begins[2];
  w.segments = (DriveSegment*)(void*)begins[3], w.crossings = (DriveSegment*)(void*)begins[4];
  w.tracks = (DriveTrack*)(void*)begins[5], w.poses = (DrivePose*)(void*)begins[6],
  w.signals = (DriveSignal*)(void*)begins[7];
  w.phases = (uint16_t*)(void*)begins[8], w.starts = (uint16_t*)(void*)begins[9],
  w.entries = (uint16_t*)(void*)begins[10];
  w.kinds = (uint8_t*)begins[11];
  const char* wrong = drive_check_map(&w, &town, (const float*)(const void*)begins[DRIVE_POINTS_PART]);
  if (!wrong) return NULL;
  snprintf(message, sizeof message, "map %u: the %s is invalid", (unsigned)map, wrong);
  return message;
}

static const char* drive_check_data(const void* params, const void* data, uint64_t data_bytes) {
  const unsigned char* bytes = (const unsigned char*)data;
  DriveFile file;
  if ((uintptr_t)data % 8 != 0) return "expected a file of maps at an address that is a multiple of 8";
  if (data_bytes < sizeof file)
    return "expected a file of maps from `pufferc roads build`, got fewer bytes than its header has";
  memcpy(&file, data, sizeof file);
  if (memcmp(file.magic, DRIVE_FILE_MAGIC, sizeof file.magic) != 0)
    return "expected a file of maps from `pufferc roads build`";
  if (file.version != DRIVE_FILE_VERSION)
    return "the maps have another version; build them again with `pufferc roads build`";
  if (drive_crc32(bytes + sizeof file, data_bytes - sizeof file) != file.checksum)
    return "the file of maps is damaged: its checksum differs";
  const uint64_t head = sizeof file + 8 * ((uint64_t)file.num_maps + 1);
  if (file.num_maps < 1 || file.num_maps > (1u << 24) || head > data_bytes)
    return "the file of maps is damaged: its number of maps";
  const uint64_t* offsets = drive_map_offsets(data);
  if (offsets[0] != head || offsets[file.num_maps] != data_bytes) return "the file of maps is damaged: its offsets";
  for (uint32_t map = 0; map < file.num_maps; ++map) {
    if (offsets[map + 1] < offsets[map] || offsets[map + 1] > data_bytes || offsets[map] % 8 != 0)
      return "the file of maps is damaged: its offsets";
    const char* wrong =
        drive_check_map_at((const DriveParams*)params, bytes + offsets[map], offsets[map + 1] - offsets[map], map);
    if (wrong) return wrong;
  }
  return NULL;
}

// ---- picture ---------------------------------------------------------------------------------------
//
// The picture has 640 x 480 units. It shows the whole town, or the surroundings of the followed agent where the town is
// too large for its cars to be seen. North is up.

#define DRIVE_ASPHALT 0x2a2e39u
#define DRIVE_KERB 0x707a90u
#define DRIVE_PAINT 0x555d70u
#define DRIVE_YELLOW_LINE 0x8f7430u

typedef struct DriveFrame {
  float x, y, scale;  // the world's place at the middle of the picture, and units per m
  const PfcDraw* d;
} DriveFrame;

enum { DRIVE_PICTURE_WIDTH = 640, DRIVE_PICTURE_HEIGHT = 480, DRIVE_FOOTER = 34 };

static PfcPoint drive_pixel(const DriveFrame* f, float x, float y) {
  PfcPoint p;
  p.x = 0.5f * (float)DRIVE_PICTURE_WIDTH + f->scale * (x - f->x);
  p.y = 0.5f * (float)(DRIVE_PICTURE_HEIGHT - DRIVE_FOOTER) - f->scale * (y - f->y);
  return p;
}

static DriveFrame drive_frame(const DriveWorld* w, const PfcDraw* d) {
  const DriveTown* town = &w->s->town;
  const float width = DRIVE_CELL * (float)town->columns, height = DRIVE_CELL * (float)town->rows;
  DriveFrame f;
  f.d = d;
  f.x = town->left + 0.5f * width, f.y = town->bottom + 0.5f * height;
  f.scale = pfc_minf((float)DRIVE_PICTURE_WIDTH / width, (float)(DRIVE_PICTURE_HEIGHT - DRIVE_FOOTER) / height);
  if (f.scale >= 1.2f) return f;
  f.x = w->x[d->agent], f.y = w->y[d->agent];  // 60 m around it
  f.scale = (float)(DRIVE_PICTURE_HEIGHT - DRIVE_FOOTER) / 120.0f;
  return f;
}

static void drive_draw_line(const DriveFrame* f, float x0, float y0, float x1, float y1, float metres, PfcColor color) {
  const PfcPoint a = drive_pixel(f, x0, y0), b = drive_pixel(f, x1, y1);
  f->d->line(f->d->context, a.x, a.y, b.x, b.y, pfc_maxf(metres * f->scale, 0.6f), color);
}

// A box in a body's frame: from `back` to `front` along its heading, `half` to either side, in m from its centre.
static void drive_draw_box(const DriveWorld* w, const DriveFrame* f, int32_t i, float back, float front, float half,
                           PfcColor color) {
  const float c = w->cos[i], s = w->sin[i], x = w->x[i], y = w->y[i];
  PfcPoint corners[4];
  corners[0] = drive_pixel(f, x + front * c - half * s, y + front * s + half * c);
  corners[1] = drive_pixel(f, x + front * c + half * s, y + front * s - half * c);
  corners[2] = drive_pixel(f, x + back * c + half * s, y + back * s - half * c);
  corners[3] = drive_pixel(f, x + back * c - half * s, y + back * s + half * c);
  f->d->polygon(f->d->context, corners, 4, color);
}

// Asphalt as wide as the room that each lane's points have. Movements are wider, so that they close the gaps between
// each other.
static void drive_draw_asphalt(const DriveWorld* w, const DriveFrame* f) {
  for (int32_t i = 0; i < w->s->town.num_lanes; ++i) {
    const DriveLane* lane = &w->lanes[i];
    const float wide = lane->kind == DRIVE_MOVEMENT ? 4.0f : 2.6f;
    for (int32_t k = 0; k + 1 < lane->count; ++k) {
      const DrivePoint a = drive_point(w, lane->first + k), b = drive_point(w, lane->first + k + 1);
      const float left_a = pfc_minf(a.left, wide), left_b = pfc_minf(b.left, wide);
      const float right_a = pfc_minf(a.right, wide), right_b = pfc_minf(b.right, wide);
      PfcPoint corners[4];
      corners[0] = drive_pixel(f, a.x - left_a * a.sin - 0.2f * a.cos, a.y + left_a * a.cos - 0.2f * a.sin);
      corners[1] = drive_pixel(f, b.x - left_b * b.sin + 0.2f * b.cos, b.y + left_b * b.cos + 0.2f * b.sin);
      corners[2] = drive_pixel(f, b.x + right_b * b.sin + 0.2f * b.cos, b.y - right_b * b.cos + 0.2f * b.sin);
      corners[3] = drive_pixel(f, a.x + right_a * a.sin - 0.2f * a.cos, a.y - right_a * a.cos - 0.2f * a.sin);
      f->d->polygon(f->d->context, corners, 4, pfc_rgb(DRIVE_ASPHALT));
    }
  }
}

// Zebra bars across a segment of a crosswalk.
static void drive_draw_zebra(const DriveFrame* f, const DriveSegment* g) {
  const float dx = g->x1 - g->x0, dy = g->y1 - g->y0, length = pfc_sqrtf(dx * dx + dy * dy);
  const DriveVector way = drive_normal(drive_vector(dx, dy));
  const int32_t bars = pfc_maxi(1, (int32_t)(length / 1.2f));
  for (int32_t k = 0; k < bars; ++k) {
    const float at = length * ((float)k + 0.5f) / (float)bars, x = g->x0 + at * way.x, y = g->y0 + at * way.y;
    drive_draw_line(f, x + 0.9f * way.y, y - 0.9f * way.x, x - 0.9f * way.y, y + 0.9f * way.x, 0.55f,
                    pfc_tint(PFC_INK, 120));
  }
}

static void drive_draw_marks(const DriveWorld* w, const DriveFrame* f) {
  for (int32_t i = 0; i < w->s->town.num_segments; ++i) {
    const DriveSegment* g = &w->segments[i];
    const float mx = 0.5f * (g->x0 + g->x1), my = 0.5f * (g->y0 + g->y1);
    switch (w->kinds[i]) {
      case DRIVE_EDGE_LINE: drive_draw_line(f, g->x0, g->y0, g->x1, g->y1, 0.4f, pfc_rgb(DRIVE_KERB)); break;
      case DRIVE_DIVIDER: drive_draw_line(f, g->x0, g->y0, mx, my, 0.25f, pfc_rgb(DRIVE_PAINT)); break;
      case DRIVE_CENTRE: drive_draw_line(f, g->x0, g->y0, g->x1, g->y1, 0.3f, pfc_rgb(DRIVE_YELLOW_LINE)); break;
      case DRIVE_CROSSING: drive_draw_zebra(f, g); break;
      default: drive_draw_line(f, g->x0, g->y0, g->x1, g->y1, 0.5f, pfc_rgb(PFC_DIM)); break;
    }
  }
}

// Stop lines in the colour of their light; of two lanes each has its own.
static void drive_draw_lights(const DriveWorld* w, const DriveFrame* f) {
  static const uint32_t colors[] = {PFC_GOOD, PFC_GOAL, PFC_BAD};
  for (int32_t i = 0; i < w->s->town.num_lanes; ++i) {
    const DriveLane* lane = &w->lanes[i];
    if (lane->stop < 0.0f || lane->num_next == 0 || w->lanes[lane->next[0]].signal == DRIVE_NONE) continue;
    const DrivePoint p = drive_point_at(w, lane, lane->stop);
    drive_draw_line(f, p.x - 1.6f * p.sin, p.y + 1.6f * p.cos, p.x + 1.6f * p.sin, p.y - 1.6f * p.cos, 1.1f,
                    pfc_rgb(colors[drive_light(w, lane->next[0])]));
  }
}

static void drive_paint_route(const DriveWorld* w, const DriveFrame* f, int32_t i) {
  const DriveCar* car = &w->cars[i];
  if (!car->present) return;
  const float left = car->goal - drive_place(car);
  DrivePoint last = drive_route_at(w, car, 0.0f);
  for (float at = 2.0f; at < left; at += 2.0f) {
    const DrivePoint p = drive_route_at(w, car, at);
    drive_draw_line(f, last.x, last.y, p.x, p.y, 0.5f, pfc_tint(PFC_GOAL, 150));
    last = p;
  }
  const PfcPoint goal = drive_pixel(f, car->goal_x, car->goal_y);
  const float radius = pfc_maxf(w->p->goal_radius, 2.0f) * f->scale;
  f->d->circle(f->d->context, goal.x, goal.y, radius, pfc_tint(PFC_GOAL, 70));
  f->d->circle(f->d->context, goal.x, goal.y, 0.4f * radius, pfc_rgb(PFC_GOAL));
}

static void drive_draw_body(const DriveWorld* w, const DriveFrame* f, int32_t i) {
  const float half_length = 0.5f * w->length[i], half_width = 0.5f * w->width[i];
  if (i >= w->num_cars || w->cars[i].kind == DRIVE_WALKER) {
    const PfcPoint at = drive_pixel(f, w->x[i], w->y[i]);
    f->d->circle(f->d->context, at.x, at.y, pfc_maxf(0.6f * f->scale, 1.6f), pfc_rgb(PFC_RIVAL));
    return;
  }
  const bool agent = i < w->p->agents, bike = w->cars[i].kind == DRIVE_BIKE;
  const uint32_t color = bike ? PFC_VIOLET : !agent ? 0x9aa2b4u : i == f->d->agent ? PFC_GOAL : PFC_AGENT;
  drive_draw_box(w, f, i, -half_length, half_length, bike ? 0.5f : half_width, pfc_rgb(color));
  if (bike) return;
  drive_draw_box(w, f, i, 0.15f * half_length, 0.5f * half_length, 0.75f * half_width,
                 pfc_tint(PFC_PAGE, agent ? 150 : 110));
  if (w->accel[i] < -1.0f) drive_draw_box(w, f, i, -half_length, -0.8f * half_length, half_width, pfc_rgb(PFC_BAD));
}

static void drive_draw(const Drive* s, const DriveParams* p, const PfcDraw* d) {
  const DriveWorld w = drive_world(s, p);
  const DriveFrame f = drive_frame(&w, d);
  const float foot = (float)(DRIVE_PICTURE_HEIGHT - DRIVE_FOOTER);
  pfc_draw_board(d, (float)DRIVE_PICTURE_WIDTH, (float)DRIVE_PICTURE_HEIGHT);
  drive_draw_asphalt(&w, &f);
  drive_draw_marks(&w, &f);
  drive_draw_lights(&w, &f);
  drive_paint_route(&w, &f, d->agent);
  for (int32_t i = 0; i < w.num_bodies; ++i)
    if (w.away[i] == 0.0f) drive_draw_body(&w, &f, i);
  for (int32_t i = 0; i < w.num_cars; ++i) {
    const int32_t age = s->steps - w.cars[i].marked;
    if (w.cars[i].marked == 0 || age > 1) continue;
    const PfcPoint at = drive_pixel(&f, w.cars[i].mark_x, w.cars[i].mark_y);
    d->circle(d->context, at.x, at.y, (4.0f + (float)age) * f.scale, pfc_tint(PFC_BAD, age == 0 ? 150 : 60));
  }
  d->rect(d->context, 0.0f, foot, (float)DRIVE_PICTURE_WIDTH, (float)DRIVE_FOOTER, pfc_rgb(PFC_BOARD));
  pfc_draw_count(d, 20.0f, foot + 7.0f, 20.0f, true, s->goals, "goals");
  pfc_draw_count(d, 200.0f, foot + 7.0f, 20.0f, true, s->crashes, "crashes");
  pfc_draw_measure(d, (float)DRIVE_PICTURE_WIDTH - 20.0f, foot + 7.0f, 20.0f, false, DRIVE_TICK_S * (float)s->ticks,
                   false, "s");
  d->end(d->context);
}

// ---- state fields for tests --------------------------------------------------------------------------

enum { DRIVE_FIELD_X, DRIVE_FIELD_Y, DRIVE_FIELD_COS, DRIVE_FIELD_SIN, DRIVE_FIELD_V, DRIVE_FIELD_AWAY, DRIVE_FIELDS };

static const PfcField drive_fields[] = {
    {"x", PFC_FLOAT32, 1, 0},   {"y", PFC_FLOAT32, 1, 0},     {"cos", PFC_FLOAT32, 1, 0},
    {"sin", PFC_FLOAT32, 1, 0}, {"speed", PFC_FLOAT32, 1, 0}, {"away", PFC_FLOAT32, 1, 0},
    PFC_STATE_FIELD(Drive, steps, PFC_INT32), PFC_STATE_FIELD(Drive, traffic_crashes, PFC_INT32),
};

// Bodies lie behind arrays whose sizes depend on parameters.
static void drive_field(const void* params, int32_t index, PfcField* field) {
  if (index >= DRIVE_FIELDS) return;
  static Drive anchor;  // of the offsets
  const DriveWorld w = drive_world(&anchor, (const DriveParams*)params);
  const float* const arrays[] = {w.x, w.y, w.cos, w.sin, w.v, w.away};
  field->offset = (uint64_t)((uintptr_t)arrays[index] - (uintptr_t)&anchor);
  field->count = (uint64_t)w.num_bodies;
}

// Without a key the car accelerates, straight on: choice 4 of either dimension.
static const PfcKeyBinding drive_keys[] = {
    PFC_BIND("up w", "coast", 0, 2),
    PFC_BIND("down s", "brake", 0, 1),
    PFC_BIND("space", "brake hard", 0, 0),
    PFC_BIND("left a", "steer left", 1, 7),
    PFC_BIND("right d", "steer right", 1, 1),
};

PFC_DEFINE_ENV(drive, Drive,
               .title = "Drive",
               .summary = "cars learn to share the roads of a town: keep to them, give way, avoid crashes, arrive",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {DRIVE_ACCELERATIONS, DRIVE_STEERS}},
               .layout = drive_layout,
               .check = drive_check,
               .script = drive_script,
               .num_levels = 1,
               .respawn = drive_respawn,
               .check_data = drive_check_data,
               .reset_from = drive_reset_from,
               .respawn_from = drive_respawn_from,
               .obs_rows = drive_obs,
               .num_obs_rows = sizeof drive_obs / sizeof drive_obs[0],
               .metrics = {"score", "perf", "crashed", "off_road", "ran_red", "progress", "speed", "wrong_side",
                           "traffic_crashes"},
               .fields = drive_fields,
               .num_fields = sizeof drive_fields / sizeof drive_fields[0],
               .field = drive_field,
               .fps = 5,
               .keys = drive_keys,
               .num_keys = sizeof drive_keys / sizeof drive_keys[0],
               .idle = 4)
