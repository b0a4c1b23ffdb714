# uPlot 1.6.32, which draws the curves in the page of `pufferc view`. Included by the top CMakeLists.txt for the Python
# package, which contains its script. Without it the build succeeds, and `pufferc view` downloads it at the first use
# (PUFFERC_UPLOT=ON makes its absence an error).
#
# Search order:
#   1. a folder the user names, with uPlot.iife.min.js, uPlot.min.css and LICENSE: PUFFERC_UPLOT_SOURCE (variable or environment)
#   2. npm's package, downloaded into the build folder by python/pufferc/view/uplot.py, which has its version and hash

set(PUFFERC_UPLOT AUTO CACHE STRING "The page's library of charts: AUTO (if it is available), ON or OFF")
set_property(CACHE PUFFERC_UPLOT PROPERTY STRINGS AUTO ON OFF)
set(PUFFERC_UPLOT_SOURCE "" CACHE PATH "Folder with the script and the style of uPlot 1.6.32")
pufferc_three_way(PUFFERC_UPLOT)

# Downloads the pinned package into `folder`.
function(pufferc_download_uplot folder)
  pufferc_may_download(may UPLOT uPlot)
  if(NOT may)
    return()
  endif()
  message(STATUS "pufferc: downloading uPlot 1.6.32")
  execute_process(COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/python/pufferc/view/uplot.py" "${folder}"
    RESULT_VARIABLE failed ERROR_VARIABLE why)
  if(failed)
    string(STRIP "${why}" why)
    message(STATUS "pufferc: ${why}")
    pufferc_download_failed(UPLOT)
  endif()
endfunction()

function(pufferc_install_uplot)
  if(PUFFERC_UPLOT STREQUAL "OFF")
    return()
  endif()
  set(files uPlot.iife.min.js uPlot.min.css LICENSE)
  pufferc_named_source(folder UPLOT uPlot ${files})
  if(NOT folder)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/uplot")
    if(NOT EXISTS "${folder}/uPlot.iife.min.js")
      pufferc_download_uplot("${folder}")
    endif()
  endif()
  if(EXISTS "${folder}/uPlot.iife.min.js")
    file(STRINGS "${folder}/uPlot.iife.min.js" version LIMIT_COUNT 1 REGEX "uPlot \\(v1\\.6\\.32\\)")
    if(NOT version)
      message(FATAL_ERROR "${folder} is not uPlot 1.6.32, the version that pufferc is written for")
    endif()
    message(STATUS "pufferc: charts by uPlot in ${folder}")
    list(TRANSFORM files PREPEND "${folder}/")
    install(FILES ${files} DESTINATION pufferc/view/uplot COMPONENT python)
  elseif(PUFFERC_UPLOT STREQUAL "ON")
    message(FATAL_ERROR "PUFFERC_UPLOT is ON, but uPlot 1.6.32 could not be downloaded with npm; name a folder with its "
      "files with -DPUFFERC_UPLOT_SOURCE=...")
  else()
    message(STATUS "pufferc: built without uPlot; pufferc view downloads it at the first use")
  endif()
endfunction()
pufferc_install_uplot()
