# The drawing modules: draw_raylib.c compiled twice, with a raylib that draws into memory and with one that opens windows.
# Each is a file of its own, beside the library or the Python module, loaded only when a picture is asked for. Included by
# CMakeLists.txt; there is nothing to do where third_party found no raylib.
set(draw_dir ${PUFFERC_INSTALL_LIBDIR})
if(PUFFERC_PYTHON)
  set(draw_dir pufferc)
endif()
add_custom_target(pufferc_draw)
set(draw_modules "")
foreach(kind headless window)
  if(TARGET pufferc_raylib_${kind})
    list(APPEND draw_modules pufferc_draw_${kind})
    add_library(pufferc_draw_${kind} MODULE draw/draw_raylib.c)
    set_target_properties(pufferc_draw_${kind} PROPERTIES PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden
      EXPORT_NAME draw_${kind})
    target_compile_definitions(pufferc_draw_${kind} PRIVATE $<$<STREQUAL:${kind},window>:PFC_DRAW_WINDOW>)
    target_include_directories(pufferc_draw_${kind} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
    target_link_libraries(pufferc_draw_${kind} PRIVATE pufferc_flags pufferc_raylib_${kind})
    if(NOT APPLE AND NOT PUFFERC_SANITIZE)
      target_link_options(pufferc_draw_${kind} PRIVATE -Wl,--no-undefined -Wl,--gc-sections)
    endif()
    add_dependencies(pufferc_draw pufferc_draw_${kind})
  endif()
endforeach()
if(draw_modules AND PUFFERC_INSTALL)
  install(TARGETS ${draw_modules} EXPORT pufferc-draw-targets
    LIBRARY DESTINATION ${draw_dir} COMPONENT ${PUFFERC_INSTALL_COMPONENT})
  install(EXPORT pufferc-draw-targets NAMESPACE pufferc:: DESTINATION ${PUFFERC_INSTALL_LIBDIR}/cmake/pufferc
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
endif()
