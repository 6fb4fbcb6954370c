# openapi.yaml becomes part of the program, as JSON. The system's Python is named on purpose: Debian's python3-yaml belongs to it.
find_program(RESULTSYNC_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT RESULTSYNC_PYTHON)
  find_program(RESULTSYNC_PYTHON NAMES python3 REQUIRED)
endif()
set(openapi_source ${CMAKE_BINARY_DIR}/generated/openapi_json.cpp)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
add_custom_command(
  OUTPUT ${openapi_source}
  COMMAND ${RESULTSYNC_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/embed_openapi.py ${CMAKE_SOURCE_DIR}/openapi.yaml ${openapi_source}
  DEPENDS ${CMAKE_SOURCE_DIR}/openapi.yaml ${CMAKE_CURRENT_LIST_DIR}/embed_openapi.py
  COMMENT "openapi.yaml as JSON"
  VERBATIM)
target_sources(api PRIVATE ${openapi_source})
