# Floating-point flags. They are part of the contract that a trajectory has the same hash on every machine. The top
# CMakeLists.txt includes this file before it adds targets. The target pufferc::game, pkg-config (variable game_cflags)
# and `python -m pufferc --cflags` give the flags to users who compile games.
#
# PUFFERC_FLOAT_FLAGS    For all code. No fused multiply-add. The other two flags change no result; they allow the
#                        compiler to vectorise more loops.
# PUFFERC_UNFUSED_FLAGS  For Box2D and games. The vectoriser of GCC 12 before 12.5 fuses despite -ffp-contract=off if
#                        the processor has the instructions. On x86 these flags disable them for any -march of the user:
#                        the last flag wins, and CMake puts the user's flags first.
# PUFFERC_GAME_FLAGS     Both, for games.
include(CheckCSourceCompiles)
check_c_source_compiles("
#if !defined(__x86_64__) && !defined(__i386__)
#error this is another processor
#endif
int main(void) { return 0; }" PUFFERC_X86)
set(PUFFERC_FLOAT_FLAGS -ffp-contract=off -fno-math-errno -fno-trapping-math)
set(PUFFERC_UNFUSED_FLAGS -ffp-contract=off)
if(PUFFERC_X86)
  list(APPEND PUFFERC_UNFUSED_FLAGS -mno-fma -mno-fma4 -mno-avx512f)
endif()
set(PUFFERC_GAME_FLAGS ${PUFFERC_FLOAT_FLAGS} ${PUFFERC_UNFUSED_FLAGS})
list(REMOVE_DUPLICATES PUFFERC_GAME_FLAGS)
