# How every file of this house is compiled: the language, the warnings that are errors, the hardening that ships, and the
# sanitizer that a preset asks for.

set(CMAKE_CXX_STANDARD 23)  # the language of C++20; C++23 for library parts (std::expected, std::move_only_function)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(RESULTSYNC_BENCH "Build the benchmarks and the load generator" OFF)
option(RESULTSYNC_FUZZ "Build the libFuzzer targets" OFF)
option(RESULTSYNC_PRECOMPILE "Read what nearly every file includes once (a clean build is quicker)" OFF)
set(RESULTSYNC_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wimplicit-fallthrough -Werror
                    -Wno-c23-extensions  # #embed puts migrations and dictionaries into the binary
                    -fno-omit-frame-pointer)
add_link_options(-fuse-ld=lld)

add_compile_definitions(_GLIBCXX_ASSERTIONS)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # OpenSSF compiler hardening guide; assertions of the standard library stay on because they guard data.
  add_compile_options(-O2 -g1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
                      -fcf-protection=full -ftrivial-auto-var-init=zero -fno-strict-aliasing)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
  set(CMAKE_CXX_FLAGS_RELEASE "")  # -O2 above; NDEBUG is deliberately not set
endif()

# optimised_as_one(<rooms>...): functions of these rooms are inlined into one another across their files in the programs that are
# linked_as_one(). Their objects hold both forms of the code, so every other program links as quickly as ever.
set(RESULTSYNC_AS_ONE "")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(RESULTSYNC_AS_ONE -flto=thin -ffat-lto-objects)
endif()
function(optimised_as_one)
  foreach(room ${ARGN})
    target_compile_options(${room} PRIVATE ${RESULTSYNC_AS_ONE})
  endforeach()
endfunction()
function(linked_as_one program)
  target_link_options(${program} PRIVATE ${RESULTSYNC_AS_ONE})
endfunction()

if(RESULTSYNC_SANITIZE)
  add_compile_options(-g1 -fsanitize=${RESULTSYNC_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RESULTSYNC_SANITIZE})
endif()
if(RESULTSYNC_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
