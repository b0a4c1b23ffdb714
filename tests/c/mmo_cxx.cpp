// mmo_cxx.cpp - the rules of mmo compiled as C++17, for a comparison with the C17 build in test_mmo_lives.c.
#include "../../csrc/envs/mmo.c"

extern "C" {
void mmo_cxx_reset(void* state, const void* params);
void mmo_cxx_step(void* state, const void* params, const PfcIo* io);
void mmo_cxx_respawn(void* state, const void* params, int32_t agent);
void mmo_cxx_observe(const void* state, const void* params, int32_t agent, void* obs);

void mmo_cxx_reset(void* state, const void* params) { mmo_reset((Mmo*)state, (const MmoParams*)params); }
void mmo_cxx_step(void* state, const void* params, const PfcIo* io) { mmo_step((Mmo*)state, (const MmoParams*)params, *io); }
void mmo_cxx_respawn(void* state, const void* params, int32_t agent) { mmo_respawn(state, params, agent); }
void mmo_cxx_observe(const void* state, const void* params, int32_t agent, void* obs) {
  mmo_observe((const Mmo*)state, (const MmoParams*)params, agent, (MmoObs*)obs);
}
}
