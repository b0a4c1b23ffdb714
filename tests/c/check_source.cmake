# check_source.cmake - runs one compiler command and checks its result.
#
#   cmake -DMODE=module -DCOMPILER=cc -DNM=nm -DSOURCE=game.c -DINCLUDE=csrc/include -DFLAGS="-ffp-contract=off" -DOUTPUT=game.so -P ...
#     builds the game as a loadable module: it has no undefined pfc_ symbol, and its only export is pfc_env_module
#   cmake -DMODE=clones -DCOMPILER=cc -DNM=nm -DSOURCE=game.c -DINCLUDE=csrc/include -DOUTPUT=game.o -P ...
#     checks that the game's loops have clones for wider instruction sets
#   cmake -DMODE=syntax -DCOMPILER=c++ -DFLAGS="-x;c++;-std=c++17" -DSOURCE=... -DINCLUDE=... -P ...
#     checks that the file compiles without a warning

function(run_or_fail)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${SOURCE}: failed: ${ARGV}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

if(MODE STREQUAL "syntax")
  run_or_fail(${COMPILER} -fsyntax-only -Wall -Wextra -Wpedantic -Werror ${FLAGS} -I ${INCLUDE} ${SOURCE})
  return()
endif()

if(MODE STREQUAL "clones")
  run_or_fail(${COMPILER} -std=gnu17 -O2 -ffp-contract=off -I ${INCLUDE} -c ${SOURCE} -o ${OUTPUT})
  run_or_fail(${NM} ${OUTPUT})
  if(NOT output MATCHES "_step_range_\\.avx2" OR NOT output MATCHES "_observe_range_\\.avx2")
    message(FATAL_ERROR "${COMPILER} made no clone for AVX2:\n${output}")
  endif()
  return()
endif()

run_or_fail(${COMPILER} -std=gnu17 -shared -fPIC -O2 ${FLAGS} -I ${INCLUDE} -o ${OUTPUT} ${SOURCE})
run_or_fail(${NM} -D --undefined-only ${OUTPUT})
if(output MATCHES "pfc_")
  message(FATAL_ERROR "${SOURCE}: the module needs symbols of the library:\n${output}")
endif()
run_or_fail(${NM} -D --defined-only --extern-only ${OUTPUT})
string(REGEX REPLACE "[^\n]* [A-Za-z] (_init|_fini|__bss_start|_edata|_end)\n" "" output "${output}")
if(NOT output MATCHES "^[0-9a-f]+ [DRV] pfc_env_module\n$")
  message(FATAL_ERROR "${SOURCE}: expected pfc_env_module as the only export, got:\n${output}")
endif()
