# The contract suite as objects: for test_contract, and for duet-plugin-check, which is installed. The same files for both.
include_guard(GLOBAL)

set(files contract_test.cc endpoint.cc memory.cc peer_process.cc resources.cc rules.cc sources.cc test_cancel.cc
          test_connections.cc test_deadlines.cc test_ends.cc test_leftovers.cc test_messages.cc test_processes.cc
          test_threads.cc test_waiting.cc)
list(TRANSFORM files PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
add_library(duet_contract OBJECT ${files})
target_compile_features(duet_contract PUBLIC cxx_std_20)
target_include_directories(duet_contract PUBLIC ${duet_SOURCE_DIR}/tests ${duet_SOURCE_DIR}/sdk/include
                                                ${duet_SOURCE_DIR}/sdk/src)
target_link_libraries(duet_contract PUBLIC GTest::gmock GTest::gtest Threads::Threads ${CMAKE_DL_LIBS})
duet_test_code(duet_contract)
