# The window module: a file beside the library or the Python module, loaded when the first window is opened. Included by
# CMakeLists.txt; there is nothing to build where third_party found no raylib or no GLFW.
add_custom_target(pufferc_draw)
if(NOT TARGET pufferc_raylib)
  return()
endif()
add_library(pufferc_draw_window MODULE draw/window_raylib.c)
set_target_properties(pufferc_draw_window PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden
  EXPORT_NAME draw_window)
target_include_directories(pufferc_draw_window PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(pufferc_draw_window PRIVATE pufferc_flags pufferc_raylib)
if(NOT APPLE AND NOT PUFFERC_SANITIZE)
  target_link_options(pufferc_draw_window PRIVATE -Wl,--no-undefined -Wl,--gc-sections)
endif()
add_dependencies(pufferc_draw pufferc_draw_window)
if(PUFFERC_INSTALL)
  set(window_dir ${PUFFERC_INSTALL_LIBDIR})
  if(PUFFERC_PYTHON)
    set(window_dir pufferc)
  endif()
  install(TARGETS pufferc_draw_window EXPORT pufferc-draw-targets
    LIBRARY DESTINATION ${window_dir} COMPONENT ${PUFFERC_INSTALL_COMPONENT})
  install(EXPORT pufferc-draw-targets NAMESPACE pufferc:: DESTINATION ${PUFFERC_INSTALL_LIBDIR}/cmake/pufferc
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
endif()
