# check_fused.cmake - checks that compiled games have no fused multiply-add. It rounds once instead of twice, so a
# trajectory would depend on the compiler and the processor.
#
#   cmake -DOBJDUMP=objdump -DLIBRARY=libpufferc.a -DAR=ar -DNM=nm -DGAMES="breakout pong" -DWORK=folder [-DBOX2D=...] -P ...
#     checks every game in the library, each in an object with a record pfc_env_<game>, and every object of Box2D
#   cmake -DOBJDUMP=objdump -DCOMPILER=cc -DFLAGS="-O3 -mfma" -DSOURCE=game.c -DINCLUDE=csrc/include -DWORK=folder -P ...
#     compiles one source and checks its object
cmake_minimum_required(VERSION 3.24)
# Spellings of x86-64 (vfmadd, vfmaddsub, ...), aarch64 (fmadd, fmla, fcmla, ...), 32-bit ARM (vfma.f32) and RISC-V (vfmacc).
set(fused "\t(v4?fc?w?n?m(add|sub|acc|sac)|fn?m(add|sub|la|ls|ad|sb)|fcmla|vfn?m[as]\\.)[^\n]*")
separate_arguments(FLAGS)
separate_arguments(GAMES)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(check_object object)
  execute_process(COMMAND ${OBJDUMP} -d ${object} OUTPUT_VARIABLE code COMMAND_ERROR_IS_FATAL ANY)
  string(LENGTH "${code}" length)
  if(length LESS 300)
    message(FATAL_ERROR "${object} contains no code:\n${code}")
  endif()
  if(code MATCHES "${fused}")
    message(FATAL_ERROR "${object} contains fused products, such as:${CMAKE_MATCH_0}")
  endif()
endfunction()

if(SOURCE)
  execute_process(COMMAND ${COMPILER} ${FLAGS} -I ${INCLUDE} -c ${SOURCE} -o ${WORK}/object.o COMMAND_ERROR_IS_FATAL ANY)
  check_object(${WORK}/object.o)
  return()
endif()

# A line of nm -A is libpufferc.a:breakout.c.o:0000 D pfc_env_breakout; a record is data, functions are T.
execute_process(COMMAND ${NM} -A --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^:\n]+: *[0-9a-f]* [DRdr] _?pfc_env_[a-z0-9_]+" records "${symbols}")
set(games "")
foreach(record IN LISTS records)
  string(REGEX MATCH "^([^:]+):.* _?pfc_env_([a-z0-9_]+)$" record "${record}")
  list(APPEND games ${CMAKE_MATCH_2})
  execute_process(COMMAND ${AR} x ${LIBRARY} ${CMAKE_MATCH_1} WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
  check_object(${WORK}/${CMAKE_MATCH_1})
endforeach()
list(SORT games)
if(NOT games STREQUAL GAMES)
  message(FATAL_ERROR "${LIBRARY} contains the games ${games}; expected ${GAMES}")
endif()
if(BOX2D)
  file(MAKE_DIRECTORY ${WORK}/box2d)
  execute_process(COMMAND ${AR} x ${BOX2D} WORKING_DIRECTORY ${WORK}/box2d COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB objects ${WORK}/box2d/*.o)
  foreach(object IN LISTS objects)
    check_object(${object})
  endforeach()
endif()
