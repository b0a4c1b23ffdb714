# sources.cmake - functions to find the sources of raylib and Box2D. Included by the top CMakeLists.txt before both.

option(PUFFERC_DOWNLOAD "Download libraries that are not found on this machine" ON)
option(PUFFERC_RELEASE "A build to redistribute: raylib, GLFW and Box2D from their pinned source, never from this machine's packages" OFF)
set(PUFFERC_DOWNLOAD_PAUSE_S 600)

# Normalises an option to AUTO, ON or OFF. Accepts any case and CMake's other words for true and false.
function(pufferc_three_way option)
  string(TOUPPER "${${option}}" value)
  if(value MATCHES "^(ON|YES|TRUE|Y|1)$")
    set(value ON)
  elseif(value MATCHES "^(OFF|NO|FALSE|N|0)$")
    set(value OFF)
  elseif(NOT value STREQUAL "AUTO")
    message(FATAL_ERROR "${option} must be AUTO, ON or OFF, got '${${option}}'")
  endif()
  set(${option} ${value} PARENT_SCOPE)
endfunction()

# Sets `result` to a library's source folder that the user names, or to "". The user sets PUFFERC_<name>_SOURCE or
# FETCHCONTENT_SOURCE_DIR_<name>, or the environment variable PUFFERC_<name>_SOURCE. The environment is read in each
# configuration and never cached, because pip keeps its build folder. ARGN are files that must exist.
function(pufferc_named_source result name title)
  set(${result} "" PARENT_SCOPE)
  set(here "$ENV{PWD}")  # the directory of the user's shell, base of relative paths
  if(NOT IS_DIRECTORY "${here}")
    set(here "${CMAKE_SOURCE_DIR}")
  endif()
  foreach(named "${PUFFERC_${name}_SOURCE}" "${FETCHCONTENT_SOURCE_DIR_${name}}" "$ENV{PUFFERC_${name}_SOURCE}")
    if(named)
      file(REAL_PATH "${named}" folder BASE_DIRECTORY "${here}" EXPAND_TILDE)
      foreach(file ${ARGN})
        if(NOT EXISTS "${folder}/${file}")
          message(FATAL_ERROR "no ${title} source in ${folder}: there is no ${folder}/${file}")
        endif()
      endforeach()
      set(${result} "${folder}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Sets `result` to whether a download may be tried. After a failure it is not tried again for ten minutes: CMake
# reconfigures whenever one of its files changes, and a machine without a network would wait for the timeout each time.
function(pufferc_may_download result name title)
  set(${result} OFF PARENT_SCOPE)
  if(NOT PUFFERC_DOWNLOAD OR FETCHCONTENT_FULLY_DISCONNECTED)
    return()
  endif()
  if(PUFFERC_${name}_FAILED_AT)
    string(TIMESTAMP now "%s" UTC)
    math(EXPR age_s "${now} - ${PUFFERC_${name}_FAILED_AT}")
    if(age_s LESS PUFFERC_DOWNLOAD_PAUSE_S)
      message(STATUS "pufferc: ${title} could not be downloaded ${age_s} s ago; tried again after "
        "${PUFFERC_DOWNLOAD_PAUSE_S} s, or at once with -UPUFFERC_${name}_FAILED_AT")
      return()
    endif()
  endif()
  set(${result} ON PARENT_SCOPE)
endfunction()

# Records the time of a failed download.
function(pufferc_download_failed name)
  string(TIMESTAMP now "%s" UTC)
  set(PUFFERC_${name}_FAILED_AT ${now} CACHE INTERNAL "When the download failed, in seconds since 1970")
endfunction()
