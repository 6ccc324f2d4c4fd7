# The few functions with which every room declares itself.
include_guard(GLOBAL)

add_library(duet_warnings INTERFACE)
target_compile_options(duet_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX,C>:-Wall> $<$<COMPILE_LANGUAGE:CXX,C>:-Wextra> $<$<COMPILE_LANGUAGE:CXX,C>:-Wpedantic>
  $<$<COMPILE_LANGUAGE:CXX,C>:-Wshadow> $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  $<$<AND:$<COMPILE_LANGUAGE:CXX,C>,$<BOOL:${DUET_WERROR}>>:-Werror>
  # __FILE__ in what is installed (assertions, the contract suite's messages) must not tell where it was built.
  $<$<COMPILE_LANGUAGE:CXX,C>:-fmacro-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=>
  $<$<COMPILE_LANGUAGE:CXX,C>:-fmacro-prefix-map=${CMAKE_CURRENT_BINARY_DIR}/=>)

# duet_room(NAME SOURCES … LIBS …): one folder of sdk/src, compiled once as position-independent objects that the
# shared library and the tests' static one both take.
function(duet_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(duet_${name} OBJECT ${arg_SOURCES})
  target_compile_features(duet_${name} PUBLIC cxx_std_20)
  target_compile_definitions(duet_${name} PRIVATE DUET_BUILDING)
  target_include_directories(duet_${name} PUBLIC ${duet_SOURCE_DIR}/sdk/include ${duet_BINARY_DIR}/include
                                                 ${duet_SOURCE_DIR}/sdk/src)
  target_link_libraries(duet_${name} PRIVATE duet_warnings PUBLIC ${arg_LIBS})
  set_target_properties(duet_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                                                VISIBILITY_INLINES_HIDDEN ON)
  set_property(GLOBAL APPEND PROPERTY DUET_ROOMS duet_${name})
  set_property(GLOBAL APPEND PROPERTY DUET_ROOM_LIBS ${arg_LIBS})
endfunction()

# duet_test_code(NAME): a target of tests. Their own code need not be fast, and is built in two thirds of the time this way:
# reading GoogleTest and the standard library is most of the work.
function(duet_test_code name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>
                                         $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # which ccache asks for
  target_include_directories(${name} PRIVATE ${duet_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE duet_warnings GTest::gmock GTest::gtest)
  if(name STREQUAL "duet_test_headers")
    return()
  endif()
  if(NOT TARGET duet_test_headers)
    add_library(duet_test_headers OBJECT ${duet_SOURCE_DIR}/tests/support/precompiled.cc)
    target_compile_features(duet_test_headers PRIVATE cxx_std_20)
    target_precompile_headers(duet_test_headers PRIVATE ${duet_SOURCE_DIR}/tests/support/precompiled.h)
    duet_test_code(duet_test_headers)
  endif()
  get_target_property(libraries ${name} LINK_LIBRARIES)
  if(NOT "${libraries}" MATCHES "torch|training")  # LibTorch has flags of its own
    target_precompile_headers(${name} REUSE_FROM duet_test_headers)
  endif()
endfunction()

# duet_test(NAME SOURCES … LIBS … [LABELS …] [TIMEOUT s]): a GoogleTest program, discovered by CTest. Labels: logic, where
# there are no threads; unit, where there are; contract and libfabric, of transports; torch, gpu. The target
# duet_<label>_tests builds all of a label.
function(duet_test name)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gtest_main)
  duet_test_code(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set(properties TIMEOUT ${arg_TIMEOUT})
  if(DUET_SANITIZE MATCHES thread)
    list(APPEND properties ENVIRONMENT "TSAN_OPTIONS=suppressions=${duet_SOURCE_DIR}/tests/tsan.supp")
  endif()
  list(APPEND properties LABELS "${arg_LABELS}")
  foreach(label IN LISTS arg_LABELS)
    if(NOT TARGET duet_${label}_tests)
      add_custom_target(duet_${label}_tests)
    endif()
    add_dependencies(duet_${label}_tests ${name})
  endforeach()
  if(arg_SERIAL)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()

# duet_program(NAME [INSTALL] SOURCES … LIBS …): a tool (INSTALL) or a sample; lands in build/<preset>/bin.
function(duet_program name)
  cmake_parse_arguments(arg "INSTALL" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE duet_warnings ${arg_LIBS})
  if(arg_INSTALL)
    duet_install_program(${name})
  endif()
endfunction()
