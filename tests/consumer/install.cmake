# Installs a build of pufferc, moves the installed tree, and uses it from the new place: with find_package from C and
# C++, with pkg-config, and as a program with the library in its folder.
#   cmake -DBUILD=build folder -DWORK=folder -DCC=compiler -DPKG_CONFIG=pkg-config -DGAME_FLAGS="flags of a game"
#     -P install.cmake
cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE ${WORK})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${WORK}/first ${WORK}/prefix)
set(PREFIX ${WORK}/prefix)

file(GLOB_RECURSE libraries ${PREFIX}/libpufferc.*)
list(LENGTH libraries count)
if(NOT count EQUAL 4)
  message(FATAL_ERROR "expected a static library, a shared one with its version, and two links to it, got ${libraries}")
endif()
file(GLOB_RECURSE texts ${PREFIX}/*.cmake ${PREFIX}/*.pc)
foreach(text IN LISTS texts)
  file(READ ${text} content)
  string(FIND "${content}" "${WORK}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${text} contains the path that it was installed to")
  endif()
endforeach()

foreach(PROJECT c cpp)
  include(${CMAKE_CURRENT_LIST_DIR}/build.cmake)
endforeach()

if(PKG_CONFIG)
  file(GLOB_RECURSE shared ${PREFIX}/libpufferc.so* ${PREFIX}/libpufferc*.dylib)
  file(GLOB_RECURSE pc ${PREFIX}/pufferc.pc)
  cmake_path(GET pc PARENT_PATH pc_dir)
  set(ENV{PKG_CONFIG_PATH} ${pc_dir})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs pufferc OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${PKG_CONFIG} --variable=game_cflags pufferc OUTPUT_VARIABLE game_flags
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  if(NOT game_flags OR NOT game_flags STREQUAL GAME_FLAGS)
    message(FATAL_ERROR "pkg-config --variable=game_cflags: expected '${GAME_FLAGS}', got '${game_flags}'")
  endif()
  string(FIND "${flags}" "${GAME_FLAGS}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "pkg-config --cflags: expected '${GAME_FLAGS}', which keeps the bits of games, in '${flags}'")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  file(MAKE_DIRECTORY ${WORK}/beside)
  execute_process(COMMAND ${CC} -std=c11 -I${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/c/main.c ${flags}
    -Wl,-rpath,$ORIGIN -o ${WORK}/beside/program COMMAND_ERROR_IS_FATAL ANY)
  file(COPY ${shared} DESTINATION ${WORK}/beside)
  file(REMOVE ${WORK}/beside/libpufferc.so ${WORK}/beside/libpufferc.dylib)  # programs ask for the name with a version
  execute_process(COMMAND ${WORK}/beside/program COMMAND_ERROR_IS_FATAL ANY)
endif()
