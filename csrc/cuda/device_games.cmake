# Generates the translation units of device code, one per game, and the list of games for device_pool.cu.
#
#   pufferc_device_games(SOURCES FOLDER GAME=FILE ...)
#
# FOLDER/device_games.inc is the list; SOURCES gets FOLDER/device_<game>.cu of each game.
function(pufferc_device_games sources folder)
  set(units "")
  set(entries "")
  foreach(pair ${ARGN})
    string(REGEX MATCH "^([^=]+)=(.+)$" matched "${pair}")
    set(game ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    file(CONFIGURE OUTPUT ${folder}/device_${game}.cu @ONLY CONTENT
      "#define PFC_DEVICE_GAME @game@\n#define PFC_DEVICE_SOURCE \"@file@\"\n#include \"cuda/device_game.h\"\n")
    list(APPEND units ${folder}/device_${game}.cu)
    string(APPEND entries "PFC_GAME(${game})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${folder}/device_games.inc CONTENT "${entries}" @ONLY)
  set(${sources} ${units} PARENT_SCOPE)
endfunction()

# The registered games whose state can be copied, as GAME=FILE.
get_property(device_games GLOBAL PROPERTY PUFFERC_GAMES)
list(REMOVE_ITEM device_games impulse lander)  # they own worlds of Box2D
list(TRANSFORM device_games REPLACE "(.+)" "\\1=envs/\\1.c")
