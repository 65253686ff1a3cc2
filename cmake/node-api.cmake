# Node-API's headers come from an npm package: nothing is downloaded, and no Node version's own headers are needed.
find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)
execute_process(
  COMMAND ${NODE_EXECUTABLE} -p
    "[require('node-api-headers').include_dir, require('./package.json').version].join(';')"
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  OUTPUT_VARIABLE NODE_API OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE NODE_API_RESULT)
if(NOT NODE_API_RESULT EQUAL 0)
  message(FATAL_ERROR "needletail: expected the package node-api-headers. Run 'npm ci --ignore-scripts' first.")
endif()
list(GET NODE_API 0 NODE_API_INCLUDE_DIR)
list(GET NODE_API 1 NEEDLETAIL_VERSION)
