# duet_plugin(NAME SOURCES … [LIBS …]): a transport plugin, one shared object libduet_transport_NAME.so that knows nothing
# of Duet but the C header and shows nothing but its entry point. Duet's own plugins and everybody else's are declared with
# this function: it is part of the installed package. The target's name is duet_transport_NAME.
#
#   DUET_PLUGIN_OUTPUT_DIRECTORY   where it is built; default: CMake's own choice
#   DUET_PLUGIN_INSTALL_DIRECTORY  where `cmake --install` puts it, below the prefix; empty: it is not installed
include_guard(GLOBAL)

function(duet_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  if(NOT name MATCHES "^[A-Za-z0-9_-]+$")
    message(FATAL_ERROR "duet_plugin(${name}): a transport's name has letters, digits, '_' and '-' only")
  endif()
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "duet_plugin(${name} …): wants SOURCES file… and, if need be, LIBS target…; got: ${ARGN}")
  endif()
  set(target duet_transport_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE duet::plugin ${arg_LIBS})
  set_target_properties(${target} PROPERTIES
    PREFIX lib SUFFIX .so
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(NOT DUET_SANITIZE)
    # A forgotten library is an error here, not at the first run. (A sanitizer's symbols come from the program.)
    target_link_options(${target} PRIVATE LINKER:--no-undefined)
  endif()
  if(DUET_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${DUET_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  if(DUET_PLUGIN_INSTALL_DIRECTORY)
    # Libraries that somebody ships beside libduet.so are found there first.
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/..")
    install(TARGETS ${target} LIBRARY DESTINATION ${DUET_PLUGIN_INSTALL_DIRECTORY} COMPONENT runtime)
    set_property(GLOBAL APPEND PROPERTY DUET_INSTALLED ${target})
  endif()
endfunction()
