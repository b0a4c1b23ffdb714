# Installs headers, both libraries, a CMake package and a pkg-config file. Included by csrc/CMakeLists.txt. All paths
# are relative, so the installed tree can be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${PUFFERC_INSTALL_LIBDIR}/cmake/pufferc)
set(generated_dir ${CMAKE_CURRENT_BINARY_DIR}/package)

install(TARGETS pufferc_core pufferc_shared pufferc_game EXPORT pufferc-targets
  ARCHIVE DESTINATION ${PUFFERC_INSTALL_LIBDIR} COMPONENT ${PUFFERC_INSTALL_COMPONENT}
  LIBRARY DESTINATION ${PUFFERC_INSTALL_LIBDIR} COMPONENT ${PUFFERC_INSTALL_COMPONENT})
set(private_libraries "-pthread -lm")
if(CMAKE_DL_LIBS)
  string(APPEND private_libraries " -l${CMAKE_DL_LIBS}")
endif()
if(TARGET pufferc_box2d)  # the static library needs it, the shared one contains it
  set(private_libraries "-lpufferc_box2d ${private_libraries}")
  install(TARGETS pufferc_box2d EXPORT pufferc-targets
    ARCHIVE DESTINATION ${PUFFERC_INSTALL_LIBDIR} COMPONENT ${PUFFERC_INSTALL_COMPONENT})
endif()
if(NOT PUFFERC_PYTHON)  # pyproject.toml puts the licences into a wheel's metadata
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/pufferc
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/third_party/licenses/ DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/pufferc
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
endif()
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/pufferc DESTINATION ${PUFFERC_INSTALL_INCLUDEDIR}
  COMPONENT ${PUFFERC_INSTALL_COMPONENT} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(EXPORT pufferc-targets NAMESPACE pufferc:: DESTINATION ${package_dir} COMPONENT ${PUFFERC_INSTALL_COMPONENT})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/pufferc-config.cmake.in ${generated_dir}/pufferc-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${generated_dir}/pufferc-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH from_pkgconfig_to_prefix /prefix/${PUFFERC_INSTALL_LIBDIR}/pkgconfig /prefix)
list(JOIN PUFFERC_GAME_FLAGS " " game_cflags)
configure_file(${CMAKE_CURRENT_LIST_DIR}/pufferc.pc.in ${generated_dir}/pufferc.pc @ONLY)
install(FILES ${generated_dir}/pufferc-config.cmake ${generated_dir}/pufferc-config-version.cmake
  DESTINATION ${package_dir} COMPONENT ${PUFFERC_INSTALL_COMPONENT})
install(FILES ${generated_dir}/pufferc.pc DESTINATION ${PUFFERC_INSTALL_LIBDIR}/pkgconfig
  COMPONENT ${PUFFERC_INSTALL_COMPONENT})
if(PUFFERC_PYTHON)  # `pufferc new` copies it
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/envs/template.c DESTINATION pufferc/templates
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
  install(DIRECTORY core draw envs games kernels networks policy pool web DESTINATION pufferc/csrc  # for `pufferc web`
    COMPONENT ${PUFFERC_INSTALL_COMPONENT} FILES_MATCHING PATTERN "*.c" PATTERN "*.h"
    PATTERN window_raylib.c EXCLUDE PATTERN box2d_world.h EXCLUDE)
  install(FILES conformance/play.h conformance/trajectory.h DESTINATION pufferc/csrc/conformance
    COMPONENT ${PUFFERC_INSTALL_COMPONENT})
endif()
