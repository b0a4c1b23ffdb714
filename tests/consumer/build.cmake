# Configures, builds and runs one consumer project in an empty folder, as somebody else's machine would.
#   cmake -DPROJECT=c|cpp -DWORK=folder [-DPREFIX=installed] [-DSOURCE=pufferc's source] [-DTYPE=Release] -P build.cmake
cmake_minimum_required(VERSION 3.24)
if(NOT TYPE)
  set(TYPE Release)
endif()
set(build ${WORK}/${PROJECT})
file(REMOVE_RECURSE ${build})
set(options -DCMAKE_BUILD_TYPE=${TYPE})
if(PREFIX)
  list(APPEND options -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
else()
  list(APPEND options -DPUFFERC_SOURCE=${SOURCE} -DPUFFERC_DOWNLOAD=OFF)
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${PROJECT} -B ${build} ${options}
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} --config ${TYPE} --parallel 2 OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${build} -C ${TYPE} --output-on-failure COMMAND_ERROR_IS_FATAL ANY)
