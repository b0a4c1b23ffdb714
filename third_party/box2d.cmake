# Box2D v3.1.1, the physics engine of some games. Included by the top CMakeLists.txt before csrc. If Box2D is not
# available, the build leaves those games out and reports it (PUFFERC_BOX2D=ON makes that an error).
#
# Search order:
#   1. a source folder the user names: PUFFERC_BOX2D_SOURCE (variable or environment) or FETCHCONTENT_SOURCE_DIR_BOX2D
#   2. the pinned commit, downloaded into the build folder
#   3. an installed package, also in Python's site-packages, where the wheel of pyb2d3 0.11.1 puts one. A release uses
#      no packages, because they allow fewer worlds
#
# Results: pufferc_box2d, a static library to link with; PUFFERC_BOX2D_WORLDS, the max number of worlds (games) of a
# process. Source is built for 16384 worlds. A package allows as many as it was built for, normally 128
# (PUFFERC_BOX2D_PACKAGE_WORLDS).

set(PUFFERC_BOX2D AUTO CACHE STRING "Games on Box2D: AUTO (if it is available), ON or OFF")
set_property(CACHE PUFFERC_BOX2D PROPERTY STRINGS AUTO ON OFF)
set(PUFFERC_BOX2D_SOURCE "" CACHE PATH "Folder with the source of Box2D 3.1")
set(PUFFERC_BOX2D_PACKAGE_WORLDS 128 CACHE STRING "B2_MAX_WORLDS that an installed Box2D was built with")
pufferc_three_way(PUFFERC_BOX2D)

set(PUFFERC_BOX2D_CLOCK ${CMAKE_CURRENT_LIST_DIR}/box2d/clock.c)
set(PUFFERC_BOX2D_WORLDS 0)
set(box2d_commit 8c661469c9507d3ad6fbd2fea3f1aa71669c2fe3)
set(box2d_repository https://github.com/erincatto/box2d.git)

# Fetches the pinned commit into `folder`. Git verifies its hash.
function(pufferc_download_box2d folder)
  pufferc_may_download(may BOX2D Box2D)
  if(NOT may)
    return()
  endif()
  find_package(Git QUIET)
  if(NOT Git_FOUND)
    message(STATUS "pufferc: Box2D was not downloaded: git is not installed")
    return()
  endif()
  message(STATUS "pufferc: downloading Box2D v3.1.1")
  set(partial "${folder}.partial")
  file(REMOVE_RECURSE "${partial}")
  # In a git hook these variables point to another repository.
  set(git ${CMAKE_COMMAND} -E env GIT_TERMINAL_PROMPT=0 --unset=GIT_DIR --unset=GIT_WORK_TREE --unset=GIT_INDEX_FILE
    --unset=GIT_OBJECT_DIRECTORY --unset=GIT_COMMON_DIR ${GIT_EXECUTABLE})
  execute_process(COMMAND ${git} init -q "${partial}" RESULT_VARIABLE failed ERROR_VARIABLE why)
  list(APPEND git -C "${partial}")
  if(NOT failed)
    execute_process(
      COMMAND ${git} -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=10
        fetch -q --depth 1 ${box2d_repository} ${box2d_commit}
      TIMEOUT 90 RESULT_VARIABLE failed ERROR_VARIABLE why)
  endif()
  if(NOT failed)
    execute_process(COMMAND ${git} -c advice.detachedHead=false checkout -q ${box2d_commit} RESULT_VARIABLE failed
      ERROR_VARIABLE why)
  endif()
  if(failed)
    string(STRIP "${why}" why)
    if(NOT why)
      set(why "${failed}")
    endif()
    message(STATUS "pufferc: Box2D was not downloaded: ${why}")
    file(REMOVE_RECURSE "${partial}")
    pufferc_download_failed(BOX2D)
  else()
    file(RENAME "${partial}" "${folder}")
  endif()
endfunction()

# Sets `result` to the source folder, or to "".
function(pufferc_find_box2d_source result)
  pufferc_named_source(named BOX2D Box2D include/box2d/box2d.h src/constants.h)
  set(downloaded "${CMAKE_CURRENT_BINARY_DIR}/box2d")
  if(NOT named AND NOT EXISTS "${downloaded}/include/box2d/box2d.h")
    pufferc_download_box2d("${downloaded}")
  endif()
  set(${result} "" PARENT_SCOPE)
  foreach(folder "${named}" "${downloaded}")
    if(folder AND EXISTS "${folder}/include/box2d/box2d.h")
      set(${result} "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Fails if the version in the source folder's CMakeLists.txt is not 3.1.
function(pufferc_check_box2d_version source)
  if(EXISTS "${source}/CMakeLists.txt")
    file(READ "${source}/CMakeLists.txt" text)
    string(REGEX MATCH "project\\([ \t\r\n]*box2d[ \t\r\n]+VERSION[ \t\r\n]+([0-9.]+)" found "${text}")
    set(version "${CMAKE_MATCH_1}")
    if(found AND NOT version MATCHES "^3\\.1(\\.|$)")
      message(FATAL_ERROR "${source} is Box2D ${version}; pufferc needs 3.1, best v3.1.1")
    endif()
  endif()
endfunction()

# The common part of both ways to make pufferc_box2d. Uses our own clock; see box2d/clock.c.
function(pufferc_add_box2d_library include_dir)
  add_library(pufferc_box2d STATIC ${PUFFERC_BOX2D_CLOCK} ${ARGN})
  target_include_directories(pufferc_box2d SYSTEM PUBLIC $<BUILD_INTERFACE:${include_dir}>)
  target_link_libraries(pufferc_box2d PUBLIC m)
  target_compile_features(pufferc_box2d PRIVATE c_std_17)
  set_target_properties(pufferc_box2d PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden C_EXTENSIONS ON)
  if(NOT APPLE)  # a shared library that contains Box2D must not export its symbols
    target_link_options(pufferc_box2d INTERFACE -Wl,--exclude-libs,libpufferc_box2d.a)
  endif()
  if(PUFFERC_SANITIZE)
    target_compile_options(pufferc_box2d PRIVATE -fsanitize=${PUFFERC_SANITIZE} -fno-omit-frame-pointer)
  endif()
endfunction()

# Builds from source, for the baseline processor and without fused multiply-add, so that trajectories are the same on
# every machine; without samples and tests. Box2D's own build also defines BOX2D_ENABLE_SIMD; without it, contacts are
# solved one at a time. Sets PUFFERC_BOX2D_WORLDS.
function(pufferc_build_box2d source)
  file(GLOB sources CONFIGURE_DEPENDS "${source}/src/*.c")
  list(FILTER sources EXCLUDE REGEX "/timer\\.c$")
  pufferc_add_box2d_library("${source}/include" ${sources})
  target_include_directories(pufferc_box2d PRIVATE "${source}/src")
  target_compile_definitions(pufferc_box2d PRIVATE B2_MAX_WORLDS=16384 BOX2D_ENABLE_SIMD $<$<NOT:$<CONFIG:Debug>>:NDEBUG>)
  target_compile_options(pufferc_box2d PRIVATE -w $<$<CONFIG:Release>:-O3> ${PUFFERC_UNFUSED_FLAGS})
  set(worlds 16384)
  file(STRINGS "${source}/src/constants.h" guarded REGEX "^#ifndef B2_MAX_WORLDS")
  if(NOT guarded)  # such a version ignores B2_MAX_WORLDS on the command line
    file(STRINGS "${source}/src/constants.h" definition REGEX "^[ \t]*#[ \t]*define[ \t]+B2_MAX_WORLDS[ \t]+[0-9]+")
    string(REGEX REPLACE ".*WORLDS[ \t]+([0-9]+).*" "\\1" worlds "${definition}")
    if(NOT worlds)
      message(FATAL_ERROR "${source}/src/constants.h does not say how many worlds there are (B2_MAX_WORLDS)")
    endif()
  endif()
  set(PUFFERC_BOX2D_WORLDS ${worlds} PARENT_SCOPE)
endfunction()

# Repacks the objects of a package's static library, except for its timer. Sets PUFFERC_BOX2D_WORLDS.
function(pufferc_repack_box2d archive include_dir)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/box2d_objects")
  file(REMOVE_RECURSE "${folder}")
  file(MAKE_DIRECTORY "${folder}")
  execute_process(COMMAND ${CMAKE_AR} x "${archive}" WORKING_DIRECTORY "${folder}" COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB objects "${folder}/*.o")
  list(FILTER objects EXCLUDE REGEX "/timer(\\.c)?\\.o$")
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON)
  pufferc_add_box2d_library("${include_dir}" ${objects})
  set(PUFFERC_BOX2D_WORLDS ${PUFFERC_BOX2D_PACKAGE_WORLDS} PARENT_SCOPE)
endfunction()

# Sets box2d_archive and box2d_include_dir if a package with a static library is installed. Also searches Python's
# site-packages, for the wheel of pyb2d3.
function(pufferc_find_box2d_package)
  set(hint "")
  find_package(Python 3.10 QUIET COMPONENTS Interpreter)
  if(Python_Interpreter_FOUND)
    set(hint "${Python_SITELIB}" "${Python_SITEARCH}")
  endif()
  find_package(box2d 3.1...<3.2 CONFIG QUIET HINTS ${hint} PATH_SUFFIXES lib64/cmake/box2d lib/cmake/box2d)
  if(NOT TARGET box2d::box2d)
    return()
  endif()
  get_target_property(kind box2d::box2d TYPE)
  if(NOT kind STREQUAL "STATIC_LIBRARY")
    message(STATUS "pufferc: Box2D in ${box2d_DIR} is not used: it is not a static library")
    return()
  endif()
  get_target_property(archive box2d::box2d IMPORTED_LOCATION_RELEASE)
  if(NOT archive)
    get_target_property(archive box2d::box2d LOCATION)
  endif()
  get_target_property(include_dir box2d::box2d INTERFACE_INCLUDE_DIRECTORIES)
  message(STATUS "pufferc: Box2D ${box2d_VERSION} in ${box2d_DIR}, ${PUFFERC_BOX2D_PACKAGE_WORLDS} worlds")
  set(box2d_archive "${archive}" PARENT_SCOPE)
  set(box2d_include_dir "${include_dir}" PARENT_SCOPE)
endfunction()

if(PUFFERC_BOX2D STREQUAL "OFF")
  message(STATUS "pufferc: built without impulse and lander (PUFFERC_BOX2D is OFF)")
  return()
endif()
pufferc_find_box2d_source(box2d_source)
if(box2d_source)
  pufferc_check_box2d_version("${box2d_source}")
  pufferc_build_box2d("${box2d_source}")
  message(STATUS "pufferc: Box2D in ${box2d_source}, ${PUFFERC_BOX2D_WORLDS} worlds")
  return()
endif()
set(box2d_archive "")
if(NOT PUFFERC_RELEASE AND NOT CMAKE_CROSSCOMPILING)  # what is installed here is for this processor
  pufferc_find_box2d_package()
endif()
if(box2d_archive)
  pufferc_repack_box2d("${box2d_archive}" "${box2d_include_dir}")
elseif(PUFFERC_BOX2D STREQUAL "ON")
  message(FATAL_ERROR "PUFFERC_BOX2D is ON, but Box2D 3.1 was not found and could not be downloaded; name its source "
    "folder with -DPUFFERC_BOX2D_SOURCE=..., or install pyb2d3==0.11.1 into the Python that is used if this is no release")
else()
  message(STATUS "pufferc: built without impulse and lander (Box2D 3.1 was not found; -DPUFFERC_BOX2D_SOURCE=... names its source)")
endif()
