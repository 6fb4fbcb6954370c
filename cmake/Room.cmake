# room(<name> [FOLDER dir] [USES rooms and libraries...])
#
# A room is a folder of src/: one static library of its sources, and one test program of its *_test.cpp files, which stand beside
# them. Sub-folders belong to the room unless they are rooms of their own (they have a CMakeLists.txt).
function(room name)
  cmake_parse_arguments(ROOM "" "FOLDER" "USES" ${ARGN})
  if(NOT ROOM_FOLDER)
    set(ROOM_FOLDER ${name})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${ROOM_FOLDER}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test\\.cpp|/main\\.cpp)$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${name} PUBLIC ${ROOM_USES})
    precompiles(${name})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${name} INTERFACE ${ROOM_USES})
  endif()

  if(tests)
    test_program(${name}_test SOURCES ${tests} USES ${name})
  endif()
endfunction()

# precompiles(<target> [headers...]): what nearly every file includes is read once. Only where a build asks for it: the others see to it that
# each file includes what it uses.
function(precompiles target)
  if(RESULTSYNC_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE <algorithm> <chrono> <expected> <functional> <map> <memory> <optional> <ranges> <string> <vector>
                              <fmt/format.h> ${ARGN})
  endif()
endfunction()

# test_program(<name> SOURCES files... [USES libraries...] [ENVIRONMENT K=V...]): one GoogleTest program, each of its tests a CTest.
function(test_program name)
  cmake_parse_arguments(TEST "" "" "SOURCES;USES;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${TEST_USES} GTest::gtest_main rapidcheck_all Threads::Threads)
  precompiles(${name} <gtest/gtest.h>)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  # Where the corpus stands, whatever path of the sources the compiler was given.
  if(DEFINED ENV{RESULTSYNC_SHARED})
    set(shared $ENV{RESULTSYNC_SHARED})
  else()
    get_filename_component(shared ${CMAKE_SOURCE_DIR}/../shared ABSOLUTE)
  endif()
  set(environment RESULTSYNC_SHARED=${shared} ${TEST_ENVIRONMENT})
  # The limit is for what hangs, on whatever machine and beside whatever else.
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 ENVIRONMENT "${environment}" LABELS unit)
endfunction()

# fuzz_target(<name> SOURCES files... USES libraries...): one libFuzzer program, built only with the fuzz preset.
function(fuzz_target name)
  if(NOT RESULTSYNC_FUZZ)
    return()
  endif()
  cmake_parse_arguments(FUZZ "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${FUZZ_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${FUZZ_USES})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# embeds(<target> <source> files...): the source puts these files into the program with #embed. Neither the build tool nor the compiler
# cache sees that by itself, so their digest becomes a part of the compile command.
function(embeds target source)
  set(digests "")
  foreach(file ${ARGN})
    file(SHA256 ${CMAKE_SOURCE_DIR}/src/${file} digest)
    string(APPEND digests ${digest})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${file})
  endforeach()
  string(SHA256 digest "${digests}")
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/${source} APPEND PROPERTY COMPILE_DEFINITIONS EMBEDDED_FILES="${digest}")
endfunction()
