# What `cmake --install` installs: library, programs, plugins, public headers, the CMake package and pkg-config's files.
# Everything in it finds the rest relative to itself, so that the installed folder may be moved.
include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

# Built by "cmake --build … --target duet_installed": just what is installed.
add_custom_target(duet_installed)

if(DUET_INSTALL)
  include(GNUInstallDirs)
  set(DUET_PLUGIN_INSTALL_DIRECTORY ${CMAKE_INSTALL_LIBDIR}/duet)
  set(DUET_PACKAGE_DIRECTORY ${CMAKE_INSTALL_LIBDIR}/cmake/duet)
else()
  set(DUET_PLUGIN_INSTALL_DIRECTORY "")
endif()

# duet_install_program(TARGET…)
function(duet_install_program)
  if(NOT DUET_INSTALL)
    return()
  endif()
  file(RELATIVE_PATH to_libraries ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(${ARGN} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}")
  install(TARGETS ${ARGN} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
  set_property(GLOBAL APPEND PROPERTY DUET_INSTALLED ${ARGN})
endfunction()

# duet_component(NAME TARGETS target… [HEADERS folder…] [DEPENDENCIES file] [MODULES file…]): what find_package(duet
# COMPONENTS NAME) adds to the package. "duet" is the package itself.
#   TARGETS       libraries; in the package each is duet::<EXPORT_NAME>
#   HEADERS       folders below sdk/include/duet whose *.h are installed; "." is the top one
#   DEPENDENCIES  a CMake file that the package includes first: it finds what the targets link, or sets
#                 duet_<NAME>_FOUND to false and duet_<NAME>_NOT_FOUND_MESSAGE to the reason
#   MODULES       files that DEPENDENCIES needs beside it
# A component that was not built is refused with the reason that duet_part() recorded under the same name.
function(duet_component name)
  cmake_parse_arguments(arg "" "DEPENDENCIES" "TARGETS;HEADERS;MODULES" ${ARGN})
  if(NOT DUET_INSTALL)
    return()
  endif()
  set_target_properties(${arg_TARGETS} PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS ${arg_TARGETS} EXPORT duet-${name}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT duet-${name} NAMESPACE duet:: FILE duet-${name}-targets.cmake DESTINATION ${DUET_PACKAGE_DIRECTORY}
          COMPONENT development)
  foreach(folder ${arg_HEADERS})
    file(GLOB headers CONFIGURE_DEPENDS ${duet_SOURCE_DIR}/sdk/include/duet/${folder}/*.h)
    install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/duet/${folder} COMPONENT development)
  endforeach()
  if(arg_DEPENDENCIES)
    install(FILES ${arg_DEPENDENCIES} DESTINATION ${DUET_PACKAGE_DIRECTORY} RENAME duet-${name}-dependencies.cmake
            COMPONENT development)
  endif()
  if(arg_MODULES)
    install(FILES ${arg_MODULES} DESTINATION ${DUET_PACKAGE_DIRECTORY} COMPONENT development)
  endif()
  set_property(GLOBAL APPEND PROPERTY DUET_INSTALLED ${arg_TARGETS})
endfunction()

# duet_pkg_config(FILE.pc.in): installed as FILE.pc. The template sees DUET_PC_LIBDIR and DUET_PC_INCLUDEDIR: paths from
# the file's own folder, for ${pcfiledir}.
function(duet_pkg_config template)
  if(NOT DUET_INSTALL)
    return()
  endif()
  get_filename_component(name ${template} NAME_WLE)
  set(folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
  set(DUET_PC_LIBDIR ..)
  file(RELATIVE_PATH DUET_PC_INCLUDEDIR ${folder} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  file(RELATIVE_PATH DUET_PC_BINDIR ${folder} ${CMAKE_INSTALL_FULL_BINDIR})
  configure_file(${template} ${duet_BINARY_DIR}/package/${name} @ONLY)
  install(FILES ${duet_BINARY_DIR}/package/${name} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()

# Last of all, when every part has been decided.
function(duet_install_package)
  get_property(installed GLOBAL PROPERTY DUET_INSTALLED)
  if(installed)
    add_dependencies(duet_installed ${installed})
  endif()
  if(NOT DUET_INSTALL)
    return()
  endif()
  # Why the optional parts are or are not there, for whoever asks the package for one that is not.
  set(DUET_PACKAGE_REASONS "")
  get_property(parts GLOBAL PROPERTY DUET_PARTS)
  foreach(part ${parts})
    get_property(reason GLOBAL PROPERTY DUET_REASON_${part})
    string(TOLOWER ${part} name)
    string(APPEND DUET_PACKAGE_REASONS "set(_duet_reason_${name} [==[${reason}]==])\n")
  endforeach()
  set(templates ${duet_SOURCE_DIR}/sdk/cmake)
  configure_package_config_file(${templates}/duetConfig.cmake.in ${duet_BINARY_DIR}/package/duetConfig.cmake
    INSTALL_DESTINATION ${DUET_PACKAGE_DIRECTORY} PATH_VARS CMAKE_INSTALL_BINDIR DUET_PLUGIN_INSTALL_DIRECTORY
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
  # The API is compatible within a major version (docs/compatibility.md).
  write_basic_package_version_file(${duet_BINARY_DIR}/package/duetConfigVersion.cmake COMPATIBILITY SameMajorVersion)
  install(FILES ${duet_BINARY_DIR}/package/duetConfig.cmake ${duet_BINARY_DIR}/package/duetConfigVersion.cmake
                ${templates}/DuetPlugin.cmake
          DESTINATION ${DUET_PACKAGE_DIRECTORY} COMPONENT development)
  duet_pkg_config(${templates}/duet.pc.in)
endfunction()
