# The floating-point flags. They are part of the contract: a trajectory has one hash on every machine. Included by the top
# CMakeLists.txt, before whatever is compiled with them; handed out to whoever compiles a game of their own by the target
# pufferc::game, by pkg-config (variable game_cflags) and by `python -m pufferc --cflags`.
#
# PUFFERC_FLOAT_FLAGS    For all code. Products and sums are never fused into one rounding; the other two flags change no
#                        result, only how freely loops may be vectorised.
# PUFFERC_UNFUSED_FLAGS  For Box2D and games. The vectoriser of GCC 12 before 12.5 fuses in spite of -ffp-contract=off
#                        wherever the processor can. On x86 these flags take the instructions away, whatever -march the
#                        user names: the last flag wins, and CMake puts the user's flags first.
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
